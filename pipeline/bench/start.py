"""One cold start: an execution environment from exec to SHUTDOWN, as Lambda drives it.

Init is limited to 10 seconds:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
Shutdown to 2 seconds with external extensions, then SIGKILL; an environment is frozen when every
extension has asked for the next event:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pipeline.bench import events
from pipeline.bench.collector_config import Ports
from pipeline.bench.faults import Fault, FaultError, ended_fault, last_words
from pipeline.bench.items import PROTOCOLS, SIGNALS, item_names, loss
from pipeline.bench.lambda_api import Extension, LambdaApi, serving
from pipeline.bench.opt import changed, marks
from pipeline.bench.result import Measured
from pipeline.bench.sandbox import Function, Running, cpu_seconds, memory_bytes, started

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from pipeline.bench.otlp import Received

_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Seconds that something may take; Lambda's own, but for the last two.

    Attributes:
        init: until each extension has asked for its first event.
        shutdown: until each has ended after SHUTDOWN.
        invoke: the function's timeout.
        freeze: how long the environment is frozen between invocations.
    """

    init: float = 10.0
    shutdown: float = 2.0
    invoke: float = 10.0
    freeze: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is started.

    Attributes:
        name: of the zip.
        root: where it is unpacked.
        commands: each extension's command, by the name of its file.
        config: the collector's config.
        ports: where the collector listens.
        sends: whether there is anything that takes telemetry and passes it on.
        environment: variables of the function's own.
        has_sandbox_name: see `extension_environment`.
    """

    name: str
    root: Path
    commands: Mapping[str, tuple[str, ...]]
    config: Path
    ports: Ports
    sends: bool
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    has_sandbox_name: bool = False

    def configured(self, name: str) -> Subject:
        """The same with another config of the same folder, only to see whether it starts."""
        return replace(self, config=self.config.with_name(name), sends=False)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The moment of an extension's first `event/next`."""

    cpu: float
    wall: float
    rss: int


async def cold_start(
    subject: Subject,
    invocations: int,
    *,
    function: Function | None = None,
    received: Received | None = None,
    limits: Limits,
) -> Measured | FaultError:
    """Start a layer's extensions, invoke the function, shut down, and see what came of it.

    Args:
        subject: what is started.
        invocations: how many.
        function: what sends telemetry; None to send none.
        received: what arrived, which is emptied first; None to look at nothing.
        limits: how long things may take.

    Returns:
        The figures, or what is wrong with the layer.
    """
    if received:
        received.empty()
    before = marks(subject.root)
    environment = _Environment(subject=subject, function=function, limits=limits)
    outcome = await environment.live(invocations, received)
    if paths := changed(before, subject.root):
        return FaultError(Fault.WRITES_TO_LAYER, subject.name, paths[:10])
    return outcome


@dataclass(kw_only=True)
class _Environment:
    """An execution environment while it lives."""

    subject: Subject
    function: Function | None
    limits: Limits
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    ready: dict[str, _Ready] = field(default_factory=dict[str, _Ready])
    sent: list[str] = field(default_factory=list[str])
    problems: tuple[str, ...] = ()
    cpu: list[float] = field(default_factory=list[float])
    wall: list[float] = field(default_factory=list[float])

    async def live(self, invocations: int, received: Received | None) -> Measured | FaultError:
        """From exec to SHUTDOWN."""
        outcomes: list[Measured | FaultError] = []
        async with (
            serving(list(self.subject.commands), self._note_next) as api,
            anyio.create_task_group() as tasks,
            AsyncExitStack() as processes,
        ):
            try:
                await self._init(api, tasks, processes)
                for number in range(invocations):
                    await self._invoke(api, number)
                peak = self._peak()
                took = await self._shut_down(api)
                self._check_loss(received)
                outcomes.append(self._measured(received, peak, took))
            except FaultError as fault:
                outcomes.append(fault)
            finally:
                self._signal(signal.SIGCONT)
                tasks.cancel_scope.cancel()
        return outcomes[0]

    def _note_next(self, extension: Extension) -> None:
        """Read the figures of an extension's first `event/next` before anything else happens."""
        running = self.running.get(extension.name)
        if running and extension.name not in self.ready:
            cpu, now = cpu_seconds(running.pid), time.monotonic()
            rss, _ = memory_bytes(running.pid)
            self.ready[extension.name] = _Ready(cpu, now - running.started, rss)

    async def _init(self, api: LambdaApi, tasks: TaskGroup, processes: AsyncExitStack) -> None:
        begun = time.monotonic()
        api.emit("platform.initStart", events.init_start())
        env = events.extension_environment(
            api.address,
            str(self.subject.config),
            has_sandbox_name=self.subject.has_sandbox_name,
            more=self.subject.environment,
        )
        for name, argv in self.subject.commands.items():
            process = started(name, argv, env, self.subject.root, api.changes)
            try:
                running = await processes.enter_async_context(process)
            except OSError as error:
                told = error.strerror or str(error)
                raise FaultError(Fault.NO_ELF, self._named(name), (told,)) from error
            self.running[name] = running
            if api.extensions[name].asked:  # quicker than the news that it has been started
                self._note_next(api.extensions[name])
            tasks.start_soon(running.watch, partial(api.emit, "extension"))
        await self._until_ready(api)
        if self.function and self.subject.sends:
            await self.function.open(_endpoints(self.subject.ports))
        api.emit("platform.initRuntimeDone", events.init_runtime_done())
        api.emit("platform.initReport", events.init_report((time.monotonic() - begun) * 1000))
        api.begin()

    async def _until_ready(self, api: LambdaApi) -> None:
        def broken() -> str:
            """An extension that ended, or that reported an error."""
            for name, extension in api.extensions.items():
                if extension.error or self.running[name].ended is not None:
                    return name
            return ""

        with anyio.move_on_after(self.limits.init):
            await api.changes.until(lambda: len(self.ready) == len(self.running) or bool(broken()))
        if name := broken():
            await self._fail_init(api, name)
        for name, extension in api.extensions.items():
            if name not in self.ready:
                fault = Fault.HANGS_IN_INIT if extension.identifier else Fault.NEVER_REGISTERS
                raise self._fault(fault, name)

    async def _fail_init(self, api: LambdaApi, name: str) -> None:
        """Wait for the last words of an extension that gave up, and tell why it did.

        Raises:
            FaultError: in any case.
        """
        running, extension = self.running[name], api.extensions[name]
        with anyio.move_on_after(_LAST_WORDS_SECONDS):
            await api.changes.until(lambda: running.ended is not None and running.drained)
        fault = ended_fault(
            tuple(running.lines),
            layer=str(self.subject.root),
            registered=bool(extension.identifier),
            error=extension.error,
        )
        how = [f"exit code {running.ended}"] if running.ended is not None else []
        if extension.error:
            how.append(f"it reported {extension.error}")
        raise self._fault(fault, name, *how)

    async def _invoke(self, api: LambdaApi, number: int) -> None:
        self._thaw(api)
        request, begun = str(uuid.uuid4()), time.monotonic()
        spent = self._spent()
        invoked = [each for each in api.extensions.values() if events.INVOKE in each.events]
        counts = {each.name: each.asked for each in invoked}
        deadline = int((time.time() + self.limits.invoke) * 1000)
        api.emit("platform.start", events.start(request))
        api.send(events.invoke_event(request, deadline=deadline))
        await self._run_function(number)
        done = time.monotonic()
        api.emit("function", f"[INFO] invocation {number}")
        api.emit("platform.runtimeDone", events.runtime_done(request, (done - begun) * 1000))
        with anyio.move_on_after(self.limits.invoke):
            await api.changes.until(
                lambda: (
                    all(each.asked > counts[each.name] for each in invoked)
                    or any(each.ended is not None for each in self.running.values())
                )
            )
        now = time.monotonic()
        self._check_invoked(number, invoked, counts)
        self.cpu.append(self._spent() - spent)
        self.wall.append(now - done)
        report = events.report(request, (now - begun) * 1000, memory=self._peak())
        api.emit("platform.report", report)
        await self._freeze(api)

    async def _run_function(self, number: int) -> None:
        if self.function and self.subject.sends:
            items = item_names(number, PROTOCOLS, SIGNALS)
            self.sent += items
            self.problems = await self.function.invoke(items) or self.problems

    def _check_invoked(
        self, number: int, invoked: Sequence[Extension], counts: Mapping[str, int]
    ) -> None:
        for each in invoked:
            running = self.running[each.name]
            told = f"in invocation {number + 1}"
            if running.ended is not None:
                code = f"exit code {running.ended} {told}"
                raise self._fault(Fault.EXITS_IN_INVOKE, each.name, code)
            if each.asked == counts[each.name]:
                raise self._fault(Fault.HANGS_IN_INVOKE, each.name, told)

    async def _freeze(self, api: LambdaApi) -> None:
        api.frozen = True
        self._signal(signal.SIGSTOP)
        await anyio.sleep(self.limits.freeze)

    def _thaw(self, api: LambdaApi) -> None:
        self._signal(signal.SIGCONT)
        api.frozen = False
        api.changes.tell()

    def _signal(self, number: signal.Signals) -> None:
        for each in self.running.values():
            if each.ended is None:
                each.signal(number)
        if self.function:
            self.function.running.signal(number)

    async def _shut_down(self, api: LambdaApi) -> float:
        """Seconds until the last extension ended.

        Raises:
            FaultError: one of them did not.
        """
        self._thaw(api)
        if self.function and self.subject.sends:
            await self.function.close()  # Lambda ends the runtime first
        begun = time.monotonic()
        deadline = int((time.time() + self.limits.shutdown) * 1000)
        api.send(events.shutdown_event(deadline=deadline))
        told = [each for each in api.extensions.values() if events.SHUTDOWN in each.events]
        with anyio.move_on_after(self.limits.shutdown):
            await api.changes.until(
                lambda: all(self.running[each.name].ended is not None for each in told)
            )
        took = time.monotonic() - begun
        for each in told:
            if self.running[each.name].ended is None:
                waited = f"it still ran {self.limits.shutdown:.0f} seconds after SHUTDOWN"
                raise self._fault(Fault.IGNORES_SHUTDOWN, each.name, waited)
        return took

    def _check_loss(self, received: Received | None) -> None:
        missing = loss(self.sent, received.items) if received else None
        if missing is None:
            return
        told = [f"{len(missing.lost)} of {missing.sent} items never arrived:", *missing.words()]
        told += [f"the function's SDK said: {each}" for each in self.problems]
        fault = Fault.LOSES_LAST_BATCH if missing.only_last else Fault.LOSES_DATA
        raise self._fault(fault, next(iter(self.running)), *told)

    def _fault(self, fault: Fault, name: str, *details: str) -> FaultError:
        words = last_words(tuple(self.running[name].lines))
        return FaultError(fault, self._named(name), (*details, *words))

    def _named(self, name: str) -> str:
        return f"{self.subject.name}: extensions/{name}"

    def _spent(self) -> float:
        return sum(cpu_seconds(each.pid) for each in self.running.values() if each.ended is None)

    def _peak(self) -> int:
        return sum(memory_bytes(each.pid)[1] for each in self.running.values())

    def _measured(self, received: Received | None, peak: int, shutdown: float) -> Measured:
        first = received.first if received else None
        begun = min(each.started for each in self.running.values())
        return Measured(
            cpu=sum(each.cpu for each in self.ready.values()),
            wall=max(each.wall for each in self.ready.values()),
            first_export=first - begun if first is not None else None,
            rss=sum(each.rss for each in self.ready.values()),
            peak=peak,
            invocation_cpu=tuple(self.cpu),
            invocation_wall=tuple(self.wall),
            shutdown=shutdown,
            items=len(self.sent),
        )


def _endpoints(ports: Ports) -> dict[str, str]:
    return {"grpc": f"127.0.0.1:{ports.grpc}", "http": f"http://127.0.0.1:{ports.http}"}
