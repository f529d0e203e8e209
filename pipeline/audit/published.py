"""The claim of a layer version in AWS. A file of its own: importing boto3 takes half a second."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from pipeline.audit.verify import Claim
from pipeline.aws.download import download_layer, published_layer
from pipeline.aws.session import default_aws
from pipeline.errors import UsageError
from pipeline.naming import architecture_and_distribution, layer_arn


def arn_claim(target: str, distributions: Collection[str]) -> Claim:
    """Return the claim that a layer version's name makes.

    Raises:
        UsageError: the ARN is not valid, or its layer has another name than ocelot's layers.
        AwsError: AWS does not answer, or has no such layer version.
    """
    arn = layer_arn(target)
    parts = architecture_and_distribution(arn.name, distributions)
    if parts is None:
        raise UsageError(
            f"{arn.name} does not contain an architecture and a distribution",
            hint="a layer is called <base>-<architecture>-<distribution>-<version>-<release group>",
        )
    published = published_layer(default_aws(), arn)
    return Claim(
        name=str(arn),
        architecture=parts[0],
        distribution=parts[1],
        sha256=published.sha256,
        content=partial(download_layer, published),
    )
