"""Ask AWS patiently and not too often: pace, retries, threads, and errors for people.

The control plane of Lambda takes 15 requests a second for an account and region, all calls
together; we make ten at most, retries included. What may be done twice is asked again with growing,
jittered pauses; what may not is asked once.
"""

from __future__ import annotations

import _thread
import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import anyio
import stamina
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from stamina.instrumentation import set_on_retry_hooks

from pipeline.errors import AwsError

Result = TypeVar("Result")

# Nine in any second as they are sent, so that on their way they do not come to more than ten.
SPACING_SECONDS = 0.12
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 10.0

GIVE_CREDENTIALS = "give credentials: aws sso login, AWS_PROFILE, or --role-arn with --oidc-token"

# Retries are counted and reported; a line in the log for each would only be in the way.
set_on_retry_hooks([])

_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown")
_TRANSIENT = re.compile(r"ServiceException|InternalFailure|InternalError|ServiceUnavailable")
_SERVER_ERROR = 500
_NOT_ENABLED = ("UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_LOST = (ConnectionClosedError, NoConnectionError, HTTPClientError, ReadTimeoutError)


class AmbiguousError(AwsError):
    """The request may have been done, or not: the answer is missing or says nothing of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Result]):
    """Some of what AWS lists, and the mark of the next page; empty for the last."""

    items: tuple[Result, ...]
    marker: str


@dataclass(kw_only=True)
class Pace:
    """Lets requests go one after the other, some time apart, however late the first of them is."""

    spacing: float = SPACING_SECONDS
    next_at: float = 0.0
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def turn(self) -> None:
        """Wait until it is this request's turn."""
        async with self.lock:
            await anyio.sleep(max(0.0, self.next_at - anyio.current_time()))
            self.next_at = anyio.current_time() + self.spacing


@dataclass(kw_only=True)
class Asker:
    """Asks one region.

    Attributes:
        threads: how many requests may be under way.
        retries: requests that had to be made again so far.
        renew: makes new credentials where the old have expired; gives False where it cannot.
    """

    region: str
    threads: anyio.CapacityLimiter
    pace: Pace = field(default_factory=Pace)
    retries: int = 0
    renew: Callable[[], bool] = lambda: False

    async def ask(
        self,
        call: Callable[[], Result],
        what: str,
        transfers: anyio.CapacityLimiter | None = None,
    ) -> Result:
        """Make a request that may be made twice, until it is answered.

        Args:
            call: makes the request, by boto3.
            what: what it is for, as the beginning of an error's sentence.
            transfers: how many uploads may be under way, where it is one.

        Raises:
            AwsError: AWS refuses, or does not answer however often it is asked.
        """
        try:
            async for attempt in stamina.retry_context(
                on=self._worth_another_try,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=FIRST_PAUSE_SECONDS,
                wait_max=LONGEST_PAUSE_SECONDS,
                wait_jitter=FIRST_PAUSE_SECONDS,
            ):
                with attempt:
                    self.retries += attempt.num > 1
                    return await self._request(call, transfers or self.threads)
        except (BotoCoreError, ClientError) as error:
            raise _told(error, what, self.region) from error
        raise AssertionError("unreachable")

    async def ask_all(self, page: Callable[[str], Page[Result]], what: str) -> list[Result]:
        """Have all that AWS lists, page by page; it ends, too, where a page marks itself.

        Args:
            page: makes the request for a page by its mark, which is empty for the first.
            what: what it is for.

        Raises:
            AwsError: AWS refuses, or does not answer however often it is asked.
        """
        listed: list[Result] = []
        marker = ""
        while True:
            found = await self.ask(partial(page, marker), what)
            listed += found.items
            if found.marker in ("", marker):
                return listed
            marker = found.marker

    async def ask_once(
        self, call: Callable[[], Result], what: str, transfers: anyio.CapacityLimiter
    ) -> Result:
        """Make a request that must not be made twice.

        Args:
            call: makes the request, by boto3.
            what: what it is for.
            transfers: how many uploads may be under way.

        Raises:
            AmbiguousError: nobody knows whether it was done.
            AwsError: it was not done, and asking again would not help.
        """
        try:
            return await self._request(call, transfers)
        except (BotoCoreError, ClientError) as error:
            told = _told(error, what, self.region)
            if _is_ambiguous(error) or self._worth_another_try(error):
                raise AmbiguousError(str(told), hint=told.hint) from error
            raise told from error

    async def _request(self, call: Callable[[], Result], limiter: anyio.CapacityLimiter) -> Result:
        async with limiter:  # before its turn: those that waited for a thread come no closer
            await self.pace.turn()
            return await in_thread(call)

    def _worth_another_try(self, error: Exception) -> bool:
        code = error_code(error)
        if code in _EXPIRED:
            return self.renew()
        return bool(_THROTTLED.search(code)) or _is_ambiguous(error)


async def in_thread(call: Callable[[], Result]) -> Result:
    """Make a call in a thread of its own, which holds up neither a cancellation nor the exit.

    anyio's threads are waited for when the process ends, which may take as long as an upload.
    """
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Result] = loop.create_future()

    def settle(setting: Callable[[], None]) -> None:
        if not settled.done():
            setting()

    def work() -> None:
        try:
            setting = partial(settled.set_result, call())
        except BaseException as error:  # noqa: BLE001  the caller's, whatever it is
            setting = partial(settled.set_exception, error)
        with suppress(RuntimeError):  # nobody waits any more, the loop is closed
            loop.call_soon_threadsafe(settle, setting)

    # not threading's: its start() holds up the loop until the thread has begun
    _thread.start_new_thread(work, ())
    return await settled


def is_expired(error: AwsError) -> bool:
    """Whether AWS refused because the credentials have expired."""
    return error_code(error.__cause__) in _EXPIRED


def error_code(error: BaseException | None) -> str:
    """What AWS calls an error; empty for one that is not AWS'."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _is_ambiguous(error: Exception) -> bool:
    """Whether AWS may have done what it was asked to, without having said so."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or bool(_TRANSIENT.search(error_code(error)))
    return isinstance(error, _LOST)


def _told(error: BotoCoreError | ClientError, what: str, region: str) -> AwsError:
    """The error for people. boto3's messages name operations and codes, and hold no secrets."""
    code = error_code(error)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        hint = GIVE_CREDENTIALS
    elif code in _NOT_ENABLED:
        hint = f"{region} may not be enabled for this account: enable it, or leave it out"
    elif code in _EXPIRED:
        hint = "the credentials have expired: get new ones and run the same command again"
    elif "AccessDenied" in code:
        hint = "the identity lacks a permission; oidc/ has a template with all that is needed"
    elif "CodeStorageExceeded" in code:
        hint = "the account's code storage in this region is full: delete old layer versions"
    else:
        hint = "run the same command again: what is done is not done twice"
    return AwsError(f"{region}: {what}: {error}", hint=hint)
