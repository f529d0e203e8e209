"""Decide how a layer is run: the command of each extension, the configs, or why it is not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.bench.collector import PROBE, CollectorTypes, components_missing_for_tags
from pipeline.bench.collector_config import (
    bench_config,
    bench_config_notes,
    moved_config,
    needs_credentials,
    otlp_exporter,
)
from pipeline.bench.environment.machine import HOST, Machine, free_ports, has_sandbox_name
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.layer import EXTENSIONS, BenchLayer, extension_architecture
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

# File names of the configs: with unknown types, with an invalid queue, for measuring, the layer's
# own, the user's.
UNKNOWN_TYPES, QUEUE, MEASURING = "types.yaml", "queue.yaml", "bench.yaml"
OWN, USER = "own.yaml", "user.yaml"
# The prefix of an own or a user's config on other ports.
MOVED = "moved-"


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
        scratch: a folder for configs.
        user_config: the content of the request's `collector_config`; None if there is none.
        has_sandbox_name: see `extension_environment`.
    """

    request: BenchRequest
    machine: Machine
    scratch: Path
    user_config: bytes | None = None
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
        types: the component types of its collector.
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
    types: CollectorTypes = field(default_factory=CollectorTypes)
    starts: list[Measured] = field(default_factory=list[Measured])
    reference: list[Measured] = field(default_factory=list[Measured])
    notes: list[str] = field(default_factory=list[str])

    @property
    def active_plan(self) -> StartPlan | None:
        """The plan; None if there is none, the layer is not run, or a fault was found."""
        return None if self.fault or self.skipped else self.plan

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
    """Add to a trial how its layer is started with a config of unknown types, or why it is not.

    Args:
        trial: of the layer.
        root: the folder in which the layer is unpacked.
        context: of the run.

    Raises:
        OutputError: a config cannot be written.
    """
    layer, request = trial.layer, context.request
    trial.types = CollectorTypes(found=layer.components)
    try:
        commands = _commands(trial, root, context.machine)
    except FaultError as fault:
        trial.fault = fault
        return
    if trial.skipped:
        check_tags(trial, request.config)
        return
    folder = context.scratch / trial.label.replace("/", "-")
    with output_errors(folder):
        folder.mkdir()
        (folder / UNKNOWN_TYPES).write_text(PROBE, encoding="utf-8")
    trial.emulated = context.machine.emulated or any(len(each) > 1 for each in commands.values())
    trial.plan = StartPlan(
        name=layer.path.name,
        root=root,
        commands=commands,
        config=folder / UNKNOWN_TYPES,
        environment=request.environment,
        has_sandbox_name=context.has_sandbox_name,
    )


def check_tags(trial: Trial, config: Config) -> None:
    """Note the fault if the binary lacks components of its build tags."""
    layer = trial.layer
    if missing := components_missing_for_tags(layer.tags, trial.types, config.components):
        details = tuple(map(str, missing))
        trial.fault = FaultError(Fault.MISSING_TAGGED_COMPONENTS, layer.path.name, details)


def write_configs(
    trial: Trial, plan: StartPlan, user_config: bytes | None, target: Mapping[str, str]
) -> None:
    """Write the configs of a layer whose types are known; add to its plan how it is measured.

    The layer's own config and the user's are written as they are, and once more with other ports.

    Args:
        trial: of the layer.
        plan: of the trial.
        user_config: the content of the user's config; None if there is none.
        target: the addresses that layers export to: `http` and `grpc`.

    Raises:
        OutputError: a config cannot be written.
    """
    own, exports = trial.layer.config, bool(otlp_exporter(trial.types))
    if own and not exports and (fetched := needs_credentials(own, trial.types)):
        trial.skipped = f"it has no exporter for OTLP, and its own config takes {fetched}"
        return
    grpc, http = free_ports(2)
    listens = {"grpc": f"{HOST}:{grpc}", "http": f"{HOST}:{http}"}
    configs = {MEASURING: bench_config(own or b"", trial.types, listens, target)}
    for name, content in ((OWN, own), (USER, user_config)):
        if content is not None:
            configs |= {name: content, f"{MOVED}{name}": moved_config(content)}
    with output_errors(plan.config.parent):
        for name, content in configs.items():
            plan.config.with_name(name).write_bytes(content)
    trial.notes += bench_config_notes(own or b"", trial.types)
    config = plan.config.with_name(MEASURING)
    trial.plan = replace(plan, config=config, listens=listens if exports else {})


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
