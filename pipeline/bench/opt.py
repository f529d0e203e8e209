"""A layer on disk, as a function finds it under /opt: unpacked, and read-only."""

from __future__ import annotations

import io
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline import progress
from pipeline.errors import UsageError, quoted
from pipeline.files import output_errors
from pipeline.layer.components import FoundComponent
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import CONFIGS, LayerFile, open_layer
from pipeline.layer.manifest import FILE_NAME, read_manifest
from pipeline.layer.zip import ZipEntry
from pipeline.naming import Architecture

EXTENSIONS = "extensions/"
CONFIG = f"{CONFIGS}config.yaml"
_WRITE = 0o222
_HINT = "give a zip that `ocelot build` made"
_ARCHITECTURE_IN_NAME = re.compile(r"-(amd64|arm64)[-.]")
_DISTRIBUTION_IN_NAME = re.compile(r"^collector-(?:amd64|arm64)-(.+)\.zip$")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that is to be tried.

    Attributes:
        path: of the zip.
        opened: what is in it.
        claimed: what it is said to be for; None where nothing says so.
        distribution: the one that it is said to be of; empty where nothing names it.
        components: of its binary; none where that is no program of Go's.
        tags: the build tags that the binary was compiled with.
        compiled: what the binary was compiled for; None where it does not say.
    """

    path: Path
    opened: LayerFile
    claimed: Architecture | None
    distribution: str
    components: tuple[FoundComponent, ...] = ()
    tags: tuple[str, ...] = ()
    compiled: Architecture | None = None

    @property
    def architecture(self) -> Architecture | None:
        """What it is for; None where nothing says so."""
        return self.claimed or self.compiled

    @property
    def extensions(self) -> tuple[ZipEntry, ...]:
        """The files that Lambda starts: those in `extensions/`, not deeper."""
        return tuple(
            entry
            for entry in self.opened.entries
            if entry.name.startswith(EXTENSIONS) and "/" not in entry.name[len(EXTENSIONS) :]
        )

    @property
    def config(self) -> bytes | None:
        """Its own collector config; None where it has none."""
        found = (entry.content for entry in self.opened.entries if entry.name == CONFIG)
        return next(found, None)


def read_layer(path: Path) -> Layer:
    """Open a layer's zip and check that it can be unpacked.

    Raises:
        UsageError: it cannot be read, is no layer, or has paths or links that lead out of it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    opened = open_layer(content, file=path.name)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            _check(info, path.name)
    claimed, distribution = _claims(path, opened)
    layer = Layer(path=path, opened=opened, claimed=claimed, distribution=distribution)
    try:
        found = inspect_layer(opened)
    except UsageError:
        return layer
    return replace(
        layer,
        components=found.components,
        tags=tuple(found.info.setting("-tags").split(",")),
        compiled=Architecture(found.architecture) if found.architecture else None,
    )


def _claims(path: Path, opened: LayerFile) -> tuple[Architecture | None, str]:
    """What a layer is said to be, by the manifest beside it, else by its name."""
    manifest = None
    try:
        manifest = read_manifest(path.parent / FILE_NAME)
    except UsageError as error:  # another program's, perhaps
        progress.note(str(error))
    for each in manifest.layers if manifest else ():
        if each.sha256 == opened.sha256:
            return each.architecture, each.distribution
    architecture = _ARCHITECTURE_IN_NAME.search(path.name)
    distribution = _DISTRIBUTION_IN_NAME.search(path.name)
    return (
        Architecture(architecture[1]) if architecture else None,
        distribution[1] if distribution else "",
    )


def labels(paths: Sequence[Path]) -> list[str]:
    """What zips are called: by their files, with as many folders as tell them apart."""
    parts = [each.absolute().parts for each in paths]
    for count in range(1, max(map(len, parts), default=1)):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(each) for each in paths]


def _check(info: zipfile.ZipInfo, file: str) -> None:
    named = f"{file}: {quoted(info.filename)}"
    parts = PurePosixPath(info.filename).parts
    if info.filename.startswith("/") or ".." in parts or "\\" in info.filename or not parts:
        raise UsageError(f"{named} leads out of the layer", hint=_HINT)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UsageError(f"{named} is a link", hint=_HINT)


@contextmanager
def unpacked(layer: Layer) -> Generator[Path]:
    """The layer's folder, until the context ends; nobody but root can write in it.

    Raises:
        OutputError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as temporary:
        root = Path(temporary) / "opt"
        with output_errors(Path(temporary)):
            for entry in layer.opened.entries:
                path = root / entry.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(entry.content)
                path.chmod(entry.mode & ~_WRITE | stat.S_IRUSR)
        _set_folders(root, 0o555)
        try:
            yield root
        finally:
            _set_folders(root, 0o755)  # or it cannot be removed


def _set_folders(root: Path, mode: int) -> None:
    for folder, _names, _files in os.walk(root):
        Path(folder).chmod(mode)


def marks(root: Path) -> Mapping[str, tuple[int, int, int]]:
    """Size, time and mode of everything in a folder, by path: they tell whether it was changed."""
    return {
        path.relative_to(root).as_posix(): (found.st_size, found.st_mtime_ns, found.st_mode)
        for path in sorted(root.rglob("*"))
        for found in (path.lstat(),)
    }


def changed(before: Mapping[str, tuple[int, int, int]], root: Path) -> tuple[str, ...]:
    """The paths that are not as they were."""
    now = marks(root)
    return tuple(
        sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    )
