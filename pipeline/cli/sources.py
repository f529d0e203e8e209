"""`ocelot sources`, with which container builds read upstream in a step of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import ConfigOptions, VerboseOptions, shared
from pipeline.cli.running import run, shown_progress
from pipeline.options import LockOptions

if TYPE_CHECKING:
    from pipeline.build.lock import Lock, Locked
    from pipeline.config.folder import Config


@shared
def sources(
    *,
    target: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Zips or a manifest.json: read the locked commits that `verify` needs for them."
        ),
    ] = None,
    options: LockOptions,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Take upstream's files from this folder, as they are."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the sources.")] = Path(
        "sources"
    ),
    work: VerboseOptions,
    config: ConfigOptions,
) -> None:
    """Read the upstream sources that a build needs into a folder; print their commits.

    If OCELOT_SOURCES names the folder, these commands take upstream from it and need neither git
    nor a network for that: `components`, `build`, `lock`, `bundle`, `verify` and `release`, with
    the same `--upstream-repo` and `--upstream-ref`. Only this command reads OCELOT_GIT_TOKEN, the
    token for a private repository.
    """
    from pipeline import paths
    from pipeline.audit.verify import gather_targets
    from pipeline.build.inputs import requested_upstream
    from pipeline.build.lock import read_lock
    from pipeline.build.sources import gather_sources, read_index
    from pipeline.files import ensure_writable

    ensure_writable(output)
    loaded = config.load()
    lock = read_lock(loaded.folder)
    upstream_of = partial(requested_upstream, cache=paths.cache_folder(), folder=folder)
    if target:
        gather = partial(gather_targets, target, lock, upstream_of, output, resolve=bool(folder))
    else:
        entries = _entries(options, loaded, lock)
        upstream = upstream_of(options.upstream_repo, options.upstream_ref)
        gather = partial(gather_sources, upstream, entries, output)
    with shown_progress(verbose=work.verbose):
        read = run(gather)
    for commit in dict.fromkeys(read):
        typer.echo(commit)
    for each in read_index(output).refs:
        if each.commit not in read:  # the lock has an older commit of the ref
            typer.echo(f"{each.ref} is at {each.commit}")


def _entries(options: LockOptions, config: Config, lock: Lock) -> list[Locked | None]:
    """Return the lock's entry for each distribution; None if its build needs the ref's commit."""
    for name in options.distribution or ():
        config.distribution(name)
    names = options.distribution or list(config.distributions)
    key = (options.upstream_repo, options.upstream_ref)
    return [None if options.upgrade else lock.find(name, *key) for name in names]
