"""Where tombstones are stored: in the registry, or in a folder without one. They block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipeline.errors import ReapError
from pipeline.files import LARGEST_RECORD, read_regular, write_atomic
from pipeline.naming import LayerArn
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.tombstone import Tombstone, tombstone_of_text


class Tombstones(Protocol):
    """Stores tombstones; several threads may use it. A `Registry` is one."""

    def row(self, arn: LayerArn) -> Row | ForeignRow | Tombstone | None:
        """Return the row or tombstone of a layer version; None for neither."""
        ...

    def bury(self, tombstone: Tombstone, before: Row | Tombstone | None) -> bool:
        """Write a tombstone, in place of the row or tombstone if there is one.

        Args:
            tombstone: of a layer version that is about to be deleted.
            before: its row or tombstone as it was read; None for none.

        Returns:
            True if there is a tombstone now, maybe one of another run; False if the row has changed
            since it was read, and was left alone.
        """
        ...

    def put(self, row: Row) -> object:
        """Write a row again in place of its tombstone: the layer version was not deleted."""
        ...

    def note_restored(self, arn: LayerArn, restored_as: LayerArn) -> bool:
        """Write into a tombstone which layer version has its content now; False for none."""
        ...


@dataclass(frozen=True)
class FolderTombstones:
    """A folder of tombstones, a JSON file for each, where there is no registry.

    Every method raises a `ReapError` that names the file if a tombstone is damaged.

    Attributes:
        folder: made when the first tombstone is written.
    """

    folder: Path

    def path(self, arn: LayerArn) -> Path:
        """Return the file of a tombstone, whose name every file system accepts."""
        parts = [arn.region, arn.account, arn.name, str(arn.version)]
        if arn.name != arn.name.lower():  # not every file system tells upper from lower case
            parts.append(hashlib.sha256(arn.name.encode()).hexdigest()[:8])
        return self.folder / f"{'.'.join(parts)}.json"

    def row(self, arn: LayerArn) -> Tombstone | None:
        """Return the tombstone of a layer version; None for none."""
        path = self.path(arn)
        found = _tombstone(path) if path.exists() else None
        if found and found.arn != arn:
            raise _damaged(path, f"it is of {found.arn}")
        return found

    def bury(self, tombstone: Tombstone, before: Row | Tombstone | None) -> bool:
        """Write a tombstone, unless another run has written one; see `Tombstones.bury`."""
        present = self.row(tombstone.arn)
        if present is None or present == before:
            write_atomic(self.path(tombstone.arn), tombstone.text().encode())
        return True

    def put(self, row: Row) -> None:
        """Remove the tombstone of a layer version that was not deleted."""
        self.path(row.arn).unlink(missing_ok=True)

    def note_restored(self, arn: LayerArn, restored_as: LayerArn) -> bool:
        """Write into a tombstone which layer version has its content now; False for none."""
        present = self.row(arn)
        if present:
            now = replace(present, restored_as=str(restored_as))
            write_atomic(self.path(arn), now.text().encode())
        return present is not None

    def all(self) -> Iterator[Tombstone]:
        """Yield every tombstone in the folder."""
        for path in sorted(self.folder.glob("[!.]*.json")):
            yield _tombstone(path)


def _tombstone(path: Path) -> Tombstone:
    """Return the tombstone of a file.

    Raises:
        ReapError: it cannot be read, or is damaged.
    """
    try:
        found = tombstone_of_text(read_regular(path, LARGEST_RECORD).decode())
    except OSError as error:
        raise _damaged(path, f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is no text") from error
    if isinstance(found, ForeignRow):
        raise _damaged(path, found.reason)
    return found


def _damaged(path: Path, reason: str) -> ReapError:
    return ReapError(
        f"{path} is no tombstone that can be used: {reason}",
        hint="take the last good one from a backup or from version control, or move the file away",
    )
