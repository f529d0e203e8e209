"""Bring one zip in one region to the state that is wanted: look, decide, do. It blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pipeline import progress
from pipeline.aws.layers import (
    STATEMENT,
    LayerUpload,
    LayerVersion,
    RegionClient,
    UncertainError,
)
from pipeline.errors import AwsError, error_line
from pipeline.layer.limits import megabytes
from pipeline.naming import version_in_name
from pipeline.publish.package import Package, upload_by_bucket
from pipeline.publish.plan import Observed, Step, Target, TargetKey, TargetPlan, target_plan
from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row, base_layer_arn, layer_row

INTERRUPTED = "interrupted; the next run looks what came of it"
PUBLISH_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0
# After an answer was lost: a version may come to be seen only some seconds later.
PATIENT_LOOKS = 4
LOOK_PAUSE_SECONDS = 0.5


@dataclass(kw_only=True)
class Outcome:
    """What became of a target; it is filled in step by step, so that an interruption loses nothing.

    Attributes:
        done: the steps that were done.
        version: the layer version; None if there is none.
        error: why it is not as it should be; empty if it is.
        seconds: the work took.
        retries: requests that had to be sent again in its region meanwhile.
        notes: what else the user should know.
    """

    plan: TargetPlan
    done: tuple[Step, ...] = ()
    version: LayerVersion | None = None
    error: str = INTERRUPTED
    seconds: float = 0.0
    retries: int = 0
    notes: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the target is as it should be."""
        return not self.error

    @property
    def arn(self) -> str:
        """The layer version's; empty if there is none."""
        return str(self.version.arn) if self.version else ""

    @property
    def public(self) -> bool:
        """Whether every account may use the layer version."""
        return self.version is not None and self.version.public


@dataclass(frozen=True, kw_only=True)
class PublishContext:
    """What the targets of a run share.

    Attributes:
        public: whether every account is to use the layers; None to leave that as it is.
        dry_run: whether to decide, and do nothing.
        registry: the registry, if there is one.
        upload: returns the upload of a package, which is the same for all regions.
        uploading: limits the uploads under way.
        based_on: the distributions that have a base, with its name.
        bases: the target on which another one of this run is based; its row has to be there first.
        plans: filled in: what was decided, by target.
        outcomes: filled in: what became of each target.
        ended: set when a target has ended.
    """

    public: bool | None
    dry_run: bool
    registry: Registry | None
    upload: Callable[[Package], LayerUpload]
    uploading: threading.Semaphore
    based_on: Mapping[str, str]
    bases: Mapping[TargetKey, TargetKey]
    ended: Mapping[TargetKey, threading.Event]
    plans: dict[TargetKey, TargetPlan] = field(default_factory=dict[TargetKey, TargetPlan])
    outcomes: dict[TargetKey, Outcome] = field(default_factory=dict[TargetKey, Outcome])


def reconcile(target: Target, region: RegionClient, context: PublishContext) -> None:
    """Observe a target, decide what is missing, and do that; the context has what came of it."""
    started, retries = time.monotonic(), region.retries
    try:
        seen = observe(target, region, context.registry)
        registry = context.registry is not None
        plan = target_plan(target, seen, public=context.public, registry=registry)
        context.plans[target.key] = plan
        if context.dry_run:
            return
        outcome = Outcome(plan=plan, version=plan.version, notes=plan.notes)
        context.outcomes[target.key] = outcome
        error = plan.blocked or _applied(outcome, region, context)
        outcome.seconds, outcome.retries = time.monotonic() - started, region.retries - retries
        outcome.error = error  # last: by it the outcome is known to be whole
    finally:
        context.ended[target.key].set()


def observe(target: Target, region: RegionClient, registry: Registry | None) -> Observed:
    """Return what there is of a target; where that cannot be seen, it is blocked."""
    try:
        return _observed(target, region, registry)
    except Exception as error:  # noqa: BLE001  a bug is to hold up no other target either
        return Observed(blocked=error_line(error))


def _observed(target: Target, region: RegionClient, registry: Registry | None) -> Observed:
    package = target.package
    found, notes = find_version(package, region)
    if found is None:
        return Observed(notes=notes, blocked=_hindrance(package, region))
    statements = region.public_statements(package.layer, found.arn.version)
    row = registry.row(found.arn) if registry else None
    return Observed(
        version=replace(found, public=bool(statements)),
        row=row if isinstance(row, Row) else None,
        notes=notes,
    )


def _hindrance(package: Package, region: RegionClient) -> str:
    """Return why a package cannot be published; empty if nothing is known against it."""
    if package.is_large and region.bucket:
        region.bucket.check()
    left = region.reserve_storage(package.size)
    return (
        ""
        if left is None
        else f"the account's code storage has {megabytes(max(0, left))} left here, "
        f"the zip is {megabytes(package.size)}; delete old layer versions"
    )


def find_version(
    package: Package, region: RegionClient, *, looks: int = 1
) -> tuple[LayerVersion | None, tuple[str, ...]]:
    """Return the oldest layer version with a package's content, and what else was noticed.

    Its description names the content, AWS' CodeSha256 confirms it. AWS' list may lag behind, so
    that the version after the newest one listed is asked for by its number.

    Args:
        package: the zip.
        region: where to look.
        looks: number of looks while there is none.

    Raises:
        AwsError: the region does not answer.
    """
    notes: list[str] = []
    for look in range(looks):
        if look:
            time.sleep(LOOK_PAUSE_SECONDS * 2**look)
        notes = []
        listed = region.versions(package.layer)
        same = [each.arn.version for each in reversed(listed) if each.described == package.sha256]
        unlisted = (listed[0].arn.version if listed else 0) + 1
        for number in (*same, unlisted):
            found = region.version(package.layer, number)
            if not found or found.described != package.sha256:
                continue
            if found.sha256 == package.sha256:
                more = ", ".join(str(other) for other in same if other > number)
                notes += [f"the same content is in version {more} as well"] if more else []
                return found, tuple(notes)
            notes.append(f"version {number} is described as this zip, but is sha256 {found.sha256}")
    return None, tuple(notes)


def _applied(outcome: Outcome, region: RegionClient, context: PublishContext) -> str:
    """Do a plan's steps; return why they were not all done, empty if they were."""
    steps = {
        Step.PUBLISH: _publish,
        Step.SHARE: _share,
        Step.UNSHARE: _unshare,
        Step.RECORD: _record,
    }
    plan = outcome.plan
    if not plan.steps:
        return ""
    with progress.step(str(plan.target), plan.action) as shown:
        try:
            for step in plan.steps:
                steps[step](outcome, region, context)
                outcome.done += (step,)
        except Exception as failure:  # noqa: BLE001  a bug is to hold up no other target either
            shown.result = error_line(failure)
            return shown.result
    return ""


def _publish(outcome: Outcome, region: RegionClient, context: PublishContext) -> None:
    """Publish the zip. Of two publishers at once, both take the version that came first."""
    package = outcome.plan.target.package
    if package.is_large and region.bucket:
        bucket, upload = region.bucket, upload_by_bucket(package, region.bucket.name)
        with context.uploading:
            bucket.put(package.key, package.path, package.sha256)
        outcome.version = _published(outcome, upload, region, context)
        try:
            bucket.delete(package.key)  # Lambda has a copy of its own
        except AwsError as error:
            outcome.notes += (f"{package.key} is left in {bucket.name}: {error}",)
    else:
        outcome.version = _published(outcome, context.upload(package), region, context)
    first, notes = find_version(package, region)
    outcome.version = first or outcome.version
    outcome.notes += notes


def _published(
    outcome: Outcome, upload: LayerUpload, region: RegionClient, context: PublishContext
) -> LayerVersion:
    """Return the version that was published; where the answer is lost, look before trying again.

    Raises:
        AwsError: it was not published, or nobody knows whether it was.
    """
    for attempt in range(PUBLISH_ATTEMPTS):
        try:
            with context.uploading:
                made = region.publish(upload)
        except UncertainError:
            found, _ = find_version(outcome.plan.target.package, region, looks=PATIENT_LOOKS)
            if found:
                return found
            if attempt == PUBLISH_ATTEMPTS - 1:
                raise
            region.retries += 1
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            continue
        if made.sha256 != upload.sha256:
            raise AwsError(
                f"{region.region}: AWS stored sha256 {made.sha256} instead of {upload.sha256}",
                hint=f"delete {made.arn}, then run the same command again",
            )
        return made
    raise AssertionError("unreachable")


def _share(outcome: Outcome, region: RegionClient, _: PublishContext) -> None:
    version = _version(outcome)
    region.share(version.arn.name, version.arn.version)
    if not region.public_statements(version.arn.name, version.arn.version):
        raise AwsError(
            f"{region.region}: {version.arn} is not public, though AWS took the permission",
            hint=f"look at its policy: the statement `{STATEMENT}` may say something else",
        )
    outcome.version = replace(version, public=True)


def _unshare(outcome: Outcome, region: RegionClient, _: PublishContext) -> None:
    version = _version(outcome)
    layer, number = version.arn.name, version.arn.version
    for statement in region.public_statements(layer, number):
        region.unshare(layer, number, statement)
    if region.public_statements(layer, number):
        raise AwsError(
            f"{region.region}: {version.arn} is public still",
            hint="look at its policy: aws lambda get-layer-version-policy",
        )
    outcome.version = replace(version, public=False)


def _record(outcome: Outcome, _: RegionClient, context: PublishContext) -> None:
    if context.registry is None:
        return
    target = outcome.plan.target
    row = _row(target.package, _version(outcome))
    base = _base_in_this_run(target, context)
    if not base and (name := context.based_on.get(row.distribution)):
        base = base_layer_arn(context.registry.of_distribution(name).rows, row, name)
    there = context.registry.put(replace(row, base_layer_arn=base))
    if there:
        said = there.reason if isinstance(there, ForeignRow) else "another content"
        raise AwsError(
            f"the registry has a row of {row.arn} that says something else: {said}",
            hint="look at it: ocelot layers show; it was left as it is",
        )


def _row(package: Package, version: LayerVersion) -> Row:
    """Return the row of a layer version, with the facts of its manifest."""
    layer = package.record
    row = layer_row(
        version,
        distribution=layer.distribution,
        description=layer.description,
        architecture=layer.architecture,
        base_name=package.naming.base,
        version_in_name=version_in_name(layer.collector_version),
        collector_version=layer.collector_version,
    )
    return replace(
        row,
        md5_hash=package.md5,
        upstream_repository=layer.upstream.repository,
        upstream_ref=layer.upstream.ref,
        upstream_commit=layer.upstream.commit,
        ocelot=layer.ocelot,
        benched=layer.benched,
    )


def _base_in_this_run(target: Target, context: PublishContext) -> str:
    """Return the ARN of the layer version of a target's base, once that target has ended."""
    key = context.bases.get(target.key)
    if key is None:
        return ""
    context.ended[key].wait()
    return context.outcomes[key].arn


def _version(outcome: Outcome) -> LayerVersion:
    if outcome.version is None:
        raise ValueError("a version is published before anything else is done with it")
    return outcome.version
