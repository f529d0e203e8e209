"""`ocelot layers`, by the command line, against moto's DynamoDB on loopback."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from aws_emulator import Trust, web_token
from aws_server import MotoServer
from faulty_proxy import FaultyProxy
from markdown_reader import tables
from registry_examples import ACCOUNT, DELETED_AT, PUBLISHED, arn, old_item, row, tombstone
from runs import Ran, run_ocelot

from pipeline.aws.session import default_aws
from pipeline.errors import AwsError, UsageError
from pipeline.naming import Architecture
from pipeline.options import TABLE
from pipeline.registry.registry import Registry
from pipeline.registry.row import COLUMNS
from pipeline.registry.table import definition
from pipeline.registry.tombstone import TOMBSTONE_COLUMNS

Layers = Callable[..., Ran]
REGION = "eu-west-1"

ROWS = (
    row(),
    row(region="us-east-1", version=3, public=False),
    row(architecture=Architecture.ARM64, content=b"arm64"),
    row(
        collector="v0.159.0",
        version=1,
        content=b"new",
        published=PUBLISHED + timedelta(days=1),
    ),
    row("other", published=PUBLISHED - timedelta(days=1)),
)


TOMBSTONES = (
    tombstone(row(version=4), forced=("lock", "used")),
    tombstone(
        row("other", version=5, public=False),
        deleted_at=DELETED_AT + timedelta(days=1),
        restored_as=str(row().arn),
    ),
    tombstone(row(region="us-east-1", version=1), deleted_at=DELETED_AT - timedelta(days=1)),
)


@pytest.fixture(scope="module")
def environment(moto: MotoServer) -> Generator[dict[str, str]]:
    """The environment of a table with rows, one of an older tool, a foreign one, and tombstones."""
    moto.reset()
    with FaultyProxy(moto) as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment(region=REGION).items():
            patch.setenv(name, value)
        aws.emulator.trusts = [Trust(subject="repo:acme/layers:ref:refs/heads/main")]
        client = aws.client("dynamodb", REGION)
        client.create_table(**definition(TABLE))
        registry = Registry(default_aws(), TABLE, REGION)
        for each in ROWS:
            assert registry.put(each) is None
        for each in TOMBSTONES:
            assert registry.bury(each, None)
        foreign = {"layer_arn": {"S": "hello\x1b[31m"}, "distribution": {"S": "other"}}
        for item in (old_item(row("older"), public={"S": "False"}), foreign):
            client.put_item(TableName=TABLE, Item=item)
        yield aws.environment(region=REGION)


@pytest.fixture
def layers(environment: dict[str, str], tmp_path: Path) -> Layers:
    """Runs `ocelot layers`."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
        complete = {**environment, "COLUMNS": "250", **(env or {})}
        return run_ocelot("layers", *arguments, cache=tmp_path, env=complete, cwd=tmp_path)

    return run


def listed(ran: Ran) -> list[str]:
    """Return the ARNs of a list as JSON."""
    assert ran.code == 0, ran.err
    return [each["layer_arn"] for each in json.loads(ran.out)]


def test_all_is_listed_with_the_newest_first(layers: Layers) -> None:
    ran = layers("list", "--json")
    found = listed(ran)
    assert len(found) == 6
    assert found[0] == str(ROWS[3].arn)
    assert found[-2:] == [str(ROWS[4].arn), str(arn("older"))]


def test_a_foreign_row_is_reported_on_standard_error(layers: Layers) -> None:
    ran = layers("list", "--json")
    assert ran.err == (
        r"left out, since it cannot be read: 'hello\x1b[31m': "
        "its layer_arn is no ARN of a layer version\n"
    )


def test_as_markdown_it_has_the_arns_of_each_distributions_newest_version(layers: Layers) -> None:
    ran = layers("list", "--markdown")
    assert ran.code == 0, ran.err
    label = "eu-west-1 · Europe (Ireland)"
    assert tables(ran.out) == [
        [["region", "x86_64"], [label, str(each)]]
        for each in (ROWS[3].arn, arn("older"), ROWS[4].arn)
    ]


def test_as_markdown_it_is_filtered_first(layers: Layers) -> None:
    ran = layers("list", "--markdown", "-d", "minimal", "--version", "0.158.0")
    assert tables(ran.out)[0][0] == ["region", "x86_64", "arm64"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("-d", "minimal"), (3, 0, 2, 1)),
        (("-d", "minimal", "--region", "us-east-1"), (1,)),
        (("-d", "minimal", "--architecture", "arm64"), (2,)),
        (("-d", "minimal", "--version", "0.159.0"), (3,)),
        (("-d", "minimal", "--private"), (1,)),
        (("-d", "minimal", "--public", "-a", "amd64", "--version", "v0.158.0"), (0,)),
        (("--region", "us-east-1"), (1,)),
        (("-d", "none"), ()),
    ],
)
def test_a_list_is_filtered(
    layers: Layers, options: tuple[str, ...], found: tuple[int, ...]
) -> None:
    assert sorted(listed(layers("list", "--json", *options))) == sorted(
        str(ROWS[at].arn) for at in found
    )


def test_a_list_as_csv_has_the_attributes_as_columns(layers: Layers) -> None:
    ran = layers("list", "-d", "minimal", "--csv")
    heading, *lines = csv.reader(io.StringIO(ran.out))
    assert heading == list(COLUMNS)
    assert {line[0] for line in lines} == {str(each.arn) for each in ROWS[:4]}


def test_a_list_for_people_is_a_table(layers: Layers) -> None:
    ran = layers("list", "-d", "minimal")
    assert ran.code == 0
    assert "2026-07-02 12:30" in ran.out
    assert str(ROWS[3].arn) in ran.out


def test_show_has_all_attributes_of_one_layer_version(layers: Layers) -> None:
    assert json.loads(layers("show", str(row().arn), "--json").out) == row().data()
    assert row().code_sha256 in layers("show", str(row().arn)).out
    assert len(layers("show", str(row().arn), "--csv").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (str(arn(version=99)), "has no row of arn:aws:lambda:eu-west-1:"),
        ("hello", "'hello' is no ARN of a layer version"),
    ],
)
def test_show_without_a_row_is_a_usage_error(layers: Layers, argument: str, message: str) -> None:
    ran = layers("show", argument)
    assert (ran.code, ran.out) == (UsageError.exit_code, "")
    assert message in ran.err


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), (1, 0, 2)),
        (("-d", "minimal"), (0, 2)),
        (("--region", "us-east-1"), (2,)),
        (("--private",), (1,)),
        (("--version", "0.157.0"), ()),
    ],
)
def test_deleted_layer_versions_are_listed_with_the_last_deletion_first(
    layers: Layers, options: tuple[str, ...], found: tuple[int, ...]
) -> None:
    ran = layers("list", "--deleted", *options, "--json")
    assert listed(ran) == [str(TOMBSTONES[at].arn) for at in found]


def test_a_deleted_layer_version_has_its_rows_attributes_and_those_of_its_deletion(
    layers: Layers,
) -> None:
    data = {
        **TOMBSTONES[0].row.data(),
        "deleted_at": "2026-11-01T03:00:00+00:00",
        "plan": TOMBSTONES[0].plan,
        "forced": ["lock", "used"],
        "restored_as": "",
    }
    assert json.loads(layers("list", "--deleted", "--json").out)[1] == data
    assert json.loads(layers("show", str(TOMBSTONES[0].arn), "--json").out) == data
    lines = list(csv.DictReader(io.StringIO(layers("list", "--deleted", "--csv").out)))
    assert tuple(lines[1]) == TOMBSTONE_COLUMNS
    assert (lines[1]["forced"], lines[0]["restored_as"]) == ("lock; used", str(row().arn))
    shown = layers("show", str(TOMBSTONES[0].arn), "--csv").out
    assert list(csv.DictReader(io.StringIO(shown))) == [lines[1]]


def test_deleted_layer_versions_for_people(layers: Layers) -> None:
    ran = layers("list", "--deleted")
    assert ran.code == 0, ran.err
    assert "2026-11-02 03:00" in ran.out
    assert str(TOMBSTONES[1].arn) in ran.out
    assert "2026-11-01" in layers("show", str(TOMBSTONES[0].arn)).out


def test_deleted_layer_versions_are_not_shown_as_markdown(layers: Layers) -> None:
    ran = layers("list", "--deleted", "--markdown")
    assert (ran.code, ran.out) == (UsageError.exit_code, "")


def test_history_is_a_line_a_release(layers: Layers) -> None:
    data = json.loads(layers("history", "-d", "minimal", "--json").out)
    lines = [
        (each["layer"], each["regions"], [change.split()[0] for change in each["changes"]])
        for each in data
    ]
    assert lines[0] == ("ocel-amd64-minimal-0_159_0-beta", [REGION], ["collector", "sha256"])
    assert sorted(lines[1:]) == [
        ("ocel-amd64-minimal-0_158_0-beta", [REGION, "us-east-1"], []),
        ("ocel-arm64-minimal-0_158_0-beta", [REGION], []),
    ]


def test_history_for_people_and_as_csv(layers: Layers) -> None:
    assert "collector v0.158.0 -> v0.159.0" in layers("history", "-d", "minimal").out
    lines = list(csv.DictReader(io.StringIO(layers("history", "-d", "minimal", "--csv").out)))
    assert {line["regions"] for line in lines} == {REGION, f"{REGION}; us-east-1"}


def test_history_needs_a_distribution(layers: Layers) -> None:
    ran = layers("history")
    assert ran.code == UsageError.exit_code
    assert "--distribution" in ran.err


def test_json_and_csv_exclude_each_other(layers: Layers) -> None:
    ran = layers("list", "--json", "--csv")
    assert ran.code == UsageError.exit_code
    assert "--json and --csv exclude each other" in ran.err


def test_another_table_is_named_by_option_or_environment(layers: Layers) -> None:
    by_option = layers("list", "--table", "mine")
    by_environment = layers("list", env={"DYNAMODB_TABLE_NAME": "mine"})
    assert by_option.code == by_environment.code == AwsError.exit_code
    assert by_option.err == by_environment.err
    assert f"there is no table mine in {REGION}" in by_option.err
    assert "ocelot layers create-table --table mine" in by_option.err


def test_a_table_is_created_by_the_command_of_the_error(layers: Layers) -> None:
    options = ("--table", "created", "--table-region", REGION)
    made = layers("create-table", *options, "--json")
    assert json.loads(made.out) == {
        "table": "created",
        "region": REGION,
        "created": True,
        "indexes": [],
    }
    assert layers("list", *options).code == 0
    assert "exists already" in layers("create-table", *options).out


def test_the_table_is_in_the_requested_region(layers: Layers) -> None:
    ran = layers("list", "--table-region", "us-west-2")
    assert ran.code == AwsError.exit_code
    assert "there is no table PublishedCustomCollectorExtensionLayers in us-west-2" in ran.err


def test_a_role_that_reads_is_assumed_by_a_token(layers: Layers) -> None:
    env = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "TOKEN": web_token("repo:acme/layers:ref:refs/heads/main"),
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/reader"
    token = ("--role-arn", role, "--oidc-token", "env:TOKEN")
    assert len(listed(layers("list", "--json", *token, env=env))) == 6
    assert layers("list", env=env).code == 11


def test_without_credentials_the_error_has_a_hint(layers: Layers) -> None:
    ran = layers("list", env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert (ran.code, ran.out) == (AwsError.exit_code, "")
    assert "there are no AWS credentials" in ran.err
    assert "give credentials" in ran.err


def test_a_missing_profile_is_an_error(layers: Layers) -> None:
    ran = layers("list", env={"AWS_PROFILE": "mine"})
    assert ran.code == AwsError.exit_code
    assert "The config profile (mine) could not be found" in ran.err


def test_an_aws_that_does_not_answer_is_an_error(layers: Layers) -> None:
    ran = layers("list", env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert ran.code == AwsError.exit_code
    assert "Could not connect to the endpoint URL" in ran.err
