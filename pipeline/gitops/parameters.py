"""The parameters of a release or a promotion: of options, a WorkflowRun, the Component, defaults.

Each parameter is looked for in this order: an option, the WorkflowRun, the Component's own
`spec.workflow`, the default in the Workflow's schema, the samples' default. A commit counts only
beside the branch that it was given with, or a branch of a later place in this order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.entries import suggestion
from pipeline.errors import UsageError, quoted
from pipeline.gitops.given import Given, GivenWorkflow, LocatedResource, given_workflow
from pipeline.gitops.names import dns_label
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.repository import Resource
from pipeline.gitops.values import GivenValues
from pipeline.gitops.workflows import (
    APP_PATH,
    BRANCH,
    BUILD_WORKFLOWS,
    BUILDPACKS,
    BULK,
    COMMIT,
    COMPONENT,
    DESCRIPTOR,
    DOCKER,
    KINDS,
    NODE_VERSIONS,
    PARAMETERS,
    PROJECT,
    URL,
)
from pipeline.gitops_options import PromoteOptions, WorkflowOptions

# The options of `WorkflowOptions` by parameter.
_OPTIONS = {
    URL: "repo_url",
    BRANCH: "revision_branch",
    COMMIT: "commit",
    APP_PATH: "app_path",
    DESCRIPTOR: "descriptor",
    "docker.context": "docker_context",
    "docker.filePath": "dockerfile",
    "buildpacks.builderImage": "builder_image",
    "buildpacks.env": "build_env",
    "react.nodeVersion": "node_version",
    "react.buildCommand": "build_command",
    "react.outputDir": "output_dir",
}


@dataclass(frozen=True, kw_only=True)
class ComponentRef:
    """A Component and where it belongs.

    Attributes:
        namespace: OpenChoreo's.
        project: name of the Project.
        component: name of the Component.
    """

    namespace: str
    project: str
    component: str

    def __str__(self) -> str:
        return f"{self.project}/{self.component}"


@dataclass(frozen=True, kw_only=True)
class DockerBuild:
    """A build by a Dockerfile.

    Attributes:
        context: folder, from the repository's root; `.` for the root.
        dockerfile: file, from the repository's root; it may lie outside the context.
    """

    context: str
    dockerfile: str


@dataclass(frozen=True, kw_only=True)
class BuildpacksBuild:
    """A build by Cloud Native Buildpacks.

    Attributes:
        builder_image: reference of the builder.
        env: variables of the build, in the order given.
    """

    builder_image: str
    env: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class ReactBuild:
    """A build by Node.js, served by nginx.

    Attributes:
        node_version: 16, 18, 20 or 22.
        build_command: for a shell, in the application's folder.
        output_dir: folder with the result, from the application's folder; `.` for itself.
    """

    node_version: str
    build_command: str
    output_dir: str


@dataclass(frozen=True, kw_only=True)
class BuildParameters:
    """The parameters of one of the three build-and-release workflows.

    Paths have no leading `/` and no `..`; `.` is the folder that they start from.

    Attributes:
        name: the Component.
        workflow: name of the workflow; see `workflows.BUILD_WORKFLOWS`.
        repository_url: of the source; https, http or ssh, without credentials.
        branch: the newest commit of it is built if no commit is given.
        commit: SHA, short SHA, tag or branch; empty for the branch's newest commit.
        app_path: folder of the application, from the repository's root.
        descriptor: the workload descriptor, from `app_path`.
        descriptor_is_given: False for the default, which need not be there.
        build: how the image is built.
    """

    name: ComponentRef
    workflow: str
    repository_url: str
    branch: str
    commit: str
    app_path: str
    descriptor: str
    descriptor_is_given: bool
    build: DockerBuild | BuildpacksBuild | ReactBuild


@dataclass(frozen=True, kw_only=True)
class PromoteParameters:
    """The parameters of the bulk workflow.

    Attributes:
        project: name of the Project; empty for all of them.
        environment: to promote to.
        pipeline: name of the DeploymentPipeline; empty for that of the project.
        repository_url: of the GitOps repository; empty for the configured one.
        branch: base of the pull request; empty for the configured one.
    """

    project: str
    environment: str
    pipeline: str
    repository_url: str
    branch: str


def component_ref(text: str, namespace: str) -> ComponentRef:
    """Return the Component that `PROJECT/COMPONENT` names.

    Raises:
        UsageError: it names none.
    """
    project, slash, component = text.partition("/")
    if not slash or "/" in component:
        raise UsageError(
            f"{quoted(text)} is not PROJECT/COMPONENT", hint="give both names, as in shop/catalog"
        )
    return ComponentRef(
        namespace=dns_label(namespace, "namespace"),
        project=dns_label(project, "project"),
        component=dns_label(component, "component"),
    )


def located_component(namespace: Namespace, name: ComponentRef) -> LocatedResource:
    """Return a Component of the GitOps repository with its file.

    Raises:
        GitOpsError: there is none.
    """
    return located(namespace, namespace.component(name.project, name.component))


def located(namespace: Namespace, resource: Resource) -> LocatedResource:
    """Return a resource with its file."""
    content = b"" if resource.origin else namespace.repository.files[resource.path]
    return LocatedResource(resource=resource, content=content)


def known_workflows(namespace: Namespace) -> tuple[Resource, ...]:
    """Return the Workflows of a namespace, and the ClusterWorkflows."""
    return tuple(each for kind in KINDS for each in namespace.of_kind(kind))


def build_parameters(
    name: ComponentRef,
    *,
    options: WorkflowOptions,
    run: LocatedResource | None = None,
    namespace: Namespace | None = None,
) -> BuildParameters:
    """Return the parameters with which a Component is built and released.

    Args:
        name: the Component.
        options: values that override all others.
        run: the WorkflowRun that `--from` names; see `given.read_run`.
        namespace: the Component's, in the GitOps repository; None where there is none at hand.

    Raises:
        UsageError: an option or the WorkflowRun cannot be used, or a parameter is missing.
        GitOpsError: there is no such Component, or its parameters cannot be used.
    """
    found = [located_component(namespace, name)] if namespace else []
    if run is not None:
        _check_run(run, name)
        found.insert(0, run)
    workflows = known_workflows(namespace) if namespace else ()
    given = [given_workflow(each, workflows) for each in found]
    places = [each for each in given if each is not None]
    workflow = _workflow(name, options, places)
    of_schemas = [each for each in places if each.name == workflow] or places
    values = GivenValues(
        _layers(workflow, options, places),
        PARAMETERS[workflow],
        [each.schema for each in of_schemas if each.schema],
    )
    values.check_same(COMPONENT, name.component)
    values.check_same(PROJECT, name.project)
    if not values.is_given(URL):
        raise UsageError(
            f"{name} names no source repository", hint=f"give --repo-url, or {URL} in the Component"
        )
    return BuildParameters(
        name=name,
        workflow=workflow,
        repository_url=values.url(URL),
        branch=values.revision(BRANCH),
        commit=values.revision(COMMIT),
        app_path=values.path(APP_PATH),
        descriptor=values.file(DESCRIPTOR),
        descriptor_is_given=values.is_given(DESCRIPTOR),
        build=_build(workflow, values),
    )


def _build(workflow: str, values: GivenValues) -> DockerBuild | BuildpacksBuild | ReactBuild:
    if workflow == DOCKER:
        return DockerBuild(
            context=values.path("docker.context"), dockerfile=values.file("docker.filePath")
        )
    if workflow == BUILDPACKS:
        return BuildpacksBuild(
            builder_image=values.image("buildpacks.builderImage"),
            env=values.variables("buildpacks.env"),
        )
    return ReactBuild(
        node_version=values.choice("react.nodeVersion", NODE_VERSIONS),
        build_command=values.command("react.buildCommand"),
        output_dir=values.path("react.outputDir"),
    )


def _workflow(name: ComponentRef, options: WorkflowOptions, places: list[GivenWorkflow]) -> str:
    """Return the name of the workflow, which is one of the three.

    Raises:
        UsageError: none is named, or an option or the WorkflowRun names another one.
        GitOpsError: the Component names another one.
    """
    hint = f"give --workflow: {', '.join(BUILD_WORKFLOWS)}"
    if options.workflow is not None:
        if options.workflow in BUILD_WORKFLOWS:
            return options.workflow
        near = suggestion(options.workflow, BUILD_WORKFLOWS)
        raise UsageError(f"--workflow: {quoted(options.workflow)} is not known{near}", hint=hint)
    if not places:
        raise UsageError(f"{name} names no workflow in spec.workflow", hint=hint)
    found = places[0]
    if found.name in BUILD_WORKFLOWS:
        return found.name
    place = found.manifest.place("spec", "workflow", "name")
    if found.name == BULK:
        message, hint = f"workflow {BULK} builds nothing", "use `ocelot gitops promote`"
    else:
        near = suggestion(found.name, BUILD_WORKFLOWS)
        message = f"workflow {quoted(found.name)} cannot be run by ocelot{near}"
    raise found.manifest.error(f"{place}: {message}", hint=hint)


def _layers(
    workflow: str, options: WorkflowOptions, places: Sequence[GivenWorkflow]
) -> list[Mapping[str, Given]]:
    """Return the given values, those that count first before others."""
    layers: list[Mapping[str, Given]] = [_given_options(workflow, options)]
    for each in places:
        values = each.parameters(workflow)
        if any(BRANCH in layer for layer in layers):
            values.pop(COMMIT, None)
        layers.append(values)
    return layers


def _given_options(workflow: str, options: WorkflowOptions) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for parameter, option in _OPTIONS.items():
        value: str | list[str] | None = getattr(options, option)
        if value is None:
            continue
        flag = f"--{option.replace('_', '-')}"
        if parameter not in PARAMETERS[workflow]:
            raise UsageError(f"{flag} is no option of {workflow}", hint="leave it out")
        found[parameter] = Given(
            value=tuple(value) if isinstance(value, list) else value, name=flag
        )
    return found


def _check_run(run: LocatedResource, name: ComponentRef) -> None:
    """Refuse a WorkflowRun of another namespace, project or component."""
    found = run.resource
    expected = (
        (("metadata", "namespace"), name.namespace),
        (("metadata", "labels", "openchoreo.dev/project"), name.project),
        (("metadata", "labels", "openchoreo.dev/component"), name.component),
    )
    for keys, value in expected:
        text = found.text(*keys)
        if text and text != value:
            raise run.error(
                f"{run.place(*keys)}: {keys[-1]} is {quoted(text)}, not {quoted(value)}",
                hint="give the WorkflowRun of the same component, or the component of this run",
            )


def promote_parameters(
    options: PromoteOptions, run: LocatedResource | None = None
) -> PromoteParameters:
    """Return the parameters of a promotion.

    Args:
        options: values that override the WorkflowRun's.
        run: the WorkflowRun of the bulk workflow that `--from` names.

    Raises:
        UsageError: an option or the WorkflowRun cannot be used, or a parameter is missing.
    """
    if options.all_projects and options.project:
        raise UsageError("--all and --project exclude each other", hint="give one of them")
    given = (
        ("scope.projectName", "--project", options.project),
        ("gitops.targetEnvironment", "--environment", options.environment),
        ("gitops.deploymentPipeline", "--pipeline", options.pipeline),
    )
    layers: list[Mapping[str, Given]] = [
        {key: Given(value=value, name=flag) for key, flag, value in given if value is not None}
    ]
    if run is not None:
        layers.append(_bulk_values(run))
    values = GivenValues(layers, PARAMETERS[BULK])
    everything = options.all_projects or (not options.project and values.flag("scope.all"))
    if not everything and not values.is_given("scope.projectName"):
        raise UsageError("no project is named", hint="give --project NAME, or --all")
    return PromoteParameters(
        project="" if everything else values.label("scope.projectName", "project"),
        environment=values.label("gitops.targetEnvironment", "environment"),
        pipeline=values.label("gitops.deploymentPipeline", "deployment pipeline"),
        repository_url=values.url("gitops.repositoryUrl"),
        branch=values.revision("gitops.branch") if values.is_given("gitops.branch") else "",
    )


def _bulk_values(run: LocatedResource) -> dict[str, Given]:
    found = given_workflow(run, ())
    if found is None or found.name != BULK:
        raise run.error(
            f"{run.place('spec', 'workflow', 'name')}: a promotion needs workflow {BULK}",
            hint="give this file to `ocelot gitops release`",
        )
    return found.parameters(BULK)
