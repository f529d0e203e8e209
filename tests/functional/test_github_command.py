"""`ocelot github-release` as a process: its assets, what it refuses, kills, and two at once."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from github_server import READER, TOKEN, Fault, GitHubServer
from publish_examples import AMD64, ARM64, dist, write_manifest
from runs import CONFIG, OCELOT, Ran, environment, run_ocelot
from unit_examples import layer

from pipeline.errors import GitHubError, UsageError
from pipeline.github.plan import GIVEN_UP

REGIONS = ("eu-west-1", "us-east-1")
COMMIT = "1" * 40
EVIDENCE = "collector-amd64-minimal.cdx.json"


def target(file: str, region: str, group: str, **more: object) -> dict[str, Any]:
    """A target of publish.json, of an example's layer."""
    _, architecture, distribution = file.removesuffix(".zip").split("-")
    name = f"ocel-{architecture}-{distribution}-0_155_0-{group}"
    return {
        "region": region,
        "architecture": architecture,
        "distribution": distribution,
        "layer": name,
        "ok": True,
        "arn": f"arn:aws:lambda:{region}:123456789012:layer:{name}:1",
        "public": True,
        **more,
    }


@dataclass
class Maintainer:
    """A published distribution, and a GitHub for its release."""

    github: GitHubServer
    folder: Path

    @property
    def record(self) -> Path:
        return self.folder / "publish.json"

    def publish(self, *files: str, group: str = "beta", **more: object) -> None:
        """Write publish.json as after publishing these zips."""
        zips = {name: self.folder / "dist" / name for name in files or (AMD64, ARM64)}
        targets = [
            {**target(name, region, group), "sha256": digest(path), **more}
            for name, path in zips.items()
            for region in REGIONS
        ]
        self.record.write_text(json.dumps({"targets": targets, "skipped": []}), encoding="utf-8")

    def command(self, *more: str) -> list[str]:
        return [
            *("github-release", "dist", "--published=publish.json", "--notes=notes.md"),
            *("--config", str(CONFIG), "--target", COMMIT, *more),
        ]

    def run(self, *more: str, token: str = TOKEN, **env: str) -> Ran:
        cache = self.folder / "cache"
        variables = {**self.github.environment(token), **env}
        return run_ocelot(*self.command(*more), cache=cache, env=variables, cwd=self.folder)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(OCELOT), *self.command()],
            env=environment(self.folder / "cache", self.github.environment()),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def assets(self) -> dict[str, bytes]:
        """The assets of the one release, which is published."""
        (release,) = self.github.repository.releases
        assert not release.draft
        assert [each.state for each in release.assets] == ["uploaded"] * len(release.assets)
        assert self.github.repository.tags == {"minimal-v0.155.0-beta": COMMIT}
        return release.contents


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def maintainer(tmp_path: Path) -> Generator[Maintainer]:
    folder = dist(tmp_path / "dist")
    (folder / EVIDENCE).write_text("{}", encoding="utf-8")
    entries = [layer(name, (folder / name).read_bytes()) for name in (AMD64, ARM64)]
    entries[0] = entries[0].model_copy(update={"evidence": {EVIDENCE: digest(folder / EVIDENCE)}})
    write_manifest(folder, entries)
    (tmp_path / "notes.md").write_text("# Minimal\n", encoding="utf-8")
    with GitHubServer() as github:
        made = Maintainer(github, tmp_path)
        made.publish()
        yield made


def test_a_release_has_all_assets_and_sums_that_sha256sum_accepts(
    maintainer: Maintainer, tmp_path: Path
) -> None:
    (tmp_path / "verification.json").write_text("{}", encoding="utf-8")
    ran = maintainer.run("--json", "--file=verification.json")
    assert ran.code == 0, ran.err
    assets = maintainer.assets()
    assert sorted(assets) == sorted(
        [
            *(AMD64, ARM64, EVIDENCE, "manifest.json", "layers.json", "publish.json"),
            *(["ocelot.lock"] if (CONFIG / "ocelot.lock").is_file() else []),
            *("verification.json", "SHA256SUMS"),
        ]
    )
    told = json.loads(ran.out)
    assert (told["tag"], told["created"], told["draft"]) == ("minimal-v0.155.0-beta", True, False)
    assert {each["name"]: each["sha256"] for each in told["assets"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in assets.items()
    }
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for name, content in assets.items():
        (downloads / name).write_bytes(content)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=downloads, check=True)
    assert assets["SHA256SUMS"].count(b"\n") == len(assets) - 1
    layers = json.loads(assets["layers.json"])["layers"]
    assert len(layers) == 2 * len(REGIONS)


def test_a_second_run_changes_nothing_and_new_notes_are_taken(maintainer: Maintainer) -> None:
    assert maintainer.run().code == 0
    maintainer.github.calls.clear()
    assert maintainer.run().code == 0
    assert maintainer.github.writes() == []
    (maintainer.folder / "notes.md").write_text("# New\n", encoding="utf-8")
    assert json.loads(maintainer.run("--json").out)["changed"] == ["notes"]
    assert maintainer.github.repository.releases[0].body.startswith("# New")


def test_a_dry_run_shows_the_plan_of_the_run(maintainer: Maintainer) -> None:
    planned = json.loads(maintainer.run("--json", "--dry-run").out)
    assert maintainer.github.writes() == []
    done = json.loads(maintainer.run("--json").out)
    same = ("tag", "title", "created", "published", "changed", "assets")
    assert {key: planned[key] for key in same} == {key: done[key] for key in same}


def test_the_job_summary_and_the_steps_output_have_the_address(
    maintainer: Maintainer, tmp_path: Path
) -> None:
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    ran = maintainer.run("--json", **files)
    url = json.loads(ran.out)["url"]
    assert url.endswith("/releases/tag/minimal-v0.155.0-beta")
    assert url in summary.read_text(encoding="utf-8")
    assert outputs.read_text(encoding="utf-8") == f"url={url}\n"


@pytest.mark.parametrize("token", ["ghs_unknown", READER])
def test_a_token_is_in_no_message(maintainer: Maintainer, token: str) -> None:
    ran = maintainer.run("--verbose", token=token)
    assert ran.code == GitHubError.exit_code
    assert token not in ran.out + ran.err
    assert maintainer.github.repository.releases == []


def test_a_token_can_be_in_a_file(maintainer: Maintainer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    assert maintainer.run("--token=file:token", token="").code == 0
    maintainer.assets()


def test_a_preflight_only_looks(maintainer: Maintainer) -> None:
    assert maintainer.run("--preflight").code == 0
    assert maintainer.run("--preflight", token="ghs_unknown").code == GitHubError.exit_code
    assert maintainer.github.writes() == []


def test_a_commit_that_was_not_pushed_is_to_be_pushed_first(maintainer: Maintainer) -> None:
    ran = maintainer.run(f"--target={'9' * 40}")
    assert ran.code == GitHubError.exit_code
    assert "push it first" in ran.err
    assert maintainer.github.repository.releases == []


def test_no_token_is_a_usage_error(maintainer: Maintainer) -> None:
    ran = maintainer.run(token="")
    assert ran.code == UsageError.exit_code
    assert "--token" in ran.err
    assert maintainer.github.calls == []


def replaced_zip(maintainer: Maintainer) -> None:
    (maintainer.folder / "dist" / AMD64).write_bytes(b"other")


def replaced_evidence(maintainer: Maintainer) -> None:
    (maintainer.folder / "dist" / EVIDENCE).write_bytes(b"other")


def other_build(maintainer: Maintainer) -> None:
    dist(maintainer.folder / "dist", epoch=1_760_000_000)


def failed_target(maintainer: Maintainer) -> None:
    maintainer.publish(ok=False, error="no answer")


def absent_target(maintainer: Maintainer) -> None:
    record = json.loads(maintainer.record.read_bytes())
    record["targets"][-1].update(ok=False, arn="")
    maintainer.record.write_text(json.dumps(record), encoding="utf-8")


def local_group(maintainer: Maintainer) -> None:
    maintainer.publish(group="local")


def two_distributions(maintainer: Maintainer) -> None:
    others = ["collector-amd64-full.zip", AMD64]
    dist(maintainer.folder / "dist", *others)
    maintainer.publish(*others)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (replaced_zip, AMD64),
        (replaced_evidence, EVIDENCE),
        (other_build, "manifest.json"),
        (failed_target, "eu-west-1"),
        (absent_target, "us-east-1"),
        (local_group, "--release-group"),
        (two_distributions, "--distribution"),
    ],
)
def test_what_was_not_published_as_it_is_makes_no_release(
    maintainer: Maintainer, spoil: Callable[[Maintainer], None], says: str
) -> None:
    spoil(maintainer)
    ran = maintainer.run()
    assert ran.code == UsageError.exit_code, ran.err
    assert says in ran.err
    assert maintainer.github.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--target=main",),
        ("--file=a b.json",),
        ("--file=empty.json",),
        ("--file=missing.json",),
        ("--file=manifest.json",),
        ("--release-group=prod",),
        ("--distribution=full",),
        ("--repository=layers",),
        ("--api-url=http://github.example",),
    ],
)
def test_a_wrong_argument_makes_no_release(
    maintainer: Maintainer, arguments: tuple[str, ...]
) -> None:
    for name in ("a b.json", "manifest.json"):
        (maintainer.folder / name).write_text("{}", encoding="utf-8")
    (maintainer.folder / "empty.json").touch()
    ran = maintainer.run(*arguments)
    assert ran.code == UsageError.exit_code, ran.err
    assert maintainer.github.calls == []


def test_one_of_two_distributions_is_released_alone(maintainer: Maintainer) -> None:
    two_distributions(maintainer)
    assert maintainer.run("--distribution=minimal").code == 0
    zips = [name for name in maintainer.assets() if name.endswith(".zip")]
    assert zips == [AMD64]


def test_the_group_local_is_released_if_it_is_named(maintainer: Maintainer) -> None:
    local_group(maintainer)
    assert maintainer.run("--release-group=local").code == 0
    assert list(maintainer.github.repository.tags) == ["minimal-v0.155.0-local"]


def test_notes_that_are_not_given_compare_with_the_last_release(
    maintainer: Maintainer, tmp_path: Path
) -> None:
    arguments = [each for each in maintainer.command() if not each.startswith("--notes")]
    arguments.append("--file=vulnerabilities.json")
    advisory = {"id": "GO-2026-0001", "module": "example.com/a", "summary": "a loop"}

    def release(*advisories: object) -> str:
        zips = [tmp_path / "dist" / name for name in (AMD64, ARM64)]
        found = {"vulnerabilities": list(advisories)}
        scans = [{"sha256": digest(each), "vulnerabilities": found} for each in zips]
        (tmp_path / "vulnerabilities.json").write_text(json.dumps({"layers": scans}), "utf-8")
        variables = maintainer.github.environment()
        ran = run_ocelot(*arguments, cache=tmp_path / "cache", env=variables, cwd=tmp_path)
        assert ran.code == 0, ran.err
        return maintainer.github.repository.releases[-1].body

    first = release(advisory)
    assert "arn:aws:lambda:eu-west-1:123456789012:layer:ocel-amd64-minimal-0_155_0-beta:1" in first
    folder = dist(tmp_path / "dist", epoch=1_760_000_000)
    newer = [
        layer(name, (folder / name).read_bytes()).model_copy(
            update={"collector_version": "v0.158.0"}
        )
        for name in (AMD64, ARM64)
    ]
    write_manifest(folder, newer)
    maintainer.publish()
    record = maintainer.record.read_text(encoding="utf-8").replace("0_155_0", "0_158_0")
    maintainer.record.write_text(record, encoding="utf-8")
    second = release()
    assert "`v0.155.0` → `v0.158.0`" in second
    assert "GO-2026-0001" in second
    assert "not compared" not in second
    assert release() == second
    assert len(maintainer.github.repository.releases) == 2


def killed(maintainer: Maintainer, *faults: Fault) -> None:
    """Kill the command when GitHub has done a request, or has half of an upload."""
    process = maintainer.start()
    gone = threading.Event()

    def kill() -> None:
        process.kill()
        process.wait(30)
        gone.set()

    for each in faults:
        each.hook = kill
    maintainer.github.faults(*faults)
    process.communicate(timeout=60)
    assert gone.wait(30), "the step never came"
    maintainer.github.faults()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "/releases$"),
        Fault("POST", "/releases$"),
        Fault("POST", "/assets$"),
        Fault("POST", "/assets$", skip=3),
        Fault("POST", "/assets$", skip=6),
        Fault("GET", "/assets$", skip=1),
        Fault("PATCH"),
        Fault("GET", "", skip=9),
    ],
    ids=lambda fault: f"{fault.method}-{fault.path.strip('/$')}-{fault.skip}",
)
def test_a_killed_run_is_completed_by_the_next_to_one_release(
    maintainer: Maintainer, tmp_path: Path, fault: Fault
) -> None:
    killed(maintainer, fault)
    for each in maintainer.github.repository.releases:
        assert each.draft or len(each.contents) == len(each.assets)
    maintainer.github.repository.ahead = GIVEN_UP + timedelta(seconds=1)
    ran = maintainer.run()
    assert ran.code == 0, ran.err
    files = {path.name: path.read_bytes() for path in (tmp_path / "dist").glob("collector-*")}
    assets = maintainer.assets()
    assert files.items() <= assets.items()
    sums = {f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in assets.items()}
    assert set(assets["SHA256SUMS"].decode().splitlines()) < sums
    assert len(assets["SHA256SUMS"].splitlines()) == len(assets) - 1


def test_two_commands_at_once_make_one_release(maintainer: Maintainer) -> None:
    processes = [maintainer.start() for _ in range(2)]
    ended = [(each.communicate(timeout=120), each.returncode) for each in processes]
    assert [code for _, code in ended] == [0, 0], ended
    releases = maintainer.github.repository.releases
    (whole,) = [each for each in releases if not each.draft]
    assert {"SHA256SUMS", AMD64, ARM64} < set(whole.contents)
    assert [each.assets for each in releases if each.draft] == [[]] * (len(releases) - 1)
