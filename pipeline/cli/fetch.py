"""`ocelot fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOptions, TokenOptions, VerboseOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.options import RoleOptions


@shared
def fetch(
    *,
    published: Annotated[
        Path, typer.Argument(metavar="PUBLISH_JSON", help="File that `ocelot publish -o` wrote.")
    ],
    role: RoleOptions,
    token: TokenOptions,
    layers: Annotated[
        Path, typer.Option("--layers", help="Folder of the published zips and manifest.json.")
    ] = Path("dist"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the zips and manifest.json.")
    ] = Path("served"),
    shown: JsonOptions,
    work: VerboseOptions,
) -> None:
    """Download published layers from every region, and compare them with the local zips.

    The exit code is 10 if AWS serves something else than what was published.
    """
    from functools import partial

    from pipeline.publish import fetch as fetching
    from pipeline.publish.published import built_manifest, read_publish_record
    from pipeline.report.verify import fetched_json, fetched_report

    versions = read_publish_record(published).versions
    manifest = built_manifest(versions, layers)
    aws = token.aws(role.role_arn, (versions[0].arn.region,))
    with shown_progress(verbose=work.verbose):
        run(partial(fetching.fetch, versions, manifest, aws, output), kept="nothing is kept")
    shown.show(fetched_json(versions), fetched_report(versions, output))
