"""`ocelot build`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import check_bundle_options, is_given, opened_inputs
from pipeline.cli.options import BundleOptions, CommonOptions, JsonOptions, OutputOptions, shared
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run
from pipeline.options import BuildOptions, ExplainOptions

if TYPE_CHECKING:
    from pipeline.build.inputs import BuildInputs
    from pipeline.release import BuildContext
    from pipeline.supply.output import BuildOutput


@shared
def build(
    context: typer.Context,
    *,
    options: BuildOptions,
    output: OutputOptions,
    bundled: BundleOptions,
    explain: ExplainOptions,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Compile even if nothing has changed."),
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
    with opened_inputs(common, bundled.bundle) as inputs:
        planned = build_context(context, options, output, inputs)
        planned = replace(planned, rebuild=rebuild, bench=bench, explain_size=explain.explain_size)
        done = run(partial(release.build, planned))
    report(done, common)


def build_context(
    context: typer.Context, options: BuildOptions, output: OutputOptions, inputs: BuildInputs
) -> BuildContext:
    """Return everything that a build needs, from its options and inputs."""
    from importlib.metadata import version

    from pipeline.build.plan import source_date_epoch
    from pipeline.build.request import BuildRequest
    from pipeline.naming import Architecture
    from pipeline.release import BuildContext
    from pipeline.supply.provenance import builder_of

    requested = is_given(context, "distribution")
    request = BuildRequest(
        distribution=inputs.distribution(options.distribution, requested=requested),
        architectures=tuple(
            each for each in Architecture if options.architecture in ("all", str(each))
        ),
        upstream=inputs.upstream(options.upstream_repo, options.upstream_ref),
        epoch=source_date_epoch(os.environ.get("SOURCE_DATE_EPOCH")),
        locked=options.locked or inputs.locked,
        tune=not options.no_tune,
    )
    return BuildContext(
        request=request,
        config=inputs.config,
        compiler=inputs.compiler(keep_temp=output.keep_temp),
        cache=inputs.cache,
        output=output.output,
        builder=builder_of(os.environ, version=version("ocelot")),
    )


def report(done: BuildOutput, shown: JsonOptions) -> None:
    """Print the result of a build, and add it to the job summary."""
    from pipeline.report.build import build_report

    add_summary(build_report(done, for_summary=True), os.environ)
    shown.show(done.manifest.text(), build_report(done))
