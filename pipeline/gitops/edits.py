"""Changes of one value in a YAML file that keep every other byte of it.

`occ` writes files anew, without their comments. Where only an image or a release's name changes,
only its text is replaced: comments, order, quotes, line ends and other documents stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import yaml

from pipeline.errors import GitOpsError, quoted
from pipeline.gitops.repository import SafeLoader, documents

_BOM = "\ufeff"
_NULLS = ("", "~", "null", "Null", "NULL")
# Text that every reader of YAML takes for text without quotes: no number, no boolean, no syntax.
_PLAIN = re.compile(
    r"(?!(y|n|yes|no|on|off|true|false|null)\Z)[a-z][a-z0-9@:/._-]*(?<!:)", re.IGNORECASE
)


def with_scalar(
    content: bytes, document: int, keys: Sequence[str | int], value: str, *, file: str
) -> bytes:
    """Return the content of a YAML file with another text in the place of one value.

    Args:
        content: of the file; it is YAML that can be read.
        document: of the value in the file, counted as `Resource.document` is.
        keys: and indexes that lead to the value.
        value: its new text, on one line.
        file: the file's path, for errors.

    Raises:
        GitOpsError: there is no such value; or it has an anchor, an alias or a tag, so that it
            cannot be replaced without a change elsewhere.
    """
    text = content.decode("utf-8")
    shift = len(_BOM) if text.startswith(_BOM) else 0
    text = text[shift:]
    event = _found(text, document, keys, file)
    start, end = event.start_mark.index, event.end_mark.index
    expected = _changed([data for _line, data in documents(text)], document, keys, value)
    space = "" if text[start - 1 : start].isspace() or start < end else " "  # after a colon
    for each in _spellings(text[start:end], event.style, value):
        changed = f"{text[:start]}{space}{each}{text[end:]}"
        if _reads_as(changed, expected):
            return content[: len(_BOM.encode()) * shift] + changed.encode("utf-8")
    raise _refused(event, keys, file, "cannot be replaced in its place")


def _spellings(old: str, style: str | None, value: str) -> Iterator[str]:
    """Yield the new value's text: in the old one's quotes first."""
    if style in ("|", ">"):  # a block of lines: only its line ends stay
        if "#" in old.splitlines()[0]:
            return
        ending = old[len(old.rstrip()) :]
    else:
        ending = ""
    if style not in ("'", '"') and _PLAIN.fullmatch(value):
        yield f"{value}{ending}"
    if style != '"':
        doubled = value.replace("'", "''")
        yield f"'{doubled}'{ending}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    yield f'"{escaped}"{ending}'


def _changed(
    read: list[object], document: int, keys: Sequence[str | int], value: str
) -> list[object]:
    """Return the documents' data with another value in one place."""
    changed: Any = deepcopy(read)
    target = changed[document]
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    return changed


def _reads_as(text: str, expected: list[object]) -> bool:
    try:
        return [data for _line, data in documents(text)] == expected
    except (yaml.YAMLError, ValueError):
        return False


def _found(text: str, document: int, keys: Sequence[str | int], file: str) -> Any:  # noqa: ANN401
    """Return the event of the scalar that keys lead to."""
    events: Iterator[Any] = iter(yaml.parse(text, Loader=SafeLoader))
    number = -1
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            root = next(events)
            number += not _is_null(root)
            if number == document and not _is_null(root):
                return _descend(root, events, keys, keys, file)
            _skip(root, events)
    raise GitOpsError(
        f"{file}: there is no document {document + 1}", hint="read the repository again"
    )


def _descend(
    event: Any,  # noqa: ANN401  events of PyYAML have no types
    events: Iterator[Any],
    left: Sequence[str | int],
    keys: Sequence[str | int],
    file: str,
) -> Any:  # noqa: ANN401
    """Return the event of the scalar that the keys that are left lead to."""
    if isinstance(event, yaml.AliasEvent):
        raise _refused(event, keys, file, "comes from an alias")
    if event.anchor is not None:
        raise _refused(event, keys, file, "has an anchor, by which others may use it")
    if not left:
        if not isinstance(event, yaml.ScalarEvent):
            raise _refused(event, keys, file, "is not a single value")
        if event.tag is not None:
            raise _refused(event, keys, file, f"has the tag {quoted(str(event.tag))}")
        return event
    for at, child in enumerate(events):
        if isinstance(child, yaml.CollectionEndEvent):
            break
        key: object = at
        value = child
        if isinstance(event, yaml.MappingStartEvent):
            key = child.value if isinstance(child, yaml.ScalarEvent) else None
            _skip(child, events)
            value = next(events)
        if key == left[0]:
            return _descend(value, events, left[1:], keys, file)
        _skip(value, events)
    raise _refused(event, keys, file, "is not written here")


def _is_null(event: Any) -> bool:  # noqa: ANN401
    """Return True for the root of an empty document."""
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value in _NULLS


def _skip(event: Any, events: Iterator[Any]) -> None:  # noqa: ANN401
    """Pass over the rest of a collection."""
    depth = int(isinstance(event, yaml.CollectionStartEvent))
    while depth:
        each = next(events)
        depth += isinstance(each, yaml.CollectionStartEvent)
        depth -= isinstance(each, yaml.CollectionEndEvent)


def _refused(event: Any, keys: Sequence[str | int], file: str, reason: str) -> GitOpsError:  # noqa: ANN401
    name = ".".join(str(key) for key in keys)
    return GitOpsError(
        f"{file}:{event.start_mark.line + 1}: {name} {reason}",
        hint=f"write {name} out in this file, as a value of its own, and push it",
    )
