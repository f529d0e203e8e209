"""`ocelot reap`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommonOptions, TokenOptions, shared
from pipeline.cli.printing import add_summary, set_output
from pipeline.cli.reap_apply import (
    TombstoneOptions,
    apply_plan,
    check_apply_options,
    given_approval,
    requested_approval,
)
from pipeline.cli.reap_restore import RestoreFiles, restore_layer
from pipeline.cli.running import run, shown_progress
from pipeline.reap_options import ReapOptions
from pipeline.spread import Opt, arguments, option_group

if TYPE_CHECKING:
    from pipeline.config.folder import Config
    from pipeline.reap.plan import ReapPlan
    from pipeline.reap.planning import ReapSources
    from pipeline.reap.references import ReleasedLayers
    from pipeline.reap.request import ReapRequest

NO_REPOSITORY = "none"
LEFT = "nothing was deleted"
KEPT = "it plans anew"
_TOKEN = "GITHUB_TOKEN"


@option_group
class ReferenceOptions:
    """Where layer versions are named that are kept, and the token for the releases."""

    keep_file: Annotated[
        list[Path] | None,
        Opt(
            "Keep the layer versions whose ARNs stand in this file, of whatever form; may be "
            "repeated.",
            metavar="FILE",
        ),
    ] = None
    token: Annotated[
        str,
        Opt(
            "Token that may read the releases of --repository: env:NAME or file:PATH; if "
            "GITHUB_TOKEN is not set, a public repository is read without one."
        ),
    ] = f"env:{_TOKEN}"

    def released(self, options: ReapOptions) -> ReleasedLayers | None:
        """Return a function that reads the releases on GitHub; None if no repository is named.

        Raises:
            UsageError: the repository's name is not valid, or the token cannot be read.
            GitHubError: a package is missing.
        """
        from functools import partial

        from pipeline.github.installation import check_package
        from pipeline.notes.layers_file import FILE_NAME
        from pipeline.trust.job import github_repository
        from pipeline.trust.token import github_token

        if options.repository in (None, NO_REPOSITORY):
            return None
        check_package()
        from pipeline.github.released_layers import released_layers

        repository = str(github_repository(options.repository))
        is_unset = self.token == f"env:{_TOKEN}" and not os.environ.get(_TOKEN)
        token = None if is_unset else github_token(self.token, os.environ)
        return partial(released_layers, options.api_url, repository, token, FILE_NAME)


@option_group
class ReapCommonOptions(CommonOptions):
    """The options of most commands."""

    verbose: Annotated[bool, Opt("Show a row for each layer version.", "-v")] = False


@shared
def reap(
    context: typer.Context,
    *,
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]", help="Glob of whole layer names, such as 'ocel-*-beta'."
        ),
    ] = None,
    options: ReapOptions,
    references: ReferenceOptions,
    restoring: RestoreFiles,
    tombstones: TombstoneOptions,
    token: TokenOptions,
    common: ReapCommonOptions,
) -> None:
    """Delete old layer versions, or restore a deleted one; without --apply, only show what is done.

    A layer version is kept if it is the newest of its layer, if a function uses it, or if a
    parameter, ocelot.lock, a release on GitHub or a --keep-file names it, unless --force overrides
    that very reason. A deleted one leaves a tombstone: --restore publishes the same bytes again,
    from ocelot.lock or its history in git, from a bundle, or from a kept zip.
    """
    from datetime import UTC, datetime
    from functools import partial

    from pipeline.reap.planning import check_planned, planned
    from pipeline.reap.request import reap_request

    pattern = restoring.checked_pattern(context, pattern)
    if pattern is None:
        restore_layer(context, restoring, options, tombstones.tombstones, token, common)
        return
    check_apply_options(options)
    loaded = common.load()
    request = reap_request(pattern, options, loaded, datetime.now(tz=UTC))
    sources = reap_sources(request, options, references, token, loaded)
    approval = given_approval(options)
    if approval is None:
        with shown_progress(verbose=common.verbose):
            made = run(partial(planned, request, sources), left=LEFT, kept=KEPT)
        groups = (references, tombstones, token, common)
        command = [] if options.apply else next_command(pattern, made, options, *groups)
        show_plan(made, request, command, common)
        check_planned(made)
        if not (options.apply and made.deletions):
            return
        approval = requested_approval(made, common)
    apply_plan(request, sources, approval, tombstones, common)


def reap_sources(
    request: ReapRequest,
    options: ReapOptions,
    references: ReferenceOptions,
    token: TokenOptions,
    config: Config,
) -> ReapSources:
    """Return the sources of facts about layer versions that the options name.

    Raises:
        OcelotError: an option is not valid, or there are no credentials.
    """
    from pipeline.reap.planning import ReapSources
    from pipeline.registry.registry import optional_registry

    released = references.released(options)
    aws = token.aws(options.role_arn, request.choice.regions)
    return ReapSources(
        aws=aws,
        registry=optional_registry(aws, options),
        distributions=config.distributions,
        config=config.folder,
        keep_files=references.keep_file or (),
        released=released,
    )


def next_command(
    pattern: str,
    made: ReapPlan,
    options: ReapOptions,
    references: ReferenceOptions,
    tombstones: TombstoneOptions,
    token: TokenOptions,
    common: ReapCommonOptions,
) -> list[str]:
    """Return the command that deletes what was planned; empty if there is nothing to delete."""
    if not made.deletions:
        return []
    confirmed = replace(
        options,
        account=made.account,
        apply=True,
        yes_delete=len(made.deletions),
        plan=made.digest,
    )
    groups = (confirmed, references, tombstones, token, replace(common, as_json=False))
    return ["ocelot", "reap", pattern, *arguments(*groups)]


def show_plan(
    made: ReapPlan, request: ReapRequest, command: list[str], common: ReapCommonOptions
) -> None:
    """Print a plan, and add it to the job summary; set the outputs `number` and `digest`."""
    from pipeline.report.reap import command_report, plan_json, plan_report

    report = plan_report(made, request.now, verbose=common.verbose)
    add_summary(report, os.environ)
    set_output("number", str(len(made.deletions)), os.environ)
    set_output("digest", made.digest, os.environ)
    common.show(plan_json(made, command), report, command_report(command))
