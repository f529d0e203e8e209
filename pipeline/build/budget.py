"""Keep a layer within its distribution's budget; where it is over, tell what grew."""

from __future__ import annotations

from pathlib import Path

from pipeline.build.store import StoredLayer
from pipeline.errors import LimitError, UsageError
from pipeline.model import Budget
from pipeline.supply.budgets import over_budget
from pipeline.supply.inspection import inspect_layer
from pipeline.supply.layerfile import open_layer
from pipeline.supply.sizes import Ledger, movers

_SHOWN = 10


def check_budget(budget: Budget | None, file: str, layer: StoredLayer, last: Path) -> None:
    """Compare a layer with its budget.

    Args:
        budget: the distribution's.
        file: name of the zip.
        layer: the zip.
        last: where the last build's zip lies, if there was one.

    Raises:
        LimitError: it is over; with the modules that grew most, or the largest.
    """
    over = over_budget(
        budget,
        zip_size=len(layer.content),
        unzipped=layer.unzipped_size,
        modules=len(layer.contents.modules),
    )
    if over:
        raise LimitError(
            f"{file} is over the budget of its distribution",
            hint="leave components out, or raise the budget in config/budgets.yaml; "
            "`ocelot inspect --sizes` tells what takes the bytes",
            details=(*over, *_growth(file, layer.content, last)),
        )


def _growth(file: str, content: bytes, last: Path) -> tuple[str, ...]:
    """What grew since the last build, largest first; without one, what is largest."""
    new = _ledger(content, file)
    try:
        old = _ledger(last.read_bytes(), last.name)
    except (OSError, UsageError):
        largest = sorted(new.modules, key=lambda each: each.size, reverse=True)[:_SHOWN]
        return tuple(f"largest: {each.module} {each.size:,} bytes" for each in largest)
    changes = movers(old, new)[:_SHOWN]
    told = tuple(
        f"since the last build: {name} {before:,} -> {now:,} bytes" for name, before, now in changes
    )
    return told or ("since the last build nothing changed",)


def _ledger(content: bytes, file: str) -> Ledger:
    return inspect_layer(open_layer(content, file=file)).ledger
