"""Reconcile one target: observe it, plan the steps that are missing, apply them. It blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pipeline import progress
from pipeline.aws.layers import LayerUpload, LayerVersion, RegionClient, UncertainError
from pipeline.aws.policy import LayerPolicy
from pipeline.errors import RUN_AGAIN, Attempt, AwsError
from pipeline.parameters.plan import ParameterPlan
from pipeline.publish.observe import find_version, observe
from pipeline.publish.package import Package, bucket_upload, direct_upload
from pipeline.publish.parameters import (
    ParameterContext,
    check_own,
    set_target_parameters,
    with_parameters,
)
from pipeline.publish.plan import (
    PublishStep,
    Target,
    TargetKey,
    TargetObservation,
    TargetPlan,
    target_plan,
)
from pipeline.publish.published import version_row
from pipeline.publish.request import PublishRequest
from pipeline.registry.registry import Registry
from pipeline.registry.row import ForeignRow, Row, base_layer_arn
from pipeline.registry.tombstone import Tombstone

INTERRUPTED = "interrupted; the next run checks whether it was done"
# Uploads at a time, in all regions.
UPLOADS = 40
PUBLISH_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0
# After a lost answer: AWS may list a new version only some seconds later.
SEARCHES = 4


@dataclass(kw_only=True)
class TargetOutcome:
    """The outcome of a target, filled in step by step, so that an interruption loses nothing.

    Attributes:
        done: the steps that were applied.
        version: the layer version; None if there is none.
        error: why the target is not as it should be; empty if it is.
        seconds: duration of the work.
        retries: retries of requests to its region meanwhile.
        notes: for the user.
        parameters: the decisions on its parameters; the last ones, once they were set.
    """

    plan: TargetPlan
    done: tuple[PublishStep, ...] = ()
    version: LayerVersion | None = None
    error: str = INTERRUPTED
    seconds: float = 0.0
    retries: int = 0
    notes: tuple[str, ...] = ()
    parameters: tuple[ParameterPlan, ...] = ()

    @property
    def succeeded(self) -> bool:
        """True if the target is as it should be."""
        return not self.error

    @property
    def arn(self) -> str:
        """The layer version's ARN; empty if there is none."""
        return str(self.version.arn) if self.version else ""

    @property
    def public(self) -> bool:
        """True if every account may use the layer version."""
        return self.version is not None and self.version.policy.public

    @property
    def shared_with(self) -> tuple[str, ...]:
        """The organisations and accounts that may use the layer version, sorted."""
        return self.version.policy.shared_with if self.version else ()


@dataclass(frozen=True, kw_only=True)
class PublishContext:
    """The values that all targets of a run share.

    Attributes:
        registry: None for none.
        parameters: None if no parameters are to name the layers.
        dry_run: whether only to decide.
        bases: targets whose base is a target of the same run, each with that one: the base's row
            must be written first.
        ended: set when a target has ended.
        plans: filled in, by target.
        outcomes: filled in, by target.
        uploading: limits the uploads at a time.
        uploads: filled in, by layer: an upload is made once for all regions.
        making: held while an upload is made.
    """

    request: PublishRequest
    registry: Registry | None
    parameters: ParameterContext | None = None
    dry_run: bool
    bases: Mapping[TargetKey, TargetKey]
    ended: Mapping[TargetKey, threading.Event]
    plans: dict[TargetKey, TargetPlan] = field(default_factory=dict[TargetKey, TargetPlan])
    outcomes: dict[TargetKey, TargetOutcome] = field(default_factory=dict[TargetKey, TargetOutcome])
    uploading: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(UPLOADS))
    uploads: dict[str, LayerUpload] = field(default_factory=dict[str, LayerUpload])
    making: threading.Lock = field(default_factory=threading.Lock)

    def upload(self, package: Package) -> LayerUpload:
        """Return the upload of a package, which is made when it is first needed.

        Raises:
            UsageError: the zip has changed since it was read first.
        """
        with self.making:
            if package.layer not in self.uploads:
                self.uploads[package.layer] = direct_upload(package)
            return self.uploads[package.layer]


def reconcile(target: Target, region: RegionClient, context: PublishContext) -> None:
    """Observe a target, plan and apply its steps; plan and outcome are left in the context."""
    started, retries = time.monotonic(), region.retries
    try:
        plan = _plan(target, observe(target, region, context.registry), region, context)
        context.plans[target.key] = plan
        if context.dry_run:
            return
        outcome = TargetOutcome(
            plan=plan, version=plan.version, notes=plan.notes, parameters=plan.parameters
        )
        context.outcomes[target.key] = outcome
        error = plan.blocked or _applied(outcome, region, context)
        outcome.seconds, outcome.retries = time.monotonic() - started, region.retries - retries
        outcome.error = error  # last: it shows that the outcome is complete
    finally:
        context.ended[target.key].set()


def _plan(
    target: Target, observation: TargetObservation, region: RegionClient, context: PublishContext
) -> TargetPlan:
    plan = target_plan(
        target,
        observation,
        public=context.request.public,
        share=context.request.share,
        registry=context.registry is not None,
    )
    return with_parameters(plan, region, context.parameters)


def _applied(outcome: TargetOutcome, region: RegionClient, context: PublishContext) -> str:
    """Apply a plan's steps; return the error that ended them, empty if there was none.

    A reused layer version may have been deleted meanwhile: it is looked at again afterwards, and
    published anew if it is gone, so that no row and no parameter names it.
    """
    plan = outcome.plan
    if not plan.steps:
        return ""
    with progress.step(str(plan.target), plan.action) as shown:
        with Attempt() as steps:
            _apply_steps(plan.steps, outcome, region, context)
        error = steps.error
        with Attempt() as again:
            if plan.version and _is_gone(plan.version, region):
                error = ""
                _replace_deleted(plan.version, outcome, region, context)
        error = error or again.error
        shown.result = error or shown.result
    return error


def _apply_steps(
    steps: Sequence[PublishStep],
    outcome: TargetOutcome,
    region: RegionClient,
    context: PublishContext,
) -> None:
    apply = {
        PublishStep.PUBLISH: _publish,
        PublishStep.MAKE_PUBLIC: _make_public,
        PublishStep.MAKE_PRIVATE: _make_private,
        PublishStep.SHARE: _share,
        PublishStep.RECORD: _record,
        PublishStep.PARAMETERS: _set_parameters,
    }
    for step in steps:
        apply[step](outcome, region, context)
        outcome.done += (step,)


def _is_gone(version: LayerVersion, region: RegionClient) -> bool:
    return region.version(version.arn.name, version.arn.version) is None


def _replace_deleted(
    deleted: LayerVersion, outcome: TargetOutcome, region: RegionClient, context: PublishContext
) -> None:
    """Publish a zip whose layer version was deleted while the steps were applied to it.

    Raises:
        AwsError: a step fails.
    """
    outcome.version, outcome.done = None, ()
    registry = context.registry
    row = registry.row(deleted.arn) if registry else None
    if registry and isinstance(row, Row):
        registry.bury(Tombstone(row=row, deleted_at=datetime.now(UTC), plan=""), row)
    plan = _plan(outcome.plan.target, TargetObservation(), region, context)
    if plan.blocked:
        raise AwsError(f"{deleted.arn} was deleted meanwhile: {plan.blocked}", hint=RUN_AGAIN)
    outcome.notes += (
        f"version {deleted.arn.version} was deleted meanwhile: a new one takes its place",
    )
    _apply_steps(plan.steps, outcome, region, context)


def _publish(outcome: TargetOutcome, region: RegionClient, context: PublishContext) -> None:
    """Publish the zip. If two publishers do it at once, both use the oldest version."""
    package = outcome.plan.target.package
    if package.is_large and region.bucket:
        bucket, upload = region.bucket, bucket_upload(package, region.bucket.name)
        with context.uploading:
            bucket.put(package.key, package.path, package.sha256)
        made, is_own = _published(outcome, upload, region, context)
        try:
            bucket.delete(package.key)  # Lambda has its own copy
        except AwsError as error:
            outcome.notes += (f"{package.key} is left in {bucket.name}: {error}",)
    else:
        made, is_own = _published(outcome, context.upload(package), region, context)
    outcome.version = made  # known, even if the search fails
    oldest, notes = find_version(package, region)
    outcome.version = oldest or made
    if is_own and outcome.version.arn != made.arn:
        outcome.notes += _remove_double(made, outcome.version, region, context)
        oldest, notes = find_version(package, region)
    outcome.notes += notes


def _remove_double(
    double: LayerVersion, oldest: LayerVersion, region: RegionClient, context: PublishContext
) -> tuple[str, ...]:
    """Delete a version that this run published beside an older one, and return the notes on it.

    Another publisher may use it already, since AWS' list may lag behind: it is then shared or has
    a row, and is left alone.
    """
    layer, number = double.arn.name, double.arn.version
    label = f"version {number}, published at the same time as version {oldest.arn.version},"
    try:
        recorded = context.registry.row(double.arn) if context.registry else None
        if isinstance(recorded, Row | ForeignRow) or region.policy(layer, number).statements:
            return (f"{label} is in use by another publisher",)
        region.delete(layer, number)
    except AwsError as error:
        return (f"{label} cannot be deleted: {error}",)
    return (f"{label} was deleted",)


def _published(
    outcome: TargetOutcome, upload: LayerUpload, region: RegionClient, context: PublishContext
) -> tuple[LayerVersion, bool]:
    """Publish; after a lost answer, search for the version before a new attempt.

    Returns:
        The version, and whether it is certainly this run's own.

    Raises:
        AwsError: it was not published, or that is not known.
    """
    for attempt in range(PUBLISH_ATTEMPTS):
        try:
            with context.uploading:
                made = region.publish(upload)
        except UncertainError:
            found, _ = find_version(outcome.plan.target.package, region, searches=SEARCHES)
            if found:
                return found, False
            if attempt == PUBLISH_ATTEMPTS - 1:
                raise
            region.retries += 1
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            continue
        if made.sha256 != upload.sha256:
            raise AwsError(
                f"AWS stored sha256 {made.sha256} instead of {upload.sha256}",
                hint=f"delete {made.arn}, then run the same command again",
            )
        return made, True
    raise AssertionError("unreachable")


def _make_public(outcome: TargetOutcome, region: RegionClient, _: PublishContext) -> None:
    _change_policy(outcome, region, lambda policy: policy.with_public(public=True), "public")


def _make_private(outcome: TargetOutcome, region: RegionClient, _: PublishContext) -> None:
    _change_policy(outcome, region, lambda policy: policy.with_public(public=False), "private")


def _share(outcome: TargetOutcome, region: RegionClient, context: PublishContext) -> None:
    share = context.request.share or ()
    _change_policy(outcome, region, lambda policy: policy.with_shares(share), "shared as requested")


def _change_policy(
    outcome: TargetOutcome,
    region: RegionClient,
    change: Callable[[LayerPolicy], LayerPolicy],
    state: str,
) -> None:
    """Change the policy of a layer version, and read it back.

    Args:
        outcome: gets the policy as AWS has it afterwards.
        region: of the layer version.
        change: returns the policy as it should be.
        state: of the layer version afterwards, in a few words.

    Raises:
        AwsError: the policy is not as it should be.
    """
    version = _version(outcome)
    layer, number = version.arn.name, version.arn.version
    before, after = version.policy, change(version.policy)
    for each in before.without(after):
        region.remove_statement(layer, number, each.id)
    for each in after.without(before):
        region.add_statement(layer, number, each)
    now = region.policy(layer, number)
    outcome.version = replace(version, policy=now)
    if change(now) != now:
        raise AwsError(
            f"{version.arn} is not {state}, though AWS accepted the change of its policy",
            hint="check its statements: aws lambda get-layer-version-policy "
            f"--layer-name {version.arn.layer} --version-number {number}",
        )


def _record(outcome: TargetOutcome, _: RegionClient, context: PublishContext) -> None:
    if context.registry is None:
        return
    target = outcome.plan.target
    package = target.package
    row = version_row(
        package.entry, _version(outcome), base_name=package.base_name, md5=package.md5
    )
    base = _base_in_this_run(target, context)
    if not base and (name := context.request.based_on.get(row.distribution)):
        base = base_layer_arn(context.registry.of_distribution(name).rows, row, name)
    present = context.registry.put(replace(row, base_layer_arn=base))
    if present:
        reason = present.reason if isinstance(present, ForeignRow) else "it has another content"
        raise AwsError(
            f"the registry's row of {row.arn} contradicts it and was left alone: {reason}",
            hint=f"compare them: ocelot layers show {row.arn}",
        )


def _set_parameters(outcome: TargetOutcome, region: RegionClient, context: PublishContext) -> None:
    if context.parameters is None:
        return
    outcome.parameters = set_target_parameters(
        outcome.plan.target, _version(outcome), region, context.parameters
    )
    check_own(outcome.parameters)


def _base_in_this_run(target: Target, context: PublishContext) -> str:
    """Wait for the target of the base; return its layer version's ARN, empty if there is none."""
    key = context.bases.get(target.key)
    if key is None:
        return ""
    context.ended[key].wait()
    return context.outcomes[key].arn


def _version(outcome: TargetOutcome) -> LayerVersion:
    if outcome.version is None:
        raise ValueError("a version is published before it is made public, recorded or named")
    return outcome.version
