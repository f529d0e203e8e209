"""From upstream's sources to published layers: what `ocelot build` and `ocelot release` call.

The stages stand here in their order; each ends before the next begins, and an error ends them all.
What a stage does is decided by pure functions: `build/plan.py` for a build, `publish/plan.py` for
each zip in each region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline.aws.session import Aws
from pipeline.bench.environment.machine import check_packages
from pipeline.bench.gate import check_layers
from pipeline.build import run
from pipeline.build.apply import Build
from pipeline.build.compile import Compiler
from pipeline.build.run import Request
from pipeline.config.folder import Config
from pipeline.layer.manifest import FILE_NAME, read_manifest
from pipeline.options import ReleaseGroupOptions
from pipeline.publish.request import PublishRequest, packages
from pipeline.publish.run import Report, preflight, publish
from pipeline.registry.registry import Registry


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What a build is made by.

    Attributes:
        request: what is to be built.
        config: the checked configuration.
        compiler: how Go is run.
        cache: the user cache.
        bench: whether the layers are run.
    """

    request: Request
    config: Config
    compiler: Compiler
    cache: Path
    bench: bool


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where built layers go.

    Attributes:
        options: what they are published as.
        request: where to; the packages are still to be built.
        aws: who publishes.
        registry: None where there is to be none.
    """

    options: ReleaseGroupOptions
    request: PublishRequest
    aws: Aws
    registry: Registry | None


async def build(context: BuildContext) -> Build:
    """Build layers and, if that is wanted, run them.

    Raises:
        OcelotError: one of its classes for each way this can fail.
        BenchError: a layer does not run as it should; the manifest says so.
    """
    # 1. sources, plan, then for each architecture compile and pack; evidence, manifest, lock
    done = await _built(context)
    if not context.bench:
        return done
    # 2. the bench, which notes in the manifest what it found
    check_packages()
    layers = {done.folder / each.layer.file: each.layer for each in done.layers}
    await check_layers(layers, context.config, enabled=True)
    return replace(done, manifest=read_manifest(done.folder / FILE_NAME) or done.manifest)


async def release(
    context: BuildContext,
    publication: Publication,
    report_build: Callable[[Build], None],
    report: Report,
) -> None:
    """Build layers and publish them.

    Args:
        context: what they are built by.
        publication: where they go.
        report_build: is called once with what was built.
        report: is called once with what was published, after an interruption too.

    Raises:
        OcelotError: a build, the bench or publishing failed; see `build` and `publish`.
    """
    to = publication
    # 1. identity, account, registry: no minutes of compiling for a user who may not publish
    await preflight(to.request, to.aws, to.registry)
    # 2. sources, plan, then for each architecture compile and pack; evidence, manifest, lock
    done = await _built(context)
    # 3. report what was built
    report_build(done)
    # 4. the bench, then each zip in each region: look, decide, do; report, and fail if need be
    zips = [done.folder / each.layer.file for each in done.layers]
    request = replace(to.request, packages=packages(to.options, zips))
    gate = partial(check_layers, config=context.config, enabled=context.bench)
    await publish(request, to.aws, to.registry, report, gate=gate)


async def _built(context: BuildContext) -> Build:
    return await run.build(context.request, context.config, context.compiler, cache=context.cache)
