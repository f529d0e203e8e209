"""Go programs that ocelot runs itself, compiled by the pinned Go and kept in the user cache."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.build.compile import Workspace
from pipeline.build.recipe import CACHES, GO_VERSION, GoStep
from pipeline.build.toolchain import module_settings
from pipeline.errors import ToolchainError
from pipeline.files import file_lock, output_errors

# The folder in which Go runs; a go.mod may be written to it before.
SOURCE = "source"

_FOLDER = "tools"
_LOCKS = "tool-locks"


async def kept_in_cache(cache: Path, name: str, make: Callable[[Path], Awaitable[None]]) -> Path:
    """Return a folder of the user cache; one process at a time makes it where it is missing.

    Args:
        cache: the user cache.
        name: of the folder, with the versions that its content depends on.
        make: fills an empty folder, which then becomes the kept one in one step.
    """
    folder = cache / _FOLDER / name
    if folder.is_dir():
        return folder
    waiting = partial(progress.note, f"another ocelot makes {folder}: waiting for it")
    async with file_lock(cache / _LOCKS / name, waiting):
        if not folder.is_dir():
            with scratch_folder(folder.parent) as scratch:
                made = scratch / name
                made.mkdir()
                await make(made)
                with output_errors(folder.parent):
                    made.replace(folder)
    return folder


async def run_go(go: Path, cache: Path, step: GoStep, folder: Path, *, tool: str) -> None:
    """Run Go in the folder `SOURCE` of a temporary folder, with the caches of builds.

    Modules come from where the user's Go is set to.

    Raises:
        ToolchainError: it failed; the message says that the tool cannot be installed.
    """
    caches = cache / "go"
    with output_errors(cache):
        for _variable, each in CACHES:
            (caches / each).mkdir(parents=True, exist_ok=True)
        (folder / SOURCE).mkdir(exist_ok=True)
    work = Workspace(
        go=go,
        source=folder / SOURCE,  # Go ignores a go.mod right in its folder for temporary files
        scratch=folder,
        caches=caches,
        settings=module_settings(),
    )
    try:
        await work.run(step)
    except ToolchainError as error:
        raise ToolchainError(
            f"{tool} cannot be installed",
            hint="check GOPROXY, HTTPS_PROXY and the network, then run the same command again",
            details=error.details,
        ) from error


def tool_step(name: str, lane: str, *argv: str, **environment: str) -> GoStep:
    """Return a step that brings or compiles a tool; it may use the network.

    Args:
        name: its purpose, for people.
        lane: the line of work that it belongs to.
        argv: arguments of `go`.
        environment: variables beside those that hold for all tools.
    """
    fixed = {
        "CGO_ENABLED": "0",
        "GOENV": "off",
        "GOFLAGS": "-modcacherw -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return GoStep(
        name=name,
        lane=lane,
        argv=("go", *argv),
        env=tuple(sorted({**fixed, **environment}.items())),
        network=True,
    )


def tool_name(tool: str, version: str) -> str:
    """Return the name of a compiled tool's folder."""
    return f"{tool}-{version}-go{GO_VERSION}"


@contextmanager
def scratch_folder(beside: Path | None = None) -> Generator[Path]:
    """Make a temporary folder, inside another folder if one is given."""
    with output_errors(beside or Path(tempfile.gettempdir())):
        if beside:
            beside.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(
            prefix=".ocelot-", dir=beside, ignore_cleanup_errors=True
        )
    with folder as name:
        yield Path(name)
