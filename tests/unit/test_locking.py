"""`ocelot lock` of distributions, and a plan of a lock's entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from paper_go import PaperGo, PaperUpstream, sum_of
from test_apply import Notes
from unit_examples import (
    COMMIT,
    MINE,
    MINE_ENTRY,
    MINIMAL,
    OTLP,
    WITH_MINE,
    loaded,
    planned,
)

from pipeline.build.lock import Locked, read_lock, write_entries
from pipeline.build.locking import (
    LockResult,
    check_outcomes,
    entries,
    lock_distributions,
)
from pipeline.build.plan import BuildPlan
from pipeline.build.request import BuildRequest, plan_build
from pipeline.build.upstream import Resolved
from pipeline.config.folder import Config
from pipeline.errors import ConfigError, LockError, OcelotError, ToolchainError, UpstreamError
from pipeline.naming import Architecture
from pipeline.progress import shown_by
from pipeline.report.build import lock_json

NEWER = "f" * 40
MODULE = "example.com/mine"


@dataclass(kw_only=True)
class Desk:
    """A config folder, an upstream and a Go."""

    folder: Path
    go: PaperGo
    upstream: PaperUpstream = field(default_factory=PaperUpstream)
    notes: Notes = field(default_factory=Notes)
    config: Config = field(init=False)

    def __post_init__(self) -> None:
        self.write(MINIMAL)

    def write(self, distributions: str, components: str = MINE_ENTRY) -> None:
        self.config = loaded(self.folder, distributions, components)

    def request(self, name: str = "minimal") -> BuildRequest:
        return BuildRequest(distribution=name, upstream=self.upstream)

    def look(self, *names: str, upgrade: bool = False) -> tuple[LockResult, ...]:
        requests = [self.request(name) for name in names or ["minimal"]]
        compiler = self.go.compiler(self.folder.parent)
        call = partial(lock_distributions, requests, self.config, compiler, upgrade=upgrade)
        with shown_by(self.notes):
            return anyio.run(call)

    def lock(self, *names: str, upgrade: bool = False) -> tuple[LockResult, ...]:
        done = self.look(*names, upgrade=upgrade)
        write_entries(self.folder, *entries(done))
        return done

    def check(self) -> tuple[LockResult, ...]:
        return anyio.run(lock_distributions, [self.request()], self.config, None)

    def plan(self, **more: Any) -> BuildPlan:  # noqa: ANN401
        with shown_by(self.notes):
            return anyio.run(plan_build, replace(self.request(), **more), self.config)


@pytest.fixture
def desk(tmp_path: Path, go: PaperGo) -> Desk:
    return Desk(folder=tmp_path / "config", go=go)


def test_the_first_time_a_distribution_is_new_and_its_entry_says_all(desk: Desk) -> None:
    desk.write(WITH_MINE)
    (done,) = desk.lock()
    assert (done.status, done.before, done.after) == ("new", None, read_lock(desk.folder).locked[0])
    entry = done.after
    assert entry
    assert (entry.commit, entry.collector) == (COMMIT, "v0.155.0")
    assert entry.custom_modules == entry.go_mod == (f"{MODULE}@v0.155.0",)
    assert entry.go_sum == (sum_of("first"),)
    assert entry.zips == {}


def test_where_nothing_changed_go_does_not_run_and_the_entry_stays(desk: Desk) -> None:
    desk.write(WITH_MINE)
    desk.lock()
    desk.go.required.clear()
    (done,) = desk.lock()
    assert (done.status, done.after) == ("unchanged", done.before)
    assert desk.go.required == []


def test_a_change_of_the_configuration_changes_the_entry_and_is_named(desk: Desk) -> None:
    desk.lock()
    desk.write(WITH_MINE)
    (done,) = desk.lock()
    assert done.status == "changed"
    assert f"build tags: here but not locked: {MINE}" in done.differences
    assert read_lock(desk.folder).locked == (done.after,)


def test_what_changed_has_no_digests_of_zips_any_more(desk: Desk) -> None:
    (first,) = desk.lock()
    assert first.after
    built = first.after.model_copy(update={"zips": {Architecture.AMD64: "1" * 64}})
    write_entries(desk.folder, built)
    (same,) = desk.lock()
    desk.write(WITH_MINE)
    (changed,) = desk.lock()
    assert same.after == built
    assert changed.after
    assert changed.after.zips == {}


def test_a_branch_that_moved_on_is_followed_by_an_upgrade_alone(desk: Desk) -> None:
    desk.lock()
    desk.upstream.resolved = Resolved(commit=NEWER, kind="branch")
    (kept,) = desk.lock()
    assert kept.status == "unchanged"
    assert any("has moved on" in note for note in desk.notes.notes)
    (followed,) = desk.lock(upgrade=True)
    assert (followed.status, followed.differences) == (
        "changed",
        (f"upstream: locked at {COMMIT}, here {NEWER}",),
    )
    assert read_lock(desk.folder).locked[0].commit == NEWER


def test_an_upgrade_that_finds_nothing_new_keeps_the_digests_of_zips(desk: Desk) -> None:
    (first,) = desk.lock()
    assert first.after
    built = first.after.model_copy(update={"zips": {Architecture.AMD64: "1" * 64}})
    write_entries(desk.folder, built)
    (done,) = desk.lock(upgrade=True)
    assert (done.status, done.after) == ("unchanged", built)


def changed_module(desk: Desk) -> None:
    """Lock a module, publish it again with other content, and change the configuration."""
    desk.write(WITH_MINE)
    desk.lock()
    desk.go.content = "second"
    desk.write(WITH_MINE.replace(OTLP, f"{OTLP}, lambdacomponents.processor.batch"))


def test_a_module_that_was_published_again_is_reported_with_both_sums(desk: Desk) -> None:
    changed_module(desk)
    (done,) = desk.look()
    assert isinstance(done.error, LockError)
    sums = [sum_of(content).split()[-1] for content in ("first", "second")]
    assert done.error.details == (f"{MODULE} v0.155.0: locked {sums[0]}, now {sums[1]}",)
    assert done.after is None


def test_an_upgrade_takes_a_module_that_was_published_again(desk: Desk) -> None:
    changed_module(desk)
    (done,) = desk.lock(upgrade=True)
    assert done.after
    assert done.after.go_sum == (sum_of("second"),)


BROKEN = f"""\
fine:
  buildtags: [{OTLP}]
broken:
  buildtags: [lambdacomponents.exporter.olpt]
lacking:
  buildtags: [{MINE}]
"""


def test_a_distribution_that_fails_holds_up_no_other(desk: Desk) -> None:
    desk.write(BROKEN)
    desk.go.lacking = [f"{MODULE}@v0.155.0"]
    done = desk.lock("broken", "lacking", "fine")
    assert [each.status for each in done] == ["failed", "failed", "new"]
    assert [each.distribution for each in read_lock(desk.folder).locked] == ["fine"]


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("lacking", "broken"), ToolchainError), (("broken", "lacking"), ConfigError)],
)
def test_failures_are_reported_together_and_named(
    names: Sequence[str], kind: type[OcelotError], desk: Desk
) -> None:
    desk.write(BROKEN)
    desk.go.lacking = [f"{MODULE}@v0.155.0"]
    with pytest.raises(kind) as caught:
        check_outcomes(desk.lock(*names), check=False)
    text = caught.value.text()
    for part in ("lacking: modules", "404", "broken: 1 problem", "olpt"):
        assert part in text
    assert caught.value.hint


def test_a_distribution_of_an_unknown_name_is_named(desk: Desk) -> None:
    (done,) = desk.look("minimla")
    assert "perhaps you meant minimal?" in str(done.error)


def test_a_tag_that_was_moved_is_an_error_until_it_is_upgraded(desk: Desk) -> None:
    desk.lock()
    desk.upstream.resolved = Resolved(commit=NEWER, kind="tag")
    (refused,) = desk.look()
    assert refused.error
    assert refused.error.details == (f"locked: {COMMIT}", f"now:    {NEWER}")
    assert desk.lock(upgrade=True)[0].status == "changed"


def test_a_check_of_what_is_up_to_date_passes(desk: Desk) -> None:
    desk.lock()
    check_outcomes(desk.check(), check=True)


def test_a_check_of_what_is_not_locked_says_so(desk: Desk) -> None:
    with pytest.raises(LockError) as caught:
        check_outcomes(desk.check(), check=True)
    assert caught.value.details == ("minimal: is not in it",)


def test_a_check_names_what_differs_without_running_go(desk: Desk) -> None:
    desk.lock()
    desk.write(WITH_MINE)
    desk.go.required.clear()
    with pytest.raises(LockError) as caught:
        check_outcomes(desk.check(), check=True)
    assert f"minimal: build tags: here but not locked: {MINE}" in caught.value.details
    assert desk.go.required == []


def test_a_failure_stands_in_the_json(desk: Desk) -> None:
    desk.write(BROKEN)
    assert '"error": "1 problem in the configuration' in lock_json(desk.look("broken"))


def locked_plan(desk: Desk, **changed: object) -> tuple[BuildPlan, Locked]:
    """A plan of the example with its own entry, in which values were changed."""
    desk.write(WITH_MINE)
    (done,) = desk.lock()
    assert done.after
    entry = done.after.model_copy(update=changed)
    return planned(desk.config, entry=entry), entry


def test_a_plan_that_differs_in_nothing_keeps_to_its_entry(desk: Desk) -> None:
    digest = "1" * 64
    plan, entry = locked_plan(desk, zips={Architecture.ARM64: digest})
    assert (plan.locked, plan.deviations) == (entry, ())
    assert [layer.expected for layer in plan.layers] == ["", digest]


def test_a_locked_plan_requires_what_the_lock_has_and_lets_go_add_nothing(desk: Desk) -> None:
    plan, _ = locked_plan(
        desk,
        go_mod=("a.b/indirect@v0.1.0", f"{MODULE}@v0.155.0", "go@1.26.0", "toolchain@go1.26.1"),
    )
    require, *modules = plan.prepare()
    assert require.argv == (
        *("go", "mod", "edit", "-require=a.b/indirect@v0.1.0", f"-require={MODULE}@v0.155.0"),
        *("-go=1.26.0", "-toolchain=go1.26.1"),
    )
    flags = [dict(step.env)["GOFLAGS"] for step in modules]
    assert flags == ["-mod=readonly -modcacherw"] * 2


def test_a_locked_plan_of_one_architecture_is_locked_too(desk: Desk) -> None:
    plan, _ = locked_plan(desk)
    *_, modules = plan.prepare(plan.layers[:1])
    assert dict(modules.env)["GOFLAGS"] == "-mod=readonly -modcacherw"


def test_without_modules_in_the_lock_nothing_is_required(desk: Desk) -> None:
    plan, _ = locked_plan(desk, go_mod=())
    assert {step.name for step in plan.prepare()} == {
        "modules for amd64",
        "modules for arm64",
    }


def test_the_locks_sums_are_in_go_sum(desk: Desk) -> None:
    plan, entry = locked_plan(desk)
    assert plan.tree["go.sum"].decode().splitlines() == [*entry.go_sum]
    assert "go.sum" not in plan.upstream


def test_a_plan_that_strays_says_why_and_lets_go_find_out_modules(desk: Desk) -> None:
    plan, entry = locked_plan(desk, go="1.26.5", zips={Architecture.AMD64: "1" * 64})
    assert (plan.locked, plan.deviations) == (None, ("Go: locked 1.26.5, here 1.26.6",))
    assert {layer.expected for layer in plan.layers} == {""}
    flags = {dict(step.env)["GOFLAGS"] for step in plan.prepare()[1:]}
    assert flags == {"-mod=mod -modcacherw"}
    # a module that was locked must not change all the same
    assert plan.tree["go.sum"].decode().splitlines() == [*entry.go_sum]


def test_other_locked_modules_give_another_key(desk: Desk) -> None:
    plan, _ = locked_plan(desk)
    other, _ = locked_plan(desk, go_mod=(f"{MODULE}@v0.155.1",))
    assert plan.layers[0].key != other.layers[0].key


def test_a_build_without_an_entry_is_not_locked(desk: Desk) -> None:
    plan = desk.plan()
    assert plan.locked is None
    assert plan.deviations == (
        "the lock has no entry for this distribution, upstream repository and ref",
    )
    assert plan.notes == ()


def test_a_build_that_differs_from_its_lock_says_so(desk: Desk) -> None:
    desk.lock()
    desk.write(WITH_MINE)
    plan = desk.plan()
    assert plan.locked is None
    assert f"not locked: build tags: here but not locked: {MINE}" in plan.notes


def test_what_strays_is_refused_where_the_lock_is_to_be_kept_to(desk: Desk) -> None:
    desk.lock()
    desk.write(WITH_MINE)
    with pytest.raises(LockError) as caught:
        desk.plan(locked=True)
    assert f"build tags: here but not locked: {MINE}" in caught.value.details


def test_another_source_date_epoch_strays(desk: Desk) -> None:
    desk.lock()
    plan = desk.plan(epoch=1_700_000_000)
    assert plan.deviations[0].startswith("time of the files: locked")


def test_an_upstream_out_of_reach_is_built_as_it_was_locked_and_reported(desk: Desk) -> None:
    desk.lock()
    desk.upstream.unreachable = True
    plan = desk.plan()
    assert plan.locked
    assert desk.notes.notes == [
        f"owner/name cannot be reached; building the locked commit {COMMIT[:12]}"
    ]


def test_an_upstream_out_of_reach_that_is_not_locked_is_an_error(desk: Desk) -> None:
    desk.upstream.unreachable = True
    with pytest.raises(UpstreamError):
        desk.plan()


def test_another_commit_in_the_lock_than_the_requested_sha_is_refused(desk: Desk) -> None:
    desk.upstream = PaperUpstream(ref=COMMIT, resolved=Resolved(commit=COMMIT, kind="commit"))
    (done,) = desk.lock()
    assert done.after
    write_entries(desk.folder, done.after.model_copy(update={"commit": NEWER}))
    with pytest.raises(LockError) as caught:
        desk.plan()
    assert caught.value.details == (f"locked: {NEWER}", f"now:    {COMMIT}")
