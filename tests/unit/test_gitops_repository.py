"""The resources of a GitOps repository, and the files that cannot be read."""

from __future__ import annotations

import pytest

from pipeline.errors import GitOpsError
from pipeline.gitops.repository import read_repository

COMPONENT = b"""# the catalogue
apiVersion: openchoreo.dev/v1alpha1
kind: Component
metadata: {name: catalog, namespace: demo}
spec:
  owner: {projectName: shop}
  since: 2026-01-02
  window: 12:30
  port: 0x10
"""


def test_resources_have_their_file_line_and_owner() -> None:
    files = {"a/two.yaml": COMPONENT + b"---\n" + COMPONENT, "b.yml": COMPONENT}
    read = read_repository(files)
    assert [(each.place, each.document, each.alone) for each in read.resources] == [
        ("a/two.yaml:2", 0, False),
        ("a/two.yaml:12", 1, False),
        ("b.yml:2", 0, True),
    ]
    assert {(each.kind, each.namespace, each.name) for each in read.of_kind("Component")} == {
        ("Component", "demo", "catalog")
    }
    assert read.resources[0].owner == ("shop", "")


def test_scalars_are_read_as_go_reads_them() -> None:
    (found,) = read_repository({"a.yaml": COMPONENT}).resources
    spec = found.value("spec")
    assert (spec["since"], spec["window"], spec["port"]) == ("2026-01-02", "12:30", 16)


def test_all_broken_files_are_told_with_their_lines() -> None:
    files = {
        "a.yaml": b"apiVersion: openchoreo.dev/v1alpha1\nkind: [",
        "b.yaml": b"kind: A\napiVersion: openchoreo.dev/v1alpha1\nkind: B\n",
        "c.yaml": b"apiVersion: openchoreo.dev/v1alpha1\nkind: Component\n",
        "d.yaml": b"\xff openchoreo.dev",
        "good.yaml": COMPONENT,
    }
    with pytest.raises(GitOpsError) as caught:
        read_repository(files)
    assert [each.split(": ")[0] for each in caught.value.details] == [
        "a.yaml:3",
        "b.yaml:3",
        "c.yaml:1",
        "d.yaml",
    ]


def test_a_broken_file_of_another_program_is_left_alone() -> None:
    assert (
        read_repository({"chart/x.yaml": b"{{ if .Values.x }}: [", "x.txt": COMPONENT}).resources
        == ()
    )


def test_resources_of_other_groups_are_left_out() -> None:
    files = {"a.yaml": b"# openchoreo.dev\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"}
    assert read_repository(files).resources == ()
