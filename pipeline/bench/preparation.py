"""Decide how a layer is run: the command of each extension, the configs, or why it is not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.bench.collector import (
    bench_config,
    bench_config_notes,
    components_missing_for_tags,
    moved_config,
    otlp_exporter,
    read_config,
)
from pipeline.bench.environment.machine import HOST, Machine, free_ports, has_sandbox_name
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.layer import CONFIG, EXTENSIONS, BenchLayer, extension_architecture
from pipeline.bench.result import (
    Measured,
    Result,
    Status,
    figures,
    manifest_start,
    over_start_budget,
)
from pipeline.build.compile import Compiler
from pipeline.config.budgets import Budget
from pipeline.config.folder import Config
from pipeline.files import output_errors

# File names of the configs: for measuring, the layer's own, the user's.
MEASURING, OWN, USER = "bench.yaml", "own.yaml", "user.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Seconds that each phase may take; Lambda's own limits, except `invoke` and `freeze`.

    Attributes:
        init: until each extension has asked for its first event.
        shutdown: until each extension has ended after SHUTDOWN.
        invoke: the function's timeout.
        freeze: how long the environment is frozen between invocations.
    """

    init: float = 10.0
    shutdown: float = 2.0
    invoke: float = 10.0
    freeze: float = 0.02


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """The user's options for a run of the bench.

    Attributes:
        zips: the layers; if there are several, their starts alternate.
        config: the distributions and custom components.
        against: a layer to compare with, whose budget is not checked.
        starts: cold starts of each layer.
        invocations: in each start.
        collector_config: a collector's config that each layer must accept.
        environment: the function's own variables.
        limits: how long each phase may take.
        reference: a compiled reference extension.
        compiler: compiles the reference if none is given; None to compare with none.
    """

    zips: tuple[Path, ...]
    config: Config
    against: Path | None = None
    starts: int = 5
    invocations: int = 10
    collector_config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Limits = field(default_factory=Limits)
    reference: Path | None = None
    compiler: Compiler | None = None


@dataclass(frozen=True, kw_only=True)
class BenchContext:
    """A run of the bench, as all its layers share it.

    Attributes:
        request: the user's options.
        machine: where the layers are run.
        target: the addresses that layers export to: `http` and `grpc`.
        scratch: a folder for configs.
        user_config: the content of the request's `collector_config`; None if there is none.
        has_sandbox_name: see `extension_environment`.
    """

    request: BenchRequest
    machine: Machine
    target: Mapping[str, str]
    scratch: Path
    user_config: Mapping[str, Any] | None = None
    has_sandbox_name: bool = field(default_factory=has_sandbox_name)


@dataclass(frozen=True, kw_only=True)
class StartPlan:
    """How a layer is started.

    Attributes:
        name: the zip's, for messages.
        root: the folder in which the layer is unpacked.
        commands: each extension's command, by the name of its file.
        config: path of the collector's config.
        listens: addresses of the layer's OTLP receiver, by protocol; empty to send it nothing.
        environment: the function's own variables.
        has_sandbox_name: see `extension_environment`.
    """

    name: str
    root: Path
    commands: Mapping[str, tuple[str, ...]]
    config: Path
    listens: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    has_sandbox_name: bool = False

    def with_config(self, name: str) -> StartPlan:
        """Return the plan that only starts the layer with another config of the same folder."""
        return replace(self, config=self.config.with_name(name), listens={})


@dataclass(kw_only=True)
class Trial:
    """A layer on the bench, with what is known of it so far.

    Attributes:
        label: the layer's name in this run.
        budget: its distribution's; None if there is none, or it is not to be checked.
        plan: how it is started; None if it cannot be.
        emulated: True if it runs under qemu.
        skipped: why it is not run; empty if it is.
        fault: the first fault that was found.
        own_config: the content of the collector config in the layer; None if it has none.
        starts: the figures of its cold starts.
        reference: those of the reference extension beside them.
        notes: sentences for the user.
    """

    label: str
    layer: BenchLayer
    budget: Budget | None = None
    plan: StartPlan | None = None
    emulated: bool = False
    skipped: str = ""
    fault: FaultError | None = None
    own_config: Mapping[str, Any] | None = None
    starts: list[Measured] = field(default_factory=list[Measured])
    reference: list[Measured] = field(default_factory=list[Measured])
    notes: list[str] = field(default_factory=list[str])

    @property
    def active_plan(self) -> StartPlan | None:
        """The plan; None if there is none or a fault was found."""
        return None if self.fault else self.plan

    @property
    def over_budget(self) -> tuple[str, ...]:
        """A sentence for each limit of the budget that its starts so far are over."""
        return over_start_budget(self.budget, self.result().start)

    def result(self) -> Result:
        """Return the result so far."""
        opened, own, reference = self.layer.opened, figures(self.starts), figures(self.reference)
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
            start=None if self.emulated else manifest_start(own, reference),
            notes=tuple(self.notes),
        )


def prepare(trial: Trial, root: Path, context: BenchContext) -> None:
    """Add to a trial how its layer is started, or why it is not, and write the configs for it.

    Args:
        trial: of the layer.
        root: the folder in which the layer is unpacked.
        context: of the run.

    Raises:
        UsageError: the collector config in the layer is none.
        OutputError: a config cannot be written.
    """
    layer, request = trial.layer, context.request
    try:
        commands = _commands(trial, root, context.machine)
    except FaultError as fault:
        trial.fault = fault
        return
    custom = request.config.components
    if missing := components_missing_for_tags(layer.tags, layer.components, custom):
        details = tuple(map(str, missing))
        trial.fault = FaultError(Fault.MISSING_TAGGED_COMPONENTS, layer.path.name, details)
    if trial.fault or trial.skipped:
        return
    grpc, http = free_ports(2)
    listens = {"grpc": f"{HOST}:{grpc}", "http": f"{HOST}:{http}"}
    if layer.config:
        trial.own_config = read_config(layer.config, f"{layer.path.name}: {CONFIG}")
    trial.notes += bench_config_notes(trial.own_config or {}, layer.components)
    trial.emulated = context.machine.emulated or any(len(each) > 1 for each in commands.values())
    trial.plan = StartPlan(
        name=layer.path.name,
        root=root,
        commands=commands,
        config=_written_config(trial, listens, context),
        listens=listens if otlp_exporter(layer.components) else {},
        environment=request.environment,
        has_sandbox_name=context.has_sandbox_name,
    )


def _commands(trial: Trial, root: Path, machine: Machine) -> dict[str, tuple[str, ...]]:
    """Return the command of each extension; note in the trial why one cannot run here."""
    layer, commands = trial.layer, dict[str, tuple[str, ...]]()
    for entry in layer.extensions:
        name = f"{layer.path.name}: {entry.name}"
        architecture = extension_architecture(name, entry, layer.claimed)
        emulator = machine.emulator(architecture) if architecture else ""
        obstacle = machine.obstacle(architecture) if architecture else ""
        trial.skipped = trial.skipped or obstacle
        command = (*filter(None, (emulator,)), str(root / entry.name))
        commands[entry.name.removeprefix(EXTENSIONS)] = command
    return commands


def _written_config(trial: Trial, listens: Mapping[str, str], context: BenchContext) -> Path:
    """Write the configs of a layer; return the path of the one for measuring."""
    own = trial.own_config
    folder = context.scratch / trial.label.replace("/", "-")
    measuring = bench_config(own or {}, trial.layer.components, listens, context.target)
    with output_errors(folder):
        folder.mkdir()
        (folder / MEASURING).write_text(measuring, encoding="utf-8")
        for name, content in ((OWN, own), (USER, context.user_config)):
            if content is not None:
                (folder / name).write_text(moved_config(content, listens), encoding="utf-8")
    return folder / MEASURING
