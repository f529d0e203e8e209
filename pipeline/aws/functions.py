"""Lambda's functions and the layer versions that they use: listed, and moved to other layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import progress
from pipeline.aws.errors import BOTO_ERRORS, error_code, error_text, region_error, region_errors
from pipeline.errors import AwsError

if TYPE_CHECKING:
    from pipeline.aws.layers import RegionClient

LATEST = "$LATEST"
# ListFunctions answers with at most 50 entries if it lists all versions:
# https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
PAGE = 50
# An ARN of a function has seven parts; the eighth is a version or an alias.
_PARTS = 7
# AWS' codes for a function that has another revision, or of which an update is in progress.
_CHANGED = ("PreconditionFailedException", "ResourceConflictException")
_INVALID = ("InvalidParameterValueException", "CodeStorageExceededException")
_AGAIN = "wait until nothing else changes the function, then run the same command again"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionAlias:
    """A name for a version of a function.

    Attributes:
        version: the version that it points to.
        weights: versions that get a part of its traffic, with their shares, 0 to 1.
    """

    name: str
    version: str
    weights: tuple[tuple[str, float], ...] = ()

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that it points to."""
        return self.version, *(version for version, _ in self.weights)


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionState:
    """`$LATEST` of a function, and the state of its last update.

    Attributes:
        updating: True while an update is in progress; no other is accepted until it ends.
        failure: why the last update failed; empty if it did not.
    """

    latest: FunctionVersion
    updating: bool = False
    failure: str = ""


class FunctionChangedError(AwsError):
    """Error for a function that changed since it was read, or is being changed."""


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

        The region is the lane of progress.

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
                progress.line(self.region, f"{len(found)} function versions")
        using = (each for each in found if any(arn.startswith(prefix) for arn in each.layers))
        return FunctionsSeen(functions=tuple(using), requests=requests)

    def aliases(self, arn: str) -> tuple[FunctionAlias, ...]:
        """Return the aliases of a function; none if there is no such function."""
        with region_errors(f"list the aliases of {_name(arn)}", self.region):
            pages = self._client.get_paginator("list_aliases").paginate(FunctionName=arn)
            try:
                return tuple(_alias(each) for page in pages for each in page["Aliases"])
            except self._client.exceptions.ResourceNotFoundException:
                return ()

    def state(self, arn: str) -> FunctionState | None:
        """Return the state of a function; None if there is no such function."""
        with region_errors("read the function", self.region):
            try:
                answer = self._client.get_function_configuration(FunctionName=arn)
            except self._client.exceptions.ResourceNotFoundException:
                return None
        failed = answer.get("LastUpdateStatus") == "Failed"
        why = answer.get("LastUpdateStatusReason") or "AWS gives no reason"
        return FunctionState(
            latest=function_version(answer),
            updating=answer.get("LastUpdateStatus") == "InProgress",
            failure=why if failed else "",
        )

    def set_layers(self, arn: str, layers: Sequence[str], revision: str) -> None:
        """Set the layers of a function's `$LATEST`; AWS then takes some seconds for the update.

        Args:
            arn: of the function.
            layers: ARNs of layer versions, in their order.
            revision: of the state in which it was read.

        Raises:
            FunctionChangedError: it is in another state now; nothing was changed by this request.
            AwsError: AWS refuses, or does not answer.
        """
        try:
            self._client.update_function_configuration(
                FunctionName=arn, Layers=list(layers), RevisionId=revision
            )
        except BOTO_ERRORS as error:
            code = error_code(error)
            refusal = region_error(error, "set the layers", self.region)
            if code in _CHANGED:
                raise FunctionChangedError(str(refusal), hint=_AGAIN) from error
            refusal.hint = _set_hint(code, error_text(error)) or refusal.hint
            raise refusal from error


def _set_hint(code: str, text: str) -> str:
    """Return the hint for a refusal to set the layers of a function; empty for any other error."""
    if "AccessDenied" in code:
        return (
            "allow lambda:UpdateFunctionConfiguration and lambda:GetFunctionConfiguration for the "
            "function, and lambda:GetLayerVersion for each of its layers"
        )
    if code == "InvalidParameterValueException" and "does not exist" in text:
        return (
            "its publisher deleted that layer version: replace it in the function's list of "
            "layers, or remove it, then run the same command again"
        )
    if code == "ResourceNotFoundException":
        return "the function was deleted: leave it out"
    return "set the function's layers by hand, or leave it out" if code in _INVALID else ""


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _alias(answer: Any) -> FunctionAlias:  # noqa: ANN401  its members are all optional
    weights: Mapping[str, float] = answer.get("RoutingConfig", {}).get(
        "AdditionalVersionWeights", {}
    )
    return FunctionAlias(
        name=answer["Name"],
        version=answer["FunctionVersion"],
        weights=tuple(sorted(weights.items())),
    )


def function_version(answer: Mapping[str, Any]) -> FunctionVersion:
    """Return the function version of an answer, or of an entry of a list."""
    layers: Sequence[Mapping[str, str]] = answer.get("Layers", ())
    return FunctionVersion(
        arn=":".join(answer["FunctionArn"].split(":")[:_PARTS]),
        version=answer["Version"],
        layers=tuple(each["Arn"] for each in layers),
        revision=answer.get("RevisionId", ""),
    )
