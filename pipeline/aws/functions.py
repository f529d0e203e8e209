"""Lambda's functions and the layer versions that they use: listed, and moved to other layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws.errors import region_errors

if TYPE_CHECKING:
    from pipeline.aws.layers import RegionClient

LATEST = "$LATEST"
# ListFunctions answers with at most 50 entries if it lists all versions:
# https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
PAGE = 50
# An ARN of a function has seven parts; the eighth is a version or an alias.
_PARTS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionVersion:
    """A version of a function, and its layers.

    Attributes:
        arn: of the function, without a version.
        version: `$LATEST` or the number of a published version, which never changes.
        layers: ARNs of layer versions, in the function's order; also of other publishers.
        revision: AWS' id of the state in which it was read; empty if it is not known.
    """

    arn: str
    version: str
    layers: tuple[str, ...]
    revision: str = ""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.arn.rpartition(":")[2]

    @property
    def is_latest(self) -> bool:
        """True for `$LATEST`, the only version that can be changed."""
        return self.version == LATEST

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionsSeen:
    """The function versions of a region that use layers, as one look found them.

    Attributes:
        requests: number of requests that the look took.
    """

    functions: tuple[FunctionVersion, ...]
    requests: int


class RegionFunctions:
    """Lambda's functions in one region; several threads may use it.

    Its requests go through the region's `RegionClient`, and so count for its pace. Every method
    raises an `AwsError` if AWS refuses, or answers none of the attempts.
    """

    def __init__(self, client: RegionClient) -> None:
        self.region = client.region
        self._client = client.lambda_client

    def using(self, prefix: str) -> FunctionsSeen:
        """Return all versions of all functions with a layer whose ARN begins with a prefix.

        Args:
            prefix: such as `arn:aws:lambda:eu-west-1:123456789012:layer:ocel-`.
        """
        found: list[FunctionVersion] = []
        requests = 0
        with region_errors("list the functions", self.region):
            pages = self._client.get_paginator("list_functions").paginate(
                FunctionVersion="ALL", PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                requests += 1
                found += (function_version(each) for each in page["Functions"])
        using = (each for each in found if any(arn.startswith(prefix) for arn in each.layers))
        return FunctionsSeen(functions=tuple(using), requests=requests)


def function_version(answer: Mapping[str, Any]) -> FunctionVersion:
    """Return the function version of an answer, or of an entry of a list."""
    layers: Sequence[Mapping[str, str]] = answer.get("Layers", ())
    return FunctionVersion(
        arn=":".join(answer["FunctionArn"].split(":")[:_PARTS]),
        version=answer["Version"],
        layers=tuple(each["Arn"] for each in layers),
        revision=answer.get("RevisionId", ""),
    )
