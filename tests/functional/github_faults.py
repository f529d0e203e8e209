"""The faults of the stand-in of GitHub, and its answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal[
    "",  # none: for a hook
    "unavailable",  # 503, not done
    "late-error",  # done, but the answer is 502
    "lost",  # done, but the connection is reset
    "reset",  # the connection is reset at once
    "broken",  # an upload: the connection is reset after half of it
    "bad-gateway",  # an upload: all is sent, but GitHub keeps an empty asset and answers 502
    "limited",  # secondary rate limit, with retry-after
    "slow-down",  # the same without a header
    "exhausted",  # primary rate limit, with x-ratelimit-reset
    "stale",  # a list as it was before the last release was made
    "hidden",  # 404, as for what a token may not see
]


@dataclass
class Fault:
    """A fault of some requests.

    Attributes:
        method: of the request; empty for any.
        path: a pattern found in its path, below the API's address.
        kind: see `Kind`.
        times: number of requests.
        skip: requests that match but are left alone first.
        seconds: that the client is to wait, or that GitHub takes for an answer with a hook.
        hook: is called when GitHub has done the request, or has half of an upload.
    """

    method: str = ""
    path: str = ""
    kind: Kind = ""
    times: int = 1
    skip: int = 0
    seconds: int = 0
    hook: Callable[[], None] | None = None

    def matches(self, call: Call) -> bool:
        """True if it is this request's turn; counts."""
        if self.method not in ("", call.method) or not re.search(self.path, call.path):
            return False
        self.skip -= 1
        if self.skip >= 0:
            return False
        self.times -= 1
        return self.times >= 0


@dataclass(frozen=True)
class Call:
    """A request that came; `token` is True if it had one."""

    method: str
    path: str
    token: bool


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


def limit(fault: Fault, now: datetime) -> Answer | None:
    """Return the answer to a client that sends too much.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    secondary = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    if fault.kind == "limited":
        return Answer(403, secondary, {"retry-after": str(fault.seconds)})
    if fault.kind == "slow-down":
        return Answer(403, secondary)
    if fault.kind == "exhausted":
        reset = str(int(now.timestamp()) + fault.seconds)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        return Answer(429, {"message": "API rate limit exceeded for installation."}, headers)
    return None
