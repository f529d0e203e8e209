"""`ocelot lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import options
from pipeline.cli.inputs import Asked, opened_inputs

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.build.locking import Locking
    from pipeline.build.run import Request
    from pipeline.build.upstream import Upstream
    from pipeline.config import Config

Distributions = Annotated[
    list[str] | None,
    typer.Option(
        "--distribution",
        "-d",
        help="A name from distributions.yaml, once or more often; default: all.",
        autocompletion=options.complete_distribution,
    ),
]
Upgrade = Annotated[
    bool, typer.Option("--upgrade", help="Follow the ref to its newest commit, modules anew.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit 9 if the lock is not up to date.")
]


def lock(
    distribution: Distributions = None,
    upstream_repo: options.UpstreamRepo = defaults.UPSTREAM_REPO,
    upstream_ref: options.UpstreamRef = defaults.UPSTREAM_REF,
    upgrade: Upgrade = False,
    check: Check = False,
    engine: options.AskedEngine = options.EngineChoice.AUTO,
    go_image: options.GoImage = "",
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Write down what distributions are made from, in config/ocelot.lock.

    Builds then keep to it: commit, modules and their sums, Go, and the zips' digests once built.
    """
    from pipeline.build import locking
    from pipeline.files import check_writable

    options.exclusive(("--upgrade", upgrade), ("--check", check))
    asked = Asked(
        config=config,
        upstream_repo=upstream_repo,
        upstream_ref=upstream_ref,
        engine=engine,
        go_image=go_image,
    )
    with opened_inputs(asked, verbose=verbose) as given:
        if not check:
            check_writable(given.config.folder)
        names = distribution or list(given.config.distributions)
        requests = _requests(names, given.upstream(), given.cache)

        async def work() -> tuple[Locking, ...]:
            engine = None if check else await given.engine()
            return await locking.lock_distributions(
                requests, given.config, engine, given.progress, upgrade=upgrade
            )

        done = options.run(work)
    _finish(done, given.config, prune=not distribution, check=check, as_json=as_json)


def _requests(names: list[str], upstream: Upstream, cache: Path) -> list[Request]:
    from pipeline.build.run import Request
    from pipeline.model import Architecture

    return [
        Request(
            distribution=name,
            architectures=tuple(Architecture),
            upstream=upstream,
            output=cache,
        )
        for name in dict.fromkeys(names)
    ]


def _finish(
    done: tuple[Locking, ...], config: Config, *, prune: bool, check: bool, as_json: bool
) -> None:
    """Write what was found out, show it, and fail where something could not be found out."""
    from rich.console import Console

    from pipeline.build import lock as lockfile
    from pipeline.build import locking
    from pipeline.report.lock import lock_json, lock_table

    if not check:
        kept = tuple(config.distributions) if prune else None
        lockfile.write_entries(config.folder, *locking.entries(done), distributions=kept)
    if as_json:
        typer.echo(lock_json(done), nl=False)
    else:
        Console(highlight=False).print(lock_table(done))
    locking.check_outcomes(done, check=check)
