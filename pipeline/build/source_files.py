"""The files of an upstream repository that a build can need, from a tar or from a folder.

These are `collector/` with all that its links lead to inside the repository, and the folders beside
it by which its go.mod replaces modules. A file is named by its path from `collector/`, as Go names
it: `main.go`, `../shared/go.mod`.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from pipeline import files
from pipeline.build.modules import replaced_folders
from pipeline.errors import UpstreamError
from pipeline.files import Tree

FOLDER = "collector"

# Why the files of such a folder are left out.
SUBMODULE = "a git submodule"

_MOST_LINKS = 40  # in one path, as on Linux


class RepositoryFiles(Protocol):
    """The files of a repository at one commit, or of a folder without git."""

    def real(self, path: str) -> str:
        """Return the absolute path to which a path in the repository leads through its links.

        It is empty if that is nothing, or nothing of the repository.
        """
        ...

    def names(self, real: str) -> Iterable[str] | None:
        """Return the names in a folder; None for what is no folder."""
        ...

    def is_submodule(self, real: str) -> bool:
        """Return True for a submodule's folder, which a repository has without its files."""
        ...

    def content(self, real: str) -> bytes | None:
        """Return the content of a file; None for what is no file."""
        ...


def build_files(repository: RepositoryFiles) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files that a build can need, and what is left out of them, with the reason.

    Returns:
        Content by path from `collector/`, sorted; notes for people.
    """
    content, left_out = _files_below(repository, FOLDER)
    for folder in beside(replaced_folders(content.get("go.mod", b""))):
        more, also = _files_below(repository, posixpath.normpath(f"{FOLDER}/{folder}"))
        content |= more
        left_out += also
    return dict(sorted(content.items())), tuple(dict.fromkeys(left_out))


def beside(paths: Iterable[str]) -> list[str]:
    """Return those paths from `collector/` that lead out of it, sorted."""
    return sorted(each for each in paths if each == ".." or each.startswith("../"))


def repository_tree(tree: Tree) -> dict[str, bytes]:
    """Return a build's files by their paths in the repository, such as collector/main.go."""
    return {posixpath.normpath(f"{FOLDER}/{name}"): content for name, content in tree.items()}


def from_collector(path: str) -> str:
    """Return a path in the repository as one from `collector/`.

    Raises:
        UpstreamError: it leads out of the repository.
    """
    return posixpath.relpath(files.safe_path(path), FOLDER)


def _files_below(repository: RepositoryFiles, root: str) -> tuple[dict[str, bytes], list[str]]:
    """The files below a folder of the repository, links followed; and what is left out."""
    content: dict[str, bytes] = {}
    left_out: list[str] = []
    start = repository.real(root)
    folders: list[tuple[str, tuple[str, ...]]] = []
    if start and repository.names(start) is not None:
        folders.append((root, (start,)))
    while folders:
        folder, around = folders.pop()
        for name in sorted(repository.names(around[-1]) or ()):
            path = posixpath.normpath(posixpath.join(folder, name))
            real = repository.real(path)
            if why := name_problem(path) or _link_problem(real, around):
                left_out.append(left_out_note(path, why))
            elif (file := repository.content(real)) is not None:
                content[from_collector(path)] = file
            elif repository.is_submodule(real):
                left_out.append(left_out_note(path, SUBMODULE))
            elif repository.names(real) is not None:
                folders.append((path, (*around, real)))
            else:
                left_out.append(left_out_note(path, "it is neither a file nor a folder"))
    return content, left_out


def name_problem(path: str) -> str:
    """Return why a build cannot have a file of this name; empty if it can."""
    if "\\" in path:
        return "a backslash in its name"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return ""


def _link_problem(real: str, around: tuple[str, ...]) -> str:
    """Why a link is not followed; empty if it is, and for what is no link."""
    if not real:
        return "it leads to no file of the repository"
    if any(f"{each}/".startswith(f"{real.rstrip('/')}/") for each in around):
        return "it leads to a folder around it"
    return ""


def left_out_note(path: str, why: str) -> str:
    """Return a path that is in no build with the reason, in characters that can be printed."""
    return f"{path.encode(errors='backslashreplace').decode()} ({why})"


class TarFiles:
    """The files in a tar of a commit; see `RepositoryFiles`."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members: Mapping[str, tarfile.TarInfo] = {f"/{each.name}": each for each in archive}
        self._names: dict[str, list[str]] = {"/": []}
        for path, member in self._members.items():
            folder, name = posixpath.split(path)
            self._names.setdefault(folder, []).append(name)
            if member.isdir():
                self._names.setdefault(path, [])

    def real(self, path: str) -> str:
        """See `RepositoryFiles.real`."""
        real, parts, links = "/", path.split("/")[::-1], 0
        while parts:
            part = parts.pop()
            if part == ".." and real == "/":
                return ""
            real = posixpath.normpath(posixpath.join(real, part))
            member = self._members.get(real)
            if member is None and real != "/":
                return ""
            if member and member.issym():
                links += 1
                if links > _MOST_LINKS or member.linkname.startswith("/"):
                    return ""
                parts += member.linkname.split("/")[::-1]
                real = posixpath.dirname(real)
        return real

    def names(self, real: str) -> Iterable[str] | None:
        """See `RepositoryFiles.names`."""
        return self._names.get(real)

    def is_submodule(self, real: str) -> bool:
        """See `RepositoryFiles.is_submodule`; git stores no other empty folders."""
        return self._names.get(real) == []

    def content(self, real: str) -> bytes | None:
        """See `RepositoryFiles.content`."""
        member = self._members.get(real)
        stream = self._archive.extractfile(member) if member and member.isreg() else None
        return stream.read() if stream else None


class FolderFiles:
    """The files in a folder of this machine; see `RepositoryFiles`.

    Its `collector` may be a link to a folder elsewhere.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roots = tuple(map(os.path.realpath, (folder, folder / FOLDER)))

    def real(self, path: str) -> str:
        """See `RepositoryFiles.real`."""
        real = Path(os.path.realpath(self._folder / path))
        inside = any(real.is_relative_to(each) for each in self._roots)
        return str(real) if inside and real.exists() else ""

    def names(self, real: str) -> Iterable[str] | None:
        """See `RepositoryFiles.names`.

        Raises:
            UpstreamError: the folder cannot be read.
        """
        try:
            return [each.name for each in Path(real).iterdir() if each.name != ".git"]
        except NotADirectoryError:
            return None
        except OSError as error:
            raise UpstreamError(
                f"{real} cannot be read: {error.strerror}",
                hint="upstream's folders must be ones that you may read",
            ) from error

    def is_submodule(self, real: str) -> bool:
        """See `RepositoryFiles.is_submodule`; here a submodule is a folder like any other."""
        del real
        return False

    def content(self, real: str) -> bytes | None:
        """See `RepositoryFiles.content`.

        Raises:
            UsageError: the file cannot be read.
        """
        if not Path(real).is_file():
            return None
        return files.read_file(Path(real), "upstream's files must be ones that you may read")
