"""The schemas of the real OpenChoreo accept what occ writes from sound files, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from gitops import INPUTS

from pipeline.errors import GitOpsError
from pipeline.files import Tree, read_tree
from pipeline.gitops.crds import Definitions, check_resources
from pipeline.gitops.occ import Occ
from pipeline.gitops.repository import read_repository


def check(occ: Occ, files: Tree) -> None:
    """Check all resources of files."""
    resources = read_repository(files).resources
    assert resources
    check_resources(Definitions(occ.crds, occ.version), resources, files, "them")


def workload(occ: Occ, folder: Path, descriptor: Path) -> Tree:
    """The Workload that occ makes of a descriptor."""
    root = folder / "repository"
    for path, content in read_tree(INPUTS / "repository").items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (folder / ".openchoreo").mkdir()
    config = "currentContext: c\ncontexts:\n- {name: c, namespace: demo}\n"
    (folder / ".openchoreo" / "config").write_text(config)
    subprocess.run(
        [
            *(str(occ.program), "workload", "create", "--mode", "file-system"),
            *("--root-dir", str(root), "--project", "shop", "--component", "catalog"),
            *("--image", "registry.example.test/a:1", "--descriptor", str(descriptor)),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "HOME": str(folder)},
    )
    path = "namespaces/demo/projects/shop/components/catalog/workload.yaml"
    return {path: (root / path).read_bytes()}


@pytest.mark.parametrize("folder", ["repository", "expected", "hostile", "runs"])
def test_the_inputs_and_what_occ_made_of_them_are_accepted(occ: Occ, folder: str) -> None:
    for path, content in read_tree(INPUTS / folder).items():
        if b"openchoreo.dev/v1alpha1" in content and b"kind:" in content:
            check(occ, {path: content})


def test_what_occ_makes_of_a_sound_descriptor_is_accepted(occ: Occ, tmp_path: Path) -> None:
    check(occ, workload(occ, tmp_path, INPUTS / "sources/shop/catalog/workload.yaml"))


def test_what_occ_lets_pass_is_refused(occ: Occ, tmp_path: Path) -> None:
    made = workload(occ, tmp_path, INPUTS / "descriptors/bad-type.yaml")
    with pytest.raises(GitOpsError) as caught:
        check(occ, made)
    assert [each.split(": ")[1] for each in caught.value.details] == [
        "spec.endpoints.api.port",
        "spec.endpoints.api.type",
    ]


def test_a_project_of_the_older_shape_is_refused(occ: Occ) -> None:
    path = "namespaces/demo/projects/shop/project.yaml"
    text = read_tree(INPUTS / "repository")[path].decode()
    older = text[: text.index("  type:")].encode()
    with pytest.raises(GitOpsError) as caught:
        check(occ, {path: older})
    (detail,) = caught.value.details
    assert ": spec.type: " in detail
