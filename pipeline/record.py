"""Records: what ocelot writes to JSON and TOML files and reads back. Their fields are checked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """A record, or a part of one: it never changes, and takes no field that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def field_problems(error: ValidationError) -> tuple[str, ...]:
    """Return a line for each wrong field: the field's path, then the problem."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(
        ": ".join(filter(None, (".".join(str(part) for part in each["loc"]), each["msg"])))
        for each in found
    )
