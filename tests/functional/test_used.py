"""`ocelot layers used` against an AWS with functions in several regions."""

from __future__ import annotations

import csv
import io
import json
import shlex
import signal

import pytest
from aws_rules import HANG, Rule
from aws_wire import ACCESS_DENIED, NOT_OPTED_IN
from markdown_reader import tables
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    OHIO,
    Publishing,
    most_in_a_second,
    without_garbage_collection,
)
from registry_examples import row
from syncing import unpublish
from using import NEXT, OTHER, Using


@pytest.fixture
def using(publishing: Publishing) -> Using:
    return Using(publishing)


def test_functions_of_all_regions_are_listed_with_the_command_that_moves_each(using: Using) -> None:
    for region in (IRELAND, FRANCE):
        old, new = using.versions[region]
        using.functions.add(region, "checkout", [OTHER.format(region), old])
        using.functions.add(region, "current", [new])
        using.functions.add(region, "others", [OTHER.format(region)])
    ran = using.ocelot()
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == (
        "layers ocel-… in 4 versions of 4 functions, 3 of 3 regions read: 2 behind"
    )
    commands = [line for line in ran.out.splitlines() if line.startswith("aws ")]
    for region, command in zip((IRELAND, FRANCE), commands, strict=True):
        assert shlex.split(command)[-3:] == [
            *("--layers", OTHER.format(region), using.versions[region][1])
        ]


def test_published_versions_are_listed_with_their_aliases(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(
        IRELAND,
        "checkout",
        [new],
        versions=[[old], [old], [new], []],
        aliases={"live": 1, "canary": 3, "next": "$LATEST"},
        weights={"canary": (2, 0.25)},
    )
    ran = using.ocelot("--json")
    assert ran.code == 0, ran.err
    found = using.uses(ran)
    aliases = {key: [each["name"] for each in use["aliases"]] for key, use in found.items()}
    assert aliases == {
        "checkout:$LATEST": ["next"],
        "checkout:1": ["live"],
        "checkout:2": ["canary"],
        "checkout:3": ["canary"],
    }
    assert {key for key, use in found.items() if use["behind"]} == {"checkout:1", "checkout:2"}
    assert "--name live" in found["checkout:1"]["command"]
    assert "--name canary" in found["checkout:2"]["command"]
    shown = using.ocelot().out
    assert "canary (25%)" in shown
    assert "canary (75%)" in shown


def test_the_newest_version_is_that_of_the_newest_collector(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][1]])
    (newest,) = using.publish(IRELAND, layer=NEXT)
    using.publish(IRELAND, layer=NEXT.replace("beta", "prod"))
    found = using.uses(using.ocelot("--json"))["checkout:$LATEST"]
    assert [each["newest_arn"] for each in found["layers"]] == [newest]


def test_a_distribution_that_only_the_registry_knows_counts(using: Using) -> None:
    layer = LAYER.replace("minimal", "own")
    old, new = using.publish(IRELAND, layer=layer) + using.publish(
        IRELAND, layer=layer.replace("155", "156")
    )
    using.functions.add(IRELAND, "checkout", [old])
    assert not using.uses(using.ocelot("--json"))["checkout:$LATEST"]["behind"]
    using.publishing.registry().add(row("own"))
    found = using.uses(using.ocelot("--json", table=True))["checkout:$LATEST"]
    assert found["moved_layers"] == [new]


def test_a_deleted_version_is_shown_as_such(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old])
    using.functions.add(IRELAND, "current", [new])
    unpublish(using.publishing, old)
    ran = using.ocelot()
    assert "accepts no update of the function until it is moved" in ran.out
    found = using.uses(using.ocelot("--json"))
    assert found["checkout:$LATEST"]["layers"] == [
        {"layer_arn": old, "newest_arn": new, "behind": True, "exists": False}
    ]
    unpublish(using.publishing, new)
    found = using.uses(using.ocelot("--json"))["current:$LATEST"]
    assert (found["command"], found["layers"][0]["newest_arn"]) == ("", "")
    assert new in found["blocked"]


def test_csv_and_json_have_every_use(using: Using) -> None:
    old, new = using.versions[IRELAND]
    using.functions.add(IRELAND, "checkout", [old], versions=[[new]], aliases={"a": 1, "b": 1})
    ran = using.ocelot("--csv")
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [
        (each["function"], each["version"], each["behind"], each["aliases"]) for each in rows
    ] == [("checkout", "$LATEST", "true", ""), ("checkout", "1", "false", "a; b")]
    assert rows[0]["newest_arn"] == new
    assert using.ocelot("--csv", "--json").code == 2


def test_shared_layer_versions_are_counted(using: Using) -> None:
    assert json.loads(using.ocelot("--json").out)["shared_versions"] is None
    assert "other accounts" in using.ocelot().out
    using.publishing.registry().add(row(public=True))
    using.publishing.registry().add(row("derived", public=False))
    found = json.loads(using.ocelot("--json", table=True).out)
    assert (found["registry_versions"], found["shared_versions"]) == (2, 1)
    assert "1 of 2" in using.ocelot(table=True).out


def test_a_region_that_refuses_is_reported_and_others_are_shown(using: Using) -> None:
    using.functions.add(FRANCE, "checkout", [using.versions[FRANCE][0]])
    using.publishing.aws.rules(
        Rule(operation="ListFunctions", region=IRELAND, error=ACCESS_DENIED),
        Rule(region=OHIO, error=NOT_OPTED_IN),
    )
    ran = using.ocelot("--json")
    assert ran.code == 13
    assert list(using.uses(ran)) == ["checkout:$LATEST"]
    errors = {each["region"]: each["error"] for each in json.loads(ran.out)["regions"]}
    assert "list the functions" in errors[IRELAND]
    assert "enable" in errors[OHIO]
    assert errors[FRANCE] == ""
    using.publishing.aws.rules(Rule(operation="ListFunctions", error=ACCESS_DENIED))
    assert using.ocelot().code == 12


@pytest.mark.parametrize("operation", ["ListAliases", "ListLayers", "ListLayerVersions"])
def test_a_region_that_is_read_in_part_only_is_not_shown(using: Using, operation: str) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    using.publishing.aws.rules(Rule(operation=operation, error=ACCESS_DENIED))
    ran = using.ocelot("--json")
    assert ran.code == 13
    assert using.uses(ran) == {}


def test_a_dead_region_delays_no_other(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    using.publishing.aws.rules(Rule(operation="ListFunctions", region=OHIO, stall=HANG))
    process = using.start("--json")
    using.wait_for("ListAliases", region=IRELAND)
    using.wait_for("ListLayerVersions", region=IRELAND)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 130


def test_5000_functions_in_two_regions_are_read_at_the_pace(using: Using) -> None:
    using.publishing.aws.emulator.requests_per_second = 15
    for region in (IRELAND, FRANCE):
        old = using.versions[region][0]
        for number in range(5000):
            uses = [old] if number % 100 == 0 else [OTHER.format(region)]
            using.functions.add(region, f"function-{number}", uses)
    with without_garbage_collection():
        ran = using.ocelot("--json")
    assert ran.code == 0, ran.err
    assert len(json.loads(ran.out)["regions"][0]["functions"]) == 50
    for region in (IRELAND, FRANCE):
        calls = using.publishing.aws.calls(region=region)
        assert most_in_a_second([each for each in calls if each.name.service == "lambda"]) <= 10
        assert {each.status for each in calls} <= {200}
        assert len(calls) < 170


def test_the_job_summary_has_the_table(using: Using) -> None:
    using.functions.add(IRELAND, "checkout", [using.versions[IRELAND][0]])
    summary = using.publishing.folder / "summary.md"
    assert using.ocelot(env={"GITHUB_STEP_SUMMARY": str(summary)}).code == 0
    (table,) = tables(summary.read_text("utf-8"))
    assert table[0][:2] == ["region", "function"]
    assert table[1][:2] == [IRELAND, "checkout"]
    assert table[1][-1].startswith("aws lambda update-function-configuration")


def test_functions_without_a_layer_are_an_empty_list(using: Using) -> None:
    ran = using.ocelot()
    assert ran.code == 0, ran.err
    assert "0 versions of 0 functions" in ran.out
    assert {each.operation for each in using.publishing.aws.calls(region=OHIO)} == {"ListFunctions"}
