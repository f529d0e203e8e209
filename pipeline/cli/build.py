"""`ocelot build`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import check_bundle_options, opened_inputs
from pipeline.cli.options import BundleOptions, CommonOptions, OutputOptions, run, shared
from pipeline.options import BuildOptions

if TYPE_CHECKING:
    from pipeline.build.apply import Build
    from pipeline.build.run import Request
    from pipeline.cli.inputs import Inputs


@shared
def build(
    context: typer.Context,
    *,
    options: BuildOptions,
    output: OutputOptions,
    bundled: BundleOptions,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Compile even if nothing changed.")
    ] = False,
    bench: Annotated[
        bool,
        typer.Option(
            "--bench/--no-bench", help="Run each layer before it is handed out, as `bench` does."
        ),
    ] = False,
    common: CommonOptions,
) -> None:
    """Build a distribution's layers and their manifest.

    The zips are the same, byte for byte, wherever they are built.
    """
    from pipeline.build.run import build as run_build

    check_bundle_options(context, bundled.bundle)
    with opened_inputs(common, bundled.bundle) as given:
        request = build_request(context, options, output, given, rebuild=rebuild)
        compiler = given.compiler(keep_temp=output.keep_temp)
        work = partial(run_build, request, given.config, compiler, cache=given.cache)
        done = _benched(run(work), given, wanted=bench)
    report(done, as_json=common.as_json)


def _benched(done: Build, given: Inputs, *, wanted: bool) -> Build:
    """The build, after its layers ran on the bench if that is wanted.

    Raises:
        BenchError: one of them fails; the manifest says so.
    """
    if not wanted:
        return done

    from dataclasses import replace

    from pipeline.bench.gate import check_layers
    from pipeline.bench.here import check_packages
    from pipeline.build.manifest import FILE_NAME, read_manifest

    check_packages()
    layers = {done.folder / each.layer.file: each.layer for each in done.layers}
    work = partial(check_layers, layers, given.config, wanted=True)
    run(work, left="every process was ended", kept="the layers are built")
    return replace(done, manifest=read_manifest(done.folder / FILE_NAME) or done.manifest)


def build_request(
    context: typer.Context,
    options: BuildOptions,
    output: OutputOptions,
    given: Inputs,
    *,
    rebuild: bool = False,
) -> Request:
    """What the options of a build ask for."""
    from importlib.metadata import version

    from pipeline.build.plan import source_date_epoch
    from pipeline.build.run import Request
    from pipeline.model import Architecture
    from pipeline.supply.provenance import builder_of

    return Request(
        distribution=given.distribution(context, options.distribution),
        architectures=tuple(
            each for each in Architecture if options.architecture in ("all", str(each))
        ),
        upstream=given.upstream(options.upstream_repo, options.upstream_ref),
        output=output.output,
        epoch=source_date_epoch(os.environ.get("SOURCE_DATE_EPOCH")),
        rebuild=rebuild,
        locked=options.locked or given.bundle is not None,
        tune=not options.no_tune,
        builder=builder_of(os.environ, version=version("ocelot")),
    )


def report(done: Build, *, as_json: bool) -> None:
    """Tell what was built: as a table or JSON, and in the job summary."""
    from pipeline.github.annotations import append_summary
    from pipeline.report.build import build_report
    from pipeline.report.rendering import markdown, show

    append_summary(markdown(build_report(done, for_summary=True)), os.environ)
    if as_json:
        typer.echo(done.manifest.text(), nl=False)
    else:
        show(build_report(done))
