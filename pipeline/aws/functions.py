"""Lambda's functions and the layer versions that they use: listed, and moved to other layers."""

from __future__ import annotations

from dataclasses import dataclass

LATEST = "$LATEST"


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionVersion:
    """A version of a function, and its layers.

    Attributes:
        arn: of the function, without a version.
        version: `$LATEST` or the number of a published version, which never changes.
        layers: ARNs of layer versions, in the function's order; also of other publishers.
    """

    arn: str
    version: str
    layers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.arn.rpartition(":")[2]

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"
