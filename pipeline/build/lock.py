"""`config/ocelot.lock`: all that each distribution is made from, so that it can be built again.

An entry belongs to a distribution, an upstream repository and a ref. It has all that the zips'
bytes depend on, and the zips' digests once they were built. A build that finds its entry keeps to
it; a difference is reported with both values.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self, cast

import tomli_w
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from pipeline import progress
from pipeline.build.upstream import Resolved
from pipeline.errors import LockError, OutputError
from pipeline.files import LARGEST_RECORD, folder_lock, read_regular, write_atomic
from pipeline.naming import Architecture
from pipeline.record import Record, field_problems

FILE_NAME = "ocelot.lock"
HEADING = "# Written by `ocelot lock`; commit it beside the configuration.\n"

# Modules and sums are checked before they reach an argument or a file of Go's.
_MODULE = r"^(go@|toolchain@go|[A-Za-z0-9][A-Za-z0-9._~/-]*@v)[0-9][0-9A-Za-z.+-]*\Z"
_SUM = r"^[A-Za-z0-9][A-Za-z0-9._~/-]* v[0-9A-Za-z.+-]+(/go\.mod)? h1:[A-Za-z0-9+/]{43}=\Z"
Module = Annotated[str, Field(pattern=_MODULE)]
Sum = Annotated[str, Field(pattern=_SUM)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\Z")]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class _LockRecord(Record):
    model_config = ConfigDict(
        regex_engine="python-re", alias_generator=_dashed, populate_by_name=True
    )


class Facts(_LockRecord):
    """All that a distribution is made from; plan, lock, manifest and provenance are made of it.

    Attributes:
        repository: upstream, as the user typed it.
        ref: upstream's, as the user typed it.
        commit: full SHA; for a plain folder the SHA-1 of its content.
        collector: the collector's version, such as v0.158.0.
        source_date_epoch: timestamp of the layer's files, seconds since 1970.
        build_tags: those of the components; empty for upstream's default set.
        custom_modules: modules that custom components add, as module@version.
        overlay: SHA-256 over the files that are laid over upstream's; empty for none.
        config_file: SHA-256 of the distribution's own collector config; empty for upstream's.
        go: version of Go.
        image: the golang image of builds in containers, by digest; empty where config names none.
        tunings: names of those applied, each with the SHA-256 over its build tags and over what it
            makes of its files.
    """

    distribution: str
    repository: str
    ref: str
    commit: str = Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")
    collector: str
    source_date_epoch: int = Field(ge=0)
    build_tags: tuple[str, ...]
    custom_modules: tuple[str, ...]
    overlay: str
    config_file: str
    go: str
    image: str
    packer: str
    tunings: tuple[str, ...]


class Locked(Facts):
    """The facts of one distribution of one upstream, and what Go and a build made of them.

    Attributes:
        go_mod: requirements that the custom modules add to upstream's go.mod, module@version.
        go_sum: lines that they add to its go.sum.
        zips: SHA-256 of each zip by architecture, once it was built.
    """

    go_mod: tuple[Module, ...] = ()
    go_sum: tuple[Sum, ...] = ()
    zips: dict[Architecture, Sha256] = Field(default_factory=dict[Architecture, Sha256])

    @field_validator("zips")
    @classmethod
    def _in_order(cls, value: dict[Architecture, Sha256]) -> dict[Architecture, Sha256]:
        return dict(sorted(value.items()))

    @property
    def key(self) -> tuple[str, str, str]:
        """Distribution, repository and ref: the key of the entry."""
        return (self.distribution, self.repository, self.ref)


class Lock(_LockRecord):
    """The whole file, sorted by the entries' keys."""

    version: Literal[1] = 1
    locked: tuple[Locked, ...] = ()

    @model_validator(mode="after")
    def _one_entry_each(self) -> Self:
        counted = Counter(each.key for each in self.locked)
        if twice := [key for key, count in counted.items() if count > 1]:
            raise ValueError(f"there are two entries for {' '.join(min(twice))}")
        return self

    def find(self, distribution: str, repository: str, ref: str) -> Locked | None:
        """Return the entry of a distribution at an upstream's ref."""
        key = (distribution, repository, ref)
        return next((each for each in self.locked if each.key == key), None)

    def of(self, distribution: str) -> tuple[Locked, ...]:
        """Return the entries of a distribution, of all upstreams."""
        return tuple(each for each in self.locked if each.distribution == distribution)

    def with_entries(self, *entries: Locked) -> Lock:
        """Return the lock with these entries instead of those with the same key."""
        by_key = {each.key: each for each in (*self.locked, *entries)}
        return Lock(locked=tuple(by_key[key] for key in sorted(by_key)))

    def text(self) -> str:
        """Return the lock as TOML that diffs well: one value a line, in a fixed order."""
        entries = self.with_entries().model_dump(mode="json", by_alias=True)["locked"]
        return HEADING + tomli_w.dumps({"version": self.version, "locked": entries})


def read_lock(folder: Path) -> Lock:
    """Return the lock of a config folder; an empty one where there is none.

    Raises:
        LockError: it cannot be read.
    """
    path = folder / FILE_NAME
    try:
        return parse_lock(read_regular(path, LARGEST_RECORD).decode())
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = field_problems(error)
        raise _unreadable(path, "is not of the form expected", *problems) from None
    except (ValueError, RecursionError) as error:  # TOML's and Unicode's
        raise _unreadable(path, f"is not TOML: {error}") from None


def parse_lock(text: str) -> Lock:
    """Return the lock of a text.

    Raises:
        ValueError: it is no TOML, or not of the form expected (pydantic's ValidationError).
    """
    return Lock.model_validate(tomllib.loads(text))


def _unreadable(path: Path, reason: str, *problems: str) -> LockError:
    return LockError(
        f"{path} {reason}",
        hint="take the last good one from version control, or delete it and run ocelot lock",
        details=problems,
    )


def write_entries(
    folder: Path, *entries: Locked, distributions: Collection[str] | None = None
) -> Lock:
    """Put entries into a config folder's lock; commands that do so at once take turns.

    Args:
        folder: the config folder.
        entries: they replace those with the same key.
        distributions: entries of other distributions are removed; None to keep all.
    """
    with folder_lock(folder):
        old = read_lock(folder)
        new = old.with_entries(*entries)
        if distributions is not None:
            kept = tuple(each for each in new.locked if each.distribution in distributions)
            new = Lock(locked=kept)
        if new != old:
            write_atomic(folder / FILE_NAME, new.text().encode())
    return new


def record_zips(folder: Path, entry: Locked, zips: dict[Architecture, str]) -> None:
    """Note the digests of an entry's zips, where the lock still has that entry without them.

    A lock that cannot be written is no error: the zips are built. It is reported as a note.
    """
    if zips.items() <= entry.zips.items():
        return
    try:
        with folder_lock(folder):
            _record_zips(folder, entry, zips)
    except OutputError as error:
        progress.note(f"the zips' digests are not in the lock: {error}")


def _record_zips(folder: Path, entry: Locked, zips: dict[Architecture, str]) -> None:
    lock = read_lock(folder)
    present = lock.find(*entry.key)
    if present is None or present.model_copy(update={"zips": entry.zips}) != entry:
        return
    known = dict(sorted({**zips, **present.zips}.items()))
    if known != present.zips:
        lock = lock.with_entries(present.model_copy(update={"zips": known}))
        write_atomic(folder / FILE_NAME, lock.text().encode())


def commit_to_build(locked: Locked | None, now: Resolved) -> tuple[str, str]:
    """Return the commit to build, and a note for the user, which may be empty.

    A branch may move on; a tag or a commit that is not the one locked is an error.

    Args:
        locked: the lock's entry, if it has one.
        now: the commit that the ref means now.

    Raises:
        LockError: a tag means another commit than it did, or the lock another than its ref.
    """
    if locked is None or now.commit == locked.commit or now.kind == "folder":
        return now.commit, ""
    if now.kind == "tag":
        raise LockError(
            f"the tag {locked.ref} of {locked.repository} was moved after it was locked",
            hint="find out why; if the new commit is what you want: ocelot lock --upgrade "
            f"-d {locked.distribution}",
            details=(f"locked: {locked.commit}", f"now:    {now.commit}"),
        )
    if now.kind == "commit":
        raise LockError(
            f"{locked.ref} of {locked.repository} is not the commit that was locked",
            hint="the lock was changed by hand, or the bundle; take the last good one, or: "
            f"ocelot lock --upgrade -d {locked.distribution}",
            details=(f"locked: {locked.commit}", f"now:    {now.commit}"),
        )
    note = f"{locked.ref} has moved on to {now.commit[:12]}; the lock keeps to"
    return locked.commit, f"{note} {locked.commit[:12]} (ocelot lock --upgrade follows)"


def lock_differences(locked: Locked, now: Facts) -> tuple[str, ...]:
    """Return a line with both values for each difference from a lock's entry."""
    found: list[str] = []
    if locked.commit != now.commit:
        found.append(f"upstream: locked at {locked.commit}, here {now.commit}")
    for name, title in _TITLES.items():
        before, here = getattr(locked, name), getattr(now, name)
        if before != here:
            found.append(f"{title}: {_contrast(before, here)}")
    return tuple(found)


_TITLES = {
    "source_date_epoch": "time of the files",
    "build_tags": "build tags",
    "custom_modules": "custom modules",
    "overlay": "files laid over upstream's",
    "config_file": "collector config",
    "go": "Go",
    "image": "golang image",
    "packer": "packer",
    "tunings": "tunings",
}


def _contrast(before: object, here: object) -> str:
    if not isinstance(before, tuple) or not isinstance(here, tuple):
        return f"locked {before or 'none'}, here {here or 'none'}"
    old, new = cast("tuple[str, ...]", before), cast("tuple[str, ...]", here)
    gone = [f"locked but not here: {each}" for each in old if each not in new]
    added = [f"here but not locked: {each}" for each in new if each not in old]
    return "; ".join([*gone, *added]) or "in another order"
