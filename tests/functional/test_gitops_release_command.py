"""`ocelot gitops release` as a user runs it: output, exit codes, and runs that are killed."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from github_server import TOKEN, Fault
from gitops import COMPONENTS
from gitops_releasing import Shop, image, shop
from gitserver import git
from runs import OCELOT

from pipeline.gitops.occ import Occ

IMAGE = ("--image", image())


@pytest.fixture
def made(tmp_path: Path, occ: Occ) -> Generator[Shop]:
    with shop(tmp_path, occ) as there:
        yield there


def test_the_result_as_json(made: Shop) -> None:
    sha = made.commits[0]
    found = made.json("release", "shop/catalog", *IMAGE)
    (pull,) = made.place.pulls.items
    assert {key: found[key] for key in ("project", "component", "namespace", "environment")} == {
        "project": "shop",
        "component": "catalog",
        "namespace": "demo",
        "environment": "development",
    }
    assert (found["outcome"], found["branch"]) == ("opened", pull.head)
    assert (found["release"], found["commit"], found["image"]) == (
        f"catalog-{sha[:8]}",
        sha,
        image(),
    )
    assert found["pull_request"] == {"number": 1, "url": f"{made.place.github.page}/pull/1"}
    assert {each["path"] for each in found["files"]} == {
        f"{COMPONENTS}/catalog/release-bindings/catalog-development.yaml",
        f"{COMPONENTS}/catalog/releases/catalog-{sha[:8]}.yaml",
        f"{COMPONENTS}/catalog/workload.yaml",
    }
    again = made.json("release", "shop/catalog", *IMAGE)
    assert (again["outcome"], again["branch_commit"]) == ("unchanged", found["branch_commit"])


def test_a_dry_run_shows_the_diff_and_pushes_nothing(made: Shop) -> None:
    ran = made.command("release", "shop/catalog", *IMAGE, "--dry-run")
    assert ran.code == 0, ran.err
    assert f"+++ b/{COMPONENTS}/catalog/workload.yaml\n" in ran.out
    assert f"+    image: {image()}\n" in ran.out
    assert "\x1b" not in ran.out
    assert (made.place.branches, made.place.github.writes()) == ([], [])
    assert "push" not in made.place.server.log


def test_a_diff_is_coloured_on_a_terminal(made: Shop) -> None:
    done = subprocess.run(
        [str(OCELOT), "gitops", "release", "shop/catalog", *IMAGE, "--dry-run", *made.where],
        env={**made.full_environment(), "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"\x1b[32m+    image: {image()}\x1b[0m\n" in done.stdout


def test_without_a_pull_request_the_branch_is_named(made: Shop) -> None:
    ran = made.command("release", "shop/catalog", *IMAGE, "--no-pr")
    assert ran.code == 0, ran.err
    (branch,) = made.place.branches
    assert branch in ran.out
    assert made.place.github.calls == []


def test_nothing_changed_is_told(made: Shop) -> None:
    made.json("release", "shop/catalog", *IMAGE)
    made.place.merge(made.place.pulls.items[0])
    ran = made.command("release", "shop/catalog", *IMAGE)
    assert (ran.code, "nothing changed" in ran.out) == (0, True)
    assert len(made.place.pulls.items) == 1


def test_a_workflow_run_and_a_checkout_of_the_source(made: Shop, tmp_path: Path) -> None:
    url = made.place.server.url(made.sources)
    sha = made.commits[0]
    run = tmp_path / "run.yaml"
    run.write_text(
        "apiVersion: openchoreo.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: x}\nspec:\n"
        "  workflow:\n    name: docker-gitops-release\n    parameters:\n"
        "      componentName: catalog\n      projectName: shop\n"
        f"      repository: {{url: '{url}', revision: {{commit: {sha[:10]}}}, appPath: /catalog}}\n"
    )
    made.grow({"catalog/motd.txt": b"newer\n"})
    found = made.json("release", "shop/catalog", *IMAGE, "--from", run)
    assert (found["commit"], found["source"]) == (sha, url)
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(made.sources), str(checkout))
    newest = made.json("release", "shop/catalog", "--image", image(1), "--source", checkout)
    assert newest["commit"] == made.commits[-1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("shop/catalog", "--image", "r.example/a:v1"), 2),
        (("shop/catalgo", *IMAGE), 17),
        (("shop", *IMAGE), 2),
        (("../etc/passwd", *IMAGE), 2),
        (("shop/catalog", *IMAGE, "--environment", "stagign"), 2),
        (("shop/catalog", *IMAGE, "--branch", "mian"), 17),
        (("shop/catalog", *IMAGE, "--commit", "no-such-tag"), 17),
        (("shop/catalog", *IMAGE, "--commit-time", "1"), 2),
        (("shop/catalog", *IMAGE, "--api-url", "https://api.github.com"), 2),
    ],
)
def test_an_error_has_its_exit_code_and_the_next_step(
    made: Shop, arguments: tuple[str, ...], code: int
) -> None:
    ran = made.command("release", *arguments)
    assert (ran.code, "next: " in ran.err) == (code, True), ran.err
    assert made.place.branches == []
    assert TOKEN not in ran.err


def killed_at(made: Shop, arm: Callable[[Callable[[], None]], None]) -> None:
    """Run a release that is killed at some point, and with it git."""
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        running[0].send_signal(signal.SIGKILL)
        running[0].wait()

    arm(kill)
    running.append(
        subprocess.Popen(
            [str(OCELOT), "gitops", "release", "shop/catalog", *IMAGE, *made.where],
            env=made.full_environment(),
            cwd=made.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    assert running[0].wait(60) == -signal.SIGKILL
    made.place.server.hooks.clear()
    made.place.github.faults()


@pytest.mark.parametrize("step", ["fetch", "push-discover", "push"])
def test_killed_while_git_works_and_run_again(made: Shop, step: str) -> None:
    def arm(kill: Callable[[], None]) -> None:
        made.place.server.hooks[step] = kill  # pyright: ignore[reportArgumentType]

    killed_at(made, arm)
    found = made.json("release", "shop/catalog", *IMAGE)
    assert found["outcome"] == "opened"
    assert (len(made.place.branches), len(made.place.pulls.items)) == (1, 1)


@pytest.mark.parametrize("path", ["/pulls$", "/labels$", "/requested_reviewers$"])
def test_killed_while_github_works_and_run_again(made: Shop, tmp_path: Path, path: str) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "gitops.yaml").write_text(
        "repository: https://git.example.test/acme/gitops\nregistry: {address: r.example}\n"
        "pull-request: {labels: [release], reviewers: [alice]}\n"
    )
    made.options = ["--config", str(config)]

    def arm(kill: Callable[[], None]) -> None:
        made.place.github.faults(Fault("POST", path, hook=kill))

    killed_at(made, arm)
    found = made.json("release", "shop/catalog", *IMAGE)
    (pull,) = made.place.pulls.items
    assert found["outcome"] == "unchanged"
    assert (pull.labels, pull.reviewers) == (["release"], ["alice"])
    assert made.place.branches == [pull.head]


def test_shell_metacharacters_in_arguments_are_text(made: Shop) -> None:
    mark = made.folder / "ran"
    evil = f"$(touch {mark});`touch {mark}`"
    for arguments in (
        (evil, *IMAGE),
        ("shop/catalog", "--image", f"{evil}@sha256:{'a' * 64}"),
        *(
            ("shop/catalog", *IMAGE, option, evil)
            for option in ("--environment", "--namespace", "--branch", "--repository", "--token")
        ),
    ):
        ran = made.command("release", *arguments)
        assert ran.code in (2, 17), (arguments, ran.err)
    assert not mark.exists()
    assert made.place.branches == []


def test_the_summary_of_a_job_names_the_pull_request(made: Shop, tmp_path: Path) -> None:
    variables = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    done = subprocess.run(
        [str(OCELOT), "gitops", "release", "shop/catalog", *IMAGE, *made.where, "--json"],
        env={**made.full_environment(), **variables},
        cwd=made.folder,
        capture_output=True,
        check=True,
    )
    url = json.loads(done.stdout)["pull_request"]["url"]
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"url={url}\n"
    assert url in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
