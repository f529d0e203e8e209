"""The real `occ`: compiled once, or that of PATH."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from runs import fresh_cache

from pipeline.doctor import occ_check
from pipeline.errors import ToolchainError
from pipeline.gitops.occ import OCC_VERSION, Occ, binary_versions, installed_occ


def installed(cache: Path, version: str = OCC_VERSION) -> Occ:
    return anyio.run(installed_occ, cache, version)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Path]:
    """Puts a program named occ first on PATH."""

    def put(content: bytes) -> Path:
        program = tmp_path / "bin" / "occ"
        program.parent.mkdir()
        program.write_bytes(content)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return program

    return put


def test_the_compiled_occ_is_of_the_pinned_version_with_its_schemas(occ: Occ) -> None:
    assert binary_versions(occ.program) == (OCC_VERSION,)
    assert (occ.crds / "openchoreo.dev_workloads.yaml").is_file()


def test_occ_is_compiled_once_and_kept(occ: Occ, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = occ.program.parents[2]
    monkeypatch.setenv("GOPROXY", "off")
    before = {path: path.stat().st_mtime_ns for path in (cache / "tools").rglob("*")}
    assert installed(cache) == occ
    assert {path: path.stat().st_mtime_ns for path in (cache / "tools").rglob("*")} == before


def test_the_occ_on_path_is_taken_if_its_version_fits(
    occ: Occ, on_path: Callable[[bytes], Path], tmp_path: Path
) -> None:
    program = on_path(occ.program.read_bytes())
    found = installed(fresh_cache(tmp_path / "cache"), OCC_VERSION.rpartition(".")[0])
    assert (found.program, found.version) == (program, OCC_VERSION)
    assert str(program) in occ_check().found
    assert (found.crds / "openchoreo.dev_workloads.yaml").is_file()


def test_another_program_on_path_is_left_alone(
    occ: Occ, on_path: Callable[[bytes], Path], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    on_path(f"#!/bin/sh\ntouch {ran}\n".encode())
    assert installed(occ.program.parents[2]) == occ
    assert not ran.exists()


def test_a_version_that_is_nowhere_is_an_error(
    occ: Occ, on_path: Callable[[bytes], Path], tmp_path: Path
) -> None:
    on_path(occ.program.read_bytes())
    with pytest.raises(ToolchainError, match=r"v9\.9\.9.*PATH has v1\.2\.3") as caught:
        installed(fresh_cache(tmp_path / "cache"), "v9.9.9")
    assert OCC_VERSION in caught.value.hint


def test_a_missing_module_proxy_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(ToolchainError) as caught:
        installed(fresh_cache(tmp_path / "cache", share_go=False))
    assert "GOPROXY" in caught.value.hint
    assert caught.value.details


def test_another_go_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "go" / "bin" / "go"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    (tmp_path / "go" / "VERSION").write_text("go1.20\n")
    monkeypatch.setenv("OCELOT_GO", "golang:1.20")
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(ToolchainError, match=r"go1\.20"):
        installed(fresh_cache(tmp_path / "cache"))
