"""The Dagger functions for published layers: what they return, and with which files they run."""

from __future__ import annotations

from typing import Any

import pytest
from dagger import ReturnType, dag
from module_chain import Chain, Engine, called

PARTIAL = 13  # the exit code if some deletions failed
SECRET = dag.set_secret("name", "plain")
KEYS = {"access_key_id": SECRET, "secret_access_key": SECRET}


def engine(**answers: object) -> Engine:
    """An engine in which the command has written its report and ended well."""
    return Engine({"exitCode": 0, "size": 1000, "name": "layers.json", "stderr": "", **answers})


def reaped(given: Engine, **options: object) -> Chain:
    """Return the chain of the folder that `reap` returns."""
    return given.chain(called(given, "reap", **{"pattern": "ocel-*", **KEYS, **options}))


def reap_exec(chain: Chain) -> dict[str, Any]:
    (found,) = [each for each in chain.calls("withExec") if each["args"][:2] == ["ocelot", "reap"]]
    return dict(found)


@pytest.mark.parametrize("code", [0, 11, 12, PARTIAL])
def test_the_report_is_returned_also_if_some_deletions_failed(code: int) -> None:
    given = engine(exitCode=code)
    chain = reaped(given, apply=True, yes_delete=2, plan="0123456789abcdef", account="1" * 12)
    (written,) = chain.calls("withNewFile")
    assert written == {"path": "exit-code", "contents": f"{code}\n"}
    assert chain.calls("directory")[-1] == {"path": "reaped"}
    ran = reap_exec(chain)
    assert ReturnType(ran["expect"]) is ReturnType.ANY
    assert ran["redirectStdout"] == "reaped/reap.json"
    assert {"--apply", "--yes-delete=2", "--plan=0123456789abcdef"} <= {*ran["args"]}
    assert chain.variables["GITHUB_STEP_SUMMARY"] == "reaped/reap.md"
    assert chain.variables["GITHUB_OUTPUT"] == "reaped/reap.outputs"


def test_the_command_runs_once_however_it_ends() -> None:
    given = engine(exitCode=PARTIAL)
    reaped(given)
    runs = [each for each in given.awaited if each.fields[-1].name == "sync"]
    assert len(runs) == 1
    # what is read afterwards is read from that run
    assert all("OCELOT_CALL" not in str(each.fields[-1].args) for each in given.awaited)


@pytest.mark.parametrize(("code", "size"), [(2, 0), (2, 1000), (11, 0), (18, 0)])
def test_a_command_that_did_nothing_is_an_error_with_its_message(code: int, size: int) -> None:
    message = "error: the plan deletes 3 layer versions, not 2"
    with pytest.raises(ValueError, match=message):
        reaped(engine(exitCode=code, size=size, stderr=message))


def test_a_plan_without_findings_has_its_report_too() -> None:
    assert reaped(engine(size=0)).calls("withNewFile")[0]["contents"] == "0\n"


def test_what_is_kept_is_given_as_files_by_their_names() -> None:
    file, folder = dag.directory().file("a"), dag.directory()
    chain = reaped(engine(), keep_file=[file, file], tombstones=folder)
    paths = [each["path"] for each in chain.calls("withMountedFile")]
    assert paths == ["given/0/layers.json", "given/1/layers.json"]
    words = reap_exec(chain)["args"]
    assert [each for each in words if each.startswith("--keep-file")] == [
        f"--keep-file={each}" for each in paths
    ]
    assert words[2] == "ocel-*"
    assert "--tombstones=reaped/tombstones" in words
    assert chain.calls("withDirectory")[-1]["path"] == "reaped/tombstones"


@pytest.mark.parametrize("option", ["bundle", "zip"])
def test_a_layer_version_is_restored_from_a_file(option: str) -> None:
    given = engine(name="kept.zip")
    file = dag.directory().file("a")
    chain = reaped(given, pattern=None, restore="arn:aws:lambda:x", **{option: file})
    (mounted,) = chain.calls("withMountedFile")
    words = reap_exec(chain)["args"]
    assert f"--{option}={mounted['path']}" in words
    assert words[2] == "--restore=arn:aws:lambda:x"


def test_each_plan_is_made_anew_and_the_token_for_github_is_a_secret() -> None:
    first, second = (reaped(engine(), github_token=SECRET) for _ in range(2))
    assert first.variables["OCELOT_CALL"] != second.variables["OCELOT_CALL"]
    assert first.secrets == {"GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize("name", ["layers", "used"])
def test_a_list_is_the_commands_text_or_its_json(name: str) -> None:
    given = engine(stdout="a table")
    assert called(given, name, **KEYS) == "a table"
    called(given, name, as_json=True, **KEYS)
    text, data = (each.commands[-1] for each in given.awaited if each.fields[-1].name == "stdout")
    assert text[0] == "layers"
    assert data == [*text, "--json"]
