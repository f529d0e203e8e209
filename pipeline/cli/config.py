"""`ocelot config …`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from pipeline.cli.options import ConfigOptions, JsonOptions, shared
from pipeline.options import UpstreamOptions

app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.command("check")
@shared
def check(
    *,
    upstream_repo: Annotated[
        str | None,
        typer.Option(
            "--upstream-repo", "-r", help="Check the build tags against this upstream too."
        ),
    ] = None,
    upstream_ref: Annotated[
        str,
        typer.Option("--upstream-ref", "-b", help="Branch, tag, or full or short commit SHA."),
    ] = UpstreamOptions.upstream_ref,
    shown: JsonOptions,
    config: ConfigOptions,
) -> None:
    """Check every file of the config folder and tell all problems at once."""
    from pipeline.build.catalog import offered_tags
    from pipeline.cli.components import upstream_tree
    from pipeline.config.folder import tag_problems
    from pipeline.errors import ConfigError
    from pipeline.files import read_tree

    loaded = config.load()
    if upstream_repo:
        offered = offered_tags(upstream_tree(upstream_repo, upstream_ref))
        offered |= offered_tags(read_tree(loaded.overlay))
        if problems := tag_problems(loaded, offered, *loaded.distributions):
            raise ConfigError(problems)
    counts = {"distributions": len(loaded.distributions), "components": len(loaded.components)}
    if shown.as_json:
        typer.echo(json.dumps({"ok": True, **counts}))
        return
    checked = (
        "" if upstream_repo else " (build tags by form alone; --upstream-repo checks them all)"
    )
    numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
    typer.echo(f"{os.path.relpath(loaded.folder)}: {numbers}, no problems{checked}")


@app.command("schema")
@shared
def schema(config: ConfigOptions) -> None:
    """Write the JSON Schemas by which editors check the files, and manifests."""
    from pipeline import paths
    from pipeline.config.schemas import schemas
    from pipeline.files import write_atomic
    from pipeline.layer import manifest

    folder = paths.config_folder(config.config)
    for name, content in {**schemas(), "manifest.schema.json": manifest.schema()}.items():
        write_atomic(folder / name, (json.dumps(content, indent=2) + "\n").encode())
        typer.echo(os.path.relpath(folder / name))
