"""Options that several commands share, and the frame in which their work runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from pipeline.build.upstream import Upstream
    from pipeline.progress import Progress

Result = TypeVar("Result")


class EngineChoice(StrEnum):
    """What compiles."""

    AUTO = "auto"
    DAGGER = "dagger"
    HOST = "host"


def complete_distribution(incomplete: str) -> list[str]:
    """The distributions' names, for shell completion."""
    from pipeline import project
    from pipeline.config import load_config
    from pipeline.errors import OcelotError

    try:
        names = load_config(project.config_folder(None)).distributions
    except OcelotError:
        return []
    return [name for name in names if name.startswith(incomplete)]


DistributionName = Annotated[
    str,
    typer.Option(
        "--distribution",
        "-d",
        help="A name from distributions.yaml.",
        autocompletion=complete_distribution,
    ),
]
UpstreamRepo = Annotated[
    str,
    typer.Option(
        "--upstream-repo",
        "-r",
        help="Upstream: owner/name on GitHub, a git URL, a path, or `sample`.",
    ),
]
UpstreamRef = Annotated[
    str, typer.Option("--upstream-ref", "-b", help="Branch, tag, or full or short commit SHA.")
]
ConfigFolder = Annotated[
    Path | None,
    typer.Option("--config", envvar="OCELOT_CONFIG", help="Config folder; default: config/."),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Data as JSON on standard output, messages on standard error."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every line of every program.")]

AskedEngine = Annotated[
    EngineChoice, typer.Option("--engine", help="Containers by Dagger, or this machine.")
]
GoImage = Annotated[
    str, typer.Option("--go-image", help="Dagger's golang image; default: config/images.yaml.")
]


@contextmanager
def shown_progress(*, verbose: bool = False) -> Generator[Progress]:
    """Shows on standard error how the work goes, until the context ends."""
    from rich.console import Console

    from pipeline.progress import shown_by
    from pipeline.report import progress

    console = Console(stderr=True, highlight=False)
    with progress.shown_progress(console, os.environ, verbose=verbose) as shown, shown_by(shown):
        yield shown


def upstream_from(upstream_repo: str, upstream_ref: str, cache: Path) -> Upstream:
    """The upstream that the options name: of OCELOT_SOURCES, else by this machine's git."""
    from pipeline import project
    from pipeline.build import sources, upstream

    ref = upstream.check_ref(upstream_ref)
    if folder := os.environ.get(sources.VARIABLE):
        return sources.GatheredUpstream(given=upstream_repo, ref=ref, folder=Path(folder))
    origin = upstream.repository(upstream_repo, sample=project.sample_upstream())
    return upstream.HostUpstream(origin=origin, ref=ref, cache=cache)


def exclusive(*given: tuple[str, bool]) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: more than one of them was given.
    """
    from pipeline.errors import UsageError

    names = [name for name, is_given in given if is_given]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other", hint=f"give {names[0]} alone")


def run(
    work: Callable[[], Awaitable[Result]],
    *,
    left: str = "no file was left half-written",
    kept: str = "finished steps are kept in the cache",
) -> Result:
    """Run asynchronous work; Ctrl-C, SIGTERM and SIGHUP cancel it and let it clean up.

    Args:
        work: what is to be done.
        left: how things are left when it is interrupted, for people.
        kept: what need not be done again then.

    Raises:
        InterruptedBuildError: a signal ended it.
    """
    import anyio

    from pipeline.errors import InterruptedBuildError

    async def supervised() -> Result:
        ended_by: list[signal.Signals] = []
        results: list[Result] = []

        async def watch(
            scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]
        ) -> None:
            watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            with anyio.open_signal_receiver(*watched) as signals:
                task_status.started()
                async for number in signals:
                    ended_by.append(number)
                    scope.cancel()

        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, tasks.cancel_scope)
            results.append(await work())
            tasks.cancel_scope.cancel()
        if not results:
            name = ended_by[0].name if ended_by else "a signal"
            raise InterruptedBuildError(
                f"interrupted by {name}; {left}",
                hint=f"run the same command again: {kept}",
            )
        return results[0]

    return anyio.run(supervised)
