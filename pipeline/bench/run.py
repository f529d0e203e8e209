"""The bench from end to end: `ocelot bench` and the gate before publishing call this."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import paths, progress
from pipeline.bench.cold_start import cold_start
from pipeline.bench.collector import (
    CollectorTypes,
    ComponentName,
    availability,
    explicit_availability,
    has_queue,
    queue_probe,
    registered_types,
)
from pipeline.bench.collector_config import exports_by_grpc, needs_credentials, read_config
from pipeline.bench.environment.events import ACCESS_KEY
from pipeline.bench.environment.machine import check_executable, this_machine
from pipeline.bench.environment.sandbox import FunctionProcess, function_process, unpacked
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.layer import BenchLayer, read_layer
from pipeline.bench.preparation import (
    MOVED,
    OWN,
    QUEUE,
    USER,
    BenchContext,
    BenchRequest,
    StartPlan,
    Trial,
    check_tags,
    prepare,
    write_configs,
)
from pipeline.bench.reference import NAME, compiled_reference, reference_plan
from pipeline.bench.result import Measured, Result, labels, late_deliveries
from pipeline.bench.telemetry.receiver import OtlpReceiver, otlp_receiver
from pipeline.build.components import ComponentRow, component_rows
from pipeline.build.inputs import requested_upstream
from pipeline.build.overlay import read_config_files
from pipeline.build.tuning import tuning_tag
from pipeline.config.folder import Config
from pipeline.config.tuning import Tuning, refused_settings
from pipeline.errors import OcelotError, ToolchainError
from pipeline.files import output_errors, read_file
from pipeline.layer.manifest import Upstream

# A layer over its budget is started until it has this many starts: a few may be outliers.
_STARTS_OVER_BUDGET = 15
# Upstream reports the error of a collector that ended at once, or its state if it sees that first:
# https://github.com/open-telemetry/opentelemetry-lambda/blob/main/collector/internal/collector/collector.go
_LOST_ERROR = "otelcol state is Closed"
_STARTS_FOR_AN_ERROR = 5


async def bench(request: BenchRequest) -> tuple[Result, ...]:
    """Run layers and measure them; their starts alternate.

    Raises:
        UsageError: a zip or config cannot be read.
        BenchError: the bench itself cannot run.
    """
    trials = _trials(request)
    given = request.collector_config
    with ExitStack() as folders:
        scratch = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="ocelot-bench-")))
        context = BenchContext(
            request=request,
            machine=this_machine(),
            scratch=scratch,
            user_config=read_file(given, "name a collector's config") if given else None,
        )
        for trial in trials:
            with progress.step(trial.label, "unpack") as step:
                root = folders.enter_context(unpacked(trial.layer.opened.entries))
                prepare(trial, root, context)
                step.result = "skipped" if trial.skipped else step.result
        await _run(trials, context)
    return tuple(each.result() for each in trials)


async def _run(trials: Sequence[Trial], context: BenchContext) -> None:
    """Start the layers that can be started here."""
    if any(each.active_plan for each in trials):
        check_executable(context.scratch)
    for each in trials:
        await _read_types(each, context.request)
    with_grpc = any(exports_by_grpc(each.types) for each in trials)
    async with otlp_receiver(with_grpc=with_grpc) as receiver:
        for each in trials:
            if plan := each.active_plan:
                write_configs(each, plan, context.user_config, receiver.endpoints)
        if any(each.active_plan for each in trials):
            reference = await _reference(context)
            async with function_process() as function:
                await _Bench(context, function, receiver, reference).run(trials)


async def _read_types(trial: Trial, request: BenchRequest) -> None:
    """Add to a trial the types that its collector lists; check the components of its build tags.

    A collector that panics without listing any has not come to its config: that is its fault.
    """
    plan = trial.active_plan
    if plan is None:
        return
    if trial.layer.components:
        with progress.step(trial.label, "its components"):
            outcome = await _outcome(plan, request)
        if isinstance(outcome, FaultError):
            types = registered_types("\n".join(outcome.details))
            trial.types = CollectorTypes(found=trial.layer.components, registered=types)
            if outcome.fault is Fault.WRITES_TO_LAYER or (
                outcome.fault is Fault.PANICS and not types
            ):
                trial.fault = outcome
                return
            with progress.step(trial.label, "its exporters' queues"):
                await _note_queues(trial, plan, request)
    check_tags(trial, request.config)


async def _note_queues(trial: Trial, plan: StartPlan, request: BenchRequest) -> None:
    """Note the exporters whose queues the layer's collector does not turn off."""
    kept: list[str] = []
    for exporter in sorted(trial.types.registered.get("exporter", ())):
        path = plan.config.with_name(QUEUE)
        with output_errors(path):
            path.write_text(queue_probe(exporter), encoding="utf-8")
        outcome = await _outcome(plan.with_config(QUEUE), request)
        if isinstance(outcome, FaultError) and has_queue("\n".join(outcome.details), exporter):
            kept.append(exporter)
    if kept:
        trial.notes.append(
            f"its collector does not turn off the queue of {', '.join(kept)}: what is in a queue "
            "while Lambda freezes the layer may be lost; use the tuning no-exporter-queues, or "
            "`sending_queue: {enabled: false}` in the config"
        )


async def _outcome(plan: StartPlan, request: BenchRequest) -> Measured | FaultError:
    """Start a layer without invocations; once more, up to some times, if its error got lost."""
    outcome = await cold_start(plan, 0, limits=request.limits)
    for _ in range(_STARTS_FOR_AN_ERROR):
        if not isinstance(outcome, FaultError) or not outcome.reason.endswith(_LOST_ERROR):
            break
        outcome = await cold_start(plan, 0, limits=request.limits)
    return outcome


def _trials(request: BenchRequest) -> list[Trial]:
    """Read the layers; the one to compare with is last."""
    zips = (*request.zips, *([request.against] if request.against else []))
    trials = [
        Trial(label=label, layer=read_layer(path))
        for label, path in zip(labels(zips), zips, strict=True)
    ]
    for trial in trials[: len(request.zips)]:
        layer, config = trial.layer, request.config
        tuned = not layer.tags or bool(_applied_tunings(layer, config))
        trial.budget = config.budget(layer.distribution, tuned=tuned)
    return trials


def _applied_tunings(layer: BenchLayer, config: Config) -> dict[str, Tuning]:
    """Return the tunings that a layer's binary names in its build tags."""
    return {name: each for name, each in config.tunings.items() if tuning_tag(name) in layer.tags}


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
            request = self.context.request
            outcome = await cold_start(self.reference, request.invocations, limits=request.limits)
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
        return await _outcome(plan, self.context.request)

    async def _start_with(self, plan: StartPlan, name: str) -> Measured | FaultError:
        """Start a layer with a config as it is; on other ports if one of its ports is taken."""
        outcome = await self._start_only(plan.with_config(name))
        if isinstance(outcome, FaultError) and outcome.fault is Fault.PORT_TAKEN:
            return await self._start_only(plan.with_config(f"{MOVED}{name}"))
        return outcome

    def _fetched(self, trial: Trial, content: bytes) -> str:
        """Return the provider that takes credentials, which the run does not have; else empty."""
        has_credentials = ACCESS_KEY in self.context.request.environment
        return "" if has_credentials else needs_credentials(content, trial.types)

    def _ignored(self, trial: Trial, content: bytes) -> tuple[str, ...]:
        """Return a sentence for each setting of a config that the layer's tunings refuse."""
        applied = _applied_tunings(trial.layer, self.context.request.config)
        return tuple(why for _, why in refused_settings(read_config(content), applied))

    async def _try_own_config(self, trial: Trial, plan: StartPlan) -> None:
        """Note whether the layer starts with its own config; no fault: a function may bring one."""
        own = trial.layer.config
        if own is None:
            return
        if fetched := self._fetched(trial, own):
            trial.notes.append(f"its own config.yaml was not started: {fetched} takes credentials")
            return
        outcome = await self._start_with(plan, OWN)
        if isinstance(outcome, FaultError):
            missing = ", ".join(map(str, trial.types.missing(read_config(own))))
            lacks = f"the layer has no {missing}: " if missing else ""
            reason = outcome.reason or str(outcome)
            trial.notes.append(f"its own config.yaml does not start here: {lacks}{reason}")
        trial.notes += (f"its own config.yaml: {each}" for each in self._ignored(trial, own))

    async def _try_user_config(self, trial: Trial, plan: StartPlan) -> None:
        """Check that the layer starts with the user's config."""
        user = self.context.user_config
        if user is None:
            return
        if fetched := self._fetched(trial, user):
            trial.notes.append(
                f"the config given was not tried: {fetched} takes credentials; give them by "
                f"--env {ACCESS_KEY} and the like"
            )
            return
        outcome = await self._start_with(plan, USER)
        if isinstance(outcome, Measured):
            if ignored := self._ignored(trial, user):
                name = trial.layer.path.name
                trial.fault = FaultError(Fault.IGNORES_SETTINGS, name, ignored)
            else:
                trial.notes.append("the config given is accepted")
        elif missing := trial.types.missing(read_config(user)):
            details = await _availabilities(missing, trial.layer.upstream, self.context)
            trial.fault = FaultError(
                Fault.MISSING_COMPONENTS, trial.layer.path.name, (*details, *outcome.details)
            )
        else:
            trial.fault = outcome


async def _availabilities(
    missing: Sequence[ComponentName], upstream: Upstream | None, context: BenchContext
) -> list[str]:
    """Return a line for each component that a layer lacks: the distributions that have it."""
    config = context.request.config
    rows = await _offered(upstream, config)
    if isinstance(rows, str):
        return [f"{each}: {explicit_availability(each, config, rows)}" for each in missing]
    return [f"{each}: {availability(each, config, rows)}" for each in missing]


async def _offered(upstream: Upstream | None, config: Config) -> tuple[ComponentRow, ...] | str:
    """Return the components that a layer's upstream offers, or why they are not known."""
    if upstream is None:
        return "no manifest beside the zip names the upstream that it was built from"
    named = f"upstream {upstream.repository} at {upstream.commit[:12]}"
    try:
        reader = requested_upstream(upstream.repository, upstream.commit, paths.cache_folder())
        source = await reader.read(upstream.commit)
        overlay = read_config_files(config.overlay).files
    except OcelotError as error:
        return f"what {named} offers is not known: {'; '.join((str(error), *error.details))}"
    if source.commit != upstream.commit:
        return f"{named} has changed since"
    return component_rows(config, {**source.files, **overlay})


def _check_budget(trial: Trial) -> None:
    budget = trial.budget
    if not trial.active_plan or not budget:
        return
    if late := late_deliveries(budget, trial.result().figures):
        trial.fault = FaultError(Fault.DELIVERS_LATE, trial.layer.path.name, late)
    elif over := trial.over_budget:
        trial.fault = FaultError(Fault.OVER_BUDGET, trial.layer.path.name, over)
    elif budget.limits_starts and not trial.reference:
        why = "it ran under qemu" if trial.emulated else "there is no reference"
        trial.notes.append(f"its budget for the start was not checked: {why}")
