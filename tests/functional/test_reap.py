"""Approved layer versions are deleted, unless they came into use; each has a tombstone first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from aws_rules import Call, Rule
from aws_wire import ACCESS_DENIED as DENIED
from deleting import (
    DELETE,
    Reaper,
    all_deleted,
    approved,
    arns,
    check_consistent,
    history,
    numbers,
    quick,
    results,
    tombstone_of,
)
from publish_examples import content
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    Publishing,
)
from reaping import FULL
from syncing import publish_by_hand, row_of, unpublish
from test_lock import entry as locked

from pipeline.build.lock import read_lock, write_entries
from pipeline.errors import ReapError
from pipeline.naming import Architecture
from pipeline.naming import layer_arn as parsed
from pipeline.reap.apply import VersionResult
from pipeline.reap.request import Reason
from pipeline.reap.run import Approval
from pipeline.registry.tombstone import Tombstone

NEWER = LAYER.replace("0_155", "0_156")
FUNCTIONS, VERSIONS, READ = "ListFunctions", "ListLayerVersions", "GetLayerVersion"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    quick(monkeypatch)


@pytest.fixture
def reaper(publishing: Publishing) -> Reaper:
    """A reaper of five versions with rows in one region, of which the newest is kept."""
    publishing.regions = [IRELAND]
    history(publishing, 5)
    return Reaper(publishing=publishing)


def at_first_deletion(reaper: Reaper, change: Callable[[], object]) -> None:
    """Change something when the first layer version is about to be deleted."""
    reaper.publishing.aws.rules(Rule(operation=DELETE, times=1, before=lambda _: change()))


def test_old_versions_are_deleted_and_have_tombstones(reaper: Reaper) -> None:
    plan = reaper.plan()
    rows = {each.arn: each for each in reaper.publishing.registry().all().rows}
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4))
    assert numbers(reaper.publishing) == [5]
    for each in plan.deletions:
        stone = tombstone_of(reaper.publishing, str(each.version.arn))
        assert stone
        size = stone.row.zip_size
        assert (size > 0, stone.plan, stone.forced) == (True, plan.digest, ())
        assert stone.row == replace(rows[each.version.arn], zip_size=size)
    check_consistent(reaper.publishing)


@pytest.mark.parametrize("table", [True, False])
def test_a_version_without_a_row_has_a_tombstone_with_all_that_aws_knows(
    publishing: Publishing, *, table: bool
) -> None:
    publishing.regions = [IRELAND]
    history(publishing, 2, rows=False)
    publish_by_hand(publishing, IRELAND, FULL, described="without a digest", epoch=1_760_000_000)
    publish_by_hand(publishing, IRELAND, FULL)
    permission = {"StatementId": "publish", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    client = publishing.client()
    client.add_layer_version_permission(LayerName=FULL, VersionNumber=1, **permission)
    reaper = Reaper(publishing=publishing, table=table)
    assert results(reaper.reap()) == all_deleted([*arns(1, layer=FULL), *arns(1)])
    store = publishing.registry() if table else reaper.folder
    stone = store.row(parsed(arns(1, layer=FULL)[0]))
    assert isinstance(stone, Tombstone)
    assert stone.row.code_sha256 == hashlib.sha256(content(epoch=1_760_000_000)).hexdigest()
    assert (stone.row.public, stone.row.distribution) == (True, "full")
    assert len(publishing.registry().all().tombstones) == (2 if table else 0)
    assert len(list(reaper.folder.all())) == (0 if table else 2)


def test_a_tombstone_has_the_entry_of_the_lock(reaper: Reaper) -> None:
    folder = reaper.publishing.folder / "config"
    folder.mkdir()
    row = row_of(reaper.publishing, arns(2)[0])
    assert row
    write_entries(folder, locked("minimal", zips={Architecture.AMD64: row.code_sha256}))
    reaper.config = folder
    assert [*results(reaper.reap())] == arns(1, 3, 4)
    reaper.changed = {"forced": frozenset({Reason.LOCK})}
    assert results(reaper.reap()) == all_deleted(arns(2))
    other, stone = (tombstone_of(reaper.publishing, arns(each)[0]) for each in (1, 2))
    assert other
    assert stone
    assert (stone.forced, other.lock) == (("lock",), "")
    (entry,) = read_lock(folder).locked
    assert type(entry).model_validate(json.loads(stone.lock)) == entry


def test_a_version_that_appears_in_mid_run_is_kept(reaper: Reaper) -> None:
    publishing = reaper.publishing
    at_first_deletion(
        reaper, lambda: publish_by_hand(publishing, IRELAND, LAYER, epoch=1_770_000_000)
    )
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4))
    assert numbers(publishing) == [5, 6]


@pytest.mark.parametrize("forced", [frozenset[Reason](), frozenset({Reason.USED})])
@pytest.mark.parametrize("published", [False, True])
def test_a_version_that_comes_into_use_is_kept(
    reaper: Reaper, forced: frozenset[Reason], *, published: bool
) -> None:
    reaper.changed = {"forced": forced}  # what is used since the plan is in no plan
    functions = reaper.publishing.aws.emulator.functions
    now, before = ((), [arns(3)]) if published else (arns(3), ())
    at_first_deletion(reaper, lambda: functions.add(IRELAND, "checkout", now, versions=before))
    done = results(reaper.reap())
    name = "checkout:1" if published else "checkout:$LATEST"
    assert done.pop(arns(3)[0]) == f"kept: used: function {name}"
    assert done == all_deleted(arns(1, 2, 4))
    assert numbers(reaper.publishing) == [3, 5]
    assert row_of(reaper.publishing, arns(3)[0])


def test_what_is_used_is_deleted_if_that_was_approved(reaper: Reaper) -> None:
    reaper.publishing.aws.emulator.functions.add(IRELAND, "checkout", arns(3))
    assert [*results(reaper.reap())] == arns(1, 2, 4)
    reaper.changed = {"forced": frozenset({Reason.USED})}
    assert results(reaper.reap()) == all_deleted(arns(3))
    stone = tombstone_of(reaper.publishing, arns(3)[0])
    assert stone
    assert stone.forced == ("used",)


def test_a_version_that_became_the_newest_is_kept(reaper: Reaper) -> None:
    at_first_deletion(reaper, lambda: unpublish(reaper.publishing, arns(5)[0]))
    done = results(reaper.reap())
    assert done.pop(arns(4)[0]).startswith("kept: newest")
    assert done == all_deleted(arns(1, 2, 3))


def test_of_all_collector_versions_the_newest_is_kept(reaper: Reaper) -> None:
    history(reaper.publishing, 2, NEWER)
    reaper.changed = {"across_versions": True}
    newest = arns(2, layer=NEWER)[0]
    at_first_deletion(reaper, lambda: unpublish(reaper.publishing, newest))
    done = results(reaper.reap())
    assert done.pop(arns(1, layer=NEWER)[0]).startswith("kept: newest")
    assert done == all_deleted(arns(1, 2, 3, 4, 5))


def test_all_versions_are_deleted_if_that_was_approved(reaper: Reaper) -> None:
    reaper.changed = {"forced": frozenset({Reason.NEWEST})}
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4, 5))
    deleted = [call.name.version for call in reaper.publishing.aws.calls(DELETE)]
    assert deleted == [1, 2, 3, 4, 5]  # the oldest first: the newest stays as long as any other
    assert numbers(reaper.publishing) == []


def test_a_version_whose_row_changes_is_kept(reaper: Reaper) -> None:
    row = row_of(reaper.publishing, arns(3)[0])
    assert row
    after = replace(row, md5_hash="0" * 32)
    at_first_deletion(reaper, lambda: reaper.publishing.registry().update(row, after))
    done = results(reaper.reap())
    assert "row" in done.pop(arns(3)[0])
    assert done == all_deleted(arns(1, 2, 4))
    assert row_of(reaper.publishing, arns(3)[0]) == after


def test_a_version_that_another_deleted_has_a_tombstone(reaper: Reaper) -> None:
    at_first_deletion(reaper, lambda: unpublish(reaper.publishing, arns(3)[0]))
    done = results(reaper.reap())
    assert done.pop(arns(3)[0]) == VersionResult.GONE
    assert done == all_deleted(arns(1, 2, 4))
    assert tombstone_of(reaper.publishing, arns(3)[0])
    assert len(reaper.publishing.aws.calls(DELETE)) == 4  # the other's, and these three


def test_a_row_that_a_publisher_writes_again_is_removed(reaper: Reaper) -> None:
    row = row_of(reaper.publishing, arns(2)[0])
    assert row

    def write_again(call: Call) -> None:
        if call.name.version == 2:
            assert reaper.publishing.registry().put(row) is None

    reaper.publishing.aws.rules(Rule(operation=DELETE, before=write_again))
    result = reaper.reap()
    assert results(result) == all_deleted(arns(1, 2, 3, 4))
    assert [bool(each.notes) for each in result.outcomes] == [False, True, False, False]
    check_consistent(reaper.publishing)
    assert tombstone_of(reaper.publishing, arns(2)[0])


@pytest.mark.parametrize(("number", "digest"), [(3, ""), (5, ""), (4, "0" * 16)])
def test_nothing_is_deleted_if_the_plan_is_another_one(
    reaper: Reaper, number: int, digest: str
) -> None:
    plan = reaper.plan()
    with pytest.raises(ReapError) as caught:
        reaper.reap(Approval(number=number, digest=digest or plan.digest))
    assert plan.digest in caught.value.text()
    assert reaper.publishing.writes() == []


@pytest.mark.parametrize("shown", [True, False])
def test_nothing_is_deleted_by_the_plan_of_another_day(reaper: Reaper, *, shown: bool) -> None:
    approval = approved(reaper.plan(), shown=shown)
    publish_by_hand(reaper.publishing, IRELAND, LAYER, epoch=1_770_000_000)
    reaper.publishing.aws.forget()
    with pytest.raises(ReapError) as caught:
        reaper.reap(approval)
    assert (arns(5)[0] in caught.value.text()) is shown  # it is no longer the newest
    assert reaper.publishing.writes() == []


def test_a_version_that_is_used_since_the_plan_is_named(reaper: Reaper) -> None:
    approval = approved(reaper.plan(), shown=True)
    reaper.publishing.aws.emulator.functions.add(IRELAND, "checkout", arns(3))
    with pytest.raises(ReapError) as caught:
        reaper.reap(approval)
    assert arns(3)[0] in caught.value.text()
    assert "function checkout" in caught.value.text()
    assert reaper.publishing.writes() == []


def test_a_plan_that_is_done_is_done_again_without_a_write(reaper: Reaper) -> None:
    approval = approved(reaper.plan())
    reaper.reap(approval)
    reaper.publishing.aws.forget()
    again = reaper.reap(approval)
    assert (again.outcomes, len(again.done)) == ((), 4)
    assert reaper.publishing.writes() == []


@pytest.mark.parametrize("table", [True, False])
def test_an_unfinished_plan_is_finished(reaper: Reaper, *, table: bool) -> None:
    reaper.table = table
    approval = approved(reaper.plan())
    reaper.publishing.aws.rules(Rule(operation=DELETE, skip=2, error=DENIED))
    first = reaper.reap(approval)
    assert [each.failed for each in first.outcomes] == [False, False, True, True]
    reaper.publishing.aws.rules()
    second = reaper.reap(approval)
    assert results(second) == all_deleted(arns(3, 4))
    assert sorted(str(each.arn) for each in second.done) == arns(1, 2)


def test_tombstones_of_an_older_plan_are_of_the_new_one_if_it_deletes(reaper: Reaper) -> None:
    reaper.publishing.aws.rules(Rule(operation=DELETE, error=DENIED))
    reaper.reap()
    reaper.publishing.aws.rules()
    history(reaper.publishing, 1, rows=False)
    approval = approved(reaper.plan())
    reaper.publishing.aws.rules(Rule(operation=DELETE, skip=1, error=DENIED))
    reaper.reap(approval)
    reaper.publishing.aws.rules()
    assert results(reaper.reap(approval)) == all_deleted(arns(2, 3, 4, 5))


def test_with_few_functions_the_region_is_looked_at_before_each_deletion(reaper: Reaper) -> None:
    approval = approved(reaper.plan())
    reaper.publishing.aws.forget()
    reaper.reap(approval)
    assert len(reaper.publishing.aws.calls(FUNCTIONS)) == 1 + 4
    assert len(reaper.publishing.aws.calls(VERSIONS)) == 1 + 4


def test_with_many_functions_a_look_counts_for_as_many_deletions(reaper: Reaper) -> None:
    for number in range(170):
        reaper.publishing.aws.emulator.functions.add(IRELAND, f"f{number}")
    approval = approved(reaper.plan())
    reaper.publishing.aws.forget()
    assert results(reaper.reap(approval)) == all_deleted(arns(1, 2, 3, 4))
    # four requests for the functions and one for the layer: each look counts for two
    assert len(reaper.publishing.aws.calls(FUNCTIONS)) == (1 + 2) * 4


def test_a_denied_region_holds_up_no_other(publishing: Publishing) -> None:
    publishing.regions = [IRELAND, FRANCE]
    history(publishing, 6, regions=publishing.regions)
    reaper = Reaper(publishing=publishing)
    publishing.aws.rules(Rule(operation=DELETE, region=IRELAND, error=DENIED))
    done = results(reaper.reap())
    failed = {arn: why for arn, why in done.items() if arn.split(":")[3] == IRELAND}
    assert {why.partition(":")[0] for why in failed.values()} == {"failed"}
    assert len(publishing.aws.calls(DELETE, IRELAND)) == 3  # then the region is given up
    assert {arn: done[arn] for arn in done.keys() - failed.keys()} == all_deleted(
        arns(1, 2, 3, 4, 5, region=FRANCE)
    )
    publishing.aws.rules()
    check_consistent(publishing, publishing.regions)
    live = {str(row.arn) for row in publishing.registry().all().rows if row.region == IRELAND}
    assert live == set(arns(1, 2, 3, 4, 5, 6))  # the rows of those not deleted are back


def test_a_region_that_cannot_be_looked_at_again_loses_nothing(publishing: Publishing) -> None:
    publishing.regions = [IRELAND, FRANCE]
    history(publishing, 3, regions=publishing.regions)
    reaper = Reaper(publishing=publishing)
    publishing.aws.rules(Rule(operation=FUNCTIONS, region=IRELAND, skip=2, error=DENIED))
    done = results(reaper.reap())
    assert numbers(publishing) == [1, 2, 3]
    assert {arn: done[arn] for arn in arns(1, 2, region=FRANCE)} == all_deleted(
        arns(1, 2, region=FRANCE)
    )


def test_a_region_that_cannot_be_read_is_left_alone(publishing: Publishing) -> None:
    publishing.regions = [IRELAND, FRANCE]
    history(publishing, 3, regions=publishing.regions)
    reaper = Reaper(publishing=publishing)
    publishing.aws.rules(Rule(operation=VERSIONS, region=IRELAND, error=DENIED))
    result = reaper.reap()
    assert results(result) == all_deleted(arns(1, 2, region=FRANCE))
    assert [bool(each.unseen) for each in result.plan.regions] == [True, False]
    publishing.aws.rules()
    assert numbers(publishing) == [1, 2, 3]
