"""`ocelot fetch`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import aws_options, options

Published = Annotated[
    Path, typer.Argument(metavar="PUBLISH_JSON", help="What `ocelot publish -o` wrote.")
]
Layers = Annotated[
    Path, typer.Option("--layers", help="Folder of zips with their manifest, as published.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for the zips and manifest.json.")
]


def fetch(
    published: Published,
    layers: Layers = Path("dist"),
    role_arn: aws_options.RoleArn = "",
    oidc_token: aws_options.OidcToken = "actions",
    output: Output = Path("served"),
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Fetch what AWS serves of layers that were published, from every region.

    It ends with 10 where that is not what was published.
    """
    from functools import partial

    from pipeline.publish import fetch as fetching

    versions = fetching.published_versions(published)
    manifest = fetching.built_manifest(versions, layers)
    aws = aws_options.opened_aws(role_arn, oidc_token, (versions[0].arn.region,))
    with options.shown_progress(verbose=verbose) as progress:
        options.run(
            partial(fetching.fetch, versions, manifest, aws, output, progress),
            left="no file was left half-written",
            kept="nothing is kept",
        )
    if as_json:
        rows = [{"arn": str(v.arn), "file": v.file, "sha256": v.sha256} for v in versions]
        typer.echo(json.dumps(rows, indent=2))
    else:
        files = ", ".join(sorted({version.file for version in versions}))
        typer.echo(f"in {output}/: {files}, the same in all {len(versions)} layer versions")
