"""Parameters in SSM never name a deleted layer version, whatever is deleted and who writes them."""

from __future__ import annotations

import pytest
from aws_parameters import SSM_DENIED, SSM_THROTTLED
from aws_rules import Call, Rule
from aws_wire import ACCESS_DENIED, SERVICE_EXCEPTION, THROTTLED, UNAVAILABLE
from deleting import (
    AMD,
    DELETE,
    LATEST,
    PREFIX,
    VERSION,
    Reaper,
    all_deleted,
    approved,
    arns,
    check_consistent,
    exists,
    history,
    name_by_parameter,
    named,
    numbers,
    quick,
    results,
    tombstone_of,
)
from publishing import IRELAND, LAYER, Publishing
from syncing import row_of, unpublish

from pipeline.errors import AwsError
from pipeline.reap.request import Reason

NEWER = LAYER.replace("0_155", "0_156")
CUSTOM = f"{PREFIX}/of/mine"
FORCED = frozenset({Reason.PARAMETER})
SSM_WRITES = ("PutParameter", "AddTagsToResource", "DeleteParameter")
WRITES = ("UpdateItem", DELETE, *SSM_WRITES)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    quick(monkeypatch)


@pytest.fixture
def reaper(publishing: Publishing) -> Reaper:
    """A reaper of five versions with rows; parameters name version 3 and version 2."""
    publishing.regions = [IRELAND]
    history(publishing, 5)
    name_by_parameter(publishing, LATEST, arns(3)[0])
    name_by_parameter(publishing, VERSION, arns(2)[0])
    publishing.aws.forget()
    return Reaper(publishing=publishing, changed={"ssm_prefix": PREFIX, "forced": FORCED})


def watched(reaper: Reaper) -> list[int]:
    """Check at each deletion that no parameter names what is deleted; return its numbers."""
    deleted: list[int] = []

    def check(call: Call) -> None:
        deleted.append(call.name.version)
        for name, arn in named(reaper.publishing).items():
            assert arn not in arns(*deleted), (name, arn)

    reaper.publishing.aws.rules(
        Rule(operation=DELETE, before=check, after=check),
    )
    return deleted


def test_what_a_parameter_names_is_kept(reaper: Reaper) -> None:
    reaper.changed = {"ssm_prefix": PREFIX}
    assert results(reaper.reap()) == all_deleted(arns(1, 4))
    assert named(reaper.publishing) == {LATEST: arns(3)[0], VERSION: arns(2)[0]}


def test_parameters_are_moved_before_the_layers_that_they_name_are_deleted(
    reaper: Reaper,
) -> None:
    deleted = watched(reaper)
    result = reaper.reap()
    assert results(result) == all_deleted(arns(1, 2, 3, 4))
    assert set(deleted) == {1, 2, 3, 4}
    assert named(reaper.publishing) == {LATEST: arns(5)[0], VERSION: arns(5)[0]}
    assert [len(each.notes) for each in result.outcomes] == [0, 1, 1, 0]
    stones = [tombstone_of(reaper.publishing, arn) for arn in arns(1, 2, 3)]
    assert [each and each.forced for each in stones] == [(), ("parameter",), ("parameter",)]
    check_consistent(reaper.publishing)


def test_without_a_registry_a_parameter_names_the_newest_layer_that_stays(reaper: Reaper) -> None:
    reaper.table = False
    history(reaper.publishing, 1, NEWER, rows=False)
    watched(reaper)
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4))
    assert named(reaper.publishing) == {LATEST: arns(1, layer=NEWER)[0], VERSION: arns(5)[0]}


def test_parameters_that_have_no_other_layer_to_name_are_deleted(reaper: Reaper) -> None:
    reaper.changed["forced"] = FORCED | {Reason.NEWEST}
    name_by_parameter(reaper.publishing, CUSTOM, arns(4)[0])
    watched(reaper)
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4, 5))
    assert named(reaper.publishing) == {}


def test_a_parameter_of_the_users_own_is_deleted_with_its_layer(reaper: Reaper) -> None:
    name_by_parameter(reaper.publishing, CUSTOM, arns(4)[0])
    other = arns(1, layer="ocel-amd64-unknown-0_155_0-beta")[0]
    name_by_parameter(reaper.publishing, f"{CUSTOM}/other", other)
    watched(reaper)
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3, 4))
    assert named(reaper.publishing) == {
        **dict.fromkeys((LATEST, VERSION), arns(5)[0]),
        f"{CUSTOM}/other": other,
    }


@pytest.mark.parametrize(
    ("kind", "text"), [("StringList", "{0},{1}"), ("String", '["{0}", "{1}"]')]
)
def test_a_parameter_with_other_values_is_not_touched_and_its_layer_stays(
    reaper: Reaper, kind: str, text: str
) -> None:
    value = text.format(arns(5)[0], arns(4)[0])
    name_by_parameter(reaper.publishing, CUSTOM, value, kind=kind)
    reaper.changed["forced"] = FORCED
    done = results(reaper.reap())
    assert CUSTOM in done.pop(arns(4)[0])
    assert done == all_deleted(arns(1, 2, 3))
    assert named(reaper.publishing)[CUSTOM] == value
    assert row_of(reaper.publishing, arns(4)[0])


def test_a_parameter_is_moved_to_a_layer_version_that_exists(reaper: Reaper) -> None:
    unpublish(reaper.publishing, arns(5)[0])  # its row stays
    watched(reaper)
    assert results(reaper.reap()) == all_deleted(arns(1, 2, 3))
    assert named(reaper.publishing) == {LATEST: arns(4)[0], VERSION: arns(4)[0]}


@pytest.mark.parametrize("forced", [frozenset[Reason](), FORCED])
def test_a_version_that_a_parameter_is_moved_to_is_kept(
    reaper: Reaper, forced: frozenset[Reason]
) -> None:
    reaper.changed["forced"] = forced

    def move(_: Call) -> None:
        name_by_parameter(reaper.publishing, LATEST, arns(4)[0])

    reaper.publishing.aws.rules(Rule(operation=DELETE, times=1, before=move))
    done = results(reaper.reap())
    assert done.pop(arns(4)[0]).startswith(f"kept: parameter: parameter {LATEST}")
    assert named(reaper.publishing)[LATEST] == arns(4)[0]
    check_consistent(reaper.publishing)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_parameter_that_is_moved_in_the_last_moment_is_repaired(
    reaper: Reaper, moment: str
) -> None:
    def move(call: Call) -> None:
        if call.name.version == 4:
            name_by_parameter(reaper.publishing, LATEST, arns(4)[0])

    reaper.publishing.aws.rules(Rule(operation=DELETE, **{moment: move}))  # pyright: ignore[reportArgumentType]
    result = reaper.reap()
    assert results(result) == all_deleted(arns(1, 2, 3, 4))
    assert result.outcomes[-1].notes
    assert named(reaper.publishing)[LATEST] == arns(5)[0]
    check_consistent(reaper.publishing)


def test_the_next_run_repairs_what_an_interrupted_one_left(reaper: Reaper) -> None:
    approval = approved(reaper.plan())
    reaper.reap(approval)
    name_by_parameter(reaper.publishing, LATEST, arns(3)[0])
    again = reaper.reap(approval)
    assert (again.outcomes, again.errors) == ((), {})
    check_consistent(reaper.publishing)
    name_by_parameter(reaper.publishing, LATEST, arns(3)[0])
    reaper.publishing.aws.rules(Rule(operation="PutParameter", error=SSM_DENIED))
    assert [*reaper.reap(approval).errors] == [IRELAND]


def test_a_parameter_that_cannot_be_moved_keeps_its_layer(reaper: Reaper) -> None:
    approval = approved(reaper.plan())
    reaper.publishing.aws.rules(Rule(operation="PutParameter", error=SSM_DENIED))
    done = results(reaper.reap(approval))
    assert "ssm:PutParameter" in done[arns(3)[0]]
    assert numbers(reaper.publishing) == [2, 3, 5]
    check_consistent(reaper.publishing)
    assert results(reaper.reap(approval)) == all_deleted(arns(2, 3))
    check_consistent(reaper.publishing)


def test_a_failure_after_the_deletion_is_told_and_repaired_by_the_next_run(
    reaper: Reaper,
) -> None:
    approval = approved(reaper.plan())

    def move(call: Call) -> None:
        if call.name.version == 4:
            name_by_parameter(reaper.publishing, LATEST, arns(4)[0])
            reaper.publishing.aws.rules(Rule(operation="AddTagsToResource", error=SSM_DENIED))

    reaper.publishing.aws.rules(Rule(operation=DELETE, before=move))
    done = results(reaper.reap(approval))
    assert done[arns(4)[0]].startswith("failed: it is deleted, but ")
    assert not exists(reaper.publishing, arns(4)[0])
    reaper.publishing.aws.rules()
    assert reaper.reap(approval).outcomes == ()
    check_consistent(reaper.publishing)


@pytest.mark.parametrize("operation", WRITES)
def test_no_fault_of_a_write_changes_the_end(reaper: Reaper, operation: str) -> None:
    name_by_parameter(reaper.publishing, CUSTOM, arns(4)[0])
    throttled = SSM_THROTTLED if operation in SSM_WRITES else THROTTLED
    failing = UNAVAILABLE if operation == "UpdateItem" else SERVICE_EXCEPTION
    approval = approved(reaper.plan())
    reaper.publishing.aws.rules(
        Rule(operation=operation, times=1, reset="answer"),
        Rule(operation=operation, skip=1, times=1, error=throttled),
        Rule(operation=operation, skip=2, times=1, reset="head"),
        Rule(operation=operation, skip=3, times=1, error=failing),
        Rule(operation=operation, skip=4, times=1, reset="answer"),
    )
    assert results(reaper.reap(approval)) == all_deleted(arns(1, 2, 3, 4))
    assert len(reaper.publishing.aws.calls(operation)) >= 5
    reaper.publishing.aws.rules()
    assert named(reaper.publishing) == {LATEST: arns(5)[0], VERSION: arns(5)[0]}
    assert numbers(reaper.publishing) == [5]
    for arn in arns(1, 2, 3, 4):
        stone = tombstone_of(reaper.publishing, arn)
        assert stone
        assert stone.plan == approval.digest


def test_a_registry_that_refuses_loses_no_layer(reaper: Reaper) -> None:
    reaper.publishing.aws.rules(Rule(operation="UpdateItem", error=ACCESS_DENIED))
    done = results(reaper.reap())
    assert {why.partition(":")[0] for why in done.values()} == {"failed"}
    assert numbers(reaper.publishing) == [1, 2, 3, 4, 5]
    reaper.publishing.aws.rules(Rule(operation="Scan", error=ACCESS_DENIED))
    with pytest.raises(AwsError):
        reaper.plan()


def test_parameters_of_other_distributions_stay(reaper: Reaper) -> None:
    history(reaper.publishing, 1, LAYER.replace("minimal", "full"))
    full = AMD.replace("minimal", "full") + "/latest"
    other = arns(1, layer=LAYER.replace("minimal", "full"))[0]
    name_by_parameter(reaper.publishing, full, other)
    reaper.reap()
    assert named(reaper.publishing)[full] == other
