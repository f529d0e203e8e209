"""The workflow that releases layers, run job by job: from the button to what AWS serves."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from actions_runner import JobRan
from aws_mended import Trust
from aws_rules import Rule
from aws_server import MotoServer
from aws_wire import NOT_OPTED_IN
from dagger_client import needs_schema
from github import REPOSITORY, GitHub
from publishing import FRANCE, IRELAND, Publishing
from releasing import (
    INPUTS,
    NAME,
    ZIPS,
    Jobs,
    Released,
    fork,
    logs,
    release,
    results,
    rows_of,
    targets,
)

pytestmark = needs_schema

BOTH = ["amd64", "arm64"]


@pytest.fixture(scope="module")
def released(moto: MotoServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[Released]:
    """A release for all tests that only look at it."""
    with release(tmp_path_factory.mktemp("released") / "github", moto) as made:
        yield made


@pytest.fixture
def forge(released: Released, publishing: Publishing, tmp_path: Path) -> Generator[GitHub]:
    """A fork where the layers are built already, before an empty AWS."""
    with fork(tmp_path / "github", publishing.aws) as made:
        made.runner.artifacts = dict(released.forge.runner.artifacts)
        made.runner.numbers = released.forge.runner.numbers
        yield made


def pressed(forge: GitHub, *only: str, after: Jobs, **more: Any) -> Jobs:  # noqa: ANN401
    """Run some jobs, after others."""
    inputs = {name.replace("_", "-"): value for name, value in more.items()}
    return forge.runner.run(NAME, {**INPUTS, **inputs}, only=only, after=after)


def built(released: Released) -> Jobs:
    return {"build": released.jobs["build"]}


def test_a_release_is_built_published_attested_verified_and_collected(released: Released) -> None:
    assert set(results(released.jobs).values()) == {"success"}, logs(released.jobs)
    done = targets(released.jobs["publish"])
    assert sorted((each["region"], each["architecture"]) for each in done) == [
        (region, architecture) for region in (IRELAND, FRANCE) for architecture in BOTH
    ]
    assert all(each["ok"] and each["public"] for each in done)
    names = sorted(f"ocel-{each}-minimal-0_155_0-beta" for each in BOTH)
    assert {region: sorted(found) for region, found in released.layers.items()} == {
        IRELAND: names,
        FRANCE: names,
    }
    assert set(released.rows) == {each["arn"] for each in done}


def test_the_report_stands_in_the_summaries(released: Released) -> None:
    for each in targets(released.jobs["publish"]):
        assert each["arn"] in released.jobs["publish"].summary
        assert each["arn"] in released.jobs["release"].summary
    assert "same bytes" in released.jobs["release"].summary
    assert released.jobs["build"].outputs["artifact-digest"] in released.jobs["release"].summary


def test_the_files_of_a_release_are_in_one_artifact_with_their_digests(released: Released) -> None:
    artifacts = released.forge.runner.artifacts.values()
    kept = next(path for path in artifacts if path.name == "release")
    names = {path.name for path in kept.iterdir()}
    evidence = {f"{name[:-4]}{kind}" for name in ZIPS for kind in (".cdx.json", ".intoto.json")}
    reports = {"publish.json", "publish.md", "verification.json", "verification.md"}
    assert names == {*ZIPS, *evidence, *reports, "manifest.json", "ocelot.lock", "SHA256SUMS"}
    sums = (kept / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in sums} == names - {"SHA256SUMS"}
    assert all(line in released.jobs["release"].summary for line in sums)


def test_what_is_verified_is_what_aws_serves(released: Released) -> None:
    (call,) = released.forge.calls_of("dagger", "call", "verify")
    assert call[3:5] == ["--layers", "served"]
    text = (released.jobs["verify"].workspace / "verified" / "verification.json").read_text()
    assert json.loads(text)["same"]
    checked = [call[3] for call in released.forge.calls_of("gh", "attestation", "verify")]
    assert checked == [f"served/{name}" for name in ZIPS]


def test_each_zip_is_attested_with_its_bill_of_materials(released: Released) -> None:
    used = released.jobs["attest"].used
    assert {action for action, _ in used} == {"actions/attest"}
    provenance, *bills = [inputs for _, inputs in used]
    assert provenance["subject-path"].split() == ["dist/*.zip", "dist/manifest.json"]
    assert [(each["subject-path"], each["sbom-path"]) for each in bills] == [
        (f"dist/{name}", f"dist/{name[:-4]}.cdx.json") for name in ZIPS
    ]


def test_no_secret_is_in_a_log_a_summary_or_an_artifact(released: Released) -> None:
    forge, jobs = released.forge, released.jobs
    assert len(forge.tokens) == 2
    files = [path for path in forge.runner.folder.glob("artifacts/**/*") if path.is_file()]
    assert len(files) > len(ZIPS)
    for secret in (*forge.tokens, forge.bearer, forge.runner.github["token"]):
        assert secret not in logs(jobs)
        assert not any(secret in ran.summary for ran in jobs.values())
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_only_publishing_is_given_a_token_each_of_which_is_hidden_first(released: Released) -> None:
    jobs, tokens = released.jobs, released.forge.tokens
    lines = [(name, line) for name, ran in jobs.items() for line in ran.unmasked.splitlines()]
    shown = [(name, line) for name, line in lines if any(token in line for token in tokens)]
    assert shown == [("publish", f"::add-mask::{token}") for token in tokens]
    claims = [json.loads(decoded(token.split(".")[1])) for token in tokens]
    assert {each["sub"] for each in claims} == {f"repo:{REPOSITORY}:environment:publish"}
    assert {each["aud"] for each in claims} == {"sts.amazonaws.com"}
    assert len(set(tokens)) == 2  # they live five minutes: each call has its own


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_one_architecture_is_built_and_attested_alone(forge: GitHub, released: Released) -> None:
    jobs = pressed(forge, "build", after={}, architecture="arm64")
    assert jobs["build"].result == "success", logs(jobs)
    dist = jobs["build"].workspace / "dist"
    assert [path.name for path in dist.glob("*.zip")] == [ZIPS[1]]
    jobs = pressed(forge, "attest", after=released.jobs, architecture="arm64")
    bills = [inputs["subject-path"] for _, inputs in jobs["attest"].used[1:]]
    assert bills == [f"dist/{ZIPS[1]}"]


def test_a_committed_lock_is_kept_to(
    released: Released, publishing: Publishing, tmp_path: Path
) -> None:
    lock = (released.jobs["build"].workspace / "config" / "ocelot.lock").read_text()
    assert 'distribution = "minimal"' in lock or "[minimal" in lock
    with fork(tmp_path / "github", publishing.aws, **{"ocelot.lock": lock}) as forge:
        jobs = pressed(forge, "build", after={})
    assert (jobs["build"].workspace / "config" / "ocelot.lock").read_text() == lock


def test_a_dry_run_publishes_nothing_and_verifies_what_was_built(
    forge: GitHub, released: Released, publishing: Publishing
) -> None:
    rest = ("publish", "attest", "verify", "release")
    jobs = pressed(forge, *rest, after=built(released), dry_run=True)
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
    forge: GitHub, released: Released, publishing: Publishing
) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    rest = ("publish", "attest", "verify", "release")
    jobs = pressed(forge, *rest, after=built(released))
    assert [results(jobs)[name] for name in rest] == ["failure", *("skipped",) * 3]
    assert "2 of 4 targets are not as they should be" in jobs["publish"].log
    publishing.aws.rules()
    publishing.aws.forget()
    jobs = pressed(forge, "publish", after=built(released))
    assert jobs["publish"].result == "success", logs(jobs)
    calls = publishing.aws.calls("PublishLayerVersion")
    assert [call.name.region for call in calls] == [FRANCE, FRANCE]


def benched(released_by: JobRan) -> set[str]:
    """What the manifest says that the bench found."""
    manifest = json.loads((released_by.workspace / "dist" / "manifest.json").read_text())
    return {each["benched"] for each in manifest["layers"]}


def test_layers_run_where_they_are_built_and_that_is_recorded(released: Released) -> None:
    (building,) = released.forge.calls_of("dagger", "call", "build")
    (publishing,) = released.forge.calls_of("dagger", "call", "publish")
    assert "--bench" in building
    assert "--no-bench" not in publishing
    assert benched(released.jobs["build"]) == {"passed"}
    assert set(released.rows.values()) == {"passed"}


def test_layers_that_are_not_to_be_run_are_published_and_that_is_recorded(
    forge: GitHub, publishing: Publishing
) -> None:
    jobs = pressed(forge, "build", "publish", after={}, bench=False)
    assert set(results(jobs).values()) == {"success"}, logs(jobs)
    assert benched(jobs["build"]) == {""}
    rows = rows_of(publishing.aws)
    assert set(rows.values()) == {"skipped: --no-bench"}
    assert set(rows) == {each["arn"] for each in targets(jobs["publish"])}


def test_a_role_that_does_not_trust_the_environment_publishes_nothing(
    forge: GitHub, released: Released, publishing: Publishing
) -> None:
    publishing.aws.mended.trusts = [Trust(subject=f"repo:{REPOSITORY}:ref:refs/heads/main")]
    jobs = pressed(forge, "publish", after=built(released))
    assert jobs["publish"].result == "failure"
    assert "cannot be taken on" in jobs["publish"].log
    assert publishing.writes() == []


def test_without_a_token_aws_is_not_asked(
    forge: GitHub, released: Released, publishing: Publishing
) -> None:
    given = forge.runner.token
    forge.runner.token = lambda name: {
        **given(name),
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another's",
    }
    jobs = pressed(forge, "publish", after=built(released))
    assert jobs["publish"].result == "failure"
    assert "returned error: 401" in jobs["publish"].log
    assert forge.calls_of("dagger", "call", "publish") == []
    assert publishing.aws.calls() == []


def test_a_private_repository_is_attested_only_where_it_says_so(
    forge: GitHub, released: Released
) -> None:
    private = {"event": {"repository": {"visibility": "private"}}}
    forge.runner.github = {**forge.runner.github, **private}
    jobs = pressed(forge, "attest", "verify", after=released.jobs)
    assert (jobs["attest"].result, jobs["verify"].result) == ("skipped", "success"), logs(jobs)
    assert forge.calls_of("gh") == []
    forge.runner.variables = {**forge.runner.variables, "ATTEST": "true"}
    jobs = pressed(forge, "attest", after=released.jobs)
    assert (jobs["attest"].result, len(jobs["attest"].used)) == ("success", 3)


def test_an_archive_of_another_digest_is_not_installed(forge: GitHub) -> None:
    for archive in (forge.folder / "downloads").iterdir():
        archive.write_bytes(archive.read_bytes() + b"more")
    jobs = pressed(forge, "build", after={})
    assert jobs["build"].result == "failure"
    assert "FAILED" in jobs["build"].log
    assert forge.calls_of("dagger") == []
