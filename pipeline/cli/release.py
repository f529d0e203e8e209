"""`ocelot release`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import aws_options, gate, options
from pipeline.cli import build as building
from pipeline.cli import publish as publishing
from pipeline.cli.inputs import Asked, Inputs, opened_inputs

if TYPE_CHECKING:
    from pipeline.build.apply import Build
    from pipeline.build.run import Request
    from pipeline.publish.run import Published, Publishing

Regions = Annotated[
    str, typer.Option("--regions", help="Sets, `all`, or a,b,c; default: the configured region.")
]
SkipPublish = Annotated[bool, typer.Option("--skip-publish", help="Only build.")]


def release(
    context: typer.Context,
    distribution: options.DistributionName = "default",
    architecture: building.Architectures = building.ArchitectureChoice.AMD64,
    upstream_repo: options.UpstreamRepo = defaults.UPSTREAM_REPO,
    upstream_ref: options.UpstreamRef = defaults.UPSTREAM_REF,
    layer_name: aws_options.LayerName = defaults.LAYER_NAME,
    release_group: aws_options.ReleaseGroup = defaults.RELEASE_GROUP,
    runtimes: aws_options.Runtimes = "",
    skip_publish: SkipPublish = False,
    public: publishing.Public = None,
    regions: Regions = "",
    table: aws_options.Table = defaults.TABLE,
    table_region: aws_options.TableRegion = "",
    account: aws_options.Account = "",
    role_arn: aws_options.RoleArn = "",
    oidc_token: aws_options.OidcToken = "actions",
    bucket: aws_options.Bucket = "",
    bench: gate.Bench = True,
    output: building.Output = Path("dist"),
    engine: options.AskedEngine = options.EngineChoice.AUTO,
    go_image: options.GoImage = "",
    locked: building.Locked = False,
    no_tune: building.NoTune = False,
    keep_temp: building.KeepTemp = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Build a distribution's layer, then publish it in the configured region.

    Identity, account and registry are looked at before the build begins.
    """
    from pipeline.publish.asked import PublishAsked, naming

    wanted = PublishAsked(
        naming=naming(layer_name, release_group, runtimes),
        regions=regions,
        public=public,
        account=account,
        bucket=bucket,
        table=table,
        table_region=table_region,
    )
    asked = Asked(
        config=config,
        upstream_repo=upstream_repo,
        upstream_ref=upstream_ref,
        engine=engine,
        go_image=go_image,
        keep_temp=keep_temp,
    )
    with opened_inputs(asked, verbose=verbose) as given:
        name, upstream = given.distribution(context, distribution), given.upstream()
        request = building.build_request(
            name, architecture, upstream, output, locked=locked, tune=not no_tune
        )
        who = partial(aws_options.opened_aws, role_arn, oidc_token)
        later = None if skip_publish else publishing.opened(wanted, (), given.config, who)
        done = options.run(partial(_built, request, given, later))
    if skip_publish or not as_json:
        building.report(done, as_json=as_json)
    if later:
        zips = [done.folder / each.layer.file for each in done.layers]
        later.request = replace(later.request, packages=wanted.packages(zips))
        gate.check_publishing(later, given.config, wanted=bench, verbose=verbose)
        _publish(done, later, verbose=verbose, as_json=as_json)


async def _built(request: Request, given: Inputs, later: Publishing | None) -> Build:
    from pipeline.build import run
    from pipeline.publish.run import preflight

    if later:  # no minutes of compiling for somebody who may not publish
        await preflight(later.request, later.aws, later.records)
    engine = await given.engine()
    return await run.build(
        request, given.config, engine, cache=given.cache, progress=given.progress
    )


def _publish(done: Build, later: Publishing, *, verbose: bool, as_json: bool) -> None:
    def tell(published: Published) -> None:
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

    publishing.carry_out(later, tell, verbose=verbose)
