"""Ocelot as a Dagger module: twins of the command line's commands, in hermetic containers.

Each function is thin: it decides and does by the same code as the command line, with the Dagger
engine in place of the host's. A branch is resolved anew in every session (`cache="session"`); what
is costly, the execs, the engine keeps by content. Nothing assumes that engine and caller share a
disk.
"""

# The SDK's overloads know neither `cache` nor a bare `check`.
# pyright: reportCallIssue=false, reportArgumentType=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

import dagger
from anyio import to_thread
from dagger import DefaultPath, Doc, check, function, object_type

from pipeline import defaults
from pipeline.build import bundling, locking, run
from pipeline.build.catalog import component_rows
from pipeline.build.engines import dagger as engines
from pipeline.build.lock import FILE_NAME, write_entries
from pipeline.build.upstream import read_upstream
from pipeline.model import Architecture
from pipeline.module_bench import Bench, BenchFunctions, try_layers
from pipeline.module_container import python_container
from pipeline.module_options import (
    Architectures,
    BuiltFolder,
    BundleFile,
    Checkout,
    DistributionName,
    Distributions,
    Epoch,
    GitToken,
    GoImage,
    GoProxy,
    LayerZip,
    Locked,
    NoTune,
    OneArchitecture,
    Options,
    Upgrade,
    UpstreamFolder,
    UpstreamRef,
    UpstreamRepo,
    architectures_of,
    own_config,
    own_workspace,
    told,
)
from pipeline.module_publish import PublishFunctions
from pipeline.report.components import rows_json
from pipeline.report.inspect import inspection_json
from pipeline.report.progress import plain_progress
from pipeline.report.verify import write_reports


@object_type
class Ocelot(BenchFunctions, PublishFunctions):
    """Custom OpenTelemetry Collector layers for AWS Lambda."""

    config: dagger.Directory

    @classmethod
    async def create(
        cls,
        config: Annotated[
            dagger.Directory,
            DefaultPath("/config"),
            Doc("The config folder: distributions, components, images, overlay."),
        ],
    ) -> Self:
        """Take the configuration, and nothing else of the checkout."""
        return cls(config=config)

    @function(cache="session")
    @told
    async def build(
        self,
        distribution: DistributionName = "default",
        architecture: Architectures = "all",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        source_date_epoch: Epoch = "",
        locked: Locked = False,
        no_tune: NoTune = False,
        bundle: BundleFile = None,
        bench: Bench = False,
    ) -> dagger.Directory:
        """Build a distribution's layers: a zip for each architecture, and manifest.json."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            source_date_epoch=source_date_epoch,
            locked=locked,
            no_tune=no_tune,
            bundle=bundle,
        )
        asked = await options.asked(distribution, architectures_of(architecture), self.config)
        folder = (await asked.built()).folder
        if bench:
            await try_layers(folder, asked.config, go_image, wanted=True)
        return engines.from_module(folder)

    @function(cache="session")
    @told
    async def layer(
        self,
        distribution: DistributionName = "default",
        architecture: OneArchitecture = "amd64",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        source_date_epoch: Epoch = "",
        locked: Locked = False,
        no_tune: NoTune = False,
        bundle: BundleFile = None,
    ) -> dagger.File:
        """Build the zip for one architecture."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            source_date_epoch=source_date_epoch,
            locked=locked,
            no_tune=no_tune,
            bundle=bundle,
        )
        one = architectures_of(architecture, one=True)
        built = await (await options.asked(distribution, one, self.config)).built()
        return engines.from_module(built.folder).file(built.layers[0].layer.file)

    @function(cache="session")
    @told
    async def binary(
        self,
        distribution: DistributionName = "default",
        architecture: OneArchitecture = "amd64",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        locked: Locked = False,
        no_tune: NoTune = False,
        bundle: BundleFile = None,
    ) -> dagger.File:
        """Compile the collector for one architecture, without packing it."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            locked=locked,
            no_tune=no_tune,
            bundle=bundle,
        )
        asked = await options.asked(
            distribution, architectures_of(architecture, one=True), self.config
        )
        decided = await asked.decided()
        (step,) = decided.recipe.compile
        return await asked.engine.compiled(decided.tree, decided.recipe, step, plain_progress())

    @function(cache="session")
    @told
    async def toolchain(
        self,
        distribution: DistributionName = "default",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
    ) -> dagger.Container:
        """The container in which a distribution is compiled, modules and all: for a terminal."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
        )
        asked = await options.asked(distribution, (Architecture.AMD64,), self.config)
        return await asked.prepared(await asked.decided())

    @function(cache="session")
    @told
    async def lock(
        self,
        distribution: Distributions = None,
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        upgrade: Upgrade = False,
    ) -> dagger.File:
        """Write down what distributions are made from: the new config/ocelot.lock."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
        )
        opened = await options.opened(self.config, own_workspace())
        config = opened.config
        requests = [
            run.Request(
                distribution=name,
                architectures=tuple(Architecture),
                upstream=opened.upstream,
                output=Path(),
            )
            for name in distribution or list(config.distributions)
        ]
        done = await locking.lock_distributions(
            requests, config, opened.engine, plain_progress(), upgrade=upgrade
        )
        locking.check_outcomes(done, check=False)
        kept = None if distribution else tuple(config.distributions)
        write_entries(config.folder, *locking.entries(done), distributions=kept)
        return engines.from_module(config.folder).file(FILE_NAME)

    @function(cache="session")
    @told
    async def bundle(
        self,
        distribution: DistributionName = "default",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
    ) -> dagger.File:
        """Pack all that a locked build needs into one file, for `build --bundle`."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
        )
        asked = await options.asked(distribution, tuple(Architecture), self.config)
        request = replace(asked.request, output=asked.request.output / "ocelot-bundle.tar.zst")
        await bundling.make_bundle(request, asked.config, asked.engine, plain_progress())
        return engines.from_module(request.output.parent).file(request.output.name)

    @function(cache="session")
    @told
    async def verify(
        self,
        layers: BuiltFolder,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        bundle: BundleFile = None,
    ) -> dagger.Directory:
        """Build layers again from the lock, or from a bundle, and compare them byte for byte.

        It hands out verification.json and verification.md, and fails where a byte differs.
        """
        options = Options(
            upstream_repo=defaults.UPSTREAM_REPO,
            upstream_ref=defaults.UPSTREAM_REF,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            bundle=bundle,
        )
        opened = await options.opened(self.config, own_workspace())
        done = await opened.verified(options, layers)
        return engines.from_module(write_reports(done, own_workspace() / "verified"))

    @function
    @told
    async def inspect(self, layer: LayerZip) -> str:
        """Tell what is inside a layer as JSON: versions, files, components, modules, sizes."""
        path = own_workspace() / "layer.zip"
        await layer.export(str(path))
        return await to_thread.run_sync(inspection_json, path)

    @function
    @told
    async def config_check(self) -> str:
        """Check every file of the config folder; all problems are told at once."""
        loaded = await own_config(self.config)
        return f"{len(loaded.distributions)} distributions, {len(loaded.components)} components\n"

    @function(cache="session")
    @told
    async def components(
        self,
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
    ) -> str:
        """List the components on offer as JSON: kind, name, tag, origin, distributions."""
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
        )
        opened = await options.opened(self.config, own_workspace())
        source = await read_upstream(opened.upstream)
        return rows_json(component_rows(opened.config, source.files))

    @function
    @check
    async def lint(self, source: Checkout) -> None:
        """Format and lint as CI does."""
        checked = python_container(source).with_exec(
            ["uv", "run", "ruff", "format", "--check", "."]
        )
        await checked.with_exec(["uv", "run", "ruff", "check", "."]).sync()

    @function
    @check
    async def types(self, source: Checkout) -> None:
        """Types as CI checks them."""
        await python_container(source).with_exec(["uv", "run", "pyright"]).sync()

    @function
    @check
    async def unit_tests(self, source: Checkout) -> None:
        """The tests that need nothing but Python."""
        command = ["uv", "run", "pytest", "tests/unit", "--no-cov"]
        await python_container(source).with_exec(command).sync()
