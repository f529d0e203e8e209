"""References to layer versions outside of AWS: in ocelot.lock, files and releases on GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.reap.request import Reason


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
