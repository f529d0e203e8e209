"""A component's `workload.yaml`, which its developers keep beside its source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from pydantic import ValidationError

from pipeline.config.entries import LFS_POINTER, model_problems, suggestion
from pipeline.config.located_yaml import Document, KeyPath, parse_document
from pipeline.errors import GitOpsError, Problem, quoted
from pipeline.files import Tree, read_regular
from pipeline.gitops.descriptor_model import WorkloadDescriptor

# Bytes of a file that becomes a part of a resource: Kubernetes keeps none over 1.5 MiB.
_LARGEST = 1024**2
# Scalars that occ writes as they stand, where text is expected: 8080, 1.5, true, 2026-01-02.
_AS_WRITTEN = re.compile(
    r"0|-?[1-9]\d{0,17}|-?(0|[1-9]\d{0,5})\.\d{0,5}[1-9]|true|false|\d{4}-\d\d-\d\d"
)


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A workload descriptor that was checked.

    Attributes:
        name: of its file in `files`.
        files: the descriptor, and the files that it names, by path from its folder.
    """

    name: str
    files: Tree = field(repr=False)


def read_descriptor(
    source: Path, app_path: str, path: str, *, required: bool = True
) -> Descriptor | None:
    """Read the descriptor of a component, and the files that it names.

    Args:
        source: folder with the source; nothing outside of it is read.
        app_path: the application's folder in it; `.` for the source itself.
        path: of the descriptor, from the application's folder.
        required: False if there need not be one.

    Returns:
        None where there is no such file, and none is required.

    Raises:
        GitOpsError: it is missing, or with all that is wrong with it.
    """
    place = PurePosixPath(app_path.lstrip("/"), path)
    if ".." in place.parts or place.is_absolute():
        raise _broken([_problem(place, "leads out of the source")])
    if not required and not os.path.lexists(source / place):
        return None
    try:
        content = _read(source, place)
    except _UnusableFileError as error:
        raise _broken([_problem(place, str(error))]) from error
    document = parse_document(content, str(place))
    files = {place.name: content}
    problems: list[Problem] = []
    for keys, each in _model(document).named_files():
        try:
            files[each] = _read(source, place.parent / each)
        except _UnusableFileError as error:
            problems.append(document.problem(keys, f"{place.parent / each} {error}"))
    if problems:
        raise _broken(problems)
    return Descriptor(name=place.name, files=files)


def _model(document: Document) -> WorkloadDescriptor:
    """Return a descriptor's content.

    Raises:
        GitOpsError: with all that is wrong with it.
    """
    if document.problems:
        raise _broken(document.problems)
    if not document.mapping:
        raise _broken([document.problem((), "is empty, or no mapping")])
    if "kind" in document.mapping:
        message = "is a whole resource: a descriptor has no kind, and its keys are not below spec"
        raise _broken([document.problem(("kind",), message)])
    data = _without_nulls(document.data)
    try:
        model = _validated(data, document)
    except ValidationError as error:
        raise _broken(list(model_problems(error, WorkloadDescriptor, (), document))) from error
    if problems := list(_doubled(document, model)):
        raise _broken(problems)
    return model


def _validated(data: Any, document: Document) -> WorkloadDescriptor:  # noqa: ANN401  YAML
    """Return the descriptor; numbers and the like are text where occ writes them as they stand.

    Raises:
        ValidationError: it is not one.
    """
    try:
        return WorkloadDescriptor.model_validate(data)
    except ValidationError as error:
        found = [each["loc"] for each in error.errors() if each["type"] == "string_type"]
        texts = {path: document.texts.get(path, "") for path in found}
        written = {path: text for path, text in texts.items() if _AS_WRITTEN.fullmatch(text)}
        if not written:
            raise
    for path, text in written.items():
        target = data
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = text
    return WorkloadDescriptor.model_validate(data)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401  YAML holds anything
    """Return a value without keys that have none, which occ does not see."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        return {key: _without_nulls(each) for key, each in mapping.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in cast("list[Any]", value)]
    return value


def _doubled(document: Document, model: WorkloadDescriptor) -> Iterator[Problem]:
    """Yield the names that stand twice in a list: occ takes the last, or the cluster refuses."""
    first: dict[tuple[str, str], KeyPath] = {}
    for group, path, name in model.names():
        earlier = first.setdefault((group, name), path)
        if earlier != path:
            line = document.line(earlier)
            yield document.problem(path, f"{quoted(name)} stands already in line {line}")


class _UnusableFileError(Exception):
    """Error for a file of the source; its text continues a sentence that begins with its path."""


def _read(source: Path, place: PurePosixPath) -> bytes:
    """Return a file of the source.

    Raises:
        _UnusableFileError: it is missing, too large, no text, or reached through a symbolic link.
    """
    at = source
    for part in place.parts:
        at /= part
        if at.is_symlink():
            link = at.relative_to(source)
            raise _UnusableFileError(f"is not read: {link} is a symbolic link")
    try:
        content = read_regular(at, _LARGEST)
        content.decode("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        names = [each.name for each in at.parent.iterdir()] if at.parent.is_dir() else []
        raise _UnusableFileError(f"is not in the source{suggestion(at.name, names)}") from error
    except OSError as error:
        raise _UnusableFileError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _UnusableFileError("is not UTF-8 text") from error
    if content.startswith(LFS_POINTER.encode()):
        raise _UnusableFileError("is in Git LFS, which is not fetched")
    return content


def _problem(place: PurePosixPath, message: str) -> Problem:
    return Problem(file=str(place), line=0, message=message)


def _broken(problems: Sequence[Problem]) -> GitOpsError:
    """Return the error for a descriptor that cannot be used."""
    return GitOpsError(
        "the workload descriptor cannot be used",
        hint="fix these lines in the source and push them, or name another --descriptor",
        details=tuple(str(problem) for problem in problems),
    )
