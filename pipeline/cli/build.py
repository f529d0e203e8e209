"""`ocelot build`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import defaults
from pipeline.cli import gate, options
from pipeline.cli.inputs import Asked, BundleFile, check_bundle_options, opened_inputs

if TYPE_CHECKING:
    from pipeline.build.apply import Build
    from pipeline.build.run import Request
    from pipeline.build.upstream import Upstream
    from pipeline.cli.inputs import Inputs


class ArchitectureChoice(StrEnum):
    """What to build for."""

    ALL = "all"
    AMD64 = "amd64"
    ARM64 = "arm64"


Architectures = Annotated[
    ArchitectureChoice, typer.Option("--architecture", "-a", help="What to build for.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for the zips and manifest.json.")
]
Locked = Annotated[
    bool, typer.Option("--locked", help="Refuse to build anything but what ocelot.lock says.")
]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Compile even if nothing changed.")]
NoTune = Annotated[
    bool, typer.Option("--no-tune", help="Leave upstream's files as they are: no tunings.")
]
KeepTemp = Annotated[
    bool, typer.Option("--keep-temp", help="Keep the sources as they were compiled.")
]


def build(
    context: typer.Context,
    distribution: options.DistributionName = "default",
    architecture: Architectures = ArchitectureChoice.ALL,
    upstream_repo: options.UpstreamRepo = defaults.UPSTREAM_REPO,
    upstream_ref: options.UpstreamRef = defaults.UPSTREAM_REF,
    output: Output = Path("dist"),
    engine: options.AskedEngine = options.EngineChoice.AUTO,
    go_image: options.GoImage = "",
    locked: Locked = False,
    no_tune: NoTune = False,
    bundle: BundleFile = None,
    rebuild: Rebuild = False,
    keep_temp: KeepTemp = False,
    bench: gate.Bench = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Build a distribution's layers and their manifest.

    The zips are the same, byte for byte, wherever they are built.
    """
    from pipeline.build import run

    check_bundle_options(context, bundle)
    asked = Asked(
        config=config,
        upstream_repo=upstream_repo,
        upstream_ref=upstream_ref,
        bundle=bundle,
        engine=engine,
        go_image=go_image,
        keep_temp=keep_temp,
    )
    with opened_inputs(asked, verbose=verbose) as given:
        name, upstream = given.distribution(context, distribution), given.upstream()
        strict = locked or bundle is not None
        request = build_request(
            name, architecture, upstream, output, rebuild=rebuild, locked=strict, tune=not no_tune
        )

        async def work() -> Build:
            chosen = await given.engine()
            return await run.build(
                request, given.config, chosen, cache=given.cache, progress=given.progress
            )

        done = _benched(options.run(work), given, wanted=bench)
    report(done, as_json=as_json)


def _benched(done: Build, given: Inputs, *, wanted: bool) -> Build:
    """The build, after its layers ran on the bench if that is wanted.

    Raises:
        BenchError: one of them fails; the manifest says so.
    """
    if not wanted:
        return done

    from dataclasses import replace

    from pipeline.bench.parts import check_parts
    from pipeline.build.manifest import FILE_NAME, read_manifest

    check_parts()
    layers = {done.folder / each.layer.file: each.layer for each in done.layers}
    gate.passed(layers, given.config, wanted=True)
    return replace(done, manifest=read_manifest(done.folder / FILE_NAME) or done.manifest)


def build_request(
    distribution: str,
    architecture: ArchitectureChoice,
    upstream: Upstream,
    output: Path,
    *,
    rebuild: bool = False,
    locked: bool,
    tune: bool,
) -> Request:
    """What the options of a build ask for."""
    from importlib.metadata import version

    from pipeline.build.plan import source_date_epoch
    from pipeline.build.run import Request
    from pipeline.model import Architecture
    from pipeline.supply.provenance import builder_of

    return Request(
        distribution=distribution,
        architectures=tuple(each for each in Architecture if architecture in ("all", str(each))),
        upstream=upstream,
        output=output,
        epoch=source_date_epoch(os.environ.get("SOURCE_DATE_EPOCH")),
        rebuild=rebuild,
        locked=locked,
        tune=tune,
        builder=builder_of(os.environ, version=version("ocelot")),
    )


def report(done: Build, *, as_json: bool) -> None:
    """Tell what was built: as a table or JSON, and in the job summary."""
    from rich.console import Console

    from pipeline.build.manifest import FILE_NAME
    from pipeline.github.annotations import append_summary
    from pipeline.report.build import build_markdown, build_table, tuned_line

    append_summary(build_markdown(done), os.environ)
    if as_json:
        typer.echo(done.manifest.text(), nl=False)
        return
    console = Console(highlight=False)
    console.print(build_table(done))
    names = ", ".join(built.layer.file for built in done.layers)
    console.print(f"in {done.folder}/: {names}, {FILE_NAME}", markup=False, soft_wrap=True)
    if tuned := tuned_line(done):
        console.print(tuned, markup=False, soft_wrap=True)
    console.print(
        "beside each zip: its bill of materials (.cdx.json) and its provenance (.intoto.json)",
        soft_wrap=True,
    )
