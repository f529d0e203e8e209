"""`ocelot publish` against an AWS with faults: in the end each target exists exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_emulator import Trust, web_token
from aws_rules import HANG, Call, Gate, Rule
from aws_server import MotoServer
from aws_wire import (
    ACCESS_DENIED,
    CODE_STORAGE_EXCEEDED,
    NOT_OPTED_IN,
    SERVICE_EXCEPTION,
    THROTTLED,
    UNAVAILABLE,
    ErrorAnswer,
)
from botocore.config import Config
from faulty_proxy import FaultyProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from publish_examples import AMD64, dist
from publishing import (
    FRANCE,
    IRELAND,
    OHIO,
    REGIONS,
    Publishing,
    kills,
    most_in_a_second,
    prepared,
    without_garbage_collection,
)
from test_publish import ROLE
from unit_examples import layer

from pipeline.aws import session
from pipeline.aws.session import role_aws
from pipeline.errors import PartlyPublishedError
from pipeline.layer.zip import ZipEntry, pack
from pipeline.publish import run
from pipeline.publish.reconcile import INTERRUPTED, TargetOutcome
from pipeline.publish.run import PublishResult, check_outcomes
from pipeline.trust.token import token_of

PUBLISH, PERMIT, RECORD = "PublishLayerVersion", "AddLayerVersionPermission", "UpdateItem"


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in ("LAYERS", "UPLOAD", "PUBLISH"):
        config: Config = getattr(session, name)
        monkeypatch.setattr(session, name, config.merge(Config(read_timeout=1.5)))


def failed(done: PublishResult) -> dict[str, list[TargetOutcome]]:
    """Return the failed outcomes, by region."""
    found: dict[str, list[TargetOutcome]] = {}
    for each in done.outcomes:
        if not each.succeeded:
            found.setdefault(each.plan.target.region, []).append(each)
    return found


def all_succeeded(done: PublishResult) -> bool:
    return len(done.outcomes) == 2 * len(REGIONS) and not failed(done)


# Faults that end


@pytest.mark.parametrize(
    "rule",
    [
        Rule(operation=PUBLISH, times=1, per_region=True, reset="answer"),
        Rule(operation=PUBLISH, times=1, per_region=True, reset="upload"),
        Rule(operation=PUBLISH, times=2, per_region=True, reset="head"),
        Rule(operation=PUBLISH, times=2, per_region=True, error=THROTTLED),
        Rule(operation=PUBLISH, times=2, per_region=True, error=SERVICE_EXCEPTION),
        Rule(operation=PUBLISH, times=2, per_region=True, error=UNAVAILABLE),
        Rule(operation=PUBLISH, times=1, per_region=True, stall=HANG),
        Rule(operation=PUBLISH, times=1, per_region=True, late=HANG),
        Rule(operation=PERMIT, times=2, per_region=True, reset="answer"),
        Rule(operation=PERMIT, times=1, per_region=True, stall=HANG),
        Rule(operation=RECORD, times=2, reset="answer"),
        Rule(operation="ListLayerVersions", times=3, per_region=True, error=THROTTLED),
        Rule(operation="ListLayerVersions", times=1, per_region=True, stall=HANG),
        Rule(operation="GetLayerVersion", times=2, per_region=True, error=UNAVAILABLE),
        Rule(operation="GetLayerVersionPolicy", times=2, per_region=True, reset="answer"),
    ],
    ids=lambda rule: (
        f"{rule.operation} {rule.reset or (rule.error and rule.error.code) or 'silence'}"
    ),
)
def test_after_a_short_fault_every_target_exists_once(publishing: Publishing, rule: Rule) -> None:
    publishing.aws.rules(rule)
    assert all_succeeded(publishing.publish())
    publishing.check_every_target_exists_once()


def test_after_a_lost_answer_nothing_is_published_twice(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation=PUBLISH, reset="answer"))
    assert all_succeeded(publishing.publish())
    assert len(publishing.aws.calls(PUBLISH)) == 6
    publishing.check_every_target_exists_once()


def test_frequent_throttling_is_overcome(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(probability=0.4, seed=1, error=THROTTLED))
    done = publishing.publish()
    publishing.check_every_target_exists_once()
    assert all_succeeded(done)
    assert sum(each.retries for each in done.outcomes) > 0


def test_the_pace_stays_below_awss_limit(publishing: Publishing) -> None:
    publishing.aws.emulator.requests_per_second = 15
    done = publishing.publish()
    assert all_succeeded(done)
    assert not any(call.error == THROTTLED.code for call in publishing.aws.calls())


def test_an_upload_may_take_longer_than_a_connection(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.regions = [IRELAND]
    content = pack((ZipEntry(name="noise", content=os.urandom(20_000_000)),), epoch=1_750_000_000)
    dist(publishing.zips, AMD64)
    (publishing.zips / AMD64).write_bytes(content)
    (publishing.zips / "manifest.json").write_text(
        json.dumps({"version": 1, "layers": [layer(AMD64, content).model_dump(mode="json")]})
    )
    monkeypatch.setattr(session, "LAYERS", session.LAYERS.merge(Config(connect_timeout=0.5)))
    monkeypatch.setattr(session, "PUBLISH", session.PUBLISH.merge(Config(connect_timeout=60)))
    publishing.aws.rules(Rule(operation=PUBLISH, during=lambda _: time.sleep(1)))
    (done,) = publishing.publish().outcomes
    assert done.error == ""
    assert done.retries == 0


# Faults that do not end


@pytest.mark.parametrize(
    "rule",
    [
        Rule(region=FRANCE, error=UNAVAILABLE),
        Rule(region=FRANCE, reset="head"),
        Rule(region=FRANCE, operation=PUBLISH, error=ACCESS_DENIED),
        Rule(region=FRANCE, operation=PUBLISH, error=CODE_STORAGE_EXCEEDED),
        Rule(region=FRANCE, operation=PUBLISH, reset="upload"),
        Rule(region=FRANCE, operation=PERMIT, error=ACCESS_DENIED),
        Rule(region=FRANCE, operation="GetLayerVersion", error=ACCESS_DENIED),
    ],
    ids=lambda rule: (
        f"{rule.operation} {rule.reset or (rule.error and rule.error.code) or 'silence'}"
    ),
)
def test_a_failing_region_stops_no_other_and_the_next_run_completes_it(
    publishing: Publishing, rule: Rule
) -> None:
    publishing.aws.rules(rule)
    done = publishing.publish()
    assert {region: len(each) for region, each in failed(done).items()} == {FRANCE: 2}
    with pytest.raises(PartlyPublishedError) as caught:
        check_outcomes(done.outcomes)
    assert [line.split(" ")[0] for line in caught.value.details] == [FRANCE, FRANCE]
    publishing.check_every_target_exists_once(regions=[IRELAND, OHIO])
    assert all_succeeded(publishing.publish())
    publishing.check_every_target_exists_once()


def test_a_silent_region_delays_no_other(publishing: Publishing) -> None:
    finished: dict[str, float] = {}
    publishing.aws.rules(
        Rule(region=FRANCE, operation="ListLayerVersions", stall=HANG),
        Rule(operation=RECORD, after=lambda _: finished.setdefault("others", time.monotonic())),
    )
    done = publishing.publish()
    ended = time.monotonic()
    assert set(failed(done)) == {FRANCE}
    # a silent region fails after six timeouts; the others were done long before
    assert ended - finished["others"] > 4
    publishing.check_every_target_exists_once(regions=[IRELAND, OHIO])


def test_a_target_that_takes_too_long_is_abandoned_and_reported(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.aws.rules(Rule(region=FRANCE, operation=PUBLISH, stall=HANG))
    with monkeypatch.context() as patched:
        patched.setattr(run, "DEADLINE_SECONDS", 1.0)
        done = publishing.publish()
    assert "not done within 1 seconds" in failed(done)[FRANCE][0].error
    publishing.aws.rules()
    assert all_succeeded(publishing.publish())
    publishing.check_every_target_exists_once()


def test_a_published_version_that_cannot_be_read_is_reported(publishing: Publishing) -> None:
    publishing.aws.rules(
        Rule(region=FRANCE, operation="ListLayerVersions", skip=2, error=UNAVAILABLE)
    )
    done = publishing.publish()
    assert all(each.arn.endswith(":1") for each in failed(done)[FRANCE])


def test_the_next_run_finds_a_version_that_may_be_published(publishing: Publishing) -> None:
    publishing.aws.rules(
        Rule(region=FRANCE, operation=PUBLISH, reset="answer"),
        Rule(region=FRANCE, operation="ListLayerVersions", skip=2, error=UNAVAILABLE),
    )
    assert set(failed(publishing.publish())) == {FRANCE}
    publishing.aws.rules()
    assert all_succeeded(publishing.publish())
    publishing.check_every_target_exists_once()


def test_a_version_that_is_listed_late_is_not_published_again(publishing: Publishing) -> None:
    publishing.regions = [FRANCE]
    publishing.publish()
    publishing.aws.forget()
    listing: Any = publishing.aws.emulator.layers.operations["ListLayerVersions"]
    seen: list[Call] = []

    def late(request: Any, name: Any) -> Any:  # noqa: ANN401
        found = listing(request, name)
        seen.append(name)
        return found._replace(body=b'{"LayerVersions": []}') if len(seen) <= 4 else found

    operations: Any = vars(publishing.aws.emulator)["_operations"]
    operations["ListLayerVersions"] = late
    publishing.publish()
    assert publishing.writes() == []


def test_the_next_run_writes_a_row_that_was_refused(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation=RECORD, error=ACCESS_DENIED))
    done = publishing.publish()
    assert len(failed(done)) == 3
    assert all(each.public and each.arn for each in done.outcomes)
    assert all("dynamodb:UpdateItem" in each.error for each in done.outcomes)
    publishing.aws.rules()
    publishing.aws.forget()
    assert all_succeeded(publishing.publish())
    assert {call.operation for call in publishing.writes()} == {RECORD}
    publishing.check_every_target_exists_once()


def test_a_senseless_answer_is_a_failure_of_its_region_alone(publishing: Publishing) -> None:
    publishing.aws.rules(
        Rule(region=FRANCE, operation=PUBLISH, error=ErrorAnswer(200, "x"), times=1)
    )
    done = publishing.publish()
    assert len(done.outcomes) == 6
    assert failed(done)[FRANCE][0].error.startswith("unexpected ")
    assert set(failed(done)) == {FRANCE}


def test_credentials_that_expire_during_a_run_are_renewed(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = publishing.aws
    monkeypatch.setattr(session, "FRESH_SECONDS", 0.2)
    aws.emulator.trusts = [Trust(subject="repo:acme/layers:*")]
    publishing.who = role_aws(ROLE, lambda: web_token("repo:acme/layers:x"), "us-east-1")
    for operation in (PUBLISH, PERMIT, RECORD):
        aws.rules(
            Rule(
                operation=operation,
                times=1,
                before=lambda _: aws.emulator.expire_credentials(),
            )
        )
        dist(publishing.zips, epoch=1_760_000_000 + 1000 * len(operation))
        done = publishing.publish()
        assert [each.error for each in done.outcomes] == [""] * 6, operation


def test_credentials_that_expire_for_many_requests_are_renewed_once(publishing: Publishing) -> None:
    aws = publishing.aws
    aws.emulator.trusts = [Trust(subject="repo:acme/layers:*")]
    publishing.who = role_aws(ROLE, lambda: web_token("repo:acme/layers:x"), "us-east-1")
    aws.rules(Rule(operation=PUBLISH, times=1, before=lambda _: aws.emulator.expire_credentials()))
    assert all_succeeded(publishing.publish())
    refused = [call for call in aws.calls() if "Expired" in call.error]
    assert len(refused) > 1
    assert len(aws.calls("AssumeRoleWithWebIdentity")) == 2


def test_a_token_that_is_gone_during_a_run_is_an_error_of_each_target(
    publishing: Publishing, tmp_path: Path
) -> None:
    aws, path = publishing.aws, tmp_path / "token"
    aws.emulator.trusts = [Trust(subject="repo:acme/layers:*")]
    path.write_text(web_token("repo:acme/layers:x"))
    publishing.who = role_aws(ROLE, lambda: token_of(f"file:{path}", {}), "us-east-1")
    path.unlink()
    aws.rules(Rule(operation=PUBLISH, times=1, before=lambda _: aws.emulator.expire_credentials()))
    done = publishing.publish()
    assert len(done.outcomes) == 6
    assert any("no OIDC token can be read" in each.error for each in done.outcomes)


# A process that is killed


MOMENTS = {
    "before publish": Rule(operation="GetCallerIdentity"),
    "before publish reached AWS": Rule(operation=PUBLISH, skip=1),
    "after publish, before its answer": Rule(operation=PUBLISH, skip=1),
    "between publish and permission": Rule(operation=PERMIT, skip=1),
    "between permission and registry": Rule(operation=RECORD, skip=1),
}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_was_ended_is_completed_by_the_next(
    publishing: Publishing, moment: str, number: signal.Signals
) -> None:
    started: list[subprocess.Popen[str]] = []
    ends: Any = kills(started, number)
    rule = MOMENTS[moment]
    at = {"after": ends} if "answer" in moment else {"before": ends}
    publishing.aws.rules(replace(rule, **at))
    started.append(publishing.start())
    assert started[0].wait(60) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    publishing.aws.idle()
    publishing.aws.rules()
    done = publishing.publish()
    assert all_succeeded(done)
    publishing.check_every_target_exists_once()


def test_an_interrupted_run_does_not_wait_for_a_silent_region(publishing: Publishing) -> None:
    gate = Gate()
    publishing.aws.rules(
        Rule(operation=PUBLISH, before=lambda _: gate.reached.set(), late=HANG),
    )
    process = publishing.start()
    assert gate.reached.wait(60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted by SIGINT; nothing that was done is lost" in err
    assert "finished work is not repeated" in err
    assert "interrupted; the next" in " ".join(out.split())


def test_outcomes_before_an_interruption_are_reported(publishing: Publishing) -> None:
    gate = Gate()
    publishing.aws.rules(
        Rule(region=FRANCE, operation=PUBLISH, before=lambda _: gate.reached.set(), late=HANG),
        Rule(region=OHIO, error=NOT_OPTED_IN),
    )
    process = publishing.start("--json")
    assert gate.reached.wait(60)
    while len(publishing.aws.calls(RECORD)) < 2:
        time.sleep(0.05)
    time.sleep(0.5)  # until the answers have arrived
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    targets = json.loads(out)["targets"]
    assert {(each["region"], each["ok"]) for each in targets} == {
        (IRELAND, True),
        (FRANCE, False),
        (OHIO, False),
    }
    assert {each["error"] for each in targets if each["region"] == FRANCE} == {INTERRUPTED}


# Several faults at once


FAULTS = st.sampled_from(
    [
        Rule(error=THROTTLED),
        Rule(error=SERVICE_EXCEPTION),
        Rule(error=UNAVAILABLE),
        Rule(reset="head"),
        Rule(reset="upload"),
        Rule(reset="answer"),
    ]
)
OPERATIONS = st.sampled_from(
    [PUBLISH, PERMIT, RECORD, "ListLayerVersions", "GetLayerVersion", "GetLayerVersionPolicy"]
)
RULES = st.builds(
    replace,
    FAULTS,
    operation=OPERATIONS,
    skip=st.integers(0, 3),
    times=st.integers(1, 4),
    per_region=st.booleans(),
)


@pytest.fixture(scope="module")
def shared(moto: MotoServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Publishing]:
    with pytest.MonkeyPatch.context() as patched, FaultyProxy(moto) as aws:
        moto.reset()
        yield from prepared(aws, tmp_path_factory.mktemp("shared"), patched)


EPOCHS = iter(range(1_770_000_000, 1_790_000_000, 2))


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(RULES, min_size=1, max_size=4))
def test_after_any_faults_that_end_two_runs_leave_every_target_once(
    shared: Publishing, rules: list[Rule]
) -> None:
    dist(shared.zips, epoch=next(EPOCHS))  # another content for each example
    shared.aws.rules(*rules)
    first = at_aws_pace(shared)
    assert len(first.outcomes) == 6
    if failed(first):
        shared.aws.rules()
        assert all_succeeded(at_aws_pace(shared))
    shared.check_every_target_exists_once()


def at_aws_pace(shared: Publishing) -> PublishResult:
    """Publish, and check that no region got more than ten calls in a second."""
    shared.aws.forget()
    with without_garbage_collection():
        published = shared.publish()
    for region in REGIONS:
        calls = [each for each in shared.aws.calls(region=region) if each.name.service == "lambda"]
        assert most_in_a_second(calls) <= 10
    return published
