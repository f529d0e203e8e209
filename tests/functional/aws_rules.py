"""Calls to AWS on record, and rules on what befalls them; `faulty_proxy` tells how they work."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from aws_wire import AwsError, Name

HANG = 3600.0  # seconds that no client waits; the end of the test ends it


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as it came and went.

    Attributes:
        name: service, operation, region, access key, layer or table.
        account: whose it is.
        size: bytes of the request's body.
        start, end: seconds of time.monotonic(); no end while it is under way.
        status: of HTTP; None where there was no answer, or none that the client waited for.
        error: AWS' code of an answered error, "ThrottlingException".
        done: moto did it, whatever the client was told.
    """

    name: Name
    account: str
    size: int
    start: float
    end: float | None = None
    status: int | None = None
    error: str = ""
    done: bool = False

    @property
    def operation(self) -> str:
        return self.name.operation

    @property
    def region(self) -> str:
        return self.name.region

    @property
    def is_writing(self) -> bool:
        return self.name.is_writing


Hook = Callable[[Call], object]
Names = str | Collection[str]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What befalls which calls.

    Attributes:
        operation, region: one or several; empty for any. The region of a call that is not signed,
            as AssumeRoleWithWebIdentity, is "".
        skip: so many matching calls are left alone first.
        times: then so many are befallen; None for all.
        per_region: each region has its own count.
        probability: that one of these is befallen; the same for a seed, region, operation and
            count there, however calls overtake one another.
        seed: of the probability.
        error: is answered.
        reset: the connection is: when the "head" has come, in mid of the "upload", or in place of
            the "answer".
        stall: seconds before anything is done; HANG for good.
        late: seconds before the answer.
        during, before, after: called in mid of the upload, before moto gets it, after moto did it.
            The call waits for them: one that kills the client, and waits for its end, does it at
            exactly that moment. What one raises is raised again when the proxy is left.
    """

    operation: Names = ()
    region: Names = ()
    skip: int = 0
    times: int | None = None
    per_region: bool = False
    probability: float = 1
    seed: int = 0
    error: AwsError | None = None
    reset: Literal["", "head", "upload", "answer"] = ""
    stall: float = 0
    late: float = 0
    during: Hook | None = None
    before: Hook | None = None
    after: Hook | None = None

    def matches(self, call: Name) -> bool:
        return _among(call.operation, self.operation) and _among(call.region, self.region)


def _among(one: str, wanted: Names) -> bool:
    return not wanted or (one == wanted if isinstance(wanted, str) else one in wanted)


class Gate:
    """A hook that holds calls: `reached` is set by the first, `opened` lets all go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, call: Call) -> None:
        self.reached.set()
        if not self.opened.wait(60):
            raise TimeoutError(f"nobody opened the gate for {call.name}")


class Rules:
    """The rules of a test, which count."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._lock = threading.Lock()

    def due(self, asked: Name) -> list[Rule]:
        """The rules that befall a call; counts it."""
        with self._lock:
            matching = [pair for pair in enumerate(self._rules) if pair[1].matches(asked)]
            return [rule for place, rule in matching if self._befalls(place, rule, asked)]

    def _befalls(self, place: int, rule: Rule, asked: Name) -> bool:
        before = self._count(place, asked.region if rule.per_region else None)
        like = self._count(place, asked.region, asked.operation)
        if before < rule.skip or (rule.times is not None and before >= rule.skip + rule.times):
            return False
        chance = random.Random(f"{rule.seed} {asked.region} {asked.operation} {like}")  # noqa: S311
        return chance.random() < rule.probability

    def _count(self, *what: object) -> int:
        """How often that was counted before now."""
        self._counts[what] += 1
        return self._counts[what] - 1


class Record:
    """Calls in the order in which they came."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def came(self, asked: Name, *, account: str, size: int) -> tuple[int, Call]:
        """Record a call; gives its number."""
        call = Call(name=asked, account=account, size=size, start=time.monotonic())
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
        return number, call

    def went(self, number: int, **facts: Any) -> None:  # noqa: ANN401
        """Record more of a call, unless it is forgotten."""
        with self._changed:
            if number in self._calls:
                self._calls[number] = replace(self._calls[number], **facts)
            self._changed.notify_all()

    def calls(self, wanted: Rule) -> list[Call]:
        """Those that a rule matches."""
        with self._changed:
            return [call for call in self._calls.values() if wanted.matches(call.name)]

    def forget(self) -> None:
        """Begin anew."""
        with self._changed:
            self._calls.clear()

    def idle(self, seconds: float) -> None:
        """Wait until no call is under way."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._under_way(), seconds):
                raise TimeoutError(f"still under way: {self._under_way()}")

    def _under_way(self) -> list[Call]:
        return [call for call in self._calls.values() if call.end is None]
