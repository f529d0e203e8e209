"""The request to delete old layer versions, made of the user's options."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.aws.regions import RegionChoice


class Reason(StrEnum):
    """A reason to keep a layer version."""

    NEWEST = "newest"
    USED = "used"
    LOCK = "lock"
    PARAMETER = "parameter"
    RELEASE = "release"
    FILE = "file"
    COUNT = "keep"
    AGE = "older-than"
    UNREADABLE = "unreadable"


# The reasons that --force can override; the user's own --keep and --older-than are changed instead.
FORCEABLE = (
    *(Reason.NEWEST, Reason.USED, Reason.LOCK),
    *(Reason.PARAMETER, Reason.RELEASE, Reason.FILE),
)


@dataclass(frozen=True, kw_only=True)
class ReapRequest:
    """The layer versions that may be deleted.

    Attributes:
        pattern: glob of layer names, such as `ocel-*-beta`.
        base: beginning of the publisher's layer names; others are never deleted.
        choice: the regions.
        account: the account that it must be; None for any.
        distributions: only layers of these; empty for all.
        release_group: only layers of this one; empty for all.
        older_than: younger layer versions are kept; None for no such limit.
        keep: number of the newest versions of each layer that are kept.
        across_versions: whether the layers of all collector versions are counted together.
        forced: the reasons that are overridden.
        ssm_prefix: of the parameters that name layers; None for no parameters.
        now: the time, in UTC.
    """

    pattern: str
    base: str
    choice: RegionChoice
    account: str | None
    distributions: frozenset[str]
    release_group: str
    older_than: timedelta | None
    keep: int
    across_versions: bool
    forced: frozenset[Reason]
    ssm_prefix: str | None
    now: datetime
