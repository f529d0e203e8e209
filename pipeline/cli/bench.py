"""`ocelot bench`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.bench.run import Request, Result
    from pipeline.build.engines import Engine

Zips = Annotated[
    list[Path] | None,
    typer.Argument(metavar="ZIP|FOLDER...", help="Layers to be tried; default: dist/."),
]
Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="ZIP", help="Another layer, measured in turns with these."),
]
Starts = Annotated[int, typer.Option("--starts", min=1, help="Cold starts of each layer.")]
Invocations = Annotated[
    int, typer.Option("--invocations", min=1, help="Invocations in each cold start.")
]
CollectorConfig = Annotated[
    Path | None,
    typer.Option(
        "--collector-config", metavar="FILE", help="A collector's config that must be accepted."
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="FILE",
        help="The compiled reference extension; default: it is compiled here, where Go is.",
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME[=VALUE]", help="A variable of the function's environment."),
]


def bench(
    zips: Zips = None,
    against: Against = None,
    starts: Starts = 5,
    invocations: Invocations = 10,
    collector_config: CollectorConfig = None,
    env: Env = None,
    reference: Reference = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Run layers as Lambda would, see that they lose nothing, and measure them.

    No function, no AWS account, no container: the layer's extensions run beside a stand-in for
    Lambda on this machine. It ends with 15 where a layer fails.
    """
    from pipeline import project
    from pipeline.bench.parts import check_parts
    from pipeline.config import load_config

    check_parts()

    from pipeline.bench.run import Request
    from pipeline.bench.verdicts import check_verdicts

    request = Request(
        zips=(*layer_paths(zips or [Path("dist")]), *([against] if against else [])),
        config=load_config(project.config_folder(config)),
        starts=starts,
        invocations=invocations,
        collector_config=collector_config,
        environment=_variables(env or []),
        reference=reference,
        engine=host_engine(),
    )
    results = carry_out(request, verbose=verbose)
    _report(results, against=against is not None, as_json=as_json)
    check_verdicts(results)


def carry_out(request: Request, *, verbose: bool) -> tuple[Result, ...]:
    """Try layers; how it goes is shown on standard error."""
    from functools import partial

    from pipeline.bench.run import bench as run_bench

    with options.shown_progress(verbose=verbose) as progress:
        return options.run(
            partial(run_bench, request, progress),
            left="every process was ended",
            kept="nothing is kept",
        )


def host_engine() -> Engine:
    """What compiles the reference on this machine."""
    from pipeline.build.engines.host import HostEngine
    from pipeline.cache import go_caches

    return HostEngine(caches=go_caches())


def layer_paths(given: Sequence[Path]) -> tuple[Path, ...]:
    """Zips, and the zips of folders.

    Raises:
        UsageError: a folder has none.
    """
    from pipeline.errors import UsageError

    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.zip")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"there is no zip in {path}", hint="ocelot build makes some")
        found += inside
    return tuple(dict.fromkeys(found))


def _variables(given: Sequence[str]) -> dict[str, str]:
    """Variables by name; a name alone stands for our own variable of that name."""
    from pipeline.errors import UsageError, quoted

    found: dict[str, str] = {}
    for each in given:
        name, is_given, value = each.partition("=")
        if not name or (not is_given and name not in os.environ):
            raise UsageError(f"--env {name or quoted(each)} is not set", hint="--env NAME=VALUE")
        found[name] = value if is_given else os.environ[name]
    return found


def _report(results: Sequence[Result], *, against: bool, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.github.annotations import append_summary
    from pipeline.report import bench as reports

    append_summary(reports.bench_markdown(results), os.environ)
    if as_json:
        typer.echo(reports.bench_json(results, against=against), nl=False)
        return
    console = Console(highlight=False)
    if any(each.figures for each in results):
        console.print(reports.bench_table(results))
    for line in reports.bench_lines(results):
        console.print(line, soft_wrap=True)
    if against:
        for line in reports.bench_bars(results):
            console.print(line, soft_wrap=True)
