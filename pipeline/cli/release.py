"""`ocelot release`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli import build as building
from pipeline.cli import publish as publishing
from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, OutputOptions, TokenOptions, run, shared
from pipeline.options import ReleaseOptions

if TYPE_CHECKING:
    from pipeline.publish.run import Published
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

    Identity, account and registry are looked at before the build begins.
    """
    from pipeline import release as releasing
    from pipeline.publish.request import opened_registry, publish_request

    built: list[BuildOutput] = []
    done: list[Published] = []
    try:
        with opened_inputs(common) as given:
            request = building.build_request(context, options, given)
            made_by = building.build_context(request, output, given, bench=not options.no_bench)
            if options.skip_publish:
                made_by = replace(made_by, bench=False)
                built.append(run(partial(releasing.build, made_by)))
                return
            target = publish_request(options, (), given.config)
            aws = token.aws(options.role_arn, target.regions)
            publication = releasing.Publication(
                options=options,
                request=target,
                aws=aws,
                registry=opened_registry(options, aws),
            )
            work = partial(releasing.release, made_by, publication, built.append, done.append)
            run(work, left=publishing.LEFT, kept=publishing.KEPT)
    finally:  # when no progress is shown any more, after an interruption too
        _report(built, done, alone=options.skip_publish, as_json=common.as_json)


def _report(
    built: Sequence[BuildOutput], done: Sequence[Published], *, alone: bool, as_json: bool
) -> None:
    """Show what was built and what was published, as far as there is any of it.

    Args:
        built: what was built.
        done: what was published.
        alone: whether nothing was to be published.
        as_json: whether to write JSON instead, a single value.
    """
    if alone or not as_json:
        for each in built:
            building.report(each, as_json=as_json)
    for each in done:
        if as_json:
            typer.echo(_json(built[0], each))
        else:
            publishing.report(each, output=None, as_json=False)


def _json(built: BuildOutput, published: Published) -> str:
    from pipeline.layer.manifest import FILE_NAME
    from pipeline.report.publish import published_json

    both = {
        "manifest": json.loads((built.folder / FILE_NAME).read_bytes()),
        "published": json.loads(published_json(published)),
    }
    return json.dumps(both, indent=2)
