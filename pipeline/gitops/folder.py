"""A GitOps repository as a folder of this machine, changed in place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.files import read_file, write_atomic
from pipeline.gitops.changes import Change
from pipeline.gitops.repository import SUFFIXES, GitOpsRepository, read_repository

# git's files, and those that occ leaves behind.
_LEFT_OUT = (".git", ".occ")


def read_folder(root: Path, origin: str = "") -> GitOpsRepository:
    """Return the resources in a folder; no symbolic link is followed.

    Args:
        root: the folder.
        origin: name of a folder that is not the GitOps repository, for messages.

    Raises:
        UsageError: it is no folder, or a file cannot be read.
        GitOpsError: with every file that is broken.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder", hint="give the GitOps repository's folder")
    files: dict[str, bytes] = {}
    links: list[str] = []
    for path in sorted(_paths(root)):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            links.append(name)
        elif name.endswith(SUFFIXES):
            files[name] = read_file(path, "make it readable")
    return read_repository(files, links, origin=origin)


def _paths(root: Path) -> Iterator[Path]:
    """Yield all files and links below a folder."""
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if each not in _LEFT_OUT]
        links = [each for each in folders if Path(folder, each).is_symlink()]
        yield from (Path(folder, each) for each in (*names, *links))


def path_in_folder(root: Path, given: Path) -> str:
    """Return a path of a file or folder in a GitOps repository, from its root.

    Args:
        root: the repository's folder.
        given: the user's path: absolute, or from the root.

    Raises:
        UsageError: it leads out of the folder.
    """
    here = os.path.abspath(root)  # noqa: PTH100  resolve() would follow links
    path = os.path.normpath(Path(here, given))
    if not Path(path).is_relative_to(here):
        raise UsageError(
            f"{quoted(str(given))} is not in {root}", hint="give a path in the GitOps repository"
        )
    return PurePosixPath(path).relative_to(here).as_posix()


def write_changes(root: Path, changes: Iterable[Change]) -> None:
    """Write changed files into a folder.

    Raises:
        GitOpsError: a file is not as it was read; nothing is written then.
        OutputError: a file cannot be written.
    """
    written = [each for each in changes if each.after is not None]
    for each in written:
        path = root / each.path
        present = path.read_bytes() if path.is_file() else None
        if present != each.before or (each.before is None and os.path.lexists(path)):
            raise GitOpsError(
                f"{each.path} has another content than was read, or was not looked for",
                hint="look at that file, then run the same command again",
            )
    for each in written:
        write_atomic(root / each.path, each.after or b"")
