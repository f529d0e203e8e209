"""The stand-in for AWS does what the tests on top of it take for granted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from aws_layers import CODE_STORAGE_BYTES
from aws_mended import REQUEST_BYTES, Trust, web_token
from aws_rules import HANG, Call, Gate, Rule, most_at_once
from aws_server import ACCOUNT, MotoServer, access_key, boto_client
from aws_wire import (
    ACCESS_DENIED,
    CODE_STORAGE_EXCEEDED,
    EXPIRED_TOKEN,
    NOT_OPTED_IN,
    SERVICE_EXCEPTION,
    THROTTLED,
    UNAVAILABLE,
    AwsError,
)
from botocore.exceptions import ClientError, HTTPClientError
from faulty_proxy import FaultyProxy

PARIS, DUBLIN = "eu-west-3", "eu-west-1"
OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/publisher"
MAIN = "repo:acme/layers:ref:refs/heads/main"
OPEN = {"StatementId": "public", "Principal": "*", "Action": "lambda:GetLayerVersion"}


Client = Any  # of boto3


def zipped(content: bytes = b"collector") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("collector", content)
    return packed.getvalue()


def publish(client: Client, content: bytes | None = None, layer: str = "layer") -> dict[str, Any]:
    return client.publish_layer_version(LayerName=layer, Content={"ZipFile": content or zipped()})


def versions(client: Client, layer: str = "layer") -> list[int]:
    found = client.list_layer_versions(LayerName=layer)["LayerVersions"]
    return [each["Version"] for each in found]


def code(call: Callable[[], object]) -> tuple[int, str]:
    """HTTP status and code with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# Faults


@pytest.mark.parametrize(
    "error",
    [
        THROTTLED,
        SERVICE_EXCEPTION,
        UNAVAILABLE,
        ACCESS_DENIED,
        CODE_STORAGE_EXCEEDED,
        EXPIRED_TOKEN,
        NOT_OPTED_IN,
    ],
    ids=lambda error: error.code,
)
def test_an_error_is_answered_as_often_as_is_said(aws: FaultyProxy, error: AwsError) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(operation="PublishLayerVersion", times=2, error=error))
    for _ in range(2):
        assert code(lambda: publish(client)) == (error.status, error.code)
    assert publish(client)["Version"] == 1
    assert [(call.status, call.error, call.done) for call in aws.calls()] == [
        (error.status, error.code, False),
        (error.status, error.code, False),
        (201, "", True),
    ]


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("dynamodb", "list_tables", (403, "AccessDeniedException")),
        ("sts", "get_caller_identity", (403, "AccessDenied")),
        ("s3", "list_buckets", (403, "AccessDenied")),
        ("lambda", "list_layers", (403, "AccessDeniedException")),
    ],
)
def test_each_service_tells_an_error_in_its_own_way(
    aws: FaultyProxy, service: str, call: str, expected: tuple[int, str]
) -> None:
    aws.rules(Rule(error=ACCESS_DENIED))
    client = aws.client(service, PARIS)
    assert code(getattr(client, call)) == expected
    assert aws.calls()[-1].error == expected[1]


def test_a_head_gets_no_body_with_its_error(aws: FaultyProxy) -> None:
    client = aws.client("s3")
    aws.rules(Rule(error=ACCESS_DENIED))
    for _ in range(2):  # on one connection
        assert code(lambda: client.head_bucket(Bucket="bucket")) == (403, "403")


def test_boto_tries_again_after_what_it_takes_for_passing(aws: FaultyProxy) -> None:
    aws.rules(Rule(times=1, error=THROTTLED), Rule(skip=1, times=1, error=UNAVAILABLE))
    assert versions(aws.client("lambda", PARIS, attempts=3)) == []
    assert [call.status for call in aws.calls()] == [429, 503, 200]


def test_a_rule_is_for_the_regions_and_operations_it_names(aws: FaultyProxy) -> None:
    aws.rules(Rule(region=(PARIS, "af-south-1"), operation="ListLayerVersions", error=THROTTLED))
    paris, dublin = aws.client("lambda", PARIS), aws.client("lambda", DUBLIN)
    assert code(lambda: versions(paris)) == (429, "TooManyRequestsException")
    publish(paris)
    assert versions(dublin) == []


def test_a_rule_begins_at_the_nth_call_in_all_or_in_each_region(aws: FaultyProxy) -> None:
    clients = [aws.client("lambda", region) for region in (PARIS, DUBLIN)]

    def statuses(rule: Rule) -> list[int | None]:
        aws.rules(rule)
        aws.forget()
        for client in clients * 3:
            try:
                versions(client)
            except ClientError:
                continue
        return [call.status for call in aws.calls()]

    nth = Rule(skip=2, times=1, error=THROTTLED)
    assert statuses(nth) == [200, 200, 429, 200, 200, 200]
    assert statuses(replace(nth, per_region=True)) == [200, 200, 200, 200, 429, 429]


def test_chance_is_the_same_for_the_same_seed(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)

    def refused(seed: int) -> list[bool]:
        aws.rules(Rule(probability=0.5, seed=seed, error=THROTTLED))
        aws.forget()
        with ThreadPoolExecutor(1) as pool:
            for _ in range(20):
                pool.submit(versions, client).exception()
        return [call.status == HTTPStatus.TOO_MANY_REQUESTS for call in aws.calls()]

    assert refused(1) == refused(1) != refused(2)
    assert 3 < sum(refused(1)) < 17


@pytest.mark.parametrize("moment", ["head", "upload"])
def test_a_connection_is_reset_and_moto_never_hears_of_it(
    aws: FaultyProxy, moment: Literal["head", "upload"]
) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(operation="PublishLayerVersion", times=1, reset=moment))
    with pytest.raises(HTTPClientError):
        publish(client, zipped(os.urandom(3_000_000)))
    assert versions(client) == []
    call = aws.calls("PublishLayerVersion")[0]
    assert (call.status, call.done, call.end is None) == (None, False, False)
    assert call.size > 4_000_000


def test_an_answer_is_lost_though_moto_did_it(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(operation="PublishLayerVersion", times=1, reset="answer"))
    with pytest.raises(HTTPClientError):
        publish(client)
    assert versions(client) == [1]
    call = aws.calls("PublishLayerVersion")[0]
    assert (call.status, call.done) == (None, True)


def test_stalls_and_late_answers_take_their_time(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(stall=0.1), Rule(late=0.1))
    started = time.monotonic()
    versions(client)
    assert time.monotonic() - started >= 0.2
    call = aws.calls()[0]
    assert call.end
    assert call.end - call.start >= 0.2


def test_a_hanging_region_does_not_hold_the_others_nor_the_end(moto: MotoServer) -> None:
    moto.reset()
    with FaultyProxy(moto) as aws, ThreadPoolExecutor(1) as pool:
        aws.rules(Rule(region=PARIS, stall=HANG))
        hanging = pool.submit(versions, aws.client("lambda", PARIS))
        assert versions(aws.client("lambda", DUBLIN)) == []
        aws.closing.set()
        assert isinstance(hanging.exception(), HTTPClientError)
        assert [(call.status, call.done) for call in aws.calls(region=PARIS)] == [(None, False)]


def test_a_gate_holds_a_call_before_and_after_moto_does_it(aws: FaultyProxy) -> None:
    client, other = aws.client("lambda", PARIS), aws.client("lambda", PARIS)
    before, after = Gate(), Gate()
    aws.rules(Rule(operation="PublishLayerVersion", before=before, after=after))
    with ThreadPoolExecutor(1) as pool:
        published = pool.submit(publish, client)
        assert before.reached.wait(20)
        assert versions(other) == []
        before.opened.set()
        assert after.reached.wait(20)
        assert versions(other) == [1]
        assert aws.calls("PublishLayerVersion")[0].end is None
        after.opened.set()
        assert published.result()["Version"] == 1


CLIENT = """
import sys
from aws_server import boto_client
content = {"ZipFile": sys.stdin.buffer.read()}
boto_client("lambda", "eu-west-3", sys.argv[1]).publish_layer_version(
    LayerName="layer", Content=content
)
"""


@pytest.mark.parametrize(
    ("moment", "expected"), [("during", []), ("before", []), ("after", [1])], ids=str
)
def test_a_client_that_is_killed_in_a_hook_had_it_done_or_not(
    aws: FaultyProxy, tmp_path: Path, moment: str, expected: list[int]
) -> None:
    started = threading.Event()

    def kill(_: Call) -> None:
        assert started.wait(20)
        victim.kill()
        victim.wait()

    hooks: dict[str, Any] = {moment: kill}
    aws.rules(Rule(operation="PublishLayerVersion", **hooks))
    content = tmp_path / "layer.zip"
    content.write_bytes(zipped(os.urandom(3_000_000)))
    with content.open("rb") as file:
        command = [sys.executable, "-c", CLIENT, aws.url]
        victim = subprocess.Popen(command, cwd=Path(__file__).parent, stdin=file)
    started.set()
    assert victim.wait(60) < 0
    aws.idle()
    assert versions(aws.client("lambda", PARIS)) == expected
    assert aws.calls("PublishLayerVersion")[0].status is None


def test_what_a_hook_raises_fails_the_test(moto: MotoServer) -> None:
    def broken(_: Call) -> None:
        raise TimeoutError("broken")

    def test() -> None:
        with FaultyProxy(moto) as aws:
            aws.rules(Rule(before=broken))
            with pytest.raises(HTTPClientError):
                versions(aws.client("lambda", PARIS))

    with pytest.raises(TimeoutError, match="broken"):
        test()


def test_throttling_counts_each_region_and_account(aws: FaultyProxy) -> None:
    now = [0.0]
    aws.mended.clock = lambda: now[0]
    aws.mended.requests_per_second = 15
    client = aws.client("lambda", PARIS)
    for _ in range(15):
        versions(client)
    assert code(lambda: versions(client)) == (429, "TooManyRequestsException")
    other = {"AccessKeyId": access_key(OTHER)}
    versions(aws.client("lambda", PARIS, credentials=other))
    versions(aws.client("lambda", DUBLIN))
    now[0] = 1.0
    versions(client)


def test_credentials_expire_until_sts_hands_out_new_ones(aws: FaultyProxy) -> None:
    aws.mended.trusts = [Trust(subject=MAIN)]
    old = aws.client("lambda", PARIS, credentials=assume(aws))
    aws.rules(
        Rule(
            operation="PublishLayerVersion",
            times=1,
            after=lambda _: aws.mended.expire_credentials(),
        )
    )
    publish(old)
    assert code(lambda: versions(old)) == (403, "ExpiredTokenException")
    assert code(aws.client("sts", PARIS).get_caller_identity) == (403, "ExpiredToken")
    assert code(aws.client("dynamodb", PARIS).list_tables) == (400, "ExpiredTokenException")
    assert versions(aws.client("lambda", PARIS, credentials=assume(aws))) == [1]


# The record


def test_the_record_names_each_call(aws: FaultyProxy) -> None:
    layers, tables = aws.client("lambda", PARIS), aws.client("dynamodb", DUBLIN)
    buckets, sts = aws.client("s3"), aws.client("sts", PARIS)
    arn = publish(layers)["LayerVersionArn"]
    asked = {"LayerName": "layer", "VersionNumber": 1}
    layers.add_layer_version_permission(**asked, **OPEN)
    layers.get_layer_version(**asked)
    layers.get_layer_version_by_arn(Arn=arn)
    layers.get_layer_version_policy(**asked)
    layers.remove_layer_version_permission(**asked, StatementId="public")
    layers.delete_layer_version(**asked)
    layers.get_account_settings()
    key = {"AttributeName": "id", "AttributeType": "S"}
    tables.create_table(
        TableName="table",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName="table", Item={"id": {"S": "x"}})
    assert tables.get_item(TableName="table", Key={"id": {"S": "x"}})["Item"]
    buckets.create_bucket(Bucket="bucket")
    buckets.put_object(Bucket="bucket", Key="some/key", Body=b"12345")
    assert buckets.head_object(Bucket="bucket", Key="some/key")["ContentLength"] == 5
    sts.get_caller_identity()
    named = [
        (call.region, call.operation, call.name.resource, call.is_writing) for call in aws.calls()
    ]
    layer = arn.rpartition(":")[0]
    assert named == [
        (PARIS, "PublishLayerVersion", "layer", True),
        (PARIS, "AddLayerVersionPermission", "layer", True),
        (PARIS, "GetLayerVersion", "layer", False),
        (PARIS, "GetLayerVersionByArn", layer, False),
        (PARIS, "GetLayerVersionPolicy", "layer", False),
        (PARIS, "RemoveLayerVersionPermission", "layer", True),
        (PARIS, "DeleteLayerVersion", "layer", True),
        (PARIS, "GetAccountSettings", "", False),
        (DUBLIN, "CreateTable", "table", True),
        (DUBLIN, "PutItem", "table", True),
        (DUBLIN, "GetItem", "table", False),
        ("us-east-1", "CreateBucket", "bucket", True),
        ("us-east-1", "PutObject", "bucket/some/key", True),
        ("us-east-1", "HeadObject", "bucket/some/key", False),
        (PARIS, "GetCallerIdentity", "", False),
    ]
    assert all(call.done and call.account == ACCOUNT for call in aws.calls())
    assert [call.operation for call in aws.calls(region=DUBLIN, writing=True)] == [
        "CreateTable",
        "PutItem",
    ]
    assert aws.calls("PutObject")[0].size == 5


def test_34_regions_and_two_architectures_upload_at_once(aws: FaultyProxy) -> None:
    content = zipped(os.urandom(1_000_000))
    regions: list[str] = boto3.Session().get_available_regions("lambda")[:34]
    clients = [aws.client("lambda", region) for region in regions]
    together = threading.Barrier(68)
    aws.rules(Rule(operation="PublishLayerVersion", before=lambda _: together.wait(60)))
    with ThreadPoolExecutor(68) as pool:
        work = [
            pool.submit(publish, client, content, f"layer-{architecture}")
            for architecture in ("amd64", "arm64")
            for client in clients
        ]
        assert {each.result()["Content"]["CodeSize"] for each in work} == {len(content)}
    calls = aws.calls()
    assert most_at_once(calls) == len(calls) == 68
    assert len({(call.region, call.name.resource) for call in calls if call.done}) == 68


# AWS, where moto is another


def test_a_statement_id_is_taken_once(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    publish(client)
    asked: dict[str, Any] = {"LayerName": "layer", "VersionNumber": 1}
    client.add_layer_version_permission(**asked, **OPEN)
    again = code(lambda: client.add_layer_version_permission(**asked, **OPEN))
    assert again == (409, "ResourceConflictException")
    assert len(statements(client)) == 1


def statements(client: Client) -> list[dict[str, Any]]:
    answer = client.get_layer_version_policy(LayerName="layer", VersionNumber=1)
    return json.loads(answer["Policy"])["Statement"]


def test_principals_stand_in_the_policy_as_aws_has_them(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    arn = publish(client)["LayerVersionArn"]
    for sid, more in (
        ("account", {"Principal": OTHER}),
        ("organisation", {"Principal": "*", "OrganizationId": "o-a1b2c3d4e5"}),
    ):
        asked = {**OPEN, "StatementId": sid, **more}
        client.add_layer_version_permission(LayerName="layer", VersionNumber=1, **asked)
    same = {"Effect": "Allow", "Action": "lambda:GetLayerVersion", "Resource": arn}
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    assert statements(client) == [
        {**same, "Sid": "account", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}},
        {**same, "Sid": "organisation", "Principal": "*", "Condition": condition},
    ]


def test_another_account_reads_what_is_open_to_it(aws: FaultyProxy) -> None:
    own = aws.client("lambda", PARIS)
    layer = publish(own)["LayerArn"]
    other = aws.client("lambda", PARIS, credentials={"AccessKeyId": access_key(OTHER)})
    assert versions(other) == []
    asked: dict[str, Any] = {"LayerName": layer, "VersionNumber": 1}
    denied = (403, "AccessDeniedException")
    assert code(lambda: other.get_layer_version(**asked)) == denied
    own.add_layer_version_permission(**asked, **OPEN)
    assert other.get_layer_version(**asked)["LayerArn"] == layer
    assert other.get_layer_version_by_arn(Arn=f"{layer}:1")["Version"] == 1
    assert code(lambda: versions(other, layer)) == denied


def test_versions_are_listed_by_fifty_newest_first_without_digest(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    layer = {publish(client)["LayerArn"] for _ in range(52)}.pop()
    first = client.list_layer_versions(LayerName=layer)
    assert [each["Version"] for each in first["LayerVersions"]] == list(range(52, 2, -1))
    rest = client.list_layer_versions(LayerName="layer", Marker=first["NextMarker"])
    assert [each["Version"] for each in rest["LayerVersions"]] == [2, 1]
    assert "NextMarker" not in rest
    pages = client.get_paginator("list_layer_versions").paginate(LayerName="layer")
    assert len([each for page in pages for each in page["LayerVersions"]]) == 52
    with urllib.request.urlopen(signed(aws, "/2018-10-31/layers/layer/versions")) as answer:  # noqa: S310  loopback
        assert "Content" not in json.loads(answer.read())["LayerVersions"][0]


def test_layers_that_have_versions_are_listed_by_fifty_without_digest(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    names = [f"layer-{at:02}" for at in range(53)]
    for name in names:
        publish(client, layer=name)
    client.delete_layer_version(LayerName=names[7], VersionNumber=1)
    first = client.list_layers()
    rest = client.list_layers(Marker=first["NextMarker"])
    assert (len(first["Layers"]), len(rest["Layers"])) == (50, 2)
    listed = [each["LayerName"] for each in (*first["Layers"], *rest["Layers"])]
    assert listed == [*names[:7], *names[8:]]
    assert "NextMarker" not in rest
    with urllib.request.urlopen(signed(aws, "/2018-10-31/layers")) as answer:  # noqa: S310  loopback
        assert "Content" not in json.loads(answer.read())["Layers"][0]["LatestMatchingVersion"]
    assert aws.client("lambda", DUBLIN).list_layers()["Layers"] == []
    assert [call.operation for call in aws.calls("ListLayers")] == ["ListLayers"] * 4


def signed(aws: FaultyProxy, path: str) -> urllib.request.Request:
    credential = f"Credential={access_key()}/20260101/{PARIS}/lambda/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, Signature=x"}
    return urllib.request.Request(aws.url + path, headers=headers)  # noqa: S310  loopback


def test_versions_are_listed_by_architecture(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    for architecture in ("arm64", "x86_64"):
        client.publish_layer_version(
            LayerName="layer",
            Content={"ZipFile": zipped()},
            CompatibleArchitectures=[architecture],
        )
    found = client.list_layer_versions(LayerName="layer", CompatibleArchitecture="arm64")
    assert [each["Version"] for each in found["LayerVersions"]] == [1]


def test_a_version_has_its_digest_and_a_place_where_it_can_be_had(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    content = zipped(os.urandom(100_000))
    published = publish(client, content)["Content"]
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert (published["CodeSha256"], published["CodeSize"]) == (digest, len(content))
    found = client.get_layer_version(LayerName="layer", VersionNumber=1)["Content"]
    assert found == published
    assert found["Location"].startswith("https://127.0.0.1:")
    with urllib.request.urlopen(found["Location"], context=aws.tls) as answer:  # noqa: S310  loopback
        assert answer.read() == content
    assert aws.calls()[-1].operation == "GetLayerVersionContent"


def test_a_zip_is_published_from_s3(aws: FaultyProxy) -> None:
    buckets, client = aws.client("s3"), aws.client("lambda", "us-east-1")
    content = zipped(b"from S3")
    buckets.create_bucket(Bucket="bucket")
    buckets.put_object(Bucket="bucket", Key="a layer.zip", Body=content)
    source = {"S3Bucket": "bucket", "S3Key": "a layer.zip"}
    published = client.publish_layer_version(LayerName="layer", Content=source)
    assert published["Content"]["CodeSize"] == len(content)


def test_what_is_no_zip_is_refused(aws: FaultyProxy) -> None:
    refused = code(lambda: publish(aws.client("lambda", PARIS), b"garbage"))
    assert refused == (400, "InvalidParameterValueException")


def test_too_large_a_request_is_refused(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    refused = code(lambda: publish(client, bytes(REQUEST_BYTES * 3 // 4)))
    assert refused == (413, "RequestEntityTooLargeException")
    assert versions(client) == []


def test_code_storage_is_told_and_runs_out(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    size = len(zipped())
    publish(client)
    told = client.get_account_settings()
    assert told["AccountLimit"]["TotalCodeSize"] == CODE_STORAGE_BYTES
    assert told["AccountUsage"]["TotalCodeSize"] == size
    aws.mended.layers.code_storage = 2 * size - 1
    assert code(lambda: publish(client)) == (400, "CodeStorageExceededException")
    publish(aws.client("lambda", DUBLIN))
    client.delete_layer_version(LayerName="layer", VersionNumber=1)
    assert publish(client)["Version"] == 2


def assume(aws: FaultyProxy, token: str = "", role: str = ROLE) -> dict[str, str]:
    client = aws.client("sts", PARIS, credentials={})
    answer = client.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="session", WebIdentityToken=token or web_token(MAIN)
    )
    return answer["Credentials"]


def test_a_web_identity_that_is_trusted_gets_the_role(aws: FaultyProxy) -> None:
    aws.mended.trusts = [Trust(subject="repo:acme/layers:*", role="*:role/publisher")]
    credentials = assume(aws)
    identity = aws.client("sts", PARIS, credentials=credentials).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/publisher/session"
    publish(aws.client("lambda", PARIS, credentials=credentials))
    assert {call.account for call in aws.calls()} == {OTHER}
    assert versions(aws.client("lambda", PARIS)) == []


@pytest.mark.parametrize(
    ("token", "role", "expected"),
    [
        ("none", ROLE, (400, "InvalidIdentityToken")),
        (web_token(MAIN, aud="other"), ROLE, (400, "InvalidIdentityToken")),
        (web_token(MAIN, iss="https://other"), ROLE, (400, "InvalidIdentityToken")),
        (web_token("repo:evil/layers:x"), ROLE, (403, "AccessDenied")),
        (web_token(MAIN), ROLE.replace("publisher", "admin"), (403, "AccessDenied")),
        (web_token(MAIN, exp=1), ROLE, (400, "ExpiredTokenException")),
    ],
    ids=["no JWT", "audience", "issuer", "subject", "role", "expired"],
)
def test_a_web_identity_that_is_not_trusted_is_refused(
    aws: FaultyProxy, token: str, role: str, expected: tuple[int, str]
) -> None:
    aws.mended.trusts = [Trust(subject="repo:acme/layers:*", role=ROLE)]
    assert code(lambda: assume(aws, token, role)) == expected


@pytest.mark.parametrize("call", ["get_layer_version", "get_layer_version_policy"])
@pytest.mark.parametrize("layer", ["layer", "none"])
def test_what_is_absent_is_not_found(aws: FaultyProxy, call: str, layer: str) -> None:
    client = aws.client("lambda", PARIS)
    publish(client)
    absent = {"LayerName": layer, "VersionNumber": 1 if call.endswith("policy") else 9}
    refused = code(lambda: getattr(client, call)(**absent))
    assert refused == (404, "ResourceNotFoundException")
    assert versions(client, "none") == []


# The environment, and the end


def test_the_environment_leads_a_run_here_and_nowhere_else(aws: FaultyProxy) -> None:
    seen = aws.environment(account=OTHER, region=DUBLIN)
    program = (
        "import boto3, ssl; ssl.create_default_context();"
        "print(boto3.client('sts').get_caller_identity()['Account'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=seen, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == OTHER
    assert [(call.region, call.account) for call in aws.calls()] == [(DUBLIN, OTHER)]


def test_a_run_has_the_zip_of_a_layer_over_https(aws: FaultyProxy) -> None:
    content = zipped(os.urandom(1000))
    arn = publish(aws.client("lambda", DUBLIN), content)["LayerVersionArn"]
    program = (
        "import sys; from pipeline.naming import layer_arn;"
        "from pipeline.publish.aws import layers;"
        "from pipeline.publish.aws.session import default_aws;"
        "layer = layers.published_layer(default_aws(), layer_arn(sys.argv[1]));"
        "sys.stdout.buffer.write(layers.download_layer(layer))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, arn],
        env=aws.environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == content


def test_a_reset_forgets_everything_and_moto_ends_with_its_server() -> None:
    with MotoServer() as moto:
        client = boto_client("lambda", PARIS, moto.url)
        publish(client)
        moto.reset()
        assert versions(client) == []
        client.close()
    assert moto._process.returncode == 0  # pyright: ignore[reportPrivateUsage]


def test_two_clients_cannot_both_win_a_conditional_write(aws: FaultyProxy) -> None:
    tables = aws.client("dynamodb", PARIS)
    key = {"AttributeName": "id", "AttributeType": "S"}
    tables.create_table(
        TableName="locks",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def lock(_: int) -> bool:
        try:
            tables.put_item(
                TableName="locks",
                Item={"id": {"S": "x"}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except tables.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lock, range(32))) == 1
