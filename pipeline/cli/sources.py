"""`ocelot sources`, the step in which container builds read upstream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    ConfigOptions,
    VerboseOptions,
    run,
    shared,
    shown_progress,
    upstream_from,
)
from pipeline.options import LockOptions

if TYPE_CHECKING:
    from pipeline.build.upstream import Upstream


@shared
def sources(
    *,
    target: Annotated[
        list[str] | None,
        typer.Argument(
            help="Zips or a manifest.json: the locked commits that `verify` needs of them."
        ),
    ] = None,
    options: LockOptions,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Take upstream's files as they lie in this folder."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to be filled.")] = Path(
        "sources"
    ),
    work: VerboseOptions,
    config: ConfigOptions,
) -> None:
    """Read the upstream sources that a build needs into a folder.

    Commands that find the folder in OCELOT_SOURCES take upstream from there and need neither git
    nor a network for it: `components`, `build`, `lock`, `bundle`, `verify` and `release`, with the
    same `--upstream-repo` and `--upstream-ref`. Only this command needs OCELOT_GIT_TOKEN, the token
    for a private repository.
    """
    from pipeline.audit.verify import entry_of, target_claims
    from pipeline.build.lock import read_lock
    from pipeline.build.sources import gather_commits, gather_sources, read_index
    from pipeline.files import ensure_writable

    ensure_writable(output)
    loaded = config.load()
    lock = read_lock(loaded.folder)

    def upstream_of(repository: str, ref: str) -> Upstream:
        return _upstream(repository, ref, folder)

    async def of_targets() -> list[str]:
        entries = {
            (entry := entry_of(claim, lock)).key: entry
            for each in target or []
            for claim in target_claims(Path(each))
        }
        read: list[str] = []
        for entry in entries.values():
            upstream = upstream_of(entry.repository, entry.ref)
            now = await upstream.resolve() if folder else None
            read += await gather_commits(upstream, [entry.commit], output, now=now)
        return read

    async def of_distributions() -> list[str]:
        for name in options.distribution or ():
            loaded.distribution(name)
        names = options.distribution or list(loaded.distributions)
        repository, ref = options.upstream_repo, options.upstream_ref
        found = [None if options.upgrade else lock.find(name, repository, ref) for name in names]
        upstream = upstream_of(repository, ref)
        return list(await gather_sources(upstream, found, output))

    with shown_progress(verbose=work.verbose):
        read = run(of_targets if target else of_distributions)
    for commit in dict.fromkeys(read):
        typer.echo(commit)
    for each in read_index(output).refs:
        if each.commit not in read:  # the lock stays behind it
            typer.echo(f"{each.ref} is at {each.commit}")


def _upstream(upstream_repo: str, upstream_ref: str, folder: Path | None) -> Upstream:
    """The upstream that the options name: by git, or what lies in a folder."""
    from pipeline import paths
    from pipeline.build.git import Repository
    from pipeline.build.upstream import HostUpstream, check_ref

    if folder is None:
        return upstream_from(upstream_repo, upstream_ref, paths.cache_folder())
    origin = Repository(given=upstream_repo, folder=folder)
    cache = paths.cache_folder()
    return HostUpstream(origin=origin, ref=check_ref(upstream_ref), cache=cache)
