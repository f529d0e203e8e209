"""The regions that work is done in: who we are there, and how each is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import anyio

from pipeline.errors import AwsError, UsageError
from pipeline.publish.aws.asking import Asker, in_thread
from pipeline.publish.aws.bucket import RegionBucket
from pipeline.publish.aws.layers import RegionLayers
from pipeline.publish.aws.session import Aws, Identity, first_identity
from pipeline.publish.concurrency import all_of
from pipeline.publish.observe import Place

# Requests under way at once in a region; each has a thread.
REGION_REQUESTS = 8


async def identified(aws: Aws, regions: Sequence[str], partition: str, account: str) -> Identity:
    """Who we are, which must be somebody of a partition and an account.

    Args:
        aws: who asks.
        regions: of which the first that answers is asked; one at least.
        partition: of the regions.
        account: the account that it must be; empty for whichever it is.

    Raises:
        AwsError: no credentials, or another account.
        UsageError: the identity is of another partition.
    """
    who = await first_identity(aws, regions)
    if account and who.account != account:
        raise AwsError(
            f"the credentials are of account {who.account}, not of {account}",
            hint="take those of the account that --account names",
        )
    if who.partition != partition:
        raise UsageError(
            f"the credentials are of partition {who.partition}, the regions of {partition}",
            hint="each partition has credentials of its own: run the command once for each",
        )
    return who


async def opened_places(
    regions: Sequence[str], aws: Aws, bucket: Callable[[str], RegionBucket] | None = None
) -> dict[str, Place]:
    """The regions' clients; making one takes a while, in which others can go on.

    Args:
        regions: which.
        aws: who asks.
        bucket: makes a region's, where one is wanted.
    """

    async def made(region: str) -> Place:
        threads = anyio.CapacityLimiter(REGION_REQUESTS)
        return Place(
            layers=await in_thread(partial(RegionLayers, aws, region)),
            asker=Asker(region=region, threads=threads, renew=aws.renew),
            bucket=await in_thread(partial(bucket, region)) if bucket else None,
        )

    return dict(zip(regions, await all_of(regions, made), strict=True))
