"""`ocelot bench`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, run, shared, shown_progress
from pipeline.options import BenchOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.bench.result import Result
    from pipeline.bench.run import Request
    from pipeline.layer.manifest import Manifest, Start


@shared
def bench(
    *,
    zips: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ZIP|FOLDER...", help="Layers to be tried; default: dist/."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="ZIP|MANIFEST",
            help="Another layer, measured in turns with these, or an earlier manifest.json.",
        ),
    ] = None,
    options: BenchOptions,
    collector_config: Annotated[
        Path | None,
        typer.Option(
            "--collector-config",
            metavar="FILE",
            help="A collector's config that must be accepted.",
        ),
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Only the short run before publishing, of layers that have not passed; the "
            "manifest beside them says what was found.",
        ),
    ] = False,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env", metavar="NAME[=VALUE]", help="A variable of the function's environment."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="The compiled reference extension; default: it is compiled here, where Go is.",
        ),
    ] = None,
    common: CommonOptions,
) -> None:
    """Run layers as Lambda would, see that they lose nothing, and measure them.

    No function, no AWS account, no container: the layer's extensions run beside a stand-in for
    Lambda on this machine. It ends with 15 where a layer fails.
    """
    from pipeline.bench.here import check_packages

    check_packages()
    if gate:
        _pass_gate(layer_paths(zips or [Path("dist")]), common)
        return

    from pipeline.bench.result import check_results, earlier_starts
    from pipeline.bench.run import Request
    from pipeline.build.compile import Compiler
    from pipeline.paths import go_caches

    earlier = _read_earlier(against)
    request = Request(
        zips=layer_paths(zips or [Path("dist")]),
        against=None if earlier else against,
        config=common.load(),
        starts=options.starts,
        invocations=options.invocations,
        collector_config=collector_config,
        environment=_variables(env or []),
        reference=reference,
        compiler=Compiler(caches=go_caches()),
    )
    results = carry_out(request, verbose=common.verbose)
    noted = earlier_starts(results, earlier) if earlier else None
    _report(results, measured=bool(request.against), noted=noted, as_json=common.as_json)
    check_results(results)


def _pass_gate(zips: Sequence[Path], common: CommonOptions) -> None:
    from functools import partial

    from pipeline.bench.gate import check_layers, noted_layers

    layers, loaded = noted_layers(zips), common.load()
    with shown_progress(verbose=common.verbose):
        notes = run(
            partial(check_layers, layers, loaded, wanted=True),
            left="every process was ended",
            kept="what passed is not run again",
        )
    found = {path.name: notes[layer.sha256].benched for path, layer in layers.items()}
    if common.as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo("\n".join(f"{name}: {benched}" for name, benched in found.items()))


def carry_out(request: Request, *, verbose: bool) -> tuple[Result, ...]:
    """Try layers; how it goes is shown on standard error."""
    from functools import partial

    from pipeline.bench.run import bench as run_bench

    with shown_progress(verbose=verbose):
        return run(
            partial(run_bench, request),
            left="every process was ended",
            kept="nothing is kept",
        )


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


def _read_earlier(path: Path | None) -> Manifest | None:
    """The manifest of that path; None for a zip.

    Raises:
        UsageError: it is no manifest.
    """
    from pipeline.errors import UsageError
    from pipeline.layer.manifest import read_manifest

    if path is None or path.suffix != ".json":
        return None
    if manifest := read_manifest(path):
        return manifest
    raise UsageError(f"there is no {path}", hint="ocelot build writes one beside its zips")


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


def _report(
    results: Sequence[Result],
    *,
    measured: bool,
    noted: Mapping[str, Start] | None,
    as_json: bool,
) -> None:
    from pipeline.github.annotations import append_summary
    from pipeline.report import bench as reports
    from pipeline.report.rendering import markdown, show

    report = reports.bench_report(results)
    append_summary(markdown(report), os.environ)
    if as_json:
        typer.echo(reports.bench_json(results, against=measured, noted=noted), nl=False)
        return
    show(report)
    if noted is not None:
        show(*reports.earlier_reports(results, noted))
    if measured:
        show(*reports.comparison_reports(results))
