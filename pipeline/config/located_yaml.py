"""YAML read safely, with the line of every key and value.

PyYAML's composer gives nodes with marks; this module turns them into plain data and a table of
lines. Duplicate keys, aliases that grow without bound and tags that make objects are problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import yaml

from pipeline.errors import Problem, quoted
from pipeline.files import read_regular

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 100_000
MAX_NODES = 10_000
MAX_DEPTH = 50

KeyPath = tuple[str | int, ...]  # the keys and indexes that lead to a value


@dataclass(frozen=True, kw_only=True)
class Document:
    """One parsed file.

    Attributes:
        name: the file's name in messages.
        data: mappings, lists and scalars; None where the file could not be read.
        lines: of the values, from 1, by paths of keys such as `("minimal", "buildtags", 0)`.
        texts: of the scalars that YAML reads as something else than text, as they are written.
        problems: those of the file as YAML.
    """

    name: str
    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int])
    texts: Mapping[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    problems: tuple[Problem, ...] = ()

    @property
    def mapping(self) -> dict[str, Any]:
        """The data if it is a mapping, else an empty mapping."""
        data: object = self.data
        return cast("dict[str, Any]", data) if isinstance(data, dict) else {}

    def problem(self, key_path: KeyPath, message: str) -> Problem:
        """Return a problem in the line of a path of keys."""
        return Problem(file=self.name, line=self.line(key_path), message=message)

    def line(self, key_path: KeyPath) -> int:
        """Return the line of a path of keys, or of the nearest path above that has a line."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return self.lines.get(key_path, 0)


class _TooLargeError(Exception):
    pass


class _Reader:
    """Turns one document's nodes into data, and collects lines and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self.texts: dict[KeyPath, str] = {}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.scalars = yaml.SafeLoader("")

    def add_problem(self, node: yaml.Node, message: str) -> None:
        self.problems.append(
            Problem(file=self.name, line=node.start_mark.line + 1, message=message)
        )

    def read(self, node: yaml.Node, key_path: KeyPath) -> Any:  # noqa: ANN401  YAML holds anything
        self.nodes += 1
        if self.nodes > MAX_NODES or len(key_path) > MAX_DEPTH:
            raise _TooLargeError
        self.lines.setdefault(key_path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            self.check_tag(node, "map")
            return self.read_mapping(node, key_path)
        if isinstance(node, yaml.SequenceNode):
            self.check_tag(node, "seq")
            return self.read_sequence(node, key_path)
        value = self.read_scalar(node)
        if not isinstance(value, str):
            self.texts[key_path] = str(node.value)
        return value

    def check_tag(self, node: yaml.CollectionNode, expected: str) -> None:
        """Report a tag such as !!python/object, which PyYAML refuses only in a scalar."""
        if node.tag != f"tag:yaml.org,2002:{expected}":
            self.add_problem(node, f"value cannot be used: tag {quoted(node.tag)}")

    def read_sequence(self, node: yaml.SequenceNode, key_path: KeyPath) -> list[Any]:
        return [self.read(item, (*key_path, at)) for at, item in enumerate(node.value)]

    def read_mapping(self, node: yaml.MappingNode, key_path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.add_problem(key_node, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in result:
                first = self.lines[(*key_path, key)]
                self.add_problem(
                    key_node, f"duplicate key {quoted(key)}, already given in line {first}"
                )
                continue
            self.lines[(*key_path, key)] = key_node.start_mark.line + 1
            result[key] = self.read(value_node, (*key_path, key))
        return result

    def read_scalar(self, node: yaml.Node) -> Any:  # noqa: ANN401
        try:
            # SafeLoader knows only YAML's own scalars: a tag such as !!python/name is an error.
            value = self.scalars.construct_object(node)  # pyright: ignore[reportUnknownMemberType]
        # PyYAML's constructors of numbers, booleans and times raise these for malformed text.
        except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
            reason = getattr(error, "problem", None) or str(error)
            self.add_problem(node, f"value cannot be used: {reason}")
            return None
        if isinstance(value, (list, dict, set)):
            self.add_problem(node, f"value cannot be used: tag {quoted(node.tag)}")
            return None
        return value


def read_document(path: Path, name: str) -> Document:
    """Read a YAML file; all that is wrong with it is in the result's `problems`.

    Args:
        path: the file.
        name: the file's name in messages.
    """
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        return _broken(name, 0, f"cannot be read: {error.strerror or error}")
    return parse_document(raw, name)


def parse_document(raw: bytes, name: str) -> Document:
    """Parse YAML text; see `read_document`."""
    reader = _Reader(name)
    try:
        node = yaml.compose(raw.decode("utf-8"), Loader=yaml.SafeLoader)
        data = reader.read(node, ()) if node else None
    except UnicodeDecodeError:
        return _broken(name, 0, "is not UTF-8 text")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        return _broken(name, line, f"not YAML: {error.problem}")
    except yaml.YAMLError as error:
        return _broken(name, 0, f"not YAML: {str(error).splitlines()[0]}")
    except (_TooLargeError, RecursionError):
        limits = f"{MAX_NODES:,} values or {MAX_DEPTH} levels"
        return _broken(name, 0, f"has more than {limits}, with its aliases resolved")
    return Document(
        name=name,
        data=data,
        lines=reader.lines,
        texts=reader.texts,
        problems=tuple(reader.problems),
    )


def _broken(name: str, line: int, message: str) -> Document:
    problem = Problem(file=name, line=line, message=message)
    return Document(name=name, data=None, problems=(problem,))
