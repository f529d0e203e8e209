"""What a build is made of: the checkout's configuration and an upstream, or a bundle."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options

if TYPE_CHECKING:
    from pipeline.build.bundle import Bundle
    from pipeline.build.engines import Engine
    from pipeline.build.engines.host import HostEngine
    from pipeline.build.upstream import Upstream
    from pipeline.config import Config
    from pipeline.progress import Progress

BundleFile = Annotated[
    Path | None,
    typer.Option("--bundle", help="Build from a bundle alone, without a network."),
]
# What a bundle brings, and its distribution.
_OF_A_BUNDLE = ("config", "upstream_repo", "upstream_ref")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options say of a build's inputs."""

    config: Path | None
    upstream_repo: str
    upstream_ref: str
    bundle: Path | None = None
    engine: options.EngineChoice = options.EngineChoice.AUTO
    go_image: str = ""
    keep_temp: bool = False


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a build is made of.

    Attributes:
        bundle: where configuration and upstream come from, if they do.
    """

    asked: Asked
    config: Config
    cache: Path
    progress: Progress
    bundle: Bundle | None = None

    def upstream(self, repository: str = "", ref: str = "") -> Upstream:
        """The bundle's upstream, else the one named here, else the one of the options.

        Raises:
            UsageError: it cannot be one.
        """
        if self.bundle:
            from pipeline.build.bundle import BundleUpstream

            return BundleUpstream(bundle=self.bundle)
        asked = self.asked
        return options.upstream_from(
            repository or asked.upstream_repo, ref or asked.upstream_ref, self.cache
        )

    def distribution(self, context: typer.Context, name: str) -> str:
        """The distribution to build: the one named, else the bundle's.

        Raises:
            UsageError: the bundle is for another one, or there is none of that name.
        """
        from pipeline.errors import UsageError

        if self.bundle:
            own = self.bundle.index.distribution
            if is_given(context, "distribution") and name != own:
                raise UsageError(f"the bundle is for {own}, not for {name}", hint=f"-d {own}")
            return own
        self.config.distribution(name)
        return name

    async def engine(self) -> Engine:
        """The engine asked for; `auto` tells which it took, and why."""
        from pipeline.build.engines.choice import choose_engine

        name = str(self.asked.engine)
        if name == options.EngineChoice.AUTO:
            choice = await choose_engine(os.environ)
            name = choice.engine
            self.progress.note(f"engine: {name}, since {choice.why}")
        if name == options.EngineChoice.HOST:
            return self._host()

        from pipeline.build.engines import dagger as containers

        return containers.DaggerClient(
            image=containers.go_image(self.config, self.asked.go_image),
            settings=containers.container_settings(os.environ),
            modules=self.bundle.modules if self.bundle else None,
        )

    def _host(self) -> HostEngine:
        from pipeline.build.bundling import bundled_toolchain
        from pipeline.build.engines.host import HostEngine
        from pipeline.build.modules import offline_settings

        caches, keep = self.cache / "go", self.asked.keep_temp
        if self.bundle is None:
            return HostEngine(caches=caches, keep_temp=keep)
        settings = offline_settings(self.bundle.modules.absolute().as_uri())
        toolchain = bundled_toolchain(self.bundle)
        return HostEngine(caches=caches, keep_temp=keep, settings=settings, toolchain=toolchain)


@contextmanager
def opened_inputs(asked: Asked, *, verbose: bool) -> Generator[Inputs]:
    """What a build is made of, by its options; how it goes is shown on standard error meanwhile.

    Raises:
        OcelotError: the configuration has problems; the bundle is damaged.
    """
    with (
        options.shown_progress(verbose=verbose) as progress,
        _inputs(asked, progress) as given,
    ):
        yield given


@contextmanager
def _inputs(asked: Asked, progress: Progress) -> Generator[Inputs]:
    from pipeline import project
    from pipeline.config import load_config

    cache = project.cache_folder()
    if asked.bundle is None:
        config = load_config(project.config_folder(asked.config))
        yield Inputs(asked=asked, config=config, cache=cache, progress=progress)
        return

    from pipeline.build.bundling import opened_bundle

    progress.begin("bundle", f"check {asked.bundle.name}")
    with opened_bundle(asked.bundle, cache) as opened:
        progress.end("bundle", f"sha256 {opened.sha256}")
        yield Inputs(
            asked=asked,
            config=load_config(opened.config),
            cache=cache,
            progress=progress,
            bundle=opened,
        )


def check_bundle_options(context: typer.Context, bundle: Path | None) -> None:
    """Refuse options for what a bundle brings itself.

    Raises:
        UsageError: one of them was given beside a bundle.
    """
    from pipeline.errors import UsageError

    given = [name for name in _OF_A_BUNDLE if bundle and is_given(context, name)]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"a bundle brings its own: {names}", hint=f"leave out {names}")


def is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
