"""`ocelot github-release`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    CommonOptions,
    ConfigOptions,
    GitHubTokenOptions,
    JsonOptions,
    shared,
)
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run, shown_progress
from pipeline.options import GitHubReleaseOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.github.apply import GitHubResult
    from pipeline.github_release import GitHubRequest

LEFT = "the release stays a draft until it is complete"
KEPT = "assets on GitHub are not uploaded again"


@shared
def github_release(
    *,
    layers: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder of the published zips and manifest.json."),
    ] = Path("dist"),
    published: Annotated[
        Path, typer.Option("--published", help="publish.json, as `ocelot publish -o` wrote it.")
    ],
    notes: Annotated[Path, typer.Option("--notes", help="The release's notes, in Markdown.")],
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", help="A further asset, such as verification.json."),
    ] = None,
    options: GitHubReleaseOptions,
    github: GitHubTokenOptions,
    common: CommonOptions,
) -> None:
    """Make a release on GitHub of published layers: a draft first, published when complete.

    Assets are the zips, their evidence, manifest.json, layers.json, publish.json, ocelot.lock and
    SHA256SUMS. Run again, it adds what is missing and updates title and notes. It replaces nothing:
    the exit code is 16 if the release on GitHub has other zips.
    """
    from pipeline.github.installation import check_package

    check_package()
    from pipeline.files import read_file
    from pipeline.github_release import github_release as released
    from pipeline.github_release import published_release, wanted_release

    request = _request(layers, published, files or [], options, common)
    text = read_file(notes, "name a Markdown file: --notes").decode(errors="replace")
    wanted = wanted_release(request, published_release(request), text)
    repository = repository_name(options.repository)
    dry_run = options.dry_run
    work = partial(released, wanted, repository, github.read(), options, dry_run=dry_run)
    with shown_progress(verbose=common.verbose):
        result = run(work, left=LEFT, kept=KEPT)
    report(result, common, dry_run=dry_run)


def _request(
    layers: Path,
    published: Path,
    files: Sequence[Path],
    options: GitHubReleaseOptions,
    config: ConfigOptions,
) -> GitHubRequest:
    from pipeline.aws.session import region_names
    from pipeline.github_release import GitHubRequest

    return GitHubRequest(
        layers=layers,
        published=published,
        config=config.load().folder,
        options=options,
        distribution=options.distribution,
        release_group=options.release_group,
        files=tuple(files),
        region_names=region_names(),
    )


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
    from pipeline.report.rendering import markdown

    table = github_report(result, dry_run=dry_run)
    if not dry_run:
        add_summary(markdown(table), os.environ)
    shown.show(github_json(result, dry_run=dry_run), table)
