"""What a build is made of: the checkout's configuration and an upstream, or a bundle."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.options import CommonOptions, shown_progress, upstream_from

if TYPE_CHECKING:
    from pipeline.build.bundle import Bundle
    from pipeline.build.compile import Compiler
    from pipeline.build.upstream import Upstream
    from pipeline.config.folder import Config

# What a bundle brings, and its distribution.
_OF_A_BUNDLE = ("config", "upstream_repo", "upstream_ref")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a build is made of.

    Attributes:
        bundle: where configuration and upstream come from, if they do.
    """

    config: Config
    cache: Path
    bundle: Bundle | None = None

    def upstream(self, repository: str, ref: str) -> Upstream:
        """The bundle's upstream, else the one named here.

        Raises:
            UsageError: it cannot be one.
        """
        if self.bundle:
            from pipeline.build.bundle import BundleUpstream

            return BundleUpstream(bundle=self.bundle)
        return upstream_from(repository, ref, self.cache)

    def distribution(self, context: typer.Context, name: str) -> str:
        """The distribution to build: the one named, else the bundle's.

        Raises:
            UsageError: the bundle is for another one, or there is none of that name.
        """
        from pipeline.errors import UsageError

        if self.bundle:
            own = self.bundle.index.distribution
            if _is_given(context, "distribution") and name != own:
                raise UsageError(f"the bundle is for {own}, not for {name}", hint=f"-d {own}")
            return own
        self.config.distribution(name)
        return name

    def compiler(self, *, keep_temp: bool = False) -> Compiler:
        """This machine's Go, with the bundle's modules where there is a bundle."""
        from pipeline.build.bundling import bundled_toolchain
        from pipeline.build.compile import Compiler
        from pipeline.build.modules import offline_settings

        caches = self.cache / "go"
        if self.bundle is None:
            return Compiler(caches=caches, keep_temp=keep_temp)
        settings = offline_settings(self.bundle.modules.absolute().as_uri())
        toolchain = bundled_toolchain(self.bundle)
        return Compiler(caches=caches, keep_temp=keep_temp, settings=settings, toolchain=toolchain)


@contextmanager
def opened_inputs(common: CommonOptions, bundle: Path | None = None) -> Generator[Inputs]:
    """What a build is made of; how the work goes is shown on standard error meanwhile.

    Raises:
        OcelotError: the configuration has problems; the bundle is damaged.
    """
    from pipeline import paths, progress
    from pipeline.config.folder import load_config

    cache = paths.cache_folder()
    with shown_progress(verbose=common.verbose):
        if bundle is None:
            yield Inputs(config=common.load(), cache=cache)
            return

        from pipeline.build.bundling import opened_bundle

        with ExitStack() as stack:
            with progress.step("bundle", f"check {bundle.name}") as step:
                opened = stack.enter_context(opened_bundle(bundle, cache))
                step.result = f"sha256 {opened.sha256}"
            yield Inputs(config=load_config(opened.config), cache=cache, bundle=opened)


def check_bundle_options(context: typer.Context, bundle: Path | None) -> None:
    """Refuse options for what a bundle brings itself.

    Raises:
        UsageError: one of them was given beside a bundle.
    """
    from pipeline.errors import UsageError

    given = [name for name in _OF_A_BUNDLE if bundle and _is_given(context, name)]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"a bundle brings its own: {names}", hint=f"leave out {names}")


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
