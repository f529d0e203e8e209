"""What there is to start of a layer, decided from its files, and the configs for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.bench.collector_config import BenchConfig, Ports, bench_config, moved, read_config
from pipeline.bench.components import broken_promises
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.here import free_ports, has_sandbox_name
from pipeline.bench.machine import Machine, startable
from pipeline.bench.opt import CONFIG, EXTENSIONS, Layer
from pipeline.bench.otlp import Endpoint
from pipeline.bench.result import Measured, Result, Status, figures, over_start_budget, start_of
from pipeline.bench.start import Subject
from pipeline.config.budgets import Budget
from pipeline.config.folder import Config
from pipeline.errors import UsageError
from pipeline.files import output_errors

# Names of the configs: for measuring, the layer's own, the user's.
MEASURED, OWN, USER = "bench.yaml", "own.yaml", "user.yaml"


@dataclass(kw_only=True)
class Trial:
    """A layer while it is tried.

    Attributes:
        label: what it is called in this run.
        budget: its distribution's; None where it has none, or that is not to be checked.
        subject: what is started to measure it; None where nothing can be.
        emulated: whether it runs under qemu.
        skipped: why it is not tried; empty where it is.
        fault: what is wrong with it.
        own: the content of the layer's own config; None where it has none.
        user: the content of the config that the user gave; None where there is none.
        measured: its starts.
        reference: those of the reference extension beside them.
        notes: what the user should know.
    """

    label: str
    layer: Layer
    budget: Budget | None = None
    subject: Subject | None = None
    emulated: bool = False
    skipped: str = ""
    fault: FaultError | None = None
    own: Mapping[str, Any] | None = None
    user: Mapping[str, Any] | None = None
    measured: list[Measured] = field(default_factory=list[Measured])
    reference: list[Measured] = field(default_factory=list[Measured])
    notes: list[str] = field(default_factory=list[str])

    @property
    def goes_on(self) -> bool:
        """Whether there is something to start, and nothing wrong with it so far."""
        return self.subject is not None and self.fault is None

    @property
    def over_budget(self) -> tuple[str, ...]:
        """What it takes above its distribution's budget; nothing where that is not known."""
        return over_start_budget(self.budget, self.result().start)

    def result(self) -> Result:
        """What came of it so far."""
        opened, own, reference = self.layer.opened, figures(self.measured), figures(self.reference)
        status = Status.SKIPPED if self.skipped else Status.PASSED
        return Result(
            path=self.layer.path,
            sha256=opened.sha256,
            size=opened.size,
            unzipped_size=opened.unzipped_size,
            architecture=self.layer.architecture,
            distribution=self.layer.distribution,
            status=Status.FAILED if self.fault else status,
            reason=self.skipped,
            emulated=self.emulated,
            fault=self.fault,
            figures=own,
            reference=reference,
            start=None if self.emulated else start_of(own, reference),
            notes=tuple(self.notes),
        )


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Makes layers ready to be tried.

    Attributes:
        config: the distributions and custom components.
        environment: variables of the function's own.
        machine: where they are tried.
        target: where they export to.
        scratch: a folder for configs.
        user: a collector's config that must be accepted; None for none.
        has_sandbox_name: see `extension_environment`.
    """

    config: Config
    environment: Mapping[str, str]
    machine: Machine
    target: Endpoint
    scratch: Path
    user: bytes | None
    has_sandbox_name: bool = field(default_factory=has_sandbox_name)

    def prepare(self, trial: Trial, root: Path) -> None:
        """Decide what to start of a layer, and write the configs for it.

        Args:
            trial: of the layer, to which the decision is added.
            root: where the layer is unpacked.

        Raises:
            UsageError: a config is none.
        """
        layer = trial.layer
        try:
            commands = self._commands(trial, root)
        except FaultError as fault:
            trial.fault = fault
            return
        if broken := broken_promises(layer.tags, layer.components, self.config.components):
            details = tuple(map(str, broken))
            trial.fault = FaultError(Fault.BREAKS_PROMISE, layer.path.name, details)
        if trial.fault or trial.skipped:
            return
        grpc, http = free_ports(2)
        ports = Ports(grpc=grpc, http=http)
        folder = self.scratch / trial.label.replace("/", "-")
        measured = self._written(trial, folder, ports)
        trial.notes += measured.notes
        trial.emulated = self.machine.emulated or any(len(each) > 1 for each in commands.values())
        trial.subject = Subject(
            name=layer.path.name,
            root=root,
            commands=commands,
            config=folder / MEASURED,
            ports=ports,
            sends=bool(measured.exporter),
            environment=self.environment,
            has_sandbox_name=self.has_sandbox_name,
        )

    def _commands(self, trial: Trial, root: Path) -> dict[str, tuple[str, ...]]:
        """The command of each extension, after an emulator if need be; why none runs is noted."""
        layer = trial.layer
        found = {
            entry.name: startable(
                f"{layer.path.name}: {entry.name}",
                entry.content,
                entry.mode,
                claimed=layer.claimed,
                machine=self.machine,
            )
            for entry in layer.extensions
        }
        trial.skipped = next(filter(None, (each.lacking for each in found.values())), "")
        return {
            name.removeprefix(EXTENSIONS): (*filter(None, (how.emulator,)), str(root / name))
            for name, how in found.items()
        }

    def _written(self, trial: Trial, folder: Path, ports: Ports) -> BenchConfig:
        """Write the config for measuring, which is handed back, the layer's own and the user's."""
        layer = trial.layer
        own = layer.config
        trial.own = read_config(own, f"{layer.path.name}: {CONFIG}") if own else None
        if self.user is not None:
            trial.user = read_config(self.user, "the collector config given")
        http, grpc = self.target.http, self.target.grpc
        measured = bench_config(trial.own, layer.components, ports, http=http, grpc=grpc)
        with output_errors(folder):
            folder.mkdir()
            (folder / MEASURED).write_text(measured.text, encoding="utf-8")
            for name, content in ((OWN, trial.own), (USER, trial.user)):
                if content is not None:
                    (folder / name).write_text(moved(content, ports), encoding="utf-8")
        return measured


def read_file(path: Path, hint: str) -> bytes:
    """A file that the user named.

    Raises:
        UsageError: it cannot be read; the hint says what to do.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
