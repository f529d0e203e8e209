"""The record of calls to AWS, and rules for their faults; `faulty_proxy` explains both."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from aws_wire import ErrorAnswer, Name

HANG = 3600.0  # seconds: longer than any client waits; it ends with the test


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call.

    Attributes:
        name: service, operation, region, access key, layer or table.
        account: of the caller.
        size: bytes of the request's body.
        start, end: seconds of time.monotonic(); no end while it is running.
        status: of HTTP; None without an answer, or if the client had gone.
        error: AWS' code of an error answer, "ThrottlingException".
        done: whether moto did it, whatever the answer was.
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
    """A fault, and the calls that it applies to.

    Attributes:
        operation, region: one or several; empty for any. The region of a call that is not signed,
            such as AssumeRoleWithWebIdentity, is "".
        skip: number of matching calls without the fault, at first.
        times: number of calls with the fault after these; None for all.
        per_region: whether each region has its own count.
        probability: of the fault, for each call; it depends only on seed, region, operation and
            count there, not on the order in which calls arrive.
        seed: of the probability.
        error: the answer.
        reset: when the connection is reset: after the "head", during the "upload", or instead of
            the "answer".
        stall: seconds before anything is done; HANG for ever.
        late: seconds before the answer.
        during, before, after: called during the upload, before and after the call goes to moto.
            The call waits for them, so that a hook can kill the client at exactly that moment.
            Their exceptions are raised when the proxy is left.
    """

    operation: Names = ()
    region: Names = ()
    skip: int = 0
    times: int | None = None
    per_region: bool = False
    probability: float = 1
    seed: int = 0
    error: ErrorAnswer | None = None
    reset: Literal["", "head", "upload", "answer"] = ""
    stall: float = 0
    late: float = 0
    during: Hook | None = None
    before: Hook | None = None
    after: Hook | None = None

    def matches(self, call: Name) -> bool:
        return _among(call.operation, self.operation) and _among(call.region, self.region)


def _among(one: str, names: Names) -> bool:
    return not names or (one == names if isinstance(names, str) else one in names)


class Gate:
    """A hook that holds calls: the first sets `reached`; all continue when `opened` is set."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, call: Call) -> None:
        self.reached.set()
        if not self.opened.wait(60):
            raise TimeoutError(f"the gate was not opened for {call.name}")


class Rules:
    """The rules of a test, with their counts."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._lock = threading.Lock()

    def due(self, name: Name) -> list[Rule]:
        """Count a call, and return the rules that apply to it."""
        with self._lock:
            matching = [pair for pair in enumerate(self._rules) if pair[1].matches(name)]
            return [rule for place, rule in matching if self._applies(place, rule, name)]

    def _applies(self, place: int, rule: Rule, name: Name) -> bool:
        before = self._count(place, name.region if rule.per_region else None)
        like = self._count(place, name.region, name.operation)
        if before < rule.skip or (rule.times is not None and before >= rule.skip + rule.times):
            return False
        chance = random.Random(f"{rule.seed} {name.region} {name.operation} {like}")  # noqa: S311
        return chance.random() < rule.probability

    def _count(self, *what: object) -> int:
        """Return the count so far, and add one."""
        self._counts[what] += 1
        return self._counts[what] - 1


class Record:
    """The calls, in the order in which they came."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def came(self, name: Name, *, account: str, size: int) -> tuple[int, Call]:
        """Record a call, and return its number."""
        call = Call(name=name, account=account, size=size, start=time.monotonic())
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
        return number, call

    def went(self, number: int, **facts: Any) -> None:  # noqa: ANN401
        """Add facts to a call, unless it is forgotten."""
        with self._changed:
            if number in self._calls:
                self._calls[number] = replace(self._calls[number], **facts)
            self._changed.notify_all()

    def calls(self, rule: Rule) -> list[Call]:
        """Return the calls that a rule matches."""
        with self._changed:
            return [call for call in self._calls.values() if rule.matches(call.name)]

    def forget(self) -> None:
        """Begin a new record."""
        with self._changed:
            self._calls.clear()

    def idle(self, seconds: float) -> None:
        """Wait until no call is running."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._running(), seconds):
                raise TimeoutError(f"still running: {self._running()}")

    def _running(self) -> list[Call]:
        return [call for call in self._calls.values() if call.end is None]
