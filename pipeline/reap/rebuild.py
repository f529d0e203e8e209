"""Find the zip of a tombstone: a kept file, or a build from the lock or from a bundle.

A zip is only returned if it has the tombstone's SHA-256.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from pipeline.audit.verify import RebuiltLayer, rebuilt_layers
from pipeline.build.bundling import BundleInputs
from pipeline.build.inputs import BuildInputs
from pipeline.build.lock import FILE_NAME, Locked, read_lock
from pipeline.config.entries import shown
from pipeline.config.folder import load_config
from pipeline.errors import (
    ConfigError,
    LockError,
    OcelotError,
    ToolchainError,
    UpstreamError,
    UsageError,
    VerifyError,
)
from pipeline.files import ensure_writable, read_file, tree_digest, write_tree
from pipeline.layer.manifest import Layer
from pipeline.naming import zip_parts
from pipeline.reap.history import lock_history, past_files
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone

# Commits of the config folder that are read, and different states of it that are built.
MOST_READ = 50
MOST_TRIED = 5
_GIVE = "give its zip (--zip FILE, such as a release's asset) or a bundle of it (--bundle FILE)"
# Errors of one source, after which the next one is tried.
_UNUSABLE = (LockError, ConfigError, UsageError, UpstreamError, ToolchainError)


class ZipSource(StrEnum):
    """A kind of place where a zip comes from."""

    FILE = "zip"
    BUNDLE = "bundle"
    LOCK = "lock"
    TOMBSTONE = "tombstone"
    HISTORY = "history"
    LAYER = "layer version"


@dataclass(frozen=True, kw_only=True)
class FoundZip:
    """A zip with the SHA-256 of its tombstone.

    Attributes:
        name: of the source, for people.
        commit: of the config folder, if it is an earlier one; else empty.
    """

    source: ZipSource
    name: str
    content: bytes = field(repr=False)
    commit: str = ""


@dataclass(frozen=True, kw_only=True)
class LockSource:
    """A lock entry, and the configuration to build it with.

    Attributes:
        name: for people.
        commit: of the config folder, if it is an earlier one; else empty.
    """

    source: ZipSource
    name: str
    entry: Locked
    inputs: BuildInputs
    commit: str = ""


class _Search:
    """The search of lock entries: what was looked at, for the error.

    Attributes:
        lines: what was looked at, and why it has no zip.
        shallow: folder of a clone that lacks older commits; empty for none.
        tried: the lock entries that were found, each with the config folder.
        wrong: errors of builds that gave other bytes, by lock entry.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.shallow = ""
        self.tried: list[tuple[Path, Locked]] = []
        self.wrong: dict[str, VerifyError] = {}

    def is_new(self, source: LockSource) -> bool:
        """Note that a source is tried; return False if it cannot give anything new."""
        key = (source.inputs.config.folder, source.entry)
        is_new = key not in self.tried and _facts_of(source.entry) not in self.wrong
        self.tried.append(key)
        return is_new

    def add(self, name: str, error: OcelotError) -> None:
        """Note why a source cannot be used."""
        self.lines += [f"{name}: {error}", *(f"  {each}" for each in error.details)]

    def error(self, row: Row) -> OcelotError:
        """Return the error for a search without the right zip."""
        if self.wrong:
            first = next(iter(self.wrong.values()))
            return first.with_message(str(first), (*first.details, *self.lines))
        reason = "as it was locked" if self.tried else "since no lock entry of it was found"
        hint = _GIVE
        if self.shallow:
            hint = (
                f"fetch the commits that the shallow clone lacks: git -C {self.shallow} fetch "
                f"--unshallow; or {_GIVE}"
            )
        return LockError(
            f"the zip of {row.arn} cannot be built again {reason}",
            hint=hint,
            details=(f"sha256 {row.code_sha256}", *self.lines),
        )


def _facts_of(entry: Locked) -> str:
    """Return all of a lock entry but the digests of its zips."""
    return entry.model_copy(update={"zips": {}}).model_dump_json()


def kept_zip(path: Path, row: Row) -> FoundZip:
    """Return the zip of a file.

    Raises:
        UsageError: it cannot be read.
        VerifyError: it has another SHA-256.
    """
    content = read_file(path, "give the zip of the deleted layer version: --zip")
    digest = hashlib.sha256(content).hexdigest()
    if digest != row.code_sha256:
        raise _other_zip(row, str(path), digest, tuple(_file_differences(path, content, row)))
    return FoundZip(source=ZipSource.FILE, name=str(path), content=content)


async def bundle_zip(inputs: BundleInputs, row: Row) -> FoundZip:
    """Build the zip from a bundle.

    Raises:
        UsageError: the bundle is for another distribution.
        LockError: the bundle cannot be built by this ocelot.
        VerifyError: the build has another SHA-256.
        OcelotError: it cannot be built.
    """
    inputs.distribution(row.distribution, requested=True)
    index = inputs.bundle.index
    entry = read_lock(inputs.config.folder).find(index.distribution, index.repository, index.ref)
    if entry is None:  # its lock was checked when it was opened
        raise LockError("the bundle has no lock entry", hint="make the bundle again")
    name = f"the bundle of {index.distribution} at {index.commit[:12]}"
    found = LockSource(source=ZipSource.BUNDLE, name=name, entry=entry, inputs=inputs)
    return await _built(found, row)


async def locked_zip(tombstone: Tombstone, inputs: BuildInputs) -> FoundZip:
    """Build the zip from the lock entry that has its SHA-256.

    An entry of the same commit of upstream that has no digest of the zip is tried, too: locked
    builds do not write digests. Entries are searched for in the config folder, in the tombstone,
    and in the history of the config folder, which is then read as it was. One that cannot be built
    as it was locked, or gives other bytes, is noted, and the next one tried.

    Raises:
        LockError: there is none, or none that can be built as it was locked.
        VerifyError: the build has another SHA-256.
        OcelotError: it cannot be built.
    """
    row, search = tombstone.row, _Search()
    ensure_writable(inputs.cache)
    with tempfile.TemporaryDirectory(dir=inputs.cache, prefix=".restore-") as folder:
        finders: tuple[Callable[[], Awaitable[Sequence[LockSource]]], ...] = (
            partial(_present, row, inputs, search),
            partial(_in_tombstone, tombstone, inputs, search),
            partial(_in_history, row, inputs, search, Path(folder)),
        )
        for find in finders:
            for each in filter(search.is_new, await find()):
                try:
                    return await _built(each, row)
                except (LockError, ConfigError, UsageError) as error:
                    search.add(each.name, error)
                except VerifyError as error:
                    search.wrong[_facts_of(each.entry)] = error
    raise search.error(row)


async def _present(row: Row, inputs: BuildInputs, search: _Search) -> Sequence[LockSource]:
    """Return the entry of the config folder's lock, if there is one."""
    name = shown(inputs.config.folder / FILE_NAME)
    try:
        entry = _entry_of(inputs.config.folder, row)
    except LockError as error:
        search.add(name, error)
        return ()
    if entry is None:
        search.lines.append(f"{name}: no entry has it")
        return ()
    return (LockSource(source=ZipSource.LOCK, name=name, entry=entry, inputs=inputs),)


async def _in_tombstone(
    tombstone: Tombstone, inputs: BuildInputs, search: _Search
) -> Sequence[LockSource]:
    """Return the entry of the tombstone, if it has one."""
    name = "the lock entry of the tombstone, with the present configuration"
    if not tombstone.lock:
        search.lines.append("the tombstone: it has no lock entry")
        return ()
    try:
        entry = Locked.model_validate_json(tombstone.lock)
    except ValidationError:
        search.lines.append("the tombstone: its lock entry cannot be read")
        return ()
    return (LockSource(source=ZipSource.TOMBSTONE, name=name, entry=entry, inputs=inputs),)


async def _in_history(
    row: Row, inputs: BuildInputs, search: _Search, temporary: Path
) -> Sequence[LockSource]:
    """Return the entries of the config folder's history; each is written into a folder."""
    folder = inputs.config.folder
    name = f"the history of {shown(folder / FILE_NAME)}"
    try:
        history = await lock_history(folder, *filter(None, (row.code_sha256, row.upstream_commit)))
    except _UNUSABLE as error:
        search.add(name, error)
        return ()
    search.shallow = str(folder) if history.is_shallow else ""
    if not history.commits:
        clone = ", in a shallow clone" if history.is_shallow else ""
        search.lines.append(f"{name}: none of its {history.searched} commits has it{clone}")
    found: dict[tuple[str, str], LockSource] = {}
    for commit in history.commits[:MOST_READ]:
        state = f"{shown(folder)} at commit {commit[:12]}"
        past = temporary / commit
        try:
            tree = dict(await past_files(folder, commit))
            write_tree(past, tree)
            entry, own = _entry_of(past, row), replace(inputs, config=load_config(past))
        except _UNUSABLE as error:
            search.add(state, error)
            continue
        if entry:
            del tree[FILE_NAME]
            key = (_facts_of(entry), tree_digest(tree))
            source = ZipSource.HISTORY
            made = LockSource(source=source, name=state, entry=entry, inputs=own, commit=commit)
            found.setdefault(key, made)
    return tuple(found.values())[:MOST_TRIED]


def _entry_of(folder: Path, row: Row) -> Locked | None:
    """Return the lock entry of a row's zip: by its digest, else by upstream's commit."""
    entries = read_lock(folder).of(row.distribution)
    digests = [each.zips.get(row.architecture, "") for each in entries]
    if row.code_sha256 in digests:
        return entries[digests.index(row.code_sha256)]
    same = (row.upstream_repository, row.upstream_ref, row.upstream_commit)
    return next(
        (
            each
            for each, digest in zip(entries, digests, strict=True)
            if not digest and (each.repository, each.ref, each.commit) == same
        ),
        None,
    )


async def _built(found: LockSource, row: Row) -> FoundZip:
    """Build a lock entry, as a locked build does.

    Raises:
        LockError: the configuration is not the one that it was locked with.
        VerifyError: the zip has another SHA-256.
    """
    inputs, entry = found.inputs, found.entry
    upstream = inputs.upstream(entry.repository, entry.ref)
    build = partial(
        rebuilt_layers, entry, (row.architecture,), inputs.config, upstream, inputs.compiler()
    )
    made = (await build(cache=inputs.cache))[row.architecture]
    if made.reused and made.record.sha256 != row.code_sha256:
        made = (await build(cache=None))[row.architecture]
    if made.record.sha256 != row.code_sha256:
        differences = tuple(fact_differences(row, made.record))
        raise _other_zip(row, found.name, made.record.sha256, differences)
    return _found(found, made)


def _found(found: LockSource, made: RebuiltLayer) -> FoundZip:
    return FoundZip(source=found.source, name=found.name, content=made.content, commit=found.commit)


def fact_differences(row: Row, built: Layer) -> Iterator[str]:
    """Yield a line for each fact of a row that a build does not have."""
    pairs = {
        "upstream's commit": (row.upstream_commit, built.upstream.commit),
        "collector": (row.collector_version_input, built.collector_version),
        "version of ocelot": (row.ocelot, built.ocelot),
        "bytes of the zip": (row.zip_size, built.size),
        "bytes of its files": (row.unzipped_size, built.unzipped_size),
    }
    for title, (before, now) in pairs.items():
        if before and before != now:
            yield f"{title}: {before} when it was published, {now} here"


def _file_differences(path: Path, content: bytes, row: Row) -> Iterator[str]:
    """Yield a line for each sign that a file is another layer's."""
    if row.zip_size and row.zip_size != len(content):
        yield f"bytes of the zip: {row.zip_size} when it was published, {len(content)} here"
    parts = zip_parts(path.name)
    if parts and parts != (row.architecture, row.distribution):
        yield f"its name says that it is {parts[1]} for {parts[0]}"


def _other_zip(row: Row, name: str, digest: str, differences: tuple[str, ...]) -> VerifyError:
    return VerifyError(
        f"{name} is not the zip of {row.arn}; nothing was published",
        hint=_GIVE,
        details=(f"published: sha256 {row.code_sha256}", f"here: sha256 {digest}", *differences),
    )
