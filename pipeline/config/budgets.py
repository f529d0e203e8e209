"""`config/budgets.yaml`: how large and slow a distribution's layers may be."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, ConfigDict, Field, WithJsonSchema, model_validator

from pipeline.config.distributions import DISTRIBUTION_NAME
from pipeline.config.entries import END, ConfigModel, Entries, read_entries, suggestion

BUDGETS = "budgets.yaml"

# pydantic's ByteSize also accepts bits and other spellings, which a schema cannot describe.
SIZE = rf"^\d{{1,6}}(\.\d{{1,3}})? ?(B|KB|MB|GB|KiB|MiB|GiB){END}"
_MOST_BYTES = 2**40


def _size(value: Any) -> Any:  # noqa: ANN401  it may be anything
    if isinstance(value, str) and re.match(SIZE, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_BYTES:
        return value
    raise ValueError("must be a size such as 14 MiB, or a number of bytes")


Size = Annotated[
    ByteSize,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": SIZE},
                {"type": "integer", "minimum": 0, "maximum": _MOST_BYTES},
            ]
        }
    ),
]


Multiple = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(gt=0, le=1)]


class Budget(ConfigModel):
    """One entry of `config/budgets.yaml`: how large and slow a distribution's layers may be."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    zip: Size | None = Field(
        default=None, description="Most bytes of the zip: 14 MiB, or a number."
    )
    unzipped: Size | None = Field(default=None, description="Most bytes of the files in it.")
    modules: int | None = Field(
        default=None, ge=0, description="Most Go modules in the binary, without the main module."
    )
    dead_code_elimination: Literal["required"] | None = Field(
        default=None,
        alias="dead-code-elimination",
        description="`required`: the linker must be able to drop unused methods.",
    )
    cpu_to_ready: Multiple | None = Field(
        default=None,
        alias="cpu-to-ready",
        description="Most CPU time from exec to ready, as a multiple of the reference extension's.",
    )
    memory_when_ready: Multiple | None = Field(
        default=None,
        alias="memory-when-ready",
        description="Most memory in use when ready, as a multiple of the reference extension's.",
    )
    delivered: Part | None = Field(
        default=None,
        description="Least part of an invocation's spans, metrics and logs that must have arrived "
        "before the layer asks for the next event: 1.0 is all.",
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Budget:
        if not self.model_fields_set:
            names = [each.alias or name for name, each in Budget.model_fields.items()]
            raise ValueError(f"must limit {', '.join(names[:-1])} or {names[-1]}")
        return self

    @property
    def limits_starts(self) -> bool:
        """True if the budget limits CPU time or memory of a start, which need the reference."""
        return (self.cpu_to_ready, self.memory_when_ready) != (None, None)


def read_budgets(folder: Path, distributions: Collection[str]) -> Entries[Budget]:
    """Read budgets.yaml, which a folder need not have.

    Args:
        folder: the config folder.
        distributions: all names in distributions.yaml; none where that file is broken.
    """
    budgets = read_entries(
        folder,
        BUDGETS,
        Budget,
        names=DISTRIBUTION_NAME,
        name_label="a distribution's name",
        optional=True,
    )
    return budgets.with_problems(
        budgets.document.problem(
            (name,), f"{name}: there is no such distribution{suggestion(name, distributions)}"
        )
        for name in budgets.entries
        if distributions and name not in distributions
    )
