"""A bundle: all that a build needs besides ocelot, in one file that can be checked.

It is a tar, compressed with zstd. Its first member, `ocelot-bundle.json`, says what the bundle is
for and has size and SHA-256 of every other member: `config/` with the lock, upstream's `collector/`
below `upstream/`, other folders of its repository below `beside/`, Go modules below `modules/` in
the layout of a module proxy (https://go.dev/ref/mod#goproxy-protocol), Go below `toolchain/`, in a
folder with the name of its platform. The same content gives the same bytes, headers and all: a
reader knows from the index what must follow, and accepts nothing else. (`tarfile` accepts any tar:
it would read a header of gigabytes into memory, and ignore what follows the end.)
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Literal

import zstandard
from pydantic import Field

from pipeline import files
from pipeline.build.upstream import Resolved, Source
from pipeline.errors import LockError, OutputError, UpstreamError, quoted
from pipeline.layer.limits import megabytes
from pipeline.record import Record

INDEX = "ocelot-bundle.json"
LEVEL = 10
CHUNK = 1 << 20
_LARGEST_INDEX = 50_000_000
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_SIZE = slice(124, 136)  # of a header: octal digits
_HINT = "fetch or make the bundle again; nothing of it was used"


class BundleMember(Record):
    """A file of a bundle."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class BundleIndex(Record):
    """A bundle's purpose and its files."""

    version: Literal[1] = 1
    distribution: str
    repository: str
    ref: str
    commit: Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
    committed: Annotated[int, Field(ge=0)]
    members: dict[str, BundleMember]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose every member was checked, unpacked into a folder.

    Attributes:
        sha256: of the bundle's file.
    """

    index: BundleIndex
    folder: Path
    sha256: str

    @property
    def config(self) -> Path:
        """The config folder, with the lock."""
        return self.folder / "config"

    def upstream_files(self) -> dict[str, bytes]:
        """Return upstream's files; see `source_files`."""
        beside = files.read_tree(self.folder / "beside")
        return {
            **{f"../{name}": content for name, content in beside.items()},
            **files.read_tree(self.folder / "upstream"),
        }

    @property
    def modules(self) -> Path:
        """The Go modules, as a module proxy has them."""
        return self.folder / "modules"

    @property
    def toolchains(self) -> Path:
        """Folders of Go, each with the name of its platform, if the bundle has any."""
        return self.folder / "toolchain"


@dataclass(frozen=True, kw_only=True)
class BundleUpstream:
    """The upstream that lies in a bundle; see `UpstreamReader`."""

    bundle: Bundle

    @property
    def given(self) -> str:
        """The repository that the bundle was made of."""
        return self.bundle.index.repository

    @property
    def ref(self) -> str:
        """The ref that the bundle was made of."""
        return self.bundle.index.ref

    async def resolve(self) -> Resolved:
        """See `UpstreamReader.resolve`."""
        return Resolved(commit=self.bundle.index.commit, kind="commit")

    async def read(self, commit: str) -> Source:
        """See `UpstreamReader.read`."""
        index = self.bundle.index
        if commit != index.commit:
            raise UpstreamError(
                f"the bundle has {index.commit}, not {commit}", hint="make the bundle anew"
            )
        return Source(
            repository=index.repository,
            ref=index.ref,
            commit=commit,
            committed=index.committed,
            files=self.bundle.upstream_files(),
        )


def write_bundle(path: Path, index: BundleIndex, members: Mapping[str, Path]) -> None:
    """Write a bundle's file; its name only ever stands for the whole.

    Args:
        path: the file.
        index: without `members`, which are added here.
        members: the files on disk by their names in the bundle.
    """
    found = {name: _member(members[name]) for name in sorted(members)}
    text = index.model_copy(update={"members": found}).model_dump_json(indent=1).encode()
    with files.output_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".ocelot-bundle-") as folder:
            part = Path(folder) / "part"
            with part.open("wb") as out, _compressor().stream_writer(out) as packed:
                _write_tar(packed, text, {name: members[name] for name in found})
            part.replace(path)


def open_bundle(path: Path, folder: Path) -> Bundle:
    """Unpack a bundle into an empty folder and check all of it.

    Raises:
        LockError: it is no bundle, or it is damaged; nothing of it may be used then.
        OutputError: the folder cannot be written, or its disk has too little space.
    """
    try:
        with files.open_regular(path, None) as file:
            index = _unpack(file, folder)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise LockError(f"there is no bundle {path}", hint="check the path") from None
    except (OSError, zstandard.ZstdError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _damaged(path, f"it cannot be read to its end: {reason}") from error
    except _DamagedError as error:
        raise _damaged(path, str(error)) from None
    return Bundle(index=index, folder=folder, sha256=digest)


class _DamagedError(Exception):
    pass


def _damaged(path: Path, reason: str) -> LockError:
    return LockError(f"the bundle {path} is damaged: {reason}", hint=_HINT)


def _compressor() -> zstandard.ZstdCompressor:
    # with workers the bytes do not depend on how many there are
    return zstandard.ZstdCompressor(level=LEVEL, threads=2, write_checksum=True)


def _member(path: Path) -> BundleMember:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BundleMember(size=path.stat().st_size, sha256=digest)


def _write_tar(out: IO[bytes], index: bytes, members: Mapping[str, Path]) -> None:
    out.write(_header(INDEX, len(index)) + index + _padding(len(index)))
    for name, path in members.items():
        size = path.stat().st_size
        out.write(_header(name, size))
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, CHUNK)
        out.write(_padding(size))
    out.write(_END)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size  # mode 0644, owner 0, time 0
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _unpack(file: IO[bytes], folder: Path) -> BundleIndex:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    index = _read_index(reader)
    _check_room(index, folder)
    for name, member in sorted(index.members.items()):
        _expect(reader, _header(name, member.size), name)
        _write_member(reader, name, member, folder / name)
        _expect(reader, _padding(member.size), f"the end of {name}")
    _expect(reader, _END, "its end")
    if reader.read(1):
        raise _DamagedError("something follows its end")
    return index


def _expect(reader: IO[bytes], content: bytes, what: str) -> None:
    if reader.read(len(content)) != content:
        raise _DamagedError(f"{what} is not where {INDEX} says")


def _read_index(reader: IO[bytes]) -> BundleIndex:
    head = reader.read(_BLOCK)
    octal = re.fullmatch(rb"[0-7]{11}\0", head[_SIZE])
    size = int(octal[0][:-1], 8) if octal else 0
    if head != _header(INDEX, size) or size > _LARGEST_INDEX:
        raise _DamagedError(f"it does not begin with {INDEX}")
    try:
        index = BundleIndex.model_validate_json(reader.read(size))
    except ValueError as error:
        raise _DamagedError(f"{INDEX} is not of the form expected") from error
    _expect(reader, _padding(size), f"the end of {INDEX}")
    _check_names(index)
    return index


def _check_names(index: BundleIndex) -> None:
    """Every member is a file of its own inside the folder."""
    folders = {str(each) for name in index.members for each in PurePosixPath(name).parents}
    for name in index.members:
        try:
            plain = PurePosixPath(files.safe_path(name)).as_posix() == name
        except UpstreamError:
            plain = False
        if not plain or name in folders:
            raise _DamagedError(f"a member is called {quoted(name)}")


def _check_room(index: BundleIndex, folder: Path) -> None:
    with files.output_errors(folder):
        free = shutil.disk_usage(folder).free
    needed = sum(each.size for each in index.members.values())
    if needed > free:
        raise OutputError(
            f"the bundle needs {megabytes(needed)} in {folder}, {megabytes(free)} are free",
            hint="free some space, or point OCELOT_CACHE to another disk",
        )


def _write_member(reader: IO[bytes], name: str, member: BundleMember, path: Path) -> None:
    digest, left = hashlib.sha256(), member.size
    with files.output_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            while left and (chunk := reader.read(min(CHUNK, left))):
                digest.update(chunk)
                out.write(chunk)
                left -= len(chunk)
    if digest.hexdigest() != member.sha256:
        raise _DamagedError(f"{name} has sha256 {digest.hexdigest()}, {INDEX} says {member.sha256}")
