"""Branches and pull requests in a real repository over HTTP, with the stand-in of GitHub."""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from github_server import NO_PULLS, Fault
from gitops_delivery import (
    FIRST,
    IDENTITY,
    KEY,
    PREFIX,
    RELEASES,
    SECOND,
    WORKLOAD,
    Place,
    place,
    release_of,
)
from gitserver import git

from pipeline.errors import GitHubError, GitOpsError, UsageError
from pipeline.gitops.delivery import Outcome, deliver
from pipeline.gitops.remote import remote
from pipeline.gitops.texts import Marker, body_marker, branch_name


@pytest.fixture
def there(tmp_path: Path) -> Generator[Place]:
    with place(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses take no time."""
    sleep = anyio.sleep

    async def short(seconds: float) -> None:
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(anyio, "sleep", short)


def test_the_first_release_is_a_branch_and_a_pull_request(there: Place) -> None:
    made = there.deliver(labels=("release",), reviewers=("alice",))
    (pull,) = there.pulls.items
    assert made.outcome is Outcome.OPENED
    assert re.fullmatch(r"release/catalog-\d{8}-\d{6}", pull.head)
    assert (there.branches, made.branch, made.commit) == (
        [pull.head],
        pull.head,
        there.sha(pull.head),
    )
    assert (pull.title, pull.base, pull.labels, pull.reviewers) == (
        "Release catalog (11111111)",
        "main",
        ["release"],
        ["alice"],
    )
    assert body_marker(pull.body) == Marker(key=KEY, source=FIRST)
    assert "+release: 1111" in pull.body
    assert there.text(WORKLOAD, pull.head) == f"image: {FIRST.sha}"
    who = git(there.bare, "show", "-s", "--format=%an <%ae>%cn <%ce>%P", pull.head)
    assert who == 2 * f"{IDENTITY.name} <{IDENTITY.email}>" + there.sha()


def test_the_same_again_changes_nothing(there: Place) -> None:
    first = there.deliver()
    writes = list(there.github.writes())
    again = there.deliver()
    assert (again.outcome, again.commit) == (Outcome.UNCHANGED, first.commit)
    assert again.pull_request is not None
    assert there.github.writes() == writes
    assert there.server.log.count("push") == 1


def test_a_merged_release_again_pushes_nothing(there: Place) -> None:
    there.deliver()
    there.merge(there.pulls.items[0], squash=True)
    made = there.deliver()
    assert (made.outcome, made.branch, made.proposal.changes) == (Outcome.UNCHANGED, "", ())
    assert (len(there.pulls.items), there.server.log.count("push")) == (1, 1)


def test_a_second_commit_replaces_the_first_in_the_open_pull_request(there: Place) -> None:
    first = there.deliver()
    made = there.deliver(SECOND)
    (pull,) = there.pulls.items
    assert (made.outcome, made.branch) == (Outcome.UPDATED, first.branch)
    assert body_marker(pull.body) == Marker(key=KEY, source=SECOND)
    assert pull.title == "Release catalog (22222222)"
    releases = [each for each in there.files(pull.head) if each.startswith(RELEASES)]
    assert releases == [f"{RELEASES}/catalog-22222222.yaml"]
    assert git(there.bare, "rev-parse", f"{pull.head}^") == there.sha()


def test_an_open_pull_request_is_rebuilt_on_a_base_that_moved(there: Place) -> None:
    there.deliver()
    moved = there.add({"other.yaml": b"1\n", WORKLOAD: b"image: changed by hand\n"})
    made = there.deliver()
    (pull,) = there.pulls.items
    assert made.outcome is Outcome.UPDATED
    assert git(there.bare, "rev-parse", f"{pull.head}^") == moved
    assert "-image: changed by hand" in pull.body


def test_after_a_merge_the_next_release_has_a_branch_of_its_own(there: Place) -> None:
    first = there.deliver()
    there.merge(there.pulls.items[0])
    made = there.deliver(SECOND)
    assert made.outcome is Outcome.OPENED
    assert {first.branch, made.branch} == {*there.branches}
    assert len(there.pulls.items) == 2


def test_an_older_commit_does_not_replace_a_newer_one(there: Place) -> None:
    made = there.deliver(SECOND)
    with pytest.raises(GitOpsError, match="22222222"):
        there.deliver(FIRST)
    assert there.sha(made.branch) == made.commit
    replaced = there.deliver(FIRST, replace_newer=True)
    assert replaced.outcome is Outcome.UPDATED
    assert there.text(WORKLOAD, made.branch) == f"image: {FIRST.sha}"


def test_an_older_commit_does_not_replace_a_newer_one_whose_text_was_lost(there: Place) -> None:
    """The newer commit was pushed, and the run killed before it updated the pull request."""
    there.deliver(FIRST)
    there.github.faults(Fault("PATCH", kind="unavailable", times=99))
    with pytest.raises(GitHubError):
        there.deliver(SECOND)
    there.github.faults()
    between = FIRST.__class__(sha="3" * 40, time=1_500)
    with pytest.raises(GitOpsError):
        there.deliver(between)
    there.deliver(SECOND)
    assert there.pulls.items[0].title == "Release catalog (22222222)"


def test_a_rollback_is_possible_once_nothing_newer_is_open(there: Place) -> None:
    there.deliver(SECOND)
    there.merge(there.pulls.items[0])
    made = there.deliver(FIRST)
    assert made.outcome is Outcome.OPENED
    assert there.text(WORKLOAD, made.branch) == f"image: {FIRST.sha}"


def test_another_environment_has_a_pull_request_of_its_own(there: Place) -> None:
    there.deliver()
    there.deliver(SECOND, key="release demo/shop/catalog staging")
    assert [body_marker(each.body) for each in there.pulls.open] == [
        Marker(key=KEY, source=FIRST),
        Marker(key="release demo/shop/catalog staging", source=SECOND),
    ]


class TestCommitsOfPeople:
    def test_they_are_kept_below_a_release_made_anew(self, there: Place) -> None:
        branch = there.deliver().branch
        person = there.add({"apps/catalog/notes.yaml": b"1\n"}, branch)
        moved = there.add({"other.yaml": b"1\n"})
        made = there.deliver(SECOND)
        assert (made.outcome, made.kept, made.branch) == (Outcome.UPDATED, 1, branch)
        assert git(there.bare, "show", "-s", "--format=%P", branch).split() == [person, moved]
        assert {"apps/catalog/notes.yaml", "other.yaml"} <= {*there.files(branch)}
        assert there.text(WORKLOAD, branch) == f"image: {SECOND.sha}"
        again = there.deliver(SECOND)
        assert (again.outcome, again.commit) == (Outcome.UNCHANGED, made.commit)
        third = there.deliver(FIRST.__class__(sha="3" * 40, time=3_000))
        assert (third.outcome, third.kept) == (Outcome.UPDATED, 1)
        assert person in git(there.bare, "rev-list", branch).split()

    def test_an_amended_commit_of_ours_counts_as_theirs(self, there: Place) -> None:
        branch = there.deliver().branch
        tree = there.sha(there.add({"extra.yaml": b"1\n"}, branch) and branch)
        message = git(there.bare, "show", "-s", "--format=%B", f"{branch}~1")
        amended = git(
            there.bare, "commit-tree", f"{tree}^{{tree}}", "-p", there.sha(), "-m", message
        )
        git(there.bare, "update-ref", f"refs/heads/{branch}", amended)
        made = there.deliver(SECOND)
        assert made.kept == 1
        assert "extra.yaml" in there.files(branch)

    def test_a_conflict_with_the_base_is_told(self, there: Place) -> None:
        branch = there.deliver().branch
        there.add({"README.md": b"# theirs\n"}, branch)
        there.add({"README.md": b"# ours\n"})
        before = there.sha(branch)
        with pytest.raises(GitOpsError) as caught:
            there.deliver(SECOND)
        assert caught.value.details == ("README.md",)
        assert there.sha(branch) == before


class TestRaces:
    def test_a_push_that_lost_begins_again_from_the_new_base(self, there: Place) -> None:
        """Another run pushes the same branch, and the base moves, at the same time."""
        branch = there.deliver().branch

        def other() -> None:
            del there.server.hooks["push"]
            there.add({"other.yaml": b"1\n"})
            there.add({"theirs.yaml": b"1\n"}, branch)

        there.server.hooks["push"] = other
        made = there.deliver(SECOND)
        assert (made.outcome, made.kept) == (Outcome.UPDATED, 1)
        assert {"theirs.yaml", "other.yaml"} <= {*there.files(branch)}

    def test_the_attempts_end(self, there: Place) -> None:
        branch = there.deliver().branch

        def other() -> None:
            there.add({f"{there.server.log.count('push')}.yaml": b"1\n"}, branch)

        there.server.hooks["push"] = other
        with pytest.raises(GitOpsError):
            there.deliver(SECOND)

    def test_a_branch_of_the_same_name_is_not_overwritten(self, there: Place) -> None:
        now = datetime.now(UTC)
        taken = {branch_name(PREFIX, now + timedelta(seconds=at)) for at in range(20)}

        def other() -> None:
            del there.server.hooks["push"]
            for each in taken:
                git(there.bare, "branch", each, "main")

        there.server.hooks["push"] = other
        made = there.deliver()
        assert made.outcome is Outcome.OPENED
        assert made.branch not in taken
        assert {there.sha(each) for each in taken} == {there.sha()}

    def test_a_pull_request_opened_at_the_same_time_stays_the_only_one(self, there: Place) -> None:
        other = f"{PREFIX}20260101-000000"

        def open_one() -> None:
            del there.server.hooks["push"]
            git(there.bare, "branch", other, "main")
            there.add({"theirs.yaml": b"1\n"}, other)
            body = Marker(key=KEY, source=FIRST).comment
            there.pulls.create({"title": "x", "body": body, "head": other, "base": "main"})

        there.server.hooks["push"] = open_one
        made = there.deliver(SECOND)
        assert (made.outcome, made.branch) == (Outcome.UPDATED, other)
        assert [each.head for each in there.pulls.open] == [other]
        assert there.branches == [other]


class TestInterruptions:
    def test_a_branch_without_pull_request_is_used_again(self, there: Place) -> None:
        there.github.faults(Fault("POST", "/pulls$", "unavailable", times=99))
        with pytest.raises(GitHubError):
            there.deliver()
        there.github.faults()
        (left,) = there.branches
        made = there.deliver(SECOND)
        assert (made.outcome, made.branch) == (Outcome.OPENED, left)
        assert there.branches == [left]

    def test_a_pull_request_without_labels_is_completed(self, there: Place) -> None:
        there.deliver()
        made = there.deliver(labels=("release",), reviewers=("alice",))
        (pull,) = there.pulls.items
        assert (pull.labels, pull.reviewers, made.branch) == (["release"], ["alice"], pull.head)

    @pytest.mark.parametrize("kind", ["lost", "late-error"])
    def test_a_lost_answer_of_github_makes_no_second_one(self, there: Place, kind: str) -> None:
        there.github.faults(Fault("POST", "/pulls$", kind))  # pyright: ignore[reportArgumentType]
        assert there.deliver().outcome is Outcome.OPENED
        assert len(there.pulls.items) == 1

    def test_a_lost_answer_of_the_push_makes_no_second_branch(self, there: Place) -> None:
        there.server.faults["push"], there.server.times["push"] = "lost", 1
        assert there.deliver().outcome is Outcome.OPENED
        assert len(there.branches) == 1

    def test_a_closed_pull_request_is_not_opened_again_from_its_branch(self, there: Place) -> None:
        first = there.deliver()
        there.pulls.items[0].state = "closed"
        assert there.deliver().branch != first.branch


class TestWithoutPullRequest:
    def test_the_branch_is_pushed_and_replaced(self, there: Place) -> None:
        first = there.deliver(pull_request=False)
        made = there.deliver(SECOND, pull_request=False)
        assert (first.outcome, made.outcome) == (Outcome.PUSHED, Outcome.PUSHED)
        assert there.branches == [made.branch]
        assert made.branch == first.branch
        assert there.github.calls == []

    @pytest.mark.parametrize("way", ["squash", "merge"])
    def test_a_merged_branch_is_left_alone(self, there: Place, way: str) -> None:
        first = there.deliver(pull_request=False)
        pull = there.pulls.create({"title": "by hand", "head": first.branch, "base": "main"})
        there.merge(pull, squash=way == "squash")
        assert there.deliver(SECOND, pull_request=False).branch != first.branch
        assert there.sha(first.branch) == first.commit

    def test_commits_of_people_are_kept(self, there: Place) -> None:
        branch = there.deliver(pull_request=False).branch
        there.add({"theirs.yaml": b"1\n"}, branch)
        made = there.deliver(SECOND, pull_request=False)
        assert (made.branch, made.kept) == (branch, 1)
        assert "theirs.yaml" in there.files(branch)


def test_a_dry_run_changes_nothing(there: Place) -> None:
    made = there.deliver(dry_run=True)
    assert (made.outcome, len(made.proposal.changes)) == (Outcome.PLANNED, 2)
    assert (there.branches, there.pulls.items, there.github.writes()) == ([], [], [])
    assert "push" not in there.server.log
    there.deliver()
    pull_request = there.deliver(SECOND, dry_run=True).pull_request
    assert pull_request is not None
    assert pull_request.number == 1


def test_a_pull_request_that_nothing_needs_any_more_is_named(there: Place) -> None:
    branch = there.deliver().branch
    there.add({WORKLOAD: f"image: {FIRST.sha}\n".encode()})
    there.add({f"{RELEASES}/catalog-11111111.yaml": f"release: {FIRST.sha}\n".encode()})
    made = there.deliver()
    assert made.outcome is Outcome.UNCHANGED
    assert any(branch in note for note in made.notes)


def test_a_fork_cannot_pretend_to_be_ours(there: Place) -> None:
    there.add({"x.yaml": b"1\n"})
    git(there.bare, "branch", "theirs", "main~1")
    there.add({"evil.yaml": b"1\n"}, "theirs")
    body = Marker(key=KEY, source=FIRST).comment
    pull = there.pulls.create({"title": "x", "body": body, "head": "theirs", "base": "main"})
    pull.fork = "mallory/gitops"
    before = there.sha("theirs")
    made = there.deliver()
    assert made.branch != "theirs"
    assert there.sha("theirs") == before


def test_a_token_without_pull_requests_leaves_a_branch_for_the_next_run(there: Place) -> None:
    there.server.reader = None
    there.server.credentials = ("x-access-token", NO_PULLS)
    target = there.target(remote=remote(there.server.url(there.bare), NO_PULLS))
    with pytest.raises(GitHubError, match="pull_requests"):
        anyio.run(deliver, target, KEY, PREFIX, release_of(FIRST))
    assert len(there.branches) == 1


@pytest.mark.parametrize(
    ("given", "api"),
    [
        ("https://gitlab.example.com/acme/gitops", "https://api.github.com"),
        ("https://github.com/acme/gitops/more", "https://api.github.com"),
        ("https://github.com.evil.example/acme/gitops", "https://api.github.com"),
    ],
)
def test_the_token_is_not_sent_to_the_api_of_another_host(
    there: Place, given: str, api: str
) -> None:
    with pytest.raises(UsageError, match="GitHub"):
        there.deliver(remote=remote(given, "t0ken"), api_url=api)
