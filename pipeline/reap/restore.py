"""Restore a deleted layer version: its zip is published again, as a new version.

`ocelot reap --restore` starts here. `rebuild.py` finds or builds the zip, `republish.py` decides
(pure) how it is published, and `pipeline.publish` publishes it.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from pipeline.aws.download import download_layer, published_layer, retried_download
from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.aws.policy import NO_POLICY, LayerPolicy
from pipeline.aws.session import Aws, identified
from pipeline.build.bundling import BundleInputs
from pipeline.build.inputs import BuildInputs
from pipeline.errors import PublishError, UsageError, VerifyError
from pipeline.files import ensure_writable, write_atomic
from pipeline.naming import LayerArn, layer_arn, zip_name
from pipeline.publish.observe import find_version
from pipeline.publish.package import Package
from pipeline.publish.plan import TargetPlan
from pipeline.publish.reconcile import TargetOutcome
from pipeline.publish.run import PublishResult, publish
from pipeline.reap.rebuild import FoundZip, ZipSource, bundle_zip, kept_zip, locked_zip
from pipeline.reap.republish import (
    RestoreRequest,
    found_tombstone,
    publish_request,
    restored_package,
)
from pipeline.reap.tombstones import Tombstones
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone
from pipeline.threads import in_thread


class RestoreState(StrEnum):
    """The state of a deleted layer version after a run."""

    EXISTS = "exists"
    RESTORED_BEFORE = "restored before"
    PLANNED = "to restore"
    RESTORED = "restored"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class RestoreContext:
    """All that a restoration needs.

    Attributes:
        aws: makes the clients.
        registry: None for none.
        tombstones: has the tombstone.
        inputs: of a build, or a bundle; None without a configuration, which only a kept zip needs
            not.
        cache: the user cache.
    """

    aws: Aws
    registry: Registry | None
    tombstones: Tombstones
    inputs: BuildInputs | None
    cache: Path


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """The result of a restoration.

    Attributes:
        found: the zip; None if nothing was to be done.
        version: the layer version with the content now; None if there is none.
        plan: of publishing; None if nothing was to be done.
        outcome: of publishing; None if nothing was done.
    """

    tombstone: Tombstone
    state: RestoreState
    found: FoundZip | None = None
    version: LayerVersion | None = None
    plan: TargetPlan | None = None
    outcome: TargetOutcome | None = None

    @property
    def action(self) -> str:
        """The steps of publishing in a few words; empty if nothing was to be done."""
        return self.plan.action if self.plan else ""

    @property
    def policy(self) -> LayerPolicy:
        """The policy of the layer version: as it is, or as it will be."""
        if self.version and (self.outcome or not self.plan):
            return self.version.policy
        return self.plan.policy if self.plan else NO_POLICY

    @property
    def error(self) -> str:
        """The error for which it is not as it should be; empty for none."""
        if self.outcome:
            return self.outcome.error
        return self.plan.blocked if self.plan else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of publishing, for the user."""
        if self.outcome:
            return self.outcome.notes
        return self.plan.notes if self.plan else ()


async def restore(request: RestoreRequest, context: RestoreContext) -> RestoreResult:
    """Publish the zip of a deleted layer version again, and note that in its tombstone.

    Nothing is published unless the zip has the SHA-256 of the tombstone. If publishing fails, the
    result's state says so; `check_outcomes` of `pipeline.publish.run` raises its error.

    Raises:
        AwsError: no credentials, another account, or no registry; or AWS does not answer.
        ReapError: there is no tombstone, or it is damaged.
        LockError: the zip cannot be built, and no other one was given.
        VerifyError: the zip has another SHA-256.
        OcelotError: the zip cannot be built.
    """
    arn = request.arn
    # 1. identity, tombstone, and the layer versions that exist
    await identified(context.aws, (arn.region,), arn.partition, arn.account)
    if context.registry:
        await in_thread(context.registry.check)
    recorded = await in_thread(partial(context.tombstones.row, arn))
    region = await in_thread(partial(RegionClient, context.aws, arn.region))
    present = await in_thread(partial(_with_policy, region, arn))
    tombstone = found_tombstone(arn, recorded, exists=present is not None)
    if present:
        return RestoreResult(tombstone=tombstone, state=RestoreState.EXISTS, version=present)
    if before := await in_thread(partial(_restored_before, tombstone, region)):
        state = RestoreState.RESTORED_BEFORE
        return RestoreResult(tombstone=tombstone, state=state, version=before)
    # 2. the zip, in a temporary folder: nothing changes it meanwhile
    ensure_writable(context.cache)
    with tempfile.TemporaryDirectory(dir=context.cache, prefix=".restore-") as folder:
        row = tombstone.row
        package = restored_package(row, Path(folder) / zip_name(row.architecture, row.distribution))
        same = await in_thread(partial(_same_version, package, region))
        found = await _found_zip(request, context, tombstone, same)
        write_atomic(package.path, found.content)
        package = replace(package, size=len(found.content))
        # 3. publish
        wanted = publish_request(package, tombstone, same, request, _bases(context.inputs))
        results: list[PublishResult] = []
        try:
            dry_run = not request.apply
            await publish(wanted, context.aws, context.registry, results.append, dry_run=dry_run)
        except PublishError:
            if not results:
                raise
    return await _noted(request, context, tombstone, found, results[0])


def _restored_before(tombstone: Tombstone, region: RegionClient) -> LayerVersion | None:
    """Return the layer version as which the tombstone says that it was restored, if it exists."""
    try:
        arn = layer_arn(tombstone.restored_as)
    except UsageError:
        return None
    if arn.layer != tombstone.arn.layer:
        return None
    found = _with_policy(region, arn)
    return found if found and found.sha256 == tombstone.row.code_sha256 else None


def _with_policy(region: RegionClient, arn: LayerArn) -> LayerVersion | None:
    """Return a layer version with its policy; None if it does not exist."""
    found = region.version(arn.name, arn.version)
    return found and replace(found, policy=region.policy(arn.name, arn.version))


def _same_version(package: Package, region: RegionClient) -> LayerVersion | None:
    """Return the oldest version of the layer with the same content, with its policy."""
    found, _ = find_version(package, region)
    return found and _with_policy(region, found.arn)


async def _found_zip(
    request: RestoreRequest,
    context: RestoreContext,
    tombstone: Tombstone,
    same: LayerVersion | None,
) -> FoundZip:
    """Return the zip from where the user says, from AWS, or from a build."""
    row, inputs = tombstone.row, context.inputs
    if request.zip:
        return await in_thread(partial(kept_zip, request.zip, row))
    if isinstance(inputs, BundleInputs):
        return await bundle_zip(inputs, row)
    if same:
        return await in_thread(partial(_downloaded, context.aws, same.arn, row))
    if inputs is None:
        raise UsageError("there is no configuration", hint="name the config folder: --config")
    return await locked_zip(tombstone, inputs)


def _downloaded(aws: Aws, arn: LayerArn, row: Row) -> FoundZip:
    content = retried_download(partial(published_layer, aws, arn), download_layer)
    if (digest := hashlib.sha256(content).hexdigest()) != row.code_sha256:
        raise VerifyError(
            f"AWS serves a zip of {arn} with sha256 {digest} instead of {row.code_sha256}",
            hint="find out why before anyone uses it",
        )
    return FoundZip(source=ZipSource.LAYER, name=str(arn), content=content)


def _bases(inputs: BuildInputs | None) -> dict[str, str]:
    """Return the distributions that have a base, with its name."""
    if inputs is None:
        return {}
    return {name: each.base for name, each in inputs.config.distributions.items() if each.base}


async def _noted(
    request: RestoreRequest,
    context: RestoreContext,
    tombstone: Tombstone,
    found: FoundZip,
    result: PublishResult,
) -> RestoreResult:
    """Note the new version in the tombstone, and return the result."""
    (plan,), outcome = result.plans, next(iter(result.outcomes), None)
    version = outcome.version if outcome else plan.version
    state = RestoreState.RESTORED if request.apply else RestoreState.PLANNED
    if outcome and not outcome.succeeded:
        state = RestoreState.FAILED
    elif outcome and version:
        note = partial(context.tombstones.note_restored, tombstone.arn, version.arn)
        await in_thread(note)
    return RestoreResult(
        tombstone=tombstone, state=state, found=found, version=version, plan=plan, outcome=outcome
    )
