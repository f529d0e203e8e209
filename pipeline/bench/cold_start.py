"""One cold start: an execution environment from exec to SHUTDOWN, as Lambda drives it.

Init is limited to 10 seconds:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
Shutdown to 2 seconds with external extensions, then SIGKILL; an environment is frozen when each
extension has asked for the next event:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import errno
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from pipeline.bench.environment import events
from pipeline.bench.environment.lambda_api import Extension, LambdaApi, serving
from pipeline.bench.environment.sandbox import (
    FunctionProcess,
    RunningProcess,
    cpu_seconds,
    ended_cpu_seconds,
    file_states,
    memory_bytes,
    running_process,
)
from pipeline.bench.faults import Fault, FaultError, init_fault, last_lines, logged_error
from pipeline.bench.preparation import Limits, StartPlan
from pipeline.bench.result import Measured
from pipeline.bench.telemetry.items import is_last_batch, item_names, missing_counts, missing_items
from pipeline.bench.telemetry.receiver import OtlpReceiver
from pipeline.errors import BenchError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_LAST_LINES_SECONDS = 1.0
# Errors of a file that cannot be executed: https://man7.org/linux/man-pages/man2/execve.2.html
_NO_PROGRAM = (errno.ENOENT, errno.ENOEXEC, errno.EACCES, errno.ENOTDIR, errno.EINVAL, errno.ELOOP)


@dataclass(frozen=True, slots=True)
class _Ready:
    """An extension's figures at its first `event/next`."""

    cpu: float
    wall: float
    rss: int


async def cold_start(
    plan: StartPlan,
    invocations: int,
    *,
    function: FunctionProcess | None = None,
    receiver: OtlpReceiver | None = None,
    limits: Limits,
) -> Measured | FaultError:
    """Start a layer, invoke the function, shut down; return the figures or the layer's fault.

    Args:
        plan: how the layer is started.
        invocations: how many.
        function: sends telemetry; None to send none.
        receiver: the layer exports to it; it is emptied first. None to check nothing for loss.
        limits: how long each phase may take.
    """
    if receiver:
        receiver.empty()
    before = file_states(plan.root)
    environment = _ExecutionEnvironment(
        plan=plan, function=function, receiver=receiver, limits=limits
    )
    outcome = await environment.live(invocations)
    after = file_states(plan.root)
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    if changed:
        return FaultError(Fault.WRITES_TO_LAYER, plan.name, changed[:10])
    return outcome


@dataclass(kw_only=True)
class _ExecutionEnvironment:
    """Lambda's execution environment, from init to shutdown.

    Attributes:
        running: the extensions' processes, by name.
        ready: the figures of those that are ready, by name.
        sent: the names of all items that the function sent.
        delivered: how many of them had arrived before the layer asked for its next event.
        problems: the last warnings and errors of the function's SDK.
        cpu: CPU time of each invocation.
        wall: time that each invocation took beyond the function's.
        peak: the most memory that was in use before SHUTDOWN, in bytes.
        shutdown: seconds from SHUTDOWN to the end of the last extension.
    """

    plan: StartPlan
    function: FunctionProcess | None
    receiver: OtlpReceiver | None
    limits: Limits
    running: dict[str, RunningProcess] = field(default_factory=dict[str, RunningProcess])
    ready: dict[str, _Ready] = field(default_factory=dict[str, _Ready])
    sent: list[str] = field(default_factory=list[str])
    delivered: int = 0
    problems: tuple[str, ...] = ()
    cpu: list[float] = field(default_factory=list[float])
    wall: list[float] = field(default_factory=list[float])
    peak: int = 0
    shutdown: float = 0.0

    @property
    def sender(self) -> FunctionProcess | None:
        """The function; None if the layer is sent nothing."""
        return self.function if self.plan.listens else None

    async def live(self, invocations: int) -> Measured | FaultError:
        """Run all phases; return the figures or a fault."""
        ended, faults = ended_cpu_seconds(), list[FaultError]()
        async with (
            serving(list(self.plan.commands), self._note_ready) as api,
            anyio.create_task_group() as tasks,
            AsyncExitStack() as processes,
        ):
            try:
                await self._init(api, tasks, processes)
                for number in range(invocations):
                    await self._invoke(api, number)
                self.peak = self._peak_memory()
                self.shutdown = await self._shut_down(api)
                self._check_loss()
            except FaultError as fault:
                faults.append(fault)
            finally:
                self._signal_all(signal.SIGCONT)
                tasks.cancel_scope.cancel()
        return faults[0] if faults else self._measured(ended_cpu_seconds() - ended)

    def _note_ready(self, extension: Extension) -> None:
        """Read the figures of an extension's first `event/next` before anything else happens."""
        running = self.running.get(extension.name)
        if running and extension.name not in self.ready:
            cpu, now = cpu_seconds(running.pid), time.monotonic()
            rss, _ = memory_bytes(running.pid)
            self.ready[extension.name] = _Ready(cpu, now - running.started, rss)

    async def _init(self, api: LambdaApi, tasks: TaskGroup, processes: AsyncExitStack) -> None:
        started = time.monotonic()
        api.emit("platform.initStart", events.init_start())
        env = events.extension_environment(
            api.address,
            str(self.plan.config),
            has_sandbox_name=self.plan.has_sandbox_name,
            more=self.plan.environment,
        )
        for name, argv in self.plan.commands.items():
            process = running_process(argv, env, self.plan.root, api.changes)
            try:
                running = await processes.enter_async_context(process)
            except OSError as error:
                raise self._not_started(name, error) from error
            self.running[name] = running
            if api.extensions[name].asked:  # it asked before its process was noted above
                self._note_ready(api.extensions[name])
            tasks.start_soon(running.watch, partial(api.emit, "extension"))
        await self._until_ready(api)
        if self.sender:
            http = f"http://{self.plan.listens['http']}"
            await self.sender.open({**self.plan.listens, "http": http})
        api.emit("platform.initRuntimeDone", events.init_runtime_done())
        api.emit("platform.initReport", events.init_report((time.monotonic() - started) * 1000))
        api.end_init()

    def _not_started(self, name: str, error: OSError) -> BenchError:
        """Error for a file that is no program, or for a machine that can start none now."""
        why = error.strerror or str(error)
        if error.errno in _NO_PROGRAM:
            return FaultError(Fault.NO_ELF, self._label(name), (why,))
        return BenchError(
            f"{self._label(name)} cannot be started here: {why}",
            hint="look at this machine's memory and processes, and at the size of --env: the layer "
            "did not cause this",
        )

    async def _until_ready(self, api: LambdaApi) -> None:
        def failed() -> str:
            """Return an extension that ended or reported an error; empty if there is none."""
            for name, extension in api.extensions.items():
                if extension.error or self.running[name].ended is not None:
                    return name
            return ""

        with anyio.move_on_after(self.limits.init):
            await api.changes.until(lambda: len(self.ready) == len(self.running) or bool(failed()))
        if name := failed():
            await self._fail_init(api, name)
        for name, extension in api.extensions.items():
            if name not in self.ready:
                fault = Fault.HANGS_IN_INIT if extension.identifier else Fault.NEVER_REGISTERS
                raise self._fault(fault, name)

    async def _fail_init(self, api: LambdaApi, name: str) -> None:
        """Wait for the last lines of an extension that failed, and raise its fault.

        Raises:
            FaultError: always.
        """
        running, extension = self.running[name], api.extensions[name]
        with anyio.move_on_after(_LAST_LINES_SECONDS):
            await api.changes.until(lambda: running.ended is not None and running.drained)
        fault = init_fault(
            tuple(running.lines),
            layer=str(self.plan.root),
            registered=bool(extension.identifier),
            error=extension.error,
        )
        details = [f"exit code {running.ended}"] if running.ended is not None else []
        if extension.error:
            details += f"it reported {extension.error}".splitlines()
        raise self._fault(fault, name, *details, reason=extension.error)

    async def _invoke(self, api: LambdaApi, number: int) -> None:
        self._thaw(api)
        request, started, cpu = str(uuid.uuid4()), time.monotonic(), self._cpu()
        invoked = [each for each in api.extensions.values() if events.INVOKE in each.events]
        counts = {each.name: each.asked for each in invoked}
        deadline = int((time.time() + self.limits.invoke) * 1000)
        api.emit("platform.start", events.start(request))
        api.send(events.invoke_event(request, deadline=deadline))
        items = await self._run_function(number)
        returned = time.monotonic()
        api.emit("function", f"[INFO] invocation {number}")
        api.emit("platform.runtimeDone", events.runtime_done(request, (returned - started) * 1000))
        with anyio.move_on_after(self.limits.invoke):
            await api.changes.until(
                lambda: (
                    all(each.asked > counts[each.name] for each in invoked)
                    or any(each.ended is not None for each in self.running.values())
                )
            )
        finished = time.monotonic()
        self.delivered += len(self.receiver.items.intersection(items)) if self.receiver else 0
        self._check_invoked(number, invoked, counts)
        self.cpu.append(self._cpu() - cpu)
        self.wall.append(finished - returned)
        report = events.report(request, (finished - started) * 1000, memory=self._peak_memory())
        api.emit("platform.report", report)
        await self._freeze(api)

    async def _run_function(self, number: int) -> list[str]:
        """Make the function send its items; return their names."""
        if not self.sender:
            return []
        items = item_names(number)
        self.sent += items
        self.problems = await self.sender.invoke(items) or self.problems
        return items

    def _check_invoked(
        self, number: int, invoked: Sequence[Extension], counts: Mapping[str, int]
    ) -> None:
        where = f"in invocation {number + 1}"
        for each in invoked:
            ended = self.running[each.name].ended
            if ended is not None:
                raise self._fault(Fault.EXITS_IN_INVOKE, each.name, f"exit code {ended} {where}")
            if each.asked == counts[each.name]:
                raise self._fault(Fault.HANGS_IN_INVOKE, each.name, where)

    async def _freeze(self, api: LambdaApi) -> None:
        api.frozen = True
        self._signal_all(signal.SIGSTOP)
        await anyio.sleep(self.limits.freeze)

    def _thaw(self, api: LambdaApi) -> None:
        self._signal_all(signal.SIGCONT)
        api.frozen = False
        api.changes.notify()

    def _signal_all(self, number: signal.Signals) -> None:
        for each in self.running.values():
            if each.ended is None:
                each.signal(number)
        if self.function:
            self.function.running.signal(number)

    async def _shut_down(self, api: LambdaApi) -> float:
        """Send SHUTDOWN; return the seconds until the last extension ended.

        Raises:
            FaultError: an extension did not end.
        """
        self._thaw(api)
        if self.sender:
            await self.sender.close()  # Lambda ends the runtime first
        started = time.monotonic()
        deadline = int((time.time() + self.limits.shutdown) * 1000)
        api.send(events.shutdown_event(deadline=deadline))
        names = [each.name for each in api.extensions.values() if events.SHUTDOWN in each.events]
        with anyio.move_on_after(self.limits.shutdown):
            await api.changes.until(
                lambda: all(self.running[name].ended is not None for name in names)
            )
        took = time.monotonic() - started
        for name in names:
            if self.running[name].ended is None:
                waited = f"it still ran {self.limits.shutdown:.0f} seconds after SHUTDOWN"
                raise self._fault(Fault.IGNORES_SHUTDOWN, name, waited)
        return took

    def _check_loss(self) -> None:
        missing = missing_items(self.sent, self.receiver.items) if self.receiver else ()
        if missing:
            last_batch = is_last_batch(missing, self.sent)
            raise self._fault(
                Fault.LOSES_LAST_BATCH if last_batch else Fault.LOSES_DATA,
                next(iter(self.running)),
                f"{len(missing)} of {len(self.sent)} items never arrived:",
                *missing_counts(missing),
                *(f"the function's SDK logged: {each}" for each in self.problems),
            )

    def _fault(self, fault: Fault, name: str, *details: str, reason: str = "") -> FaultError:
        lines = last_lines(tuple(self.running[name].lines))
        reason = reason or logged_error(lines)
        return FaultError(fault, self._label(name), (*details, *lines), reason=reason)

    def _label(self, name: str) -> str:
        return f"{self.plan.name}: extensions/{name}"

    def _cpu(self) -> float:
        return sum(cpu_seconds(each.pid) for each in self.running.values() if each.ended is None)

    def _peak_memory(self) -> int:
        return sum(memory_bytes(each.pid)[1] for each in self.running.values())

    def _measured(self, life_cpu: float) -> Measured:
        first = self.receiver.first if self.receiver else None
        started = min(each.started for each in self.running.values())
        return Measured(
            cpu=sum(each.cpu for each in self.ready.values()),
            wall=max(each.wall for each in self.ready.values()),
            first_export=first - started if first is not None else None,
            rss=sum(each.rss for each in self.ready.values()),
            peak=self.peak,
            invocation_cpu=tuple(self.cpu),
            invocation_wall=tuple(self.wall),
            shutdown=self.shutdown,
            life_cpu=life_cpu,
            items=len(self.sent),
            delivered=self.delivered / len(self.sent) if self.sent else None,
        )
