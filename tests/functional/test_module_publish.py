"""The Dagger module's `publish` and `release`, against a stand-in engine and an AWS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from aws_mended import Trust
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import NOT_OPTED_IN
from dagger import dag
from dagger_client import needs_schema, with_client
from dagger_engine import Engine
from dagger_module import MINIMAL, called, executed, fails, ocelot_module
from module_publishing import (
    KEYS,
    PLACE,
    ROLE,
    TOKEN,
    answers,
    by_key,
    by_role,
    handed_out,
    layers,
    secret,
    use_aws_here,
)
from publish_examples import dist
from publishing import FRANCE, IRELAND, Publishing

pytestmark = needs_schema


@pytest.fixture(autouse=True)
def _answers(  # pyright: ignore[reportUnusedFunction]
    engine: Engine, publishing: Publishing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(engine, publishing, tmp_path, monkeypatch)


def check_all_is_there_once(publishing: Publishing, monkeypatch: pytest.MonkeyPatch) -> None:
    use_aws_here(publishing, monkeypatch)
    publishing.check_all_is_there_once()


def test_a_key_publishes_to_every_region(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert engine.invalid == []
    done = handed_out()["targets"]
    assert [each["region"] for each in done] == [IRELAND, IRELAND, FRANCE, FRANCE]
    assert all(each["ok"] and each["public"] for each in done)
    report = (Path.cwd() / ".ocelot" / "published" / "publish.md").read_text()
    assert report.startswith("### Published: 4 publish, make public, record")
    assert {call.name.key for call in publishing.aws.calls()} == {KEYS["access_key_id"]}
    check_all_is_there_once(publishing, monkeypatch)


def test_a_second_call_writes_nothing(engine: Engine, publishing: Publishing) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing)))
    publishing.aws.forget()
    shutil.rmtree(".ocelot")  # each call has a working folder of its own
    with_client(called("publish", layers=layers, **by_key(publishing)))
    assert engine.invalid == []
    assert publishing.writes() == []
    assert {each["action"] for each in handed_out()["targets"]} == {"reuse"}


def test_a_role_is_taken_on_by_the_token_handed_over(
    engine: Engine, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.aws.mended.trusts = [Trust(subject="repo:acme/layers:environment:publish")]
    with_client(called("publish", layers=layers, **by_role(publishing)))
    assert engine.invalid == []
    assert len(handed_out()["targets"]) == 4
    check_all_is_there_once(publishing, monkeypatch)


def test_a_role_that_trusts_another_is_told_without_the_token(
    engine: Engine, publishing: Publishing
) -> None:
    publishing.aws.mended.trusts = [Trust(subject="repo:acme/layers:environment:other")]
    told = fails(engine, "publish", layers=layers, **by_role(publishing))
    assert f"the role {ROLE} cannot be taken on" in told
    assert TOKEN not in told


def test_no_secret_is_in_a_query_or_a_file(engine: Engine, publishing: Publishing) -> None:
    publishing.aws.mended.trusts = [Trust(subject="*")]
    secrets = {KEYS["secret_access_key"]: by_key(publishing), TOKEN: by_role(publishing)}
    for value, given in secrets.items():
        shutil.rmtree(".ocelot", ignore_errors=True)
        with_client(called("publish", layers=layers, **given))
        assert not engine.contains(value)
        files = [path for path in Path.cwd().rglob("*") if path.is_file()]
        assert [path for path in files if value.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"role_arn": ROLE},
        {"oidc_token": secret("token")},
        {"access_key_id": secret("access_key_id")},
        {"role_arn": ROLE, "oidc_token": secret("token"), **{n: secret(n) for n in KEYS}},
    ],
    ids=["nothing", "no token", "no role", "half a key", "both"],
)
def test_without_credentials_of_its_own_it_takes_no_others(
    engine: Engine,
    publishing: Publishing,
    given: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATHEENGINESOWNKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    told = fails(
        engine, "publish", layers=layers, **PLACE, **given, endpoint_url=publishing.aws.url
    )
    assert "a module has no credentials of its own" in told
    assert "--role-arn with --oidc-token" in told
    assert publishing.aws.calls() == []


def test_what_was_done_is_told_where_a_region_fails(engine: Engine, publishing: Publishing) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    told = fails(engine, "publish", layers=layers, **by_key(publishing))
    assert "2 of 4 targets are not as they should be" in told
    assert f"{FRANCE} amd64: " in told
    assert f"{IRELAND} arm64: publish, make public, record: arn:aws:lambda:{IRELAND}" in told
    assert "next: run the same command again" in told


def test_a_dry_run_writes_nothing_and_hands_out_the_plan(
    engine: Engine, publishing: Publishing
) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing), dry_run=True))
    assert engine.invalid == []
    assert publishing.writes() == []
    assert {each["action"] for each in handed_out()["targets"]} == {"publish, make public, record"}
    report = (Path.cwd() / ".ocelot" / "published" / "publish.md").read_text()
    assert report.startswith("### Would be published")
    assert f"| {FRANCE} | amd64 | publish, make public, record |" in report


def test_a_release_builds_and_publishes(engine: Engine, publishing: Publishing) -> None:
    with_client(called("release", **MINIMAL, **by_key(publishing)))
    assert engine.invalid == []
    assert [each["architecture"] for each in handed_out()["targets"]] == ["amd64", "amd64"]
    built = json.loads((Path.cwd() / ".ocelot" / "dist" / "manifest.json").read_text())["layers"]
    assert {each["sha256"] for each in handed_out()["targets"]} == {built[0]["sha256"]}
    client = publishing.client(FRANCE)
    (there,) = client.list_layers()["Layers"]
    assert there["LayerName"] == "ocel-amd64-minimal-0_155_0-beta"


def test_a_release_without_publishing_needs_no_aws(engine: Engine, publishing: Publishing) -> None:
    with_client(called("release", **MINIMAL, skip_publish=True))
    assert engine.invalid == []
    assert (Path.cwd() / ".ocelot" / "dist" / "manifest.json").exists()
    assert publishing.aws.calls() == []


def test_nothing_is_compiled_for_who_may_not_publish(
    engine: Engine, publishing: Publishing
) -> None:
    other = {**by_key(publishing), "account": "210987654321"}
    told = fails(engine, "release", **MINIMAL, **other)
    assert f"the credentials are of account {ACCOUNT}, not of 210987654321" in told
    assert executed(engine) == []


def test_a_release_wants_its_regions_named(engine: Engine, publishing: Publishing) -> None:
    given = {**by_key(publishing), "regions": ""}
    told = fails(engine, "release", **MINIMAL, **given)
    assert "no region is configured" in told


def test_what_aws_serves_is_handed_out_as_verify_takes_it(
    engine: Engine, publishing: Publishing, tmp_path: Path
) -> None:
    with_client(called("publish", layers=layers, **by_key(publishing)))
    report = tmp_path / "publish.json"
    shutil.copy(Path.cwd() / ".ocelot" / "published" / "publish.json", report)
    shutil.rmtree(".ocelot")
    engine.answer("File.export", lambda _, given: str(shutil.copy(report, given["path"])))

    async def published() -> str:
        return await dag.container().file("/publish.json").id()

    who = {name: value for name, value in by_key(publishing).items() if name not in PLACE}
    with_client(called("fetch", published=published, layers=layers, **who))
    assert engine.invalid == []
    served = Path.cwd() / ".ocelot" / "served"
    built = dist(tmp_path / "built")
    for path in built.iterdir():
        assert (served / path.name).read_bytes() == path.read_bytes()


def test_publishing_is_never_cached() -> None:
    functions: Any = vars(ocelot_module())["_main"].functions
    names = ("publish", "release", "fetch")
    assert {functions[name].meta.cache for name in names} == {"never"}
