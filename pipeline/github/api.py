"""GitHub's REST API for one repository: requests, retries, rate limits and errors.

A request that reads is repeated until it is answered. One that writes is sent once: if its answer
is lost, it may have been done, so the caller looks before it tries again. Requests that GitHub
turned away by a rate limit were not done; they are repeated after the time that it names. The token
is sent to the API's own address and to its address for uploads; redirects are not followed.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, cast

import anyio
import httpx
from githubkit.auth import TokenAuthStrategy, UnauthAuthStrategy
from githubkit.core import GitHubCore
from githubkit.exception import GitHubException, RateLimitExceeded, RequestError, RequestFailed
from githubkit.response import Response

from pipeline import progress
from pipeline.errors import RUN_AGAIN, GitHubError, UsageError, quoted

API_URL = "https://api.github.com"
# Attempts of a request that reads; pauses of 1, 2, 4 and 8 seconds outlast a short outage.
ATTEMPTS = 5
# Seconds that a run waits for rate limits in all, and after a limit that names no time.
LONGEST_WAIT = 300.0
USUAL_WAIT = 60.0
# Seconds; GitHub answers an upload only when it has stored it.
_TIMEOUT = httpx.Timeout(connect=30, read=120, write=120, pool=None)
_HEADERS = {"X-GitHub-Api-Version": "2022-11-28"}
# Requests an asset's content, which may be at another address.
_CONTENT = {"Accept": "application/octet-stream"}
_PAGE = 100
_ACTIONS_MAY_NOT = "GitHub Actions is not permitted"

# Codes of HTTP.
_UNKNOWN_TOKEN, _FORBIDDEN, _NOT_FOUND, _INVALID, _LIMITED, _FAILS = 401, 403, 404, 422, 429, 500
# Parts of refusals that follow from the work of another run.
_RACES = ("already_exists", "already exists", "immutable")

Json = dict[str, Any]


class LookAgainError(GitHubError):
    """Error for a request that another run forestalled, or that may have been done.

    What is on GitHub must be observed again before anything is repeated.
    """


class LostAnswerError(LookAgainError):
    """Error for a request that GitHub has not answered, or not properly."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """The body of an upload.

    Attributes:
        size: in bytes.
        pieces: returns the content from the start, each time it is called.
    """

    name: str
    size: int
    pieces: Callable[[], AsyncIterable[bytes]]


@asynccontextmanager
async def repository_api(
    url: str, repository: str, token: str | None
) -> AsyncGenerator[RepositoryApi]:
    """Open the API of a repository.

    Args:
        url: of the API: GitHub's, or an Enterprise server's, as in GITHUB_API_URL.
        repository: owner/name.
        token: may write contents; for pull requests, these too. None to read a public repository.

    Raises:
        UsageError: the address would send the token unencrypted.
    """
    core: GitHubCore[Any] = GitHubCore(
        TokenAuthStrategy(token) if token else UnauthAuthStrategy(),
        base_url=_address(url),
        user_agent="ocelot",
        follow_redirects=False,
        timeout=_TIMEOUT,
        http_cache=False,
        auto_retry=False,
    )
    async with core:
        yield RepositoryApi(core, repository, has_token=token is not None)


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme != "https" and address.host != "127.0.0.1":
        raise UsageError(
            f"{quoted(url)} is no address to which a token can be sent",
            hint=f"set GITHUB_API_URL to an https address, or unset it for {API_URL}",
        )
    return address


class RepositoryApi:
    """The REST API of a repository.

    Attributes:
        has_token: False for requests without a token, which see public repositories alone.
        now: the time of the last answer, by GitHub's clock.
    """

    def __init__(self, core: GitHubCore[Any], repository: str, *, has_token: bool) -> None:
        self.repository = repository
        self.has_token = has_token
        self.now = datetime.now(UTC)
        self._core = core
        self._waited = 0.0
        self._limited_until = 0.0  # by the event loop's clock

    async def check(self) -> None:
        """Check that the token is valid and may see the repository.

        Raises:
            GitHubError: it is not, or may not.
        """
        if await self.found("") is None:
            who = "this token may see" if self.has_token else "can be seen without a token"
            check = "that the token has access to it" if self.has_token else "name a token: --token"
            raise GitHubError(
                f"GitHub has no repository {self.repository} that {who}",
                hint=f"check --repository, and {check}",
            )

    async def found(self, path: str, **query: int | str) -> Json | None:
        """Return an object below the repository's address; None if there is none."""
        response = await self._read(path, query)
        return cast("Json", response.json()) if response else None

    async def listed(self, path: str, *, required: bool = False, **query: int | str) -> list[Json]:
        """Return all items of a list below the repository's address; none if there is no such list.

        Raises:
            GitHubError: GitHub refuses, or has no such list and it is required.
        """
        items: list[Json] = []
        page = 1
        while response := await self._read(path, {**query, "per_page": _PAGE, "page": page}):
            items += cast("list[Json]", response.json())
            page += 1
            if "next" not in response.raw_response.links:
                return items
        if required:
            raise GitHubError(
                f"GitHub shows no {path.rpartition('/')[2]} of {self.repository}",
                hint="give the token the permission `contents: read` there",
            )
        return items

    async def content(self, path: str) -> bytes:
        """Return the content of an asset; if it is elsewhere, the token is not sent there.

        Raises:
            GitHubError: GitHub refuses, or does not answer.
        """
        response = await self._read(path, {}, headers=_CONTENT)
        if response is None:
            raise GitHubError(f"GitHub has no such asset in {self.repository}", hint=RUN_AGAIN)
        if not response.raw_response.has_redirect_location:
            return response.content
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
                answer = await client.get(response.headers["location"])
                return answer.raise_for_status().content
        except httpx.HTTPError as error:
            reason = type(error).__name__  # its text has the address, which is secret in part
            raise GitHubError(f"an asset cannot be downloaded: {reason}", hint=RUN_AGAIN) from None

    async def write(self, method: str, path: str, body: Json | None = None) -> Json:
        """Create, change or delete an object; return the answer, empty if it is no object.

        Raises:
            LookAgainError: it may have been done.
            GitHubError: GitHub refuses.
        """
        response = await self._send(method, self._path(path), json=body)
        answer: object = response.json() if response.content else {}
        return cast("Json", answer) if isinstance(answer, dict) else {}

    async def upload(self, address: str, upload: Upload) -> None:
        """Upload an asset to the address that its release names.

        Raises:
            LookAgainError: it may have been done.
            GitHubError: GitHub refuses, or the address is not GitHub's.
        """
        url = httpx.URL(address.partition("{")[0])
        if not is_own_host(self._core.config.base_url, url):
            raise GitHubError(
                f"GitHub names an address for uploads that is not its own: {url.host}",
                hint="check GITHUB_API_URL: the token is not sent there",
            )
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(upload.size)}
        await self._send(
            "POST", url, params={"name": upload.name}, headers=headers, content=upload.pieces
        )

    def _path(self, path: str) -> str:
        return f"repos/{self.repository}{path}"

    async def _read(
        self, path: str, query: Mapping[str, int | str], headers: Mapping[str, str] | None = None
    ) -> Response[Any] | None:
        """Return the answer to a GET, which is repeated; None for 404."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send("GET", self._path(path), params=query, headers=headers)
            except LookAgainError as error:
                if attempt == ATTEMPTS:
                    raise GitHubError(str(error), hint=RUN_AGAIN) from None
                await anyio.sleep(2 ** (attempt - 1))
            except _NotFoundError:
                break
        return None

    async def _send(
        self,
        method: str,
        url: str | httpx.URL,
        *,
        params: Mapping[str, int | str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Json | None = None,
        content: Callable[[], AsyncIterable[bytes]] | None = None,
    ) -> Response[Any]:
        """Send a request until no rate limit turns it away, and return its answer."""
        request: Callable[..., Awaitable[Response[Any]]] = cast("Any", self._core).arequest
        while True:
            await anyio.sleep(max(0.0, self._limited_until - anyio.current_time()))
            try:
                response = await request(
                    method,
                    url,
                    params=params,
                    headers={**_HEADERS, **(headers or {})},
                    json=json,
                    content=content() if content else None,
                )
            except RequestFailed as error:
                if (wait := rate_limit(error)) is not None:
                    await self._wait(wait)
                    continue
                raise refusal(error.response, method, self.repository) from None
            except GitHubException as error:
                raise LostAnswerError(no_answer(method, error), hint=RUN_AGAIN) from None
            if response.raw_response.has_redirect_location and headers is not _CONTENT:
                raise _moved(self.repository)
            self.now = parsedate_to_datetime(response.headers["date"])
            return response

    async def _wait(self, time: timedelta) -> None:
        """Send nothing more until the end of a rate limit.

        Raises:
            GitHubError: that would take too long.
        """
        seconds = time.total_seconds() + 1  # GitHub gives whole seconds
        end = anyio.current_time() + seconds
        if end > self._limited_until:
            self._waited += end - max(self._limited_until, anyio.current_time())
            self._limited_until = end
            progress.note(f"GitHub's rate limit is reached; waiting {seconds:.0f} s")
        if self._waited > LONGEST_WAIT:
            when = (datetime.now(UTC) + time).strftime("%H:%M:%S UTC")
            higher = "" if self.has_token else "; with a token the limit is higher: --token"
            raise GitHubError(
                f"GitHub's rate limit ends at {when}", hint=f"then {RUN_AGAIN}{higher}"
            )


class _NotFoundError(GitHubError):
    """Error for an object that GitHub does not have, or does not show to this token."""


def is_own_host(api: httpx.URL, url: httpx.URL) -> bool:
    """Return True for the API's own host, and for the one of its uploads.

    For https://api.github.com that is https://uploads.github.com.
    """
    own = {api.host, f"uploads.{api.host.removeprefix('api.')}"}
    return url.host in own and (url.scheme, url.port) == (api.scheme, api.port)


def rate_limit(error: RequestFailed) -> timedelta | None:
    """Return the time after which a request can be repeated; None if no rate limit refused it."""
    if isinstance(error, RateLimitExceeded):
        return error.retry_after
    if error.response.status_code in (_FORBIDDEN, _LIMITED) and "rate limit" in message(
        error.response
    ):
        return timedelta(seconds=USUAL_WAIT)
    return None


def message(response: Response[Any]) -> str:
    """Return GitHub's reason for refusing a request, with the fields that it refuses."""
    try:
        body = cast("Json", response.json())
        errors = cast("list[Json]", body.get("errors", []))
        fields = [
            each.get("message") or f"{each.get('field')} {each.get('code')}" for each in errors
        ]
        text = ": ".join(filter(None, (str(body.get("message", "")), ", ".join(fields))))
    except (ValueError, LookupError, AttributeError, TypeError):
        text = ""
    return text or f"HTTP {response.status_code}"


def no_answer(method: str, error: GitHubException) -> str:
    """Return the message on a request without an answer; it has no address and no header."""
    cause = cast("RequestError[Exception]", error).exc if isinstance(error, RequestError) else error
    return f"GitHub does not answer ({method}: {type(cause).__name__})"


def refusal(response: Response[Any], method: str, repository: str) -> GitHubError:
    """Return the error for a request that GitHub refused."""
    status, text = response.status_code, message(response)
    if status >= _FAILS:
        return LostAnswerError(f"GitHub fails: HTTP {status}", hint=RUN_AGAIN)
    if status == _UNKNOWN_TOKEN:
        return GitHubError(
            f"GitHub does not accept the token: {text}", hint="give a valid one: --token"
        )
    if status == _NOT_FOUND and method != "POST":
        kind = _NotFoundError if method == "GET" else LookAgainError
        return kind(f"GitHub has no such object in {repository}", hint=RUN_AGAIN)
    if status in (_FORBIDDEN, _NOT_FOUND):
        needed = response.headers.get("x-accepted-github-permissions", "contents=write")
        return GitHubError(
            f"the token may not do this in {repository} ({needed}): {text}",
            hint=_grant(needed, text, reads=method == "GET"),
        )
    if status == _INVALID and any(each in text for each in _RACES):
        return LookAgainError(f"GitHub refuses: {text}", hint=RUN_AGAIN)
    is_unknown_commit = "target_commitish" in text
    push = "GitHub does not have this commit: push it first, or name another: --target"
    hint = push if is_unknown_commit else "change what it names, and run again"
    return GitHubError(f"GitHub refuses: {text}", hint=hint)


def _grant(needed: str, reason: str, *, reads: bool) -> str:
    """Return the hint on a permission that a token lacks."""
    if _ACTIONS_MAY_NOT in reason:
        return (
            "allow it in the repository's settings (Actions > General > Workflow permissions), or "
            "use another token than the job's own"
        )
    pulls = "pull_requests" in needed
    key, name = ("pull-requests", "Pull requests") if pulls else ("contents", "Contents")
    access, shown = ("read", "Read-only") if reads else ("write", "Read and write")
    return (
        f"give the token the permission `{key}: {access}`: in a workflow by `permissions:` of its "
        f"job, for a fine-grained token as `{name}: {shown}`"
    )


def _moved(repository: str) -> GitHubError:
    return GitHubError(
        f"{repository} was renamed or moved",
        hint="give its present name: --repository owner/name",
    )
