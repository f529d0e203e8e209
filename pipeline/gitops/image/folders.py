"""The source at a commit, as the builds read it: files and folders that stay inside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import GitOpsError, quoted
from pipeline.files import read_file


@dataclass(frozen=True)
class SourceFolder:
    """A checkout of the source.

    Attributes:
        root: the repository's root folder.
    """

    root: Path

    def has_file(self, path: str) -> bool:
        """Return True for a regular file, or a link to one inside the source."""
        found = self._resolved(path)
        return found is not None and found.is_file()

    def text(self, path: str) -> str:
        """Return the text of a file, without a byte order mark; other encodings are replaced."""
        content = read_file(self.root / path, "make it readable")
        return content.decode("utf-8-sig", errors="replace")

    def file(self, path: str, kind: str, hint: str) -> str:
        """Return the path of a file if there is one.

        Args:
            path: from the repository's root.
            kind: of what the file is, for the error.
            hint: for the error.

        Raises:
            GitOpsError: there is none, or it is a link that leads out of the source.
        """
        if not self.has_file(path):
            raise GitOpsError(f"the source has no {kind} {quoted(path)}", hint=hint)
        return path

    def folder(self, path: str, kind: str, hint: str) -> str:
        """Return the path of a folder if there is one; arguments and errors as of `file`."""
        found = self._resolved(path)
        if found is None or not found.is_dir():
            raise GitOpsError(f"the source has no {kind} {quoted(path)}", hint=hint)
        return path

    def _resolved(self, path: str) -> Path | None:
        """Return the real path; None if it leads out of the source or cannot be resolved."""
        try:
            found = (self.root / path).resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return found if found.is_relative_to(self.root.resolve()) else None
