"""A build from end to end: what `ocelot build` and its Dagger twin call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.build import apply
from pipeline.build.engines import Engine
from pipeline.build.plan import BuildPlan, build_plan
from pipeline.build.upstream import Source
from pipeline.config import Config
from pipeline.model import Architecture
from pipeline.progress import Progress

# Brings upstream's files: by this machine's git, or by an engine's.
Fetch = Callable[[Progress], Awaitable[Source]]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for.

    Attributes:
        epoch: SOURCE_DATE_EPOCH, None for the commit's date.
        rebuild: compile even what the store has.
    """

    distribution: str
    architectures: tuple[Architecture, ...]
    fetch: Fetch
    output: Path
    epoch: int | None = None
    rebuild: bool = False


async def build(
    request: Request, config: Config, engine: Engine, *, cache: Path, progress: Progress
) -> apply.Build:
    """Fetch, decide, compile, pack, write.

    Raises:
        OcelotError: one of its classes for each way this can fail.
    """
    files.check_writable(request.output)
    plan = await plan_build(request, config, progress)
    return await apply.apply_plan(
        plan,
        engine,
        output=request.output,
        cache=cache,
        progress=progress,
        rebuild=request.rebuild,
    )


async def plan_build(request: Request, config: Config, progress: Progress) -> BuildPlan:
    """Fetch upstream and decide what to build."""
    config.distribution(request.distribution)
    source = await request.fetch(progress)
    own = config.config_file(request.distribution)
    overlay = files.read_tree(config.overlay)
    return build_plan(
        config,
        request.distribution,
        source,
        architectures=request.architectures,
        overlay=overlay,
        config_file=own.read_bytes() if own else None,
        epoch=request.epoch,
    )
