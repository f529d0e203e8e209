"""What a layer has above the budget of its distribution. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.build.limits import megabytes
from pipeline.model import Budget

_SHOWN = 1024**2 // 10  # one step of the last digit that `megabytes` shows


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
    if size - most >= _SHOWN:
        values = (megabytes(size), megabytes(size - most), megabytes(most))
    else:
        values = (f"{size:,} bytes", f"{size - most:,}", f"{most:,}")
    return "{} is {} over the budget of {}".format(*values)
