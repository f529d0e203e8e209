"""Keep a layer within its distribution's budget; where it is over, show what grew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config.budgets import Budget
from pipeline.errors import LimitError, UsageError
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import open_layer
from pipeline.layer.limits import megabytes
from pipeline.layer.sizes import BinarySizes, size_changes

_SHOWN = 10
_SHOWN_BYTES = 1024**2 // 10  # one step of the last digit that `megabytes` shows


def check_budget(
    budget: Budget | None, file: str, content: bytes, *, unzipped: int, modules: int, last: Path
) -> None:
    """Compare a layer with its budget.

    Args:
        budget: the distribution's.
        file: name of the zip.
        content: the zip.
        unzipped: bytes of its files.
        modules: Go modules in its binary, without the main one.
        last: path of the last build's zip, if there was one.

    Raises:
        LimitError: it is over; with the modules that grew most, or the largest.
    """
    over = over_budget(budget, zip_size=len(content), unzipped=unzipped, modules=modules)
    if over:
        raise LimitError(
            f"{file} is over the budget of its distribution",
            hint="leave components out, or raise the budget in config/budgets.yaml; "
            "`ocelot inspect --sizes` tells what takes the bytes",
            details=(*over, *_growth(file, content, last)),
        )


def over_budget(
    budget: Budget | None, *, zip_size: int, unzipped: int, modules: int
) -> tuple[str, ...]:
    """A sentence for each limit that a layer is over; none where it has no budget.

    Args:
        budget: the distribution's.
        zip_size: bytes of the zip.
        unzipped: bytes of its files.
        modules: Go modules in its binary, the main one aside.
    """
    return tuple(_sentences(budget, zip_size, unzipped, modules)) if budget else ()


def _sentences(budget: Budget, zip_size: int, unzipped: int, modules: int) -> Iterator[str]:
    for what, size, most in (
        ("zip", zip_size, budget.zip),
        ("unzipped", unzipped, budget.unzipped),
    ):
        if most is not None and size > most:
            yield f"{what}: {_bytes_over(size, most)}"
    if budget.modules is not None and modules > budget.modules:
        more = modules - budget.modules
        yield f"modules: {modules} is {more} over the budget of {budget.modules}"


def _bytes_over(size: int, most: int) -> str:
    """In MiB where those show the difference, else in bytes."""
    if size - most >= _SHOWN_BYTES:
        values = (megabytes(size), megabytes(size - most), megabytes(most))
    else:
        values = (f"{size:,} bytes", f"{size - most:,}", f"{most:,}")
    return "{} is {} over the budget of {}".format(*values)


def _growth(file: str, content: bytes, last: Path) -> tuple[str, ...]:
    """What grew since the last build, largest first; without one, what is largest."""
    new = _ledger(content, file)
    try:
        old = _ledger(last.read_bytes(), last.name)
    except (OSError, UsageError):
        largest = sorted(new.modules, key=lambda each: each.size, reverse=True)[:_SHOWN]
        return tuple(f"largest: {each.module} {each.size:,} bytes" for each in largest)
    changes = size_changes(old, new)[:_SHOWN]
    told = tuple(
        f"since the last build: {name} {before:,} -> {now:,} bytes" for name, before, now in changes
    )
    return told or ("since the last build nothing changed",)


def _ledger(content: bytes, file: str) -> BinarySizes:
    return inspect_layer(open_layer(content, file=file)).sizes
