"""Delete the layer versions of one region that a plan names. It blocks.

Each layer version is looked at again right before. Its tombstone is written first, so that a run
that ends in between loses nothing: the next one finishes what it began.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import takewhile

from pipeline import progress
from pipeline.aws.functions import RegionFunctions
from pipeline.aws.layers import LayerVersion, RegionClient
from pipeline.build.lock import Locked
from pipeline.errors import RUN_AGAIN, Attempt, AwsError, ReapError, counted
from pipeline.naming import LayerArn, LayerNameParts
from pipeline.reap.observe import ReapScope, function_users, parameter_users
from pipeline.reap.parameters import NamedLayers, buried_release, planned_release
from pipeline.reap.plan import RegionUse, VersionPlan, region_reap
from pipeline.reap.references import References
from pipeline.reap.request import ReapRequest, Reason
from pipeline.reap.tombstones import Tombstones
from pipeline.registry.row import ForeignRow, Row, layer_row, row_as_in_aws
from pipeline.registry.tombstone import Tombstone

PENDING = f"not deleted: the run was interrupted; {RUN_AGAIN}"
INTERRUPTED = "interrupted; the next run checks whether it was deleted"
# Most entries of an answer that lists layer versions.
PAGE = 50
# Failures in a row after which the other layer versions of a region are not tried.
FAILURES = 3
# Times that a row which a publisher writes again is buried again.
BURIALS = 3


class VersionResult(StrEnum):
    """The result for a layer version that was to be deleted."""

    DELETED = "deleted"
    GONE = "already deleted"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(kw_only=True)
class VersionOutcome:
    """The outcome of a layer version, filled in as it comes: an interruption loses nothing.

    Attributes:
        ended: the result; and why it was kept or failed, else empty.
        tombstone: as it was written; None if it was not.
        notes: for the user.
        seconds: duration of the work.
    """

    plan: VersionPlan
    ended: tuple[VersionResult, str] = (VersionResult.FAILED, PENDING)
    tombstone: Tombstone | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def result(self) -> VersionResult:
        """The result for the layer version."""
        return self.ended[0]

    @property
    def why(self) -> str:
        """Why it was kept or failed; empty for another result."""
        return self.ended[1]

    @property
    def failed(self) -> bool:
        """True if it should have been deleted, and is not."""
        return self.result == VersionResult.FAILED

    @property
    def arn(self) -> str:
        """The layer version's ARN."""
        return str(self.plan.version.arn)


@dataclass(frozen=True, kw_only=True)
class ApplyContext:
    """The values that all regions of a run share.

    Attributes:
        scope: the publisher's layers.
        digest: of the plan, for the tombstones.
        now: the time, for the tombstones.
        locked: entries of ocelot.lock by the SHA-256 of a zip.
    """

    request: ReapRequest
    references: References
    scope: ReapScope
    digest: str
    now: datetime
    tombstones: Tombstones
    locked: Mapping[str, Locked] = field(default_factory=dict[str, Locked])


@dataclass(frozen=True, kw_only=True)
class Look:
    """A region as it was right before some deletions.

    Attributes:
        use: of the layers of these deletions.
        versions: the decisions anew, by ARN.
    """

    use: RegionUse
    versions: Mapping[str, VersionPlan]


@dataclass(kw_only=True)
class RegionReaper:
    """Deletes the layer versions of a region, one after another.

    Attributes:
        layers: of the region.
        functions: of the same region.
        names: the region's parameters; None for none.
        outcomes: of all that is to be deleted, the oldest first; filled in.
        done: tombstones of the same plan, whose layer versions an earlier run deleted.
        failures: number of failures in a row.
    """

    layers: RegionClient
    functions: RegionFunctions
    names: NamedLayers | None
    context: ApplyContext
    outcomes: Sequence[VersionOutcome]
    done: Sequence[Tombstone] = ()
    failures: int = 0

    def run(self) -> str:
        """Delete, and return why the parameters of an earlier run's deletions may be wrong."""
        region, count = self.layers.region, len(self.outcomes)
        title = f"delete {counted(count, 'layer version')}" if count else "check the parameters"
        with progress.step(region, title) as step:
            with Attempt() as attempt:
                self._finish()
            self._delete_all()
            failed = sum(each.failed for each in self.outcomes)
            step.result = attempt.error or (f"{failed} of {count} failed" if failed else "done")
        return attempt.error

    def _finish(self) -> None:
        """Have no parameter name a layer version that an earlier run deleted."""
        if not self.done or self.names is None:
            return
        users = parameter_users(self.names.parameters.below().values())
        for each in self.done:
            release = buried_release(each.row, self.context.scope.base)
            if release and release.arn in users:
                for line in self.names.free(release, users[release.arn]):
                    progress.note(f"{self.layers.region}: {line}")

    def _delete_all(self) -> None:
        pending = list(self.outcomes)
        while pending:
            with Attempt() as attempt:
                look, size = self._look(pending)
                for each in pending[:size]:
                    self._delete(each, look)
                    pending.remove(each)
                    if self.failures >= FAILURES:
                        raise ReapError(f"not tried after {FAILURES} failures", hint=RUN_AGAIN)
            if attempt.error:
                for each in pending:
                    each.ended = (VersionResult.FAILED, attempt.error)
                return

    def _look(self, pending: Sequence[VersionOutcome]) -> tuple[Look, int]:
        """Look at the region again; return how it is, and for how many deletions that counts.

        These are half as many as the requests of the look: with few functions and layer versions,
        one. So a deletion takes two requests more than its own, however many functions there are.
        """
        scope, region = self.context.scope, self.layers.region
        seen = self.functions.using(scope.prefix(region))
        named = self.names.parameters.below() if self.names else {}
        parts = self._counted_layers(each.plan for each in pending[: seen.requests])
        listed = [self.layers.versions(name) for name in sorted(parts)]
        use = RegionUse(
            region=region,
            versions=tuple(each for versions in listed for each in versions),
            parts=parts,
            recorded={each.arn: found for each in pending if (found := each.plan.recorded)},
            functions=function_users(seen.functions),
            parameters=parameter_users(named.values()),
        )
        requests = seen.requests + sum(1 + len(versions) // PAGE for versions in listed)
        within = takewhile(lambda each: each.plan.version.arn.name in parts, pending)
        size = max(1, min((requests + 1) // 2, len(list(within))))
        decided = region_reap(use, self.context.request, self.context.references)
        versions = {str(each.version.arn): each for each in decided.versions}
        return Look(use=use, versions=versions), size

    def _counted_layers(self, plans: Iterable[VersionPlan]) -> dict[str, LayerNameParts]:
        """Return the layers, with their parts, that decide which of these versions are newest."""
        own = {each.version.arn.name: each.parts for each in plans}
        if not self.context.request.across_versions:
            return own
        series = {each.series for each in own.values()}
        named = {name: self.context.scope.parts(name) for name in self.layers.names()}
        others = {name: each for name, each in named.items() if each and each.series in series}
        return {**others, **own}

    def _delete(self, outcome: VersionOutcome, look: Look) -> None:
        started = time.monotonic()
        outcome.ended = (VersionResult.FAILED, INTERRUPTED)
        with Attempt() as attempt:
            outcome.ended = self._deleted(outcome, look)
        if attempt.error:
            outcome.ended = (VersionResult.FAILED, attempt.error)
        outcome.seconds = time.monotonic() - started
        self.failures = self.failures + 1 if outcome.failed else 0
        count = sum(each.result != VersionResult.FAILED for each in self.outcomes)
        progress.line(self.layers.region, f"{count} of {len(self.outcomes)} layer versions")

    def _deleted(self, outcome: VersionOutcome, look: Look) -> tuple[VersionResult, str]:
        plan, arn = outcome.plan, outcome.plan.version.arn
        release = planned_release(plan, self.context.scope.base)
        recorded = self.context.tombstones.row(arn)
        version = self.layers.version(arn.name, arn.version)
        # 1. it exists, and the plan's reasons still hold
        if version and (reason := self._kept(plan, version, recorded, look)):
            return VersionResult.KEPT, reason
        named_by = look.use.parameters.get(outcome.arn, ())
        is_named = self.names is not None and Reason.PARAMETER in plan.overridden
        if self.names and is_named:
            self.names.check_free(release, named_by)
        # 2. the tombstone
        tombstone = self._tombstone(plan, version, recorded)
        if not self._buried(tombstone, recorded, is_gone=version is None):
            return VersionResult.KEPT, "its row has changed in the last moment"
        outcome.tombstone = tombstone
        # 3. no parameter names it any more
        if self.names and is_named:
            outcome.notes += self.names.free(release, named_by)
        # 4. the deletion; it is done, even if what follows fails
        if version:
            self._delete_version(arn, recorded, tombstone)
        # 5. a publisher may have had a parameter name it, or written its row, meanwhile
        with Attempt() as attempt:
            if self.names:
                outcome.notes += self.names.free(release, ())
            outcome.notes += self._buried_again(tombstone)
        if attempt.error:
            return VersionResult.FAILED, f"it is deleted, but {attempt.error}"
        return (VersionResult.DELETED if version else VersionResult.GONE), ""

    def _delete_version(
        self,
        arn: LayerArn,
        recorded: Row | ForeignRow | Tombstone | None,
        tombstone: Tombstone,
    ) -> None:
        """Delete a layer version; if AWS refuses, and it still exists, its row comes back.

        An earlier run's tombstone stays: that run may be the one that deletes.
        """
        try:
            self.layers.delete(arn.name, arn.version)
        except AwsError:
            with Attempt():  # reported is why it was not deleted
                is_own = not isinstance(recorded, Tombstone)
                if is_own and self.layers.version(arn.name, arn.version):
                    self.context.tombstones.put(tombstone.row)
            raise

    def _kept(
        self,
        plan: VersionPlan,
        version: LayerVersion,
        recorded: Row | ForeignRow | Tombstone | None,
        look: Look,
    ) -> str:
        """Return why a layer version is kept after all; empty if it is not."""
        now = look.versions.get(str(version.arn))
        if now is None:
            return "AWS does not list it, but returns it"
        reasons = [*now.reasons, *self.context.references.by_sha256.get(version.sha256, ())]
        new = [
            f"{each.reason}: {each.text}" for each in reasons if each.reason not in plan.overridden
        ]
        if recorded != plan.recorded and not isinstance(recorded, Tombstone):
            new.append("its row has changed since the plan was made")
        if not new and self.names and Reason.PARAMETER not in plan.overridden:
            release = planned_release(plan, self.context.scope.base)
            new = [f"{Reason.PARAMETER}: parameter {name}" for name in self.names.naming(release)]
        return ", ".join(dict.fromkeys(new))

    def _tombstone(
        self,
        plan: VersionPlan,
        version: LayerVersion | None,
        recorded: Row | ForeignRow | Tombstone | None,
    ) -> Tombstone:
        """Return the tombstone of a layer version; one that is gone keeps the facts of its row."""
        arn = plan.version.arn
        if version:
            version = replace(version, policy=self.layers.policy(arn.name, arn.version))
        row = buried_row(plan, version, recorded, base=self.context.scope.base)
        locked = self.context.locked.get(row.code_sha256)
        entry = locked.model_dump(mode="json", by_alias=True) if locked else None
        return Tombstone(
            row=row,
            deleted_at=self.context.now,
            plan=self.context.digest,
            forced=plan.overridden,
            lock=json.dumps(entry) if entry else "",
        )

    def _buried(
        self,
        tombstone: Tombstone,
        recorded: Row | ForeignRow | Tombstone | None,
        *,
        is_gone: bool,
    ) -> bool:
        """Write a tombstone; return False if the row has changed since it was read.

        That of another run is left as it is if its layer version is gone: that run deleted it.
        """
        if isinstance(recorded, Tombstone) and (is_gone or recorded.plan == tombstone.plan):
            return True
        if isinstance(recorded, ForeignRow):
            return False
        return self.context.tombstones.bury(tombstone, recorded)

    def _buried_again(self, tombstone: Tombstone) -> tuple[str, ...]:
        """Replace a row that a publisher wrote meanwhile by the tombstone; return a note on it."""
        for attempt in range(BURIALS + 1):
            row = self.context.tombstones.row(tombstone.arn)
            if not isinstance(row, Row):
                return ("a publisher had written its row again: it was removed",) if attempt else ()
            self.context.tombstones.bury(tombstone, row)
        raise ReapError(
            "its row is written again all the time, though it is deleted",
            hint="run ocelot layers sync when no publisher runs",
        )


def buried_row(
    plan: VersionPlan,
    version: LayerVersion | None,
    recorded: Row | ForeignRow | Tombstone | None,
    *,
    base: str,
) -> Row:
    """Return the row in a layer version's tombstone.

    Args:
        plan: of the layer version.
        version: with sha256 and policy; None if it is gone.
        recorded: its row or tombstone; None for none.
        base: beginning of the publisher's layer names.
    """
    known = recorded.row if isinstance(recorded, Tombstone) else recorded
    true = version or replace(plan.version, sha256=plan.version.described_sha256)
    row = known if isinstance(known, Row) else None
    row = row or layer_row(
        true,
        distribution=plan.parts.distribution,
        description="",
        architecture=plan.parts.architecture,
        base_name=base,
        version_in_name=plan.parts.version,
        collector_version=plan.parts.collector_version,
    )
    if version is None:
        return row
    return replace(
        row_as_in_aws(row, version),
        code_sha256=version.sha256,
        zip_size=row.zip_size or version.size,
    )
