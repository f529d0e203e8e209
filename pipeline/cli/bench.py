"""`ocelot bench`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import BenchCommandOptions, CommonOptions, shared
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run, shown_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.bench.preparation import BenchRequest
    from pipeline.bench.result import Result
    from pipeline.layer.manifest import Manifest, Start

LEFT = "every process was ended"


@shared
def bench(
    *,
    zips: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ZIP|FOLDER...", help="Layers to run; default: dist/."),
    ] = None,
    options: BenchCommandOptions,
    common: CommonOptions,
) -> None:
    """Run layers as Lambda would, check that they lose no telemetry, and measure them.

    The layer's extensions run on this machine beside a stand-in for Lambda: no function, AWS
    account or container is needed. The exit code is 15 if a layer fails.
    """
    from pipeline.bench.environment.machine import check_packages

    check_packages()
    paths = layer_paths(zips or [Path("dist")])
    if options.gate:
        _pass_gate(paths, common)
    else:
        _measure(paths, options, common)


def _measure(zips: tuple[Path, ...], options: BenchCommandOptions, common: CommonOptions) -> None:
    from functools import partial

    from pipeline.bench.result import check_results, earlier_starts
    from pipeline.bench.run import bench as run_bench

    earlier = _read_earlier(options.against)
    request = _request(zips, options, common, against=None if earlier else options.against)
    with shown_progress(verbose=common.verbose):
        results = run(partial(run_bench, request), left=LEFT, kept="nothing is kept")
    noted = earlier_starts(results, earlier) if earlier else None
    _report(results, common, against=bool(request.against), noted=noted)
    check_results(results)


def _request(
    zips: tuple[Path, ...],
    options: BenchCommandOptions,
    common: CommonOptions,
    *,
    against: Path | None,
) -> BenchRequest:
    from pipeline.bench.preparation import BenchRequest
    from pipeline.build.compile import Compiler
    from pipeline.paths import go_caches

    return BenchRequest(
        zips=zips,
        against=against,
        config=common.load(),
        starts=options.starts,
        invocations=options.invocations,
        collector_config=options.collector_config,
        environment=_variables(options.env or []),
        reference=options.reference,
        compiler=Compiler(caches=go_caches()),
    )


def _pass_gate(zips: Sequence[Path], common: CommonOptions) -> None:
    from functools import partial

    from pipeline.bench.gate import check_layers, manifest_entries
    from pipeline.report.rendering import Report, json_text

    layers, loaded = manifest_entries(zips), common.load()
    with shown_progress(verbose=common.verbose):
        results = run(
            partial(check_layers, layers, loaded, enabled=True),
            left=LEFT,
            kept="layers that passed are not run again",
        )
    found = {path.name: results[layer.sha256].benched for path, layer in layers.items()}
    notes = [f"{name}: {benched}" for name, benched in found.items()]
    common.show(json_text(found), Report(notes=notes))


def layer_paths(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return zips, and the zips in folders.

    Raises:
        UsageError: a folder has none.
    """
    from pipeline.errors import UsageError

    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.zip")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"there is no zip in {path}", hint="run `ocelot build` to make some")
        found += inside
    return tuple(dict.fromkeys(found))


def _read_earlier(path: Path | None) -> Manifest | None:
    """Return the manifest at a path; None for a zip.

    Raises:
        UsageError: it is no manifest.
    """
    from pipeline.errors import UsageError
    from pipeline.layer.manifest import read_manifest

    if path is None or path.suffix != ".json":
        return None
    if manifest := read_manifest(path):
        return manifest
    raise UsageError(f"there is no {path}", hint="name a manifest.json that `ocelot build` wrote")


def _variables(given: Sequence[str]) -> dict[str, str]:
    """Return variables by name; a name without value has the value of this process's variable."""
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
    common: CommonOptions,
    *,
    against: bool,
    noted: Mapping[str, Start] | None,
) -> None:
    from pipeline.report import bench as reports

    report = reports.bench_report(results)
    add_summary(report, os.environ)
    more = [] if noted is None else [*reports.earlier_reports(results, noted)]
    if against:
        more += reports.comparison_reports(results)
    text = reports.bench_json(results, against=against, noted=noted)
    common.show(text, report, *more)
