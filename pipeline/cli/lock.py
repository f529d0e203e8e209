"""`ocelot lock`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, exclusive, shared
from pipeline.cli.running import run
from pipeline.options import LockOptions

if TYPE_CHECKING:
    from pipeline.build.inputs import BuildInputs
    from pipeline.build.request import BuildRequest


@shared
def lock(
    *,
    options: LockOptions,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 9 if the lock is not up to date."),
    ] = False,
    entries: Annotated[
        bool,
        typer.Option(
            "--entries", help="With --check: check the lock's entries, each for its own upstream."
        ),
    ] = False,
    common: CommonOptions,
) -> None:
    """Pin in config/ocelot.lock what distributions are built from.

    It has the commit, the Go modules with their checksums, the Go version and, after a build, the
    digests of the zips. Later builds use exactly these.
    """
    from pipeline.build import locking
    from pipeline.build.lock import write_entries
    from pipeline.errors import UsageError
    from pipeline.files import ensure_writable
    from pipeline.report.build import lock_json, lock_report

    exclusive(("--upgrade", options.upgrade), ("--check", check))
    exclusive(("--entries", entries), ("--distribution", bool(options.distribution)))
    if entries and not check:
        raise UsageError("--entries needs --check", hint="ocelot lock --check --entries")
    with opened_inputs(common) as inputs:
        config = inputs.config
        if not check:
            ensure_writable(config.folder)
        requests = _requests(options, inputs, entries=entries)
        compiler = None if check else inputs.compiler()
        upgrade = options.upgrade
        done = run(partial(locking.lock_distributions, requests, config, compiler, upgrade=upgrade))
    if not check:
        kept = None if options.distribution else tuple(config.distributions)
        write_entries(config.folder, *locking.entries(done), distributions=kept)
    common.show(lock_json(done), lock_report(done))
    locking.check_outcomes(done, check=check)


def _requests(options: LockOptions, inputs: BuildInputs, *, entries: bool) -> list[BuildRequest]:
    """Return the builds to lock: of the lock's entries, or of the options' distributions."""
    from pipeline.build.lock import read_lock
    from pipeline.build.request import BuildRequest

    if entries:
        keys = [each.key for each in read_lock(inputs.config.folder).locked]
    else:
        names = options.distribution or list(inputs.config.distributions)
        keys = [(name, options.upstream_repo, options.upstream_ref) for name in names]
    return [
        BuildRequest(distribution=name, upstream=inputs.upstream(repository, ref))
        for name, repository, ref in dict.fromkeys(keys)
    ]
