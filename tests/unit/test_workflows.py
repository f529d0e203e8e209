"""The workflows, read as data: choices, pins, permissions, and the calls that the README lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from unit_examples import CHECKOUT

from pipeline.aws.session import lambda_regions
from pipeline.config.folder import load_config
from pipeline.naming import CI_GROUP
from pipeline.options import UPSTREAM_REPO, PublishOptions, UpstreamOptions
from pipeline.reap_options import ReapOptions

FOLDER = CHECKOUT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in FOLDER.glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
GITOPS = "gitops-release.yml"
REAP = "reap-layers.yml"
# The jobs that may do more than read, and what; everything else reads.
WRITES = {
    (REAP, "plan"): {"id-token"},
    (REAP, "delete"): {"id-token"},
    ("release-layers.yml", "publish"): {"id-token"},
    ("release-layers.yml", "attest"): {"attestations", "id-token"},
    ("release-layers.yml", "release"): {"contents"},
    ("upstream-watch.yml", "propose"): {"contents", "pull-requests"},
}


def workflow(name: str) -> dict[str, Any]:
    """A workflow; the key `on` is read as YAML's true."""
    parsed = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return {**parsed, "on": parsed[True]}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in WORKFLOWS:
        for job, content in workflow(name)["jobs"].items():
            yield name, job, content


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, job, content in jobs():
        yield from ((name, job, step) for step in content["steps"])


def inputs(name: str = "release-layers.yml") -> dict[str, Any]:
    return workflow(name)["on"]["workflow_dispatch"]["inputs"]


def runs(job: str, workflow_name: str = "release-layers.yml") -> list[str]:
    steps = workflow(workflow_name)["jobs"][job]["steps"]
    return [step["run"] for step in steps if "run" in step]


def yaml_list(items: list[str]) -> str:
    """The expected list of a workflow, to paste into it."""
    return "\n".join(["write:", *(f"          - {each}" for each in items)])


def test_there_are_these_five() -> None:
    assert WORKFLOWS == ["ci.yml", GITOPS, REAP, "release-layers.yml", "upstream-watch.yml"]


def test_a_distribution_can_be_chosen_where_it_is_configured() -> None:
    expected = [*load_config(CHECKOUT / "config").distributions]
    assert inputs()["distribution"]["options"] == expected, yaml_list(expected)
    matrix = workflow("upstream-watch.yml")["jobs"]["build"]["strategy"]["matrix"]
    assert matrix["distribution"] == expected, yaml_list(expected)


def test_a_set_of_regions_can_be_chosen_or_all_or_any_one() -> None:
    regions = load_config(CHECKOUT / "config").regions
    assert regions
    expected = [*regions.sets, "all", *lambda_regions()]
    assert inputs()["aws-region"]["options"] == expected, yaml_list(expected)
    assert inputs()["aws-region"]["default"] == expected[0] == "default"


def test_the_inputs_are_those_of_the_commands_with_their_defaults() -> None:
    assert {name: each["default"] for name, each in inputs().items()} == {
        "distribution": "default",
        "architecture": "all",
        "aws-region": "default",
        "release-group": CI_GROUP,
        "upstream-repo": UPSTREAM_REPO,
        "upstream-ref": UpstreamOptions.upstream_ref,
        "set-to-public": False,
        "share": "",
        "bench": True,
        "compare": True,
        "github-release": True,
        "dry-run": False,
    }
    assert inputs()["architecture"]["options"] == ["all", "amd64", "arm64"]
    name = workflow("release-layers.yml")["jobs"]["publish"]["env"]["LAYER_NAME"]
    assert name == f"${{{{ vars.LAYER_NAME || '{PublishOptions().layer_name}' }}}}"
    assert workflow("upstream-watch.yml")["env"]["UPSTREAM_REPO"] == UPSTREAM_REPO


@pytest.mark.parametrize("name", ["release-layers.yml", REAP])
def test_who_calls_a_workflow_has_the_same_inputs_and_names_a_config_folder(name: str) -> None:
    called = workflow(name)["on"]["workflow_call"]
    assert called["inputs"].pop("config") == {
        "description": "The config folder in the calling repository",
        "type": "string",
        "required": True,
    }
    assert called["inputs"] == {
        name: {
            "type": "string" if each["type"] == "choice" else each["type"],
            "default": each["default"],
        }
        for name, each in inputs(name).items()
    }
    used = set(re.findall(r"secrets\.(\w+)", (FOLDER / name).read_text("utf-8")))
    assert set(called["secrets"]) == used


@pytest.mark.parametrize("name", ["release-layers.yml", REAP])
def test_the_outputs_of_a_workflow_are_those_of_its_jobs(name: str) -> None:
    parsed = workflow(name)
    for each in parsed["on"]["workflow_call"]["outputs"].values():
        found = re.fullmatch(r"\$\{\{ jobs\.(\w+)\.outputs\.(\w+) \}\}", each["value"])
        assert found
        assert found[2] in parsed["jobs"][found[1]]["outputs"]


# A line of a job: one of our scripts, dagger, or a file that is added to one of GitHub's.
ONE_COMMAND = re.compile(
    r"\.github/install-dagger"
    r"|(\.github/with-aws-token )?dagger call (?![^\n]*[;&|<>])[^\n]+"
    r'|cat [\w./-]+ >> "\$GITHUB_(OUTPUT|STEP_SUMMARY)"'
    r"|gh attestation verify (?![^\n]*[;&|<>])[^\n]+"
    r'|exit "\$\(cat [\w./-]+\)"'
)


@pytest.mark.parametrize(("name", "count"), [("release-layers.yml", 15), (GITOPS, 6), (REAP, 8)])
def test_each_line_of_a_run_is_one_command(name: str, count: int) -> None:
    lines = [line for job in workflow(name)["jobs"] for line in runs(job, name)]
    assert len(lines) > count
    assert [line for line in lines if not ONE_COMMAND.fullmatch(line.strip())] == []


def test_each_gitops_job_has_ocelot_of_the_workflow_and_the_source() -> None:
    for job, content in workflow(GITOPS)["jobs"].items():
        own, source = (each for each in content["steps"] if "/checkout@" in each.get("uses", ""))
        assert own["with"]["repository"] == "${{ job.workflow_repository }}"
        assert own["with"]["ref"] == "${{ job.workflow_sha }}"
        assert (source.get("if"), source["with"]["path"]) == (None, "caller")
        calls = [line for line in runs(job, GITOPS) if "dagger call" in line]
        assert all('dagger call ${CONFIG:+--config "$CONFIG"} ' in each for each in calls)


@pytest.mark.parametrize("name", ["release-layers.yml", REAP])
def test_each_job_has_ocelot_of_the_workflow_and_the_config_of_its_caller(name: str) -> None:
    for job, content in workflow(name)["jobs"].items():
        checkouts = [each for each in content["steps"] if "/checkout@" in each.get("uses", "")]
        calls = [line for line in runs(job, name) if "dagger call" in line]
        assert len(checkouts) == (2 if calls else 0), job
        if calls:
            own, caller = checkouts
            assert own["with"]["repository"] == "${{ job.workflow_repository }}"
            assert own["with"]["ref"] == "${{ job.workflow_sha }}"
            assert (caller["if"], caller["with"]["path"]) == (
                "${{ inputs.config != '' }}",
                "caller",
            )
        assert all('dagger call ${CONFIG:+--config "$CONFIG"} ' in each for each in calls)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit_and_one_commit_each(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    used = re.findall(r"uses:(.*)", text)
    assert len(used) == sum("uses" in step for at, _, step in steps() if at == name)
    for each in used:
        assert PINNED.fullmatch(each.strip()), each


def test_an_action_is_of_one_version_everywhere() -> None:
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in WORKFLOWS]
    pins = {pin.strip() for text in texts for pin in re.findall(r"uses:(.*)", text)}
    assert len({pin.split("@")[0] for pin in pins}) == len(pins)


def test_only_those_jobs_write_that_must() -> None:
    found = {
        (name, job): {scope for scope, may in content["permissions"].items() if may != "read"}
        for name, job, content in jobs()
    }
    assert {where: scopes for where, scopes in found.items() if scopes} == WRITES
    assert all(workflow(name)["permissions"] == {} for name in WORKFLOWS)


def test_the_jobs_that_publish_and_delete_are_in_the_environments_that_aws_trusts() -> None:
    within = {
        (name, job): each["environment"] for name, job, each in jobs() if "environment" in each
    }
    release = "release-layers.yml"
    assert within == {
        (REAP, "delete"): "reap",
        (release, "publish"): "publish",
        (release, "release"): "publish",
    }


def test_secrets_are_seen_by_the_steps_that_need_them_alone() -> None:
    seen = [
        (name, job, secret)
        for name, job, step in steps()
        for secret in re.findall(r"secrets\.(\w+)", json.dumps(step))
    ]
    release, checkout = "release-layers.yml", "OCELOT_TOKEN"
    assert seen == [
        (GITOPS, "changed", checkout),
        (GITOPS, "changed", "GITOPS_TOKEN"),
        (GITOPS, "release", checkout),
        (GITOPS, "release", "GITOPS_TOKEN"),
        (GITOPS, "release", "REGISTRY_USER"),
        (GITOPS, "release", "REGISTRY_PASSWORD"),
        (REAP, "plan", checkout),
        (REAP, "plan", "AWS_READER_ROLE"),
        (REAP, "plan", "DYNAMODB_TABLE_NAME"),
        (REAP, "delete", checkout),
        (REAP, "delete", "AWS_REAPER_ROLE"),
        (REAP, "delete", "DYNAMODB_TABLE_NAME"),
        (release, "build", checkout),
        (release, "publish", checkout),
        (release, "publish", "AWS_ROLE_TO_ASSUME"),
        (release, "publish", "DYNAMODB_TABLE_NAME"),
        (release, "publish", "AWS_ROLE_TO_ASSUME"),
        (release, "verify", checkout),
        (release, "release", checkout),
    ]
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in WORKFLOWS]
    assert sum(text.count("secrets.") for text in texts) == len(seen)


def test_every_job_ends_some_time_and_every_workflow_takes_turns() -> None:
    own = "${{ inputs.timeout-minutes || 60 }}"
    ends = {
        60 if each["timeout-minutes"] == own else each["timeout-minutes"] for *_, each in jobs()
    }
    assert all(5 <= minutes <= 90 for minutes in ends)
    assert all(
        "concurrency" in workflow(name) or "concurrency" in content for name, _, content in jobs()
    )
    for name in ("release-layers.yml", REAP):
        assert workflow(name)["concurrency"]["cancel-in-progress"] is False


def test_no_shell_has_an_expression_in_it() -> None:
    lines = [step["run"] for _, _, step in steps() if "run" in step]
    assert len(lines) > 15
    assert [line for line in lines if "${{" in line] == []


def test_a_checkout_keeps_no_credentials() -> None:
    checkouts = [step for _, _, step in steps() if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == 21
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_artifacts_are_taken_by_their_number_and_digest() -> None:
    taken = [s["with"] for _, _, s in steps() if "/download-artifact@" in s.get("uses", "")]
    assert len(taken) == 9
    for each in taken:
        assert each["digest-mismatch"] == "error"
        assert "artifact-ids" in each
        assert "name" not in each
    kept = [s["with"] for _, _, s in steps() if "/upload-artifact@" in s.get("uses", "")]
    assert all(each["if-no-files-found"] == "error" for each in kept)


def test_dagger_is_of_the_engines_version() -> None:
    engine = json.loads((CHECKOUT / "dagger.json").read_text())["engineVersion"]
    script = (CHECKOUT / ".github" / "install-dagger").read_text()
    assert f"\nversion={engine.removeprefix('v')}\n" in script
    assert re.search(r"\nsha256=[0-9a-f]{64} ", script)


def test_a_job_that_calls_dagger_installs_it_first() -> None:
    for name, job, content in jobs():
        lines = [step["run"] for step in content["steps"] if "run" in step]
        calls = [at for at, line in enumerate(lines) if "dagger call" in line]
        if calls:
            assert lines.index(".github/install-dagger") < calls[0], (name, job)


def test_ci_runs_what_a_person_runs() -> None:
    assert runs("checks", "ci.yml") == [".ci/run"]
    pythons = [
        step["with"]["python-version"] for _, _, step in steps() if "setup-python" in str(step)
    ]
    assert pythons == ["3.11", "3.14"]


def test_a_dry_run_publishes_nothing_and_verifies_what_was_built() -> None:
    found = workflow("release-layers.yml")["jobs"]
    conditional = {
        *(job for job in found if "!inputs.dry-run" in found[job].get("if", "")),
        *(
            step["name"]
            for job in found.values()
            for step in job["steps"]
            if "!inputs.dry-run" in step.get("if", "")
        ),
    }
    fetching = {f"{verb} what AWS serves" for verb in ("Fetch", "Upload", "Download")}
    assert conditional == {"attest", "release", "Set the output", *fetching}
    assert found["verify"]["env"]["LAYERS"] == "${{ inputs.dry-run && 'dist' || 'served' }}"


def test_layers_are_released_only_where_those_that_aws_serves_were_verified() -> None:
    found = workflow("release-layers.yml")["jobs"]
    assert "needs.verify.result == 'success'" in found["release"]["if"]
    assert "needs.publish.result == 'success'" in found["verify"]["if"]
    assert "needs.attest.result != 'failure'" in found["verify"]["if"]


def test_an_upstream_release_is_built_before_it_is_proposed_and_once() -> None:
    found = workflow("upstream-watch.yml")["jobs"]
    assert found["build"]["if"] == "${{ needs.lock.outputs.changed == 'true' }}"
    assert found["propose"]["needs"] == ["lock", "build"]
    lock = next(step for step in found["lock"]["steps"] if step.get("id") == "lock")
    assert lock["if"] == "${{ steps.release.outputs.proposed == '0' }}"


# The README's values of the workflow's variables.
VALUES = {
    "$DISTRIBUTION": "minimal",
    "$ARCHITECTURE": "all",
    "$UPSTREAM_REPO": UPSTREAM_REPO,
    "$UPSTREAM_REF": UpstreamOptions.upstream_ref,
    "$LAYERS": "served",
}


def commands_in(text: str) -> list[str]:
    """The dagger calls of a text, one line each; continued lines are joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in joined.splitlines() if line.startswith("dagger call")]


def test_the_jobs_make_the_calls_that_the_readme_lists() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Publish from GitHub Actions")[1].split("\n## ")[0]
    blocks = [*runs("build"), *runs("verify")]
    made = [" ".join(line.split()) for block in blocks for line in commands_in(block)]
    made = [re.sub(r'\$\{CONFIG:\+--config "\$CONFIG"\} ', "", line) for line in made]
    made = [re.sub(r'"\$\{CONFIG:-(\w+)\}/([\w.]+)"', r"\1/\2", line) for line in made]
    made = [re.sub(r"\$\{\w+:\+(--[\w-]+)\}", r"\1", line) for line in made]  # as by default
    for variable, value in VALUES.items():
        made = [line.replace(f'"{variable}"', value) for line in made]
    assert made == commands_in(section)


def test_each_component_is_released_by_a_job_of_its_own_and_one_at_a_time() -> None:
    found = workflow(GITOPS)["jobs"]
    release = found["release"]
    assert release["strategy"] == {
        "fail-fast": False,
        "matrix": "${{ fromJSON(needs.changed.outputs.matrix) }}",
    }
    assert release["concurrency"] == {
        "group": "gitops-release-${{ matrix.namespace }}-${{ matrix.component }}",
        "cancel-in-progress": False,
    }
    # a matrix without an entry is an error
    assert release["if"] == "${{ needs.changed.outputs.count > 0 }}"
    assert "github.run_id" in found["changed"]["concurrency"]["group"]
    assert set(found["changed"]["outputs"]) == {"matrix", "count"}


def test_the_push_that_github_tells_of_is_the_one_that_is_looked_at() -> None:
    changed = workflow(GITOPS)["jobs"]["changed"]
    assert changed["env"] == {
        "BASE": f"${{{{ github.event.before || '{'0' * 40}' }}}}",
        "HEAD": "${{ github.event.after || github.sha }}",
        "URL": "${{ github.server_url }}/${{ github.repository }}",
        "BRANCH": "${{ github.ref_name }}",
    }
    source = changed["steps"][1]["with"]
    assert (source["fetch-depth"], source["path"]) == (0, "caller")
    release = workflow(GITOPS)["jobs"]["release"]["steps"][1]["with"]
    assert (release["ref"], release["path"]) == ("${{ matrix.commit }}", "caller")


def test_whoever_calls_the_gitops_release_gives_its_secrets() -> None:
    called = workflow(GITOPS)["on"]["workflow_call"]
    used = set(re.findall(r"secrets\.(\w+)", (FOLDER / GITOPS).read_text("utf-8")))
    assert set(called["secrets"]) == used
    assert [name for name, each in called["secrets"].items() if each["required"]] == [
        "GITOPS_TOKEN"
    ]
    assert called["inputs"]["timeout-minutes"]["default"] == 60


def test_layers_are_planned_on_every_run_and_deleted_only_where_a_person_typed_the_number() -> None:
    jobs = workflow(REAP)["jobs"]
    conditions = jobs["delete"]["if"]
    for each in ("github.event_name == 'workflow_dispatch'", "inputs.number != ''"):
        assert f" {each} &&" in conditions
    assert "||" not in conditions
    assert jobs["delete"]["needs"] == "plan"
    (deletes,) = [run for run in runs("delete", REAP) if "--apply" in run]
    assert '--yes-delete "$NUMBER" --plan "$DIGEST" --account "$ACCOUNT"' in deletes
    assert jobs["delete"]["env"] == {
        "NUMBER": "${{ inputs.number }}",
        "DIGEST": "${{ inputs.plan }}",
        "ACCOUNT": "${{ vars.AWS_ACCOUNT_ID }}",
    }
    assert not [run for run in runs("plan", REAP) if "--apply" in run]


def test_a_plan_and_its_deletion_have_the_same_options_in_scheduled_runs_too() -> None:
    (plan,), (delete,) = (
        [" ".join(run.split()) for run in runs(job, REAP) if " reap " in run]
        for job in ("plan", "delete")
    )
    confirmed = ' --apply --yes-delete "$NUMBER" --plan "$DIGEST" --account "$ACCOUNT"'
    assert delete.replace(confirmed, "").replace("REAPER", "READER") == plan
    values = workflow(REAP)["env"]
    assert values["LAYER_NAME"] == f"${{{{ vars.LAYER_NAME || '{ReapOptions().layer_name}' }}}}"
    defaults = {"PATTERN": "*", "OLDER_THAN": "90d", "KEEP": str(ReapOptions().keep)}
    for name, default in {**defaults, "REGIONS": str(ReapOptions().regions)}.items():
        given = name.lower().replace("_", "-")
        assert values[name] == f"${{{{ inputs.{given} || vars.REAP_{name} || '{default}' }}}}"
    assert values["RELEASE_GROUP"] == "${{ inputs.release-group || vars.REAP_RELEASE_GROUP }}"
    assert not [each for each in inputs(REAP).values() if each["default"]]


def test_readme_names_every_workflow_variable_and_secret() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Publish from GitHub Actions")[1].split("\n## ")[0]
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in WORKFLOWS)
    names = {*WORKFLOWS, *re.findall(r"(?:vars|secrets)\.(\w+)", text)}
    assert len(names) >= 9
    assert [name for name in names if f"`{name}`" not in section] == []
