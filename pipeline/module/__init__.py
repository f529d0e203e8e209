"""Ocelot as a Dagger module: each function runs the `ocelot` command of its name in a container.

The container is the toolchain: the golang image with ocelot in it. A build first reads upstream's
sources at the commit that the ref means now; only this step sees a git token. Then it compiles each
architecture in a step of its own, both at once. With `--bench` each layer then runs in a container
of its architecture. A step that calls AWS gets the caller's credentials and runs at every call; of
the others the engine keeps the result as long as their inputs are the same. The module decides
nothing that the command decides: it passes options, files, folders and secrets to it.

`Ocelot` has the functions, those for published layers from `layers`; `steps` and `gitops` have the
containers in which they run.
"""

# The SDK's overloads know neither `cache` nor a bare `check`.
# pyright: reportCallIssue=false, reportArgumentType=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import dagger
from dagger import (
    Container,
    DefaultPath,
    Directory,
    Doc,
    File,
    Secret,
    check,
    function,
    object_type,
)

from pipeline.gitops_options import (
    DeliveryOptions,
    GitOpsOptions,
    ImageOptions,
    PushOptions,
    ReleaseCommitOptions,
    WorkflowOptions,
)
from pipeline.module.gitops import GitOpsAccess, ImageAccess, ImageSteps, changed
from pipeline.module.layers import LayerFunctions
from pipeline.module.steps import (
    BundleOrSourceOptions,
    Credentials,
    GoOptions,
    InputOptions,
    ReleaseFiles,
    SourceOptions,
    Steps,
    command,
    uncached,
    with_aws,
    with_github,
)
from pipeline.options import (
    Architectures,
    BenchOptions,
    BuildOptions,
    DistributionOptions,
    ExplainOptions,
    GitHubReleaseOptions,
    InspectOptions,
    LayerOptions,
    LockOptions,
    NotesOptions,
    OneArchitecture,
    PublishOptions,
    ReleaseOptions,
    RoleOptions,
    UpstreamOptions,
    VerifyOptions,
)
from pipeline.spread import arguments, subgroup

for choice in (Architectures, OneArchitecture):
    dagger.enum_type(choice)

Layers = Annotated[Directory, Doc("Folder of zips with their manifest.json, as `build` returns.")]
Bench = Annotated[bool, Doc("Run each layer, as `ocelot bench` does; fail if one does not work.")]
CollectorConfig = Annotated[File | None, Doc("A collector's config that each layer must accept.")]
Zip = Annotated[File, Doc("A layer's zip.")]
Published = Annotated[File, Doc("publish.json, as `publish` returns.")]
MaybePublished = Annotated[
    File | None, Doc("publish.json, as `publish` returns; default: the registry.")
]
Previous = Annotated[
    Directory | None, Doc("Folder of the last release; default: the registry's, from AWS.")
]
UpstreamManifest = Annotated[
    File | None, Doc("The manifest.json of upstream's own layers, for their figures.")
]
GitHubToken = Annotated[Secret, Doc("Token that may write contents on GitHub.")]
Notes = Annotated[File | None, Doc("Its notes, in Markdown; default: those of `notes`.")]
Files = Annotated[Directory | None, Doc("Folder of further assets.")]
Checkout = Annotated[Directory, Doc("A checkout of the source repository, with its history.")]
Component = Annotated[str, Doc("PROJECT/COMPONENT, as in shop/catalog.")]


@object_type
class Ocelot(LayerFunctions):
    """Custom OpenTelemetry Collector layers for AWS Lambda."""

    config: Annotated[
        Directory,
        DefaultPath("/config"),
        Doc("The config folder: distributions, components, images, overlay."),
    ]

    @command()
    async def toolchain(self, go: GoOptions) -> Container:
        """Return the container in which the commands run: the golang image with ocelot in it."""
        return await Steps(self.config, go).toolchain()

    @command(cache="session")
    async def build(
        self,
        options: BuildOptions,
        inputs: InputOptions,
        explain: ExplainOptions,
        bench: Bench = False,
    ) -> Directory:
        """Build a distribution's layers: a zip for each architecture, and manifest.json.

        With --explain-size also build-ARCHITECTURE.md, the command's job summary.
        """
        steps = Steps(self.config, inputs)
        folder = await steps.built(options, explain)
        return await steps.benched(folder) if bench else folder

    @command(cache="session")
    async def layer(self, options: LayerOptions, inputs: InputOptions) -> File:
        """Build the zip for one architecture."""
        folder = await Steps(self.config, inputs).built(options)
        (name,) = await folder.glob("*.zip")
        return folder.file(name)

    @command(cache="session")
    async def binary(self, options: LayerOptions, inputs: InputOptions) -> File:
        """Build the collector for one architecture: the program in the zip."""
        steps = Steps(self.config, inputs)
        tool = (await steps.toolchain()).with_directory(".", await steps.built(options))
        unpack = "python3 -m zipfile -e *.zip . && chmod 755 */collector"
        return tool.with_exec(["sh", "-c", unpack]).file("extensions/collector")

    @command(cache="session")
    async def lock(self, options: LockOptions, sources: SourceOptions) -> File:
        """Pin commit, Go modules and Go of distributions; return the new config/ocelot.lock."""
        steps = Steps(self.config, sources)
        tool = await steps.with_sources(options)
        return tool.with_exec(steps.command("lock", options)).file("config/ocelot.lock")

    @command(cache="session")
    async def bundle(self, options: DistributionOptions, sources: SourceOptions) -> File:
        """Pack everything that a locked build needs into one file, for `build --bundle`."""
        steps = Steps(self.config, sources)
        line = steps.command("bundle", options, "--output=bundle.tar.zst")
        return (await steps.with_sources(options)).with_exec(line).file("bundle.tar.zst")

    @command(cache="session")
    async def verify(
        self, layers: Layers, options: VerifyOptions, inputs: BundleOrSourceOptions
    ) -> Directory:
        """Build layers again and compare the bytes; return verification.json and .md."""
        steps, manifest = Steps(self.config, inputs), "dist/manifest.json"
        tool = await steps.with_sources(LockOptions(), manifest, layers=layers)
        more = [manifest, *arguments(options), "--output=verified"]
        line = steps.command("verify", UpstreamOptions(), *more)
        return tool.with_directory("dist", layers).with_exec(line).directory("verified")

    @command(cache="never")
    async def bench(
        self,
        layers: Layers,
        options: BenchOptions,
        go: GoOptions,
        collector_config: CollectorConfig = None,
    ) -> str:
        """Run layers as Lambda does, each on its architecture; return measurements as JSON."""
        line = ["ocelot", "bench", "--json", *arguments(options)]
        if collector_config:
            layers = layers.with_file("collector.yaml", collector_config)
            line.append("--collector-config=dist/collector.yaml")
        results: list[Any] = []
        zips = [each for each in await layers.entries() if each.endswith(".zip")]
        for tool, paths in await Steps(self.config, go).toolchains(zips):
            step = uncached(tool).with_directory("dist", layers)
            results += json.loads(await step.with_exec([*line, *paths]).stdout())["layers"]
        return json.dumps({"layers": results}, indent=2, ensure_ascii=False) + "\n"

    @command()
    async def inspect(self, layer: Zip, go: GoOptions) -> str:
        """Return what a zip contains as JSON: versions, files, components, modules, sizes."""
        tool = await Steps(self.config, go).toolchain()
        options = InspectOptions(modules=True, sizes=True, top=0)
        line = ["ocelot", "inspect", "layer.zip", "--json", *arguments(options)]
        return await tool.with_mounted_file("layer.zip", layer).with_exec(line).stdout()

    @command(cache="session")
    async def components(self, options: UpstreamOptions, sources: SourceOptions) -> str:
        """Return the available components as JSON: kind, name, tag, origin, distributions."""
        steps = Steps(self.config, sources)
        tool = await steps.with_sources(replace(subgroup(LockOptions, options), upgrade=True))
        return await tool.with_exec(steps.command("components", options, "--json")).stdout()

    @function
    @check
    async def config_check(self) -> str:
        """Check every file of the config folder; report all problems at once."""
        tool = await Steps(self.config, GoOptions()).toolchain()
        return await tool.with_exec(["ocelot", "config", "check"]).stdout()

    @function(cache="session")
    @check
    async def lock_check(self) -> str:
        """Check that the entries of config/ocelot.lock are up to date, if there is such a file."""
        tool = uncached(await Steps(self.config, GoOptions()).toolchain())
        return await tool.with_exec(["ocelot", "lock", "--check", "--entries"]).stdout()

    @command(cache="never")
    async def publish(
        self, layers: Layers, options: PublishOptions, go: GoOptions, aws: Credentials
    ) -> Directory:
        """Publish layers to all regions at once, each once; return publish.json and .md."""
        steps = Steps(self.config, go)
        if not (options.dry_run or options.no_bench):
            layers = await steps.benched(layers)
        return await steps.published(layers, options, aws)

    @command(cache="never")
    async def release(
        self,
        options: ReleaseOptions,
        sources: SourceOptions,
        aws: Credentials,
        github_token: Annotated[Secret | None, Doc("Token for --github-release.")] = None,
    ) -> Directory:
        """Build a layer, then publish it; return what `build` and `publish` return.

        With --github-release also what `github-release` returns.
        """
        steps, publishing = Steps(self.config, sources), subgroup(PublishOptions, options)
        if options.skip_publish:
            return await steps.built(options)
        if options.regions is None:
            raise ValueError("name regions by --regions: a container has no AWS_REGION")
        # no minutes of compiling for an identity that may not publish
        line = ["publish", "--preflight", *arguments(publishing)]
        await with_aws(await steps.toolchain(), aws, *line).sync()
        github = subgroup(GitHubReleaseOptions, options)
        token = github_token if options.github_release else None
        if token:
            await with_github(await steps.toolchain(), token, github, "--preflight").sync()
        elif options.github_release:
            raise ValueError("give a token by --github-token for --github-release")
        layers = await steps.built(options)
        layers = layers if options.no_bench else await steps.benched(layers)
        layers = layers.with_directory(".", await steps.published(layers, publishing, aws))
        if not token:
            return layers
        published = layers.file("publish.json")
        return layers.with_directory(
            ".", await steps.released(layers, published, token, github, ReleaseFiles())
        )

    @command(cache="never")
    async def github_release(
        self,
        layers: Layers,
        published: Published,
        token: GitHubToken,
        options: GitHubReleaseOptions,
        go: GoOptions,
        notes: Notes = None,
        files: Files = None,
        upstream: UpstreamManifest = None,
    ) -> Directory:
        """Make a release on GitHub of published layers; return github-release.json and .md."""
        steps, made = Steps(self.config, go), ReleaseFiles(notes, files, upstream)
        return await steps.released(layers, published, token, options, made)

    @command(cache="never")
    async def fetch(
        self,
        published: Published,
        layers: Layers,
        options: RoleOptions,
        go: GoOptions,
        aws: Credentials,
    ) -> Directory:
        """Download published layers from AWS and compare them; return a folder for `verify`."""
        tool = await Steps(self.config, go).toolchain()
        tool = tool.with_directory("dist", layers).with_mounted_file("publish.json", published)
        line = ["fetch", "publish.json", "--layers=dist", "--output=served", *arguments(options)]
        return with_aws(tool, aws, *line).directory("served")

    @command(cache="never")
    async def notes(
        self,
        layers: Layers,
        options: NotesOptions,
        go: GoOptions,
        aws: Credentials,
        published: MaybePublished = None,
        previous: Previous = None,
        upstream: UpstreamManifest = None,
    ) -> File:
        """Write the release notes of a distribution's layers; return notes.md."""
        tool = (await Steps(self.config, go).toolchain()).with_directory("dist", layers)
        line = ["notes", "dist", *arguments(options), "--output=notes.md"]
        if published:
            tool = tool.with_mounted_file("publish.json", published)
        if previous:
            tool = tool.with_directory("previous", previous)
            line.append("--previous=previous")
        if upstream:
            tool = tool.with_mounted_file("upstream/manifest.json", upstream)
            line.append("--upstream=upstream/manifest.json")
        return with_aws(tool, aws, *line).file("notes.md")

    @command(cache="never")
    async def gitops_image(
        self,
        component: Component,
        workflow: WorkflowOptions,
        image: ImageOptions,
        gitops: GitOpsOptions,
        access: ImageAccess,
    ) -> str:
        """Build the image of a component's commit, unless it is there; return it as JSON.

        The image is named by its digest, and the commit by its full SHA.
        """
        steps = ImageSteps(Steps(self.config, access), access, image)
        return await steps.described(component, workflow, gitops)

    @command(cache="never")
    async def gitops_release(
        self,
        component: Component,
        workflow: WorkflowOptions,
        image: ImageOptions,
        releasing: ReleaseCommitOptions,
        gitops: GitOpsOptions,
        delivery: DeliveryOptions,
        access: ImageAccess,
    ) -> Directory:
        """Build the image of a component's commit, unless it is there; release it by pull request.

        Return gitops-release.json and .md. A dry run pushes nothing; if the image is not there, it
        returns plan.json alone.
        """
        steps = ImageSteps(Steps(self.config, access), access, image)
        return await steps.released(component, workflow, releasing, gitops, delivery)

    @command(cache="never")
    async def gitops_changed(
        self,
        source: Checkout,
        push: PushOptions,
        gitops: GitOpsOptions,
        access: GitOpsAccess,
    ) -> Directory:
        """List the Components that a push touches; return changed.json, a matrix, and .md."""
        steps = Steps(self.config, access)
        return await changed(steps, source, access, *arguments(push, gitops))
