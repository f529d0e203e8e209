"""The workflow that watches upstream: it locks a new release, builds it, and proposes the lock."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from actions_runner import JobRan
from dagger_client import needs_schema
from github import GitHub, git, github

from pipeline.build.lock import FILE_NAME, Locked, parse_lock

pytestmark = needs_schema

NAME = "upstream-watch.yml"
NEWEST = "layer-collector/0.19.0"
BRANCH = f"upstream/{NEWEST}"
TAGS = ("layer-collector/0.9.0", NEWEST, "layer-collector/0.20.0-rc1", "layer-nodejs/0.25.0")
CONFIG = {
    "distributions.yaml": """default:
  description: Two receivers
  buildtags: [lambdacomponents.receiver.otlp]
""",
    "budgets.yaml": "{}\n",
}


@pytest.fixture
def forge(tmp_path: Path) -> Generator[GitHub]:
    """A repository with one distribution, and an upstream with releases."""
    with github(tmp_path / "github", config=CONFIG, environment={}, tags=TAGS) as made:
        yield made


def watched(forge: GitHub, *only: str) -> dict[str, JobRan]:
    return forge.runner.run(NAME, only=only)


def results(jobs: dict[str, JobRan]) -> dict[str, str]:
    return {name: ran.result for name, ran in jobs.items()}


def proposed(forge: GitHub) -> tuple[Locked, ...]:
    return parse_lock(git(forge.origin, "show", f"{BRANCH}:config/{FILE_NAME}")).locked


def test_a_new_release_is_locked_built_and_proposed(forge: GitHub) -> None:
    jobs = watched(forge)
    log = "\n".join(ran.log for ran in jobs.values())
    assert results(jobs) == dict.fromkeys(("lock", "build", "propose"), "success"), log
    (entry,) = proposed(forge)
    assert (entry.distribution, entry.ref) == ("default", NEWEST)
    (made,) = forge.pull_requests
    assert (made["head"], made["base"], made["title"]) == (BRANCH, "main", f"Upstream {NEWEST}")
    changed = git(forge.origin, "diff", "--name-only", "main", BRANCH).split()
    assert changed == [f"config/{FILE_NAME}"]
    (call,) = forge.calls_of("dagger", "call", "build")
    assert call[call.index("--upstream-ref") + 1] == NEWEST
    assert "--locked" in call


def test_a_release_that_was_proposed_is_not_proposed_again(forge: GitHub) -> None:
    watched(forge)
    calls = len(forge.calls_of("dagger"))
    assert results(watched(forge)) == {"lock": "success", "build": "skipped", "propose": "skipped"}
    forge.close_pull_requests()  # which is an answer, too
    assert results(watched(forge)) == {"lock": "success", "build": "skipped", "propose": "skipped"}
    assert len(forge.calls_of("dagger")) == calls
    assert len(forge.pull_requests) == 1


def test_a_release_that_is_locked_already_changes_nothing(forge: GitHub, tmp_path: Path) -> None:
    watched(forge)
    merging = tmp_path / "merging"
    git(tmp_path, "clone", "--quiet", str(forge.origin), str(merging))
    git(merging, "merge", "--quiet", "--ff-only", f"origin/{BRANCH}")
    git(merging, "push", "--quiet", "origin", "main", f":{BRANCH}")
    (forge.folder / "pull-requests").unlink()  # as if somebody had locked it by hand
    jobs = watched(forge)
    assert results(jobs) == {"lock": "success", "build": "skipped", "propose": "skipped"}
    assert len(forge.calls_of("dagger", "call", "lock")) == 2


def test_a_branch_that_an_earlier_run_left_behind_is_in_nobodys_way(forge: GitHub) -> None:
    git(forge.origin, "update-ref", f"refs/heads/{BRANCH}", "main")
    work = forge.folder / "other"
    git(forge.folder, "clone", "--quiet", "--branch", BRANCH, str(forge.origin), str(work))
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Half of it")
    git(work, "push", "--quiet", "origin", BRANCH)
    assert set(results(watched(forge)).values()) == {"success"}
    assert len(proposed(forge)) == 1


def test_a_release_that_cannot_be_built_is_not_proposed(forge: GitHub) -> None:
    jobs = watched(forge, "lock")
    (kept,) = forge.runner.artifacts.values()
    lock = kept / FILE_NAME
    lock.write_text(lock.read_text().replace(NEWEST, "layer-collector/0.1.0"))
    jobs = forge.runner.run(NAME, only=("build", "propose"), after=jobs)
    assert "is not as ocelot.lock has it" in jobs["build"].log
    assert results(jobs) == {"lock": "success", "build": "failure", "propose": "skipped"}
    assert forge.pull_requests == []
    assert git(forge.origin, "branch", "--list").split() == ["*", "main"]


def test_an_upstream_without_releases_fails_the_job(forge: GitHub) -> None:
    for tag in TAGS[:2]:
        git(forge.upstream, "tag", "--delete", tag)
    jobs = watched(forge)
    assert results(jobs) == {"lock": "failure", "build": "skipped", "propose": "skipped"}
    assert forge.calls_of("gh") == []


@pytest.mark.parametrize(
    "tag",
    ["layer-collector/1.0.0;touch${IFS}pwned", "layer-collector/$(id)", "layer-collector/9.9'"],
)
def test_a_tag_of_other_words_is_not_looked_at(forge: GitHub, tag: str) -> None:
    git(forge.upstream, "tag", tag)
    jobs = watched(forge, "lock")
    assert jobs["lock"].outputs["tag"] == NEWEST
    assert list(forge.folder.rglob("pwned")) == []
