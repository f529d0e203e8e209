"""Resources of a GitOps repository for tests, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.repository import API_VERSION, read_repository

PROJECT = "projects/shop/project.yaml"
FOLDER = "projects/shop/components"


def resource(kind: str, name: str, namespace: str = "demo", **spec: object) -> bytes:
    """Return a resource as YAML; an empty namespace is left out."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    data = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return yaml.safe_dump(data, sort_keys=False).encode()


def project(name: str = "shop", pipeline: str = "standard", namespace: str = "demo") -> bytes:
    """Return a Project."""
    type_of = {"kind": "ClusterProjectType", "name": "default"}
    reference = {"name": pipeline}
    return resource("Project", name, namespace, deploymentPipelineRef=reference, type=type_of)


def component(name: str, owner: str = "shop", namespace: str = "demo") -> bytes:
    """Return a Component of the ComponentType `service`."""
    return resource(
        "Component",
        name,
        namespace,
        owner={"projectName": owner},
        componentType={"kind": "ComponentType", "name": "deployment/service"},
    )


def owned(
    kind: str,
    name: str,
    component: str,
    owner: str = "shop",
    namespace: str = "demo",
    **spec: object,
) -> bytes:
    """Return a Workload, ComponentRelease or ReleaseBinding."""
    names = {"projectName": owner, "componentName": component}
    return resource(kind, name, namespace, owner=names, **spec)


def binding(component: str, environment: str, release: str, owner: str = "shop") -> bytes:
    """Return a ReleaseBinding."""
    return owned(
        "ReleaseBinding",
        f"{component}-{environment}",
        component,
        owner,
        environment=environment,
        releaseName=release,
    )


def pipeline(name: str = "standard", *paths: tuple[str, Sequence[str]]) -> bytes:
    """Return a DeploymentPipeline; without paths: development, staging, production."""
    paths = paths or (("development", ["staging"]), ("staging", ["production"]))
    return resource(
        "DeploymentPipeline",
        name,
        promotionPaths=[
            {
                "sourceEnvironmentRef": {"name": source},
                "targetEnvironmentRefs": [{"name": each} for each in targets],
            }
            for source, targets in paths
        ],
    )


def shop(**more: bytes) -> dict[str, bytes]:
    """Return the files of a repository with project `shop` and its component `catalog`.

    Args:
        more: further files in the component's folder, by name without `.yaml`; one of the same
            name takes the file's place.
    """
    files = {
        PROJECT: project(),
        "platform/standard.yaml": pipeline(),
        "platform/service.yaml": resource("ComponentType", "service", workloadType="deployment"),
        f"{FOLDER}/catalog/component.yaml": component("catalog"),
    }
    return {**files, **{f"{FOLDER}/catalog/{name}.yaml": each for name, each in more.items()}}


def namespace(files: Mapping[str, bytes], name: str = "demo", *links: str) -> Namespace:
    """Return a namespace of a repository's files."""
    return namespace_of(read_repository(files, links), name)
