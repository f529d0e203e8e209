"""Several reapers at once, and a publisher and a reaper at once on the same layer."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from aws_rules import Call, Gate, Rule
from deleting import (
    DELETE,
    LATEST,
    PREFIX,
    Reaper,
    apply_options,
    approved,
    arns,
    check_consistent,
    exists,
    history,
    json_results,
    named,
    numbers,
    start_reap,
    tombstone_of,
)
from publish_examples import dist
from publishing import IRELAND, LAYER, Publishing
from syncing import row_of

from pipeline.errors import ReapError

MACHINES = ("cache", "other")


@pytest.fixture
def reaper(publishing: Publishing) -> Reaper:
    """A reaper of five versions with rows in one region, of which the newest is kept."""
    publishing.regions = [IRELAND]
    history(publishing, 5)
    return Reaper(publishing=publishing)


def both_have_planned(publishing: Publishing, looks: int) -> None:
    """Hold the first deletion until the regions were looked at so often."""
    held = Gate()
    seen: list[Call] = []

    def count(call: Call) -> None:
        seen.append(call)
        if len(seen) >= looks:
            held.opened.set()

    publishing.aws.rules(
        Rule(operation="ListFunctions", after=count), Rule(operation=DELETE, times=1, before=held)
    )


@pytest.mark.parametrize("caches", [("cache", "cache"), MACHINES])
def test_two_reapers_with_the_same_plan_both_succeed(
    reaper: Reaper, caches: tuple[str, str]
) -> None:
    publishing, approval = reaper.publishing, approved(reaper.plan())
    # on one machine the second one waits for its turn after its plan
    both_have_planned(publishing, looks=3)
    options = (*apply_options(approval), "--json")
    processes = [start_reap(publishing, *options, cache=cache) for cache in caches]
    ends = [process.communicate(timeout=80) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    done = [json_results(out) for out, _ in ends]
    for arn in arns(1, 2, 3, 4):
        assert {each[arn] for each in done} <= {"deleted", "already deleted"}
        assert "deleted" in {each[arn] for each in done}
        stone = tombstone_of(publishing, arn)
        assert stone
        assert stone.plan == approval.digest
    assert numbers(publishing) == [5]
    check_consistent(publishing)


@pytest.mark.parametrize("caches", [("cache", "cache"), MACHINES])
def test_two_reapers_with_different_plans_delete_what_either_may(
    reaper: Reaper, caches: tuple[str, str]
) -> None:
    publishing, first = reaper.publishing, approved(reaper.plan())
    reaper.changed = {"keep": 3}
    second = approved(reaper.plan())
    assert first.digest != second.digest
    both_have_planned(publishing, looks=3)
    options = [apply_options(each) for each in (first, second)]
    options[1][options[1].index("--keep") + 1] = "3"
    processes = [
        start_reap(publishing, *each, "--json", cache=cache)
        for each, cache in zip(options, caches, strict=True)
    ]
    ends = [process.communicate(timeout=80) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert numbers(publishing) == [5]
    for arn in arns(1, 2, 3, 4):
        assert tombstone_of(publishing, arn)
    check_consistent(publishing)


def test_a_reaper_on_the_same_machine_waits_for_a_publisher(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    history(publishing, 3)
    dist(publishing.folder / "dist", "collector-amd64-minimal.zip", epoch=1_760_000_000)
    approval = approved(Reaper(publishing=publishing).plan())
    held = Gate()
    publishing.aws.rules(Rule(operation="PublishLayerVersion", times=1, before=held))
    publisher = publishing.start()
    assert held.reached.wait(60)
    reaper = start_reap(publishing, *apply_options(approval), "--json")
    assert reaper.stderr
    assert any(LAYER in line and "waiting" in line for line in reaper.stderr)
    assert publishing.aws.calls(DELETE) == []
    held.opened.set()
    assert publisher.wait(60) == 0
    assert reaper.wait(60) == 0
    assert numbers(publishing) == [3, 4]
    check_consistent(publishing)


@pytest.mark.parametrize("operation", ["UpdateItem", DELETE])
def test_a_publisher_of_the_same_content_and_a_reaper_agree_in_the_end(
    publishing: Publishing, operation: str
) -> None:
    """The publisher finds the content of version 1, which is deleted before or after its writes."""
    publishing.regions = [IRELAND]
    dist(publishing.folder / "dist", "collector-amd64-minimal.zip", epoch=1_750_000_000)
    history(publishing, 3)
    reaper = Reaper(publishing=publishing, changed={"ssm_prefix": PREFIX})
    approval = approved(reaper.plan())
    held = Gate()
    publishing.aws.rules(Rule(operation=operation, times=1, before=held))
    process = start_reap(
        publishing, *apply_options(approval), "--ssm-prefix", PREFIX, "--json", cache="other"
    )
    assert held.reached.wait(60)
    publisher = threading.Thread(target=partial(publishing.publish, ssm_prefix=PREFIX))
    publisher.start()
    publisher.join(3)  # it may wait for nothing
    held.opened.set()
    process.communicate(timeout=80)
    publisher.join(60)
    assert process.returncode == 0
    check_consistent(publishing)
    publishing.publish(ssm_prefix=PREFIX)
    check_consistent(publishing)
    (package,) = publishing.packages()
    assert len(publishing.state(IRELAND, package).versions) == 1
    assert exists(publishing, named(publishing)[LATEST])


def test_a_function_that_comes_into_use_is_never_left_without_its_layer(reaper: Reaper) -> None:
    """Functions begin to use layer versions all the time; a used one is kept from then on."""
    publishing, approval = reaper.publishing, approved(reaper.plan())
    functions = publishing.aws.emulator.functions
    used: list[int] = []

    def use_next(call: Call) -> None:
        following = call.name.version + 2
        if following <= 4:
            functions.add(IRELAND, f"f{following}", arns(following))
            used.append(following)

    publishing.aws.rules(Rule(operation=DELETE, before=use_next))
    process = start_reap(publishing, *apply_options(approval), "--json")
    out, err = process.communicate(timeout=80)
    assert process.returncode == 0, err
    assert used == [3, 4]
    assert json_results(out) == {
        **dict.fromkeys(arns(1, 2), "deleted"),
        **dict.fromkeys(arns(3, 4), "kept"),
    }
    assert all(row_of(publishing, arn) for arn in arns(3, 4))


def test_a_reaper_after_another_of_the_same_layers_plans_anew(reaper: Reaper) -> None:
    publishing = reaper.publishing
    approval = approved(reaper.plan())
    reaper.changed = {"keep": 2}
    reaper.reap()  # deletes some of them by another plan
    process = start_reap(publishing, *apply_options(approval), "--json")
    out, _ = process.communicate(timeout=80)
    assert (process.returncode, out) == (ReapError.exit_code, "")
    assert numbers(publishing) == [4, 5]
