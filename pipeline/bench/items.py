"""What the function sends and what arrives, by the names that all of it carries. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

# The attribute that carries the name.
ATTRIBUTE = "ocelot.item"
SIGNALS = ("traces", "metrics", "logs")
PROTOCOLS = ("grpc", "http")
# Of each signal, by each protocol, in an invocation.
_SPANS, _POINTS, _LOGS = 3, 1, 1
PER_SIGNAL = {"traces": _SPANS, "metrics": _POINTS, "logs": _LOGS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """What was sent and did not arrive.

    Attributes:
        sent: how many items there were.
        lost: the names of those that are missing, sorted.
        only_last: whether each signal lost nothing but what was sent last.
    """

    sent: int
    lost: tuple[str, ...]
    only_last: bool

    def words(self) -> tuple[str, ...]:
        """How much is missing, by signal and protocol."""
        kinds = [name.split("/", 1)[1].rsplit("/", 1)[0] for name in self.lost]
        return tuple(
            f"{kinds.count(kind)} of {kind.replace('/', ' by ')}" for kind in sorted(set(kinds))
        )


def item_names(invocation: int, protocols: Iterable[str], signals: Iterable[str]) -> list[str]:
    """What one invocation sends: `<invocation>/<signal>/<protocol>/<number>`."""
    return [
        f"{invocation}/{signal}/{protocol}/{number}"
        for signal in signals
        for protocol in protocols
        for number in range(PER_SIGNAL[signal])
    ]


def loss(sent: Collection[str], received: Collection[str]) -> Loss | None:
    """What is missing; None where nothing is."""
    missing = sorted(set(sent) - set(received))
    if not missing:
        return None
    last = max(map(_invocation, sent))
    signals = {name.split("/")[1] for name in missing}
    tails = all(_is_tail(missing, signal, last) for signal in signals)
    return Loss(sent=len(sent), lost=tuple(missing), only_last=tails)


def _is_tail(missing: Collection[str], signal: str, last: int) -> bool:
    """Whether a signal lost each invocation from some point on, and not all of them."""
    lost = {_invocation(name) for name in missing if name.split("/")[1] == signal}
    return min(lost) > 0 and lost == set(range(min(lost), last + 1))


def _invocation(name: str) -> int:
    return int(name.partition("/")[0])
