"""A component's `workload.yaml`, which its developers keep beside its source."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.files import Tree


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A workload descriptor that was checked.

    Attributes:
        name: of its file in `files`.
        files: the descriptor, and the files that it names, by path from its folder.
    """

    name: str
    files: Tree = field(repr=False)
