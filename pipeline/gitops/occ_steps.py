"""The steps of a release: each is a run of `occ` on a copy, and a check of what it wrote.

A file that occ rewrote keeps its text where only the image or the release's name changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import GitOpsError
from pipeline.files import write_tree
from pipeline.gitops.changes import (
    Change,
    resource_text,
    same_value,
    split_heading,
    with_namespace,
    with_value,
    without_empty,
    without_namespace_line,
)
from pipeline.gitops.descriptor import Descriptor
from pipeline.gitops.edits import with_scalar
from pipeline.gitops.occ_copy import OccCopy, shown_resources
from pipeline.gitops.occ_layout import PROMOTION
from pipeline.gitops.repository import Resource, read_repository

IMAGE = ("spec", "container", "image")
RELEASE = ("spec", "releaseName")
# Parts of a container that no descriptor has.
_KEPT = ("command", "args")


@dataclass(frozen=True, kw_only=True, slots=True)
class BindingRequest:
    """A release that is to be bound to an environment."""

    project: str
    component: str
    environment: str
    release: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The result of a step.

    Attributes:
        name: of the resource.
        changes: of its file; none if it was there already.
    """

    name: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()


async def write_workload(
    copy: OccCopy,
    project: str,
    component: str,
    image: str,
    descriptor: Descriptor | None,
    *,
    output_path: str = "",
) -> Step:
    """Write the Workload of a component.

    Its spec comes from the descriptor, else only the image changes. Name, labels and annotations
    of an existing one stay, and so do the parts of its container that no descriptor has.

    Args:
        copy: the namespace.
        project: its name.
        component: its name.
        image: reference of the image.
        descriptor: from the component's source, if there is one.
        output_path: file of a new Workload, from the repository's root; empty for occ's choice.
    """
    before = copy.namespace.workload(project, component)
    options = ["--namespace", copy.namespace.name, "--project", project, "--component", component]
    if descriptor:
        write_tree(copy.inputs, descriptor.files)
        options += ["--descriptor", str(copy.inputs / descriptor.name)]
    if output_path:
        options += ["--output-path", copy.output_path(output_path)]
    await copy.run("workload", "create", "--image", image, *options)
    path, after = _written(copy, "Workload", (project, component), before)
    if not same_value(after.value(*IMAGE), image):
        raise copy.unexpected(f"the Workload's image is {after.value(*IMAGE)}")
    if before is None:
        warnings = () if descriptor else (_minimal(component),)
        return Step(name=after.name, changes=_new(copy, path, component), warnings=warnings)
    wanted = _merged(before, after) if descriptor else with_value(before.data, IMAGE, image)
    changes, warnings = _edited(copy, before, wanted, IMAGE, image)
    # what occ wrote here lacks what the merged one keeps
    copy.put(path, resource_text(with_namespace(wanted, copy.namespace.name)))
    return Step(name=before.name, changes=changes, warnings=warnings)


async def write_release(
    copy: OccCopy,
    project: str,
    component: str,
    name: str,
    *,
    bound: str = "",
    output_path: str = "",
) -> Step:
    """Write a ComponentRelease, unless there is one of equal content.

    Args:
        copy: the namespace.
        project: its name.
        component: its name.
        name: of the release; -2, -3 and so on is appended where another one has it. Empty for a
            name that occ gives by the date.
        bound: name of the release that is taken where several have equal content.
        output_path: folder, from the repository's root; empty for occ's choice.
    """
    options = ["--namespace", copy.namespace.name, "--project", project, "--component", component]
    if output_path:
        options += ["--output-path", copy.output_path(output_path)]
    naming = ["--name", name] if name else []
    shown, _ = await copy.run("componentrelease", "generate", *options, *naming, "--dry-run")
    release = _parsed(copy, shown)
    equal = [
        each.name
        for each in copy.namespace.releases(project, component)
        if same_value(each.data.get("spec"), release.data.get("spec"))
    ]
    if equal:
        preferred = [each for each in (bound, name) if each in equal]
        return Step(name=(preferred or equal)[0])
    taken = [each.name for each in copy.namespace.of_kind("ComponentRelease")]
    free = free_name(name or release.name, taken)
    await copy.run("componentrelease", "generate", *options, "--name", free)
    path, after = _written(copy, "ComponentRelease", (project, component), None)
    wanted = with_value(release.data, ("metadata", "name"), free)
    if not same_value(after.data, wanted):
        raise copy.unexpected(f"release {after.name} is not the one of its dry run")
    return Step(name=free, changes=_new(copy, path, component))


async def write_binding(
    copy: OccCopy, request: BindingRequest, pipeline: str, *, output_path: str = ""
) -> Step:
    """Write the ReleaseBinding of a component and environment.

    Args:
        copy: the namespace.
        request: the release and where to bind it.
        pipeline: the DeploymentPipeline's name.
        output_path: folder of a new one, from the repository's root; empty for occ's choice.
    """
    _check_name_is_free(copy, request)
    options = ["--project", request.project, "--component", request.component]
    options += ["--target-env", request.environment, "--use-pipeline", pipeline]
    options += ["--component-release", request.release]
    if output_path:
        options += ["--output-path", copy.output_path(output_path)]
    await copy.run("releasebinding", "generate", *options)
    return checked_binding(copy, request, copy.written())


async def write_bindings(copy: OccCopy, requests: Sequence[BindingRequest]) -> tuple[Step, ...]:
    """Write the ReleaseBindings of many components in one environment, in one run of occ.

    Args:
        copy: the namespace, with these releases as the promoted ones.
        requests: all of one environment.
    """
    for each in requests:
        _check_name_is_free(copy, each)
    target = ("--target-env", requests[0].environment)
    _, errors = await copy.run(
        "releasebinding", "generate", "--all", "--use-pipeline", PROMOTION, *target
    )
    if errors.strip():
        raise copy.unexpected(errors.strip())
    written: dict[tuple[str, str], dict[str, Resource]] = {}
    for path, each in copy.written().items():
        written.setdefault(each.owner, {})[path] = each
    owners = [(each.project, each.component) for each in requests]
    if others := [path for owner in written.keys() - set(owners) for path in written[owner]]:
        raise copy.unexpected(f"it wrote {', '.join(map(copy.destination, others))}")
    return tuple(
        checked_binding(copy, each, written.get(owner, {}))
        for owner, each in zip(owners, requests, strict=True)
    )


def checked_binding(
    copy: OccCopy, request: BindingRequest, written: Mapping[str, Resource]
) -> Step:
    """Return the change of one binding, once it is sure that it is the one that was asked for."""
    owner = (request.project, request.component)
    before = copy.namespace.binding(*owner, request.environment)
    path, after = _only(copy, "ReleaseBinding", owner, before, written)
    wanted = with_value((before or after).data, RELEASE, request.release)
    if after.text("spec", "environment") != request.environment or not same_value(
        with_namespace(after.data, ""), with_namespace(wanted, "")
    ):
        raise copy.unexpected(
            f"binding {after.name} names release {after.value(*RELEASE)} and environment "
            f"{after.value('spec', 'environment')}"
        )
    if before is None:
        return Step(name=after.name, changes=_new(copy, path, request.component))
    changes, warnings = _edited(copy, before, wanted, RELEASE, request.release)
    if before.text("spec", "state") == "Undeploy":
        warnings += (_undeployed(before),)
    return Step(name=before.name, changes=changes, warnings=warnings)


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return a name that is not taken: the one given, else with -2, -3 and so on."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _check_name_is_free(copy: OccCopy, request: BindingRequest) -> None:
    """Refuse a new binding whose name another one has: a-b bound to c, and a bound to b-c."""
    name = f"{request.component}-{request.environment}"
    other = copy.namespace.find("ReleaseBinding", name)
    if other and not copy.namespace.binding(
        request.project, request.component, request.environment
    ):
        raise GitOpsError(
            f"{other.place}: ReleaseBinding {name!r} binds {'/'.join(other.owner)} to "
            f"{other.text('spec', 'environment')!r}; the one of {request.project}/"
            f"{request.component} in {request.environment!r} would have the same name",
            hint="rename that ReleaseBinding, and push it",
        )


def _written(
    copy: OccCopy, kind: str, owner: tuple[str, str], before: Resource | None
) -> tuple[str, Resource]:
    """Return path and content of the one resource that a run wrote or left as it was."""
    return _only(copy, kind, owner, before, copy.written())


def _only(
    copy: OccCopy,
    kind: str,
    owner: tuple[str, str],
    before: Resource | None,
    written: Mapping[str, Resource],
) -> tuple[str, Resource]:
    own = next((path for path, each in copy.origins.items() if each is before), "")
    if not written and before is not None:  # it was there already
        return own, before
    for path, each in written.items():
        identity = (each.kind, each.owner, each.namespace)
        if (
            len(written) > 1
            or identity != (kind, owner, copy.namespace.name)
            or (path != own if before else path in copy.origins)
        ):
            raise copy.unexpected(
                f"it wrote {each.kind} {each.name!r} of {'/'.join(each.owner)} in namespace "
                f"{each.namespace!r} to {copy.destination(path)}"
            )
        return path, each
    raise copy.unexpected(f"it wrote no {kind}")


def _new(copy: OccCopy, path: str, component: str) -> tuple[Change, ...]:
    """Return the change that adds a file as occ wrote it.

    Raises:
        GitOpsError: the repository has another file there, or a symbolic link on the way.
    """
    repository = copy.namespace.repository
    destination, text = copy.destination(path), copy.files[path]
    folders = {str(each) for each in PurePosixPath(destination).parents}
    in_the_way = [each for each in repository.links if each in folders or each == destination]
    in_the_way += [destination] if destination in repository.files else []
    if in_the_way:
        raise GitOpsError(
            f"occ would write {destination}, and the repository has another file or a symbolic "
            f"link there: {in_the_way[0]}",
            hint="rename it, and push it",
        )
    beside = copy.namespace.find("Component", component)
    if beside is not None and not beside.namespace:
        text = without_namespace_line(text)
    return (Change(path=destination, before=None, after=text),)


def _edited(
    copy: OccCopy, before: Resource, wanted: object, keys: tuple[str, ...], value: str
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return the change of an existing file, and warnings."""
    content = copy.namespace.repository.files[before.path]
    after = (
        with_scalar(content, before.document, keys, value, file=before.path)
        if before.text(*keys)
        else b""
    )
    warnings: tuple[str, ...] = ()
    if not same_value(_data(after, before.document), wanted):
        heading, rest = split_heading(content)
        after = heading + resource_text(wanted)
        if b"#" in rest:
            warnings = (f"{before.path} was written anew: comments between its lines are lost",)
    if after == content:
        return (), ()
    return (Change(path=before.path, before=content, after=after),), warnings


def _merged(before: Resource, after: Resource) -> dict[str, Any]:
    """Return a Workload with the name and labels of one, and the spec of another."""
    container = dict(after.data["spec"]["container"])
    for key in _KEPT:
        if (value := before.value("spec", "container", key)) is not None:
            container[key] = value
    merged = {**before.data, "spec": {**after.data["spec"], "container": container}}
    same = with_value(before.data, IMAGE, container["image"])
    return same if same_value(without_empty(same), without_empty(merged)) else merged


def _data(content: bytes, document: int) -> object:
    resources = read_repository({"file.yaml": content}).resources
    return next((each.data for each in resources if each.document == document), None)


def _parsed(copy: OccCopy, shown: str) -> Resource:
    """Return the resource that a dry run printed after occ's own messages."""
    resources = shown_resources(shown)
    if len(resources) != 1:
        raise copy.unexpected("its dry run shows no resource")
    return resources[0]


def _minimal(component: str) -> str:
    return (
        f"the Workload of {component!r} is new and has an image only: without a descriptor it has "
        "no endpoints and no configuration"
    )


def _undeployed(binding: Resource) -> str:
    return f"{binding.place}: {binding.name!r} has state Undeploy: the release will not run there"
