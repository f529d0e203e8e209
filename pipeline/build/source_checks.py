"""Checks of upstream's files before anything is compiled: submodules, Git LFS, workspaces. Pure."""

from __future__ import annotations

import posixpath
import re

from pipeline.build.modules import folder_modules
from pipeline.build.source_files import FOLDER, SUBMODULE, left_out_note
from pipeline.build.upstream import Source
from pipeline.config.entries import LFS_POINTER, shown
from pipeline.config.folder import Config
from pipeline.errors import ConfigError, Problem, UpstreamError
from pipeline.files import Tree

# The files that a build reads of itself; another file may be a pointer.
_READ = re.compile(r"(^|/)(go\.mod|go\.sum|[^/]+\.go)$|^config[^/]*\.yaml$")


def check_source(source: Source, overlay: Tree, config: Config) -> None:
    """Refuse sources that lack files which the build needs.

    Raises:
        UpstreamError: a module is in a submodule, or a file is a Git LFS pointer.
        ConfigError: a file of the overlay is a Git LFS pointer.
    """
    tree = {**source.files, **overlay}
    at = f"{source.repository} at {source.ref}"
    for module, folder in folder_modules(tree.get("go.mod", b"")).items():
        path = posixpath.normpath(f"{FOLDER}/{folder}")
        if left_out_note(path, SUBMODULE) in source.left_out:
            raise UpstreamError(
                f"{at} has the module {module} in {path}, which is a git submodule",
                hint="submodules are not fetched: git clone --recurse-submodules, remove .git "
                "from the clone, and give its path with --upstream-repo",
            )
    pointers = [
        name for name in tree if tree[name].startswith(LFS_POINTER.encode()) and _READ.search(name)
    ]
    if ours := [name for name in pointers if name in overlay]:
        message = "is a Git LFS pointer instead of the file"
        places = (shown(config.overlay / each) for each in ours)
        problems = tuple(Problem(file=each, line=0, message=message) for each in places)
        raise ConfigError(problems, hint="run git lfs pull")
    if pointers:
        named = posixpath.normpath(f"{FOLDER}/{pointers[0]}")
        raise UpstreamError(
            f"{named} of {at} is a Git LFS pointer instead of the file",
            hint="Git LFS files are not fetched: run git lfs pull in a clone, remove .git from it, "
            "and give its path with --upstream-repo",
        )


def source_notes(source: Source) -> tuple[str, ...]:
    """Return what the user should know of upstream's files."""
    if "go.work" in source.files:
        return (f"{FOLDER}/go.work is not used: modules are those of go.mod",)
    return ()
