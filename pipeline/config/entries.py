"""Read a file of entries, each a pydantic model; every problem with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.config.located_yaml import Document, KeyPath, read_document
from pipeline.errors import Problem, quoted
from pipeline.naming import ANY_KIND, KINDS, TAG_PREFIX

# Python's `$` also stands before a newline at the end; `\Z` is unknown to editors (ECMAScript).
END = r"$(?!\n)"

BUILD_TAG = rf"^{TAG_PREFIX}\.(custom|all|({ANY_KIND})\.[a-z0-9_]+){END}"
GO_PATH = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
# The first element of a Go module path is a host name: https://go.dev/ref/mod#module-path
_MODULE = rf"^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/{GO_PATH})*"
GO_MODULE = f"{_MODULE}{END}"
GO_VERSION = r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
GO_MODULE_AT_VERSION = rf"{_MODULE}(@{GO_VERSION})?{END}"

Model = TypeVar("Model", bound=BaseModel)


class ConfigModel(BaseModel):
    """Base of all entries: frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, regex_engine="python-re")


@dataclass(frozen=True, kw_only=True)
class Entries(Generic[Model]):
    """The valid entries of a file by name, and the problems of the others."""

    entries: Mapping[str, Model]
    problems: tuple[Problem, ...]


def read_entries(
    document: Document, kind: type[Model], name_pattern: str, what: str
) -> Entries[Model]:
    """Validate a file's entries one by one, so that a bad one does not hide another."""
    if not isinstance(document.data, dict):
        broken = () if document.problems else (document.problem((), "must map names to entries"),)
        return Entries(entries={}, problems=broken)
    entries: dict[str, Model] = {}
    problems: list[Problem] = []
    for name, value in document.mapping.items():
        if not re.match(name_pattern, name):
            problems.append(document.problem((name,), f"{quoted(name)} cannot be {what}"))
            continue
        try:
            entries[name] = kind.model_validate({} if value is None else value)
        except ValidationError as error:
            problems += _problems(error, kind, (name,), document)
    return Entries(entries=entries, problems=tuple(problems))


def read_file(folder: Path, file: str) -> Document:
    """Read a YAML file of the config folder; problems name it as a user would type it."""
    return read_document(folder / file, shown(folder / file))


def read_single(folder: Path, file: str, kind: type[Model]) -> Entries[Model]:
    """A file that is one entry, which a folder need not have: a build works without."""
    if not (folder / file).exists():
        return Entries(entries={}, problems=())
    document = read_file(folder, file)
    try:
        entry = kind.model_validate(document.data)
    except ValidationError as error:
        problems = document.problems or tuple(_problems(error, kind, (), document))
        return Entries(entries={}, problems=problems)
    return Entries(entries={file: entry}, problems=document.problems)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; perhaps you meant x?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; perhaps you meant {near[0]}?" if near else ""


def _problems(
    error: ValidationError, kind: type[BaseModel], entry: KeyPath, document: Document
) -> Iterator[Problem]:
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    for each in error.errors(include_url=False, include_context=False):
        key_path = (*entry, *(part for part in each["loc"] if part != "[key]"))
        label = ".".join(_shown_key(part) for part in key_path)
        if each["type"] == "extra_forbidden":
            unknown = str(each["loc"][-1])
            message = f"{label}: unknown key{suggestion(unknown, keys)}"
        elif each["type"] == "string_pattern_mismatch":
            message = f"{label}: {_pattern_message(each['input'], key_path)}"
        else:
            message = f"{label}: {each['msg'].removeprefix('Value error, ')}"
        yield document.problem(key_path, message)


def _shown_key(part: str | int) -> str:
    text = str(part)
    return text if re.fullmatch(r"[A-Za-z0-9._<>/-]{1,80}", text) else quoted(text)


def _pattern_message(value: str, key_path: KeyPath) -> str:
    key = next((part for part in reversed(key_path) if isinstance(part, str)), "")
    if key == "buildtags":
        form = f"{TAG_PREFIX}.<kind>.<name>"
        return f"{quoted(value)} is no build tag of the form {form}{_perhaps_tag(value)}"
    forms = {
        "module": "a Go module such as example.com/path or example.com/path@v1.2.3",
        "import": "a Go import path such as example.com/module/package",
        "factory": "the name of an exported Go function such as NewFactory",
        "config-file": "a path to a .yaml file below the config folder",
        "base": "a distribution's name",
        "go": "an image by digest such as golang:1.26.6-bookworm@sha256:…",
    }
    return f"{quoted(value)} is not {forms.get(key, 'of the form expected')}"


def _perhaps_tag(value: str) -> str:
    """A build tag like a malformed one, with prefix and kind corrected; empty for none."""
    parts = value.split(".")
    kinds = difflib.get_close_matches(parts[1] if len(parts) > 1 else "", KINDS, n=1)
    meant = ".".join((TAG_PREFIX, *kinds, *parts[2:])).lower().replace("-", "_")
    return f"; perhaps you meant {meant}?" if re.match(BUILD_TAG, meant) else ""


def shown(path: Path) -> str:
    """The path as a user would type it from here."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
