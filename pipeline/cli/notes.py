"""`ocelot notes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import JsonOptions, TokenOptions, VerboseOptions, shared
from pipeline.cli.printing import check_file
from pipeline.cli.running import shown_progress
from pipeline.options import NotesOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.registry.registry import Registry

NO_COMPARISON = Path("none")


@option_group
class NotesFiles:
    """The files of which notes are made, besides the folder."""

    published: Annotated[
        Path | None,
        Opt(
            "The record of publishing; default: FOLDER/publish.json or ./publish.json if there is "
            "one, else the registry.",
            metavar="PUBLISH_JSON",
        ),
    ] = None
    previous: Annotated[
        Path | None,
        Opt(
            "The last release, or `none`; default: the registry's, whose zip is downloaded.",
            metavar="FOLDER|MANIFEST",
        ),
    ] = None
    upstream: Annotated[
        Path | None,
        Opt(
            "Manifest of upstream's own layers, as `build -d default --no-tune --bench` makes "
            "them, for their sizes and start figures.",
            metavar="MANIFEST",
        ),
    ] = None
    vulnerabilities: Annotated[
        Path | None,
        Opt(
            "Output of `inspect ZIP... --vulns --json`; default: FOLDER/vulnerabilities.json.",
            metavar="FILE",
        ),
    ] = None


@shared
def notes(
    *,
    folder: Annotated[
        Path, typer.Argument(help="Folder with manifest.json, the zips, their .cdx.json.")
    ] = Path("dist"),
    files: NotesFiles,
    options: NotesOptions,
    token: TokenOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the notes to a file.")
    ] = None,
    shown: JsonOptions,
    work: VerboseOptions,
) -> None:
    """Write the release notes of a distribution's layers: ARNs, sizes, and what has changed."""
    from pipeline.files import write_atomic
    from pipeline.notes.release import NotesRequest, release_notes
    from pipeline.registry.registry import optional_registry
    from pipeline.registry.table import DEFAULT_REGION
    from pipeline.report.notes import notes_json, notes_markdown

    check_file("--output", output)
    request = NotesRequest(
        folder=folder,
        distribution=options.distribution,
        release_group=options.release_group,
        published=files.published,
        compared=files.previous != NO_COMPARISON,
        previous=files.previous,
        upstream=files.upstream,
        vulnerabilities=files.vulnerabilities,
        repository=options.repository,
        signer=options.signer_workflow,
    )

    def opened() -> Registry | None:
        region = options.table_region or DEFAULT_REGION
        return optional_registry(token.aws(options.role_arn, (region,)), options)

    with shown_progress(verbose=work.verbose):
        made = release_notes(request, opened)
    text = notes_json(made) if shown.as_json else notes_markdown(made)
    if output:
        write_atomic(output, text.encode())
    else:
        typer.echo(text, nl=False)
