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
from pipeline.publish.observe import PATIENT_LOOKS, Place, find_version, told
from pipeline.publish.plan import Step, Target, TargetPlan
from pipeline.publish.policy import public_statements

PUBLISH_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0


class Record(Protocol):
    """Writes the registry's row of a target at a layer version's ARN."""

    def __call__(self, target: Target, arn: str, *, public: bool) -> Awaitable[None]:
        """Write it.

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


@dataclass(frozen=True, kw_only=True)
class Means:
    """What publishing is done with.

    Attributes:
        places: the regions by name.
        requests: the publish request by layer name, made when it is first wanted.
        transfers: how many uploads may be under way.
        journal: what was begun.
        record: writes the registry's row, if there is a registry.
        deadline: seconds that a target may take.
    """

    places: Mapping[str, Place]
    requests: Callable[[str], PublishRequest]
    transfers: anyio.CapacityLimiter
    journal: Journal
    progress: Progress
    record: Record | None = None
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


async def apply_plan(plan: TargetPlan, means: Means) -> Outcome:
    """Do a target's steps; it ends as an outcome, whatever happens."""
    work = _Work(plan=plan, means=means, notes=list(plan.notes))
    lane = f"{plan.target.region} {plan.target.package.architecture}"
    asker = work.place.asker
    started, retries, error = time.monotonic(), asker.retries, plan.blocked
    if plan.steps:
        means.progress.begin(lane, plan.action)
    if not error:
        try:
            with anyio.fail_after(means.deadline):
                await _steps(work)
        except TimeoutError:
            error = f"not done within {means.deadline:.0f} seconds; run the same command again"
        except Exception as failure:  # noqa: BLE001  a bug is to hold up no other target either
            error = told(failure)
    if plan.steps:
        means.progress.end(lane, error or "done")
    return Outcome(
        plan=plan,
        done=tuple(work.done),
        arn=work.arn,
        public=work.public,
        error=error,
        seconds=time.monotonic() - started,
        retries=asker.retries - retries,
        notes=tuple(work.notes),
    )


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
    request = work.means.requests(target.package.layer)
    await in_thread(partial(journal.write, BEGUN, key))
    try:
        made = await _published(work, request)
    except _RefusedError as refused:
        await in_thread(partial(journal.write, ENDED[1], key))
        raise refused.reason from refused
    work.arn = made.arn
    await in_thread(partial(journal.write, ENDED[0], key, made.arn))
    first = await _first(work, made)
    work.arn, work.number = first.arn, first.number


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
    call = partial(work.place.layers.policy, work.target.package.layer, work.number)
    return public_statements(await work.place.asker.ask(call, "read the policy"))


async def _record(work: _Work) -> None:
    if work.means.record:
        await work.means.record(work.target, work.arn, public=work.public)
