"""The parameters of a workflow as they were given: by options, a WorkflowRun, or a Component.

Each value knows where it stands, so that an error about it names file and line, or the option.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import yaml

from pipeline.config.entries import suggestion
from pipeline.errors import GitOpsError, OcelotError, Problem, UsageError, counted, quoted
from pipeline.gitops.repository import Resource, read_resources
from pipeline.gitops.workflows import (
    DEFAULT_KIND,
    KINDS,
    PARAMETERS,
    WorkflowSchema,
    find_workflow,
    workflow_schema,
)

_PARAMETERS_KEYS = ("spec", "workflow", "parameters")
_DEEPEST = 10  # levels of a file whose lines are known

ParameterValue = str | bool | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LocatedResource:
    """A resource with the text of its file, for messages with lines.

    Attributes:
        resource: the parsed resource.
        content: of the file; empty for a platform repository's, whose lines are not known.
        is_option: True for a file that the user named, and that is not in the GitOps repository.
    """

    resource: Resource
    content: bytes = field(repr=False)
    is_option: bool = False

    def place(self, *keys: str) -> str:
        """Return file and line of a key, or of the nearest one above it that is there."""
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return f"{self.resource.file}:{self._lines.get(keys, self.resource.line)}"

    def error(self, message: str, *problems: str, hint: str = "") -> OcelotError:
        """Return an error about this resource."""
        kind = UsageError if self.is_option else GitOpsError
        place = "" if self.is_option else " in the GitOps repository, and push it"
        return kind(message, hint=hint or f"correct the file{place}", details=problems)

    @cached_property
    def _lines(self) -> Mapping[tuple[str, ...], int]:
        for node in yaml.compose_all(self.content, Loader=yaml.SafeLoader):
            if node.start_mark.line + 1 == self.resource.line:
                return dict(_key_lines(node, ()))
        return {}


def _key_lines(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            yield below, key.start_mark.line + 1
            if len(below) <= _DEEPEST:  # an alias may lead to itself
                yield from _key_lines(value, below)


@dataclass(frozen=True, kw_only=True)
class Given:
    """The value of one parameter.

    Attributes:
        value: text, true or false, or a list of texts.
        name: the option, such as `--commit`, or the path of keys in the manifest.
        manifest: None for an option, or for a default.
        workflow: the Workflow whose schema has it as default.
    """

    value: ParameterValue
    name: str
    manifest: LocatedResource | None = None
    workflow: Resource | None = None

    @property
    def text(self) -> str:
        """The value as text."""
        return self.value if isinstance(self.value, str) else str(self.value)

    def fault(self, message: str, hint: str = "", *, shown: str | None = None) -> OcelotError:
        """Return an error about this value; the message goes on after place and value.

        Args:
            message: says what is wrong.
            hint: the next step.
            shown: the value as it is shown, if it may hold a secret; empty for not at all.
        """
        value = quoted(self.text) if shown is None else shown
        said = " ".join(filter(None, (f"{self.name}:", value, message)))
        if self.manifest is not None:
            place = self.manifest.place(*_PARAMETERS_KEYS, *self.name.split("."))
            return self.manifest.error(f"{place}: {said}", hint=hint)
        if self.workflow is not None:
            return GitOpsError(
                f"{self.workflow.place}: default of {said}",
                hint=hint or "correct the Workflow's schema in the GitOps repository, and push it",
            )
        return UsageError(said, hint=hint or "give another value")


@dataclass(frozen=True, kw_only=True)
class GivenWorkflow:
    """The workflow and the parameters that a WorkflowRun or a Component names.

    Attributes:
        kind: Workflow or ClusterWorkflow.
        name: of the workflow.
        manifest: the WorkflowRun or Component.
        schema: of the workflow; None if the GitOps repository does not have the workflow.
    """

    kind: str
    name: str
    manifest: LocatedResource
    schema: WorkflowSchema | None

    def parameters(self, workflow: str) -> dict[str, Given]:
        """Return the values by the names of one of the four workflows' parameters.

        Args:
            workflow: this one's name, or that of the workflow which takes its place; parameters of
                another of the four are then left out.

        Raises:
            OcelotError: with every unknown key and every value of a wrong type.
        """
        found: dict[str, Given] = {}
        problems: list[str] = []
        names = PARAMETERS[workflow]
        for each in self._values(_known(self.schema, (names, PARAMETERS.get(self.name, {})))):
            if isinstance(each, str):
                problems.append(each)
            elif each[0] in names:
                found[each[0]] = each[1]
        if problems:
            count = counted(len(problems), "parameter")
            raise self.manifest.error(f"{count} of {self.name} cannot be used", *problems)
        return found

    def _values(self, known: Mapping[str, str]) -> Iterator[tuple[str, Given] | str]:
        """Yield each parameter with its value, and a line for each problem."""
        data = self.manifest.resource.value(*_PARAMETERS_KEYS)
        if not isinstance(data, dict | None):
            yield f"{self.manifest.place(*_PARAMETERS_KEYS)}: parameters must be a mapping"
            return
        above = {"." + path.rpartition(".")[0] for path in known}
        pending = list(cast("dict[str, Any]", data or {}).items())
        while pending:
            path, value = pending.pop(0)
            fault = ""
            if path in known:
                fault = _type_fault(known[path], value)
                if not fault and value not in ("", None):
                    given = Given(value=_value(value), name=path, manifest=self.manifest)
                    yield known[path], given
            elif not any(each.startswith(f".{path}.") or each == f".{path}" for each in above):
                fault = f"is no parameter here{suggestion(path, known)}"
            elif isinstance(value, dict):
                below = cast("dict[str, Any]", value)
                pending += [(f"{path}.{key}", each) for key, each in below.items()]
            elif value is not None:
                fault = "must be a mapping"
            if fault:
                place = self.manifest.place(*_PARAMETERS_KEYS, *path.split("."))
                yield f"{place}: {path} {fault}"


def schema_default(schema: WorkflowSchema, parameter: str) -> Given | None:
    """Return the value that a parameter has by a Workflow's schema; None for none."""
    value = schema.defaults.get(parameter)
    if value in ("", None) or _type_fault(parameter, value):  # OpenChoreo checks its own schemas
        return None
    path = {name: path for path, name in schema.places.items()}.get(parameter, parameter)
    return Given(value=_value(value), name=path, workflow=schema.resource)


def _known(schema: WorkflowSchema | None, names: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Return the parameter that stands at each path of keys."""
    marked = dict(schema.places) if schema else {}
    own = [name for each in names for name in each if name not in marked.values()]
    return {**{name: name for name in own}, **marked}


def _type_fault(parameter: str, value: object) -> str:
    """Return what is wrong with the type of a parameter's value; empty for nothing."""
    if value is None:
        return ""
    if parameter == "scope.all":
        return "" if isinstance(value, bool) else "must be true or false"
    if parameter == "buildpacks.env":
        texts = cast("list[object]", value) if isinstance(value, list) else [None]
        fits = all(isinstance(each, str) for each in texts)
        return "" if fits else "must be a list of texts such as KEY=VALUE, in quotes"
    return "" if isinstance(value, str) else "must be text: put it in quotes"


def _value(value: object) -> ParameterValue:
    if isinstance(value, list):
        return tuple(str(each) for each in cast("list[object]", value))
    return value if isinstance(value, bool) else str(value)


def given_workflow(
    manifest: LocatedResource, workflows: Sequence[Resource]
) -> GivenWorkflow | None:
    """Return the workflow that a WorkflowRun or Component names; None if it names none.

    Args:
        manifest: the WorkflowRun or Component.
        workflows: the Workflows of its namespace, and the ClusterWorkflows.

    Raises:
        OcelotError: `spec.workflow` is not as OpenChoreo has it.
    """
    section: object = manifest.resource.value("spec", "workflow")
    if section is None:
        return None
    if not isinstance(section, dict):
        raise manifest.error(f"{manifest.place('spec', 'workflow')}: workflow must be a mapping")
    found = cast("dict[str, Any]", section)
    for key in found:
        if key not in ("kind", "name", "parameters"):
            place = manifest.place("spec", "workflow", key)
            raise manifest.error(f"{place}: unknown key {quoted(key)} in spec.workflow")
    kind, name = found.get("kind", DEFAULT_KIND), found.get("name")
    if kind not in KINDS:
        place = manifest.place("spec", "workflow", "kind")
        raise manifest.error(f"{place}: kind {quoted(str(kind))} is none of {', '.join(KINDS)}")
    if not isinstance(name, str) or not name:
        place = manifest.place("spec", "workflow", "name")
        raise manifest.error(f"{place}: spec.workflow.name must be the name of a workflow")
    resource = find_workflow(kind, name, workflows)
    schema = workflow_schema(resource) if resource else None
    return GivenWorkflow(kind=kind, name=name, manifest=manifest, schema=schema)


def read_run(content: bytes, file: str) -> LocatedResource:
    """Return the WorkflowRun of a file.

    Args:
        content: of the file.
        file: its name, for messages.

    Raises:
        UsageError: the file is no YAML, or has not exactly one WorkflowRun.
    """
    found = list(read_resources(file, content))
    hint = "give a file with one WorkflowRun, as for `kubectl apply`"
    if problems := [str(each) for each in found if isinstance(each, Problem)]:
        raise UsageError(f"{file} cannot be read", hint=hint, details=tuple(problems))
    runs = [each for each in found if isinstance(each, Resource) and each.kind == "WorkflowRun"]
    if len(runs) != 1 or len(found) != 1:
        places = tuple(f"{each.place}: {each.kind}" for each in found if isinstance(each, Resource))
        raise UsageError(f"{file} is not one WorkflowRun", hint=hint, details=places)
    manifest = LocatedResource(resource=runs[0], content=content, is_option=True)
    _check_run_spec(manifest)
    return manifest


def _check_run_spec(manifest: LocatedResource) -> None:
    spec: object = manifest.resource.value("spec")
    known = ("workflow", "ttlAfterCompletion")
    for key in cast("dict[str, Any]", spec) if isinstance(spec, dict) else {}:
        if key not in known:
            raise _unknown_key(manifest, key, known)
    if manifest.resource.value("spec", "workflow") is None:
        raise manifest.error(f"{manifest.place('spec')}: a WorkflowRun needs spec.workflow")


def _unknown_key(manifest: LocatedResource, key: str, known: Iterable[str]) -> OcelotError:
    place = manifest.place("spec", key)
    return manifest.error(f"{place}: unknown key {quoted(key)}{suggestion(key, known)}")
