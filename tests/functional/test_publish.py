"""`ocelot publish` against an AWS without faults."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from aws_emulator import Trust, web_token
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import NOT_OPTED_IN, SERVICE_EXCEPTION
from markdown_reader import tables
from publish_examples import AMD64, content, dist, write_manifest
from publishing import (
    FRANCE,
    HOME,
    IRELAND,
    LAYER,
    OHIO,
    REGIONS,
    WRITES,
    Publishing,
    json_targets,
    with_other_content,
)
from runs import OCELOT, environment
from syncing import nothing_to_do
from unit_examples import layer

from pipeline.errors import AwsError, UsageError
from pipeline.naming import Architecture
from pipeline.publish.package import LICENCE, RUNTIMES
from pipeline.publish.plan import PublishStep

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"


def test_each_layer_is_published_public_and_recorded_in_each_region(publishing: Publishing) -> None:
    ran = publishing.ocelot("--public", "--json")
    assert ran.code == 0, ran.err
    publishing.check_every_target_exists_once()
    targets = json_targets(ran)
    assert set(targets) == {f"{region} {a}" for region in REGIONS for a in Architecture}
    assert all(each["ok"] and each["public"] for each in targets.values())
    arn = f"arn:aws:lambda:{FRANCE}:{ACCOUNT}:layer:{LAYER}:1"
    assert targets[f"{FRANCE} amd64"]["arn"] == arn
    assert targets[f"{FRANCE} amd64"]["done"] == ["publish", "make public", "record"]


def test_a_layer_version_has_the_manifests_facts(publishing: Publishing) -> None:
    publishing.publish()
    package = publishing.packages()[1]
    found = publishing.client(OHIO).get_layer_version(LayerName=package.layer, VersionNumber=1)
    assert found["Description"] == f"an example sha256:{package.sha256}"
    assert found["CompatibleArchitectures"] == ["arm64"]
    assert found["CompatibleRuntimes"] == list(RUNTIMES)
    assert found["LicenseInfo"] == LICENCE


def test_the_row_has_the_facts_of_the_layer_version(publishing: Publishing) -> None:
    publishing.publish()
    package = publishing.packages()[0]
    row = publishing.state(IRELAND, package).row
    assert row is not None
    assert (row.distribution, row.architecture) == ("minimal", Architecture.AMD64)
    assert (row.base_name, row.layer_version_str) == ("ocel", "0_155_0")
    assert (row.code_sha256, row.md5_hash, row.public) == (package.sha256, package.md5, True)
    assert row.compatible_runtimes == RUNTIMES
    assert row.upstream_commit == package.entry.upstream.commit


def test_a_target_takes_three_writing_calls_and_a_second_run_none(publishing: Publishing) -> None:
    publishing.publish()
    assert sorted(call.operation for call in publishing.writes()) == sorted(6 * WRITES)
    publishing.aws.forget()
    again = publishing.publish()
    assert publishing.writes() == []
    assert [each.plan.action for each in again.outcomes] == ["reuse"] * 6
    assert all(each.succeeded and each.public and each.arn for each in again.outcomes)
    publishing.aws.forget()
    ran = publishing.ocelot("--public")
    assert (ran.code, publishing.writes()) == (0, [])
    assert "6 reuse" in ran.out


def test_a_preflight_needs_no_zips_and_writes_nothing(publishing: Publishing) -> None:
    for path in publishing.folder.glob("dist/*"):
        path.unlink()
    done = publishing.ocelot("--preflight", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["account"] == ACCOUNT
    assert publishing.ocelot("--preflight", "--account", OTHER).code == AwsError.exit_code
    assert publishing.ocelot("--preflight", "--table", "none-such").code == AwsError.exit_code
    assert publishing.writes() == []


def test_a_dry_run_writes_nothing_and_shows_the_steps(
    publishing: Publishing, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    env = {"GITHUB_STEP_SUMMARY": str(summary)}
    ran = publishing.ocelot("--public", "--dry-run", "--json", env=env)
    assert ran.code == 0, ran.err
    (table,) = tables(summary.read_text())
    assert [row[2] for row in table[1:]] == ["publish, make public, record"] * 6
    assert publishing.writes() == []
    steps = ["publish", "make public", "record"]
    assert all(each["steps"] == steps for each in json_targets(ran).values())


def test_a_dry_run_shows_a_table_and_a_region_that_cannot_be_read(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    ran = publishing.ocelot("--dry-run")
    assert ran.code == 0, ran.err
    assert "eu-west-3" in ran.out
    assert "blocked" in ran.out
    assert f"{FRANCE} amd64 and 1 more: list the layer's versions" in ran.out


def test_layers_stay_private_by_default(publishing: Publishing) -> None:
    done = publishing.publish(public=None)
    assert all(each.succeeded and not each.public for each in done.outcomes)
    state = publishing.state(IRELAND, publishing.packages()[0])
    assert (state.versions, state.statements) == ((1,), ())
    assert state.row is not None
    assert not state.row.public


def test_private_layers_are_made_public_afterwards(publishing: Publishing) -> None:
    publishing.publish(public=False)
    publishing.aws.forget()
    publishing.publish(public=True)
    publishing.check_every_target_exists_once()
    assert {call.operation for call in publishing.writes()} == set(WRITES[1:])


def test_public_layers_are_made_private_afterwards(publishing: Publishing) -> None:
    publishing.publish()
    ran = publishing.ocelot("--private")
    assert ran.code == 0, ran.err
    for package in publishing.packages():
        state = publishing.state(OHIO, package)
        assert (state.versions, state.statements) == ((1,), ())
        assert state.row is not None
        assert not state.row.public


def test_making_private_removes_every_public_statement(publishing: Publishing) -> None:
    publishing.publish()
    publishing.client().add_layer_version_permission(
        LayerName=LAYER,
        VersionNumber=1,
        StatementId="by-hand",
        Action="lambda:GetLayerVersion",
        Principal="*",
    )
    publishing.publish(public=False)
    assert publishing.state(IRELAND, publishing.packages()[0]).statements == ()


def test_a_statement_of_the_same_id_for_one_account_is_a_failure(publishing: Publishing) -> None:
    publishing.publish(public=False)
    publishing.client().add_layer_version_permission(
        LayerName=LAYER,
        VersionNumber=1,
        StatementId="publish",
        Action="lambda:GetLayerVersion",
        Principal=OTHER,
    )
    done = publishing.publish(public=True)
    assert [each.succeeded for each in done.outcomes] == [False, *[True] * 5]
    assert "is not public" in done.outcomes[0].error
    assert not done.outcomes[0].public


def test_a_missing_row_is_written_again(publishing: Publishing) -> None:
    publishing.publish()
    arn = f"arn:aws:lambda:{OHIO}:{ACCOUNT}:layer:{LAYER}:1"
    publishing.aws.client("dynamodb", HOME).delete_item(
        TableName=publishing.registry().table, Key={"layer_arn": {"S": arn}}
    )
    publishing.aws.forget()
    done = publishing.publish()
    assert [call.operation for call in publishing.writes()] == ["UpdateItem"]
    assert [each.plan.steps for each in done.outcomes if each.plan.steps] == [(PublishStep.RECORD,)]
    publishing.check_every_target_exists_once()


def test_a_row_with_another_content_is_left_alone_and_reported(publishing: Publishing) -> None:
    publishing.publish()
    row = publishing.state(IRELAND, publishing.packages()[0]).row
    assert row is not None
    client = publishing.aws.client("dynamodb", HOME)
    client.put_item(TableName=publishing.registry().table, Item=with_other_content(row).item())
    ran = publishing.ocelot("--public", "--json")
    assert ran.code == 13
    failed = [each for each in json_targets(ran).values() if not each["ok"]]
    assert len(failed) == 1
    assert "contradicts it and was left alone" in failed[0]["error"]
    assert publishing.registry().row(row.arn) == with_other_content(row)


def publish_mislabelled(publishing: Publishing, sha256: str, times: int = 1) -> None:
    """Publish versions whose description names another zip."""
    for at in range(times):
        publishing.client().publish_layer_version(
            LayerName=LAYER,
            Content={"ZipFile": content(AMD64, epoch=1_760_000_000 + 2 * at)},
            Description=f"an example sha256:{sha256}",
        )


def test_a_version_that_is_only_described_as_the_zip_is_not_reused(publishing: Publishing) -> None:
    package = publishing.packages()[0]
    publish_mislabelled(publishing, package.sha256)
    ran = publishing.ocelot("--public", "--json")
    assert ran.code == 0, ran.err
    target = json_targets(ran)[f"{IRELAND} amd64"]
    assert target["arn"].endswith(":2")
    assert "version 1 is described as this zip, but is sha256" in target["notes"][0]
    publishing.check_every_target_exists_once()


def test_a_version_beyond_the_first_page_is_found(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    publishing.publish()
    for at in range(55):
        publishing.client().publish_layer_version(
            LayerName=LAYER,
            Content={"ZipFile": content(AMD64, epoch=1_760_000_000 + 2 * (at % 3))},
            Description=f"number {at}",
        )
    publishing.aws.forget()
    done = publishing.publish()
    assert publishing.writes() == []
    assert done.outcomes[0].arn.endswith(f"{LAYER}:1")
    assert len(publishing.aws.calls("ListLayerVersions")) == 3


def test_of_several_same_versions_the_oldest_is_used(publishing: Publishing) -> None:
    publishing.publish()
    package = publishing.packages()[0]
    again = {"LayerName": LAYER, "Description": package.description}
    publishing.client().publish_layer_version(Content={"ZipFile": content()}, **again)
    publishing.aws.forget()
    done = publishing.publish()
    assert publishing.writes() == []
    assert done.outcomes[0].arn.endswith(":1")
    (note,) = done.outcomes[0].notes
    assert note.startswith("version 2 has the same content as version 1")
    ran = publishing.ocelot("--dry-run")
    assert f"{IRELAND} amd64: {note}" in ran.out


def test_the_row_has_the_runtimes_of_the_layer_version_and_not_those_asked_for_later(
    publishing: Publishing,
) -> None:
    publishing.regions = [IRELAND]
    strange = publishing.ocelot("--runtimes", "python3.99", "--table", "none")
    assert strange.code == 0, strange.err
    assert "'python3.99' is no runtime that botocore knows" in strange.err
    again = publishing.ocelot("--runtimes", "python3.13", "--json")
    assert again.code == 0, again.err
    assert "botocore" not in again.err
    for target in json_targets(again).values():
        assert target["done"] == ["record"]
        assert "runtimes python3.99 instead of python3.13" in target["notes"][0]
    for package in publishing.packages():
        row = publishing.state(IRELAND, package).row
        assert row is not None
        assert row.compatible_runtimes == ("python3.99",)
        assert row.compatible_architectures == (package.architecture.lambda_name,)
        assert row.license_info == LICENCE
    assert nothing_to_do(publishing, regions=[IRELAND])


def test_a_preflight_warns_of_a_runtime_that_is_not_known(publishing: Publishing) -> None:
    ran = publishing.ocelot("--preflight", "--runtimes", "pythn3.13")
    assert ran.code == 0
    assert "perhaps you meant python3.13?" in ran.err


def test_another_content_gets_a_new_version(publishing: Publishing) -> None:
    publishing.publish()
    dist(publishing.zips, epoch=1_760_000_000)
    done = publishing.publish()
    assert all(each.arn.endswith(":2") for each in done.outcomes)
    publishing.check_every_target_exists_once()


def test_another_account_than_the_one_named_is_refused(publishing: Publishing) -> None:
    ran = publishing.ocelot("--account", OTHER)
    assert ran.code == 11
    assert f"the credentials are of account {ACCOUNT}, not of {OTHER}" in ran.err
    assert publishing.writes() == []


def test_regions_of_another_partition_are_refused(publishing: Publishing) -> None:
    publishing.regions = ["cn-north-1"]
    with pytest.raises(UsageError, match="partition aws-cn, the regions of aws"):
        publishing.publish()
    assert publishing.writes() == []


def test_without_credentials_the_error_says_how_to_get_some(publishing: Publishing) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    ran = publishing.ocelot("--public", env=none)
    assert ran.code == 11
    assert "there are no AWS credentials" in ran.err
    assert "aws sso login" in ran.err
    assert publishing.aws.calls() == []


def test_without_the_table_nothing_is_published(publishing: Publishing) -> None:
    ran = publishing.ocelot("--public", "--table", "absent")
    assert ran.code == 11
    assert f"there is no table absent in {HOME}" in ran.err
    assert publishing.writes() == []


def test_without_a_registry_layers_are_published(publishing: Publishing) -> None:
    ran = publishing.ocelot("--public", "--table", "none", "--json")
    assert ran.code == 0, ran.err
    assert publishing.aws.calls(region=HOME) == []
    assert all(each["done"] == ["publish", "make public"] for each in json_targets(ran).values())


@pytest.mark.parametrize("at", [0, 2])
def test_a_region_that_is_not_enabled_stops_no_other(publishing: Publishing, at: int) -> None:
    publishing.aws.rules(Rule(region=REGIONS[at], error=NOT_OPTED_IN))
    ran = publishing.ocelot("--public", "--json")
    assert ran.code == 13
    targets = json_targets(ran)
    blocked = [key for key, each in targets.items() if not each["ok"]]
    assert blocked == [f"{REGIONS[at]} amd64", f"{REGIONS[at]} arm64"]
    assert "may not be enabled" in targets[blocked[0]]["error"]
    assert "2 of 6 targets are not as they should be" in ran.err
    publishing.check_every_target_exists_once(
        regions=[each for each in REGIONS if each != REGIONS[at]]
    )


def test_if_every_region_refuses_the_command_exits_with_12(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation="ListLayerVersions", error=NOT_OPTED_IN))
    ran = publishing.ocelot("--public")
    assert ran.code == 12
    assert "6 of 6 targets are not as they should be" in ran.err
    assert publishing.writes() == []


def test_people_see_a_table_arns_and_a_summary(publishing: Publishing, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    ran = publishing.ocelot("--public", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert ran.code == 0, ran.err
    arn = f"arn:aws:lambda:{OHIO}:{ACCOUNT}:layer:{LAYER}:1"
    assert arn in ran.out.splitlines()
    assert ran.out.splitlines()[-1] == "6 publish, make public, record"
    assert "6 publish, make public, record" in summary.read_text()
    row = f"| {OHIO} | amd64 | publish, make public, record | yes | `{arn}` |"
    assert row in summary.read_text()


def test_github_shows_each_failure_once_and_the_summary_all_targets(
    publishing: Publishing, tmp_path: Path
) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    summary = tmp_path / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ran = publishing.ocelot("--public", env=env)
    assert ran.code == 13
    errors = [line for line in ran.err.splitlines() if line.startswith("::error::")]
    assert len(errors) == 2
    assert errors[1].startswith(f"::error::{FRANCE} amd64 and 1 more: ")
    assert "may not be enabled" in errors[1]
    (table,) = tables(summary.read_text())
    assert [row[0] for row in table[1:]] == [region for region in REGIONS for _ in Architecture]
    assert f"- {FRANCE} amd64 and 1 more" in summary.read_text()


def test_the_result_is_written_to_a_file(publishing: Publishing, tmp_path: Path) -> None:
    ran = publishing.ocelot("--public", "--json", "--output", tmp_path / "new" / "done.json")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "new" / "done.json").read_text()) == json.loads(ran.out)


def test_the_result_is_shown_if_it_cannot_be_written(publishing: Publishing) -> None:
    ran = publishing.ocelot("--public", "--json", "--output", "/proc/done.json")
    assert ran.code == 8
    assert all(each["ok"] for each in json_targets(ran).values())


def test_a_failed_target_counts_more_than_a_report_that_cannot_be_written(
    publishing: Publishing,
) -> None:
    publishing.aws.rules(Rule(region=REGIONS[0], error=NOT_OPTED_IN))
    ran = publishing.ocelot("--public", "--json", "--output", "/proc/done.json")
    assert ran.code == 13, ran.err
    assert "/proc" in ran.err


def test_the_arns_are_an_output_of_the_step(publishing: Publishing, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    publishing.aws.rules(Rule(region=REGIONS[0], error=NOT_OPTED_IN))
    ran = publishing.ocelot("--public", env={"GITHUB_OUTPUT": str(outputs)})
    assert ran.code == 13, ran.err
    name, _, value = outputs.read_text().partition("=")
    layers = json.loads(value)["minimal"]
    assert (name, sorted(layers)) == ("layers", sorted(REGIONS[1:]))
    arn = f"arn:aws:lambda:{OHIO}:{ACCOUNT}:layer:{LAYER}:1"
    assert layers[OHIO]["amd64"] == arn
    assert sorted(layers[OHIO]) == ["amd64", "arm64"]


def test_a_dry_run_has_no_output(publishing: Publishing, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    assert publishing.ocelot("--dry-run", env={"GITHUB_OUTPUT": str(outputs)}).code == 0
    assert not outputs.exists()


@pytest.mark.parametrize("name", [".", "a/b"])
def test_a_summary_that_cannot_be_written_is_a_note(
    publishing: Publishing, tmp_path: Path, name: str
) -> None:
    summary = tmp_path / name
    ran = publishing.ocelot("--public", "--json", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert ran.code == 0, ran.err
    assert "note: the job's summary could not be written" in ran.err
    assert all(each["ok"] for each in json_targets(ran).values())


def test_a_full_standard_output_loses_neither_file_nor_summary(
    publishing: Publishing, tmp_path: Path
) -> None:
    summary, written = tmp_path / "summary.md", tmp_path / "done.json"
    command = [str(OCELOT), *map(str, publishing.command("--public", "--output", written))]
    variables = {**publishing.aws.environment(), "GITHUB_STEP_SUMMARY": str(summary)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            env=environment(publishing.folder / "cache", variables),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 8
    assert "Traceback" not in done.stderr
    assert "6 publish" in summary.read_text()
    assert all(each["ok"] for each in json.loads(written.read_text())["targets"])


def test_a_folder_instead_of_a_file_is_refused_before_publishing(publishing: Publishing) -> None:
    ran = publishing.ocelot("--public", "--output", publishing.folder)
    assert ran.code == 2
    assert publishing.writes() == []


def test_a_role_is_assumed_by_a_token(publishing: Publishing) -> None:
    publishing.aws.emulator.trusts = [Trust(subject="repo:acme/layers:*")]
    env = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "TOKEN": web_token("repo:acme/layers:ref:refs/heads/main"),
    }
    ran = publishing.ocelot("--public", "--role-arn", ROLE, "--oidc-token", "env:TOKEN", env=env)
    assert ran.code == 0, ran.err
    publishing.check_every_target_exists_once()
    assert env["TOKEN"] not in ran.out + ran.err


def test_the_error_of_an_untrusting_role_hides_the_token(publishing: Publishing) -> None:
    publishing.aws.emulator.trusts = [Trust(subject="repo:acme/layers:*")]
    env = {"TOKEN": web_token("repo:evil/fork:ref:refs/heads/main")}
    ran = publishing.ocelot("--role-arn", ROLE, "--oidc-token", "env:TOKEN", env=env)
    assert ran.code == 11
    assert "cannot be assumed" in ran.err
    assert env["TOKEN"] not in ran.out + ran.err


def test_no_secret_is_in_output(publishing: Publishing) -> None:
    secret = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-very-secret"}
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    ran = publishing.ocelot("--public", "--verbose", env=secret)
    assert ran.code == 13
    assert secret["AWS_SECRET_ACCESS_KEY"] not in ran.out + ran.err


def test_regions_that_are_all_in_quarantine_are_an_error(
    publishing: Publishing, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "distributions.yaml").write_text("minimal: {}\n")
    (folder / "components.yaml").write_text("{}\n")
    quarantine = "quarantine:\n- region: eu-west-1\n  until: 2999-01-31\n  reason: dark\n"
    (folder / "regions.yaml").write_text(f"sets: {{}}\n{quarantine}")
    ran = publishing.ocelot("--regions", IRELAND, "--config", folder)
    assert ran.code == 2
    assert "every requested region is in quarantine" in ran.err
    assert "dark" in ran.err


def test_a_zip_of_an_unconfigured_distribution_is_recorded(publishing: Publishing) -> None:
    manifest = publishing.zips / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"minimal"', '"unconfigured"'))
    done = publishing.publish()
    assert [each.error for each in done.outcomes] == [""] * 6
    row = publishing.state(IRELAND, publishing.packages()[0]).row
    assert row is not None
    assert (row.distribution, row.base_layer_arn) == ("unconfigured", "")


def test_with_the_right_account_layers_are_published(publishing: Publishing) -> None:
    assert all(each.succeeded for each in publishing.publish(account=ACCOUNT).outcomes)


def test_if_one_region_gives_no_identity_another_one_does(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation="GetCallerIdentity", region=IRELAND, error=NOT_OPTED_IN))
    assert all(each.succeeded for each in publishing.publish().outcomes)


def test_the_row_of_a_derived_layer_names_a_base_of_the_run(publishing: Publishing) -> None:
    """The index that finds bases lags behind the table; here it fails altogether."""
    publishing.regions = [IRELAND]
    base, derived = "collector-amd64-minimal.zip", "collector-amd64-minimal-forwarder.zip"
    dist(publishing.zips, base)
    contents = {derived: content(derived, 1_750_000_002), base: content(base)}
    for file, each in contents.items():
        (publishing.zips / file).write_bytes(each)
    distribution = {base: "minimal", derived: "minimal-forwarder"}
    write_manifest(
        publishing.zips,
        [
            layer(file, each).model_copy(update={"distribution": distribution[file]})
            for file, each in contents.items()
        ],
    )
    publishing.aws.rules(Rule(operation="Query", error=SERVICE_EXCEPTION))
    done = publishing.publish()
    assert [each.error for each in done.outcomes] == ["", ""]
    rows = {
        each.package.entry.distribution: publishing.state(IRELAND, each.package).row
        for each in (outcome.plan.target for outcome in done.outcomes)
    }
    assert rows["minimal"]
    assert rows["minimal-forwarder"]
    assert rows["minimal-forwarder"].base_layer_arn == str(rows["minimal"].arn)
    assert rows["minimal"].base_layer_arn == ""


def test_a_path_in_a_manifest_that_leaves_its_folder_is_refused(publishing: Publishing) -> None:
    (publishing.folder / AMD64).write_bytes(content())
    write_manifest(publishing.zips, [layer(f"../{AMD64}", content())])
    ran = publishing.ocelot()
    assert ran.code == 2
    assert f"names '../{AMD64}'" in ran.err
