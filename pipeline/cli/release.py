"""`ocelot release`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipeline.cli import build as building
from pipeline.cli import publish as publishing
from pipeline.cli.github_release import github_stage, report
from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import (
    CommonOptions,
    GitHubTokenOptions,
    OutputOptions,
    ReleaseTokenOptions,
    TokenOptions,
    exclusive,
    shared,
)
from pipeline.cli.running import run
from pipeline.options import ReleaseOptions

if TYPE_CHECKING:
    from pipeline.config.folder import Config
    from pipeline.github.apply import GitHubResult
    from pipeline.publish.run import PublishResult
    from pipeline.release import Publication
    from pipeline.supply.output import BuildOutput


@shared
def release(
    context: typer.Context,
    options: ReleaseOptions,
    token: ReleaseTokenOptions,
    output: OutputOptions,
    common: CommonOptions,
) -> None:
    """Build a distribution's layer, then publish it in the configured region.

    Identity, account and registry are checked before the build starts; with --github-release also
    the token for GitHub.
    """
    from pipeline import release as releasing

    done = _Done()
    exclusive(
        ("--github-release", options.github_release), ("--skip-publish", options.skip_publish)
    )
    try:
        with opened_inputs(common) as inputs:
            build = building.build_context(context, options, output, inputs)
            if options.skip_publish:
                done.built.append(run(partial(releasing.build, build)))
                return
            publication = _publication(options, token, inputs.config)
            github = None
            if options.github_release:
                group, source = (
                    publication.request.release_group,
                    GitHubTokenOptions(token=token.github_token),
                )
                folders = (inputs.config.folder, output.output)
                github = github_stage(options, group, *folders, source, done.released.append)
            build = replace(build, bench=not options.no_bench)
            reports = (done.built.append, done.published.append)
            work = partial(releasing.release, build, publication, *reports, github)
            run(work, left=publishing.LEFT, kept=publishing.KEPT)
    finally:  # after the progress has ended, and after an interruption too
        _report(done, common, build_only=options.skip_publish)


@dataclass(frozen=True)
class _Done:
    """The results so far; none of them has more than one item."""

    built: list[BuildOutput] = field(default_factory=list["BuildOutput"])
    published: list[PublishResult] = field(default_factory=list["PublishResult"])
    released: list[GitHubResult] = field(default_factory=list["GitHubResult"])


def _publication(options: ReleaseOptions, token: TokenOptions, config: Config) -> Publication:
    from pipeline.publish.request import publish_request
    from pipeline.registry.registry import optional_registry
    from pipeline.release import Publication

    request = publish_request(options, (), config, os.environ)
    aws = token.aws(options.role_arn, request.regions)
    registry = optional_registry(aws, options)
    return Publication(options=options, request=request, aws=aws, registry=registry)


def _report(done: _Done, common: CommonOptions, *, build_only: bool) -> None:
    """Print what was done so far: reports, or one JSON document."""
    from pipeline.report.github_release import github_json
    from pipeline.report.publish import released_json

    if build_only or not common.as_json:
        for each in done.built:
            building.report(each, common)
    for each in done.published:
        if common.as_json:
            released = [github_json(each, dry_run=False) for each in done.released]
            typer.echo(released_json(done.built[0].folder, each, *released), nl=False)
        else:
            publishing.report(each, common)
    for each in done.released:
        if not common.as_json:
            report(each, common)
