"""The bench from end to end: what `ocelot bench` and the gate before publishing call."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import progress
from pipeline.bench.collector_config import exporter_of, needs_credentials
from pipeline.bench.components import holders, missing_components
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.here import this_machine
from pipeline.bench.machine import Machine
from pipeline.bench.opt import labels, read_layer, unpacked
from pipeline.bench.otlp import Endpoint, endpoint
from pipeline.bench.preparation import OWN, USER, Preparation, Trial, read_file
from pipeline.bench.reference import NAME, compiled_reference, reference_subject
from pipeline.bench.result import Measured, Result
from pipeline.bench.sandbox import Function, function
from pipeline.bench.start import Limits, Subject, cold_start
from pipeline.build.compile import Compiler
from pipeline.config.folder import Config
from pipeline.errors import ToolchainError

# A layer that is over its budget is started up to this often: a few starts may be bad luck.
_SURE = 15


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for.

    Attributes:
        zips: the layers; with several, their starts alternate.
        against: another one, for comparison, whose budget is not checked.
        config: the distributions and custom components.
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


async def bench(request: Request) -> tuple[Result, ...]:
    """Try layers and measure them, one start of each after the other.

    Raises:
        UsageError: a zip or config cannot be read.
        BenchError: the bench itself cannot run.
    """
    zips = (*request.zips, *([request.against] if request.against else []))
    trials = [
        Trial(label=label, layer=read_layer(path))
        for label, path in zip(labels(zips), zips, strict=True)
    ]
    for trial in trials[: len(request.zips)]:
        trial.budget = request.config.budget(trial.layer.distribution)
    given = request.collector_config
    user = read_file(given, "name a collector's config") if given else None
    with_grpc = any(exporter_of(each.layer.components) == "otlp" for each in trials)
    machine = this_machine()
    with ExitStack() as folders:
        scratch = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="ocelot-bench-")))
        async with endpoint(with_grpc=with_grpc) as target:
            preparation = Preparation(
                config=request.config,
                environment=request.environment,
                machine=machine,
                target=target,
                scratch=scratch,
                user=user,
            )
            for trial in trials:
                with progress.step(trial.label, "unpack") as step:
                    preparation.prepare(trial, folders.enter_context(unpacked(trial.layer)))
                    step.result = "skipped" if trial.skipped else step.result
            if any(each.goes_on for each in trials):
                reference = await _reference(request, machine, scratch / NAME)
                async with function() as sender:
                    await _Bench(request, sender, target, reference).run(trials)
    return tuple(each.result() for each in trials)


async def _reference(request: Request, machine: Machine, folder: Path) -> Subject | None:
    """The reference for this machine; None where there is none, which is told."""
    if machine.emulated:
        return None
    if request.reference:
        binary = read_file(request.reference, "name a compiled reference extension")
    elif request.compiler and machine.architecture:
        try:
            with progress.step(NAME, "compile"):
                binary = await compiled_reference(machine.architecture, request.compiler)
        except ToolchainError as error:
            progress.note(f"nothing is compared with the reference: {error}")
            return None
    else:
        return None
    return reference_subject(binary, folder)


@dataclass(frozen=True)
class _Bench:
    """What all starts share."""

    request: Request
    sender: Function
    target: Endpoint
    reference: Subject | None
    measured: list[Measured] = field(default_factory=list[Measured])

    async def run(self, trials: Sequence[Trial]) -> None:
        """First what each config comes to, then the starts, in turns."""
        for each in trials:
            if each.subject and each.goes_on:
                with progress.step(each.label, "its own config"):
                    await self._try_own_config(each, each.subject)
                    await self._try_user_config(each, each.subject)
            if not each.emulated:
                each.reference = self.measured
        starts = self.request.starts
        for number in range(starts):
            await self._take_turns(trials, f"start {number + 1} of {starts}")
        for number in range(starts, _SURE):
            if doubtful := [each for each in trials if each.goes_on and each.over_budget]:
                title = f"start {number + 1} of {_SURE}: it is over its budget so far"
                await self._take_turns(doubtful, title)
        for each in trials:
            self._check_budget(each)

    async def _take_turns(self, trials: Sequence[Trial], title: str) -> None:
        """One start of the reference, then one of each layer."""
        if self.reference:
            outcome = await cold_start(self.reference, 0, limits=self.request.limits)
            if isinstance(outcome, FaultError):
                raise outcome
            self.measured.append(outcome)
        for each in trials:
            if each.subject and each.goes_on:
                with progress.step(each.label, title) as step:
                    await self._start(each, each.subject)
                    step.result = "failed" if each.fault else "passed"

    async def _start(self, trial: Trial, subject: Subject) -> None:
        outcome = await cold_start(
            subject,
            self.request.invocations,
            function=self.sender,
            received=self.target.received,
            limits=self.request.limits,
        )
        if isinstance(outcome, Measured):
            trial.measured.append(outcome)
        else:
            trial.fault = outcome

    def _check_budget(self, trial: Trial) -> None:
        budget = trial.budget
        if not trial.goes_on or not budget or not budget.limits_starts:
            return
        if over := trial.over_budget:
            trial.fault = FaultError(Fault.OVER_BUDGET, trial.layer.path.name, over)
        elif not trial.reference:
            why = "it ran under qemu" if trial.emulated else "there is no reference"
            trial.notes.append(f"its budget for the start was not checked: {why}")

    async def _try_own_config(self, trial: Trial, subject: Subject) -> None:
        """A function may bring a config of its own, so that this ends in a note."""
        if trial.own is None:
            return
        if missing := missing_components(trial.own, trial.layer.components):
            names = ", ".join(str(each) for each in missing)
            trial.notes.append(f"its own config.yaml does not start: the layer has no {names}")
        elif fetched := needs_credentials(trial.own):
            trial.notes.append(f"its own config.yaml was not started: {fetched} takes credentials")
        else:
            outcome = await cold_start(subject.configured(OWN), 0, limits=self.request.limits)
            if isinstance(outcome, FaultError):
                last = outcome.details[-1] if outcome.details else str(outcome)
                trial.notes.append(f"its own config.yaml does not start here: {last}")

    async def _try_user_config(self, trial: Trial, subject: Subject) -> None:
        if trial.user is None:
            return
        outcome = await cold_start(subject.configured(USER), 0, limits=self.request.limits)
        if isinstance(outcome, Measured):
            trial.notes.append("the config given is accepted")
            return
        missing = missing_components(trial.user, trial.layer.components)
        if not missing:
            trial.fault = outcome
            return
        details: list[str] = []
        for each in missing:
            where = ", ".join(holders(each, self.request.config))
            details.append(f"{each}: {f'in {where}' if where else 'in no distribution'}")
        trial.fault = FaultError(Fault.MISSING_COMPONENTS, trial.layer.path.name, details)
