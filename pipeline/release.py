"""From upstream's sources to published layers: what `ocelot build` and `ocelot release` call.

The stages are listed here in order; each ends before the next begins, and an error ends them all.
Pure functions decide what a stage does: `build/plan.py` for a build, `publish/plan.py` for each
zip in each region.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline.aws.session import Aws
from pipeline.bench.environment.machine import check_packages
from pipeline.bench.gate import check_layers
from pipeline.build.apply import apply_plan
from pipeline.build.compile import Compiler
from pipeline.build.explain import explain_size
from pipeline.build.lock import record_zips
from pipeline.build.request import BuildRequest, plan_build
from pipeline.config.folder import Config
from pipeline.files import ensure_writable
from pipeline.layer.manifest import FILE_NAME, folder_manifest, read_manifest
from pipeline.options import ReleaseGroupOptions
from pipeline.publish.package import read_packages
from pipeline.publish.request import PublishRequest
from pipeline.publish.run import PublishResult, Report, preflight, publish
from pipeline.registry.registry import Registry
from pipeline.supply.output import BuildOutput, write_layers
from pipeline.supply.provenance import Builder


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """All that a build needs.

    Attributes:
        request: what to build.
        config: the checked configuration.
        compiler: how Go is run.
        cache: the user cache.
        output: the folder for zips, evidence and manifest.
        builder: the user or workflow that runs ocelot, for the provenance.
        rebuild: True to compile even what the cache has.
        explain_size: True to report why the linker keeps unused methods.
        bench: True to run the layers.
    """

    request: BuildRequest
    config: Config
    compiler: Compiler
    cache: Path
    output: Path
    builder: Builder
    rebuild: bool = False
    explain_size: bool = False
    bench: bool = False


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where built layers are published.

    Attributes:
        options: how they are named and who may use them.
        request: regions and account; its packages are still to be built.
        aws: the session that publishes.
        registry: None for publishing without one.
    """

    options: ReleaseGroupOptions
    request: PublishRequest
    aws: Aws
    registry: Registry | None


@dataclass(frozen=True, kw_only=True)
class GitHubStage:
    """The release on GitHub that follows publishing.

    Attributes:
        check: fails if it could not be made; is called before the build.
        make: makes it, of the result of publishing.
    """

    check: Callable[[], Awaitable[None]]
    make: Callable[[PublishResult], Awaitable[None]]


async def build(context: BuildContext) -> BuildOutput:
    """Build layers and, where the context says so, run them.

    Raises:
        OcelotError: one of its classes for each way this can fail.
        BenchError: a layer does not run as it should; the manifest says so.
    """
    request, config, compiler = context.request, context.config, context.compiler
    ensure_writable(context.output)
    folder_manifest(context.output)
    # 1. plan: what the lock has, upstream's sources, what to build of them
    plan = await plan_build(request, config)
    # 2. compile and pack, both architectures at once; what the cache has is taken from there
    layers = await apply_plan(plan, compiler, cache=context.cache, rebuild=context.rebuild)
    # 3. if requested, why the linker keeps unused methods; also of layers over their budget
    if context.explain_size:
        plan = replace(plan, notes=(*plan.notes, *await explain_size(plan, compiler)))
    # 4. evidence and output: bills of materials, budget; then zips, evidence and manifest
    output = await write_layers(
        plan,
        layers,
        context.output,
        cache=context.cache,
        module_cache=compiler.module_cache,
        builder=context.builder,
    )
    # 5. the zips' digests, where the lock has none yet
    if plan.locked and not request.locked:
        zips = {each.layer.architecture: each.layer.sha256 for each in output.layers}
        record_zips(config.folder, plan.locked, zips)
    if not context.bench:
        return output
    # 6. the bench, which notes its result in the manifest
    check_packages()
    built = {output.folder / each.layer.file: each.layer for each in output.layers}
    await check_layers(built, config, enabled=True)
    return replace(output, manifest=read_manifest(output.folder / FILE_NAME) or output.manifest)


async def release(
    context: BuildContext,
    publication: Publication,
    report_build: Callable[[BuildOutput], None],
    report: Report,
    github: GitHubStage | None = None,
) -> None:
    """Build layers, publish them, and make a release on GitHub if requested.

    Args:
        context: what they are built from; `bench` says if they are run before they are published.
        publication: where they are published.
        report_build: is called once with the result of the build.
        report: is called once with the result of publishing, after an interruption too.
        github: None for no release on GitHub.

    Raises:
        OcelotError: a build, the bench, publishing or GitHub failed; see `build` and `publish`.
    """
    to = publication
    # 1. identity, account, registry, GitHub: no minutes of compiling for a user without access
    await preflight(to.request, to.aws, to.registry)
    if github:
        await github.check()
    # 2. build
    output = await build(replace(context, bench=False))
    # 3. report what was built
    report_build(output)
    # 4. the bench, then each zip in each region: look, decide, do; report, and fail if need be
    zips = [output.folder / each.layer.file for each in output.layers]
    packages = read_packages(to.options, to.request.release_group, zips)
    # the warnings were shown in step 1
    request = replace(to.request, packages=packages, warnings=())
    gate = partial(check_layers, config=context.config, enabled=context.bench)
    results: list[PublishResult] = []

    def reported(result: PublishResult) -> None:
        results.append(result)
        report(result)

    await publish(request, to.aws, to.registry, reported, gate=gate)
    # 5. a release on GitHub of what was published
    if github:
        await github.make(results[-1])
