"""What the Dagger module's functions take: their arguments, and what these ask for."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple, ParamSpec, TypeVar

import dagger
from dagger import DefaultPath, Doc, Ignore, dag

from pipeline import project
from pipeline.build import apply, plan, run
from pipeline.build import bundle as bundles
from pipeline.build.bundling import unpacked_bundle
from pipeline.build.commits import FOLDER
from pipeline.build.engines import dagger as engines
from pipeline.build.engines.dagger_git import EngineGit
from pipeline.build.lock import read_lock
from pipeline.build.manifest import FILE_NAME
from pipeline.build.upstream import (
    Resolved,
    Source,
    Upstream,
    check_ref,
    folder_source,
    repository,
)
from pipeline.config import Config, load_config
from pipeline.errors import OcelotError, UsageError
from pipeline.model import Architecture
from pipeline.report.progress import plain_progress
from pipeline.supply.verify import Verified, check_verified, entry_of, manifest_claims, verify

DEFAULT_DISTRIBUTION = "default"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

DistributionName = Annotated[str, Doc("A name from distributions.yaml.")]
Distributions = Annotated[
    list[str] | None, Doc("Names from distributions.yaml; default: all of them.")
]
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
Locked = Annotated[bool, Doc("Refuse to build anything but what ocelot.lock says.")]
NoTune = Annotated[bool, Doc("Leave upstream's files as they are: no tunings.")]
Upgrade = Annotated[bool, Doc("Follow the ref to its newest commit, modules anew.")]
BundleFile = Annotated[
    dagger.File | None, Doc("Build from a bundle alone: its config, its upstream, its modules.")
]
BuiltFolder = Annotated[
    dagger.Directory, Doc("A folder of zips with their manifest.json, as `build` makes it.")
]
LayerZip = Annotated[dagger.File, Doc("A layer's zip.")]
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
class Options:
    """What the functions that build have in common."""

    upstream_repo: str
    upstream_ref: str
    upstream: dagger.Directory | None
    git_token: dagger.Secret | None = None
    go_image: str = ""
    go_proxy: str = ""
    source_date_epoch: str = ""
    locked: bool = False
    no_tune: bool = False
    bundle: dagger.File | None = None

    async def opened(self, directory: dagger.Directory, workspace: Path) -> Opened:
        """Configuration, upstream and engine that these options ask for.

        Args:
            directory: the config folder, unless a bundle brings its own.
            workspace: where files are put for the engine.
        """
        if self.bundle is None:
            config = await own_config(directory)
            return Opened(
                config, self.upstream_of(config, workspace), self.engine(config, workspace)
            )
        file = workspace / "ocelot-bundle.tar.zst"
        await self.bundle.export(str(file))
        unpacked = unpacked_bundle(file, workspace / "bundle")
        config = load_config(unpacked.config)
        engine = replace(self.engine(config, workspace), modules=unpacked.modules)
        return Opened(config, bundles.BundleUpstream(bundle=unpacked), engine, unpacked)

    def engine(self, config: Config, workspace: Path) -> engines.DaggerEngine:
        """The engine that these options ask for."""
        return engines.DaggerEngine(
            image=engines.go_image(config, self.go_image),
            deliver=engines.from_module,
            workspace=workspace,
            settings=engines.container_settings({"GOPROXY": self.go_proxy}),
        )

    async def asked(
        self,
        distribution: str,
        architectures: tuple[Architecture, ...],
        directory: dagger.Directory,
    ) -> Asked:
        """What a call asks for, in the working folder of this function."""
        workspace = own_workspace()
        opened = await self.opened(directory, workspace)
        request = run.Request(
            distribution=opened.distribution(distribution),
            architectures=architectures,
            upstream=opened.upstream,
            output=workspace / "dist",
            epoch=plan.source_date_epoch(self.source_date_epoch),
            locked=self.locked or self.bundle is not None,
            tune=not self.no_tune,
        )
        return Asked(request, opened.config, opened.engine)

    def upstream_of(self, config: Config, workspace: Path) -> Upstream:
        """What brings upstream's files, by this order: a folder, the sample, the engine's git."""
        ref = check_ref(self.upstream_ref)
        if self.upstream:
            return HandedFolder(
                given="upstream", ref=ref, directory=self.upstream, workspace=workspace
            )
        if self.upstream_repo.startswith((".", "/", "~")):
            raise UsageError(
                f"a module cannot see the folder {self.upstream_repo}",
                hint=f"hand it over: --upstream {self.upstream_repo}",
            )
        origin = repository(self.upstream_repo, sample=project.sample_upstream())
        if origin.folder:
            # of the module's own sources, wherever the runtime has installed this package
            sample = dag.current_module().source().directory("tests/upstream")
            return HandedFolder(given=origin.given, ref=ref, directory=sample, workspace=workspace)
        return EngineGit(
            origin=origin,
            ref=ref,
            token=self.git_token,
            git=engines.go_image(config, self.go_image),
            workspace=workspace,
        )


@dataclass(frozen=True, kw_only=True)
class HandedFolder:
    """Upstream's files as they lie in a directory of the engine's; see `Upstream`."""

    given: str
    ref: str
    directory: dagger.Directory
    workspace: Path

    async def resolve(self) -> Resolved:
        """See `Upstream.resolve`."""
        source = await self.read("")
        return Resolved(commit=source.commit, kind="folder")

    async def read(self, commit: str) -> Source:
        """See `Upstream.read`."""
        del commit
        folder = self.workspace / "upstream"
        if not folder.exists():
            folder.mkdir()
            if await self.directory.exists(FOLDER):
                await self.directory.directory(FOLDER).export(str(folder / FOLDER))
        return folder_source(self.given, self.ref, folder)


class Opened(NamedTuple):
    """What a build is made of, and what makes it."""

    config: Config
    upstream: Upstream
    engine: engines.DaggerEngine
    bundle: bundles.Bundle | None = None

    def distribution(self, name: str) -> str:
        """The distribution to build: the one named or, where only the default is, the bundle's.

        Raises:
            UsageError: the bundle is for another one.
        """
        own = self.bundle.index.distribution if self.bundle else name
        if name not in (own, DEFAULT_DISTRIBUTION):
            raise UsageError(f"the bundle is for {own}, not for {name}", hint=f"name {own}")
        return own

    async def verified(self, options: Options, layers: dagger.Directory) -> Sequence[Verified]:
        """The layers of a folder, built again and compared.

        Raises:
            VerifyError: one of them is not what its sources give.
        """
        folder = self.engine.workspace / "layers"
        await layers.export(str(folder))
        lock = read_lock(self.config.folder)
        claims = [(each, entry_of(each, lock)) for each in manifest_claims(folder / FILE_NAME)]

        def upstream_of(repository: str, ref: str) -> Upstream:
            if self.bundle:
                return self.upstream
            its = replace(options, upstream_repo=repository, upstream_ref=ref)
            return its.upstream_of(self.config, self.engine.workspace)

        done = await verify(
            claims,
            self.config,
            upstream_of,
            self.engine,
            cache=self.engine.workspace / "cache",
            progress=plain_progress(),
        )
        check_verified(done)
        return done


class Asked(NamedTuple):
    """What a call asks for, and what serves it."""

    request: run.Request
    config: Config
    engine: engines.DaggerEngine

    async def built(self) -> apply.Build:
        """The layers, built."""
        return await run.build(
            self.request,
            self.config,
            self.engine,
            cache=self.engine.workspace / "cache",
            progress=plain_progress(),
        )

    async def decided(self) -> plan.BuildPlan:
        """What is to be built."""
        return await run.plan_build(self.request, self.config, plain_progress())

    async def prepared(self, decided: plan.BuildPlan) -> dagger.Container:
        """The container in which the compile steps run."""
        return await self.engine.prepared(decided.tree, decided.recipe, plain_progress())


def architectures_of(name: str, *, one: bool = False) -> tuple[Architecture, ...]:
    """The architectures that a word means: `all`, unless only one is wanted, or a name.

    Raises:
        UsageError: it is none of these.
    """
    if name == "all" and not one:
        return tuple(Architecture)
    if name not in tuple(Architecture):
        raise UsageError(f"there is no architecture {name!r}", hint="amd64 or arm64")
    return (Architecture(name),)


def own_workspace() -> Path:
    """A folder in the function's own working folder, from which the engine takes files.

    It is always the same, as each call has a working folder of its own.
    """
    folder = Path.cwd() / ".ocelot"
    folder.mkdir(exist_ok=True)
    return folder


async def own_config(directory: dagger.Directory) -> Config:
    """The configuration of a config folder, in the function's own working folder.

    Raises:
        ConfigError: it has problems.
    """
    folder = own_workspace() / "config"
    if not folder.exists():
        await directory.export(str(folder))
    return load_config(folder)
