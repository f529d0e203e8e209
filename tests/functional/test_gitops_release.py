"""Releases with the real occ, from sources to pull requests, in this process."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
import yaml
from github_server import TOKEN, Fault
from gitops import COMPONENTS, hostile
from gitops_releasing import Shop, image, shop
from gitserver import git

from pipeline.build.git import CREDENTIAL_VARIABLE
from pipeline.errors import GitHubError, GitOpsError, OcelotError, UsageError
from pipeline.gitops.delivery import Outcome
from pipeline.gitops.occ import Occ
from pipeline.gitops.remote import UnansweredError
from pipeline.gitops.texts import body_marker
from pipeline.gitops_options import WorkflowOptions

WORKFLOWS = ["catalog", "orders", "storefront"]


@pytest.fixture
def made(tmp_path: Path, occ: Occ, monkeypatch: pytest.MonkeyPatch) -> Generator[Shop]:
    monkeypatch.setenv(CREDENTIAL_VARIABLE, TOKEN)
    monkeypatch.setenv("PATH", str(occ.program.parent), prepend=":")
    sleep = anyio.sleep

    async def short(seconds: float) -> None:
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(anyio, "sleep", short)
    with shop(tmp_path, occ) as there:
        yield there


def yaml_at(made: Shop, path: str, branch: str) -> dict[str, object]:
    return yaml.safe_load(made.place.text(path, branch))


def binding(made: Shop, branch: str, component: str = "catalog", env: str = "development") -> str:
    """The release that is bound."""
    path = f"{COMPONENTS}/{component}/release-bindings/{component}-{env}.yaml"
    found = yaml_at(made, path, branch)
    return found["spec"]["releaseName"]  # pyright: ignore[reportUnknownVariableType, reportIndexIssue]


def released_image(made: Shop, branch: str, component: str, release: str) -> str:
    found = yaml_at(made, f"{COMPONENTS}/{component}/releases/{release}.yaml", branch)
    return found["spec"]["workload"]["container"]["image"]  # pyright: ignore[reportUnknownVariableType, reportIndexIssue]


@pytest.mark.parametrize("component", WORKFLOWS)
class TestEachWorkflow:
    def test_a_first_release_is_a_pull_request_with_three_resources(
        self, made: Shop, component: str
    ) -> None:
        result = made.release(component)
        found = result.proposal.result
        sha = found.commit
        assert result.outcome is Outcome.OPENED
        assert found.release == f"{component}-{sha[:8]}"
        assert sorted(each.path for each in result.proposal.changes) == [
            f"{COMPONENTS}/{component}/release-bindings/{component}-development.yaml",
            f"{COMPONENTS}/{component}/releases/{found.release}.yaml",
            f"{COMPONENTS}/{component}/workload.yaml",
        ]
        changed = git(made.place.bare, "diff", "--name-only", "main", result.branch).split()
        assert changed == sorted(each.path for each in result.proposal.changes)
        assert binding(made, result.branch, component) == found.release
        assert released_image(made, result.branch, component, found.release) == image(0, component)
        (pull,) = made.place.pulls.items
        assert pull.title == f"Release {component} ({sha[:8]})"
        for part in ("shop", component, image(0, component), sha, found.build):
            assert part in pull.body
        message = git(made.place.bare, "show", "-s", "--format=%B", result.branch)
        assert message.startswith(f"Release {component} ({sha[:8]})\n\nProject: shop\n")

    def test_the_same_again_changes_nothing(self, made: Shop, component: str) -> None:
        first, again = made.release(component), made.release(component)
        assert (again.outcome, again.commit) == (Outcome.UNCHANGED, first.commit)
        made.place.merge(made.place.pulls.items[0])
        last = made.release(component)
        assert (last.outcome, last.branch, last.proposal.changes) == (Outcome.UNCHANGED, "", ())
        assert len(made.place.pulls.items) == 1

    def test_its_commits_one_after_another(self, made: Shop, component: str) -> None:
        first = made.release(component)
        old, branch = first.proposal.result.commit, first.branch
        new = made.grow_source_of(component)
        person = made.place.add({"notes.txt": b"1\n"}, branch)
        moved = made.place.add({"other.txt": b"1\n"})
        kept = made.release(component, at=1)
        assert (kept.outcome, kept.branch, kept.kept) == (Outcome.UPDATED, branch, 1)
        assert {person, moved} <= {*git(made.place.bare, "rev-list", branch).split()}
        assert binding(made, branch, component) == f"{component}-{new[:8]}"

        made.place.merge(made.place.pulls.items[0])
        made.grow_source_of(component)
        same_image = made.release(component, at=1)
        assert (same_image.outcome, same_image.branch) == (Outcome.UNCHANGED, "")

        rollback = made.release(component, options=made.at(old))
        assert rollback.outcome is Outcome.OPENED
        assert binding(made, rollback.branch, component) == f"{component}-{old[:8]}"

        made.place.merge(made.place.pulls.items[1])
        for kind in ("service", "webapp"):
            path = f"namespaces/demo/platform/component-types/{kind}.yaml"
            text = made.place.text(path, "main").replace("name: main", "name: app")
            made.place.add({path: f"{text}\n".encode()})
        changed_type = made.release(component, options=made.at(old))
        assert changed_type.outcome is Outcome.OPENED
        assert binding(made, changed_type.branch, component) == f"{component}-{old[:8]}-2"


class TestCommits:
    def test_a_second_commit_after_a_merge(self, made: Shop) -> None:
        made.release()
        made.place.merge(made.place.pulls.items[0])
        sha = made.grow({"catalog/motd.txt": b"second\n"})
        result = made.release(at=1)
        assert result.outcome is Outcome.OPENED
        assert binding(made, result.branch) == f"catalog-{sha[:8]}"

    def test_a_second_commit_while_the_first_is_open(self, made: Shop) -> None:
        first = made.release()
        sha = made.grow({"catalog/motd.txt": b"second\n"})
        result = made.release(at=1)
        assert (result.outcome, result.branch) == (Outcome.UPDATED, first.branch)
        releases = [
            path for path in made.place.files(result.branch) if "/catalog/releases/" in path
        ]
        assert releases == [f"{COMPONENTS}/catalog/releases/catalog-{sha[:8]}.yaml"]

    def test_the_same_image_from_a_new_commit_keeps_the_release(self, made: Shop) -> None:
        first = made.release()
        made.place.merge(made.place.pulls.items[0])
        made.grow({"README.md": b"not in the image\n"})
        result = made.release()
        assert result.outcome is Outcome.UNCHANGED
        assert result.proposal.result.release == first.proposal.result.release

    def test_a_rollback_to_an_older_commit(self, made: Shop) -> None:
        first = made.release()
        made.place.merge(made.place.pulls.items[0])
        made.grow({"catalog/motd.txt": b"second\n"})
        made.grow({"catalog/motd.txt": b"third\n"})
        third = made.release(at=2)
        with pytest.raises(GitOpsError, match="newer"):
            made.release(at=1, options=made.at(made.commits[1]))
        merged = made.release(options=made.at(made.commits[0]))
        assert merged.outcome is Outcome.UNCHANGED
        assert any(third.branch in note for note in merged.notes)
        made.place.merge(made.place.pulls.items[1])
        result = made.release(options=made.at(made.commits[0]))
        assert result.outcome is Outcome.OPENED
        assert binding(made, result.branch) == first.proposal.result.release

    def test_an_older_commit_can_be_forced(self, made: Shop) -> None:
        made.grow({"catalog/motd.txt": b"second\n"})
        made.release(at=1)
        old = made.at(made.commits[0])
        result = made.release(options=old, replace_newer=True)
        assert result.outcome is Outcome.UPDATED
        assert binding(made, result.branch) == f"catalog-{made.commits[0][:8]}"

    def test_a_changed_component_type_is_a_new_release(self, made: Shop) -> None:
        first = made.release()
        made.place.merge(made.place.pulls.items[0])
        path = "namespaces/demo/platform/component-types/service.yaml"
        text = made.place.text(path, "main").replace("default: 1", "default: 2")
        made.place.add({path: text.encode()})
        result = made.release()
        assert result.outcome is Outcome.OPENED
        name = result.proposal.result.release
        assert name == f"{first.proposal.result.release}-2"
        assert binding(made, result.branch) == name

    def test_the_root_environment_by_name_is_the_same_release(self, made: Shop) -> None:
        made.release()
        assert made.release(environment="development").outcome is Outcome.UNCHANGED

    def test_another_environment_is_bound_by_a_pull_request_of_its_own(self, made: Shop) -> None:
        made.release()
        result = made.release(environment="staging")
        assert result.outcome is Outcome.OPENED
        assert len(made.place.pulls.open) == 2
        assert binding(made, result.branch, env="staging") == result.proposal.result.release

    def test_a_project_without_binding_is_told_and_gets_one_if_asked(self, made: Shop) -> None:
        first = made.release()
        assert any("--with-project" in note for note in first.notes)
        made.place.merge(made.place.pulls.items[0])
        result = made.release(with_project=True)
        assert result.outcome is Outcome.OPENED
        (change,) = result.proposal.changes
        assert b"kind: ProjectReleaseBinding" in (change.after or b"")
        assert result.notes == ()

    def test_other_components_do_not_share_a_pull_request(self, made: Shop) -> None:
        assert [made.release(each).outcome for each in WORKFLOWS] == [Outcome.OPENED] * 3
        keys = [mark.key for each in made.place.pulls.items if (mark := body_marker(each.body))]
        assert len(set(keys)) == 3


class TestOthers:
    def test_a_persons_commit_stays_below_the_next_release(self, made: Shop) -> None:
        branch = made.release().branch
        person = made.place.add({f"{COMPONENTS}/catalog/notes.txt": b"1\n"}, branch)
        sha = made.grow({"catalog/motd.txt": b"second\n"})
        result = made.release(at=1)
        assert (result.outcome, result.kept) == (Outcome.UPDATED, 1)
        assert person in git(made.place.bare, "rev-list", branch).split()
        assert binding(made, branch) == f"catalog-{sha[:8]}"

    def test_a_base_that_moved_is_taken(self, made: Shop) -> None:
        branch = made.release().branch
        moved = made.place.add({"other.txt": b"1\n"})
        assert made.release().outcome is Outcome.UPDATED
        assert git(made.place.bare, "rev-parse", f"{branch}^") == moved

    def test_a_push_that_lost_a_race_is_made_anew(self, made: Shop) -> None:
        branch = made.release().branch
        made.grow({"catalog/motd.txt": b"second\n"})

        def other() -> None:
            del made.place.server.hooks["push"]
            made.place.add({"other.txt": b"1\n"})
            made.place.add({"theirs.txt": b"1\n"}, branch)

        made.place.server.hooks["push"] = other
        result = made.release(at=1)
        assert (result.outcome, result.kept) == (Outcome.UPDATED, 1)
        assert {"theirs.txt", "other.txt"} <= {*made.place.files(branch)}

    def test_a_component_that_is_broken_meanwhile_stops_it(self, made: Shop) -> None:
        made.place.add({f"{COMPONENTS}/catalog/component.yaml": b"apiVersion: openchoreo.dev/x: y"})
        with pytest.raises(GitOpsError) as caught:
            made.release()
        assert "component.yaml:1" in caught.value.text()
        assert made.place.branches == []

    def test_two_bindings_in_one_file_stop_it(self, made: Shop) -> None:
        content = hostile("two-bindings-in-one-file.yaml")
        made.place.add({f"{COMPONENTS}/catalog/release-bindings/all.yaml": content})
        with pytest.raises(GitOpsError):
            made.release()
        assert made.place.branches == []


class TestFailures:
    def test_a_push_that_the_server_rejects(self, made: Shop) -> None:
        hook = made.place.bare / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'no releases on Friday'\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(GitOpsError) as caught:
            made.release()
        assert "no releases on Friday" in caught.value.text()
        hook.unlink()
        assert made.release().outcome is Outcome.OPENED

    def test_a_token_that_is_refused(self, made: Shop) -> None:
        made.place.server.credentials = ("x-access-token", "another")
        made.place.server.reader = ("x-access-token", TOKEN)
        with pytest.raises(GitOpsError) as caught:
            made.release()
        assert TOKEN not in caught.value.text()
        assert made.place.branches == []

    @pytest.mark.parametrize("kind", ["lost", "late-error", "reset", "limited"])
    def test_an_answer_of_github_that_is_lost(self, made: Shop, kind: str) -> None:
        made.place.github.faults(Fault("POST", "/pulls$", kind))  # pyright: ignore[reportArgumentType]
        assert made.release().outcome is Outcome.OPENED
        assert len(made.place.pulls.items) == 1

    def test_github_that_stays_away_is_completed_by_the_next_run(self, made: Shop) -> None:
        made.place.github.faults(Fault("POST", "/pulls$", "unavailable", times=99))
        with pytest.raises(GitHubError):
            made.release()
        made.place.github.faults()
        (left,) = made.place.branches
        result = made.release()
        assert (result.outcome, result.branch) == (Outcome.OPENED, left)

    def test_a_git_server_that_stays_away(self, made: Shop) -> None:
        made.place.server.faults["push"] = "unavailable"
        with pytest.raises(UnansweredError):
            made.release()

    @pytest.mark.parametrize(
        "name", ["r.example/a:v1", "r.example/a:v1@sha256:12", "$(id)@sha256:x", "r.example/a"]
    )
    def test_an_image_without_a_digest(self, made: Shop, name: str) -> None:
        with pytest.raises(UsageError):
            made.release_image(name)
        assert made.place.server.log == []

    def test_a_descriptor_that_is_missing(self, made: Shop) -> None:
        with pytest.raises(GitOpsError):
            made.release(options=WorkflowOptions(descriptor="deploy/workload.yaml"))
        assert made.place.branches == []


@pytest.mark.parametrize(
    "option",
    [
        "workflow",
        "repo_url",
        "revision_branch",
        "commit",
        "app_path",
        "descriptor",
        "docker_context",
        "dockerfile",
    ],
)
def test_no_parameter_reaches_a_shell(made: Shop, option: str) -> None:
    evil = f"$(touch {made.folder}/ran)`touch {made.folder}/ran`;&&'\"|\n../x"
    with pytest.raises(OcelotError):
        made.release(options=WorkflowOptions(**{option: evil}))  # pyright: ignore[reportArgumentType]
    assert not (made.folder / "ran").exists()
    assert made.place.branches == []


def test_metacharacters_of_a_build_are_only_text(made: Shop) -> None:
    """A command and a variable that the build would run in its own container."""
    options = WorkflowOptions(build_command="echo '$(id)' && `true`; npm run build")
    assert made.release("storefront", options=options).outcome is Outcome.OPENED
    variables = WorkflowOptions(build_env=["A=$(id), b=`c`;'\""])
    assert made.release("orders", options=variables).outcome is Outcome.OPENED
