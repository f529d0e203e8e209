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
    from pipeline.build.request import BuildRequest
    from pipeline.cli.inputs import Inputs
    from pipeline.release import BuildContext
    from pipeline.supply.output import BuildOutput


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
            "--bench/--no-bench",
            help="Run each layer, as `ocelot bench` does; fail if one does not work.",
        ),
    ] = False,
    common: CommonOptions,
) -> None:
    """Build a distribution's layers and their manifest.

    The zips are the same, byte for byte, wherever they are built.
    """
    from pipeline import release

    check_bundle_options(context, bundled.bundle)
    with opened_inputs(common, bundled.bundle) as given:
        request = build_request(context, options, given)
        made_by = build_context(request, output, given, rebuild=rebuild, bench=bench)
        done = run(partial(release.build, made_by))
    report(done, as_json=common.as_json)


def build_context(
    request: BuildRequest,
    output: OutputOptions,
    given: Inputs,
    *,
    rebuild: bool = False,
    bench: bool = False,
) -> BuildContext:
    """All that a build needs, as the options say."""
    from importlib.metadata import version

    from pipeline.release import BuildContext
    from pipeline.supply.provenance import builder_of

    return BuildContext(
        request=request,
        config=given.config,
        compiler=given.compiler(keep_temp=output.keep_temp),
        cache=given.cache,
        output=output.output,
        builder=builder_of(os.environ, version=version("ocelot")),
        rebuild=rebuild,
        bench=bench,
    )


def build_request(context: typer.Context, options: BuildOptions, given: Inputs) -> BuildRequest:
    """What to build, as the options say."""
    from pipeline.build.plan import source_date_epoch
    from pipeline.build.request import BuildRequest
    from pipeline.naming import Architecture

    return BuildRequest(
        distribution=given.distribution(context, options.distribution),
        architectures=tuple(
            each for each in Architecture if options.architecture in ("all", str(each))
        ),
        upstream=given.upstream(options.upstream_repo, options.upstream_ref),
        epoch=source_date_epoch(os.environ.get("SOURCE_DATE_EPOCH")),
        locked=options.locked or given.bundle is not None,
        tune=not options.no_tune,
    )


def report(done: BuildOutput, *, as_json: bool) -> None:
    """Tell what was built: as a table or JSON, and in the job summary."""
    from pipeline.github.annotations import append_summary
    from pipeline.report.build import build_report
    from pipeline.report.rendering import markdown, show

    append_summary(markdown(build_report(done, for_summary=True)), os.environ)
    if as_json:
        typer.echo(done.manifest.text(), nl=False)
    else:
        show(build_report(done))
