"""References to layer versions outside of AWS: in ocelot.lock, files and releases on GitHub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.build.lock import FILE_NAME, Lock, read_lock
from pipeline.errors import UsageError
from pipeline.files import LARGEST_RECORD, read_file
from pipeline.naming import named_arns
from pipeline.reap.request import Reason

# Returns ARNs of layer versions by the tag of the release on GitHub that names them.
ReleasedLayers = Callable[[], Awaitable[Mapping[str, Collection[str]]]]
NO_REPOSITORY = "releases on GitHub were not looked at: name a repository with --repository"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepReason:
    """A reason to keep one layer version.

    Attributes:
        text: what exactly, in a few words, such as `function checkout:7`.
    """

    reason: Reason
    text: str


@dataclass(frozen=True, kw_only=True)
class References:
    """The layer versions that are named outside of AWS.

    Attributes:
        by_arn: reasons by the ARN of a layer version: of files and releases.
        by_sha256: reasons by the SHA-256 of a zip, in hex: of the lock.
        notes: for the user: what was not looked at.
    """

    by_arn: Mapping[str, tuple[KeepReason, ...]] = field(
        default_factory=dict[str, tuple[KeepReason, ...]]
    )
    by_sha256: Mapping[str, tuple[KeepReason, ...]] = field(
        default_factory=dict[str, tuple[KeepReason, ...]]
    )
    notes: tuple[str, ...] = ()


async def gathered_references(
    config: Path, files: Sequence[Path], released: ReleasedLayers | None
) -> References:
    """Return the layer versions that the lock, files and releases on GitHub name.

    Args:
        config: folder of ocelot.lock.
        files: of any form, with ARNs of layer versions in them.
        released: reads the releases; None for none.

    Raises:
        LockError: ocelot.lock cannot be read.
        UsageError: a file cannot be read, or has no ARN of a layer version.
        GitHubError: GitHub refuses, or does not answer.
    """
    lock = read_lock(config)
    named = [*_named_by_files(files)]
    if released:
        for tag, arns in (await released()).items():
            reason = KeepReason(reason=Reason.RELEASE, text=f"release {tag}")
            named += ((arn, reason) for arn in arns)
    return References(
        by_arn=_by_name(named),
        by_sha256=_by_name(_locked(lock)),
        notes=tuple(filter(None, (_lock_note(lock), "" if released else NO_REPOSITORY))),
    )


def _named_by_files(files: Iterable[Path]) -> Iterable[tuple[str, KeepReason]]:
    hint = "give --keep-file a text with ARNs, such as layers.json or publish.json"
    for path in files:
        arns = named_arns(read_file(path, hint, LARGEST_RECORD).decode(errors="replace"))
        if not arns:
            raise UsageError(f"{path} has no ARN of a layer version", hint=hint)
        reason = KeepReason(reason=Reason.FILE, text=f"file {path}")
        yield from ((arn, reason) for arn in arns)


def _locked(lock: Lock) -> Iterable[tuple[str, KeepReason]]:
    """Yield the SHA-256 of each zip in the lock, and its entry."""
    for entry in lock.locked:
        for architecture, sha256 in entry.zips.items():
            text = f"{FILE_NAME}: {entry.distribution} {architecture} of {entry.ref}"
            yield sha256, KeepReason(reason=Reason.LOCK, text=text)


def _lock_note(lock: Lock) -> str:
    """Return a note on entries of the lock that keep no layer version; empty for none."""
    unknown = sorted({each.distribution for each in lock.locked if not each.zips})
    if not lock.locked:
        return f"there is no {FILE_NAME}, or it locks nothing"
    if unknown:
        return f"{FILE_NAME} has no digests of zips yet of {', '.join(unknown)}"
    return ""


def _by_name(named: Iterable[tuple[str, KeepReason]]) -> dict[str, tuple[KeepReason, ...]]:
    """Return the reasons of each name, each once."""
    found: defaultdict[str, dict[KeepReason, None]] = defaultdict(dict)
    for name, reason in named:
        found[name][reason] = None
    return {name: tuple(reasons) for name, reasons in found.items()}
