"""The files of `config/` that go into a layer: overlay, tuning files and collector configs.

They are read so that the same commit gives the same bytes in every checkout: text has LF line ends,
whatever git wrote (core.autocrlf), and files that file managers leave in folders do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.build.source_files import left_out_note, name_problem
from pipeline.config.entries import shown
from pipeline.errors import ConfigError, Problem
from pipeline.files import Tree, read_file, text_with_lf

# Files that macOS and Windows write into a folder that is looked at.
_OF_FILE_MANAGERS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, kw_only=True)
class ConfigFiles:
    """The files below a folder of the configuration.

    Attributes:
        files: content by path below the folder.
        left_out: what is there and cannot be part of a build, each with the reason.
    """

    files: Tree = field(repr=False)
    left_out: tuple[str, ...] = ()


def read_config_files(folder: Path) -> ConfigFiles:
    """Return the files below a folder of the configuration; none where there is no folder.

    Raises:
        ConfigError: a link leads out of the folder.
        UsageError: a file cannot be read.
    """
    content: dict[str, bytes] = {}
    left_out: list[str] = []
    for path in _below(folder):
        name = path.relative_to(folder).as_posix()
        if why := name_problem(name) or _problem(path, folder):
            left_out.append(left_out_note(f"{folder.name}/{name}", why))
        else:
            content[name] = read_config_file(path)
    return ConfigFiles(files=dict(sorted(content.items())), left_out=tuple(left_out))


def read_config_file(path: Path) -> bytes:
    """Return a file's content; text with LF line ends.

    Raises:
        UsageError: it cannot be read.
    """
    return text_with_lf(read_file(path, "check its permissions"))


def _below(folder: Path) -> Iterator[Path]:
    """All that lies below a folder, but no folders other than links to some."""
    for base, folders, names in os.walk(folder):
        folders.sort()
        links = (name for name in folders if Path(base, name).is_symlink())
        yield from (Path(base, name) for name in sorted({*names, *links} - _OF_FILE_MANAGERS))


def _problem(path: Path, folder: Path) -> str:
    """Return why a build cannot have what lies at a path; empty if it can."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        message = f"is a link out of {folder.name}/: copy the file instead"
        place = f"{shown(path.parent)}/{path.name}"
        raise ConfigError((Problem(file=place, line=0, message=message),))
    if path.is_dir():
        return "a link to a folder: copy the folder instead"
    if not path.is_file():
        return "a link that leads nowhere" if path.is_symlink() else "no regular file"
    return ""
