"""`ocelot build`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.build.apply import Build


class ArchitectureChoice(StrEnum):
    """What to build for."""

    ALL = "all"
    AMD64 = "amd64"
    ARM64 = "arm64"


class EngineChoice(StrEnum):
    """What compiles."""

    AUTO = "auto"
    HOST = "host"


def build(
    distribution: Annotated[
        str,
        typer.Option(
            "--distribution",
            "-d",
            help="A name from distributions.yaml.",
            autocompletion=options.complete_distribution,
        ),
    ] = "default",
    architecture: Annotated[
        ArchitectureChoice, typer.Option("--architecture", "-a", help="What to build for.")
    ] = ArchitectureChoice.ALL,
    upstream_repo: options.UpstreamRepo = options.DEFAULT_UPSTREAM,
    upstream_ref: options.UpstreamRef = options.DEFAULT_REF,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the zips and manifest.json.")
    ] = Path("dist"),
    engine: Annotated[
        EngineChoice, typer.Option("--engine", help="What compiles; auto: the host's pinned Go.")
    ] = EngineChoice.AUTO,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Compile even if nothing changed.")
    ] = False,
    keep_temp: Annotated[
        bool, typer.Option("--keep-temp", help="Keep the sources as they were compiled.")
    ] = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.ConfigFolder = None,
) -> None:
    """Build a distribution's layers: reproducible zips for both architectures, and a manifest."""
    from rich.console import Console

    from pipeline import project
    from pipeline.build import plan, run, upstream
    from pipeline.build.engines.host import HostEngine
    from pipeline.config import load_config
    from pipeline.model import Architecture
    from pipeline.report.progress import shown_progress

    del engine  # auto and host are one as long as there is one engine
    cache = project.cache_folder()
    loaded = load_config(project.config_folder(config))
    wanted = tuple(each for each in Architecture if architecture in ("all", str(each)))
    request = run.Request(
        distribution=distribution,
        architectures=wanted,
        origin=upstream.repository(upstream_repo, sample=project.sample_upstream()),
        ref=upstream.check_ref(upstream_ref),
        output=output,
        epoch=plan.source_date_epoch(os.environ.get("SOURCE_DATE_EPOCH")),
        rebuild=rebuild,
    )
    host = HostEngine(caches=cache / "go", keep_temp=keep_temp)
    console = Console(stderr=True, highlight=False)
    with shown_progress(console, os.environ, verbose=verbose) as progress:
        done = options.run(lambda: run.build(request, loaded, host, cache=cache, progress=progress))
    _report(done, as_json=as_json)


def _report(done: Build, *, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.build.manifest import FILE_NAME
    from pipeline.github.annotations import append_summary
    from pipeline.report.build import build_markdown, build_table

    append_summary(build_markdown(done), os.environ)
    if as_json:
        typer.echo(done.manifest.text(), nl=False)
        return
    console = Console(highlight=False)
    console.print(build_table(done))
    names = ", ".join(built.layer.file for built in done.layers)
    console.print(f"in {done.folder}/: {names}, {FILE_NAME}", markup=False, soft_wrap=True)
