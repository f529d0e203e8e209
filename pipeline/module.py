"""Ocelot as a Dagger module: twins of the command line's commands, in hermetic containers.

Each function is thin: it decides and does by the same code as the command line, with the Dagger
engine in place of the host's. A branch is resolved anew in every session (`cache="session"`); what
is costly, the execs, the engine keeps by content. Nothing assumes that engine and caller share a
disk.
"""

# The SDK's overloads know neither `cache` nor a bare `check`.
# pyright: reportCallIssue=false, reportArgumentType=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple, ParamSpec, Self, TypeVar

import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, function, object_type

from pipeline import defaults, project
from pipeline.build import plan, run
from pipeline.build.catalog import component_rows
from pipeline.build.commits import FOLDER
from pipeline.build.engines import dagger as engines
from pipeline.build.upstream import Source, check_ref, folder_source, repository
from pipeline.config import Config, load_config
from pipeline.errors import OcelotError, UsageError
from pipeline.model import Architecture
from pipeline.naming import zip_name
from pipeline.progress import Progress
from pipeline.report.components import rows_json
from pipeline.report.progress import plain_progress

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

DistributionName = Annotated[str, Doc("A name from distributions.yaml.")]
Architectures = Annotated[str, Doc("What to build for: all, amd64 or arm64.")]
OneArchitecture = Annotated[str, Doc("What to build for: amd64 or arm64.")]
UpstreamRepo = Annotated[str, Doc("Upstream: owner/name on GitHub, a git URL, or sample.")]
UpstreamRef = Annotated[str, Doc("Branch, tag or full commit SHA.")]
UpstreamFolder = Annotated[
    dagger.Directory | None, Doc("A local checkout of upstream, taken as it is, instead.")
]
GitToken = Annotated[dagger.Secret | None, Doc("Token by which to read a private upstream.")]
GoImage = Annotated[str, Doc("Another golang image, of a mirror; default: config/images.yaml.")]
GoProxy = Annotated[str, Doc("Go module proxy, as GOPROXY; default: Go's own.")]
Epoch = Annotated[str, Doc("SOURCE_DATE_EPOCH of the zips; default: the commit's date.")]
Checkout = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore([".git", ".venv", ".ci/venv", "dist", "**/__pycache__"]),
    Doc("The checkout."),
]


def told(work: Callable[Arguments, Awaitable[Result]]) -> Callable[Arguments, Awaitable[Result]]:
    """Let a user's error reach the caller whole: of an exception, Dagger shows the text alone."""

    @functools.wraps(work)
    async def telling(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except OcelotError as error:
            raise RuntimeError(error.text()) from None

    return telling


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What the functions that build have in common."""

    upstream_repo: str
    upstream_ref: str
    upstream: dagger.Directory | None
    git_token: dagger.Secret | None = None
    go_image: str = ""
    go_proxy: str = ""
    source_date_epoch: str = ""

    def engine(self, config: Config, workspace: Path) -> engines.DaggerEngine:
        """The engine that these options ask for."""
        return engines.DaggerEngine(
            image=engines.go_image(config, self.go_image),
            deliver=engines.from_module,
            workspace=workspace,
            settings=engines.container_settings({"GOPROXY": self.go_proxy}),
        )

    def fetch(self, config: Config, workspace: Path) -> run.Fetch:
        """What brings upstream's files, by this order: a folder, the sample, the engine's git."""
        ref = check_ref(self.upstream_ref)
        if self.upstream:
            return functools.partial(_read_folder, "upstream", self.upstream, ref, workspace)
        if self.upstream_repo.startswith((".", "/", "~")):
            raise UsageError(
                f"a module cannot see the folder {self.upstream_repo}",
                hint=f"hand it over: --upstream {self.upstream_repo}",
            )
        origin = repository(self.upstream_repo, sample=project.sample_upstream())
        if origin.folder:
            # of the module's own sources, wherever the runtime has installed this package
            sample = dag.current_module().source().directory("tests/upstream")
            return functools.partial(_read_folder, origin.given, sample, ref, workspace)
        return engines.EngineGit(
            origin=origin,
            ref=ref,
            token=self.git_token,
            git=engines.go_image(config, self.go_image),
            workspace=workspace,
        ).fetch


class _Asked(NamedTuple):
    """What a call asks for, and what serves it."""

    request: run.Request
    config: Config
    engine: engines.DaggerEngine

    async def decided(self) -> plan.BuildPlan:
        """What is to be built."""
        return await run.plan_build(self.request, self.config, plain_progress())

    async def prepared(self, decided: plan.BuildPlan) -> dagger.Container:
        """The container in which the compile steps run."""
        return await self.engine.prepared(decided.tree, decided.recipe, plain_progress())


@object_type
class Ocelot:
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
    ) -> dagger.Directory:
        """Build a distribution's layers: a zip for each architecture, and manifest.json."""
        options = _Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            source_date_epoch=source_date_epoch,
        )
        asked = await self._asked(distribution, _architectures(architecture), options)
        cache = asked.engine.workspace / "cache"
        await run.build(
            asked.request, asked.config, asked.engine, cache=cache, progress=plain_progress()
        )
        return engines.from_module(asked.request.output)

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
    ) -> dagger.File:
        """Build the zip for one architecture."""
        built = await self.build(
            distribution,
            _one_architecture(architecture),
            upstream_repo,
            upstream_ref,
            upstream,
            git_token,
            go_image,
            go_proxy,
            source_date_epoch,
        )
        return built.file(zip_name(Architecture(architecture), distribution))

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
    ) -> dagger.File:
        """Compile the collector for one architecture, without packing it."""
        options = _Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
        )
        asked = await self._asked(distribution, (_one_architecture(architecture),), options)
        decided = await asked.decided()
        (step,) = decided.recipe.compile
        ready = await asked.prepared(decided)
        compiled = await asked.engine.stepped(ready, step, plain_progress())
        return compiled.file(f"{engines.SOURCE}/{step.output}")

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
        options = _Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
        )
        asked = await self._asked(distribution, (Architecture.AMD64,), options)
        return await asked.prepared(await asked.decided())

    @function
    @told
    async def config_check(self) -> str:
        """Check every file of the config folder; all problems are told at once."""
        loaded = await self._config(_workspace())
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
        options = _Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
        )
        workspace = _workspace()
        loaded = await self._config(workspace)
        source = await options.fetch(loaded, workspace)(plain_progress())
        return rows_json(component_rows(loaded, source.files))

    @function
    @check
    async def lint(self, source: Checkout) -> None:
        """Format and lint as CI does."""
        checked = _checkout(source).with_exec(["uv", "run", "ruff", "format", "--check", "."])
        await checked.with_exec(["uv", "run", "ruff", "check", "."]).sync()

    @function
    @check
    async def types(self, source: Checkout) -> None:
        """Types as CI checks them."""
        await _checkout(source).with_exec(["uv", "run", "pyright"]).sync()

    @function
    @check
    async def unit_tests(self, source: Checkout) -> None:
        """The tests that need nothing but Python."""
        command = ["uv", "run", "pytest", "tests/unit", "--no-cov"]
        await _checkout(source).with_exec(command).sync()

    async def _config(self, workspace: Path) -> Config:
        folder = workspace / "config"
        await self.config.export(str(folder))
        return load_config(folder)

    async def _asked(
        self, distribution: str, architectures: tuple[Architecture, ...], options: _Options
    ) -> _Asked:
        """What a call asks for, by the config and in the working folder of this function."""
        workspace = _workspace()
        config = await self._config(workspace)
        request = run.Request(
            distribution=distribution,
            architectures=architectures,
            fetch=options.fetch(config, workspace),
            output=workspace / "dist",
            epoch=plan.source_date_epoch(options.source_date_epoch),
        )
        return _Asked(request, config, options.engine(config, workspace))


async def _read_folder(
    given: str, upstream: dagger.Directory, ref: str, workspace: Path, _progress: Progress
) -> Source:
    folder = workspace / "upstream"
    folder.mkdir(exist_ok=True)
    if await upstream.exists(FOLDER):
        await upstream.directory(FOLDER).export(str(folder / FOLDER))
    return folder_source(given, ref, folder)


def _architectures(name: str) -> tuple[Architecture, ...]:
    return tuple(Architecture) if name == "all" else (_one_architecture(name),)


def _one_architecture(name: str) -> Architecture:
    if name not in tuple(Architecture):
        raise UsageError(f"there is no architecture {name!r}", hint="amd64 or arm64")
    return Architecture(name)


def _workspace() -> Path:
    """A folder in the function's own working folder, from which the engine takes files.

    It is always the same, as each call has a working folder of its own.
    """
    folder = Path.cwd() / ".ocelot"
    folder.mkdir(exist_ok=True)
    return folder


def _checkout(source: dagger.Directory) -> dagger.Container:
    """A container with the checkout and all that its checks need."""
    return (
        dag.container()
        .from_(engines.PYTHON_IMAGE)
        .with_exec(["pip", "install", "--quiet", "uv>=0.9,<1"])
        .with_mounted_cache("/root/.cache/uv", dag.cache_volume("ocelot-uv"))
        .with_env_variable("UV_LINK_MODE", "copy")
        .with_directory("/checkout", source)
        .with_workdir("/checkout")
        .with_exec(["uv", "sync", "--locked"])
    )
