"""What can be wrong with a layer that is tried: what it is, where, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pipeline.errors import BenchError

_LINES = 12


class Fault(StrEnum):
    """The kinds of failure."""

    NEVER_REGISTERS = "never registers"
    EXITS_AT_ONCE = "exits at once"
    PANICS = "panics"
    REFUSES_CONFIG = "refuses its config"
    MISSING_COMPONENTS = "lacks components"
    HANGS_IN_INIT = "hangs in init"
    HANGS_IN_INVOKE = "hangs in an invocation"
    EXITS_IN_INVOKE = "exits in an invocation"
    IGNORES_SHUTDOWN = "ignores SHUTDOWN"
    LOSES_DATA = "loses data"
    LOSES_LAST_BATCH = "loses the last batch"
    WRITES_TO_LAYER = "writes to the read-only layer"
    WRONG_ARCHITECTURE = "is built for another architecture"
    NOT_EXECUTABLE = "is not executable"
    NO_ELF = "is no executable file"
    BREAKS_PROMISE = "lacks components of its build tags"
    OVER_BUDGET = "takes more than its budget to start"


_NEXT = {
    Fault.NEVER_REGISTERS: "it must POST /2020-01-01/extension/register with its file's name in "
    "Lambda-Extension-Name, within Lambda's 10 seconds for init",
    Fault.EXITS_AT_ONCE: "its last words are above; Lambda would restart it with every invocation",
    Fault.PANICS: "the panic is above: a component of the collector fails with this config",
    Fault.REFUSES_CONFIG: "mend the config, or build a distribution with what it uses",
    Fault.MISSING_COMPONENTS: "build a distribution that has them: `ocelot components` lists all",
    Fault.HANGS_IN_INIT: "it must ask for event/next within Lambda's 10 seconds for init; see "
    "what it waits for: Lambda has no network in init but the function's",
    Fault.HANGS_IN_INVOKE: "it must ask for event/next when it is done with an invocation, or the "
    "function runs into its timeout",
    Fault.EXITS_IN_INVOKE: "its last words are above; every invocation would fail",
    Fault.IGNORES_SHUTDOWN: "it must end within 2 seconds of SHUTDOWN, after which Lambda kills it",
    Fault.LOSES_DATA: "what a function sent never arrived: see the exporter, its queue and retries",
    Fault.LOSES_LAST_BATCH: "it must flush on SHUTDOWN what the last invocation left",
    Fault.WRITES_TO_LAYER: "/opt is read-only in Lambda: write to /tmp",
    Fault.WRONG_ARCHITECTURE: "build it for the layer's architecture, by `ocelot build -a`",
    Fault.NOT_EXECUTABLE: "set the mode to 0755 in the zip: Lambda starts nothing else",
    Fault.NO_ELF: "put a Linux binary, or a script that begins with #!, into extensions/",
    Fault.BREAKS_PROMISE: "the overlay or components.yaml does not register them: build it anew "
    "and see `ocelot inspect`",
    Fault.OVER_BUDGET: "`ocelot bench --against` an earlier zip tells what grew; leave components "
    "out, or raise the budget in config/budgets.yaml",
}


class FaultError(BenchError):
    """A layer, or an extension of it, fails.

    Attributes:
        fault: how.
    """

    def __init__(self, fault: Fault, name: str, details: Sequence[str] = ()) -> None:
        super().__init__(f"{name} {fault}", hint=_NEXT[fault], details=tuple(details))
        self.fault = fault


def last_words(lines: Sequence[str]) -> tuple[str, ...]:
    """The end of what an extension printed; of a panic, its beginning."""
    panic = next((at for at, line in enumerate(lines) if line.startswith("panic:")), None)
    return tuple(lines[panic : panic + _LINES] if panic is not None else lines[-_LINES:])


def ended_fault(lines: Sequence[str], *, layer: str, registered: bool, error: str) -> Fault:
    """Why an extension that ended in init did so.

    Args:
        lines: what it printed.
        layer: the folder in which the layer is.
        registered: whether it got so far.
        error: what it reported to the Extensions API.
    """
    if any(line.startswith(("panic:", "fatal error:")) for line in lines):
        return Fault.PANICS
    refused = ("permission denied", "read-only file system")
    if any(layer in line and word in line.lower() for line in lines for word in refused):
        return Fault.WRITES_TO_LAYER
    return Fault.REFUSES_CONFIG if registered or error else Fault.EXITS_AT_ONCE
