"""Versions of `occ`, read from its build info."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config.gitops import GitOps
from pipeline.gitops import occ
from pipeline.gitops.occ import MODULE, OCC_VERSION, fitting_version, occ_versions
from pipeline.layer.buildinfo import parse_build_info

PATH = f"path\t{MODULE}/cmd/occ\n"
LINKED = f'build\t-ldflags="-s -X {MODULE}/internal/version.version=v1.3.0 -X a.b=c"\n'


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (f"{PATH}mod\t{MODULE}\tv1.2.3\th1:sum=\n", ("v1.2.3",)),
        (f"{PATH}mod\t{MODULE}\t(devel)\n{LINKED}", ("v1.3.0",)),
        (f"{PATH}mod\t{MODULE}\tv1.3.1-0.2026+dirty\n{LINKED}", ("v1.3.0", "v1.3.1-0.2026+dirty")),
        (f"{PATH}mod\t{MODULE}\t(devel)\n", ()),
        (f"path\texample.com/occ\nmod\t{MODULE}\tv1.2.3\n", ()),
    ],
)
def test_a_version_is_that_of_the_module_or_linked_in(text: str, versions: tuple[str, ...]) -> None:
    assert occ_versions(parse_build_info("go1.26.6", text)) == versions


@pytest.mark.parametrize(
    ("wanted", "fits"), [("v1.2.3", True), ("v1.2", True), ("v1", True), ("v1.2.30", False)]
)
def test_a_patch_version_fits_a_shorter_wanted_one(wanted: str, fits: bool) -> None:  # noqa: FBT001
    assert bool(fitting_version(("v1.2.3",), wanted)) == fits


def test_version_20_does_not_fit_version_2() -> None:
    assert not fitting_version(("v1.20.0",), "v1.2")


def test_the_compiled_version_is_the_one_of_go_mod() -> None:
    text = Path(occ.__file__).with_name("occ_build").joinpath("go.mod").read_text(encoding="utf-8")
    assert re.findall(rf"{MODULE} (\S+)", text) == [OCC_VERSION]


def test_the_compiled_version_is_the_default_of_the_config() -> None:
    assert GitOps.model_fields["occ_version"].default == OCC_VERSION
