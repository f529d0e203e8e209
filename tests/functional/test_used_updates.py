"""`ocelot layers used --update`: functions moved to the newest layer versions."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest
from aws_rules import Call, Rule
from aws_wire import ACCESS_DENIED
from publishing import FRANCE, IRELAND, OHIO, Publishing, kills, most_in_a_second
from runs import CONFIG
from syncing import unpublish
from using import NEXT, OTHER, Using

from pipeline.aws.regions import RegionChoice
from pipeline.aws.session import default_aws
from pipeline.config.folder import load_config
from pipeline.errors import PublishError
from pipeline.usage import run, update
from pipeline.usage.plan import selected
from pipeline.usage.run import UsageResult

TRACING = OTHER.format(IRELAND)
UPDATE = "UpdateFunctionConfiguration"


@pytest.fixture
def using(publishing: Publishing, monkeypatch: pytest.MonkeyPatch) -> Using:
    monkeypatch.setattr(update, "POLL_SECONDS", 0.01)
    return Using(publishing)


def moved(using: Using, *names: str) -> UsageResult:
    """Move functions in this process."""
    choice = RegionChoice(partition="aws", regions=tuple(using.publishing.regions))
    known = load_config(CONFIG).distributions

    async def work() -> UsageResult:
        found = await run.used(choice, default_aws(), None, known, base="ocel")
        chosen = selected(found.regions, names or ("all",))
        return await run.update(replace(found, selection=chosen), default_aws())

    return anyio.run(work)


def test_latest_moves_and_its_other_layers_are_kept_in_order(using: Using) -> None:
    old, new = using.versions[IRELAND]
    metrics = TRACING.replace("tracing", "metrics")
    using.functions.add(IRELAND, "checkout", [TRACING, old, metrics], versions=[[old]])
    using.functions.add(IRELAND, "other", [old])
    ran = using.ocelot("--update", "checkout")
    assert ran.code == 0, ran.err
    assert using.layers("checkout") == (TRACING, new, metrics)
    assert using.layers("other") == (old,)
    assert using.functions.function(IRELAND, "checkout").versions == ((old,),)
    assert len(using.publishing.aws.calls(UPDATE)) == 1
    assert ran.out.splitlines()[-1] == "1 function moved"
    assert "aws lambda publish-version" in ran.out
    # the plan comes first
    assert ran.out.index("1 function to move") < ran.out.index("1 function moved")


def test_a_dry_run_shows_the_plan_and_changes_nothing(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    ran = using.ocelot("--update", "all", "--dry-run")
    assert ran.code == 0, ran.err
    assert f"--layers {new}" in ran.out
    found = using.ocelot("--update", "all", "--dry-run", "--json")
    assert using.uses(found)["checkout:$LATEST"]["update"] == "planned"
    assert using.layers("checkout") == (old,)
    assert using.publishing.writes() == []


def test_all_moves_the_functions_of_all_regions_and_then_there_is_nothing_to_do(
    using: Using,
) -> None:
    for region in (IRELAND, FRANCE):
        using.functions.add(region, "checkout", [using.versions[region][0]])
        using.functions.add(region, "current", [using.versions[region][1]])
    ran = using.ocelot("--update", "all", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)["updates"]
    assert [(each["region"], each["ok"], each["layers"]) for each in found] == [
        (region, True, [using.versions[region][1]]) for region in (IRELAND, FRANCE)
    ]
    using.publishing.aws.forget()
    again = using.ocelot("--update", "all")
    assert again.code == 0, again.err
    assert using.publishing.writes() == []


def test_a_function_with_a_deleted_version_is_moved(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    unpublish(using.publishing, old)
    assert [each.error for each in moved(using).outcomes] == [""]
    assert using.layers("checkout") == (new,)


def test_two_layers_of_ours_move_at_once(using: Using) -> None:
    old, new = using.versions[IRELAND]
    derived = using.publish(IRELAND, 2, "ocel-arm64-full-0_155_0-beta")
    using.functions.add(IRELAND, "checkout", [derived[0], TRACING, old])
    assert [each.error for each in moved(using).outcomes] == [""]
    assert using.layers("checkout") == (derived[1], TRACING, new)


def test_two_versions_of_one_series_become_one(using: Using) -> None:
    (newest,) = using.publish(IRELAND, layer=NEXT)
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0], TRACING, newest])
    assert [each.error for each in moved(using).outcomes] == [""]
    assert using.layers("checkout") == (newest, TRACING)


def test_a_deleted_layer_of_another_publisher_is_refused_and_said(using: Using) -> None:
    old = using.versions[IRELAND][0]
    using.functions.gone.add(TRACING)
    using.functions.add(IRELAND, "checkout", [old, TRACING])
    using.functions.add(IRELAND, "other", [old])
    ran = using.ocelot("--update", "all")
    assert ran.code == 13
    assert f"Layer version {TRACING} does not exist" in ran.err
    assert "its publisher deleted that layer version" in ran.err
    assert using.layers("checkout") == (old, TRACING)
    assert using.layers("other") == (using.versions[IRELAND][1],)
    # the cause is removed: the same command finishes the work
    using.functions.gone.clear()
    assert using.ocelot("--update", "all").code == 0
    assert using.layers("checkout") == (using.versions[IRELAND][1], TRACING)


def test_a_lost_layer_is_reported_without_a_request(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    unpublish(using.publishing, old)
    unpublish(using.publishing, new)
    using.publishing.aws.forget()
    ran = using.ocelot("--update", "checkout")
    assert ran.code == 12
    assert "publish the layer again" in ran.err
    assert using.publishing.writes() == []


def test_an_update_that_fails_later_is_reported_with_its_reason(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    using.functions.failure = "The subnet has no free addresses"
    ran = using.ocelot("--update", "checkout")
    assert ran.code == 12
    assert "The subnet has no free addresses" in ran.err


def test_an_update_that_takes_time_is_waited_for(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    using.functions.update_seconds = 1.0
    assert [each.error for each in moved(using).outcomes] == [""]
    assert using.functions.function(IRELAND, "checkout").is_ready
    assert len(using.publishing.aws.calls("GetFunctionConfiguration")) > 1


def test_the_wait_for_an_update_has_an_end(using: Using, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "WAIT_SECONDS", 0.3)
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    using.functions.update_seconds = 60
    done = moved(using)
    assert "still updating" in done.outcomes[0].error
    with pytest.raises(PublishError):
        run.check_used(done)


def before_update(using: Using, change: Any, *, times: int = 1) -> None:  # noqa: ANN401
    """Have something happen right before an update reaches AWS."""

    def call(_call: Call) -> None:
        change()

    using.publishing.aws.rules(Rule(operation=UPDATE, times=times, before=call))


def test_a_function_that_changed_since_is_looked_at_again(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    before_update(using, partial(using.functions.add, IRELAND, "checkout", [TRACING, old]))
    (done,) = moved(using).outcomes
    assert (done.error, done.changed, done.layers) == ("", True, (TRACING, new))
    assert using.layers("checkout") == (TRACING, new)
    assert len(using.publishing.aws.calls(UPDATE)) == 2


def test_a_function_that_someone_else_moved_is_left_as_it_is(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    before_update(using, partial(using.functions.add, IRELAND, "checkout", [new, TRACING]))
    (done,) = moved(using).outcomes
    assert (done.error, done.layers) == ("", (new, TRACING))
    assert len(using.publishing.aws.calls(UPDATE)) == 1


def test_a_version_that_was_published_since_is_not_replaced_by_an_older_one(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    newest: list[str] = []

    def publish_and_move() -> None:
        newest.extend(using.publish(IRELAND, layer=NEXT))
        using.functions.add(IRELAND, "checkout", newest)

    before_update(using, publish_and_move)
    (done,) = moved(using).outcomes
    assert done.error == ""
    assert using.layers("checkout") == (newest[0],)


def test_a_function_that_keeps_changing_is_reported(using: Using) -> None:
    old = using.versions[IRELAND][0]
    using.functions.add(IRELAND, "checkout", [old])
    before_update(using, partial(using.functions.add, IRELAND, "checkout", [old]), times=9)
    (done,) = moved(using).outcomes
    assert "nothing else changes the function" in done.error
    assert len(using.publishing.aws.calls(UPDATE)) == 2
    assert using.layers("checkout") == (old,)


def test_a_function_that_is_being_updated_is_waited_for(using: Using) -> None:
    old, new = using.versions[IRELAND]
    function = using.functions.add(IRELAND, "checkout", [old])
    using.functions.update_seconds = 0.5
    using.publishing.client(IRELAND).update_function_configuration(
        FunctionName="checkout", Layers=[old, TRACING]
    )
    (done,) = moved(using).outcomes
    assert (done.error, done.layers) == ("", (new, TRACING))
    assert function.layers == (new, TRACING)


def test_a_function_that_was_deleted_since_is_reported(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    before_update(using, partial(using.functions.remove, IRELAND, "checkout"))
    (done,) = moved(using).outcomes
    assert "deleted" in done.error


def test_an_answer_that_is_lost_moves_the_function_once(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    using.publishing.aws.rules(Rule(operation=UPDATE, times=1, reset="answer"))
    (done,) = moved(using).outcomes
    assert (done.error, done.layers) == ("", (new,))
    assert [each.done for each in using.publishing.aws.calls(UPDATE)] == [True, False]


def test_a_missing_permission_in_one_region_leaves_the_others_moved(using: Using) -> None:
    for region in (IRELAND, OHIO):
        using.functions.add(region, "checkout", [using.versions[region][0]])
    using.publishing.aws.rules(Rule(operation=UPDATE, region=IRELAND, error=ACCESS_DENIED))
    ran = using.ocelot("--update", "checkout", "--csv")
    assert ran.code == 13
    assert "lambda:UpdateFunctionConfiguration" in ran.err
    assert using.layers("checkout") == (using.versions[IRELAND][0],)
    assert using.layers("checkout", OHIO) == (using.versions[OHIO][1],)


def test_an_unknown_function_changes_nothing(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    ran = using.ocelot("--update", "checkout", "--update", "chekout")
    assert ran.code == 2
    assert "perhaps you meant checkout" in ran.err
    assert using.publishing.writes() == []


def test_many_functions_are_moved_at_the_pace(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.publishing.aws.emulator.requests_per_second = 15
    for number in range(40):
        using.functions.add(IRELAND, f"function-{number}", [old])
    done = moved(using)
    assert {each.error for each in done.outcomes} == {""}
    assert {using.layers(f"function-{number}") for number in range(40)} == {(new,)}
    assert most_in_a_second(using.publishing.aws.calls(region=IRELAND)) <= 10


@pytest.mark.parametrize("is_done", [False, True])
def test_a_run_that_is_killed_is_completed_by_the_same_command(
    using: Using, *, is_done: bool
) -> None:
    names = [f"function-{number}" for number in range(4)]
    for name in names:
        using.functions.add(IRELAND, name, [using.versions[IRELAND][0], TRACING])
    process: list[subprocess.Popen[str]] = []
    kill = kills(process, signal.SIGKILL)
    hooks = (None, kill) if is_done else (kill, None)
    using.publishing.aws.rules(Rule(operation=UPDATE, skip=1, before=hooks[0], after=hooks[1]))
    process.append(using.start("--update", "all"))
    assert process[0].wait(60) == -signal.SIGKILL
    using.publishing.aws.idle()
    using.publishing.aws.rules()
    ran = using.ocelot("--update", "all")
    assert ran.code == 0, ran.err
    assert {using.layers(name) for name in names} == {(using.versions[IRELAND][1], TRACING)}
    done = [each for each in using.publishing.aws.calls(UPDATE) if each.done]
    assert len(done) == len(names)
