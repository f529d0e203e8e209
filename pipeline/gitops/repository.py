"""The resources of a GitOps repository, found in its YAML files.

Every YAML file is parsed, so that a broken one is an error with its line: OpenChoreo's `occ` would
skip it silently. Files that do not name OpenChoreo's API group, such as Helm templates, may be
broken. Booleans and numbers are read as `occ` reads them, by YAML 1.1; times stay text.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, cast

import yaml

from pipeline.errors import GitOpsError, Problem, counted, quoted
from pipeline.files import Tree

GROUP = "openchoreo.dev"
API_VERSION = f"{GROUP}/v1alpha1"
SUFFIXES = (".yaml", ".yml")
# Settings of occ itself, in a file of the repository: no resource, and without a name.
SETTINGS = "ReleaseConfig"

_MENTIONED = re.compile(rb"openchoreo\.dev")
# Loaders of PyYAML; the one in C is ten times as fast, and in every wheel of it.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(SafeLoader):
    """Reads scalars as Go's YAML does for Kubernetes: no times, no numbers to base 60."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in pairs
        if tag.rpartition(":")[2] not in ("timestamp", "int", "float")
    ]
    for first, pairs in SafeLoader.yaml_implicit_resolvers.items()
}
# As PyYAML's, but as Go reads them: 12:30 is text, 0o17 and 1e3 are numbers.
_INT = r"[-+]?(0b[0-1_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$"
_FLOAT = (
    r"[-+]?(([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))$"
    r"|\.(nan|NaN|NAN)$"
)
for _tag, _pattern, _first in (("int", _INT, "-+0123456789"), ("float", _FLOAT, "-+0123456789.")):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in a file of the repository.

    Attributes:
        path: of the file, from the repository's root.
        document: of the resource in its file, counted from 0.
        line: of the resource's first line in the file, from 1.
        alone: True if the file has no other document.
        origin: name of another repository than the GitOps repository, for messages.
        data: the parsed document.
    """

    path: str
    document: int
    line: int
    alone: bool
    origin: str = ""
    data: Mapping[str, Any] = field(repr=False)

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.file}:{self.line}"

    @property
    def file(self) -> str:
        """The file's path, after the name of another repository."""
        return f"{self.origin}: {self.path}" if self.origin else self.path

    def problem(self, message: str) -> Problem:
        """Return a problem in the resource's first line."""
        return Problem(file=self.file, line=self.line, message=message)

    @property
    def folder(self) -> str:
        """The folder of the file; `.` for the root."""
        return str(PurePosixPath(self.path).parent)

    @property
    def group(self) -> str:
        """The API group; empty for Kubernetes' core group."""
        return str(self.data.get("apiVersion", "")).rpartition("/")[0]

    @property
    def kind(self) -> str:
        """The kind, such as Component."""
        return str(self.data.get("kind", ""))

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.text("metadata", "name")

    @property
    def namespace(self) -> str:
        """metadata.namespace; empty if the file leaves it to the tool that applies it."""
        return self.text("metadata", "namespace")

    @property
    def owner(self) -> tuple[str, str]:
        """Names of project and component in spec.owner; empty where there is none."""
        return self.text("spec", "owner", "projectName"), self.text(
            "spec", "owner", "componentName"
        )

    def value(self, *keys: str) -> Any:  # noqa: ANN401  YAML holds anything
        """Return the value at a path of keys; None where there is none."""
        value: Any = self.data
        for key in keys:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
        return value

    def text(self, *keys: str) -> str:
        """Return the text at a path of keys; empty where there is none."""
        value = self.value(*keys)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class GitOpsRepository:
    """The files of a GitOps repository at one commit, and the resources in them.

    Attributes:
        files: all of its files by path.
        resources: of OpenChoreo's API group, by path and place in the file.
        links: paths of symbolic links; no resource is read through one.
    """

    files: Tree = field(repr=False)
    resources: tuple[Resource, ...]
    links: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> tuple[Resource, ...]:
        """Return the resources of a kind."""
        return self._kinds.get(kind, ())

    @cached_property
    def _kinds(self) -> Mapping[str, tuple[Resource, ...]]:
        kinds: dict[str, list[Resource]] = {}
        for each in self.resources:
            kinds.setdefault(each.kind, []).append(each)
        return {kind: tuple(found) for kind, found in kinds.items()}


def read_repository(
    files: Tree, links: Sequence[str] = (), *, origin: str = ""
) -> GitOpsRepository:
    """Return the resources of a repository.

    Args:
        files: content by path.
        links: paths of symbolic links.
        origin: name of a repository that is not the GitOps repository, for messages.

    Raises:
        GitOpsError: with every file that is broken, and every resource without a name.
    """
    found: list[Resource | Problem] = []
    with without_collection():
        for path in sorted(files):
            if path.endswith(SUFFIXES) and _MENTIONED.search(files[path]):
                found += read_resources(path, files[path], origin)
    resources = [each for each in found if isinstance(each, Resource)]
    problems = [each for each in found if isinstance(each, Problem)]
    if problems:
        raise broken_files(problems)
    return GitOpsRepository(files=files, resources=tuple(resources), links=tuple(links))


@contextmanager
def without_collection() -> Generator[None]:
    """Turn Python's search for garbage in cycles off: a large repository has millions of values.

    They have no cycles, and reading thousands of files takes half the time without it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def broken_files(problems: Sequence[Problem]) -> GitOpsError:
    """Return the error for files of the GitOps repository that cannot be used."""
    count = counted(len(problems), "problem")
    return GitOpsError(
        f"{count} in the GitOps repository",
        hint="fix these lines in the GitOps repository, and push them",
        details=tuple(str(problem) for problem in problems),
    )


def read_resources(path: str, content: bytes, origin: str = "") -> Iterator[Resource | Problem]:
    """Yield the resources of a file, or what is wrong with it."""
    file = f"{origin}: {path}" if origin else path
    try:
        found = list(documents(content.decode("utf-8")))
    except UnicodeDecodeError:
        yield Problem(file=file, line=0, message="is not UTF-8 text")
        return
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        yield Problem(file=file, line=line, message=f"not YAML: {error.problem}")
        return
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        yield Problem(file=file, line=0, message=f"not YAML: {reason}")
        return
    for at, (line, data) in enumerate(found):
        if not isinstance(data, dict):
            continue
        resource = Resource(
            path=path,
            document=at,
            line=line,
            alone=len(found) == 1,
            origin=origin,
            data=cast("dict[str, Any]", data),
        )
        # (a descriptor of a workload has no kind)
        if resource.group == GROUP and resource.kind not in ("", SETTINGS):
            unnamed = f"{quoted(resource.kind)} without metadata.name"
            yield resource if resource.name else resource.problem(unnamed)


def documents(text: str) -> Iterator[tuple[int, object]]:
    """Yield line and content of each document that is not empty.

    Raises:
        yaml.YAMLError: the text is not YAML, or has a key twice in a mapping.
    """
    loader: Any = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _check_keys(node)
            data = loader.construct_document(node)
            if data is not None:
                yield node.start_mark.line + 1, data
    finally:
        loader.dispose()


def line_of(content: bytes, document: int, keys: Iterable[str | int]) -> int:
    """Return the line of a value in a file that can be read, counted from 1.

    Args:
        content: of the file.
        document: as in `Resource.document`.
        keys: and indexes that lead to the value; the line of the nearest value above is returned
            where they lead nowhere.
    """
    loader: Any = _Loader(content.decode("utf-8"))
    nodes: list[yaml.Node] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            if loader.construct_document(node) is not None:
                nodes.append(node)
    finally:
        loader.dispose()
    node, line = nodes[document], nodes[document].start_mark.line
    for key in keys:
        found = [child for name, child in _children(node) if name == key]
        if not found:
            break
        key_node, node = found[-1]
        line = key_node.start_mark.line
    return line + 1


def _children(node: yaml.Node) -> Iterator[tuple[object, tuple[yaml.Node, yaml.Node]]]:
    """Yield the keys of a mapping, or the indexes of a list, each with the nodes of its place."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.value, (key, value)
    elif isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield at, (item, item)


def _check_keys(node: yaml.Node, seen: set[int] | None = None) -> None:
    """Refuse a key that stands twice in a mapping: readers of YAML differ in what they take."""
    seen = set() if seen is None else seen
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys if isinstance(key, yaml.ScalarNode) else False:
                problem = f"duplicate key {quoted(str(key.value))}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            keys.add(str(key.value))
            children.append(value)
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    for child in children:
        _check_keys(child, seen)
