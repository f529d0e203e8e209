"""Functions and their layers as the door to AWS sees them."""

from __future__ import annotations

import time

import pytest
from aws_server import ACCOUNT
from aws_wire import ACCESS_DENIED
from faulty_proxy import FaultyProxy, Rule
from publishing import FRANCE, IRELAND, Publishing, most_in_a_second

from pipeline.aws.functions import LATEST, RegionFunctions
from pipeline.aws.layers import RegionClient
from pipeline.aws.session import default_aws
from pipeline.errors import AwsError

OURS = f"arn:aws:lambda:{IRELAND}:{ACCOUNT}:layer:ocel-"
LAYER = f"{OURS}amd64-minimal-0_155_0-beta"
OTHER = f"arn:aws:lambda:{IRELAND}:210987654321:layer:ocel-like:4"


def functions(region: str = IRELAND) -> RegionFunctions:
    return RegionFunctions(RegionClient(default_aws(), region))


@pytest.fixture
def aws(publishing: Publishing) -> FaultyProxy:
    return publishing.aws


def test_every_version_with_a_layer_of_ours_is_found(aws: FaultyProxy) -> None:
    aws.emulator.functions.add(
        IRELAND, "checkout", [OTHER, f"{LAYER}:2"], versions=[[f"{LAYER}:1"], [OTHER], []]
    )
    aws.emulator.functions.add(IRELAND, "plain", [])
    aws.emulator.functions.add(IRELAND, "others", [OTHER])
    aws.emulator.functions.add(FRANCE, "elsewhere", [f"{LAYER}:1".replace(IRELAND, FRANCE)])
    seen = functions().using(OURS)
    assert [(each.name, each.version, each.layers) for each in seen.functions] == [
        ("checkout", LATEST, (OTHER, f"{LAYER}:2")),
        ("checkout", "1", (f"{LAYER}:1",)),
    ]
    assert {each.arn for each in seen.functions} == {
        f"arn:aws:lambda:{IRELAND}:{ACCOUNT}:function:checkout"
    }
    assert (
        seen.functions[0].revision == aws.emulator.functions.function(IRELAND, "checkout").revision
    )
    assert seen.requests == 1


def test_a_region_without_functions_takes_one_request(aws: FaultyProxy) -> None:
    assert functions().using(OURS).functions == ()
    assert len(aws.calls("ListFunctions")) == 1


def test_5000_functions_are_listed_at_the_pace(aws: FaultyProxy) -> None:
    aws.emulator.requests_per_second = 15
    for number in range(5000):
        uses = [f"{LAYER}:1"] if number % 100 == 0 else [OTHER]
        aws.emulator.functions.add(IRELAND, f"function-{number}", uses)
    started = time.monotonic()
    seen = functions().using(OURS)
    assert len(seen.functions) == 50
    calls = aws.calls("ListFunctions")
    assert len(calls) == seen.requests == 100
    assert most_in_a_second(calls) <= 10
    assert {call.status for call in calls} == {200}
    assert time.monotonic() - started < 25


def test_a_refusal_says_which_request_was_refused(aws: FaultyProxy) -> None:
    aws.rules(Rule(operation="ListFunctions", error=ACCESS_DENIED))
    with pytest.raises(AwsError, match="list the functions") as refused:
        functions().using(OURS)
    assert "oidc/" in refused.value.hint
