"""`ocelot fetch`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    JsonOptions,
    TokenOptions,
    VerboseOptions,
    run,
    shared,
    shown_progress,
)
from pipeline.options import RoleOptions


@shared
def fetch(
    *,
    published: Annotated[
        Path, typer.Argument(metavar="PUBLISH_JSON", help="What `ocelot publish -o` wrote.")
    ],
    role: RoleOptions,
    token: TokenOptions,
    layers: Annotated[
        Path, typer.Option("--layers", help="Folder of zips with their manifest, as published.")
    ] = Path("dist"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the zips and manifest.json.")
    ] = Path("served"),
    shown: JsonOptions,
    work: VerboseOptions,
) -> None:
    """Fetch what AWS serves of layers that were published, from every region.

    It ends with 10 where that is not what was published.
    """
    from functools import partial

    from pipeline.publish import fetch as fetching

    versions = fetching.published_versions(published)
    manifest = fetching.built_manifest(versions, layers)
    aws = token.aws(role.role_arn, (versions[0].arn.region,))
    with shown_progress(verbose=work.verbose):
        run(
            partial(fetching.fetch, versions, manifest, aws, output),
            left="no file was left half-written",
            kept="nothing is kept",
        )
    if shown.as_json:
        rows = [{"arn": str(v.arn), "file": v.file, "sha256": v.sha256} for v in versions]
        typer.echo(json.dumps(rows, indent=2))
    else:
        files = ", ".join(sorted({version.file for version in versions}))
        typer.echo(f"in {output}/: {files}, the same in all {len(versions)} layer versions")
