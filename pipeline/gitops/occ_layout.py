"""Files of the copy on which `occ` runs: one resource a file, under paths that occ reads.

occ finds resources by kind and name alone, and skips folders by their names. So the copy has the
resources of one namespace and of the cluster only, of the components that are written and no
others, and other names for such folders. Folders keep their place, since occ writes new files
beside those of the same component.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import cast

import yaml

from pipeline.errors import GitOpsError, Problem, quoted
from pipeline.files import Tree
from pipeline.gitops.names import is_dns_name
from pipeline.gitops.namespace import Namespace, is_cluster_scoped
from pipeline.gitops.repository import (
    API_VERSION,
    GitOpsRepository,
    Resource,
    SafeLoader,
    broken_files,
)

# https://github.com/openchoreo/openchoreo/blob/v1.2.3/pkg/fsindex/scanner/filter.go; names with a
# dot in front are skipped, too.
SKIPPED_FOLDERS = frozenset({"node_modules", "vendor", "target", "build", "dist"})
RELEASE_CONFIG = "release-config.yaml"

_ESCAPE = "x-"
# No path of the repository begins with it: see `path_in_copy`.
_PLATFORM = f"{_ESCAPE}-platform"
# The pipeline and environment of `promoted` releases: no names in Kubernetes, so no others' names.
PROMOTION, _SOURCE = "PROMOTION", "SOURCE"
_OF_COMPONENTS = ("Component", "Workload", "ComponentRelease", "ReleaseBinding")
# Kinds that a promotion neither reads nor writes.
_NOT_PROMOTED = ("Workload", "ComponentRelease")
# Kinds whose files occ writes, and names by metadata.name.
_NAMED = (*_OF_COMPONENTS, "Project", "DeploymentPipeline", "Environment")


@dataclass(frozen=True, kw_only=True)
class OccLayout:
    """The files of a copy.

    Attributes:
        files: content by path in the copy.
        origins: the resource of each file; the file of occ's own settings has none.
    """

    files: Tree = field(repr=False)
    origins: Mapping[str, Resource] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """Releases that are bound to one environment.

    Attributes:
        environment: the one to bind them to.
        releases: name of the release by project and component.
    """

    environment: str
    releases: Mapping[tuple[str, str], str]


_Folders = Mapping[tuple[str, tuple[str, str]], str]


def occ_layout(
    namespace: Namespace,
    components: Collection[tuple[str, str]],
    platform: GitOpsRepository | None = None,
    promoted: Promoted | None = None,
) -> OccLayout:
    """Return the files on which occ writes resources of some components.

    Args:
        namespace: the components' namespace.
        components: names of project and component.
        platform: the repository of the namespace's platform resources, if that is another one.
        promoted: adds a pipeline `PROMOTION`, in which occ promotes these releases at once.

    Raises:
        GitOpsError: a name would lead occ out of its folder, or release-config.yaml is broken.
    """
    left_out = _NOT_PROMOTED if promoted else ()
    resources = [
        each
        for each in namespace.resources
        if each.kind not in left_out
        and (each.kind not in _OF_COMPONENTS or _component(each) in components)
    ]
    if problems := list(_name_problems(resources)):
        raise broken_files(problems)
    folders = _shared_folders(resources)
    files: dict[str, bytes] = {}
    origins: dict[str, Resource] = {}
    for number, each in enumerate(resources):
        folder = folders.get((each.kind, _component(each)), each.folder)
        name = each.name if each.kind == "ReleaseBinding" else f"R{number}"
        path = str(PurePosixPath(path_in_copy(folder)) / f"{name}.yaml")
        if each.origin:
            path = f"{_PLATFORM}/{path}"
        source = platform if each.origin and platform else namespace.repository
        origins[path] = each
        files[path] = _content(source.files[each.path], each, namespace.name)
    if promoted:
        files |= _promotion(namespace, folders, promoted)
    if RELEASE_CONFIG in namespace.repository.files:
        files[RELEASE_CONFIG] = _release_config(namespace.repository.files[RELEASE_CONFIG])
    return OccLayout(files=files, origins=origins)


def path_in_copy(path: str) -> str:
    """Return the copy's path for a path of the repository; occ skips no folder of it."""
    parts = PurePosixPath(path).parts
    return str(PurePosixPath(*(f"{_ESCAPE}{each}" if _skipped(each) else each for each in parts)))


def path_in_repository(path: str) -> str:
    """Return the repository's path for a path of the copy."""
    return str(PurePosixPath(*(each.removeprefix(_ESCAPE) for each in PurePosixPath(path).parts)))


def _skipped(folder: str) -> bool:
    return folder in SKIPPED_FOLDERS or folder.startswith((".", _ESCAPE))


def _component(resource: Resource) -> tuple[str, str]:
    """Return project and component of a resource."""
    project, component = resource.owner
    return project, resource.name if resource.kind == "Component" else component


def _name_problems(resources: Collection[Resource]) -> Iterator[Problem]:
    """Yield the names with which occ would write to other folders."""
    for each in resources:
        names = (each.name, *each.owner, each.text("spec", "environment"))
        if each.kind in _NAMED and not all(is_dns_name(name) for name in names if name):
            wrong = next(name for name in names if name and not is_dns_name(name))
            yield each.problem(f"{quoted(wrong)} cannot be a name in Kubernetes")


def _shared_folders(
    resources: Collection[Resource],
) -> _Folders:
    """Return a folder for the releases of each component, and one for its bindings.

    It is the one that has most of them. occ writes new ones to the folder of any existing one.
    """
    counts: dict[tuple[str, tuple[str, str]], Counter[str]] = {}
    for each in resources:
        if each.kind in ("ComponentRelease", "ReleaseBinding"):
            counts.setdefault((each.kind, _component(each)), Counter())[each.folder] += 1
    return {
        key: min(found, key=lambda folder: (-found[folder], folder))
        for key, found in counts.items()
    }


def _promotion(
    namespace: Namespace, folders: _Folders, promoted: Promoted
) -> Iterator[tuple[str, bytes]]:
    """Yield a pipeline to an environment, and for each release a binding in its first one.

    occ writes a new binding beside others of the component, and so beside these.
    """
    steps = [
        {
            "sourceEnvironmentRef": {"name": _SOURCE},
            "targetEnvironmentRefs": [{"name": promoted.environment}],
        }
    ]
    pipeline = _resource(namespace, "DeploymentPipeline", PROMOTION, {"promotionPaths": steps})
    yield f"{_PLATFORM}/{PROMOTION}.yaml", pipeline
    for number, ((project, component), release) in enumerate(promoted.releases.items()):
        beside = PurePosixPath(namespace.component(project, component).folder, "release-bindings")
        folder = folders.get(("ReleaseBinding", (project, component)), str(beside))
        spec = {
            "owner": {"projectName": project, "componentName": component},
            "environment": _SOURCE,
            "releaseName": release,
        }
        content = _resource(namespace, "ReleaseBinding", f"{_SOURCE}-{number}", spec)
        yield f"{path_in_copy(folder)}/{_SOURCE}-{number}.yaml", content


def _resource(namespace: Namespace, kind: str, name: str, spec: object) -> bytes:
    metadata = {"name": name, "namespace": namespace.name}
    resource = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return json.dumps(resource).encode()


def _content(content: bytes, resource: Resource, namespace: str) -> bytes:
    """Return a resource's text with its namespace, and without other documents of the file."""
    needs_namespace = not resource.namespace and not is_cluster_scoped(resource.kind)
    if resource.alone and not needs_namespace:
        return content
    text = content.decode("utf-8").removeprefix("\ufeff")
    node = document_node(text, resource.document)
    end = node.end_mark.index
    if needs_namespace:
        text, added = _with_namespace(text, node, namespace)
        end += added
    start = node.start_mark
    return f"{' ' * start.column}{text[start.index : end].rstrip()}\n".encode()


def document_node(text: str, document: int) -> yaml.MappingNode:
    """Return the node of a document, counted from 0 without empty ones."""
    nodes = [
        node
        for node in yaml.compose_all(text, Loader=SafeLoader)
        if node.tag != "tag:yaml.org,2002:null"
    ]
    node = nodes[document]
    assert isinstance(node, yaml.MappingNode)  # noqa: S101  it was read as a resource
    return node


def _with_namespace(text: str, document: yaml.MappingNode, namespace: str) -> tuple[str, int]:
    """Return a text whose document names a namespace, and the number of characters added."""
    metadata = next(value for key, value in document.value if key.value == "metadata")
    present = next((value for key, value in metadata.value if key.value == "namespace"), None)
    if present is not None:  # empty, or null
        start, end, added = present.start_mark.index, present.end_mark.index, f" {namespace}"
    else:
        first = metadata.value[0][0].start_mark
        start = end = first.index
        line = f"namespace: {namespace}"
        added = f"{line}, " if metadata.flow_style else f"{line}\n{' ' * first.column}"
    return f"{text[:start]}{added}{text[end:]}", len(added) - (end - start)


def _release_config(content: bytes) -> bytes:
    """Return occ's settings for where it writes, with the folders of the copy.

    https://github.com/openchoreo/openchoreo/blob/v1.2.3/internal/occ/fsmode/config/release_config.go

    Raises:
        GitOpsError: it is no mapping, or names a folder outside of the repository.
    """
    try:
        data: object = yaml.load(content, Loader=SafeLoader)  # noqa: S506  a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _broken_config(f"not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise _broken_config("must be a mapping")
    settings = cast("dict[str, object]", data)
    # Beside these two, every text in it is a folder.
    moved = {
        key: value if str(key).lower() in ("apiversion", "kind") else _moved(value)
        for key, value in settings.items()
    }
    return json.dumps(moved).encode()


def _moved(value: object) -> object:
    """Return a value of occ's settings with each folder as the copy has it."""
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        return {key: _moved(each) for key, each in mapping.items()}
    if not isinstance(value, str):
        return value
    if value.startswith("/") or ".." in PurePosixPath(value).parts:
        raise _broken_config(f"{quoted(value)} is no folder of the repository")
    return path_in_copy(value)


def _broken_config(message: str) -> GitOpsError:
    return broken_files([Problem(file=RELEASE_CONFIG, line=0, message=message)])
