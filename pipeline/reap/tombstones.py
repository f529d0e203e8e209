"""Where tombstones are stored: in the registry, or in a folder without one. They block."""

from __future__ import annotations

from typing import Protocol

from pipeline.naming import LayerArn
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.tombstone import Tombstone


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

    def note_restored(self, arn: LayerArn, restored_as: LayerArn) -> bool:
        """Write into a tombstone which layer version has its content now; False for none."""
        ...
