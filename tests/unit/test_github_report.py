"""The report of a release on GitHub, in each of its shapes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_examples import shown
from syrupy.assertion import SnapshotAssertion
from test_github_plan import DRAFT, PUBLISHED, WANTED, asset, state

from pipeline.github.apply import GitHubResult
from pipeline.github.plan import GIVEN_UP, release_plan
from pipeline.github.releases import FoundRelease, TagState
from pipeline.report.github_release import github_json, github_report
from pipeline.report.summary import report_markdown

COMMIT = "1" * 40
BROKEN_OFF = asset("a.zip", is_whole=False, size=0, created=state().now - GIVEN_UP)
SHAPES = {
    "new": state(),
    "draft": state(DRAFT),
    "upload-broken-off": state(replace(DRAFT, assets=(BROKEN_OFF,))),
    "whole": state(PUBLISHED, commit=COMMIT),
    "notes-changed": state(replace(PUBLISHED, body=f"old{WANTED.body}"), commit=COMMIT),
    "records-kept": state(
        replace(PUBLISHED, assets=(asset("a.zip"), asset("publish.json", "b"))), commit=COMMIT
    ),
    "two-drafts": state(DRAFT, replace(DRAFT, id=8, assets=())),
}


def result(seen: TagState, release: FoundRelease | None = PUBLISHED) -> GitHubResult:
    plan = release_plan(WANTED, seen)
    return GitHubResult(repository="acme/layers", plan=plan, release=release, notes=plan.notes)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_report_of_each_shape(shape: str, snapshot: SnapshotAssertion) -> None:
    report = github_report(result(SHAPES[shape]), dry_run=False)
    assert {"screen": shown(report, width=100), "summary": report_markdown(report)} == snapshot


def test_the_report_of_a_dry_run(snapshot: SnapshotAssertion) -> None:
    report = github_report(result(SHAPES["new"], None), dry_run=True)
    assert shown(report, width=100) == snapshot


def test_the_json_names_each_action() -> None:
    told = json.loads(github_json(result(SHAPES["upload-broken-off"]), dry_run=False))
    assert {each["name"]: each["action"] for each in told["assets"]} == {
        "a.zip": "upload again",
        "publish.json": "upload",
    }
    assert (told["url"], told["created"], told["published"]) == (PUBLISHED.url, False, True)
