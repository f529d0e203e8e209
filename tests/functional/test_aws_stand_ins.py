"""The stand-in for AWS shows the faults that tests rely on, and refuses what AWS refuses."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

import pytest
from aws_mended import REQUEST_BYTES, Trust, web_token
from aws_rules import Gate, Rule
from aws_server import access_key
from aws_wire import ACCESS_DENIED, SERVICE_EXCEPTION, THROTTLED
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


def publish(client: Client, content: bytes | None = None) -> dict[str, Any]:
    return client.publish_layer_version(LayerName="layer", Content={"ZipFile": content or zipped()})


def versions(client: Client) -> list[int]:
    found = client.list_layer_versions(LayerName="layer")["LayerVersions"]
    return [each["Version"] for each in found]


def code(call: Callable[[], object]) -> tuple[int, str]:
    """HTTP status and code with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def assume(aws: FaultyProxy, token: str = "", role: str = ROLE) -> dict[str, str]:
    client = aws.client("sts", PARIS, credentials={})
    answer = client.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="session", WebIdentityToken=token or web_token(MAIN)
    )
    return answer["Credentials"]


# Faults


def test_an_error_is_answered_as_often_as_is_said_and_moto_does_not_hear_of_it(
    aws: FaultyProxy,
) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(operation="PublishLayerVersion", times=2, error=SERVICE_EXCEPTION))
    for _ in range(2):
        assert code(lambda: publish(client)) == (500, "ServiceException")
    assert publish(client)["Version"] == 1
    assert [(call.status, call.done) for call in aws.calls()] == [
        *[(500, False)] * 2,
        (201, True),
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
    assert code(getattr(aws.client(service, PARIS), call)) == expected


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
    assert statuses(replace(nth, region=DUBLIN)) == [200, 200, 200, 200, 200, 429]


@pytest.mark.parametrize(
    ("moment", "published"), [("head", []), ("upload", []), ("answer", [1])], ids=str
)
def test_a_connection_is_reset_before_or_after_moto_did_it(
    aws: FaultyProxy, moment: Literal["head", "upload", "answer"], published: list[int]
) -> None:
    client = aws.client("lambda", PARIS)
    aws.rules(Rule(operation="PublishLayerVersion", times=1, reset=moment))
    with pytest.raises(HTTPClientError):
        publish(client, zipped(os.urandom(3_000_000)))
    assert versions(client) == published
    call = aws.calls("PublishLayerVersion")[0]
    assert (call.status, call.done) == (None, bool(published))


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


# What AWS refuses


def test_throttling_counts_each_region_and_account(aws: FaultyProxy) -> None:
    now = [0.0]
    aws.mended.clock = lambda: now[0]
    aws.mended.requests_per_second = 15
    client = aws.client("lambda", PARIS)
    for _ in range(15):
        versions(client)
    assert code(lambda: versions(client)) == (429, "TooManyRequestsException")
    versions(aws.client("lambda", PARIS, credentials={"AccessKeyId": access_key(OTHER)}))
    versions(aws.client("lambda", DUBLIN))
    now[0] = 1.0
    versions(client)


def test_credentials_expire_until_sts_hands_out_new_ones(aws: FaultyProxy) -> None:
    aws.mended.trusts = [Trust(subject=MAIN)]
    old = aws.client("lambda", PARIS, credentials=assume(aws))
    publish(old)
    aws.mended.expire_credentials()
    assert code(lambda: versions(old)) == (403, "ExpiredTokenException")
    assert code(aws.client("dynamodb", PARIS).list_tables) == (400, "ExpiredTokenException")
    assert versions(aws.client("lambda", PARIS, credentials=assume(aws))) == [1]


def test_a_statement_id_is_taken_once(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    publish(client)
    asked: dict[str, Any] = {"LayerName": "layer", "VersionNumber": 1}
    client.add_layer_version_permission(**asked, **OPEN)
    again = code(lambda: client.add_layer_version_permission(**asked, **OPEN))
    assert again == (409, "ResourceConflictException")


def test_versions_are_listed_by_fifty_newest_first(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    for _ in range(52):
        publish(client)
    first = client.list_layer_versions(LayerName="layer")
    assert [each["Version"] for each in first["LayerVersions"]] == list(range(52, 2, -1))
    rest = client.list_layer_versions(LayerName="layer", Marker=first["NextMarker"])
    assert [each["Version"] for each in rest["LayerVersions"]] == [2, 1]
    assert "NextMarker" not in rest


def test_what_is_no_zip_or_too_large_is_refused(aws: FaultyProxy) -> None:
    client = aws.client("lambda", PARIS)
    garbage = code(lambda: publish(client, b"garbage"))
    assert garbage == (400, "InvalidParameterValueException")
    large = code(lambda: publish(client, bytes(REQUEST_BYTES * 3 // 4)))
    assert large == (413, "RequestEntityTooLargeException")
    aws.mended.layers.code_storage = len(zipped()) - 1
    assert code(lambda: publish(client)) == (400, "CodeStorageExceededException")


@pytest.mark.parametrize(
    ("token", "role", "expected"),
    [
        ("none", ROLE, (400, "InvalidIdentityToken")),
        (web_token(MAIN, aud="other"), ROLE, (400, "InvalidIdentityToken")),
        (web_token("repo:evil/layers:x"), ROLE, (403, "AccessDenied")),
        (web_token(MAIN), ROLE.replace("publisher", "admin"), (403, "AccessDenied")),
        (web_token(MAIN, exp=1), ROLE, (400, "ExpiredTokenException")),
    ],
    ids=["no JWT", "audience", "subject", "role", "expired"],
)
def test_a_web_identity_that_is_not_trusted_is_refused(
    aws: FaultyProxy, token: str, role: str, expected: tuple[int, str]
) -> None:
    aws.mended.trusts = [Trust(subject="repo:acme/layers:*", role=ROLE)]
    assert code(lambda: assume(aws, token, role)) == expected


def test_two_clients_cannot_both_win_a_conditional_write(aws: FaultyProxy) -> None:
    tables = aws.client("dynamodb", PARIS)
    tables.create_table(
        TableName="locks",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
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
