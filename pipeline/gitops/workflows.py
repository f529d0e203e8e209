"""OpenChoreo's GitOps workflows: their parameters with defaults, and marks in their schemas.

Names and defaults are those of openchoreo/sample-gitops, `namespaces/default/platform/workflows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from pipeline.errors import GitOpsError, quoted
from pipeline.gitops.repository import Resource

DOCKER = "docker-gitops-release"
BUILDPACKS = "google-cloud-buildpacks-gitops-release"
REACT = "react-gitops-release"
BULK = "bulk-gitops-release"

NODE_VERSIONS = ("16", "18", "20", "22")
# `spec.workflow.kind` where it is left out, by the CRDs of Component and WorkflowRun
DEFAULT_KIND = "ClusterWorkflow"
KINDS = ("Workflow", "ClusterWorkflow")

Default = str | bool | tuple[str, ...] | None

COMPONENT = "componentName"
PROJECT = "projectName"
URL = "repository.url"
BRANCH = "repository.revision.branch"
COMMIT = "repository.revision.commit"
APP_PATH = "repository.appPath"
SECRET_REF = "repository.secretRef"  # noqa: S105  the name of a parameter
DESCRIPTOR = "workloadDescriptorPath"

_COMMON: Mapping[str, Default] = {
    COMPONENT: None,
    PROJECT: None,
    URL: None,
    BRANCH: "main",
    COMMIT: None,
    APP_PATH: ".",
    SECRET_REF: None,
    DESCRIPTOR: "workload.yaml",
}
# The parameters of each workflow by name, with the default; None for none.
PARAMETERS: Mapping[str, Mapping[str, Default]] = MappingProxyType(
    {
        DOCKER: {**_COMMON, "docker.context": ".", "docker.filePath": "./Dockerfile"},
        BUILDPACKS: {
            **_COMMON,
            "buildpacks.builderImage": "gcr.io/buildpacks/builder:v1",
            "buildpacks.env": (),
        },
        REACT: {
            **_COMMON,
            "react.nodeVersion": "18",
            "react.buildCommand": "npm run build",
            "react.outputDir": "build",
        },
        BULK: {
            "scope.all": False,
            "scope.projectName": None,
            "gitops.repositoryUrl": None,
            "gitops.branch": "main",
            "gitops.targetEnvironment": "development",
            "gitops.deploymentPipeline": None,
        },
    }
)
BUILD_WORKFLOWS = (DOCKER, BUILDPACKS, REACT)

_DEEPEST = 10  # levels of a schema that are read
# A property of a Workflow's schema with such a key is a parameter with a meaning of its own,
# wherever it stands: internal/controller/annotations.go of OpenChoreo.
_MARK = "x-openchoreo-component-parameter-repository-"
_MARKED = {
    "url": URL,
    "branch": BRANCH,
    "commit": COMMIT,
    "app-path": APP_PATH,
    "secret-ref": SECRET_REF,
}


@dataclass(frozen=True, kw_only=True)
class WorkflowSchema:
    """The schema of a Workflow resource, as far as parameters are found by it.

    Attributes:
        places: parameters by the path where they stand, by marks; others stand at their own name.
        defaults: of parameters, where the schema has one.
        resource: the Workflow.
    """

    places: Mapping[str, str]
    defaults: Mapping[str, Any]
    resource: Resource


def find_workflow(kind: str, name: str, resources: Iterable[Resource]) -> Resource | None:
    """Return the Workflow or ClusterWorkflow of a name; None if the repository does not have it."""
    return next((each for each in resources if (each.kind, each.name) == (kind, name)), None)


def workflow_schema(resource: Resource) -> WorkflowSchema:
    """Return the marks and defaults of a Workflow's schema.

    Raises:
        GitOpsError: two properties have the same mark.
    """
    places: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    schema = _mapping(resource.value("spec", "parameters", "openAPIV3Schema"))
    properties = dict(_properties(schema, ""))
    for path, found in properties.items():
        roles = [role for role in _MARKED if found.get(f"{_MARK}{role}") is True]
        for role in roles:
            if _MARKED[role] in places.values():
                raise GitOpsError(
                    f"{resource.place}: two parameters of Workflow {quoted(resource.name)} have "
                    f"the mark {_MARK}{role}",
                    hint="leave the mark at one of them",
                )
            places[path] = _MARKED[role]
    for path, found in properties.items():
        if found.get("default") is not None and "properties" not in found:
            defaults[places.get(path, path)] = found["default"]
    return WorkflowSchema(places=places, defaults=defaults, resource=resource)


def _properties(schema: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield each property below a schema with its path, such as `repository.url`."""
    for name, value in _mapping(schema.get("properties")).items():
        path, child = f"{prefix}{name}", _mapping(value)
        yield path, child
        if path.count(".") < _DEEPEST:  # an alias of YAML may lead to itself
            yield from _properties(child, f"{path}.")


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
