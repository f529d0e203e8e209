"""`ocelot github-release`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, GitHubTokenOptions, JsonOptions, shared
from pipeline.cli.printing import add_summary, set_output
from pipeline.cli.running import run, shown_progress
from pipeline.options import GitHubOptions, GitHubReleaseOptions, ReleaseOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.github.apply import GitHubResult
    from pipeline.github_release import GitHubRequest, NotesWriter
    from pipeline.publish.run import PublishResult
    from pipeline.release import GitHubStage

LEFT = "the release stays a draft until it is complete"
KEPT = "assets on GitHub are not uploaded again"


@option_group
class GitHubFileOptions:
    """The files of a release on GitHub, besides the folder."""

    published: Annotated[
        Path | None, Opt("publish.json, as `ocelot publish -o` wrote it.", metavar="FILE")
    ] = None
    notes: Annotated[
        Path | None,
        Opt(
            "The release's notes, in Markdown; default: those of `ocelot notes`, compared with the "
            "last release on GitHub.",
            metavar="FILE",
        ),
    ] = None
    upstream: Annotated[
        Path | None,
        Opt(
            "Manifest of upstream's own layers, for the notes; as for `notes`.", metavar="MANIFEST"
        ),
    ] = None
    file: Annotated[
        list[Path] | None,
        Opt("A further asset, such as verification.json.", metavar="FILE"),
    ] = None


@shared
def github_release(
    *,
    layers: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder of the published zips and manifest.json."),
    ] = Path("dist"),
    files: GitHubFileOptions,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Only check the token and the repository.")
    ] = False,
    options: GitHubReleaseOptions,
    github: GitHubTokenOptions,
    common: CommonOptions,
) -> None:
    """Make a release on GitHub of published layers: a draft first, published when complete.

    Assets are the zips, their evidence, manifest.json, layers.json, publish.json, ocelot.lock and
    SHA256SUMS. Run again, it adds what is missing and updates title and notes. It replaces nothing:
    the exit code is 16 if the release on GitHub has other zips.
    """
    from pipeline.errors import UsageError
    from pipeline.github.installation import check_package

    check_package()
    from pipeline.github_release import check_access
    from pipeline.github_release import github_release as released

    repository, token = repository_name(options.repository), github.read()
    if preflight:
        run(partial(check_access, repository, token, options))
        return
    if files.published is None:
        raise UsageError("publish.json is not named", hint="name it: --published FILE")
    request = github_request(
        layers,
        files.published,
        options,
        common.load().folder,
        distribution=options.distribution,
        release_group=options.release_group,
        files=files.file or (),
    )
    signer = options.signer_workflow
    written = notes_writer(request, repository, upstream=files.upstream, signer=signer)
    text = _given_notes(files.notes) if files.notes else written
    work = partial(released, request, repository, token, text, dry_run=options.dry_run)
    with shown_progress(verbose=common.verbose):
        result = run(work, left=LEFT, kept=KEPT)
    report(result, common, dry_run=options.dry_run)


def _given_notes(path: Path) -> str:
    from pipeline.files import read_file

    return read_file(path, "name a Markdown file: --notes").decode(errors="replace")


def github_request(
    layers: Path,
    published: Path,
    options: GitHubOptions,
    config: Path,
    *,
    distribution: str | None,
    release_group: str | None,
    files: Sequence[Path] = (),
) -> GitHubRequest:
    """Return the request for a release; see `GitHubRequest`."""
    from pipeline.aws.session import region_names
    from pipeline.github_release import GitHubRequest

    return GitHubRequest(
        layers=layers,
        published=published,
        config=config,
        options=options,
        distribution=distribution,
        release_group=release_group,
        files=tuple(files),
        region_names=region_names(),
    )


def notes_writer(
    request: GitHubRequest,
    repository: str,
    *,
    upstream: Path | None = None,
    signer: str | None = None,
) -> NotesWriter:
    """Return a function that writes the notes of `ocelot notes`, compared with a last release.

    Args:
        request: for the release.
        repository: on GitHub, as owner/name.
        upstream: manifest.json of upstream's own layers; None for none.
        signer: workflow that attested the zips; None if they are not attested.
    """
    from pipeline.github.plan import LONGEST_NOTES
    from pipeline.notes.contents import VULNERABILITIES
    from pipeline.notes.release import NotesRequest, release_notes
    from pipeline.report.notes import notes_markdown

    def written(previous: Path | None) -> str:
        asked = NotesRequest(
            folder=request.layers,
            distribution=request.distribution,
            release_group=request.release_group,
            published=request.published,
            first=previous is None,
            previous=previous,
            upstream=upstream,
            vulnerabilities=next((f for f in request.files if f.name == VULNERABILITIES), None),
            repository=repository if signer else None,
            signer=signer,
        )
        return notes_markdown(release_notes(asked, lambda: None), LONGEST_NOTES)

    return written


def github_stage(
    options: ReleaseOptions,
    group: str,
    config: Path,
    folder: Path,
    source: GitHubTokenOptions,
    made: Callable[[GitHubResult], None],
) -> GitHubStage:
    """Return the last stage of `ocelot release`, checked as far as this is possible before it.

    Args:
        options: the user's.
        group: the release group.
        config: folder of the configuration.
        folder: of the built zips; publish.json is written there.
        source: of the token.
        made: is called with the result.

    Raises:
        UsageError: layers of this group are not released, or there is no repository or token.
        GitHubError: a package is missing.
    """
    from pipeline.github.installation import check_package

    check_package()
    from pipeline.files import write_atomic
    from pipeline.github_release import check_access, check_group
    from pipeline.github_release import github_release as released
    from pipeline.publish.published import PUBLISH_FILE
    from pipeline.release import GitHubStage
    from pipeline.report.publish import publish_json

    check_group(group, options.release_group)
    repository, token = repository_name(options.repository), source.read()

    async def make(result: PublishResult) -> None:
        published = folder / PUBLISH_FILE
        write_atomic(published, publish_json(result).encode())
        request = github_request(
            folder,
            published,
            options,
            config,
            distribution=options.distribution,
            release_group=options.release_group,
        )
        made(await released(request, repository, token, notes_writer(request, repository)))

    return GitHubStage(check=partial(check_access, repository, token, options), make=make)


def repository_name(given: str | None) -> str:
    """Return the repository of the option, of GitHub Actions, or of git, as owner/name.

    Raises:
        UsageError: none is named, or its name is not valid.
    """
    from pipeline.trust.job import own_repository

    return str(run(lambda: own_repository(given or "", "", "", os.environ, Path.cwd())))


def report(result: GitHubResult, shown: JsonOptions, *, dry_run: bool = False) -> None:
    """Print what was done, and add it to the job summary."""
    from pipeline.report.github_release import github_json, github_report

    table = github_report(result, dry_run=dry_run)
    if not dry_run:
        add_summary(table, os.environ)
        set_output("url", result.release.url if result.release else "", os.environ)
    shown.show(github_json(result, dry_run=dry_run), table)
