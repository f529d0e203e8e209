"""What a user asks for by options, the same on the command line and in Dagger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline import defaults
from pipeline.config import Config
from pipeline.errors import UsageError, quoted
from pipeline.publish.aws.registry import registry
from pipeline.publish.aws.session import PARTITIONS, Aws, configured_region, lambda_regions
from pipeline.publish.package import RUNTIMES, Naming, Package, read_packages
from pipeline.publish.recording import Records
from pipeline.publish.regions import RegionChoice, chosen_regions
from pipeline.publish.run import REGION_WORD, PublishRequested

NO_TABLE = "none"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class PublishAsked:
    """The options of `publish` and `release`, in a user's words.

    Attributes:
        naming: how the layers are to be called.
        regions: sets, `all`, or regions, with commas between them; empty for the configured one.
        public: None to leave it as it is.
        account: empty for whichever it is.
        bucket: with `{region}` in it; empty for none.
        table: the registry's; `none` for none.
        table_region: empty for the one of the environment.
    """

    naming: Naming
    regions: str
    public: bool | None = None
    account: str = ""
    bucket: str = ""
    table: str = defaults.TABLE
    table_region: str = ""

    def requested(self, zips: Sequence[Path], config: Config) -> PublishRequested:
        """What is to be published where.

        Raises:
            UsageError: an option or a zip cannot be used.
        """
        choice = region_choice(config, self.regions or configured_region())
        _check_bucket(self.bucket, choice.regions)
        return PublishRequested(
            packages=self.packages(zips),
            partition=choice.partition,
            regions=choice.regions,
            skipped=choice.skipped,
            public=self.public,
            account=self.account,
            bucket=self.bucket,
        )

    def packages(self, zips: Sequence[Path]) -> tuple[Package, ...]:
        """The zips, as AWS is to be told of them.

        Raises:
            UsageError: one of them cannot be published.
        """
        return read_packages(zips, self.naming, by_bucket=bool(self.bucket))

    def records(self, aws: Aws, config: Config) -> Records | None:
        """The registry; None where there is to be none.

        Raises:
            UsageError: its region is none.
        """
        if self.table == NO_TABLE:
            return None
        return Records(registry(aws, self.table, self.table_region), config)


def naming(layer_name: str, release_group: str, runtimes: str) -> Naming:
    """How layers are to be called, and what they are for.

    Args:
        layer_name: what their names begin with.
        release_group: what they end with.
        runtimes: Lambda runtimes, with commas between them; empty for all current ones.
    """
    named = tuple(word.strip() for word in runtimes.split(",") if word.strip())
    return Naming(base=layer_name, release_group=release_group, runtimes=named or RUNTIMES)


def region_choice(config: Config, regions: str) -> RegionChoice:
    """The regions that a user's words mean, today.

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
