"""The workflow that releases layers, run job by job: from the button to what AWS serves."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from actions_runner import JobRan
from aws_mended import Trust
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import NOT_OPTED_IN
from dagger_client import needs_schema
from github import REPOSITORY, GitHub, github
from publishing import FRANCE, HOME, IRELAND, Publishing

from pipeline.defaults import TABLE

pytestmark = needs_schema

ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"
REGIONS = f"sets:\n  default: [{IRELAND}, {FRANCE}]\n"
INPUTS = {"distribution": "minimal", "upstream-repo": "sample"}
NAME = "release-layers.yml"
ZIPS = ["collector-amd64-minimal.zip", "collector-arm64-minimal.zip"]


@pytest.fixture
def forge(publishing: Publishing, tmp_path: Path) -> Generator[GitHub]:
    """A fork, set up as its guide says, and an AWS whose role trusts its environment."""
    publishing.aws.mended.trusts = [
        Trust(subject=f"repo:{REPOSITORY}:environment:publish", role=ROLE)
    ]
    there = publishing.aws.environment()
    kept = {k: v for k, v in there.items() if "KEY" not in k and k != "AWS_DEFAULT_REGION"}
    config = {"regions.yaml": REGIONS}
    with github(tmp_path / "github", config=config, environment=kept) as made:
        made.runner.secrets = {"AWS_ROLE_TO_ASSUME": ROLE, "DYNAMODB_TABLE_NAME": TABLE}
        made.runner.variables = {"DYNAMODB_TABLE_REGION": HOME}
        yield made


def released(forge: GitHub, **more: Any) -> dict[str, JobRan]:  # noqa: ANN401  as JSON has it
    """Press the button."""
    inputs = {name.replace("_", "-"): value for name, value in more.items()}
    return forge.runner.run(NAME, {**INPUTS, **inputs})


def results(jobs: dict[str, JobRan]) -> dict[str, str]:
    return {name: ran.result for name, ran in jobs.items()}


def logs(jobs: dict[str, JobRan]) -> str:
    return "\n".join(ran.log for ran in jobs.values())


def report(ran: JobRan) -> list[dict[str, Any]]:
    text = (ran.workspace / "published" / "publish.json").read_text()
    return json.loads(text)["targets"]


def test_a_release_is_built_published_attested_verified_and_collected(
    forge: GitHub, publishing: Publishing
) -> None:
    jobs = released(forge, set_to_public=True)
    assert set(results(jobs).values()) == {"success"}, logs(jobs)
    done = report(jobs["publish"])
    assert sorted((each["region"], each["architecture"]) for each in done) == [
        (region, architecture)
        for region in (IRELAND, FRANCE)
        for architecture in ("amd64", "arm64")
    ]
    assert all(each["ok"] and each["public"] for each in done)
    for region in (IRELAND, FRANCE):
        listed = publishing.client(region).list_layers()["Layers"]
        assert len(listed) == 2
    assert {str(row.arn) for row in publishing.registry().all().rows} == {e["arn"] for e in done}


def test_the_report_stands_in_the_summary_and_the_files_in_one_artifact(forge: GitHub) -> None:
    jobs = released(forge)
    for each in report(jobs["publish"]):
        assert each["arn"] in jobs["publish"].summary
        assert each["arn"] in jobs["release"].summary
    kept = next(path for path in forge.runner.artifacts.values() if path.name == "release")
    names = sorted(path.name for path in kept.iterdir())
    assert set(ZIPS) < set(names)
    assert {"manifest.json", "ocelot.lock", "publish.json", "verification.json"} < set(names)
    assert {f"{zip_[:-4]}{kind}" for zip_ in ZIPS for kind in (".cdx.json", ".intoto.json")} < set(
        names
    )
    sums = (kept / "SHA256SUMS").read_text()
    assert sorted(line.split("  ")[1] for line in sums.splitlines()) == sorted(
        {*names} - {"SHA256SUMS"}
    )
    assert all(line in jobs["release"].summary for line in sums.splitlines())


def test_what_is_verified_is_what_aws_serves(forge: GitHub) -> None:
    jobs = released(forge)
    (call,) = forge.calls_of("dagger", "call", "verify")
    assert call[3:5] == ["--layers", "served"]
    text = (jobs["verify"].workspace / "verified" / "verification.json").read_text()
    assert json.loads(text)["same"]
    checked = [call[3] for call in forge.calls_of("gh", "attestation", "verify")]
    assert checked == [f"served/{name}" for name in ZIPS]


def test_each_zip_is_attested_with_its_bill_of_materials(forge: GitHub) -> None:
    used = released(forge)["attest"].used
    assert {action for action, _ in used} == {"actions/attest"}
    provenance, *boms = [inputs for _, inputs in used]
    assert provenance["subject-path"].split() == ["dist/*.zip", "dist/manifest.json"]
    assert [(each["subject-path"], each["sbom-path"]) for each in boms] == [
        (f"dist/{name}", f"dist/{name[:-4]}.cdx.json") for name in ZIPS
    ]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_one_architecture_is_released_alone(forge: GitHub, architecture: str) -> None:
    jobs = released(forge, architecture=architecture, aws_region=IRELAND)
    assert set(results(jobs).values()) == {"success"}, logs(jobs)
    assert [each["architecture"] for each in report(jobs["publish"])] == [architecture]
    (_, bom) = [inputs for _, inputs in jobs["attest"].used]
    assert bom["subject-path"] == f"dist/collector-{architecture}-minimal.zip"


def test_a_dry_run_publishes_nothing_and_verifies_what_was_built(
    forge: GitHub, publishing: Publishing
) -> None:
    jobs = released(forge, dry_run=True)
    assert results(jobs) == {
        "build": "success",
        "publish": "success",
        "attest": "skipped",
        "verify": "success",
        "release": "skipped",
    }, logs(jobs)
    assert publishing.writes() == []
    assert "Would be published" in jobs["publish"].summary
    assert forge.calls_of("dagger", "call", "verify")[0][3:5] == ["--layers", "dist"]
    assert forge.calls_of("dagger", "call", "fetch") == []


def test_where_a_region_fails_the_job_tells_and_its_next_attempt_goes_on(
    forge: GitHub, publishing: Publishing
) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    jobs = released(forge)
    assert results(jobs)["publish"] == "failure"
    assert {results(jobs)[name] for name in ("attest", "verify", "release")} == {"skipped"}
    assert "2 of 4 targets are not as they should be" in jobs["publish"].log
    publishing.aws.rules()
    publishing.aws.forget()
    jobs = released(forge)
    assert set(results(jobs).values()) == {"success"}, logs(jobs)
    calls = publishing.aws.calls("PublishLayerVersion")
    assert {call.name.region for call in calls} == {FRANCE}
    assert len(calls) == 2


def test_no_secret_is_in_a_log_a_summary_or_an_artifact(forge: GitHub) -> None:
    jobs = released(forge)
    assert len(forge.tokens) == 2
    hidden = [*forge.tokens, forge.bearer, forge.runner.github["token"]]
    for secret in hidden:
        assert secret not in logs(jobs)
        assert not any(secret in ran.summary for ran in jobs.values())
        for file in forge.runner.folder.glob("artifacts/**/*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes()
    for secret in forge.tokens:  # the one line that has them is the one that hides them
        lines = [ln for ran in jobs.values() for ln in ran.unmasked.splitlines() if secret in ln]
        assert lines == [f"::add-mask::{secret}"]


def test_only_the_publishing_job_is_given_a_token_and_for_its_environment(forge: GitHub) -> None:
    jobs = released(forge)
    assert {name for name, ran in jobs.items() if "::add-mask::" in ran.unmasked} == {"publish"}
    told = [json.loads(_padded(token.split(".")[1])) for token in forge.tokens]
    assert {each["sub"] for each in told} == {f"repo:{REPOSITORY}:environment:publish"}
    assert {each["aud"] for each in told} == {"sts.amazonaws.com"}


def _padded(part: str) -> bytes:
    import base64  # noqa: PLC0415

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_role_that_does_not_trust_the_environment_publishes_nothing(
    forge: GitHub, publishing: Publishing
) -> None:
    publishing.aws.mended.trusts = [Trust(subject=f"repo:{REPOSITORY}:ref:refs/heads/main")]
    jobs = released(forge)
    assert results(jobs)["publish"] == "failure"
    assert "cannot be taken on" in jobs["publish"].log
    assert publishing.writes() == []


def test_a_token_that_is_refused_ends_the_job_before_aws_is_asked(
    forge: GitHub, publishing: Publishing
) -> None:
    forge.runner.token = lambda _: {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/token?a=b",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
    }
    jobs = released(forge)
    assert results(jobs)["publish"] == "failure"
    assert forge.calls_of("dagger", "call", "publish") == []
    assert publishing.aws.calls() == []


def test_a_private_repository_is_attested_only_where_it_says_so(forge: GitHub) -> None:
    private = {"event": {"repository": {"visibility": "private"}}}
    forge.runner.github = {**forge.runner.github, **private}
    jobs = released(forge, aws_region=IRELAND)
    assert results(jobs) == {**dict.fromkeys(jobs, "success"), "attest": "skipped"}
    assert forge.calls_of("gh") == []
    forge.runner.variables = {**forge.runner.variables, "ATTEST": "true"}
    jobs = released(forge, aws_region=IRELAND)
    assert set(results(jobs).values()) == {"success"}


def test_a_committed_lock_is_kept_to(forge: GitHub) -> None:
    first = released(forge, dry_run=True)["build"].workspace / "config" / "ocelot.lock"
    second = released(forge, dry_run=True)["build"].workspace / "config" / "ocelot.lock"
    assert first.read_text() == second.read_text()
    assert re.search(r'ref = "main"', first.read_text())
