"""A layer's zip as the bench reads it: its files, architecture, distribution and components.

The header of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline import progress
from pipeline.bench.faults import Fault, FaultError
from pipeline.errors import UsageError, quoted
from pipeline.files import read_file
from pipeline.layer.components import FoundComponent
from pipeline.layer.elf import MACHINES
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import CONFIGS, LayerFile, open_layer
from pipeline.layer.manifest import FILE_NAME, Upstream, read_manifest
from pipeline.layer.zip import ZipEntry
from pipeline.naming import Architecture

EXTENSIONS = "extensions/"
CONFIG = f"{CONFIGS}config.yaml"
_HINT = "give a zip that `ocelot build` made"
_ARCHITECTURE_IN_NAME = re.compile(r"-(amd64|arm64)[-.]")
_DISTRIBUTION_IN_NAME = re.compile(r"^collector-(?:amd64|arm64)-(.+)\.zip$")
_EXECUTABLE = 0o111
_MACHINE = struct.Struct("<18xH")


@dataclass(frozen=True, kw_only=True)
class BenchLayer:
    """A layer to be run.

    Attributes:
        path: of the zip.
        opened: the zip's files.
        claimed: the architecture that the manifest or the file name states; None if neither does.
        distribution: the one that the manifest or the file name states; empty if neither does.
        components: of its binary; none if that is not a Go program.
        tags: the build tags that the binary was compiled with.
        compiled: the architecture that the binary was compiled for; None if it does not say.
        upstream: the source that the manifest names; None if no manifest beside the zip has it.
    """

    path: Path
    opened: LayerFile
    claimed: Architecture | None
    distribution: str
    components: tuple[FoundComponent, ...] = ()
    tags: tuple[str, ...] = ()
    compiled: Architecture | None = None
    upstream: Upstream | None = None

    @property
    def architecture(self) -> Architecture | None:
        """The layer's architecture; None if it is unknown."""
        return self.claimed or self.compiled

    @property
    def extensions(self) -> tuple[ZipEntry, ...]:
        """The files that Lambda starts: those directly in `extensions/`."""
        return tuple(
            entry
            for entry in self.opened.entries
            if entry.name.startswith(EXTENSIONS) and "/" not in entry.name[len(EXTENSIONS) :]
        )

    @property
    def config(self) -> bytes | None:
        """The collector config in the layer; None if it has none."""
        found = (entry.content for entry in self.opened.entries if entry.name == CONFIG)
        return next(found, None)


def read_layer(path: Path) -> BenchLayer:
    """Read a layer's zip and check that it can be unpacked.

    Raises:
        UsageError: it cannot be read, is no layer, or has paths or links that lead out of it.
    """
    content = read_file(path, _HINT)
    opened = open_layer(content, file=path.name)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            _check_path(info, path.name)
    layer = _claimed_layer(path, opened)
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


def extension_architecture(
    name: str, extension: ZipEntry, claimed: Architecture | None
) -> Architecture | None:
    """Return the architecture that an extension was compiled for; None for a script.

    Args:
        name: of the extension, for messages.
        extension: its file.
        claimed: the architecture that the layer is said to be for; None if that is unknown.

    Raises:
        FaultError: Lambda could not start it.
    """
    if not extension.mode & _EXECUTABLE:
        mode = f"its mode in the zip is {extension.mode:04o}"
        raise FaultError(Fault.NOT_EXECUTABLE, name, (mode,))
    content = extension.content
    if content.startswith(b"#!"):  # Lambda runs scripts, too, if it has their interpreter
        return None
    if not content.startswith(b"\x7fELF") or len(content) < _MACHINE.size:
        raise FaultError(Fault.NO_ELF, name, (f"it begins with {content[:8]!r}",))
    (number,) = _MACHINE.unpack_from(content)
    architecture = Architecture(MACHINES[number]) if number in MACHINES else None
    if architecture is None or claimed not in (None, architecture):
        expected = f"the layer is for {claimed}" if claimed else "Lambda has amd64 and arm64"
        details = (f"its machine is {architecture or number}; {expected}",)
        raise FaultError(Fault.WRONG_ARCHITECTURE, name, details)
    return architecture


def _claimed_layer(path: Path, opened: LayerFile) -> BenchLayer:
    """Return a layer with what its manifest says of it, else its file name."""
    manifest = None
    try:
        manifest = read_manifest(path.parent / FILE_NAME)
    except UsageError as error:  # perhaps another program's manifest.json
        progress.note(str(error))
    for each in manifest.layers if manifest else ():
        if each.sha256 == opened.sha256:
            return BenchLayer(
                path=path,
                opened=opened,
                claimed=each.architecture,
                distribution=each.distribution,
                upstream=each.upstream,
            )
    architecture = _ARCHITECTURE_IN_NAME.search(path.name)
    distribution = _DISTRIBUTION_IN_NAME.search(path.name)
    return BenchLayer(
        path=path,
        opened=opened,
        claimed=Architecture(architecture[1]) if architecture else None,
        distribution=distribution[1] if distribution else "",
    )


def _check_path(info: zipfile.ZipInfo, file: str) -> None:
    named = f"{file}: {quoted(info.filename)}"
    parts = PurePosixPath(info.filename).parts
    if info.filename.startswith("/") or ".." in parts or "\\" in info.filename or not parts:
        raise UsageError(f"{named} leads out of the layer", hint=_HINT)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UsageError(f"{named} is a link", hint=_HINT)
