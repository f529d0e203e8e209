"""The part of `ocelot reap` that restores: its options, and the run."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import check_bundle_options, is_given, opened_inputs
from pipeline.cli.options import CommonOptions, TokenOptions, exclusive
from pipeline.cli.printing import add_summary, set_output
from pipeline.cli.running import run, shown_progress
from pipeline.reap_options import ReapOptions, RestoreOptions
from pipeline.spread import Opt, option_group

if TYPE_CHECKING:
    from pipeline.build.inputs import BuildInputs
    from pipeline.naming import LayerArn
    from pipeline.reap.restore import RestoreContext

LEFT = "nothing is published twice"
KEPT = "a version that was published is found by its content"
# Options of deleting.
_OTHERS = (
    *("regions", "layer_name", "distribution", "release_group", "older_than", "keep"),
    *("across_versions", "force", "repository", "api_url", "keep_file", "token"),
    *("yes_delete", "plan"),
)


@option_group
class RestoreFiles(RestoreOptions):
    """The deleted layer version to restore, and where its zip is taken from."""

    bundle: Annotated[
        Path | None,
        Opt("With --restore: build from this bundle alone, without a network.", metavar="FILE"),
    ] = None
    zip: Annotated[
        Path | None,
        Opt("With --restore: a kept file of the zip; its sha256 is checked.", metavar="FILE"),
    ] = None

    def checked_pattern(self, context: typer.Context, pattern: str | None) -> str | None:
        """Return the pattern of layers to delete; None if a layer version is to be restored.

        Raises:
            UsageError: the options are not for one of these.
        """
        from pipeline.errors import UsageError

        exclusive(("PATTERN", pattern is not None), ("--restore", self.restore is not None))
        exclusive(("--bundle", self.bundle is not None), ("--zip", self.zip is not None))
        others = _OTHERS if self.restore else ("bundle", "zip", "bucket")
        for flag in (_flag(name) for name in others if is_given(context, name)):
            raise UsageError(
                f"{flag} is not for {'restoring' if self.restore else 'deleting'}",
                hint=f"leave {flag} out" if self.restore else "add --restore ARN, or leave it out",
            )
        if not self.restore and pattern is None:
            raise UsageError(
                "neither a pattern of layer names nor a deleted layer version is given",
                hint="such as ocelot reap 'ocel-*-beta', or ocelot reap --restore ARN",
            )
        return pattern


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def restore_layer(
    context: typer.Context,
    given: RestoreFiles,
    options: ReapOptions,
    tombstones: Path,
    token: TokenOptions,
    common: CommonOptions,
) -> None:
    """Restore a deleted layer version, and report the result.

    Args:
        context: of the command.
        given: the layer version, and its zip.
        options: of `reap`; those of deleting are not given.
        tombstones: folder of the tombstones, for `--table none`.
        token: with which a role is assumed.
        common: configuration and output.
    """
    from pipeline.naming import layer_arn
    from pipeline.parameters.names import parameter_prefix
    from pipeline.publish.run import check_outcomes
    from pipeline.reap.republish import RestoreRequest
    from pipeline.reap.restore import restore

    arn = layer_arn(given.restore or "")
    _check_account(arn, options.account)
    check_bundle_options(context, given.bundle)
    request = RestoreRequest(
        arn=arn,
        zip=given.zip,
        bucket=given.bucket,
        ssm_prefix=parameter_prefix(options.ssm_prefix) if options.ssm_prefix else None,
        apply=options.apply,
    )
    with _inputs(context, given, common) as inputs:
        made = _context(arn, options, tombstones, token, inputs)
        done = run(partial(restore, request, made), left=LEFT, kept=KEPT)

    from pipeline.report.restore import restore_json, restore_report

    report = restore_report(done)
    common.show(restore_json(done), report)
    add_summary(report, os.environ)
    if done.outcome:
        set_output("restored_as", done.outcome.arn, os.environ)
        check_outcomes((done.outcome,))


def _check_account(arn: "LayerArn", account: str | None) -> None:
    """Check that a layer version is of the account that is named, if one is.

    Raises:
        UsageError: it is of another one.
    """
    from pipeline.errors import UsageError
    from pipeline.naming import account_id

    if account_id(account) not in (None, arn.account):
        raise UsageError(
            f"{arn} is of account {arn.account}, and --account is {account}",
            hint="name the account in the ARN, or another ARN",
        )


@contextmanager
def _inputs(
    context: typer.Context, given: RestoreFiles, common: CommonOptions
) -> "Generator[BuildInputs | None]":
    """Open the inputs of a build; None if a kept zip makes a missing configuration no error."""
    if given.zip and not is_given(context, "config") and not _has_config(common):
        with shown_progress(verbose=common.verbose):
            yield None
        return
    with opened_inputs(common, given.bundle) as inputs:
        yield inputs


def _has_config(common: CommonOptions) -> bool:
    from pipeline.errors import ConfigError, UsageError

    try:
        common.load()
    except (UsageError, ConfigError):
        return False
    return True


def _context(
    arn: "LayerArn",
    options: ReapOptions,
    tombstones: Path,
    token: TokenOptions,
    inputs: "BuildInputs | None",
) -> "RestoreContext":
    from pipeline import paths
    from pipeline.reap.restore import RestoreContext
    from pipeline.reap.tombstones import FolderTombstones
    from pipeline.registry.registry import optional_registry

    aws = token.aws(options.role_arn, (arn.region,))
    registry = optional_registry(aws, options)
    return RestoreContext(
        aws=aws,
        registry=registry,
        tombstones=registry or FolderTombstones(tombstones),
        inputs=inputs,
        cache=paths.cache_folder(),
    )
