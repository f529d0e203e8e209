"""The bench from end to end: `ocelot bench` and the gate before publishing call this."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import progress
from pipeline.bench.cold_start import cold_start
from pipeline.bench.collector import (
    components_missing_for_config,
    distributions_with,
    needs_credentials,
    otlp_exporter,
    read_config,
)
from pipeline.bench.environment.machine import this_machine
from pipeline.bench.environment.sandbox import FunctionProcess, function_process, unpacked
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.layer import read_layer
from pipeline.bench.preparation import (
    OWN,
    USER,
    BenchContext,
    BenchRequest,
    StartPlan,
    Trial,
    prepare,
)
from pipeline.bench.reference import NAME, compiled_reference, reference_plan
from pipeline.bench.result import Measured, Result, labels
from pipeline.bench.telemetry.receiver import OtlpReceiver, otlp_receiver
from pipeline.errors import ToolchainError
from pipeline.files import read_file

# A layer over its budget is started until it has this many starts: a few may be outliers.
_STARTS_OVER_BUDGET = 15


async def bench(request: BenchRequest) -> tuple[Result, ...]:
    """Run layers and measure them; their starts alternate.

    Raises:
        UsageError: a zip or config cannot be read.
        BenchError: the bench itself cannot run.
    """
    trials = _trials(request)
    given = request.collector_config
    user = _user_config(given) if given else None
    with_grpc = any(otlp_exporter(each.layer.components) == "otlp" for each in trials)
    with ExitStack() as folders:
        scratch = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="ocelot-bench-")))
        async with otlp_receiver(with_grpc=with_grpc) as receiver:
            context = BenchContext(
                request=request,
                machine=this_machine(),
                target=receiver.endpoints,
                scratch=scratch,
                user_config=user,
            )
            for trial in trials:
                with progress.step(trial.label, "unpack") as step:
                    root = folders.enter_context(unpacked(trial.layer.opened.entries))
                    prepare(trial, root, context)
                    step.result = "skipped" if trial.skipped else step.result
            if any(each.active_plan for each in trials):
                reference = await _reference(context)
                async with function_process() as function:
                    await _Bench(context, function, receiver, reference).run(trials)
    return tuple(each.result() for each in trials)


def _trials(request: BenchRequest) -> list[Trial]:
    """Read the layers; the one to compare with is last."""
    zips = (*request.zips, *([request.against] if request.against else []))
    trials = [
        Trial(label=label, layer=read_layer(path))
        for label, path in zip(labels(zips), zips, strict=True)
    ]
    for trial in trials[: len(request.zips)]:
        trial.budget = request.config.budget(trial.layer.distribution)
    return trials


def _user_config(path: Path) -> dict[str, Any]:
    content = read_file(path, "name a collector's config")
    return read_config(content, "the collector config given")


async def _reference(context: BenchContext) -> StartPlan | None:
    """Return how the reference is started; None if there is none, with a note why."""
    request, machine = context.request, context.machine
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
    return reference_plan(binary, context.scratch / NAME)


@dataclass(frozen=True)
class _Bench:
    """Starts the layers of a run.

    Attributes:
        context: of the run.
        function: sends telemetry to the layers.
        receiver: the layers export to it.
        reference: how the reference is started; None if there is none.
        reference_starts: its figures, shared by all layers.
    """

    context: BenchContext
    function: FunctionProcess
    receiver: OtlpReceiver
    reference: StartPlan | None
    reference_starts: list[Measured] = field(default_factory=list[Measured])

    async def run(self, trials: Sequence[Trial]) -> None:
        """Try the configs of each layer, then measure its starts, then check its budget."""
        for each in trials:
            if plan := each.active_plan:
                with progress.step(each.label, "its own config"):
                    await self._try_own_config(each, plan)
                    await self._try_user_config(each, plan)
            if not each.emulated:
                each.reference = self.reference_starts
        starts = self.context.request.starts
        for number in range(starts):
            await self._start_each(trials, f"start {number + 1} of {starts}")
        for number in range(starts, _STARTS_OVER_BUDGET):
            if over := [each for each in trials if each.active_plan and each.over_budget]:
                title = f"start {number + 1} of {_STARTS_OVER_BUDGET}: it is over its budget so far"
                await self._start_each(over, title)
        for each in trials:
            _check_budget(each)

    async def _start_each(self, trials: Sequence[Trial], title: str) -> None:
        """Start the reference once, then each layer once."""
        if self.reference:
            outcome = await self._start_only(self.reference)
            if isinstance(outcome, FaultError):
                raise outcome
            self.reference_starts.append(outcome)
        for each in trials:
            if plan := each.active_plan:
                with progress.step(each.label, title) as step:
                    await self._measure(each, plan)
                    step.result = "failed" if each.fault else "passed"

    async def _measure(self, trial: Trial, plan: StartPlan) -> None:
        """Start a layer once, with invocations; note its figures or its fault."""
        outcome = await cold_start(
            plan,
            self.context.request.invocations,
            function=self.function,
            receiver=self.receiver,
            limits=self.context.request.limits,
        )
        if isinstance(outcome, Measured):
            trial.starts.append(outcome)
        else:
            trial.fault = outcome

    async def _start_only(self, plan: StartPlan) -> Measured | FaultError:
        return await cold_start(plan, 0, limits=self.context.request.limits)

    async def _try_own_config(self, trial: Trial, plan: StartPlan) -> None:
        """Note whether the layer starts with its own config; no fault: a function may bring one."""
        own = trial.own_config
        if own is None:
            return
        if missing := components_missing_for_config(own, trial.layer.components):
            names = ", ".join(str(each) for each in missing)
            trial.notes.append(f"its own config.yaml does not start: the layer has no {names}")
        elif fetched := needs_credentials(own):
            trial.notes.append(f"its own config.yaml was not started: {fetched} takes credentials")
        else:
            outcome = await self._start_only(plan.with_config(OWN))
            if isinstance(outcome, FaultError):
                last = outcome.details[-1] if outcome.details else str(outcome)
                trial.notes.append(f"its own config.yaml does not start here: {last}")

    async def _try_user_config(self, trial: Trial, plan: StartPlan) -> None:
        """Check that the layer starts with the user's config."""
        user, request = self.context.user_config, self.context.request
        if user is None:
            return
        outcome = await self._start_only(plan.with_config(USER))
        if isinstance(outcome, Measured):
            trial.notes.append("the config given is accepted")
            return
        details: list[str] = []
        for each in components_missing_for_config(user, trial.layer.components):
            names = ", ".join(distributions_with(each, request.config))
            details.append(f"{each}: {f'in {names}' if names else 'in no distribution'}")
        lacks = FaultError(Fault.MISSING_COMPONENTS, trial.layer.path.name, details)
        trial.fault = lacks if details else outcome


def _check_budget(trial: Trial) -> None:
    budget = trial.budget
    if not trial.active_plan or not budget or not budget.limits_starts:
        return
    if over := trial.over_budget:
        trial.fault = FaultError(Fault.OVER_BUDGET, trial.layer.path.name, over)
    elif not trial.reference:
        why = "it ran under qemu" if trial.emulated else "there is no reference"
        trial.notes.append(f"its budget for the start was not checked: {why}")
