"""What is to be published where, by a user's options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipeline.aws.regions import RegionChoice, chosen_regions
from pipeline.aws.session import PARTITIONS, Aws, configured_region, lambda_regions
from pipeline.config.folder import Config
from pipeline.errors import UsageError, quoted
from pipeline.options import ReleaseGroupOptions
from pipeline.publish.package import RUNTIMES, Naming, Package, read_packages
from pipeline.publish.plan import Target
from pipeline.registry.registry import Registry, registry

NO_TABLE = "none"
# What stands for the region in a bucket's name.
REGION_WORD = "{region}"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class PublishRequest:
    """What is to be published where.

    Attributes:
        packages: the zips; none where they are still to be built.
        partition: of the regions; the identity must be of it.
        regions: where to.
        skipped: regions that are left out, with the reason.
        public: whether every account is to use the layers; None to leave that as it is.
        account: the account that it must be; empty for whichever it is.
        bucket: name of the bucket in each region that takes zips too large for a request, with
            `{region}` in it; empty for none.
        based_on: the distributions that have a base, with its name.
        deadline: seconds that all of it may take.
    """

    packages: tuple[Package, ...]
    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    public: bool | None = None
    account: str = ""
    bucket: str = ""
    based_on: Mapping[str, str] = field(default_factory=dict[str, str])
    deadline: float = 900.0

    def targets(self) -> list[Target]:
        """Each zip in each region."""
        return [Target(region=r, package=p) for r in self.regions for p in self.packages]


def publish_request(
    options: ReleaseGroupOptions, zips: Sequence[Path], config: Config
) -> PublishRequest:
    """Return what is to be published where.

    Args:
        options: the user's.
        zips: and folders of zips; none where they are still to be built.
        config: the regions and distributions.

    Raises:
        UsageError: an option or a zip cannot be used.
    """
    choice = region_choice(config, options.regions or configured_region())
    _check_bucket(options.bucket, choice.regions)
    return PublishRequest(
        packages=packages(options, zips),
        partition=choice.partition,
        regions=choice.regions,
        skipped=choice.skipped,
        public=options.public,
        account=options.account,
        bucket=options.bucket,
        based_on={name: each.base for name, each in config.distributions.items() if each.base},
    )


def packages(options: ReleaseGroupOptions, zips: Sequence[Path]) -> tuple[Package, ...]:
    """Return the zips with all that AWS is told of them.

    Raises:
        UsageError: one of them cannot be published.
    """
    runtimes = tuple(word.strip() for word in options.runtimes.split(",") if word.strip())
    naming = Naming(
        base=options.layer_name,
        release_group=options.release_group,
        runtimes=runtimes or RUNTIMES,
    )
    return read_packages(zips, naming, by_bucket=bool(options.bucket))


def opened_registry(options: ReleaseGroupOptions, aws: Aws) -> Registry | None:
    """Return the registry; None where there is to be none.

    Raises:
        UsageError: its region is none.
    """
    if options.table == NO_TABLE:
        return None
    return registry(aws, options.table, options.table_region)


def region_choice(config: Config, regions: str) -> RegionChoice:
    """Return the regions that a user's words mean today.

    Raises:
        UsageError: they mean none, all of them are in quarantine, or they are of two partitions.
    """
    known = {partition: lambda_regions(partition) for partition in PARTITIONS}
    today = datetime.now(tz=UTC).date()
    choice = chosen_regions(config.regions, regions, known=known, today=today)
    if not choice.regions:
        reasons = tuple(f"{region}: {reason}" for region, reason in choice.skipped)
        raise UsageError(
            "there is no region left to work in", hint="name others: --regions", details=reasons
        )
    return choice


def _check_bucket(bucket: str, regions: Sequence[str]) -> None:
    if not bucket:
        return
    if len(regions) > 1 and REGION_WORD not in bucket:
        raise UsageError(
            f"the bucket {quoted(bucket)} is in one region, and there are {len(regions)}",
            hint="name one in each region, such as --bucket 'NAME-{region}'",
        )
    for region in regions:
        if not _BUCKET.fullmatch(bucket.replace(REGION_WORD, region)):
            raise UsageError(
                f"{quoted(bucket)} makes no bucket's name for {region}",
                hint="3 to 63 small letters, digits, dots and hyphens, and {region}",
            )
