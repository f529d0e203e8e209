"""`ocelot release`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli import build as building
from pipeline.cli import publish as publishing
from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, OutputOptions, TokenOptions, shared
from pipeline.cli.running import run
from pipeline.options import ReleaseOptions

if TYPE_CHECKING:
    from pipeline.publish.run import PublishResult
    from pipeline.supply.output import BuildOutput


@shared
def release(
    context: typer.Context,
    options: ReleaseOptions,
    token: TokenOptions,
    output: OutputOptions,
    common: CommonOptions,
) -> None:
    """Build a distribution's layer, then publish it in the configured region.

    Identity, account and registry are checked before the build starts.
    """
    from pipeline import release as releasing
    from pipeline.publish.request import publish_request
    from pipeline.registry.registry import optional_registry

    built: list[BuildOutput] = []
    published: list[PublishResult] = []
    try:
        with opened_inputs(common) as inputs:
            build = building.build_context(context, options, output, inputs)
            if options.skip_publish:
                built.append(run(partial(releasing.build, build)))
                return
            request = publish_request(options, (), inputs.config, os.environ)
            aws = token.aws(options.role_arn, request.regions)
            publication = releasing.Publication(
                options=options,
                request=request,
                aws=aws,
                registry=optional_registry(aws, options),
            )
            build = replace(build, bench=not options.no_bench)
            work = partial(releasing.release, build, publication, built.append, published.append)
            run(work, left=publishing.LEFT, kept=publishing.KEPT)
    finally:  # after the progress has ended, and after an interruption too
        _report(built, published, common, build_only=options.skip_publish)


def _report(
    built: Sequence[BuildOutput],
    published: Sequence[PublishResult],
    common: CommonOptions,
    *,
    build_only: bool,
) -> None:
    """Print what was built and published so far: reports, or one JSON document."""
    from pipeline.report.publish import released_json

    if build_only or not common.as_json:
        for each in built:
            building.report(each, common)
    for each in published:
        if common.as_json:
            typer.echo(released_json(built[0].folder, each), nl=False)
        else:
            publishing.report(each, common)
