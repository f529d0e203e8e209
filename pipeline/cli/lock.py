"""`ocelot lock`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import opened_inputs
from pipeline.cli.options import CommonOptions, exclusive, run, shared
from pipeline.options import LockOptions

if TYPE_CHECKING:
    from pipeline.build.locking import Locking
    from pipeline.config.folder import Config


@shared
def lock(
    *,
    options: LockOptions,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 9 if the lock is not up to date."),
    ] = False,
    entries: Annotated[
        bool,
        typer.Option("--entries", help="With --check: what the lock has, of whatever upstream."),
    ] = False,
    common: CommonOptions,
) -> None:
    """Write down what distributions are made from, in config/ocelot.lock.

    Builds then keep to it: commit, modules and their sums, Go, and the zips' digests once built.
    """
    from pipeline.build import locking
    from pipeline.build.lock import read_lock
    from pipeline.build.request import BuildRequest
    from pipeline.errors import UsageError
    from pipeline.files import ensure_writable

    exclusive(("--upgrade", options.upgrade), ("--check", check))
    exclusive(("--entries", entries), ("--distribution", bool(options.distribution)))
    if entries and not check:
        raise UsageError("--entries goes with --check alone", hint="ocelot lock --check --entries")
    with opened_inputs(common) as given:
        if not check:
            ensure_writable(given.config.folder)
        names = options.distribution or list(given.config.distributions)
        wanted = [(each, options.upstream_repo, options.upstream_ref) for each in names]
        if entries:
            locked = read_lock(given.config.folder).locked
            wanted = [(each.distribution, each.repository, each.ref) for each in locked]
        requests = [
            BuildRequest(distribution=name, upstream=given.upstream(repository, ref))
            for name, repository, ref in dict.fromkeys(wanted)
        ]

        compiler = None if check else given.compiler()
        work = partial(
            locking.lock_distributions,
            requests,
            given.config,
            compiler,
            upgrade=options.upgrade,
        )
        done = run(work)
    prune = not options.distribution
    _finish(done, given.config, prune=prune, check=check, as_json=common.as_json)


def _finish(
    done: tuple[Locking, ...], config: Config, *, prune: bool, check: bool, as_json: bool
) -> None:
    """Write what was found out, show it, and fail where something could not be found out."""
    from pipeline.build import lock as lockfile
    from pipeline.build import locking
    from pipeline.report.build import lock_json, lock_report
    from pipeline.report.rendering import show

    if not check:
        kept = tuple(config.distributions) if prune else None
        lockfile.write_entries(config.folder, *locking.entries(done), distributions=kept)
    if as_json:
        typer.echo(lock_json(done), nl=False)
    else:
        show(lock_report(done))
    locking.check_outcomes(done, check=check)
