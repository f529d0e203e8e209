"""Bring the lock up to date, for `ocelot lock`.

Go itself resolves the modules that custom components add, for both architectures; the lock has
the difference from upstream's go.mod and go.sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import progress
from pipeline.build import lock
from pipeline.build.compile import Compiler, resolved_modules
from pipeline.build.failure import merged_error
from pipeline.build.lock import Lock, Locked
from pipeline.build.modules import added_requirements, added_sums, changed_sums
from pipeline.build.plan import BuildPlan
from pipeline.build.request import BuildRequest, plan_commit
from pipeline.config.folder import Config
from pipeline.errors import LockError, OcelotError
from pipeline.files import Tree


@dataclass(frozen=True, kw_only=True)
class LockResult:
    """The result of locking one distribution.

    Attributes:
        before: the lock's entry so far.
        after: the entry as it should be; None where it could not be made.
        differences: what differs from the entry so far.
        error: the reason, where it could not be made.
    """

    distribution: str
    before: Locked | None = None
    after: Locked | None = None
    differences: tuple[str, ...] = ()
    error: OcelotError | None = None

    @property
    def status(self) -> str:
        """`failed`, `new`, `changed` or `unchanged`."""
        if self.error:
            return "failed"
        if self.before is None:
            return "new"
        return "changed" if self.differences else "unchanged"


async def lock_distributions(
    requests: Sequence[BuildRequest],
    config: Config,
    compiler: Compiler | None,
    *,
    upgrade: bool = False,
) -> tuple[LockResult, ...]:
    """Lock one distribution after the other; one that fails does not stop the others.

    Args:
        requests: what to lock, each for both architectures.
        config: the checked configuration.
        compiler: how Go is run; None to find only what would change, without any module.
        upgrade: follow the refs to where they are now, and forget the modules' sums.
    """
    old = lock.read_lock(config.folder)
    return tuple(
        [await _outcome(request, config, compiler, old, upgrade=upgrade) for request in requests]
    )


def entries(outcomes: Sequence[LockResult]) -> list[Locked]:
    """Return the entries that could be made."""
    return [each.after for each in outcomes if each.after]


def check_outcomes(outcomes: Sequence[LockResult], *, check: bool) -> None:
    """Fail where a distribution could not be locked or, for `--check`, is not up to date.

    Raises:
        OcelotError: all failures as one.
        LockError: the lock is not up to date.
    """
    failures = [each for each in outcomes if each.error]
    if failures:
        raise merged_error([_named(each) for each in failures])
    stale = [each for each in outcomes if each.status != "unchanged"]
    if check and stale:
        raise LockError(
            f"{lock.FILE_NAME} is not up to date",
            hint="run ocelot lock and commit the file",
            details=tuple(
                f"{each.distribution}: {reason}"
                for each in stale
                for reason in each.differences or ("is not in it",)
            ),
        )


def _named(outcome: LockResult) -> OcelotError:
    error = outcome.error or LockError("unknown")
    return error.with_message(f"{outcome.distribution}: {error}", error.details)


async def _outcome(
    request: BuildRequest,
    config: Config,
    compiler: Compiler | None,
    old: Lock,
    *,
    upgrade: bool,
) -> LockResult:
    name, upstream = request.distribution, request.upstream
    before = old.find(name, upstream.given, upstream.ref)
    kept = None if upgrade else before
    try:
        config.distribution(name)
        commit, note = lock.commit_to_build(kept, await upstream.resolve())
        if note:
            progress.note(f"{name}: {note}")
        plan = await plan_commit(request, config, commit, None)
        differences = lock.lock_differences(kept, plan.facts) if kept else ()
        if kept and not differences:
            return LockResult(distribution=name, before=before, after=before)
        after = await _entry(plan, compiler, kept) if compiler else None
    except OcelotError as error:
        return LockResult(distribution=name, before=before, error=error)
    if before and after and upgrade:
        differences = _moves(before, after)
        after = after if differences else before
    return LockResult(distribution=name, before=before, after=after, differences=differences)


async def _entry(plan: BuildPlan, compiler: Compiler, kept: Locked | None) -> Locked:
    entry = _locked(plan, await resolved_modules(plan.tree, plan.prepare(), compiler))
    changed = changed_sums(kept.go_sum, entry.go_sum) if kept else ()
    if changed:
        raise LockError(
            f"modules of {plan.facts.distribution} have changed since they were locked",
            hint="a version that was published twice, or a proxy that alters modules: find out "
            "which; to take what there is now: ocelot lock --upgrade",
            details=changed,
        )
    return entry


def _locked(plan: BuildPlan, resolved: Tree) -> Locked:
    """The entry for a plan whose modules were found out."""
    go_mod, go_sum = plan.tree.get("go.mod", b""), plan.tree.get("go.sum", b"")
    return Locked(
        **plan.facts.model_dump(),
        go_mod=added_requirements(go_mod, resolved.get("go.mod", b"")),
        go_sum=added_sums(go_sum, resolved.get("go.sum", b"")),
    )


def _moves(before: Locked, after: Locked) -> tuple[str, ...]:
    """The changes of an upgrade."""
    if before.model_copy(update={"zips": {}}) == after:
        return ()
    return lock.lock_differences(before, after) or ("modules or their sums",)
