"""A small runner of GitHub Actions: the jobs of a workflow, step by step, on this machine.

Every `run` is executed as GitHub does it: by bash with `-eo pipefail`, with its environment and its
files. Actions are not run but stood in for: a checkout, artifacts with digests, attestations.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from expressions import filled, is_true

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
MASK = "::add-mask::"

Values = Mapping[str, Any]


def read_workflow(name: str) -> dict[str, Any]:
    """A workflow by its file name; the key `on` is read as YAML's true."""
    told = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    told["on"] = told.pop(True)
    return told


@dataclass(kw_only=True)
class JobRan:
    """What came of a job.

    Attributes:
        result: success, failure or skipped.
        log: what its page shows, masked.
        unmasked: the same, as the runner got it.
        used: the actions other than those stood in for, with their inputs.
    """

    workspace: Path
    result: str = "success"
    log: str = ""
    unmasked: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list[Any])


@dataclass(kw_only=True)
class Runner:
    """Runs workflows of a repository.

    Attributes:
        checkout: lays the repository into a folder.
        programs: the folder that comes first on PATH.
        environment: what every step sees besides what GitHub gives it.
        token: the environment by which a job that may have an OIDC token asks for one, by the
            environment that the job is of.
        github, secrets, variables: contexts.
    """

    folder: Path
    checkout: Callable[[Path], None]
    programs: Path
    environment: Mapping[str, str]
    token: Callable[[str], Mapping[str, str]]
    github: Values
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    artifacts: dict[str, Path] = field(default_factory=dict[str, Path])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(
        self,
        name: str,
        inputs: Values | None = None,
        *,
        only: Sequence[str] = (),
        after: Mapping[str, JobRan] | None = None,
    ) -> dict[str, JobRan]:
        """Run a workflow's jobs, in the order they stand in; those of a matrix for its first.

        Args:
            name: the workflow's file.
            inputs: by name; the others are what they are by default.
            only: these jobs and no others.
            after: jobs that have been run.
        """
        workflow = read_workflow(name)
        done = dict(after or {})
        for job_id in only or workflow["jobs"]:
            job = workflow["jobs"][job_id]
            done[job_id] = self._job(job_id, job, workflow, given(workflow, inputs or {}), done)
        return done

    def _job(
        self, job_id: str, job: Values, workflow: Values, inputs: Values, done: dict[str, JobRan]
    ) -> JobRan:
        ran = JobRan(workspace=self.folder / f"{next(self.numbers)}-{job_id}")
        needed = job.get("needs", [])
        names = [needed] if isinstance(needed, str) else needed
        needs = {n: {"result": done[n].result, "outputs": done[n].outputs} for n in names}
        matrix = {k: v[0] for k, v in job.get("strategy", {}).get("matrix", {}).items()}
        contexts: dict[str, Any] = {
            "inputs": inputs,
            "github": self.github,
            "secrets": self.secrets,
            "vars": self.variables,
            "needs": needs,
            "matrix": matrix,
            "steps": {},
            "success()": lambda: all(each["result"] == "success" for each in needs.values()),
            "cancelled()": lambda: False,
            "hashFiles()": partial(digest_of, ran.workspace),
        }
        if not is_true(job.get("if", "success()"), contexts):
            ran.result = "skipped"
            return ran
        ran.workspace.mkdir(parents=True)
        _Job(self, job, {**workflow.get("env", {}), **job.get("env", {})}, contexts, ran).run()
        return ran


def given(workflow: Values, inputs: Values) -> Values:
    """A workflow's inputs, with their defaults."""
    dispatch: Values = workflow["on"].get("workflow_dispatch") or {}
    declared: Values = dispatch.get("inputs", {})
    assert set(inputs) <= set(declared), set(inputs) - set(declared)
    return {**{name: each["default"] for name, each in declared.items()}, **inputs}


@dataclass
class _Job:
    runner: Runner
    job: Values
    env: Mapping[str, Any]
    contexts: dict[str, Any]
    ran: JobRan
    path: list[str] = field(default_factory=list[str])
    masks: set[str] = field(default_factory=set[str])

    def run(self) -> None:
        self.contexts["success()"] = lambda: self.ran.result == "success"
        self.masks = {value for value in self.runner.secrets.values() if value}
        for step in self.job["steps"]:
            outputs: dict[str, str] = {}
            if is_true(step.get("if", "success()"), self.contexts):
                outputs = self._run(step) if "run" in step else self._use(step)
            if "id" in step:
                self.contexts["steps"][step["id"]] = {"outputs": outputs}
        for name, text in self.job.get("outputs", {}).items():
            self.ran.outputs[name] = filled(text, self.contexts)

    def _run(self, step: Values) -> dict[str, str]:
        temp = self.ran.workspace.parent / f"{self.ran.workspace.name}.temp"
        temp.mkdir(exist_ok=True)
        files = {
            name: temp / name.lower()
            for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.write_text("")
        script = temp / "script.sh"
        script.write_text(filled(step["run"], self.contexts))
        asked = {k: filled(_text(v), self.contexts) for k, v in self._asked(step).items()}
        environment = {
            **self.runner.environment,
            **self._token(),
            "PATH": ":".join(
                [*self.path, str(self.runner.programs), self.runner.environment["PATH"]]
            ),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": self.runner.github["repository"],
            "RUNNER_TEMP": str(temp),
            **{name: str(file) for name, file in files.items()},
            **asked,
        }
        done = subprocess.run(
            [*SHELL, str(script)],
            cwd=self.ran.workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        self._keep(step, done.stdout)
        self.ran.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        self.path = [*files["GITHUB_PATH"].read_text().split(), *self.path]
        if done.returncode:
            self.ran.result = "failure"
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _asked(self, step: Values) -> Values:
        return {**self.env, **step.get("env", {})}

    def _token(self) -> Mapping[str, str]:
        if self.job["permissions"].get("id-token") != "write":
            return {}
        asked = self.runner.token(str(self.job.get("environment", "")))
        self.masks.add(asked["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
        return asked

    def _keep(self, step: Values, output: str) -> None:
        """Add to the log, as GitHub does: what is to be masked, from the line on that says so."""
        self.ran.unmasked += output
        self.ran.log += f"# {step['name']}\n"
        for line in output.splitlines():
            if line.startswith(MASK):
                self.masks.add(line.removeprefix(MASK))
                continue
            hidden = "|".join(map(re.escape, sorted(self.masks, key=len, reverse=True)))
            self.ran.log += (re.sub(hidden, "***", line) if hidden else line) + "\n"

    def _use(self, step: Values) -> dict[str, str]:
        action, inputs = step["uses"].split("@")[0], step.get("with", {})
        told = {name: filled(_text(value), self.contexts) for name, value in inputs.items()}
        if action == "actions/checkout":
            assert told["persist-credentials"] == "false"
            self.runner.checkout(self.ran.workspace)
        elif action == "actions/upload-artifact":
            return self._upload(told)
        elif action == "actions/download-artifact":
            self._download(told)
        else:
            self.ran.used.append((action, told))
        return {}

    def _upload(self, told: Mapping[str, str]) -> dict[str, str]:
        """Keep files under a number; what several paths have in common is left out of the names."""
        paths = [self.ran.workspace / line for line in told["path"].split()]
        if not all(path.exists() for path in paths):
            assert told["if-no-files-found"] == "error"
            self.ran.result = "failure"
            return {}
        number = str(1000 + next(self.runner.numbers))
        kept = self.runner.folder / "artifacts" / number / told["name"]
        single = paths[0] if paths[0].is_dir() else paths[0].parent
        root = self.ran.workspace if len(paths) > 1 else single
        for path in paths:
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                if file.is_file():
                    target = kept / file.relative_to(root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
        self.runner.artifacts[number] = kept
        return {"artifact-id": number, "artifact-digest": digest_of(kept)}

    def _download(self, told: Mapping[str, str]) -> None:
        numbers = told["artifact-ids"].split(",")
        for number in numbers:
            kept = self.runner.artifacts[number]
            target = self.ran.workspace / told.get("path", ".")
            shutil.copytree(
                kept, target / kept.name if len(numbers) > 1 else target, dirs_exist_ok=True
            )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def digest_of(folder: Path, *patterns: str) -> str:
    """A digest of a folder's files, or of those of some patterns."""
    digest = hashlib.sha256()
    for path in sorted({path for each in patterns or ("**/*",) for path in folder.glob(each)}):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
