"""Known vulnerabilities of a layer's binary, found by a pinned govulncheck.

The Go vulnerability database is a URL or a folder: https://go.dev/doc/security/vuln/database.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio

from pipeline import process, progress
from pipeline.audit.findings import Scan, read_scan
from pipeline.build.compile import Workspace
from pipeline.build.recipe import GoStep
from pipeline.build.toolchain import go_program
from pipeline.build.tools import kept_in_cache, run_go, scratch_folder, tool_name, tool_step
from pipeline.errors import ToolchainError, UsageError, quoted
from pipeline.files import output_errors
from pipeline.layer.elf import read_elf

DATABASE = "https://vuln.go.dev"
GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck"
GOVULNCHECK_VERSION = "v1.8.0"  # its go.mod must not require a newer Go than the pinned one
LANE = "vulnerabilities"
SCAN_SECONDS = 600

_FOUND = 3  # govulncheck's exit code, in some of its formats, where it found something
_ELSEWHERE = "give a copy of the database, a folder or another URL, with --vuln-db"
_BINARY = re.compile(r"unrecognized binary format|unsupported Go version|is not a file")
_UNUSABLE = re.compile(r"fetching vulnerabilities|creating client|vulndb|looking up")


async def scan(binary: bytes, *, cache: Path, database: str) -> Scan:
    """Look the modules of a binary up in a vulnerability database.

    Args:
        binary: a Go program, such as a layer's `extensions/collector`.
        cache: the user cache, where the compiled govulncheck is kept.
        database: a URL, or a folder of the database's layout.

    Raises:
        UsageError: the database is neither.
        ToolchainError: the database or govulncheck cannot be used, or its output is incomplete.
    """
    url = database_url(database)
    go = go_program()
    program = await _installed(go, cache)
    with progress.step(LANE, f"ask {url}") as step:
        with scratch_folder() as folder:
            (folder / "collector").write_bytes(binary)
            found = await _govulncheck(program, url, folder, symbols=has_symbols(binary))
        step.result = f"{len(found.vulnerabilities)} found"
    return found


def database_url(given: str) -> str:
    """Return the URL of a database that the user names by URL or folder.

    Raises:
        UsageError: it is neither, or it has credentials.
        ToolchainError: the folder has no database.
    """
    if "://" not in given:
        return _folder_url(Path(given))
    try:
        parts = urlsplit(given)
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc:
        raise UsageError(
            "the vulnerability database's URL has credentials",
            hint="leave them out: other users of the machine can read command lines",
        )
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return _folder_url(Path(unquote(parts.path)))
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise UsageError(
            f"{quoted(given)} is no vulnerability database",
            hint=f"give a URL such as {DATABASE}, or a folder",
        )
    return given.rstrip("/")


def has_symbols(binary: bytes) -> bool:
    """Return True if a 64-bit ELF binary has a symbol table; ocelot's layers have none."""
    try:
        return read_elf(binary).section(".symtab") is not None
    except UsageError:
        return False


def _folder_url(given: Path) -> str:
    """Return the URL of a folder that is a database; govulncheck does not check that."""
    try:
        folder = given.expanduser().resolve()
        complete = all((folder / "index" / name).is_file() for name in ("db.json", "modules.json"))
    except (OSError, RuntimeError, ValueError):  # no such user, a NUL
        folder, complete = given, False
    if not complete:
        raise ToolchainError(
            f"{quoted(str(given))} has no Go vulnerability database",
            hint="give a folder with index/db.json, index/modules.json and ID/ in it, such as "
            f"{DATABASE}/vulndb.zip unpacked",
        )
    return folder.as_uri()


async def _govulncheck(program: Path, url: str, folder: Path, *, symbols: bool) -> Scan:
    """Run govulncheck on the file `collector` of a folder, and read its output."""
    # At level symbol govulncheck reports every function of a module in a stripped binary as found.
    level = "symbol" if symbols else "module"
    options = ("-mode=binary", "-format=json", f"-scan={level}", f"-db={url}")
    with output_errors(folder):
        _switch_telemetry_off(folder / "config")
    work = Workspace(
        go=program,
        source=folder,
        scratch=folder,
        caches=folder,
        settings={},
    )
    step = GoStep(
        name="govulncheck",
        lane=LANE,
        argv=("govulncheck", *options, str(folder / "collector")),
        env=(("HOME", str(folder)), ("XDG_CONFIG_HOME", str(folder / "config"))),
        caches=(),
        network=True,
    )
    try:
        with anyio.fail_after(SCAN_SECONDS):
            code, output, errors = await process.read_output(
                work.argv(step), cwd=folder, env=work.environment(step)
            )
    except TimeoutError as error:
        raise ToolchainError(
            f"the vulnerability database {url} did not answer in {SCAN_SECONDS} seconds",
            hint=f"check HTTPS_PROXY and the network, or {_ELSEWHERE}",
        ) from error
    except OSError as error:
        raise ToolchainError(
            f"{program} cannot be run: {error.strerror or error}",
            hint=f"delete {program.parent}, then run the same command again",
        ) from error
    if code not in (0, _FOUND):
        raise _failure(url, code, errors)
    found = read_scan(output, database=url)
    if (code == _FOUND and not found.vulnerabilities) or found.level != level:
        raise _failure(url, code, errors)
    return found


def _failure(url: str, code: int, errors: str) -> ToolchainError:
    """Return the error for a govulncheck that ended without a usable output."""
    if _BINARY.search(errors):
        message = "govulncheck cannot read the layer's binary"
        hint = "scan a layer that ocelot has built"
    elif _UNUSABLE.search(errors):
        message = f"the vulnerability database {url} cannot be used"
        hint = f"check the URL, HTTPS_PROXY and the network, or {_ELSEWHERE}"
    else:
        message = f"govulncheck ended with exit code {code} and without a result"
        hint = "the layer's vulnerabilities are not known: run the same command again"
    return ToolchainError(message, hint=hint, details=tuple(errors.splitlines()[-20:]))


async def _installed(go: Path, cache: Path) -> Path:
    """Return the pinned govulncheck, compiled by the pinned Go and checked by sum.golang.org."""
    name = tool_name("govulncheck", GOVULNCHECK_VERSION)
    return await kept_in_cache(cache, name, partial(_install, go, cache)) / "govulncheck"


async def _install(go: Path, cache: Path, into: Path) -> None:
    step = tool_step(
        f"install govulncheck {GOVULNCHECK_VERSION}",
        LANE,
        *("install", f"{GOVULNCHECK}@{GOVULNCHECK_VERSION}"),
        GOBIN=str(into),
    )
    await run_go(go, cache, step, into.parent, tool=f"govulncheck {GOVULNCHECK_VERSION}")


def _switch_telemetry_off(config: Path) -> None:
    """Switch off Go's telemetry, whose process may outlive the temporary folder.

    Go reads this file in the user's configuration folder:
    https://pkg.go.dev/golang.org/x/telemetry
    """
    mode = config / "go" / "telemetry" / "mode"
    mode.parent.mkdir(parents=True, exist_ok=True)
    mode.write_text("off", encoding="utf-8")
