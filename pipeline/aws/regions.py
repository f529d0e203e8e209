"""Decide in which regions a command works."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pipeline.aws.session import configured_region, lambda_regions
from pipeline.config.entries import suggestion
from pipeline.config.regions import ALL_REGIONS, REGIONS, Quarantine, Regions
from pipeline.errors import UsageError, quoted
from pipeline.naming import PARTITIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionChoice:
    """The regions in which a command works.

    Attributes:
        partition: of all of them, such as `aws`; each partition has its own credentials.
        regions: in the order in which they were requested.
        skipped: regions in quarantine, each with the reason.
    """

    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def region_choice(regions: Regions | None, requested: str | None) -> RegionChoice:
    """Return the regions that the option `--regions` names today, by botocore's list of regions.

    Args:
        regions: regions.yaml; None if there is none.
        requested: see `chosen_regions`; None for the configured region.

    Raises:
        UsageError: see `chosen_regions`; or all of them are in quarantine.
    """
    if requested is None:
        requested = configured_region()
    known = {partition: lambda_regions(partition) for partition in PARTITIONS}
    choice = chosen_regions(regions, requested, known=known, today=datetime.now(tz=UTC).date())
    if not choice.regions:
        reasons = tuple(f"{region}: {reason}" for region, reason in choice.skipped)
        raise UsageError(
            "every requested region is in quarantine",
            hint="request others: --regions",
            details=reasons,
        )
    return choice


def chosen_regions(
    regions: Regions | None, requested: str, *, known: Mapping[str, Sequence[str]], today: date
) -> RegionChoice:
    """Return the regions that the option `--regions` names.

    Args:
        regions: regions.yaml; None if there is none.
        requested: sets, `all` and its like for other partitions, or regions, separated by commas.
        known: the regions that have AWS Lambda, by partition.
        today: in UTC; a quarantine includes its last day.

    Returns:
        The choice; it has no regions if all of them are in quarantine.

    Raises:
        UsageError: a name is unknown, or the regions are of more than one partition.
    """
    partitions = {region: partition for partition, names in known.items() for region in names}
    names = tuple(name.strip() for name in requested.split(",") if name.strip())
    if not names:
        raise UsageError("no region is named", hint="such as --regions eu-west-1,eu-central-1")
    sets = {
        **(regions.sets if regions else {}),
        **{name: tuple(known.get(partition, ())) for name, partition in ALL_REGIONS.items()},
    }
    expanded = (_expanded(name, sets, partitions, has_file=regions is not None) for name in names)
    chosen = tuple(dict.fromkeys(region for each in expanded for region in each))
    partition = _one_partition(chosen, partitions)
    skipped = dict(_quarantined(regions.quarantine if regions else (), partitions, today))
    return RegionChoice(
        partition=partition,
        regions=tuple(region for region in chosen if region not in skipped),
        skipped=tuple((region, skipped[region]) for region in chosen if region in skipped),
    )


def _expanded(
    name: str, sets: Mapping[str, Sequence[str]], partitions: Mapping[str, str], *, has_file: bool
) -> Sequence[str]:
    """Return the regions of one name: a region or a set of regions."""
    if name in partitions:
        return (name,)
    if name not in sets:
        without = f"there is no {REGIONS} in the config folder: name regions, or "
        if words := re.findall(r"[^\s;]+", name)[1:]:
            raise UsageError(
                f"{quoted(name)} is no region", hint=f"separate regions by commas: …,{words[0]}"
            )
        raise UsageError(
            f"{quoted(name)} is neither a region with AWS Lambda nor a set of regions"
            f"{suggestion(name.lower(), (*sets, *partitions))}",
            hint=f"{'sets: ' if has_file else without}{', '.join(sets)}",
        )
    for region in sets[name]:
        if region not in partitions:
            raise UsageError(
                f"{REGIONS}: {name}: {region} is no region with AWS Lambda"
                f"{suggestion(region, partitions)}",
                hint=f"fix the set {name} in {REGIONS}",
            )
    return sets[name]


def _one_partition(regions: Sequence[str], partitions: Mapping[str, str]) -> str:
    """Return the partition of all regions."""
    found = tuple(dict.fromkeys(partitions[region] for region in regions))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError("that partition has no known region with AWS Lambda", hint="name regions")
    first = {partitions[region]: region for region in reversed(regions)}
    examples = " and ".join(f"{first[partition]} ({partition})" for partition in found)
    raise UsageError(
        f"these regions are of {len(found)} partitions: {examples}",
        hint="each partition has its own accounts and credentials: run the command once for each",
    )


def _quarantined(
    quarantine: Sequence[Quarantine], partitions: Mapping[str, str], today: date
) -> Iterator[tuple[str, str]]:
    """Yield the regions that are in quarantine today, each with the reason."""
    for each in quarantine:
        if not each.is_active(today):
            continue
        if each.region not in partitions:
            raise UsageError(
                f"{REGIONS}: quarantine: {each.region} is no region with AWS Lambda"
                f"{suggestion(each.region, partitions)}",
                hint=f"fix the quarantine in {REGIONS}",
            )
        yield each.region, f"in quarantine until {each.until}: {each.reason}"
