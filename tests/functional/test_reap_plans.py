"""`ocelot reap` without --apply, against an AWS with layers, functions, parameters and faults."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aws_parameters import SSM_DENIED
from aws_rules import HANG, Rule
from aws_server import ACCOUNT
from aws_wire import ACCESS_DENIED
from markdown_reader import tables
from publishing import (
    FRANCE,
    IRELAND,
    LAYER,
    OHIO,
    REGIONS,
    Publishing,
    most_in_a_second,
    without_garbage_collection,
)
from reaping import (
    FULL,
    deleted,
    json_versions,
    layer_arn,
    ocelot_reap,
    plan_of,
    publish_versions,
    reasons,
    region,
)
from registry_examples import row
from runs import CONFIG
from syncing import publish_by_hand, row_of
from test_lock import entry as locked

from pipeline.build.lock import write_entries
from pipeline.errors import AwsError, PublishError, UsageError
from pipeline.naming import Architecture
from pipeline.naming import layer_arn as parsed
from pipeline.reap import observe
from pipeline.reap.planning import check_planned
from pipeline.reap.request import Reason
from pipeline.registry.tombstone import Tombstone
from pipeline.report.reap import plan_json, plan_report


def test_without_apply_a_plan_is_shown_and_nothing_is_written(publishing: Publishing) -> None:
    publish_versions(publishing, 5, regions=REGIONS)
    publish_versions(publishing, 1, FULL)
    ran = ocelot_reap(publishing, "ocel-*", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    versions = json_versions(ran)
    gone = {arn for arn, each in versions.items() if each["decision"] == "delete"}
    assert gone == {layer_arn(at, region=each) for at in (1, 2) for each in REGIONS}
    assert [each["reason"] for each in versions[layer_arn(5)]["reasons"]] == ["newest", "keep"]
    assert (found["account"], found["number"]) == (ACCOUNT, 6)
    assert publishing.writes() == []
    # the table and the command are for people
    shown = ocelot_reap(publishing, "ocel-*")
    assert (shown.code, "6 of 16 layer versions in 3 of 3 regions" in shown.out) == (0, True)
    command = shown.out.splitlines()[-1].strip()
    assert command == found["command"]
    words = shlex.split(command)
    assert words[:3] == ["ocelot", "reap", "ocel-*"]
    assert {
        *("--apply", f"--account={ACCOUNT}", "--yes-delete=6", f"--plan={found['digest']}"),
        *(f"--regions={','.join(REGIONS)}", f"--config={CONFIG}"),
    } <= set(words)


def test_versions_that_functions_use_are_kept(publishing: Publishing) -> None:
    publish_versions(publishing, 6)
    functions = publishing.aws.emulator.functions
    # an alias serves an older published version, $LATEST has moved on
    functions.add(
        IRELAND, "checkout", [layer_arn(6)], versions=[[layer_arn(1)]], aliases={"live": 1}
    )
    functions.add(IRELAND, "pay", [layer_arn(3)], versions=[[layer_arn(2)], [layer_arn(3)]])
    made = plan_of(publishing)
    assert deleted(made) == [layer_arn(4), layer_arn(5)]
    assert reasons(made)[layer_arn(1)] == ["function checkout:1"]
    assert reasons(made)[layer_arn(3)] == ["function pay:$LATEST", "function pay:2"]
    forced = plan_of(publishing, forced=frozenset({Reason.USED}))
    assert deleted(forced) == [layer_arn(at) for at in range(1, 6)]
    assert forced.digest != made.digest


def test_versions_that_parameters_name_are_kept(publishing: Publishing) -> None:
    publish_versions(publishing, 5)
    ssm = publishing.aws.client("ssm", IRELAND)
    for number in range(12):  # more than a page
        ssm.put_parameter(Name=f"/ocel/x/{number}", Value="another text", Type="String")
    ssm.put_parameter(Name="/ocel/minimal/amd64/latest", Value=layer_arn(1), Type="String")
    both = f"{layer_arn(2)},{layer_arn(3)}"
    ssm.put_parameter(Name="/ocel/team/pinned", Value=both, Type="StringList")
    ssm.put_parameter(Name="/elsewhere/pinned", Value=layer_arn(4), Type="String")
    made = plan_of(publishing, ssm_prefix="/ocel")
    assert deleted(made) == [layer_arn(4)]
    assert reasons(made)[layer_arn(1)] == ["parameter /ocel/minimal/amd64/latest"]
    assert not [note for note in made.notes if "--ssm-prefix" in note]
    unread = plan_of(publishing)
    assert len(deleted(unread)) == 4
    assert [note for note in unread.notes if "--ssm-prefix" in note]


def test_locked_zips_and_those_that_a_file_names_are_kept(
    publishing: Publishing, tmp_path: Path
) -> None:
    zipped = [
        publish_by_hand(publishing, IRELAND, LAYER, epoch=1_750_000_000 + 2 * at) for at in range(5)
    ]
    arns = [arn for arn, _ in zipped]
    sha256 = hashlib.sha256(zipped[0][1]).hexdigest()
    write_entries(tmp_path, locked(zips={Architecture.AMD64: sha256}))
    state = tmp_path / "terraform.tfstate"
    state.write_text(json.dumps({"resources": [{"layers": [arns[1], f"{arns[2]}000"]}]}))
    made = plan_of(publishing, config=tmp_path, keep_files=[state])
    assert deleted(made) == [arns[2], arns[3]]
    assert reasons(made)[arns[0]] == ["ocelot.lock: minimal amd64 of main"]
    assert reasons(made)[arns[1]] == [f"file {state}"]
    empty = tmp_path / "empty.txt"
    empty.write_text("arn:aws:lambda:eu-west-1:123456789012:layer:without-a-version")
    with pytest.raises(UsageError, match="no ARN"):
        plan_of(publishing, keep_files=[state, empty])
    assert ocelot_reap(publishing, "ocel-*", "--keep-file", empty).code == UsageError.exit_code


def test_rows_and_tombstones_say_what_a_version_is(published: Publishing) -> None:
    """A distribution that only a row names is known; a version with a tombstone is planned."""
    gone = row_of(published, layer_arn(1))
    assert gone is not None
    layer = "ocel-amd64-retired-0_1_0-beta"
    for _ in range(2):
        publish_by_hand(published, IRELAND, layer)
    published.registry().add(
        replace(row("retired", collector="v0.1.0"), arn=parsed(layer_arn(1, layer)), zip_size=1000)
    )
    publish_versions(published, 1)
    published.registry().bury(
        Tombstone(row=gone, deleted_at=datetime.now(UTC), plan="0123456789abcdef"), gone
    )
    made = plan_of(published)
    assert deleted(made) == [layer_arn(1), layer_arn(1, layer)]
    assert made.freed == 1000 + gone.zip_size
    assert [note for note in made.notes if "public or shared: " in note]
    # without the registry, that distribution is not known
    alone = plan_of(published, table=False)
    assert deleted(alone) == [layer_arn(1)]
    assert [each.what for each in region(alone, IRELAND).left] == [layer]
    named = plan_of(published, table=False, distributions=frozenset({"retired"}))
    assert deleted(named) == [layer_arn(1, layer)]


def test_other_publishers_layers_are_never_read(publishing: Publishing) -> None:
    publish_versions(publishing, 2)
    publish_versions(publishing, 2, LAYER.replace("ocel", "ocelot"))
    publish_versions(publishing, 2, "ocel-minimal")
    made = plan_of(publishing, pattern="*")
    assert deleted(made) == [layer_arn(1)]
    assert [each.what for each in region(made, IRELAND).left] == ["ocel-minimal"]
    listed = {call.name.resource for call in publishing.aws.calls("ListLayerVersions")}
    assert listed == {LAYER}


@pytest.mark.parametrize("operation", ["ListLayers", "ListLayerVersions", "ListFunctions"])
def test_nothing_is_deleted_in_a_region_that_refuses(
    publishing: Publishing, operation: str
) -> None:
    publish_versions(publishing, 2, regions=REGIONS)
    publishing.aws.rules(Rule(operation=operation, region=FRANCE, error=ACCESS_DENIED))
    ran = ocelot_reap(publishing, "ocel-*", "--keep", "1")
    assert ran.code == 0
    assert "2 of 4 layer versions in 2 of 3 regions" in ran.out
    assert f"{FRANCE}: list " in ran.out
    made = plan_of(publishing)
    assert deleted(made) == [layer_arn(1), layer_arn(1, region=OHIO)]
    assert region(made, FRANCE).versions == ()
    assert region(made, FRANCE).unseen


def test_nothing_is_deleted_where_parameters_cannot_be_read(publishing: Publishing) -> None:
    publish_versions(publishing, 2, regions=REGIONS)
    publishing.aws.rules(Rule(operation="GetParametersByPath", region=OHIO, error=SSM_DENIED))
    made = plan_of(publishing, ssm_prefix="/ocel")
    assert deleted(made) == [layer_arn(1), layer_arn(1, region=FRANCE)]
    assert "SsmPrefix=/ocel" in region(made, OHIO).unseen


def test_if_no_region_can_be_read_the_command_fails(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation="ListLayers", error=ACCESS_DENIED))
    ran = ocelot_reap(publishing, "ocel-*", "--json")
    assert ran.code == PublishError.exit_code
    assert json.loads(ran.out)["number"] == 0
    with pytest.raises(PublishError) as caught:
        check_planned(plan_of(publishing))
    assert len(caught.value.failures) == 3


def test_a_dead_region_delays_no_other(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_versions(publishing, 2, regions=REGIONS)
    monkeypatch.setattr(observe, "SECONDS", 4.0)
    publishing.aws.rules(Rule(operation="ListFunctions", region=FRANCE, stall=HANG))
    started = time.monotonic()
    made = plan_of(publishing)
    assert deleted(made) == [layer_arn(1), layer_arn(1, region=OHIO)]
    assert region(made, FRANCE).unseen == "not read within 4 seconds"
    assert time.monotonic() - started < 10
    others = [each for each in publishing.aws.calls() if each.region in (IRELAND, OHIO)]
    assert max(each.start for each in others) - started < 3


def test_regions_in_quarantine_are_left_out(publishing: Publishing, tmp_path: Path) -> None:
    publish_versions(publishing, 2, regions=REGIONS)
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    (config / "regions.yaml").write_text(
        f"sets:\n  default: [{', '.join(REGIONS)}]\n"
        f"quarantine:\n  - {{region: {FRANCE}, reason: an outage, until: 2999-12-31}}\n"
    )
    options = ("--config", config, "--regions", "default", "--keep", "1")
    ran = ocelot_reap(publishing, "ocel-*", *options)
    assert ran.code == 0, ran.err
    assert "2 of 4 layer versions in 2 of 2 regions" in ran.out
    assert "an outage" in ran.out
    assert publishing.aws.calls(region=FRANCE) == []


def test_without_a_readable_registry_nothing_is_planned(publishing: Publishing) -> None:
    assert ocelot_reap(publishing, "ocel-*", "--table", "absent").code == AwsError.exit_code
    publishing.aws.rules(Rule(operation="Scan", error=ACCESS_DENIED))
    with pytest.raises(AwsError):
        plan_of(publishing)
    assert publishing.aws.calls("ListLayers") == []
    none = ocelot_reap(publishing, "ocel-*", "--table", "none")
    assert (none.code, "there is no registry" in none.out) == (0, True)


def test_another_account_than_the_one_named_is_refused(publishing: Publishing) -> None:
    ran = ocelot_reap(publishing, "ocel-*", "--account", "210987654321")
    assert (ran.code, ran.out) == (AwsError.exit_code, "")
    assert publishing.aws.calls("ListLayers") == []


@pytest.mark.parametrize(
    "options",
    [
        ("minimal-*",),
        ("ocel-*", "--older-than", "90"),
        ("ocel-*", "--force", "uses"),
        ("ocel-*", "--force", "keep"),
        ("ocel-*", "--keep", "-1"),
        ("ocel-*", "--repository", "acme"),
        ("ocel-*", "--keep-file", "absent.json"),
        ("",),
        (),
    ],
)
def test_an_option_that_cannot_be_used_ends_before_aws_is_called(
    publishing: Publishing, options: tuple[str, ...]
) -> None:
    publishing.aws.forget()
    ran = ocelot_reap(publishing, *options)
    assert (ran.code, ran.out) == (UsageError.exit_code, "")
    assert publishing.aws.calls(region=IRELAND) == []


def test_the_plan_is_a_job_summary_with_outputs(publishing: Publishing) -> None:
    publish_versions(publishing, 5, regions=REGIONS)
    summary, outputs = publishing.folder / "summary.md", publishing.folder / "outputs"
    env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    ran = ocelot_reap(publishing, "ocel-*", "--json", env=env)
    found = json.loads(ran.out)
    assert outputs.read_text() == f"number=6\ndigest={found['digest']}\n"
    (table,) = tables(summary.read_text())
    assert len(table) == 1 + 6 + 6  # with headings; the newest, and the others that are kept
    assert ocelot_reap(publishing, "ocel-x*", env=env).code == 0
    assert outputs.read_text().splitlines()[2] == "number=0"


def test_1000_versions_and_5000_functions_are_read_at_the_pace(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    publish_versions(publishing, 970)
    publish_versions(publishing, 30, FULL)
    emulator = publishing.aws.emulator
    emulator.requests_per_second = 15
    for number in range(5000):
        uses = [layer_arn(number // 50 + 1)] if number % 50 == 0 else []
        emulator.functions.add(IRELAND, f"function-{number}", uses)
    publishing.aws.forget()
    with without_garbage_collection():
        made = plan_of(publishing, keep=10)
    calls = publishing.aws.calls(region=IRELAND)
    lambdas = [call for call in calls if call.name.service == "lambda"]
    assert len(lambdas) == 1 + 20 + 1 + 100
    assert most_in_a_second(lambdas) <= 10
    assert {call.status for call in calls} == {200}
    assert region(made, IRELAND).unseen == ""
    assert len(region(made, IRELAND).versions) == 1000
    # 970 - 10 newest - 100 used, and 30 - 10 newest
    assert len(made.deletions) == 860 + 20
    # the table is short; the JSON and -v have everything
    now = datetime.now(UTC)
    assert len(plan_report(made, now).rows) < 10
    assert len(plan_report(made, now, verbose=True).rows) == 1000
    (found,) = json.loads(plan_json(made, ()))["regions"]
    assert len(found["versions"]) == 1000
