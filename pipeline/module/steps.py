"""The container steps of the module's functions, each an `ocelot` command in the toolchain."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, cast
from uuid import uuid4

import dagger
from dagger import Container, Directory, Doc, File, Secret, dag, function

from pipeline.options import (
    Architectures,
    BuildOptions,
    CompileOptions,
    DistributionOptions,
    ExplainOptions,
    GitHubReleaseOptions,
    LayerOptions,
    LockOptions,
    OneArchitecture,
    PublishOptions,
    UpstreamOptions,
)
from pipeline.spread import Function, Opt, arguments, option_group, spread, subgroup

# The module's own runtime, base-image in pyproject.toml; uv is installed from it.
PYTHON_IMAGE = (
    "python:3.14.3-slim@sha256:486b8092bfb12997e10d4920897213a06563449c951c5506c2a2cfaf591c599f"
)
UV = "uv==0.13.9"
SYNC = [
    "uv",
    "sync",
    "--locked",
    "--no-dev",
    "--group=bench",
    "--group=gitops",
    "--no-python-downloads",
]
MANIFEST = "manifest.json"
GO_IMAGE = re.compile(r"^go:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


@option_group
class GoOptions:
    """The Go of the container in which ocelot runs."""

    go_image: Annotated[
        str | None, Opt("A golang image; default: the one in config/images.yaml.")
    ] = None
    go_proxy: Annotated[str | None, Opt("Go module proxy, as GOPROXY; default: Go's own.")] = None


@option_group
class SourceOptions(GoOptions):
    """Upstream's sources, and the container in which they are compiled."""

    upstream: Annotated[
        Directory | None, Opt("A local checkout of upstream, instead of a repository.")
    ] = None
    git_token: Annotated[Secret | None, Opt("Token to read a private upstream repository.")] = None


@option_group
class BundleOrSourceOptions(SourceOptions):
    """Upstream's sources, or a bundle that contains them."""

    bundle: Annotated[File | None, Opt("Build from this bundle alone, without a network.")] = None


@option_group
class InputOptions(BundleOrSourceOptions):
    """Everything that a build reads."""

    source_date_epoch: Annotated[
        str | None, Opt("Time of the zip's files, as SOURCE_DATE_EPOCH; default: the commit's.")
    ] = None


@option_group
class Credentials:
    """The identity in AWS, by an OIDC token or an access key; the engine's own is never used."""

    oidc_token: Annotated[Secret | None, Opt("OIDC token with which to assume --role-arn.")] = None
    access_key_id: Annotated[Secret | None, Opt("Id of an access key, instead of a role.")] = None
    secret_access_key: Annotated[Secret | None, Opt("The access key's secret.")] = None
    session_token: Annotated[Secret | None, Opt("The access key's session token, if any.")] = None
    endpoint_url: Annotated[str | None, Opt("URL of an emulator of AWS, such as moto's.")] = None


def command(cache: Literal["never", "session"] | None = None) -> Callable[[Function], Function]:
    """Return a decorator for a function of the module; it shows groups of options flat."""
    registered = cast("Any", function)  # the SDK's overloads know no `cache`
    flat = spread(lambda _name, opt: Doc(opt.help))
    return lambda method: registered(flat(method), cache=cache)


@dataclass(frozen=True)
class ReleaseFiles:
    """The files of a release on GitHub, besides layers and publish.json; None for none.

    Attributes:
        notes: in Markdown.
        files: further assets.
        upstream: manifest.json of upstream's own layers.
    """

    notes: File | None = None
    files: Directory | None = None
    upstream: File | None = None


class Steps:
    """The steps of one call, for its config folder and the inputs that its caller passed."""

    def __init__(self, config: Directory, given: GoOptions) -> None:
        self.config = config
        self.inputs = subgroup(InputOptions, given)

    async def toolchain(self, platform: str = "") -> Container:
        """Return the golang image with ocelot in it, for the engine's own platform or another."""
        if "@" in (self.inputs.go_proxy or ""):
            raise ValueError("--go-proxy contains a password, which others could read")
        image = self.inputs.go_image or await self._golang_image()
        base = dag.container(platform=dagger.Platform(platform) if platform else None)
        uv = base.from_(PYTHON_IMAGE).with_exec(["pip", "install", "--quiet", UV])
        source = dag.current_module().source()
        tool = (
            base.from_(image)
            .with_file("/usr/local/bin/uv", uv.file("/usr/local/bin/uv"))
            .with_mounted_cache("/root/.cache/uv", dag.cache_volume(f"ocelot-uv{platform[5:]}"))
            .with_env_variable("UV_LINK_MODE", "copy")
            .with_workdir("/ocelot")
            # packages come first, so that a change of ocelot alone does not install them again
            .with_file("pyproject.toml", source.file("pyproject.toml"))
            .with_file("uv.lock", source.file("uv.lock"))
            .with_exec([*SYNC, "--no-install-project"])
            .with_directory(".", source)
            .with_exec(SYNC)
            .with_env_variable("PATH", "/ocelot/.venv/bin:${PATH}", expand=True)
            .with_env_variable("OCELOT_GO", image)
            .with_mounted_cache("/root/.cache/ocelot", dag.cache_volume("ocelot"))
            .with_workdir("/work")
            .with_directory("config", self.config)
        )
        proxy = self.inputs.go_proxy
        return tool.with_env_variable("GOPROXY", proxy) if proxy else tool

    async def _golang_image(self) -> str:
        found = GO_IMAGE.search(await self.config.file("images.yaml").contents())
        if not found:
            raise ValueError("config/images.yaml names no golang image; give one by --go-image")
        return found[1]

    async def toolchains(self, zips: list[str]) -> list[tuple[Container, list[str]]]:
        """Return a toolchain for each architecture of the zips, with its zips' paths in dist/."""
        paths = {
            each: [f"dist/{name}" for name in zips if f"-{each}-" in name]
            for each in OneArchitecture
        }
        return [(await self._toolchain_on(each), own) for each, own in paths.items() if own]

    async def _toolchain_on(self, architecture: str) -> Container:
        """Return the toolchain on an architecture, or the engine's own if it cannot emulate it."""
        platform = f"linux/{architecture}"
        if str(await dag.default_platform()).startswith(platform):
            return await self.toolchain()
        tool = (await self.toolchain(platform)).with_env_variable("OCELOT_EMULATED", "1")
        try:
            return await tool.sync()
        except dagger.ExecError as error:
            if "exec format error" not in f"{error}\n{error.stderr}".lower():
                raise
            return await self.toolchain()

    async def with_sources(
        self,
        options: LockOptions | DistributionOptions,
        *targets: str,
        layers: Directory | None = None,
    ) -> Container:
        """Return the toolchain with upstream's sources, or with the bundle.

        What runs in it needs no git token. The sources are read twice: at every call, to see which
        commits the ref means now, and once more for the folder; the engine keeps the second step as
        long as the commits are the same.
        """
        tool, inputs = await self.toolchain(), self.inputs
        if inputs.bundle:
            return tool.with_mounted_file("bundle", inputs.bundle)
        step = tool.with_directory("dist", layers) if layers else tool
        if isinstance(options, DistributionOptions):
            options = replace(subgroup(LockOptions, options), distribution=[options.distribution])
        line = [*self.command("sources", options, *targets), "--output=/sources"]
        if inputs.upstream:
            step = step.with_mounted_directory("/upstream", inputs.upstream)
            line.append("--folder=/upstream")
        if inputs.git_token:
            step = step.with_secret_variable("OCELOT_GIT_TOKEN", inputs.git_token)
        commits = await uncached(step).with_exec(line).stdout()
        cached = step.with_env_variable("OCELOT_COMMITS", commits).with_exec(line)
        tool = tool.with_directory("/sources", cached.directory("/sources"))
        return tool.with_env_variable("OCELOT_SOURCES", "/sources")

    def command(self, name: str, options: UpstreamOptions, *more: str) -> list[str]:
        """Return a command line; a local checkout is the upstream repository `upstream`."""
        named = replace(options, upstream_repo="upstream") if self.inputs.upstream else options
        bundle = ["--bundle=bundle"] if self.inputs.bundle else []
        return ["ocelot", name, *arguments(named), *bundle, *more]

    async def built(
        self, options: BuildOptions | LayerOptions, explain: ExplainOptions | None = None
    ) -> Directory:
        """Build each architecture in a step of its own, both at once; return zips and manifest.

        With an explanation, the folder also has the command's job summary for each architecture.
        """
        chosen = options.architecture
        architectures = OneArchitecture if chosen == Architectures.ALL else [chosen]
        tool = await self.with_sources(options)
        if epoch := self.inputs.source_date_epoch:
            tool = tool.with_env_variable("SOURCE_DATE_EPOCH", epoch)
        explain = explain or ExplainOptions()
        line = self.command("build", subgroup(CompileOptions, options), *arguments(explain))
        steps = [
            (_with_summary(tool, f"dist/build-{each}.md") if explain.explain_size else tool)
            .with_exec([*line, f"--architecture={each}", "--output=dist"])
            .directory("dist")
            for each in architectures
        ]
        # no task group: it would hide what the failed command printed
        ended = await asyncio.gather(*(each.sync() for each in steps), return_exceptions=True)
        for error in (each for each in ended if isinstance(each, BaseException)):
            raise error
        folder, *others = steps
        for other in others:
            manifests = [await each.file(MANIFEST).contents() for each in (folder, other)]
            folder = folder.with_directory(".", other).with_new_file(MANIFEST, joined(*manifests))
        return folder

    async def benched(self, layers: Directory) -> Directory:
        """Run the layers that have not passed the bench; note the results in the manifest."""
        noted = json.loads(await layers.file(MANIFEST).contents())["layers"]
        zips = [each["file"] for each in noted if each["benched"] != "passed"]
        for tool, paths in await self.toolchains(zips):
            step = tool.with_directory("dist", layers)
            step = step.with_exec(["ocelot", "bench", "--gate", *paths])
            layers = await step.directory("dist").sync()
        return layers

    async def published(
        self, layers: Directory, options: PublishOptions, credentials: Credentials
    ) -> Directory:
        """Publish layers; return publish.json, and what the command writes for a GitHub job.

        That is publish.md, the job summary, and publish.outputs, the outputs of its step.
        """
        tool = (await self.toolchain()).with_directory("dist", layers)
        tool = with_job(tool, "published/publish")
        line = ["publish", "dist", *arguments(options), "--output=published/publish.json"]
        return with_aws(tool, credentials, *line).directory("published")

    async def released(
        self,
        layers: Directory,
        published: File,
        token: Secret,
        options: GitHubReleaseOptions,
        made: ReleaseFiles,
    ) -> Directory:
        """Make a release on GitHub; return what was done as JSON, and the files of a GitHub job."""
        tool = (await self.toolchain()).with_directory("dist", layers)
        tool = tool.with_mounted_file("publish.json", published)
        line = ["--published=publish.json", "--json"]
        if made.notes:
            tool = tool.with_mounted_file("notes.md", made.notes)
            line.append("--notes=notes.md")
        if made.upstream:
            tool = tool.with_mounted_file("upstream/manifest.json", made.upstream)
            line.append("--upstream=upstream/manifest.json")
        if made.files:
            tool = tool.with_directory("more", made.files)
            line += [f"--file=more/{name}" for name in await made.files.entries()]
        tool = with_job(tool, "released/github-release")
        tool = with_github(tool, token, options, *line, output="released/github-release.json")
        return tool.directory("released")


def _with_summary(tool: Container, path: str) -> Container:
    """Have the next command write its job summary to a file."""
    return tool.with_env_variable("GITHUB_STEP_SUMMARY", path)


def with_job(tool: Container, path: str) -> Container:
    """Have the next command write its job summary, and the outputs of its step, to files."""
    folder = path.rpartition("/")[0]
    tool = _with_summary(tool.with_directory(folder, dag.directory()), f"{path}.md")
    return tool.with_env_variable("GITHUB_OUTPUT", f"{path}.outputs")


def joined(*manifests: str) -> str:
    """Return the manifests of builds of one distribution as one, as `ocelot build` writes it."""
    read = [json.loads(each) for each in manifests]
    layers = [layer for each in read for layer in each["layers"]]
    whole = {**read[0], "layers": sorted(layers, key=lambda each: each["file"])}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def with_credentials(tool: Container, credentials: Credentials) -> tuple[Container, list[str]]:
    """Have the next command run at every call, with these AWS credentials and no others.

    Returns:
        The container, and the command's further options.
    """
    tool = uncached(tool).with_env_variable("AWS_EC2_METADATA_DISABLED", "true")
    if credentials.endpoint_url:
        tool = tool.with_env_variable("AWS_ENDPOINT_URL", credentials.endpoint_url)
    for name in ("oidc_token", "access_key_id", "secret_access_key", "session_token"):
        if secret := getattr(credentials, name):
            tool = tool.with_secret_variable(f"AWS_{name.upper()}", secret)
    return tool, ["--oidc-token=env:AWS_OIDC_TOKEN"] if credentials.oidc_token else []


def with_aws(tool: Container, credentials: Credentials, *command: str) -> Container:
    """Run an ocelot command at every call, with these AWS credentials and no others."""
    tool, more = with_credentials(tool, credentials)
    return tool.with_exec(["ocelot", *command, *more])


def with_github(
    tool: Container, token: Secret, options: GitHubReleaseOptions, *more: str, output: str = ""
) -> Container:
    """Run `ocelot github-release` at every call, with this token; it may print to a file."""
    if options.repository is None:
        raise ValueError("name the repository by --repository: a container has no git checkout")
    tool = uncached(tool).with_secret_variable("GITHUB_TOKEN", token)
    line = ["ocelot", "github-release", *arguments(options), *more]
    return tool.with_exec(line, redirect_stdout=output)


def uncached(tool: Container) -> Container:
    """Return the container with a new variable, so that its next command runs at every call."""
    return tool.with_env_variable("OCELOT_CALL", uuid4().hex)
