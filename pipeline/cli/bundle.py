"""`ocelot bundle`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, shared
from pipeline.cli.printing import check_file
from pipeline.cli.running import run
from pipeline.options import DistributionOptions


@shared
def bundle(
    *,
    options: DistributionOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the bundle.")] = Path(
        "ocelot-bundle.tar.zst"
    ),
    common: CommonOptions,
) -> None:
    """Pack everything that a locked build needs into one file.

    `ocelot build --bundle` builds from it, without a network.
    """
    from pipeline.build import bundling
    from pipeline.build.request import BuildRequest
    from pipeline.report.build import bundle_json, bundle_report

    check_file("--output", output)
    with opened_inputs(common) as inputs:
        request = BuildRequest(
            distribution=options.distribution,
            upstream=inputs.upstream(options.upstream_repo, options.upstream_ref),
            locked=True,
        )
        work = partial(bundling.make_bundle, request, inputs.config, inputs.compiler(), output)
        done = run(work)
    common.show(bundle_json(done), bundle_report(done))
