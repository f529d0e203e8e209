"""Read a YAML file of the config folder by a pydantic model; every problem has its line."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.config.located_yaml import Document, KeyPath, read_document
from pipeline.errors import Problem, quoted
from pipeline.naming import ANY_KIND, KINDS, TAG_PREFIX

# Python's `$` also matches before a newline at the end; editors (ECMAScript) do not know `\Z`.
END = r"$(?!\n)"

BUILD_TAG = rf"^{TAG_PREFIX}\.(custom|all|({ANY_KIND})\.[a-z0-9_]+){END}"
GO_PATH = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
# The first element of a Go module path is a host name: https://go.dev/ref/mod#module-path
_MODULE = rf"^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/{GO_PATH})*"
GO_MODULE = f"{_MODULE}{END}"
GO_VERSION = r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
GO_MODULE_AT_VERSION = rf"{_MODULE}(@{GO_VERSION})?{END}"

# The beginning of a file that Git LFS has not replaced by its content:
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
LFS_POINTER = "version https://git-lfs.github.com/spec/"

# Messages by the type of a pydantic error, where pydantic's message speaks of Python.
_MESSAGES = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
}
# The form of a value by its key, where the value does not match the model's pattern.
_FORMS = {
    "module": "a Go module such as example.com/path or example.com/path@v1.2.3",
    "import": "a Go import path such as example.com/module/package",
    "factory": "the name of an exported Go function such as NewFactory",
    "config-file": "a path to a .yaml file below the config folder",
    "base": "a distribution's name",
    "go": "an image by digest such as golang:1.26.6-bookworm@sha256:…",
    "address": "a host such as ghcr.io/acme or localhost:5000",
    "branch": "the name of a git branch",
    "ref": "the name of a branch, tag or commit",
    "namespace": "a Kubernetes namespace",
    "tag-prefix": "the beginning of an image's tag such as v1",
    "occ-version": "a version such as v1.2.3",
    "nginx": "an image by digest such as nginx:1.29-alpine@sha256:…",
    "name": "a name on one line",
    "email": "an address such as gitops@example.com",
    "labels": "a label on one line",
    "reviewers": "a user, or a team such as acme/platform",
}

Model = TypeVar("Model", bound=BaseModel)


class ConfigModel(BaseModel):
    """Base of all models: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="python-re")


@dataclass(frozen=True, kw_only=True)
class Entries(Generic[Model]):
    """The valid entries of a file by name, and all problems of the file.

    Attributes:
        document: the file with its lines, for checks against other files.
    """

    document: Document
    entries: Mapping[str, Model]
    problems: tuple[Problem, ...]

    def with_problems(self, problems: Iterable[Problem]) -> Entries[Model]:
        """Return the same entries with more problems."""
        return replace(self, problems=(*self.problems, *problems))


def read_entries(
    folder: Path,
    file: str,
    kind: type[Model],
    *,
    names: str,
    name_label: str,
    optional: bool = False,
) -> Entries[Model]:
    """Read a file that maps names to entries; a wrong entry does not hide the problems of others.

    Args:
        folder: the config folder.
        file: name of the file.
        kind: the entries' model.
        names: pattern of the entries' names.
        name_label: what a name is, for messages.
        optional: True if a folder without the file has no entries; else that is a problem.
    """
    if optional and not (folder / file).exists():
        return _no_entries(folder, file)
    document = read_document(folder / file, shown(folder / file))
    if not isinstance(document.data, dict):
        broken = document.problems or (document.problem((), "must map names to entries"),)
        return Entries(document=document, entries={}, problems=broken)
    entries: dict[str, Model] = {}
    problems = list(document.problems)
    for name, value in document.mapping.items():
        if not re.match(names, name):
            problems.append(document.problem((name,), f"{quoted(name)} cannot be {name_label}"))
            continue
        try:
            entries[name] = kind.model_validate({} if value is None else value)
        except ValidationError as error:
            found = model_problems(error, kind, (name,), document)
            problems += [_root_problem(document, name)] if name == Path(file).stem else found
    return Entries(document=document, entries=entries, problems=tuple(problems))


def read_optional_entry(folder: Path, file: str, kind: type[Model]) -> Entries[Model]:
    """Read a file that is one entry, under the file's name; a folder may be without it."""
    if not (folder / file).exists():
        return _no_entries(folder, file)
    document = read_document(folder / file, shown(folder / file))
    try:
        entry = kind.model_validate(document.data)
    except ValidationError as error:
        problems = document.problems or tuple(model_problems(error, kind, (), document))
        return Entries(document=document, entries={}, problems=problems)
    return Entries(document=document, entries={file: entry}, problems=document.problems)


def _no_entries(folder: Path, file: str) -> Entries[Any]:
    document = Document(name=shown(folder / file), data=None)
    return Entries(document=document, entries={}, problems=())


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; perhaps you meant x?` for the nearest known word; empty where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; perhaps you meant {near[0]}?" if near else ""


def shown(path: Path) -> str:
    """Return a path as a user would type it in the working folder."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


def one_line(value: str) -> str:
    """Return a text on one line, with single spaces."""
    return " ".join(value.split())


def model_problems(
    error: ValidationError, kind: type[BaseModel], entry: KeyPath, document: Document
) -> Iterator[Problem]:
    """Return the problems that pydantic found in an entry."""
    for each in error.errors(include_url=False, include_context=False):
        key_path = (*entry, *(part for part in each["loc"] if part != "[key]"))
        if each["type"] == "extra_forbidden":
            keys = list(_fields(_model_at(kind, each["loc"][:-1])))
            message = _unknown_key_message(str(each["loc"][-1]), keys)
        elif each["type"] == "string_type":
            message = _no_text_message(each["input"])
        elif each["type"] == "string_pattern_mismatch":
            message = _pattern_message(each["input"], key_path)
        else:
            message = _MESSAGES.get(each["type"], each["msg"].removeprefix("Value error, "))
            message = re.sub(r"^(Input|String) should", "must", message)
        label = ".".join(_shown_key(part) for part in key_path)
        yield document.problem(key_path, f"{label}: {message}" if label else message)


def _fields(kind: type[BaseModel]) -> Mapping[str, Any]:
    """Return the types of a model's fields by their keys in a file."""
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def _model_at(kind: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    """Return the model of a value inside another one's value."""
    for part in location:
        if isinstance(part, str):
            kind = next(_models(_fields(kind).get(part)), kind)
    return kind


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  any type
    """Yield the models in a type such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _root_problem(document: Document, name: str) -> Problem:
    """Return the problem of a file whose entries all lie below a key with the file's own name."""
    message = f"the entries stand without this key: remove the line `{name}:` and their indent"
    return document.problem((name,), f"{name}: {message}")


def _unknown_key_message(key: str, keys: Sequence[str]) -> str:
    if key == "<<":
        instead = "name the other entry as base" if "base" in keys else "write the keys out"
        return f"merge keys are not used here: {instead}"
    return f"unknown key{suggestion(key, keys)}"


def _no_text_message(value: object) -> str:
    """Return the problem of a value that must be text; YAML 1.1 reads `no` and `1.10` otherwise."""
    names: dict[type[object], str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        dt.date: "a date",
        dt.datetime: "a time",
    }
    if name := names.get(type(value)):
        return f"must be text, and YAML reads this as {name}: put it in quotes"
    return "must be text"


def _shown_key(part: str | int) -> str:
    text = str(part)
    return text if re.fullmatch(r"[A-Za-z0-9._<>/-]{1,80}", text) else quoted(text)


def _pattern_message(value: str, key_path: KeyPath) -> str:
    key = next((part for part in reversed(key_path) if isinstance(part, str)), "")
    if key == "buildtags":
        form = f"{TAG_PREFIX}.<kind>.<name>"
        return f"{quoted(value)} is no build tag of the form {form}{_tag_suggestion(value)}"
    return f"{quoted(value)} is not {_FORMS.get(key, 'of the expected form')}"


def _tag_suggestion(value: str) -> str:
    """Suggest a malformed build tag with prefix and kind corrected; empty where that is none."""
    parts = value.split(".")
    kinds = difflib.get_close_matches(parts[1] if len(parts) > 1 else "", KINDS, n=1)
    tag = ".".join((TAG_PREFIX, *kinds, *parts[2:])).lower().replace("-", "_")
    return f"; perhaps you meant {tag}?" if re.match(BUILD_TAG, tag) else ""
