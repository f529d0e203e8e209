"""Check that a layer is within its distribution's budget, and list what grew if it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config.budgets import Budget
from pipeline.errors import LimitError, UsageError
from pipeline.files import read_regular
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
        LimitError: it exceeds the budget; the details list what grew most, or the largest modules.
    """
    over = over_budget(budget, zip_size=len(content), unzipped=unzipped, modules=modules)
    if over:
        raise LimitError(
            f"{file} is over the budget of its distribution",
            hint="leave components out, or raise the budget in config/budgets.yaml; "
            "`ocelot inspect --sizes` shows the largest modules",
            details=(*over, *_growth(file, content, last)),
        )


def over_budget(
    budget: Budget | None, *, zip_size: int, unzipped: int, modules: int
) -> tuple[str, ...]:
    """Return a sentence for each limit that a layer exceeds; none where it has no budget.

    Args:
        budget: the distribution's.
        zip_size: bytes of the zip.
        unzipped: bytes of its files.
        modules: Go modules in its binary, without the main one.
    """
    return tuple(_sentences(budget, zip_size, unzipped, modules)) if budget else ()


def _sentences(budget: Budget, zip_size: int, unzipped: int, modules: int) -> Iterator[str]:
    for label, size, most in (
        ("zip", zip_size, budget.zip),
        ("unzipped", unzipped, budget.unzipped),
    ):
        if most is not None and size > most:
            yield f"{label}: {_bytes_over(size, most)}"
    if budget.modules is not None and modules > budget.modules:
        more = modules - budget.modules
        yield f"modules: {modules} is {more} over the budget of {budget.modules}"


def _bytes_over(size: int, most: int) -> str:
    """Return a size and its excess in MiB, or in bytes where MiB would show no difference."""
    if size - most >= _SHOWN_BYTES:
        values = (megabytes(size), megabytes(size - most), megabytes(most))
    else:
        values = (f"{size:,} bytes", f"{size - most:,}", f"{most:,}")
    return "{} is {} over the budget of {}".format(*values)


def _growth(file: str, content: bytes, last: Path) -> tuple[str, ...]:
    """Return the largest changes since the last build; without one, the largest modules."""
    new = _sizes(content, file)
    try:
        old = _sizes(read_regular(last), last.name)
    except (OSError, UsageError):
        largest = sorted(new.modules, key=lambda each: each.size, reverse=True)[:_SHOWN]
        return tuple(f"largest: {each.module} {each.size:,} bytes" for each in largest)
    changes = size_changes(old, new)[:_SHOWN]
    lines = tuple(
        f"since the last build: {name} {before:,} -> {now:,} bytes" for name, before, now in changes
    )
    return lines or ("since the last build nothing changed",)


def _sizes(content: bytes, file: str) -> BinarySizes:
    return inspect_layer(open_layer(content, file=file)).sizes
