"""The bench from end to end: what `ocelot bench`, the gate and their Dagger twin call."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from pipeline import progress
from pipeline.bench.budget import over_start_budget, start_of
from pipeline.bench.collector_config import needs_credentials
from pipeline.bench.components import holders, missing_components
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.figures import Figures, figures
from pipeline.bench.here import emulators, has_sandbox_name, machine
from pipeline.bench.machine import own_architecture
from pipeline.bench.opt import Layer, labels, read_layer, unpacked
from pipeline.bench.otlp import Endpoint, endpoint
from pipeline.bench.reference import NAME, compiled_reference
from pipeline.bench.sandbox import Function, function
from pipeline.bench.start import Limits, Measured, Subject, cold_start
from pipeline.bench.subject import (
    Place,
    Prepared,
    Wishes,
    inspected,
    prepared,
    reference_subject,
)
from pipeline.bench.verdicts import Status, Verdict
from pipeline.build.compile import Compiler
from pipeline.config import Config
from pipeline.errors import ToolchainError, UsageError
from pipeline.model import Architecture, Budget

# A layer that is over its budget is started up to this often: a few starts may be bad luck.
_SURE = 15


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for.

    Attributes:
        zips: the layers; with several, their starts alternate.
        against: another one, for comparison, whose budget is nobody's business here.
        config: tells what distributions and custom components there are.
        starts: cold starts of each.
        invocations: in each start.
        collector_config: a collector's config of the user's, which must be accepted.
        environment: variables of the function's own.
        limits: how long things may take.
        reference: a compiled reference extension.
        compiler: what compiles the reference where none is given; None to do without.
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
class Result(Verdict):
    """What came of a layer, with all that was measured.

    Attributes:
        distribution: the one that it is said to be of; empty where nothing names it.
        emulated: whether it ran under qemu, so that its figures say little.
        figures: of its starts; None where there are none.
        reference: the figures of the reference in the same run; None where it was not measured.
    """

    size: int
    unzipped_size: int
    architecture: Architecture | None
    distribution: str = ""
    emulated: bool = False
    figures: Figures | None = None
    reference: Figures | None = None


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """The reference while it is measured."""

    subject: Subject
    measured: list[Measured] = field(default_factory=list[Measured])

    async def start(self, limits: Limits) -> None:
        """Start it once.

        Raises:
            BenchError: it does not run as it should.
        """
        outcome = await cold_start(self.subject, 0, limits=limits)
        if isinstance(outcome, FaultError):
            raise outcome
        self.measured.append(outcome)


@dataclass
class _Trial:
    """A layer while it is tried.

    Attributes:
        label: what it is called in this run.
        budget: its distribution's; None where it has none, or that is not to be checked.
    """

    label: str
    layer: Layer
    prepared: Prepared
    budget: Budget | None
    _: KW_ONLY
    reference: _Reference | None = None
    measured: list[Measured] = field(default_factory=list[Measured])
    fault: FaultError | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def goes_on(self) -> bool:
        return self.fault is None and not self.prepared.skipped

    @property
    def subject(self) -> Subject:
        assert self.prepared.subject is not None  # noqa: S101  or it would not go on
        return self.prepared.subject

    @property
    def over_budget(self) -> tuple[str, ...]:
        """What it takes above its distribution's budget; nothing where that cannot be told."""
        return over_start_budget(self.budget, self.result().start)

    def result(self) -> Result:
        opened = self.layer.opened
        skipped = self.prepared.skipped
        status = Status.SKIPPED if skipped else Status.PASSED
        own = figures(self.measured)
        reference = figures(self.reference.measured) if self.reference else None
        return Result(
            path=self.layer.path,
            sha256=opened.sha256,
            size=opened.size,
            unzipped_size=opened.unzipped_size,
            architecture=self.prepared.architecture,
            distribution=self.prepared.distribution,
            status=Status.FAILED if self.fault else status,
            emulated=self.prepared.emulated,
            reason=skipped,
            fault=self.fault,
            figures=own,
            reference=reference,
            start=None if self.prepared.emulated else start_of(own, reference),
            notes=(*self.prepared.notes, *self.notes),
        )


async def bench(request: Request) -> tuple[Result, ...]:
    """Try layers and measure them, one start of each after the other.

    Raises:
        UsageError: a zip or config cannot be read.
        BenchError: the bench itself cannot run.
    """
    zips = (*request.zips, *([request.against] if request.against else []))
    layers = [read_layer(path) for path in zips]
    found = [inspected(layer) for layer in layers]
    wishes = Wishes(
        config=request.config,
        collector_config=_read_user(request.collector_config),
        environment=request.environment,
    )
    by_grpc = any(each.exports_by_grpc for each in found)
    with ExitStack() as folders:
        scratch = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="ocelot-bench-")))
        async with endpoint(with_grpc=by_grpc) as target:
            place = _here(target)
            trials: list[_Trial] = []
            names = labels(zips)
            for number, (layer, inside) in enumerate(zip(layers, found, strict=True)):
                with progress.step(names[number], "unpack") as step:
                    root, own = folders.enter_context(unpacked(layer)), scratch / str(number)
                    ready = prepared(layer, inside, root, own, place=place, wishes=wishes)
                    step.result = "skipped" if ready.skipped else step.result
                is_own = number < len(request.zips)
                budget = request.config.budget(ready.distribution) if is_own else None
                trials.append(_Trial(names[number], layer, ready, budget, fault=ready.fault))
            if any(each.goes_on for each in trials):
                reference = await _reference(request, scratch / NAME)
                async with function() as sender:
                    await _Bench(request, sender, target, reference).run(trials)
    return tuple(each.result() for each in trials)


async def _reference(request: Request, folder: Path) -> _Reference | None:
    """The reference for this machine; None where there is none, which is told."""
    own = own_architecture(machine())
    if request.reference:
        binary = _read(request.reference, "name a compiled reference extension")
    elif request.compiler and own:
        try:
            with progress.step(NAME, "compile"):
                binary = await compiled_reference(own, request.compiler)
        except ToolchainError as error:
            progress.note(f"nothing is compared with the reference: {error}")
            return None
    else:
        return None
    return _Reference(subject=reference_subject(binary, folder))


def _read_user(path: Path | None) -> bytes | None:
    return _read(path, "name a collector's config") if path else None


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def _here(target: Endpoint) -> Place:
    return Place(
        machine=machine(),
        emulators=emulators(),
        has_sandbox_name=has_sandbox_name(),
        http=target.http,
        grpc=target.grpc,
    )


@dataclass(frozen=True)
class _Bench:
    """What all starts share."""

    request: Request
    sender: Function
    target: Endpoint
    reference: _Reference | None

    async def run(self, trials: Sequence[_Trial]) -> None:
        """First what each config comes to, then the starts, in turns."""
        for each in trials:
            if each.goes_on:
                with progress.step(each.label, "its own config"):
                    await self._try_own_config(each)
                    await self._try_user_config(each)
        for each in trials:
            each.reference = None if each.prepared.emulated else self.reference
        starts = self.request.starts
        for number in range(starts):
            await self._take_turns(trials, f"start {number + 1} of {starts}")
        for number in range(starts, _SURE):
            if doubtful := [each for each in trials if each.goes_on and each.over_budget]:
                told = f"start {number + 1} of {_SURE}: it is over its budget so far"
                await self._take_turns(doubtful, told)
        for each in trials:
            self._check_budget(each)

    async def _take_turns(self, trials: Sequence[_Trial], told: str) -> None:
        """One start of the reference, then one of each layer."""
        if self.reference:
            await self.reference.start(self.request.limits)
        for each in trials:
            if each.goes_on:
                with progress.step(each.label, told) as step:
                    await self._start(each)
                    step.result = "failed" if each.fault else "passed"

    def _check_budget(self, trial: _Trial) -> None:
        budget = trial.budget
        if not trial.goes_on or not budget or not budget.limits_starts:
            return
        if over := trial.over_budget:
            trial.fault = FaultError(Fault.OVER_BUDGET, trial.layer.path.name, over)
        elif trial.reference is None:
            why = "it ran under qemu" if trial.prepared.emulated else "there is no reference"
            trial.notes.append(f"its budget for the start was not checked: {why}")

    async def _start(self, trial: _Trial) -> None:
        outcome = await cold_start(
            trial.subject,
            self.request.invocations,
            function=self.sender,
            received=self.target.received,
            limits=self.request.limits,
        )
        if isinstance(outcome, Measured):
            trial.measured.append(outcome)
        else:
            trial.fault = outcome

    async def _try_own_config(self, trial: _Trial) -> None:
        """A function may bring a config of its own, so that this ends in a note."""
        own = trial.prepared.own
        if own is None:
            return
        if missing := missing_components(own.content, trial.prepared.components):
            names = ", ".join(str(each) for each in missing)
            trial.notes.append(f"its own config.yaml does not start: the layer has no {names}")
        elif fetched := needs_credentials(own.content):
            told = f"its own config.yaml was not started: {fetched} takes credentials"
            trial.notes.append(told)
        else:
            outcome = await cold_start(own.subject, 0, limits=self.request.limits)
            if isinstance(outcome, FaultError):
                last = outcome.details[-1] if outcome.details else str(outcome)
                trial.notes.append(f"its own config.yaml does not start here: {last}")

    async def _try_user_config(self, trial: _Trial) -> None:
        user = trial.prepared.user
        if user is None:
            return
        outcome = await cold_start(user.subject, 0, limits=self.request.limits)
        if isinstance(outcome, Measured):
            trial.notes.append("the config given is accepted")
            return
        missing = missing_components(user.content, trial.prepared.components)
        if not missing:
            trial.fault = outcome
            return
        told: list[str] = []
        for each in missing:
            where = ", ".join(holders(each, self.request.config))
            told.append(f"{each}: {f'in {where}' if where else 'in no distribution'}")
        trial.fault = FaultError(Fault.MISSING_COMPONENTS, trial.layer.path.name, told)
