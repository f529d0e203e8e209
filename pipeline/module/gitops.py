"""The container steps of OpenChoreo's releases, made of the plan that `ocelot gitops plan` writes.

The plan says what is built and how, in `plan.json`; its folder has all files. What each step means
stands in `pipeline/gitops/image/`.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import uuid4

import dagger
from dagger import BuildArg, CacheSharingMode, Container, Directory, File, Secret, Service, dag

from pipeline.gitops_options import (
    DeliveryOptions,
    GitOpsOptions,
    ImageOptions,
    ReleaseCommitOptions,
    WorkflowOptions,
)
from pipeline.module.steps import GoOptions, Steps, uncached, with_job
from pipeline.spread import Opt, arguments, option_group

PLAN = "plan.json"
ADDRESS = re.compile(r"^[^#\n]*\baddress:\s*[\"']?([^\s\"'#/,}]+)", re.MULTILINE)
_ROOT = "root"
_PLAIN = (
    "the engine does not push to a registry without TLS or with certificates of its own by itself: "
    "name it in the engine's configuration (http = true, or ca), or give --registry-service"
)


@option_group
class GitOpsAccess(GoOptions):
    """The GitOps repository, and the container in which ocelot runs."""

    gitops_token: Annotated[
        Secret | None, Opt("Token for the GitOps repository and its pull requests.")
    ] = None


@option_group
class RepositoryAccess(GitOpsAccess):
    """The repositories of a release."""

    gitops_checkout: Annotated[
        Directory | None,
        Opt("A local checkout of the GitOps repository, for an image or a dry run."),
    ] = None
    git_token: Annotated[Secret | None, Opt("Token to read a private source.")] = None
    source: Annotated[
        Directory | None, Opt("A local checkout of the source, instead of its repository.")
    ] = None
    run_file: Annotated[File | None, Opt("A WorkflowRun as YAML, for its parameters.")] = None


@option_group
class ImageAccess(RepositoryAccess):
    """The registry, and the secrets of a build."""

    registry_password: Annotated[Secret | None, Opt("Password of --registry-user.")] = None
    registry_service: Annotated[
        Service | None, Opt("The registry, if it is a service that only the engine reaches.")
    ] = None
    build_secret: Annotated[
        list[Secret] | None,
        Opt("Docker: secrets of the build, in the order of --build-secret-id."),
    ] = None


@dataclass(frozen=True)
class Plan:
    """A plan that the command has written.

    Attributes:
        folder: with plan.json and all files.
        document: the content of plan.json.
    """

    folder: Directory
    document: dict[str, Any]

    @property
    def commit(self) -> str:
        """The full SHA of the source."""
        return self.document["commit"]

    @property
    def found(self) -> str:
        """The image that is there, by digest; empty for none."""
        return self.document["found"]

    @property
    def platforms(self) -> list[dagger.Platform | None]:
        """The platforms to build for; None for the engine's own."""
        return [dagger.Platform(each) for each in self.document["platforms"]] or [None]


class ImageSteps:
    """The steps of one image."""

    def __init__(self, steps: Steps, access: ImageAccess, options: ImageOptions) -> None:
        self._steps = steps
        self._access = access
        self._options = options

    async def planned(self, component: str, *groups: object) -> Plan:
        """Run `ocelot gitops plan` at every call, and return what it wrote."""
        access, line = self._access, [component, *arguments(self._options, *groups)]
        tool, more = with_repositories(uncached(await self._steps.toolchain()), access)
        if access.registry_password:
            tool = tool.with_secret_variable("OCELOT_REGISTRY_PASSWORD", access.registry_password)
        if access.registry_service:
            found = ADDRESS.search(await self._steps.config.file("gitops.yaml").contents())
            tool = self._bound(tool, found[1] if found else "registry")
        tool = tool.with_exec(["ocelot", "gitops", "plan", *line, *more, "--output=/plan"])
        folder = await tool.directory("/plan").sync()
        return Plan(folder, json.loads(await folder.file(PLAN).contents()))

    async def image(self, plan: Plan) -> str:
        """Return the image by digest: the one that is there, or else a new one."""
        build = plan.document["build"]
        if build is None:
            return plan.found
        kinds = {"docker": self._docker, "buildpacks": self._buildpacks, "react": self._react}
        return await kinds[build["method"]](plan, build)

    async def described(self, component: str, *groups: object) -> str:
        """Return image and commit as JSON; the image is built if it is not there."""
        plan = await self.planned(component, *groups)
        made = {"image": await self.image(plan), "commit": plan.commit}
        return json.dumps(made, indent=2) + "\n"

    async def released(
        self,
        component: str,
        workflow: WorkflowOptions,
        releasing: ReleaseCommitOptions,
        gitops: GitOpsOptions,
        delivery: DeliveryOptions,
    ) -> Directory:
        """Build the image if it is not there, then run `ocelot gitops release` for it."""
        if self._access.gitops_checkout and not delivery.dry_run:
            raise ValueError("--gitops-checkout is for --dry-run: nothing is pushed from there")
        plan = await self.planned(component, workflow, gitops)
        if delivery.dry_run and not plan.found:
            return dag.directory().with_file(PLAN, plan.folder.file(PLAN))
        image = await self.image(plan)
        tool, more = with_repositories(uncached(await self._steps.toolchain()), self._access)
        tool = with_job(tool, "released/gitops-release")
        planned = replace(workflow, commit=plan.commit)
        more += [*arguments(planned, releasing, gitops, delivery), f"--image={image}", "--json"]
        line = ["ocelot", "gitops", "release", component, *more]
        ran = tool.with_exec(line, redirect_stdout="released/gitops-release.json")
        return await ran.directory("released").sync()

    async def _docker(self, plan: Plan, build: dict[str, Any]) -> str:
        given = self._access.build_secret or []
        if len(given) != len(build["secrets"]):
            raise ValueError("give --build-secret and --build-secret-id equally often")
        # the id that the Dockerfile names is the name of the engine's secret
        secrets = [
            dag.set_secret(name, await each.plaintext())
            for name, each in zip(build["secrets"], given, strict=True)
        ]
        context = plan.folder.directory(build["context"])
        images = [
            context.docker_build(
                dockerfile=build["dockerfile"],
                platform=platform,
                build_args=[BuildArg(name, value) for name, value in build["arguments"]],
                target=build["target"],
                secrets=secrets,
            )
            for platform in plan.platforms
        ]
        return await self._published(images, plan)

    async def _react(self, plan: Plan, build: dict[str, Any]) -> str:
        node = await self._ran(_container(plan, build["container"], None), build["container"])
        pages, server = node.directory(build["result"]), build["server"]
        images = [
            dag.container(platform=platform)
            .from_(server["image"])
            .without_directory(server["pages"])
            .with_directory(server["pages"], pages, owner=_ROOT)
            .with_file(server["config_path"], plan.folder.file(server["config"]))
            .with_exposed_port(server["port"])
            .with_user(server["user"])
            for platform in plan.platforms
        ]
        return await self._published(images, plan)

    async def _buildpacks(self, plan: Plan, build: dict[str, Any]) -> str:
        """Run the lifecycle, which pushes the image itself, at every call."""
        container = uncached(_container(plan, build["container"], plan.platforms[0]))
        if self._access.registry_service:
            container = self._bound(container, plan.document["registry"]["host"])
        secret = await self._registry_auth(build["credentials"]["key"])

        def with_registry(step: Container) -> Container:
            for name, value in build["container"]["registry_environment"].items():
                step = step.with_env_variable(name, value)
            variable = build["credentials"]["variable"]
            return step.with_secret_variable(variable, secret) if secret else step

        def without_registry(step: Container) -> Container:
            for name in build["container"]["registry_environment"]:
                step = step.without_env_variable(name)
            return step.without_secret_variable(build["credentials"]["variable"])

        ran = await self._ran(container, build["container"], with_registry, without_registry)
        report = tomllib.loads(await ran.file(build["report"]).contents())
        return by_digest(f"{plan.document['image']}@{report['image']['digest']}")

    async def _ran(
        self,
        container: Container,
        plan: dict[str, Any],
        with_registry: Callable[[Container], Container] = lambda step: step,
        without_registry: Callable[[Container], Container] = lambda step: step,
    ) -> Container:
        """Run the commands of a container; each sees only what it needs."""
        for command in plan["commands"]:
            step = with_registry(container) if command["credentials"] else container
            step = step.with_user(_ROOT) if command["root"] else step
            try:
                step = await step.with_exec(command["argv"]).sync()
            except dagger.ExecError as error:
                meaning = command["failures"].get(str(error.exit_code))
                if meaning is None:
                    raise
                raise ValueError(f"{command['name']}: {meaning}") from error
            step = step.with_user(plan["user"]) if command["root"] else step
            container = without_registry(step) if command["credentials"] else step
        return container

    async def _published(self, images: list[Container], plan: Plan) -> str:
        """Push the image of each platform under one name, with the plan's labels."""
        document, service = plan.document, self._access.registry_service
        for name, value in document["labels"].items():
            images = [each.with_label(name, value) for each in images]
        first, *others = images
        if self._options.registry_user and self._access.registry_password:
            host, password = document["registry"]["host"], self._access.registry_password
            first = first.with_registry_auth(host, self._options.registry_user, password)
        try:
            published = await first.publish(
                document["image"], platform_variants=others, registry_service=service
            )
        except dagger.QueryError as error:
            registry = document["registry"]
            if service is None and (registry["authority"] or not registry["tls"]):
                raise ValueError(f"{error}; {_PLAIN}") from error
            raise
        return by_digest(published)

    async def _registry_auth(self, key: str) -> Secret | None:
        """Return the credentials as the lifecycle reads them; None without any."""
        password = self._access.registry_password
        if not (self._options.registry_user and password):
            return None
        pair = base64.b64encode(
            f"{self._options.registry_user}:{await password.plaintext()}".encode()
        ).decode()
        return dag.set_secret(f"registry-auth-{uuid4().hex}", json.dumps({key: f"Basic {pair}"}))

    def _bound(self, container: Container, host: str) -> Container:
        """Return the container with the registry's service under its name."""
        service = self._access.registry_service
        return (
            container.with_service_binding(host.partition(":")[0], service)
            if service
            else container
        )


async def changed(
    steps: Steps, source: Directory, access: GitOpsAccess, *options: str
) -> Directory:
    """Run `ocelot gitops changed`; return changed.json, and what it writes for a GitHub job."""
    tool = with_job(uncached(await steps.toolchain()), "changed/changed")
    tool = tool.with_mounted_directory("/source", source)
    if access.gitops_token:
        tool = tool.with_secret_variable("OCELOT_GITOPS_TOKEN", access.gitops_token)
    line = ["ocelot", "gitops", "changed", "--source=/source", "--json", *options]
    return tool.with_exec(line, redirect_stdout="changed/changed.json").directory("changed")


def with_repositories(tool: Container, access: RepositoryAccess) -> tuple[Container, list[str]]:
    """Give a command the caller's tokens, source and WorkflowRun; return also its options."""
    more: list[str] = []
    if access.gitops_token:
        tool = tool.with_secret_variable("OCELOT_GITOPS_TOKEN", access.gitops_token)
    if access.gitops_checkout:
        tool = tool.with_mounted_directory("/gitops", access.gitops_checkout)
        more.append("--repository=/gitops")
    if access.git_token:
        tool = tool.with_secret_variable("OCELOT_GIT_TOKEN", access.git_token)
    if access.source:
        tool = tool.with_mounted_directory("/source", access.source)
        more.append("--source=/source")
    if access.run_file:
        tool = tool.with_mounted_file("/run.yaml", access.run_file)
        more.append("--from=/run.yaml")
    return tool, more


def _container(plan: Plan, build: dict[str, Any], platform: dagger.Platform | None) -> Container:
    """Return a container of the plan with its folders, before its first command."""
    container, user = dag.container(platform=platform).from_(build["image"]), build["user"]
    for each in build["folders"]:
        folder = plan.folder.directory(each["source"]) if each["source"] else dag.directory()
        container = container.with_directory(each["target"], folder, owner=user)
    for path, name in build["caches"].items():
        cache, sharing = dag.cache_volume(name), CacheSharingMode.LOCKED
        container = container.with_mounted_cache(path, cache, sharing=sharing, owner=user)
    for name, value in build["environment"].items():
        container = container.with_env_variable(name, value)
    return container.with_workdir(build["workdir"]).with_user(user)


def by_digest(reference: str) -> str:
    """Return a reference with a digest without its tag."""
    name, _, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"
