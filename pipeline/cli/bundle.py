"""`ocelot bundle`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, run, shared
from pipeline.options import DistributionOptions


@shared
def bundle(
    *,
    options: DistributionOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle's file.")] = Path(
        "ocelot-bundle.tar.zst"
    ),
    common: CommonOptions,
) -> None:
    """Pack all that a locked build needs into one file.

    `ocelot build --bundle` builds from it, with no network at all.
    """
    from pipeline.build import bundling
    from pipeline.build.request import BuildRequest
    from pipeline.report.build import bundle_json, bundle_report
    from pipeline.report.rendering import show

    with opened_inputs(common) as given:
        request = BuildRequest(
            distribution=options.distribution,
            upstream=given.upstream(options.upstream_repo, options.upstream_ref),
            locked=True,
        )
        done = run(partial(bundling.make_bundle, request, given.config, given.compiler(), output))
    if common.as_json:
        typer.echo(bundle_json(done), nl=False)
    else:
        show(bundle_report(done))
