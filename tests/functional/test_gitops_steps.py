"""The single steps of a release on a folder, with occ's flags."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gitops import CATALOG, IMAGE, INPUTS, files, hostile
from runs import Ran, run_ocelot

from pipeline.files import read_tree, write_tree
from pipeline.gitops.occ import Occ

SHOP = ("--project", "shop", "--component", "catalog", "--namespace", "demo")
DESCRIPTOR = INPUTS / "sources" / "shop" / "catalog" / "workload.yaml"
WORKLOAD = f"{CATALOG}/workload.yaml"

Step = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tree(tmp_path / "gitops", files())
    return tmp_path / "gitops"


@pytest.fixture
def step(occ: Occ, folder: Path) -> Step:
    """Runs a step in the folder of a GitOps repository."""

    def run(*arguments: str | Path) -> Ran:
        return run_ocelot("gitops", *arguments, cache=occ.program.parents[2], cwd=folder)

    return run


def released(step: Step, name: str = "catalog-01234567") -> None:
    """A Workload and its release."""
    for arguments in (("workload", "--image", IMAGE), ("componentrelease", "--name", name)):
        ran = step(*arguments, *SHOP)
        assert ran.code == 0, ran.err


def test_the_documentations_commands_write_a_release(step: Step, folder: Path) -> None:
    mode = ("--mode", "file-system", "--root-dir", folder, *SHOP)
    for arguments in (
        ("workload", "create", *mode, "--image", IMAGE, "--descriptor", DESCRIPTOR),
        ("componentrelease", "generate", *mode, "--name", "catalog-01234567"),
        ("releasebinding", "generate", *mode, "--component-release", "catalog-01234567"),
    ):
        ran = step(*arguments)
        assert ran.code == 0, ran.err
    written = {path: text for path, text in read_tree(folder).items() if path not in files()}
    assert written == {
        path: (INPUTS / "expected" / Path(path).name).read_bytes()
        for path in (
            WORKLOAD,
            f"{CATALOG}/releases/catalog-01234567.yaml",
            f"{CATALOG}/release-bindings/catalog-development.yaml",
        )
    }


def test_a_dry_run_writes_nothing(step: Step, folder: Path) -> None:
    ran = step("workload", *SHOP, "--image", IMAGE, "--dry-run")
    assert ran.code == 0
    assert f"+    image: {IMAGE}" in ran.out
    assert read_tree(folder) == files()


def test_a_step_is_shown_as_json(step: Step, folder: Path) -> None:
    shown = json.loads(step("workload", *SHOP, "--image", IMAGE, "--json").out)
    assert shown["name"] == "catalog-workload"
    assert shown["files"] == [{"path": WORKLOAD, "change": "added"}]
    assert len(shown["warnings"]) == 1
    again = json.loads(step("workload", *SHOP, "--image", IMAGE, "--json").out)
    assert (again["files"], again["diff"]) == ([], "")
    assert (folder / WORKLOAD).is_file()


def test_only_the_image_of_a_workload_changes(step: Step, folder: Path) -> None:
    before = hostile("workload-hand-written.yaml").decode()
    (folder / WORKLOAD).write_text(before)
    assert step("workload", *SHOP, "--image", IMAGE).code == 0
    assert (folder / WORKLOAD).read_text() == before.replace("registry.example.test/old:1", IMAGE)


def test_a_release_is_bound_where_it_belongs(step: Step, folder: Path) -> None:
    released(step)
    for environment in ("development", "staging"):
        ran = step("releasebinding", *SHOP, "-e", environment)
        assert ran.code == 0, ran.err
        path = folder / CATALOG / "release-bindings" / f"catalog-{environment}.yaml"
        assert "releaseName: catalog-01234567\n" in path.read_text()


def test_without_a_release_nothing_is_bound(step: Step, folder: Path) -> None:
    ran = step("releasebinding", *SHOP, "--target-env", "staging")
    assert ran.code == 17
    assert "--component-release" in ran.err
    assert read_tree(folder) == files()


def test_an_equal_release_is_not_written_again(step: Step) -> None:
    released(step)
    again = step("componentrelease", *SHOP, "--name", "catalog-again", "--json")
    assert json.loads(again.out) == {
        "name": "catalog-01234567",
        "files": [],
        "diff": "",
        "warnings": [],
    }


def test_a_release_without_a_name_has_one_by_the_date(step: Step) -> None:
    released(step)
    assert step("workload", *SHOP, "--image", f"{IMAGE[:-2]}00").code == 0
    name = json.loads(step("componentrelease", *SHOP, "--json").out)["name"]
    assert name.startswith("catalog-20")
    assert name.endswith("-1")


def test_new_files_are_written_to_the_output_path(step: Step, folder: Path) -> None:
    assert step("workload", *SHOP, "--image", IMAGE, "-o", "out/build/w.yaml").code == 0
    assert step("componentrelease", *SHOP, "--name", "r-1", "-o", folder / "out/r").code == 0
    assert step("releasebinding", *SHOP, "-o", "out/b").code == 0
    assert {path for path in read_tree(folder) if path.startswith("out/")} == {
        "out/build/w.yaml",
        "out/r/r-1.yaml",
        "out/b/catalog-development.yaml",
    }


def test_a_second_workload_is_not_written(step: Step, folder: Path) -> None:
    released(step)
    ran = step("workload", *SHOP, "--image", IMAGE, "-o", "out/w.yaml")
    assert ran.code == 2
    assert WORKLOAD in ran.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("workload", *SHOP, "--image", IMAGE, "--mode", "api-server"),
        ("workload", "delete", *SHOP, "--image", IMAGE),
        ("workload", *SHOP, "--image", IMAGE, "--output-path", "../outside.yaml"),
        ("workload", *SHOP, "--image", IMAGE, "--root-dir", "nowhere"),
        ("workload", *SHOP, "--image", "$(touch ran)"),
        ("workload", "--image", IMAGE, "--project", "shop", "--component", "a;touch ran"),
        ("workload", "--image", IMAGE, "--project", "../shop", "--component", "catalog"),
        ("componentrelease", *SHOP, "--name", "../../outside"),
        ("componentrelease", *SHOP, "--name", ""),
        ("releasebinding", *SHOP, "--target-env", "`touch ran`"),
    ],
)
def test_an_option_that_cannot_be_used_is_an_error(
    step: Step, folder: Path, arguments: tuple[str, ...]
) -> None:
    ran = step(*arguments)
    assert ran.code == 2
    assert "next: " in ran.err
    assert read_tree(folder) == files()
    assert not (folder.parent / "outside.yaml").exists()


def test_faults_of_a_descriptor_are_told_with_their_lines(step: Step) -> None:
    descriptor = INPUTS / "descriptors" / "bad-type.yaml"
    ran = step("workload", *SHOP, "--image", IMAGE, "--descriptor", descriptor)
    assert ran.code == 17
    assert "bad-type.yaml:4: endpoints.0.port" in ran.err


def test_a_link_in_the_folder_is_not_followed(step: Step, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / CATALOG / "releases").symlink_to(outside)
    ran = step("componentrelease", *SHOP, "--name", "r-1")
    assert ran.code == 17
    assert list(outside.iterdir()) == []


def test_platform_resources_may_lie_in_another_folder(step: Step, folder: Path) -> None:
    (folder / "namespaces/demo/platform").rename(folder.parent / "platform")
    assert step("workload", *SHOP, "--image", IMAGE).code == 0
    ran = step("componentrelease", *SHOP, "--name", "r-1")
    assert ran.code == 17
    assert (
        step("componentrelease", *SHOP, "--name", "r-1", "--platform-dir", "../platform").code == 0
    )
    assert (folder / CATALOG / "releases" / "r-1.yaml").is_file()


def test_a_missing_package_is_told(folder: Path) -> None:
    """A plain installation does not have it."""
    program = """
import sys
sys.modules["jsonschema"] = None
from pipeline.__main__ import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, "gitops", "workload", *SHOP, "--image", IMAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 17
    assert "jsonschema" in ran.stderr
    assert "Traceback" not in ran.stderr
