"""The temporary copy on which `occ` runs, and the files that it wrote there.

occ ends with exit code 0 also where it did something else than asked. So each run is followed by a
look at all files of the copy; the caller compares what was written with what it expected.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline import process
from pipeline.errors import GitOpsError, OutputError, ToolchainError
from pipeline.files import output_errors, write_tree
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.occ import Occ
from pipeline.gitops.occ_layout import (
    SKIPPED_FOLDERS,
    OccLayout,
    path_in_copy,
    path_in_repository,
)
from pipeline.gitops.repository import Resource, read_repository

_SEPARATOR = re.compile(r"^---$", re.MULTILINE)
_INDEX = ".occ"
_ROOT, _HOME, _INPUTS = "root", "home", "inputs"
# Folders for temporary files, beside the usual one.
_OTHER_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108  a folder of its own is made there


@dataclass(kw_only=True)
class OccCopy:
    """A copy of a namespace, and occ's HOME beside it.

    Attributes:
        namespace: the resources that were copied.
        folder: the temporary folder.
        occ: the program.
        files: content of the copy's files as it is known, by path.
        origins: the resource of each file that was copied, by the path there.
    """

    namespace: Namespace
    folder: Path
    occ: Occ
    files: dict[str, bytes] = field(repr=False)
    origins: dict[str, Resource] = field(repr=False)

    @property
    def root(self) -> Path:
        """The folder that occ takes for the repository."""
        return self.folder / _ROOT

    @property
    def inputs(self) -> Path:
        """A folder for files that occ reads, outside of the repository."""
        return self.folder / _INPUTS

    async def run(self, *arguments: str) -> tuple[str, str]:
        """Run occ in file-system mode; gives its standard output and error.

        Raises:
            GitOpsError: it ended with another exit code than 0.
            ToolchainError: it cannot be run.
        """
        argv = (str(self.occ.program), *arguments)
        mode = ("--mode", "file-system", "--root-dir", str(self.root))
        environment = {"HOME": str(self.folder / _HOME), "PATH": os.defpath}
        try:
            code, output, errors = await process.read_output(
                (*argv, *mode), cwd=self.root, env=environment
            )
        except OSError as error:
            raise ToolchainError(
                f"{self.occ.program} cannot be run: {error.strerror or error}",
                hint=f"delete {self.occ.program.parent}, then run the same command again",
            ) from error
        shutil.rmtree(self.root / _INDEX, ignore_errors=True)
        text = self._shown(output.decode(errors="replace"))
        errors = self._shown(errors)
        if code:
            lines = tuple(line for line in errors.splitlines() if line.strip())
            raise GitOpsError(
                f"occ {' '.join(arguments[:2])} failed",
                hint="nothing was written; do what these lines say, then run the same command "
                "again",
                details=lines[-20:],
            )
        return text, errors

    def written(self) -> dict[str, Resource]:
        """Return the resources of the files that occ wrote since the last look, by path.

        Raises:
            GitOpsError: it removed a file, or wrote one that is no resource of the namespace.
        """
        present = {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }
        changed = {path: text for path, text in present.items() if self.files.get(path) != text}
        if missing := self.files.keys() - present.keys():
            raise self.unexpected(f"it removed {', '.join(map(self._origin, sorted(missing)))}")
        self.files = present
        found = read_repository(changed).resources
        if {each.path for each in found} != changed.keys() or not all(e.alone for e in found):
            raise self.unexpected(f"it wrote {', '.join(map(self._origin, sorted(changed)))}")
        return {each.path: each for each in found}

    def put(self, path: str, content: bytes) -> None:
        """Replace a file of the copy before the next run."""
        self.files[path] = content
        write_tree(self.root, {path: content})

    def unexpected(self, reason: str) -> GitOpsError:
        """Return the error for an occ that did something else than it was asked."""
        return GitOpsError(
            f"occ {self.occ.version} did something else than asked: {reason}",
            hint="nothing was written; report this with the files of the component",
        )

    def destination(self, path: str) -> str:
        """Return the repository's path for a file that occ wrote."""
        return self.origins[path].path if path in self.origins else path_in_repository(path)

    def output_path(self, path: str) -> str:
        """Return a path of the repository as occ is to get it."""
        return str(self.root / path_in_copy(path))

    def _origin(self, path: str) -> str:
        return self.origins[path].file if path in self.origins else path_in_repository(path)

    def _shown(self, text: str) -> str:
        """Return occ's messages with the repository's paths."""
        if str(self.root) not in text:
            return text
        for path in sorted(self.origins, key=len, reverse=True):
            text = text.replace(str(self.root / path), self._origin(path))
        return text.replace(f"{self.root}/", "")


def shown_resources(shown: str) -> tuple[Resource, ...]:
    """Return the resources in the output of a dry run; occ's own messages stand before each."""
    documents = [part.partition("apiVersion:") for part in _SEPARATOR.split(shown)]
    text = "---\n".join(f"{key}{rest}" for _message, key, rest in documents if key)
    return read_repository({"dry-run.yaml": text.encode()}).resources


@contextmanager
def occ_copy(namespace: Namespace, layout: OccLayout, occ: Occ) -> Generator[OccCopy]:
    """Make a copy that goes with the block.

    Raises:
        OutputError: it cannot be written.
    """
    beside = neutral_folder()
    with output_errors(beside):
        made = tempfile.TemporaryDirectory(prefix="ocelot-occ-", dir=beside)
    with made as name:
        folder = Path(name).resolve()
        write_tree(folder / _ROOT, layout.files)
        write_tree(folder / _HOME, {".openchoreo/config": occ_config(namespace.name)})
        (folder / _INPUTS).mkdir()
        yield OccCopy(
            namespace=namespace,
            folder=folder,
            occ=occ,
            files=dict(layout.files),
            origins=dict(layout.origins),
        )


def occ_config(namespace: str) -> bytes:
    """Return occ's own configuration, with a context of a namespace; it takes it from no option.

    https://github.com/openchoreo/openchoreo/blob/v1.2.3/internal/occ/cmd/config/types.go
    """
    context = {
        "name": "ocelot",
        "controlplane": "ocelot",
        "credentials": "ocelot",
        "namespace": namespace,
    }
    return json.dumps(
        {
            "currentContext": "ocelot",
            "controlplanes": [{"name": "ocelot", "url": "http://localhost"}],
            "credentials": [{"name": "ocelot"}],
            "contexts": [context],
        }
    ).encode()


def neutral_folder() -> Path:
    """Return a folder for temporary files in whose path occ finds resources.

    Raises:
        OutputError: there is none.
    """
    for each in (tempfile.gettempdir(), *_OTHER_FOLDERS):
        folder = Path(each).resolve()
        skipped = SKIPPED_FOLDERS | {".git", ".ocg", ".terraform"}
        if not skipped & set(PurePosixPath(folder).parts) and os.access(folder, os.W_OK):
            return folder
    raise OutputError(
        f"occ finds no resources below {tempfile.gettempdir()}",
        hint="set TMPDIR to a folder whose path has none of: " + ", ".join(sorted(SKIPPED_FOLDERS)),
    )
