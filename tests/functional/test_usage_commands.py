"""The printed commands: quoted for the shell, and with options that the AWS CLI has."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from registry_examples import arn
from usage_examples import OTHER, REGION, alias, function, usage

from pipeline.aws.functions import FunctionAlias
from pipeline.usage.commands import use_commands

OLD, NEW = arn(version=7), arn(version=8)
ARN = function().arn
GLOBAL = {"region", "query", "output"}


def commands(
    *versions: str, aliases: tuple[FunctionAlias, ...] = (), new: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the commands by version, of a function of which some versions are behind."""
    functions = [
        *(function(OLD, OTHER, version=each) for each in versions),
        *(function(NEW, version=each) for each in new),
    ]
    region = usage(*functions, aliases={"checkout": aliases})
    return {version: command for (_, version), command in use_commands(region).items()}


def run(command: str, folder: Path) -> list[list[str]]:
    """Run a command line in a shell whose `aws` records its arguments; publish-version gives 9."""
    folder.mkdir(exist_ok=True)
    program = folder / "aws"
    program.write_text(
        f'#!/bin/sh\nfor one in "$@"; do printf "%s\\n" "$one"; done >> {folder}/log\n'
        f'echo -- >> {folder}/log\ncase "$2" in publish-version) echo 9;; esac\n'
    )
    program.chmod(0o755)
    shell = shutil.which("sh") or "/bin/sh"
    subprocess.run([shell, "-euc", command], env={"PATH": f"{folder}:/bin:/usr/bin"}, check=True)
    runs = (folder / "log").read_text().removesuffix("--\n").split("--\n")
    return [each.splitlines() for each in runs]


def options(words: list[str]) -> dict[str, list[str]]:
    """Return the options of a command of the AWS CLI."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word[2:]] = []
        elif found:
            list(found.values())[-1].append(word)
    return found


def test_latest_gets_all_its_layers_in_their_order() -> None:
    words = shlex.split(commands("$LATEST")["$LATEST"])
    assert words[:3] == ["aws", "lambda", "update-function-configuration"]
    assert options(words) == {
        "region": [REGION],
        "function-name": [ARN],
        "layers": [str(NEW), OTHER],
    }


def test_what_is_not_behind_has_no_command() -> None:
    assert commands(new=("$LATEST", "1")) == {}


def test_an_alias_of_an_old_version_is_pointed_to_a_new_one(tmp_path: Path) -> None:
    found = commands("$LATEST", "1", aliases=(alias("live", "1"),))
    waits, publishes, updates = run(found["1"], tmp_path)
    assert waits[1:3] == ["wait", "function-updated"]
    assert publishes[1] == "publish-version"
    assert options(updates) == {
        "region": [REGION],
        "function-name": [ARN],
        "name": ["live"],
        "function-version": ["9"],
    }


def test_nothing_is_waited_for_if_latest_has_the_newest_layers() -> None:
    found = commands("1", aliases=(alias("live", "1"),), new=("$LATEST",))
    assert " wait " not in found["1"]


@pytest.mark.parametrize(
    ("live", "version", "weights"),
    [
        (alias("live", "1", v3=0.1), ["9"], None),
        (alias("live", "3", v1=0.1), None, {"9": 0.1}),
        (alias("live", "1", v2=0.25), ["9"], {}),
    ],
)
def test_an_alias_with_two_versions_keeps_those_that_are_not_behind(
    live: FunctionAlias, version: list[str] | None, weights: dict[str, float] | None, tmp_path: Path
) -> None:
    found = commands("1", "2", aliases=(live,), new=("$LATEST", "3"))
    assert list(found) == ["1"]
    got = options(run(found["1"], tmp_path)[-1])
    assert got.get("function-version") == version
    routing = got.get("routing-config")
    shares = json.loads(routing[0])["AdditionalVersionWeights"] if routing else None
    assert shares == weights


def test_old_versions_that_nothing_points_to_have_no_command() -> None:
    assert set(commands("$LATEST", "1", "2", aliases=(alias("live", "2"),))) == {"$LATEST", "2"}
    assert set(commands("$LATEST", "1", new=("2",))) == {"$LATEST"}


def test_a_function_that_is_called_by_number_gets_a_new_version() -> None:
    assert "publish-version" in commands("$LATEST", "1")["1"]


def test_without_layers_in_latest_a_new_version_would_have_none() -> None:
    assert commands("1", aliases=(alias("live", "1"),)) == {}


def test_each_command_has_the_options_of_its_operation(tmp_path: Path) -> None:
    found = commands("$LATEST", "1", "2", aliases=(alias("live", "1"), alias("next", "3", v2=0.5)))
    model = botocore.session.get_session().get_service_model("lambda")
    operations = {xform_name(each, "-"): each for each in model.operation_names}
    ran = [
        words for at, each in enumerate(found.values()) for words in run(each, tmp_path / f"{at}")
    ]
    for words in ran:
        if words[1] == "wait":
            continue
        shape = model.operation_model(operations[words[1]]).input_shape
        assert shape
        assert set(options(words)) - GLOBAL <= {xform_name(each, "-") for each in shape.members}
    assert len(ran) == 7
