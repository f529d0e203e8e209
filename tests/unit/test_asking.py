from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from itertools import pairwise

import anyio
import pytest
import stamina
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from pipeline.errors import AwsError
from pipeline.publish.aws.asking import (
    ATTEMPTS,
    SPACING_SECONDS,
    AmbiguousError,
    Asker,
    Pace,
    Page,
)


@pytest.fixture(autouse=True)
def _no_pauses() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    stamina.set_testing(True, attempts=ATTEMPTS)
    yield
    stamina.set_testing(False)


def refusal(code: str, status: int = 400) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "PublishLayerVersion")  # pyright: ignore[reportArgumentType]


THROTTLED = refusal("TooManyRequestsException", 429)
DOWN = refusal("ServiceException", 500)
BUSY = refusal("ServiceUnavailableException", 503)
DENIED = refusal("AccessDeniedException", 403)
CLOSED = ConnectionClosedError(endpoint_url="https://lambda")
SILENT = ReadTimeoutError(endpoint_url="https://lambda")
ABSENT = EndpointConnectionError(endpoint_url="https://lambda")
EXPIRED = refusal("ExpiredTokenException", 403)


class Calls:
    """A request that fails with each of some errors and is answered then."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def asked(call: Callable[[], str], renew: Callable[[], bool] | None = None) -> tuple[str, int]:
    async def run() -> tuple[str, int]:
        asker = Asker(region="eu-west-1", threads=anyio.CapacityLimiter(2), pace=Pace(spacing=0))
        asker.renew = renew or asker.renew
        return await asker.ask(call, "look"), asker.retries

    return anyio.run(run)


def asked_all(pages: dict[str, Page[int]]) -> list[int]:
    async def run() -> list[int]:
        asker = Asker(region="eu-west-1", threads=anyio.CapacityLimiter(2), pace=Pace(spacing=0))
        return await asker.ask_all(lambda marker: pages[marker], "list")

    return anyio.run(run)


def asked_once(call: Callable[[], str]) -> str:
    async def run() -> str:
        limiter = anyio.CapacityLimiter(2)
        asker = Asker(region="eu-west-1", threads=limiter, pace=Pace(spacing=0))
        return await asker.ask_once(call, "publish", limiter)

    return anyio.run(run)


@pytest.mark.parametrize("error", [THROTTLED, DOWN, BUSY, CLOSED, SILENT, ABSENT])
def test_what_may_pass_is_asked_again(error: Exception) -> None:
    assert asked(Calls(error, error)) == ("answer", 2)


@pytest.mark.parametrize("error", [DENIED, refusal("ValidationException"), NoCredentialsError()])
def test_what_will_not_pass_is_not_asked_again(error: Exception) -> None:
    calls = Calls(error)
    with pytest.raises(AwsError, match=r"^eu-west-1: look: "):
        asked(calls)
    assert calls.made == 1


def test_there_is_an_end_to_asking() -> None:
    calls = Calls(*[DOWN] * 99)
    with pytest.raises(AwsError, match="ServiceException"):
        asked(calls)
    assert calls.made == ATTEMPTS


def test_expired_credentials_are_renewed_and_the_request_made_again() -> None:
    renewed: list[bool] = []
    assert asked(Calls(EXPIRED), lambda: not renewed.append(True))[0] == "answer"
    assert renewed == [True]


def test_expired_credentials_that_cannot_be_renewed_are_told() -> None:
    with pytest.raises(AwsError) as caught:
        asked(Calls(EXPIRED))
    assert "have expired" in caught.value.hint


@pytest.mark.parametrize("end", ["", "last"])
def test_a_list_is_read_to_its_last_page_even_where_that_marks_itself(end: str) -> None:
    pages = {"": Page(items=(1, 2), marker="last"), "last": Page(items=(3,), marker=end)}
    assert asked_all(pages) == [1, 2, 3]


@pytest.mark.parametrize("error", [THROTTLED, DOWN, BUSY, CLOSED, SILENT, ABSENT])
def test_what_is_asked_once_is_asked_once_and_its_fate_unknown(error: Exception) -> None:
    calls = Calls(error)
    with pytest.raises(AmbiguousError):
        asked_once(calls)
    assert calls.made == 1


@pytest.mark.parametrize("error", [DENIED, refusal("CodeStorageExceededException")])
def test_a_clear_refusal_of_what_is_asked_once_is_no_riddle(error: Exception) -> None:
    with pytest.raises(AwsError) as caught:
        asked_once(Calls(error))
    assert not isinstance(caught.value, AmbiguousError)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (DENIED, "lacks a permission"),
        (refusal("UnrecognizedClientException", 403), "may not be enabled"),
        (refusal("CodeStorageExceededException"), "is full"),
        (NoCredentialsError(), "give credentials"),
        (DOWN, "run the same command again"),
    ],
)
def test_the_hint_says_what_to_do(error: Exception, hint: str) -> None:
    with pytest.raises(AwsError) as caught:
        asked(Calls(*[error] * 99))
    assert hint in caught.value.hint


class Watched(Pace):
    """A pace that keeps the moments at which requests went on."""

    def __init__(self) -> None:
        super().__init__(spacing=0.02)
        self.moments: list[float] = []

    async def turn(self) -> None:
        await super().turn()
        self.moments.append(anyio.current_time())


def test_requests_are_so_far_apart_and_retries_with_them() -> None:
    pace, calls = Watched(), Calls(DOWN)

    async def run() -> float:
        limiter = anyio.CapacityLimiter(9)
        asker = Asker(region="eu-west-1", threads=limiter, pace=pace)
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(asker.ask, calls, "look")
        return begun

    begun = anyio.run(run)
    assert len(pace.moments) == calls.made == 6
    assert all(at - begun >= 0.02 * count for count, at in enumerate(pace.moments))


def test_requests_come_no_closer_after_the_loop_was_held_up() -> None:
    pace = Watched()

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(pace.turn)
            await anyio.sleep(0.01)
            time.sleep(0.1)  # noqa: ASYNC251  nothing of the loop's goes on meanwhile

    anyio.run(run)
    assert all(b - a >= 0.019 for a, b in pairwise(pace.moments))


def test_a_second_has_room_for_nine_requests_at_most() -> None:
    assert 1 / SPACING_SECONDS <= 9


def test_requests_that_waited_for_a_thread_are_as_far_apart() -> None:
    moments: list[float] = []
    gate = threading.Event()

    def call() -> None:
        moments.append(time.monotonic())
        gate.wait(10)

    async def run() -> None:
        threads = anyio.CapacityLimiter(2)
        asker = Asker(region="eu-west-1", threads=threads, pace=Pace(spacing=0.1))
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(asker.ask, call, "look")
            while len(moments) < 2:  # noqa: ASYNC110  another thread does it
                await anyio.sleep(0.01)
            await anyio.sleep(0.5)  # by now all would have had their turn
            gate.set()

    anyio.run(run)
    assert len(moments) == 6
    assert moments[5] - moments[2] >= 0.25


def test_a_request_that_never_ends_holds_up_neither_cancellation_nor_exit() -> None:
    program = """
import threading, anyio
from pipeline.publish.aws.asking import in_thread

async def main():
    with anyio.move_on_after(0.1):
        await in_thread(threading.Event().wait)
    print("on")

anyio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "on\n"
