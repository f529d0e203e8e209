"""Check that a layer is within its distribution's budget, and name what changed if it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config.budgets import Budget
from pipeline.errors import LimitError, UsageError
from pipeline.files import read_regular
from pipeline.layer.inspection import Inspection, inspect_layer
from pipeline.layer.layerfile import open_layer
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import Layer
from pipeline.layer.sizes import BinarySizes, size_changes

_SHOWN = 10
_SHOWN_BYTES = 1024**2 // 10  # one step of the last digit that `megabytes` shows


def check_budget(
    budget: Budget | None, layer: Layer, content: bytes, *, modules: int, last: Path
) -> None:
    """Compare a layer with its budget.

    Args:
        budget: the distribution's.
        layer: its entry in the manifest.
        content: its zip.
        modules: Go modules in its binary, without the main one.
        last: path of the last build's zip, if there was one.

    Raises:
        LimitError: it exceeds the budget; the details list what grew most, or the largest modules,
            or the functions for which unused methods are kept.
    """
    over = over_budget(budget, zip_size=len(content), unzipped=layer.unzipped_size, modules=modules)
    if budget and budget.dead_code_elimination and not layer.dead_code_elimination:
        raise LimitError(
            f"{layer.file} has unused methods; its budget requires dead-code-elimination",
            hint="`ocelot build --explain-size` shows which components need the functions that "
            "prevent it: leave these out, or change config/budgets.yaml",
            details=(*over, *_kept_for(layer.file, content)),
        )
    if over:
        raise LimitError(
            f"{layer.file} is over the budget of its distribution",
            hint="leave components out, or raise the budget in config/budgets.yaml; "
            "`ocelot inspect --sizes` shows the largest modules",
            details=(*over, *_growth(layer.file, content, last)),
        )


def _kept_for(file: str, content: bytes) -> tuple[str, ...]:
    found = inspect_layer(open_layer(content, file=file)).unused_methods.kept_for
    return tuple(f"unused methods are kept for {each}" for each in found)


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


def lost_elimination(old: Layer, new: Layer, last: Path, content: bytes) -> str:
    """Return a sentence on a layer whose unused methods the linker can no longer drop.

    Args:
        old: the manifest's entry of the last build.
        new: the entry of the new layer.
        last: path of the last build's zip.
        content: the new zip.
    """
    found = inspect_layer(open_layer(content, file=new.file))
    functions = ", ".join(found.unused_methods.kept_for) or "a function that calls methods by name"
    changes = "; ".join(_changes(old, new, last, found)) or "nothing that the manifest has"
    return (
        f"{new.file}: the linker dropped unused methods in the last build and keeps them now, for "
        f"{functions}; changed since then: {changes} (--explain-size shows what needs them)"
    )


def _changes(old: Layer, new: Layer, last: Path, found: Inspection) -> Iterator[str]:
    """Return the changes since the last build that can add functions."""
    try:
        before = inspect_layer(open_layer(read_regular(last), file=last.name)).components
    except (OSError, UsageError):
        before = found.components
    known = {(each.kind, each.name) for each in before}
    added = [
        f"component {each.kind}/{each.name}"
        for each in found.components
        if (each.kind, each.name) not in known
    ]
    tags = [f"build tag {each}" for each in new.build_tags if each not in old.build_tags]
    yield from (f"{each} added" for each in added or tags)
    for name in old.tunings:
        if name not in new.tunings:
            yield f"tuning {name} not applied"
    if old.upstream.commit != new.upstream.commit:
        yield f"upstream {old.upstream.commit[:12]} to {new.upstream.commit[:12]}"
    if old.go.version != new.go.version:
        yield f"Go {old.go.version} to {new.go.version}"
