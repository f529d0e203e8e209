"""Decide in which regions layers are published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.config.entries import suggestion
from pipeline.config.regions import ALL_REGIONS, REGIONS, Quarantine, Regions
from pipeline.errors import UsageError, quoted


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionChoice:
    """The regions that were asked for.

    Attributes:
        partition: the one they all are in, such as `aws`; each has credentials of its own.
        regions: where to publish, in the order in which they were asked for.
        skipped: those in quarantine, with the reason.
    """

    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def chosen_regions(
    regions: Regions | None, asked: str, *, known: Mapping[str, Sequence[str]], today: date
) -> RegionChoice:
    """The regions that a user's words mean.

    Args:
        regions: regions.yaml; None where there is none.
        asked: names of sets, `all`, `all-cn`, `all-us-gov` or regions, with commas between them.
        known: the regions that have AWS Lambda, by partition.
        today: in UTC; a quarantine counts up to and with its last day.

    Returns:
        The choice; its regions are empty where all of them are in quarantine.

    Raises:
        UsageError: a word means nothing, or the regions are of more than one partition.
    """
    home = {region: partition for partition, names in known.items() for region in names}
    words = tuple(word.strip() for word in asked.split(",") if word.strip())
    if not words:
        raise UsageError("no region is named", hint="such as --regions eu-west-1,eu-central-1")
    sets = {
        **(regions.sets if regions else {}),
        **{word: tuple(known.get(partition, ())) for word, partition in ALL_REGIONS.items()},
    }
    named = (_regions_of(word, sets, home, has_file=regions is not None) for word in words)
    meant = tuple(dict.fromkeys(region for names in named for region in names))
    partition = _one_partition(meant, home)
    skipped = dict(_left_out(regions.quarantine if regions else (), home, today))
    return RegionChoice(
        partition=partition,
        regions=tuple(region for region in meant if region not in skipped),
        skipped=tuple((region, skipped[region]) for region in meant if region in skipped),
    )


def _regions_of(
    word: str, sets: Mapping[str, Sequence[str]], home: Mapping[str, str], *, has_file: bool
) -> Sequence[str]:
    """What one word means."""
    if word in home:
        return (word,)
    if word not in sets:
        without = f"there is no {REGIONS} in the config folder: name regions, or "
        raise UsageError(
            f"{quoted(word)} is no region with AWS Lambda and no set of regions"
            f"{suggestion(word.lower(), (*sets, *home))}",
            hint=f"{'sets: ' if has_file else without}{', '.join(sets)}",
        )
    for region in sets[word]:
        if region not in home:
            raise UsageError(
                f"{REGIONS}: {word}: AWS Lambda is in no region {region}{suggestion(region, home)}",
                hint=f"fix the set {word} in {REGIONS}",
            )
    return sets[word]


def _one_partition(meant: Sequence[str], home: Mapping[str, str]) -> str:
    partitions = tuple(dict.fromkeys(home[region] for region in meant))
    if len(partitions) == 1:
        return partitions[0]
    if not partitions:
        raise UsageError("no region with AWS Lambda is known there", hint="name the regions")
    first = {home[region]: region for region in reversed(meant)}
    told = " and ".join(f"{first[partition]} ({partition})" for partition in partitions)
    raise UsageError(
        f"these regions are of {len(partitions)} partitions: {told}",
        hint="each partition has accounts and credentials of its own: publish once for each",
    )


def _left_out(
    quarantine: Sequence[Quarantine], home: Mapping[str, str], today: date
) -> Iterator[tuple[str, str]]:
    """The regions that are in quarantine today, with what is told of it."""
    for each in quarantine:
        if not each.is_active(today):
            continue
        if each.region not in home:
            raise UsageError(
                f"{REGIONS}: quarantine: AWS Lambda is in no region {each.region}"
                f"{suggestion(each.region, home)}",
                hint=f"fix the quarantine in {REGIONS}",
            )
        yield each.region, f"in quarantine until {each.until}: {each.reason}"
