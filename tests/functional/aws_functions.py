"""Lambda's functions, kept here: only their layers, versions and aliases, so that many cost little.

aws.emulator.functions.add("eu-west-1", "checkout", [arn], versions=[[old]], aliases={"live": 1})
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_layers import Operation
from aws_server import ACCOUNT
from aws_wire import ErrorAnswer, Name, RefusedRequestError, Request, Response, answer, layer_path

# https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html: a page has at most 50
PAGE = 50
MOST_ITEMS = 10_000
MOST_LAYERS = 5
LATEST = "$LATEST"

_FUNCTION = re.compile(
    r"(?:arn:[^:]+:lambda:[^:]+:\d{12}:function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[$\w-]+))?"
)
_LAYER = re.compile(
    r"(?P<layer>arn:[^:]+:lambda:(?P<region>[^:]+):(?P<account>\d{12}):layer:(?P<name>[\w-]+))"
    r":(?P<version>\d+)"
)


@dataclass(kw_only=True)
class Function:
    """A function.

    Attributes:
        layers: of $LATEST, in their order.
        versions: layers of the published versions, from 1.
        aliases: the version of each.
        weights: of aliases with a second version: that version and its share.
        revision: changes with each update, and when an update ends.
        ready_at: when its last update ends, of time.monotonic().
        failure: why its last update failed; empty if it did not.
    """

    arn: str
    layers: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...] = ()
    aliases: Mapping[str, int | str] = field(default_factory=dict[str, Any])
    weights: Mapping[str, tuple[int, float]] = field(default_factory=dict[str, Any])
    revision: str = field(default_factory=lambda: str(uuid.uuid4()))
    ready_at: float = 0.0
    failure: str = ""

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def is_ready(self) -> bool:
        return self.ready_at <= time.monotonic()

    def listed(self) -> Iterator[dict[str, Any]]:
        """Yield $LATEST and the published versions as a list has them."""
        yield self.entry(LATEST)
        yield from (self.entry(str(number + 1)) for number in range(len(self.versions)))

    def entry(self, version: str) -> dict[str, Any]:
        """Return a version as a list has it."""
        latest = version == LATEST
        layers = self.layers if latest else self.versions[int(version) - 1]
        return {
            "FunctionName": self.name,
            "FunctionArn": f"{self.arn}:{version}",
            "Version": version,
            "Runtime": "python3.13",
            "RevisionId": self.revision if latest else f"published-{version}",
            **({"Layers": [{"Arn": each, "CodeSize": 100} for each in layers]} if layers else {}),
        }


class Functions:
    """All functions of all accounts and regions.

    Attributes:
        update_seconds: time that an update takes.
        failure: why updates fail from now on, after they were accepted; empty if they succeed.
        gone: ARNs of layer versions of other accounts that were deleted; all others exist.
        operations: the calls that are answered here.
    """

    def __init__(
        self, moto: Callable[[Request, str], Response], account: Callable[[Name], str]
    ) -> None:
        """Args: a function that sends a request to moto, and one that returns a call's account."""
        self.update_seconds = 0.0
        self.failure = ""
        self.gone: set[str] = set()
        self.operations: Mapping[str, Operation] = {
            "ListFunctions": self._list,
            "GetFunctionConfiguration": self._get,
            "UpdateFunctionConfiguration": self._update,
            "ListAliases": self._aliases,
        }
        self._moto = moto
        self._account = account
        self._functions: dict[tuple[str, str], dict[str, Function]] = {}

    def add(
        self,
        region: str,
        name: str,
        layers: Sequence[str] = (),
        *,
        versions: Sequence[Sequence[str]] = (),
        aliases: Mapping[str, int | str] | None = None,
        weights: Mapping[str, tuple[int, float]] | None = None,
        account: str = ACCOUNT,
    ) -> Function:
        """Add a function, or replace it; `Function` explains its layers, versions and aliases."""
        made = Function(
            arn=f"arn:aws:lambda:{region}:{account}:function:{name}",
            layers=tuple(layers),
            versions=tuple(tuple(each) for each in versions),
            aliases=aliases or {},
            weights=weights or {},
        )
        self._functions.setdefault((account, region), {})[name] = made
        return made

    def function(self, region: str, name: str, *, account: str = ACCOUNT) -> Function:
        """Return a function."""
        return self._functions[account, region][name]

    def remove(self, region: str, name: str, *, account: str = ACCOUNT) -> None:
        """Delete a function."""
        del self._functions[account, region][name]

    def _found(self, name: Name) -> Function:
        parsed = _FUNCTION.fullmatch(name.resource)
        own = self._functions.get((self._account(name), name.region), {})
        if parsed is None or parsed["name"] not in own:
            message = f"Function not found: {name.resource}"
            raise RefusedRequestError(ErrorAnswer(404, "ResourceNotFoundException", message))
        found = own[parsed["name"]]
        if found.ready_at and found.is_ready:
            found.ready_at, found.revision = 0.0, str(uuid.uuid4())
        return found

    def _list(self, request: Request, name: Name) -> Response:
        query = request.query
        most = int(query.get("MaxItems", PAGE))
        if not 1 <= most <= MOST_ITEMS:
            raise RefusedRequestError(_invalid(f"MaxItems is 1 to {MOST_ITEMS}"))
        own = self._functions.get((self._account(name), name.region), {})
        each_version = query.get("FunctionVersion") == "ALL"
        entries = [
            (function, version)
            for _, function in sorted(own.items())
            for version in (LATEST, *range(1, len(function.versions) * each_version + 1))
        ]
        start = int(query.get("Marker") or 0)
        end = start + min(most, PAGE)
        page = [function.entry(str(version)) for function, version in entries[start:end]]
        more = {"NextMarker": str(end)} if end < len(entries) else {}
        return answer({"Functions": page, **more})

    def _get(self, request: Request, name: Name) -> Response:
        function = self._found(name)
        version = request.query.get("Qualifier", LATEST)
        if version != LATEST and not 1 <= int(version) <= len(function.versions):
            message = f"Function not found: {function.arn}:{version}"
            raise RefusedRequestError(ErrorAnswer(404, "ResourceNotFoundException", message))
        return answer({**function.entry(version), **_status(function)})

    def _update(self, request: Request, name: Name) -> Response:
        function, asked = self._found(name), request.json
        if asked.get("RevisionId", function.revision) != function.revision:
            message = (
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id"
            )
            raise RefusedRequestError(ErrorAnswer(412, "PreconditionFailedException", message))
        if not function.is_ready:
            message = (
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {function.arn}"
            )
            raise RefusedRequestError(ErrorAnswer(409, "ResourceConflictException", message))
        layers = tuple(asked.get("Layers", function.layers))
        self._check(layers, request, name)
        function.layers = layers
        function.revision = str(uuid.uuid4())
        function.ready_at = time.monotonic() + self.update_seconds
        function.failure = self.failure
        return answer({**function.entry(LATEST), **_status(function, updating=True)})

    def _check(self, layers: Sequence[str], request: Request, name: Name) -> None:
        """Refuse layers that AWS would refuse."""
        if len(layers) > MOST_LAYERS:
            raise RefusedRequestError(_invalid("Cannot reference more than 5 layers."))
        parsed = [_LAYER.fullmatch(each) for each in layers]
        names = [each["layer"] for each in parsed if each]
        if len(names) < len(layers):
            raise RefusedRequestError(_invalid("Layer ARN is invalid"))
        if len(set(names)) < len(names):
            message = "Two different versions of the same layer are not allowed to be referenced"
            raise RefusedRequestError(_invalid(f"{message} in the same function. {names}"))
        for each in filter(None, parsed):
            if not self._exists(each, request, name):
                raise RefusedRequestError(_invalid(f"Layer version {each[0]} does not exist."))

    def _exists(self, layer: re.Match[str], request: Request, name: Name) -> bool:
        if layer["account"] != self._account(name):
            return layer[0] not in self.gone
        path = layer_path(layer["name"], int(layer["version"]))
        asked = replace(request, method="GET", target=path, body=b"")
        return self._moto(asked, layer["account"]).ok

    def _aliases(self, _request: Request, name: Name) -> Response:
        function = self._found(name)
        found: list[dict[str, Any]] = []
        for alias, version in function.aliases.items():
            entry: dict[str, Any] = {
                "AliasArn": f"{function.arn}:{alias}",
                "Name": alias,
                "FunctionVersion": str(version),
            }
            if second := function.weights.get(alias):
                weights = {str(second[0]): second[1]}
                entry["RoutingConfig"] = {"AdditionalVersionWeights": weights}
            found.append(entry)
        return answer({"Aliases": found})


def _status(function: Function, *, updating: bool = False) -> dict[str, str]:
    if updating or not function.is_ready:
        return {"State": "Active", "LastUpdateStatus": "InProgress"}
    if function.failure:
        return {
            "State": "Active",
            "LastUpdateStatus": "Failed",
            "LastUpdateStatusReason": function.failure,
            "LastUpdateStatusReasonCode": "InternalError",
        }
    return {"State": "Active", "LastUpdateStatus": "Successful"}


def _invalid(message: str) -> ErrorAnswer:
    return ErrorAnswer(400, "InvalidParameterValueException", message)
