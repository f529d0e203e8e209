"""`ocelot bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import options
from pipeline.cli.inputs import Asked, opened_inputs

if TYPE_CHECKING:
    from pipeline.build.bundling import Bundled

Output = Annotated[Path, typer.Option("--output", "-o", help="The bundle's file.")]


def bundle(
    distribution: options.DistributionName = "default",
    upstream_repo: options.UpstreamRepo = defaults.UPSTREAM_REPO,
    upstream_ref: options.UpstreamRef = defaults.UPSTREAM_REF,
    output: Output = Path("ocelot-bundle.tar.zst"),
    engine: options.AskedEngine = options.EngineChoice.AUTO,
    go_image: options.GoImage = "",
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Pack all that a locked build needs into one file.

    `ocelot build --bundle` builds from it, with no network at all.
    """
    from pipeline.build import bundling
    from pipeline.build.run import Request
    from pipeline.model import Architecture
    from pipeline.report.bundle import bundle_json, bundle_text

    asked = Asked(
        config=config,
        upstream_repo=upstream_repo,
        upstream_ref=upstream_ref,
        engine=engine,
        go_image=go_image,
    )
    with opened_inputs(asked, verbose=verbose) as given:
        request = Request(
            distribution=distribution,
            architectures=tuple(Architecture),
            upstream=given.upstream(),
            output=output,
        )

        async def work() -> Bundled:
            chosen = await given.engine()
            return await bundling.make_bundle(request, given.config, chosen, given.progress)

        done = options.run(work)
    typer.echo(bundle_json(done) if as_json else bundle_text(done), nl=False)
