"""Carry a publish plan out: every target by itself, so that none holds up another."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import anyio

from pipeline.errors import AwsError
from pipeline.progress import Progress
from pipeline.publish.aws.asking import AmbiguousError, in_thread
from pipeline.publish.aws.layers import STATEMENT, LayerVersion, PublishRequest
from pipeline.publish.journal import BEGUN, ENDED, Journal
from pipeline.publish.observe import PATIENT_LOOKS, Place, find_version, statements_for_all, told
from pipeline.publish.package import Package, bucket_request
from pipeline.publish.plan import Step, Target, TargetKey, TargetPlan

INTERRUPTED = "interrupted; the next run looks what came of it"
PUBLISH_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0


class Record(Protocol):
    """Writes the registry's row of a target at a layer version's ARN."""

    def __call__(self, target: Target, arn: str, *, public: bool, base: str) -> Awaitable[None]:
        """Write it.

        Args:
            target: zip and region.
            arn: of its layer version.
            public: whether everybody may use it.
            base: ARN of the layer version of its base; empty where this run has none of it.

        Raises:
            AwsError: it cannot be written.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a target.

    Attributes:
        done: the steps that were done.
        arn: of the layer version; empty if there is none.
        public: whether everybody may use it.
        error: why it is not as it should be; empty if it is.
        seconds: the work took.
        retries: requests that its region had to be asked again.
    """

    plan: TargetPlan
    done: tuple[Step, ...] = ()
    arn: str = ""
    public: bool = False
    error: str = ""
    seconds: float = 0.0
    retries: int = 0
    notes: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether the target is as it should be."""
        return not self.error


@dataclass(kw_only=True)
class Ledger:
    """What came of the targets so far, by their keys: nothing is lost when the work is ended."""

    outcomes: dict[TargetKey, Outcome] = field(default_factory=dict[TargetKey, Outcome])
    _ends: dict[TargetKey, anyio.Event] = field(default_factory=dict[TargetKey, anyio.Event])

    def end(self, outcome: Outcome) -> None:
        """Note what came of a target."""
        key = outcome.plan.target.key
        self.outcomes[key] = outcome
        self._end(key).set()

    async def ended(self, key: TargetKey) -> Outcome:
        """What came of a target, once it has ended."""
        await self._end(key).wait()
        return self.outcomes[key]

    def _end(self, key: TargetKey) -> anyio.Event:
        return self._ends.setdefault(key, anyio.Event())


@dataclass(frozen=True, kw_only=True)
class Means:
    """What publishing is done with.

    Attributes:
        places: the regions by name.
        request: the request that publishes a package, made when it is first wanted.
        transfers: how many uploads may be under way.
        journal: what was begun.
        record: writes the registry's row, if there is a registry.
        bases: the target that another one is based on: its row has to be there first.
        ledger: is told what came of each target.
        deadline: seconds that a target may take.
    """

    places: Mapping[str, Place]
    request: Callable[[Package], PublishRequest]
    transfers: anyio.CapacityLimiter
    journal: Journal
    progress: Progress
    record: Record | None = None
    bases: Mapping[TargetKey, TargetKey] = field(default_factory=dict[TargetKey, TargetKey])
    ledger: Ledger = field(default_factory=Ledger)
    deadline: float = 900.0


@dataclass(kw_only=True)
class _Work:
    """One target under way."""

    plan: TargetPlan
    means: Means
    arn: str = ""
    number: int = 0
    public: bool = False
    done: list[Step] = field(default_factory=list[Step])
    notes: list[str] = field(default_factory=list[str])

    @property
    def target(self) -> Target:
        return self.plan.target

    @property
    def place(self) -> Place:
        return self.means.places[self.target.region]

    def outcome(self, error: str, *, seconds: float, retries: int) -> Outcome:
        return Outcome(
            plan=self.plan,
            done=tuple(self.done),
            arn=self.arn,
            public=self.public,
            error=error,
            seconds=seconds,
            retries=retries,
            notes=tuple(self.notes),
        )


async def apply_plan(plan: TargetPlan, means: Means) -> None:
    """Do a target's steps; the ledger has an outcome of it afterwards, whatever happens."""
    work = _Work(plan=plan, means=means, notes=list(plan.notes))
    lane = str(plan.target)
    asker = work.place.asker
    started, retries, error = time.monotonic(), asker.retries, INTERRUPTED
    if plan.steps:
        means.progress.begin(lane, plan.action)
    try:
        error = plan.blocked or await _steps_done(work)
    finally:
        if plan.steps:
            means.progress.end(lane, error or "done")
        seconds = time.monotonic() - started
        means.ledger.end(work.outcome(error, seconds=seconds, retries=asker.retries - retries))


async def _steps_done(work: _Work) -> str:
    """Do the steps; the answer is why they were not all done, empty if they were."""
    try:
        with anyio.fail_after(work.means.deadline):
            await _steps(work)
    except TimeoutError:
        return f"not done within {work.means.deadline:.0f} seconds; run the same command again"
    except Exception as failure:  # noqa: BLE001  a bug is to hold up no other target either
        return told(failure)
    return ""


async def _steps(work: _Work) -> None:
    if version := work.plan.version:
        work.arn, work.number, work.public = version.arn, version.number, version.public
    actions = {
        Step.PUBLISH: _publish,
        Step.SHARE: _share,
        Step.UNSHARE: _unshare,
        Step.RECORD: _record,
    }
    for step in work.plan.steps:
        await actions[step](work)
        work.done.append(step)


async def _publish(work: _Work) -> None:
    """Publish once; where the answer is lost, look before trying again."""
    target, journal = work.target, work.means.journal
    key = (target.region, target.package.layer, target.package.sha256)
    request = await _request(work)
    await in_thread(partial(journal.write, BEGUN, key))
    try:
        made = await _published(work, request)
    except _RefusedError as refused:
        await in_thread(partial(journal.write, ENDED[1], key))
        raise refused.reason from refused
    work.arn, work.number = made.arn, made.number
    await in_thread(partial(journal.write, ENDED[0], key, made.arn))
    await _clear(work)
    first = await _first(work, made)
    work.arn, work.number = first.arn, first.number


async def _request(work: _Work) -> PublishRequest:
    """The request that publishes the zip, which has been uploaded before where it is large."""
    package, place = work.target.package, work.place
    if not (package.is_large and place.bucket):
        return work.means.request(package)
    upload = partial(place.bucket.put, package.key, package.path, package.sha256)
    await place.asker.ask(upload, f"upload to {place.bucket.name}", work.means.transfers)
    return bucket_request(package, place.bucket.name)


async def _clear(work: _Work) -> None:
    """Take the zip out of the bucket again: Lambda has a copy of its own."""
    package, bucket = work.target.package, work.place.bucket
    if package.is_large and bucket:
        try:
            await work.place.asker.ask(partial(bucket.delete, package.key), "clear the bucket")
        except AwsError as error:
            work.notes.append(f"{package.key} is left in {bucket.name}: {error}")


class _RefusedError(Exception):
    """AWS did certainly not publish."""

    def __init__(self, reason: AwsError) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def _published(work: _Work, request: PublishRequest) -> LayerVersion:
    """The version made, or found after an answer was lost.

    Raises:
        AwsError: nobody knows whether it was published: the next run looks with patience.
    """
    target, place = work.target, work.place
    for attempt in range(PUBLISH_ATTEMPTS):
        try:
            call = partial(place.layers.publish, request)
            made, stored = await place.asker.ask_once(call, "publish", work.means.transfers)
        except AmbiguousError:
            found, _ = await find_version(target, place, looks=PATIENT_LOOKS)
            if found:
                return found
            if attempt == PUBLISH_ATTEMPTS - 1:
                raise
            place.asker.retries += 1
            await anyio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            continue
        except AwsError as error:
            if attempt:
                raise  # of an earlier attempt nobody knows
            raise _RefusedError(error) from error
        if stored != target.package.sha256:
            raise AwsError(
                f"{target.region}: AWS stored sha256 {stored} instead of {target.package.sha256}",
                hint=f"delete {made.arn}, then run the same command again",
            )
        return made
    raise AssertionError("unreachable")


async def _first(work: _Work, made: LayerVersion) -> LayerVersion:
    """The version that counts: of two publishers at once, both take the one that came first."""
    found, notes = await find_version(work.target, work.place)
    work.notes += notes
    return found or made


async def _share(work: _Work) -> None:
    layers, layer = work.place.layers, work.target.package.layer
    await work.place.asker.ask(partial(layers.share, layer, work.number), "make public")
    if not await _statements(work):
        raise AwsError(
            f"{work.target.region}: {work.arn} is not public, though AWS took the permission",
            hint=f"look at its policy: the statement `{STATEMENT}` may say something else",
        )
    work.public = True


async def _unshare(work: _Work) -> None:
    layers, layer = work.place.layers, work.target.package.layer
    for statement in await _statements(work):
        call = partial(layers.unshare, layer, work.number, statement)
        await work.place.asker.ask(call, "make private")
    if await _statements(work):
        raise AwsError(
            f"{work.target.region}: {work.arn} is public still",
            hint="look at its policy: aws lambda get-layer-version-policy",
        )
    work.public = False


async def _statements(work: _Work) -> tuple[str, ...]:
    return await statements_for_all(work.target.package.layer, work.number, work.place)


async def _record(work: _Work) -> None:
    means, key = work.means, work.target.key
    if means.record:
        base = (await means.ledger.ended(means.bases[key])).arn if key in means.bases else ""
        await means.record(work.target, work.arn, public=work.public, base=base)
