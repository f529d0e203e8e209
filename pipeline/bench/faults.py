"""The faults that a layer can have on the bench, each with a hint. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import cast

from pipeline.errors import BenchError

_LINES = 12
_PANICS = ("panic:", "fatal error:")


class Fault(StrEnum):
    """The kinds of failure."""

    NEVER_REGISTERS = "never registers"
    EXITS_AT_ONCE = "exits at once"
    PANICS = "panics"
    PORT_TAKEN = "finds a port taken on this machine"
    REFUSES_CONFIG = "refuses its config"
    MISSING_COMPONENTS = "lacks components"
    IGNORES_SETTINGS = "ignores settings of the config"
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
    MISSING_TAGGED_COMPONENTS = "lacks components of its build tags"
    OVER_BUDGET = "takes more than its budget to start"
    DELIVERS_LATE = "delivers telemetry after its invocation"


_HINTS = {
    Fault.NEVER_REGISTERS: "let it POST /2020-01-01/extension/register with its file's name in "
    "Lambda-Extension-Name, within Lambda's 10 seconds for init",
    Fault.EXITS_AT_ONCE: "read its last lines above; Lambda would restart it at every invocation",
    Fault.PANICS: "read the panic above: its stack names the component that fails",
    Fault.PORT_TAKEN: "end the program that listens there and run the bench again: the layer did "
    "not cause this",
    Fault.REFUSES_CONFIG: "fix the config, or build a distribution that has what it uses",
    Fault.MISSING_COMPONENTS: "build a distribution that has them (`ocelot components` lists all), "
    "or take them out of the config",
    Fault.IGNORES_SETTINGS: "take them out of the config, or build without the tuning",
    Fault.HANGS_IN_INIT: "let it ask for event/next within Lambda's 10 seconds for init; it may "
    "wait for a server that it cannot reach",
    Fault.HANGS_IN_INVOKE: "let it ask for event/next when it has handled an invocation; otherwise "
    "the function runs into its timeout",
    Fault.EXITS_IN_INVOKE: "read its last lines above; every invocation would fail",
    Fault.IGNORES_SHUTDOWN: "let it end within 2 seconds of SHUTDOWN; Lambda kills it after that",
    Fault.LOSES_DATA: "check the exporter, its queue and its retries",
    Fault.LOSES_LAST_BATCH: "let it flush at SHUTDOWN what the last invocation left",
    Fault.WRITES_TO_LAYER: "write to /tmp: /opt is read-only in Lambda",
    Fault.WRONG_ARCHITECTURE: "build it for the layer's architecture: `ocelot build -a`",
    Fault.NOT_EXECUTABLE: "set its mode in the zip to 0755",
    Fault.NO_ELF: "put a Linux binary, or a script that begins with #!, into extensions/",
    Fault.MISSING_TAGGED_COMPONENTS: "check that the overlay or components.yaml registers them, "
    "then build again: `ocelot inspect` lists the components of a layer",
    Fault.DELIVERS_LATE: "take `batch` out of its config's pipelines and make `decouple` the last "
    "processor of each, or lower `delivered` in config/budgets.yaml",
    Fault.OVER_BUDGET: "compare with an earlier zip by `ocelot bench --against` and leave "
    "components out, or raise the budget in config/budgets.yaml",
}


class FaultError(BenchError):
    """A layer, or one of its extensions, fails.

    Attributes:
        fault: the kind of failure.
        reason: the extension's own error in one line; empty if it reported and printed nothing.
    """

    def __init__(
        self, fault: Fault, name: str, details: Sequence[str] = (), *, reason: str = ""
    ) -> None:
        super().__init__(f"{name} {fault}", hint=_HINTS[fault], details=tuple(details))
        self.fault = fault
        self.reason = " ".join(reason.split())


def last_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines that an extension printed; of a panic, the first."""
    panic = next((at for at, line in enumerate(lines) if line.startswith(_PANICS)), None)
    return tuple(lines[panic : panic + _LINES] if panic is not None else lines[-_LINES:])


def logged_error(lines: Sequence[str]) -> str:
    """Return the first line of a panic, or the error in a JSON line; else the last line."""
    for line in lines:
        if line.startswith(_PANICS):
            return line
        try:
            found: object = json.loads(line)
        except ValueError:
            continue
        error = cast("dict[str, object]", found).get("error") if isinstance(found, dict) else None
        if isinstance(error, str) and error:
            return error
    return next(reversed(lines), "")


def init_fault(lines: Sequence[str], *, layer: str, registered: bool, error: str) -> Fault:
    """Return the fault of an extension that ended in the init phase.

    Args:
        lines: what it printed.
        layer: the folder in which the layer is unpacked.
        registered: True if it had registered.
        error: the error that it reported to the Extensions API.
    """
    if any("address already in use" in line for line in (*lines, error)):
        return Fault.PORT_TAKEN
    if any(line.startswith(_PANICS) for line in lines):
        return Fault.PANICS
    refused = ("permission denied", "read-only file system")
    if any(layer in line and word in line.lower() for line in lines for word in refused):
        return Fault.WRITES_TO_LAYER
    return Fault.REFUSES_CONFIG if registered or error else Fault.EXITS_AT_ONCE
