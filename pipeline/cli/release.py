"""`ocelot release`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli import build as building
from pipeline.cli import publish as publishing
from pipeline.cli.inputs import Inputs, opened_inputs
from pipeline.cli.options import CommonOptions, OutputOptions, TokenOptions, run, shared
from pipeline.options import ReleaseOptions

if TYPE_CHECKING:
    from pipeline.build.apply import Build
    from pipeline.build.compile import Compiler
    from pipeline.build.run import Request
    from pipeline.publish.run import Published


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
    from pipeline.bench.gate import check_layers
    from pipeline.publish.request import opened_registry, packages, publish_request
    from pipeline.publish.run import preflight
    from pipeline.publish.run import publish as published

    with opened_inputs(common) as given:
        request = building.build_request(context, options, output, given)
        compiler = given.compiler(keep_temp=output.keep_temp)
        if options.skip_publish:
            done = run(partial(_built, request, given, compiler, None))
            building.report(done, as_json=common.as_json)
            return
        target = publish_request(options, (), given.config)
        aws = token.aws(options.role_arn, target.regions)
        registry = opened_registry(options, aws)
        # no minutes of compiling for somebody who may not publish
        check = partial(preflight, target, aws, registry)
        done = run(partial(_built, request, given, compiler, check))
        gate = partial(check_layers, config=given.config, wanted=not options.no_bench)
    if not common.as_json:
        building.report(done, as_json=False)
    zips = [done.folder / each.layer.file for each in done.layers]
    target = replace(target, packages=packages(options, zips))
    work = partial(published, target, aws, registry, gate=gate)
    show = partial(_report, done, as_json=common.as_json)
    publishing.carry_out(work, show, verbose=common.verbose)


async def _built(
    request: Request,
    given: Inputs,
    compiler: Compiler,
    check: Callable[[], Awaitable[object]] | None,
) -> Build:
    from pipeline.build import run

    if check:
        await check()
    return await run.build(request, given.config, compiler, cache=given.cache)


def _report(done: Build, published: Published, *, as_json: bool) -> None:
    from pipeline.build.manifest import FILE_NAME
    from pipeline.report.publish import published_json

    if not as_json:
        publishing.report(published, output=None, as_json=False)
        return
    both = {
        "manifest": json.loads((done.folder / FILE_NAME).read_bytes()),
        "published": json.loads(published_json(published)),
    }
    typer.echo(json.dumps(both, indent=2))
