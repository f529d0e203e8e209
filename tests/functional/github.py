"""GitHub for tests: a repository with our files, its OIDC endpoint, and a runner for its jobs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from actions_runner import Runner
from aws_mended import web_token
from github_commands import (
    CALLS,
    DOWNLOADS,
    PULL_REQUESTS,
    Call,
    calls_in,
    dagger_archive,
    put_programs,
)
from runs import CONFIG

CHECKOUT = Path(__file__).parents[2]
REPOSITORY = "acme/layers"
ARCHIVE = "dagger_v0.21.8_linux_amd64.tar.gz"
UPSTREAM = "https://github.com/open-telemetry/opentelemetry-lambda"


@dataclass(kw_only=True)
class GitHub:
    """A repository, and what runs its workflows.

    Attributes:
        origin: the repository, bare.
        upstream: the one that is watched.
        tokens: the OIDC tokens that were handed out.
        bearer: what a job shows to be handed one.
    """

    folder: Path
    origin: Path
    upstream: Path
    runner: Runner
    bearer: str = field(default_factory=lambda: secrets.token_hex(16))
    tokens: list[str] = field(default_factory=list[str])

    @property
    def calls(self) -> list[Call]:
        """How programs were called."""
        return calls_in(self.folder / "calls")

    def calls_of(self, *words: str) -> list[Call]:
        """The calls that begin with these words."""
        return [call for call in self.calls if call[: len(words)] == list(words)]

    @property
    def pull_requests(self) -> list[dict[str, Any]]:
        """Those there are."""
        file = self.folder / "pull-requests"
        return json.loads(file.read_text()) if file.exists() else []

    def close_pull_requests(self) -> None:
        """Close all without merging."""
        closed = [{**each, "state": "closed"} for each in self.pull_requests]
        (self.folder / "pull-requests").write_text(json.dumps(closed))


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ("-c", "user.name=ocelot", "-c", "user.email=ocelot@localhost")
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=folder,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


_QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def made_repository(folder: Path, *, config: Mapping[str, str]) -> Path:
    """A bare repository with our workflows' scripts and config; config files may be others.

    The digest of Dagger's archive is that of the one for tests.
    """
    work = folder / "seed"
    for name in (".github", ".ci"):
        ignored = shutil.ignore_patterns("venv")
        shutil.copytree(CHECKOUT / name, work / name, ignore=ignored)
    install = work / ".github" / "install-dagger"
    archive = hashlib.sha256((folder / "downloads" / ARCHIVE).read_bytes()).hexdigest()
    install.write_text(re.sub(r"(?m)^sha256=\w+", f"sha256={archive}", install.read_text()))
    shutil.copytree(CONFIG, work / "config")
    for name, text in config.items():
        (work / "config" / name).write_text(text)
    git(work, "init", "--quiet", "--initial-branch", "main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "All of it")
    git(folder, "clone", "--quiet", "--bare", str(work), "origin.git")
    return folder / "origin.git"


def made_upstream(folder: Path, *tags: str) -> Path:
    """A repository with nothing but tags."""
    work = folder / "upstream"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch", "main")
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Something")
    for tag in tags:
        git(work, "tag", tag)
    return work


@contextmanager
def github(
    folder: Path,
    *,
    config: Mapping[str, str],
    environment: Mapping[str, str],
    tags: tuple[str, ...] = (),
) -> Generator[GitHub]:
    """A GitHub with one repository."""
    (folder / "downloads").mkdir(parents=True)
    (folder / "downloads" / ARCHIVE).write_bytes(dagger_archive())
    origin = made_repository(folder, config=config)
    upstream = made_upstream(folder, *tags)
    runner = Runner(
        folder=folder / "jobs",
        checkout=partial(_check_out, origin),
        programs=put_programs(folder / "programs"),
        environment=_environment(folder, upstream, environment),
        token=lambda _: {},
        github={
            "repository": REPOSITORY,
            "ref_name": "main",
            "token": "ghs_" + secrets.token_hex(8),
            "event": {"repository": {"visibility": "public"}},
        },
    )
    there = GitHub(folder=folder, origin=origin, upstream=upstream, runner=runner)
    with _oidc(there) as url:
        runner.token = partial(_asking, there, url)
        yield there


def _check_out(origin: Path, target: Path) -> None:
    git(origin, "clone", "--quiet", str(origin), str(target))


def _environment(folder: Path, upstream: Path, more: Mapping[str, str]) -> Mapping[str, str]:
    (folder / "home").mkdir()
    kept = ("PATH", "LANG", "TMPDIR", "OCELOT_DAGGER_SCHEMA")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **_QUIET,
        "HOME": str(folder / "home"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{upstream}.insteadOf",
        "GIT_CONFIG_VALUE_0": UPSTREAM,
        CALLS: str(folder / "calls"),
        DOWNLOADS: str(folder / "downloads"),
        PULL_REQUESTS: str(folder / "pull-requests"),
        **more,
    }


def _asking(there: GitHub, url: str, environment: str) -> Mapping[str, str]:
    """What a job is given to ask for a token with, GitHub's address having a query already."""
    subject = f"environment:{environment}" if environment else "ref:refs/heads/main"
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?subject=repo:{REPOSITORY}:{subject}",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": there.bearer,
    }


@contextmanager
def _oidc(there: GitHub) -> Generator[str]:
    """The endpoint that hands out tokens to those who show the bearer's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            if self.headers["Authorization"] != f"bearer {there.bearer}":
                self.send_error(401)
                return
            token = web_token(
                asked["subject"][0], aud=asked["audience"][0], jti=secrets.token_hex(8)
            )
            there.tokens.append(token)
            body = json.dumps({"value": token}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
