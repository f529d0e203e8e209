"""The inputs of a build as the options name them, and the options that a bundle excludes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.options import CommonOptions
from pipeline.cli.running import shown_progress

if TYPE_CHECKING:
    from pipeline.build.inputs import BuildInputs


@contextmanager
def opened_inputs(common: CommonOptions, bundle: Path | None = None) -> Generator[BuildInputs]:
    """Open the inputs of a build, and show the progress of the work until the block ends.

    Raises:
        OcelotError: the configuration has problems; the bundle is damaged.
    """
    from pipeline import paths
    from pipeline.build.inputs import BuildInputs

    cache = paths.cache_folder()
    with shown_progress(verbose=common.verbose):
        if bundle is None:
            yield BuildInputs(config=common.load(), cache=cache)
            return

        from pipeline.build.bundling import bundle_inputs

        with bundle_inputs(bundle, cache) as inputs:
            yield inputs


def check_bundle_options(context: typer.Context, bundle: Path | None) -> None:
    """Reject options for inputs that a bundle contains.

    Raises:
        UsageError: one of them was given together with a bundle.
    """
    from pipeline.errors import UsageError

    names = ("config", "upstream_repo", "upstream_ref")
    if given := [name for name in names if bundle and is_given(context, name)]:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"a bundle excludes the options {flags}", hint=f"leave out {flags}")


def is_given(context: typer.Context, name: str) -> bool:
    """Return True if the option is on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
