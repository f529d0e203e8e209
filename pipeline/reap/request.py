"""The request to delete old layer versions, made of the user's options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from pipeline.aws.regions import RegionChoice, region_choice
from pipeline.config.entries import suggestion
from pipeline.config.folder import Config
from pipeline.errors import UsageError, quoted
from pipeline.naming import LayerNameParts, account_id
from pipeline.parameters.names import parameter_prefix
from pipeline.reap_options import ReapOptions


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

_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
# Signs of a layer's name, and those of a glob.
_GLOB = re.compile(r"[A-Za-z0-9_*?\[\]!-]+")


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

    def selects(self, name: str, parts: LayerNameParts) -> bool:
        """Return True if versions of a layer of that name may be deleted."""
        return fnmatchcase(name, self.pattern) and self._is_of_series(parts)

    def reads(self, name: str, parts: LayerNameParts) -> bool:
        """Return True if the decision needs the versions of a layer of that name."""
        return self._is_of_series(parts) if self.across_versions else self.selects(name, parts)

    def _is_of_series(self, parts: LayerNameParts) -> bool:
        return (not self.distributions or parts.distribution in self.distributions) and (
            self.release_group in ("", parts.release_group)
        )


def reap_request(pattern: str, options: ReapOptions, config: Config, now: datetime) -> ReapRequest:
    """Return the request of the user's options.

    Args:
        pattern: glob of layer names.
        options: the user's.
        config: its regions.yaml names sets of regions.
        now: the time, in UTC.

    Raises:
        UsageError: the pattern can match no layer of the publisher's, or an option is not valid.
    """
    check_pattern(pattern, options.layer_name)
    return ReapRequest(
        pattern=pattern,
        base=options.layer_name,
        choice=region_choice(config.regions, options.regions),
        account=account_id(options.account),
        distributions=frozenset(options.distribution or ()),
        release_group=options.release_group or "",
        older_than=age_limit(options.older_than) if options.older_than else None,
        keep=options.keep,
        across_versions=options.across_versions,
        forced=forced_reasons(options.force or ()),
        ssm_prefix=parameter_prefix(options.ssm_prefix) if options.ssm_prefix else None,
        now=now,
    )


def check_pattern(pattern: str, base: str) -> None:
    """Check that a glob can match layers whose names begin with a base and a hyphen.

    Raises:
        UsageError: it cannot.
    """
    begin = f"{base}-"
    plain = re.split(r"[*?\[]", pattern)[0]
    is_glob = plain != pattern
    if not _GLOB.fullmatch(pattern):
        problem = "it has signs that no layer's name has"
    elif not (plain.startswith(begin) or (is_glob and begin.startswith(plain))):
        problem = f"the names of these layers begin with {quoted(begin)}"
    else:
        return
    raise UsageError(
        f"the pattern {quoted(pattern)} can match no layer: {problem}",
        hint=f"give a glob of whole layer names, such as '{begin}*-beta', in quotation marks; "
        "layers whose names begin otherwise: --layer-name",
    )


def age_limit(text: str) -> timedelta:
    """Return the time of a text such as `90d`.

    Raises:
        UsageError: it is no number of hours, days or weeks.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no age",
            hint="give --older-than a number of hours, days or weeks: 36h, 90d, 12w",
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def forced_reasons(names: Iterable[str]) -> frozenset[Reason]:
    """Return the reasons to keep a layer version that `--force` overrides.

    Raises:
        UsageError: there is no such reason, or it cannot be overridden.
    """
    return frozenset(_forced(name) for name in names)


def _forced(name: str) -> Reason:
    if name in FORCEABLE:
        return Reason(name)
    if name in (Reason.COUNT, Reason.AGE):
        raise UsageError(
            f"--force {name} is not possible: the limit is your own",
            hint=f"change or leave out --{name}",
        )
    if name == Reason.UNREADABLE:
        raise UsageError(
            "a layer version whose row cannot be read is never deleted",
            hint="repair or delete the row; ocelot layers sync --dry-run --json lists such rows",
        )
    raise UsageError(
        f"{quoted(name)} is no reason to keep a layer version{suggestion(name.lower(), FORCEABLE)}",
        hint=f"reasons: {', '.join(FORCEABLE)}",
    )
