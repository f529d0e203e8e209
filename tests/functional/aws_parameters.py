"""SSM's parameters as AWS has them, made of moto.

moto knows no rates, changes a parameter's type, and accepts names and tags that AWS refuses.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aws_layers import Operation
from aws_wire import ErrorAnswer, Name, RefusedRequestError, Request, Response

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
LEVELS = 15
LONGEST_ARN = 1011
PUTS_PER_SECOND = 3
READS_PER_SECOND = 40
PAGE = 10

_NAME = re.compile(r"[A-Za-z0-9_.-]+|(?:/[A-Za-z0-9_.-]+)+")
_TAG = re.compile(r"[\w .:/=+@-]*")
SSM_THROTTLED = ErrorAnswer(400, "ThrottlingException", "Rate exceeded")
SSM_DENIED = ErrorAnswer(
    400, "AccessDeniedException", "User is not authorized to perform this on the resource."
)
_OTHER_TYPE = ErrorAnswer(
    400,
    "HierarchyTypeMismatchException",
    "Parameter Store doesn't support changing a parameter type in a hierarchy.",
)


class Parameters:
    """All parameters of all accounts and regions.

    Attributes:
        has_rates: whether requests above AWS' rates are throttled.
        operations: the calls that are answered here.
    """

    def __init__(
        self, moto: Callable[[Request, str], Response], account: Callable[[Name], str]
    ) -> None:
        """Args: a function that sends a request to moto, and one that returns a call's account."""
        self.has_rates = False
        self.operations: Mapping[str, Operation] = {
            "PutParameter": self._put,
            "GetParameters": self._get,
            "GetParametersByPath": self._list,
            "DeleteParameter": self._delete,
            "AddTagsToResource": self._tag,
        }
        self._moto = moto
        self._account = account
        self._types: dict[tuple[str, str, str], str] = {}
        self._recent: dict[tuple[str, str, str], deque[float]] = {}

    def _put(self, request: Request, name: Name) -> Response:
        self._admit(name, "puts", PUTS_PER_SECOND)
        asked, account = request.json, self._account(name)
        arn = f"arn:aws:ssm:{name.region}:{account}:parameter{asked['Name']}"
        if not _NAME.fullmatch(asked["Name"]):
            raise RefusedRequestError(_invalid("Parameter name: can't have other symbols"))
        if asked["Name"].count("/") > LEVELS:
            message = f"A parameter hierarchy can have a maximum of {LEVELS} levels"
            raise RefusedRequestError(ErrorAnswer(400, "HierarchyLevelLimitExceeded", message))
        if len(arn) > LONGEST_ARN:
            raise RefusedRequestError(_invalid("Parameter name is too long"))
        _check_tags(asked.get("Tags", []))
        key = (account, name.region, asked["Name"])
        kind = asked.get("Type")
        if asked.get("Overwrite") and kind and self._types.get(key, kind) != kind:
            raise RefusedRequestError(_OTHER_TYPE)
        got = self._moto(request, account)
        if got.ok and kind:
            self._types[key] = kind
        return got

    def _get(self, request: Request, name: Name) -> Response:
        self._admit(name, "reads", READS_PER_SECOND)
        return self._moto(request, self._account(name))

    def _list(self, request: Request, name: Name) -> Response:
        self._admit(name, "reads", READS_PER_SECOND)
        path, most = request.json["Path"], request.json.get("MaxResults", PAGE)
        if not (path.startswith("/") and 1 <= most <= PAGE):
            raise RefusedRequestError(_invalid(f"{path} has no slash, or {most} is above {PAGE}"))
        return self._moto(request, self._account(name))

    def _delete(self, request: Request, name: Name) -> Response:
        self._admit(name, "puts", PUTS_PER_SECOND)
        account = self._account(name)
        self._types.pop((account, name.region, request.json["Name"]), None)
        return self._moto(request, account)

    def _tag(self, request: Request, name: Name) -> Response:
        _check_tags(request.json["Tags"])
        return self._moto(request, self._account(name))

    def _admit(self, name: Name, kind: str, most: int) -> None:
        if not self.has_rates:
            return
        recent = self._recent.setdefault((self._account(name), name.region, kind), deque())
        now = time.monotonic()
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= most:
            raise RefusedRequestError(SSM_THROTTLED)
        recent.append(now)


def _check_tags(tags: list[dict[str, Any]]) -> None:
    for each in tags:
        if not (_TAG.fullmatch(each["Key"]) and _TAG.fullmatch(each["Value"]) and each["Key"]):
            raise RefusedRequestError(_invalid(f"tag {each} has symbols that are not allowed"))


def _invalid(message: str) -> ErrorAnswer:
    return ErrorAnswer(400, "ValidationException", message)
