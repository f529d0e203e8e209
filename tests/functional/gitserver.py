"""A real git server on loopback, and the small repository of upstream's shape that it serves.

`git http-backend` runs as a CGI program behind Python's own HTTP server, which keeps a log of what
it was asked for and shows the faults that a test wants to see.
"""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from loopback import Quiet, serving

Kind = Literal["discover", "list", "fetch", "push-discover", "push"]
Fault = Literal[
    "unavailable",  # 503, not done
    "forbidden",  # 403, not done
    "stall",
    "cut",  # done, but only half of the answer is sent
    "lost",  # done, but no answer
]

# The requests by which git finds a branch's or tag's commit: one `ls-remote` and nothing else.
LS_REMOTE: tuple[Kind, ...] = ("discover", "list")

_WHO = "ocelot"
_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": _WHO,
    "GIT_AUTHOR_EMAIL": f"{_WHO}@localhost",
    "GIT_COMMITTER_NAME": _WHO,
    "GIT_COMMITTER_EMAIL": f"{_WHO}@localhost",
}


def git(folder: Path, *arguments: str, data: bytes = b"", time: int = 1_700_000_000) -> str:
    """Run git in a folder, untouched by the machine's settings; gives what it printed.

    Args:
        folder: working folder.
        arguments: after `git`.
        data: standard input.
        time: seconds since the epoch, for commits and tags.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    dates = {"GIT_AUTHOR_DATE": f"{time} +0000", "GIT_COMMITTER_DATE": f"{time} +0000"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**own, **_SETTINGS, **dates},
        input=data,
        check=True,
        stdout=subprocess.PIPE,
        timeout=10,
    )
    return done.stdout.decode().strip()


def new_repository(folder: Path, *, object_format: str = "sha1") -> Path:
    """A repository without a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", f"--object-format={object_format}", "--initial-branch=main")
    return folder


def commit(
    repository: Path,
    files: Mapping[str, bytes | PurePosixPath],
    *,
    branch: str = "main",
    start: str = "",
    time: int = 1_700_000_000,
) -> str:
    """Commit files byte for byte, past every filter; gives the commit's SHA.

    Args:
        repository: where; its work tree is left alone.
        files: content by path; a path as content is a symbolic link to it.
        branch: where the commit goes.
        start: the commit's parent; without one it is the branch's first.
        time: seconds since the epoch.
    """
    who = f"{_WHO} <{_WHO}@localhost> {time} +0000"
    head = [f"commit refs/heads/{branch}", f"committer {who}", "data 0"]
    lines = [line.encode() for line in (*head, *([f"from {start}"] if start else []))]
    for name, content in files.items():
        mode, data = (100644, content) if isinstance(content, bytes) else (120000, bytes(content))
        lines.append(f"M {mode} inline {name}\ndata {len(data)}\n".encode() + data)
    git(repository, "fast-import", "--quiet", "--force", data=b"\n".join([*lines, b""]))
    return git(repository, "rev-parse", f"refs/heads/{branch}")


COLLECTOR: Mapping[str, bytes] = {
    "go.mod": b"module example.invalid/collector\n\ngo 1.25.0\n\n"
    b"require go.opentelemetry.io/collector/otelcol v0.155.0\n",
    "config.yaml": b"receivers:\n  otlp:\n",
    "lambdacomponents/default.go": b"package lambdacomponents\n",
    "main.go": b"package main\n\nfunc main() {}\n",
}


def in_collector(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files with their paths below `collector/`."""
    return {f"collector/{name}": content for name, content in files.items()}


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A repository of upstream's shape.

    Attributes:
        path: its work tree.
        commits: full SHAs by a name: first, second, third, main, feature.
    """

    path: Path
    commits: Mapping[str, str]


def new_upstream(folder: Path) -> Upstream:
    """A repository with `collector/` and more, four commits on main, branches and tags.

    Tags: `light` at the first commit, the annotated `noted` and `layer/0.2.0` at the second, the
    annotated `of-noted` at `noted`; none at the third. Branches: `main`, and `feature/one`
    from the second commit.
    """
    path = new_repository(folder)
    commits: dict[str, str] = {}

    def grow(name: str, files: Mapping[str, bytes], start: str, branch: str = "main") -> None:
        time = 1_700_000_000 + len(commits)
        commits[name] = commit(path, files, branch=branch, start=start, time=time)

    outside = {"README.md": b"# outside\n", "python/src/wrapper.py": b"import os\n"}
    grow("first", {**in_collector(COLLECTOR), **outside}, "")
    for name, start in (("second", "first"), ("third", "second"), ("main", "third")):
        grow(name, {"collector/config.yaml": f"{name}: {{}}\n".encode()}, commits[start])
    grow("feature", {"collector/feature.go": b"package main\n"}, commits["second"], "feature/one")
    git(path, "tag", "light", commits["first"])
    for name in ("noted", "layer/0.2.0"):
        git(path, "tag", "--annotate", "--message", name, name, commits["second"])
    git(path, "tag", "--annotate", "--message", "a tag of a tag", "of-noted", "noted")
    return Upstream(path=path, commits=commits)


@dataclass(kw_only=True)
class GitServer:
    """Serves the repositories below a folder as `<url>/<name>`, for as long as it is entered.

    Attributes:
        root: the folder.
        credentials: user and password that are asked for; None where anybody may read and push.
        reader: user and password of who may read, but not push.
        single_commits: hand out any commit; else, as protocol version 0 does, only what a branch
            or tag points to.
        faults: what goes wrong, by the kind of request that it befalls.
        times: number of requests that a fault befalls, by their kind; all where there is none.
        hooks: called before a request of the kind is done, as another user would act then.
        gathering: fetches wait here for one another.
        log: what was asked for, in order.
        fetching: set as soon as a fetch is asked for.
        host: address and port.
    """

    root: Path
    credentials: tuple[str, str] | None = None
    reader: tuple[str, str] | None = None
    single_commits: bool = True
    faults: dict[Kind, Fault] = field(default_factory=dict[Kind, Fault])
    times: dict[Kind, int] = field(default_factory=dict[Kind, int])
    hooks: dict[Kind, Callable[[], None]] = field(default_factory=dict[Kind, Callable[[], None]])
    gathering: threading.Barrier | None = None
    log: list[Kind] = field(default_factory=list[Kind])
    fetching: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    host: str = ""

    def __enter__(self) -> Self:
        self._ending = ExitStack()
        self.host = self._ending.enter_context(serving(partial(_Handler, self)))
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._ending.close()

    def fault(self, kind: Kind) -> Fault | None:
        """Return the fault of a request of this kind; counts."""
        left = self.times.get(kind, 1)
        if kind in self.times:
            self.times[kind] = max(0, left - 1)
        return self.faults.get(kind) if left else None

    def url(self, repository: Path) -> str:
        """The URL of a repository."""
        return f"http://{self.host}/{repository.relative_to(self.root).as_posix()}"


class _Handler(Quiet):
    """One request to git http-backend: https://git-scm.com/docs/git-http-backend."""

    def __init__(self, owner: GitServer, *arguments: Any) -> None:  # noqa: ANN401
        self.owner = owner
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        self._serve(self.rfile.read(int(length)) if length else b"".join(self._chunks()))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _serve(self, body: bytes) -> None:
        kind = self._kind(body)
        self.owner.log.append(kind)
        if kind == "fetch":
            self.owner.fetching.set()
        if refusal := self._refusal(kind):
            self.send_response(refusal)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if hook := self.owner.hooks.get(kind):
            hook()
        fault = self.owner.fault(kind)
        if fault in ("unavailable", "forbidden"):
            self.send_error(503 if fault == "unavailable" else 403)
        elif fault == "stall":
            self.owner.closing.wait(20)
        else:
            if kind == "fetch" and self.owner.gathering:
                with suppress(threading.BrokenBarrierError):
                    self.owner.gathering.wait(3)
            self._answer(body, fault)

    def _kind(self, body: bytes) -> Kind:
        pushes = "git-receive-pack" in self.path
        if self.command == "GET":
            return "push-discover" if pushes else "discover"
        if pushes:
            return "push"
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return "list" if b"command=ls-refs" in body else "fetch"

    def _refusal(self, kind: Kind) -> int:
        """401 without the credentials, 403 where they are not enough; else 0."""
        if not self.owner.credentials:
            return 0
        given = self.headers.get("Authorization")
        if given == _basic(self.owner.credentials):
            return 0
        if self.owner.reader and given == _basic(self.owner.reader):
            return 403 if kind.startswith("push") else 0
        return 401

    def _answer(self, body: bytes, fault: Fault | None) -> None:
        done = subprocess.run(
            ["git", "http-backend"],
            env=self._environment(),
            input=body,
            check=True,
            stdout=subprocess.PIPE,
            timeout=20,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        if fault == "lost":
            self.close_connection = True
            return
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

    def _environment(self) -> dict[str, str]:
        asked = urlsplit(self.path)  # a whole URL where this server is used as a proxy
        protocol = self.headers.get("Git-Protocol", "") if self.owner.single_commits else ""
        return {
            **_SETTINGS,
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": protocol,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": asked.path,
            "QUERY_STRING": asked.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true",
        }


def _basic(credentials: tuple[str, str]) -> str:
    return f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}"
