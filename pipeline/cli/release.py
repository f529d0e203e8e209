"""`ocelot release`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli import build as building
from pipeline.cli import gate
from pipeline.cli import publish as publishing
from pipeline.cli.inputs import Inputs, opened_inputs
from pipeline.cli.options import CommonOptions, OutputOptions, TokenOptions, run, shared
from pipeline.options import ReleaseOptions

if TYPE_CHECKING:
    from pipeline.build.apply import Build
    from pipeline.build.engines import Engine
    from pipeline.build.run import Request
    from pipeline.publish.run import Published, Publishing


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
    with opened_inputs(common) as given:
        request = building.build_request(context, options, output, given)
        later = (
            None if options.skip_publish else publishing.opened(options, token, (), given.config)
        )
        engine = given.engine(keep_temp=output.keep_temp)
        done = run(partial(_built, request, given, engine, later))
    if options.skip_publish or not common.as_json:
        building.report(done, as_json=common.as_json)
    if later:
        zips = [done.folder / each.layer.file for each in done.layers]
        packages = publishing.publish_asked(options).packages(zips)
        later.request = replace(later.request, packages=packages)
        wanted = not options.no_bench
        gate.check_publishing(later, given.config, wanted=wanted, verbose=common.verbose)
        _publish(done, later, common)


async def _built(
    request: Request, given: Inputs, engine: Engine, later: Publishing | None
) -> Build:
    from pipeline.build import run
    from pipeline.publish.run import preflight

    if later:  # no minutes of compiling for somebody who may not publish
        await preflight(later.request, later.aws, later.records)
    return await run.build(
        request, given.config, engine, cache=given.cache, progress=given.progress
    )


def _publish(done: Build, later: Publishing, common: CommonOptions) -> None:
    def tell(published: Published) -> None:
        from pipeline.build.manifest import FILE_NAME
        from pipeline.report.publish import published_json

        if not common.as_json:
            publishing.report(published, output=None, as_json=False)
            return
        both = {
            "manifest": json.loads((done.folder / FILE_NAME).read_bytes()),
            "published": json.loads(published_json(published)),
        }
        typer.echo(json.dumps(both, indent=2))

    publishing.carry_out(later, tell, verbose=common.verbose)
