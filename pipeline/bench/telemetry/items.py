"""The items that the function sends, by name, and those that did not arrive. Pure.

An item is a span, a metric point or a log record with the name `<invocation>/<signal>/<protocol>/
<number>` in an attribute.
"""

from __future__ import annotations

from collections.abc import Collection

# The attribute that holds the name.
ATTRIBUTE = "ocelot.item"
# A function sends by one protocol: invocations alternate between these.
PROTOCOLS = ("grpc", "http")
# How many items of each signal an invocation sends.
PER_SIGNAL = {"traces": 6, "metrics": 2, "logs": 2}
SIGNALS = tuple(PER_SIGNAL)


def item_names(invocation: int) -> list[str]:
    """Return the names of all items that one invocation sends."""
    protocol = PROTOCOLS[invocation % len(PROTOCOLS)]
    return [
        f"{invocation}/{signal}/{protocol}/{number}"
        for signal, count in PER_SIGNAL.items()
        for number in range(count)
    ]


def missing_items(sent: Collection[str], received: Collection[str]) -> tuple[str, ...]:
    """Return the names of the items that were sent and did not arrive, sorted."""
    return tuple(sorted(set(sent) - set(received)))


def missing_counts(missing: Collection[str]) -> tuple[str, ...]:
    """Return how many items are missing, by signal and protocol: `3 of traces by grpc`."""
    kinds = [name.split("/", 1)[1].rsplit("/", 1)[0] for name in missing]
    return tuple(
        f"{kinds.count(kind)} of {kind.replace('/', ' by ')}" for kind in sorted(set(kinds))
    )


def is_last_batch(missing: Collection[str], sent: Collection[str]) -> bool:
    """Return True if each signal lost only what was sent last: a batch that was never flushed."""
    last = max(map(_invocation, sent))
    lost: dict[str, set[int]] = {}
    for name in missing:
        lost.setdefault(name.split("/")[1], set()).add(_invocation(name))
    return all(_is_tail(invocations, last) for invocations in lost.values())


def _is_tail(lost: Collection[int], last: int) -> bool:
    """Return True if all invocations from one on are among these, and the first is not."""
    first = min(lost)
    return first > 0 and set(lost) == set(range(first, last + 1))


def _invocation(name: str) -> int:
    return int(name.partition("/")[0])
