"""`ocelot config …`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from pipeline.cli.options import ConfigOptions, JsonOptions, shared
from pipeline.options import UpstreamOptions

app = typer.Typer(help="Check the configuration.", no_args_is_help=True)


@app.command("check")
@shared
def check(
    *,
    upstream_repo: Annotated[
        str | None,
        typer.Option(
            "--upstream-repo", "-r", help="Also check the build tags against this upstream."
        ),
    ] = None,
    upstream_ref: Annotated[
        str,
        typer.Option("--upstream-ref", "-b", help="Branch, tag, or commit SHA (full or short)."),
    ] = UpstreamOptions.upstream_ref,
    shown: JsonOptions,
    config: ConfigOptions,
) -> None:
    """Check every file of the config folder, and report all problems at once."""
    from pipeline.build.components import offered_tags
    from pipeline.build.overlay import read_config_files
    from pipeline.cli.components import upstream_tree
    from pipeline.config.folder import tag_problems
    from pipeline.errors import ConfigError
    from pipeline.report.config import checked_json, checked_report

    loaded = config.load()
    if upstream_repo:
        offered = offered_tags(upstream_tree(upstream_repo, upstream_ref))
        offered |= offered_tags(read_config_files(loaded.overlay).files)
        if problems := tag_problems(loaded, offered, *loaded.distributions):
            raise ConfigError(problems)
    shown.show(checked_json(loaded), checked_report(loaded, upstream=bool(upstream_repo)))


@app.command("schema")
@shared
def schema(config: ConfigOptions) -> None:
    """Write the JSON Schemas of the config files, manifests and layers.json, for editors."""
    from pipeline import paths
    from pipeline.config.schemas import schemas
    from pipeline.files import write_atomic
    from pipeline.layer import manifest
    from pipeline.notes import layers_file

    written = {
        **schemas(),
        "manifest.schema.json": manifest.schema(),
        "layers.schema.json": layers_file.schema(),
    }
    folder = paths.config_folder(config.config)
    for name, content in written.items():
        write_atomic(folder / name, (json.dumps(content, indent=2) + "\n").encode())
        typer.echo(os.path.relpath(folder / name))
