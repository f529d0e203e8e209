"""GitHub's REST API on loopback, as far as ocelot calls it, with the faults that a test wants.

    with GitHubServer() as github:
        github.faults(
            Fault("POST", "/releases$", "lost"),             # done, but no answer
            Fault("POST", "/assets", "broken", times=2),     # an upload ends early
            Fault("GET", "/releases", "limited", seconds=1), # secondary rate limit
            Fault("PATCH", hook=kill),                       # is called after GitHub did it
        )
        run_ocelot("github-release", ..., env=github.environment())
        assert github.repository.releases[0].contents == ...
        assert [call.method for call in github.calls] == ...

`repository` is the state, see `github_repository`; a test may change it, as another writer would.
Each fault applies to the next `times` requests that it matches, the first one that matches alone.
A token may write, read, or is not known.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from github_faults import Answer, Call, Fault, limit
from github_pulls import PULL_ROUTES, RefusedError
from github_repository import Asset, Release, Repository
from loopback import Quiet, serving

TOKEN, READER = "ghs_mayWriteContents", "ghs_mayReadContents"
NO_PULLS = "ghs_mayNotWritePullRequests"
BASE, UPLOADS = "/api/v3", "/api/uploads"


class GitHubServer:
    """GitHub with one repository, for as long as its context lasts.

    Attributes:
        url: of the API.
        uploads: address of uploads in the answers; a test may set one that is not GitHub's.
        moved: if set, the repository's address is redirected to this one.
    """

    def __init__(self) -> None:
        self.repository = Repository()
        self.calls: list[Call] = []
        self.moved = ""
        self.problems: list[BaseException] = []
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        address = self._ending.enter_context(serving(partial(_Handler, self)))
        self.url, self.uploads = f"http://{address}{BASE}", f"http://{address}{UPLOADS}"
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._ending.close()
        if self.problems and not error:
            raise self.problems[0]

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        """Return the variables by which the command line uses this GitHub."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": self.repository.name,
            "GITHUB_TOKEN": token,
            "NO_PROXY": "127.0.0.1",
        }

    def faults(self, *faults: Fault) -> None:
        """Replace the faults."""
        self._faults = list(faults)

    @property
    def page(self) -> str:
        """The address of the repository's page."""
        return f"https://github.example/{self.repository.name}"

    def writes(self) -> list[str]:
        """Return method and last part of the path of each request that is no GET."""
        return [
            f"{each.method} {each.path.rpartition('/')[2]}"
            for each in self.calls
            if each.method != "GET"
        ]

    def fault(self, call: Call) -> Fault:
        """Return the fault of a request, if it has one."""
        with self.lock:
            return next((each for each in self._faults if each.matches(call)), Fault())

    def release_json(self, release: Release, most: int | None = None) -> dict[str, Any]:
        """Return a release as in an answer, with so many of its assets."""
        page = f"https://github.example/{self.repository.name}/releases"
        where = f"untagged-{release.id}" if release.draft else release.tag
        path = f"/repos/{self.repository.name}/releases/{release.id}"
        return {
            "id": release.id,
            "tag_name": release.tag,
            "target_commitish": release.target,
            "name": release.title,
            "body": release.body,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "immutable": release.immutable,
            "created_at": _time(release.created),
            "published_at": None if release.draft else _time(release.created),
            "html_url": f"{page}/tag/{where}",
            "upload_url": f"{self.uploads}{path}/assets{{?name,label}}",
            "assets": [self.asset_json(each) for each in release.assets[:most]],
        }

    def asset_json(self, asset: Asset) -> dict[str, Any]:
        """Return an asset as in an answer."""
        return {
            "id": asset.id,
            "name": asset.name,
            "state": asset.state,
            "size": len(asset.content),
            "digest": asset.digest,
            "created_at": _time(asset.created),
            "url": f"{self.url}/repos/{self.repository.name}/releases/assets/{asset.id}",
        }


def _time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _CutError(ConnectionError):
    """The connection ends without an answer."""


_ROUTES = [
    ("GET", "", "repository"),
    ("GET", "/releases", "releases"),
    ("GET", "/releases/([0-9]+)", "release"),
    ("GET", "/releases/tags/(.+)", "by_tag"),
    ("GET", "/releases/([0-9]+)/assets", "assets"),
    ("GET", "/git/ref/tags/(.+)", "ref"),
    ("GET", "/git/tags/([0-9a-f]+)", "tag"),
    ("POST", "/releases", "create"),
    ("POST", "/releases/([0-9]+)/assets", "upload"),
    ("PATCH", "/releases/([0-9]+)", "change"),
    ("GET", "/releases/assets/([0-9]+)", "content"),
    ("DELETE", "/releases/assets/([0-9]+)", "delete_asset"),
]


class _Handler(Quiet):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, owner: GitHubServer, *arguments: Any) -> None:  # noqa: ANN401
        self.owner = owner
        self.repository = owner.repository
        super().__init__(*arguments)

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        path = split.path.removeprefix(BASE).removeprefix(UPLOADS)
        self.query = {key: values[0] for key, values in parse_qs(split.query).items()}
        self.left = int(self.headers.get("content-length") or 0)
        if path.startswith("/storage/"):
            self._send_stored(int(path.rpartition("/")[2]))
            return
        call = Call(self.command, path, token="authorization" in self.headers)
        self.owner.calls.append(call)
        try:
            answer = self._answer(call, self.owner.fault(call))
        except ConnectionError:
            self._reset()
        except Exception as error:  # noqa: BLE001  a bug of the stand-in: the test must fail
            self.owner.problems.append(error)
            self._reset()
        else:
            self._send(answer)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _send_stored(self, number: int) -> None:
        """Send an asset's content as its store does, which refuses a second credential."""
        content = self.repository.asset(number).content
        refused = "authorization" in self.headers
        head = f"HTTP/1.1 {400 if refused else 200} -\r\ncontent-length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)

    def _answer(self, call: Call, fault: Fault) -> Answer:
        """Return the answer to a request.

        Raises:
            _CutError: there is none.
        """
        if fault.kind == "reset":
            raise _CutError
        if refusal := self._refusal(call) or limit(fault, self.repository.now()):
            self._read()
            return refusal
        if fault.kind == "hidden":
            self._read()
            return Answer(404, {"message": "Not Found"})
        if fault.kind == "unavailable":
            self._read()
            return Answer(503, {"message": "Service Unavailable"})
        try:
            answer = self._done(call, fault)
        except RefusedError as refused:
            self._read()
            answer = Answer(refused.status, refused.body)
        if fault.hook and (call.method, call.path.rpartition("/")[2]) != ("POST", "assets"):
            fault.hook()
        if fault.kind == "lost":
            raise _CutError
        return Answer(502, {"message": "Server Error"}) if fault.kind == "late-error" else answer

    def _refusal(self, call: Call) -> Answer | None:
        """Return the answer to a token that may not do this, and to an old name."""
        token = self.headers.get("authorization", "").rpartition(" ")[2]
        if not token and (call.method, self.repository.is_public) != ("GET", True):
            return Answer(404, {"message": "Not Found"})
        if token and token not in (TOKEN, READER, NO_PULLS):
            return Answer(401, {"message": "Bad credentials"})
        if self.owner.moved:
            return Answer(301, {"message": "Moved Permanently"}, {"location": self.owner.moved})
        is_pull = "/pulls" in call.path
        if call.method != "GET" and (token == READER or (token == NO_PULLS and is_pull)):
            permission = "pull_requests=write" if is_pull else "contents=write"
            needed = {"x-accepted-github-permissions": permission}
            return Answer(403, {"message": "Resource not accessible by integration"}, needed)
        return None

    def _done(self, call: Call, fault: Fault) -> Answer:
        start = f"/repos/{self.repository.name}"
        if not call.path.startswith(start):
            raise RefusedError(404, "Not Found")
        path = call.path.removeprefix(start)
        for method, pattern, name in _ROUTES:
            if method == call.method and (found := re.fullmatch(pattern, path)):
                if name == "upload":
                    return self._upload(found[1], fault)
                if fault.kind == "stale":
                    return self._list(self.repository.releases[:-1])
                body = self._read()
                with self.owner.lock:
                    do: Callable[..., Answer] = getattr(self, f"_{name}")
                    return do(*found.groups(), *([json.loads(body)] if body else []))
        return self._done_pulls(call.method, path, fault)

    def _done_pulls(self, method: str, path: str, fault: Fault) -> Answer:
        """Return the answer to a request on pull requests."""
        for wanted, pattern, do in PULL_ROUTES:
            if method == wanted and (found := re.fullmatch(pattern, path)):
                body = self._read()
                bodies = [json.loads(body)] if body else []
                with self.owner.lock:
                    self.repository.pulls.name = self.repository.name
                    result = do(self.repository.pulls, self.query, *found.groups(), *bodies)
                if isinstance(result, list):
                    shown = cast("list[Any]", result)
                    return self._page(shown[1:] if fault.kind == "stale" else shown)
                return Answer(201 if method == "POST" else 200, result)
        raise RefusedError(404, "Not Found")

    def _repository(self) -> Answer:
        return Answer(200, {"full_name": self.repository.name, "default_branch": "main"})

    def _releases(self) -> Answer:
        return self._list(self.repository.releases)

    def _list(self, releases: list[Release]) -> Answer:
        """The newest first; a token that may only read sees no drafts."""
        sees_drafts = self.headers.get("authorization", "").endswith(TOKEN)
        shown = [each for each in reversed(releases) if sees_drafts or not each.draft]
        most = self.repository.listed_assets
        return self._page([self.owner.release_json(each, most) for each in shown])

    def _page(self, items: list[Any]) -> Answer:
        """Return the wanted page of a list, of 30 unless more are wanted, and never over 100."""
        size = min(int(self.query.get("per_page", 30)), 100)
        page = int(self.query.get("page", 1))
        headers: dict[str, str] = {}
        if len(items) > page * size:
            path = urlsplit(self.path).path.removeprefix(BASE)
            following = f"{self.owner.url}{path}?per_page={size}&page={page + 1}"
            headers["link"] = f'<{following}>; rel="next"'
        return Answer(200, items[(page - 1) * size : page * size], headers)

    def _release(self, number: str) -> Answer:
        return Answer(200, self.owner.release_json(self.repository.release(int(number))))

    def _by_tag(self, tag: str) -> Answer:
        return Answer(200, self.owner.release_json(self.repository.published(tag)))

    def _create(self, wanted: dict[str, Any]) -> Answer:
        return Answer(201, self.owner.release_json(self.repository.create(wanted)))

    def _change(self, number: str, wanted: dict[str, Any]) -> Answer:
        return Answer(200, self.owner.release_json(self.repository.change(int(number), wanted)))

    def _assets(self, number: str) -> Answer:
        assets = self.repository.release(int(number)).assets
        return self._page([self.owner.asset_json(each) for each in assets])

    def _content(self, number: str) -> Answer:
        """The asset, or the address of its content, which must be read without a token."""
        asset = self.repository.asset(int(number))
        if self.headers.get("accept") != "application/octet-stream":
            return Answer(200, self.owner.asset_json(asset))
        storage = self.owner.url.removesuffix(BASE)
        return Answer(302, None, {"location": f"{storage}/storage/{asset.id}?signature=secret"})

    def _delete_asset(self, number: str) -> Answer:
        self.repository.delete_asset(int(number))
        return Answer(204)

    def _ref(self, tag: str) -> Answer:
        if not (commit := self.repository.tags.get(tag)):
            raise RefusedError(404, "Not Found")
        kind, sha = ("tag", "f" * 40) if tag in self.repository.annotated else ("commit", commit)
        return Answer(200, {"ref": f"refs/tags/{tag}", "object": {"sha": sha, "type": kind}})

    def _tag(self, _sha: str) -> Answer:
        (tag,) = self.repository.annotated
        return Answer(200, {"object": {"sha": self.repository.tags[tag], "type": "commit"}})

    def _upload(self, number: str, fault: Fault) -> Answer:
        with self.owner.lock:
            asset = self.repository.begin_upload(int(number), self.query["name"])
        content = self._read(self.left // 2)
        if fault.hook:
            fault.hook()
        if fault.kind == "broken":
            raise _CutError
        content += self._read()
        if fault.kind == "bad-gateway":
            return Answer(502, {"message": "Bad Gateway"})
        with self.owner.lock:
            self.repository.end_upload(asset, content)
        return Answer(201, self.owner.asset_json(asset))

    def _read(self, size: int | None = None) -> bytes:
        """Read the rest of the request's body, or some of it.

        Raises:
            _CutError: the client has gone.
        """
        size = self.left if size is None else size
        content = self.rfile.read(size)
        if len(content) < size:
            raise _CutError
        self.left -= size
        return content

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def _send(self, answer: Answer) -> None:
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        date = self.repository.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        length = {} if answer.status == 204 else {"content-length": str(len(content))}
        headers = {"date": date, "content-type": "application/json", **length, **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {self.responses[answer.status][0]}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + content)
