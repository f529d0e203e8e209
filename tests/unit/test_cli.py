from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import anyio
import pytest
from unit_examples import CHECKOUT, OTLP, write_config

from pipeline import cli
from pipeline.__main__ import main
from pipeline.cli import running
from pipeline.errors import EXIT_CODES, InterruptedBuildError, UsageError


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The result of running the command line."""

    code: object
    out: str
    err: str


Ocelot = Callable[..., Ended]


@pytest.fixture
def ocelot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Ocelot:
    """Run the command line in a folder of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ocelot", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Ended(code=ended.value.code, out=out, err=err)

    return run


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_exit_code(ocelot: Ocelot, option: str) -> None:
    ended = ocelot(option)
    assert ended.code == 0
    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"^\s*{code}\b\W*{re.escape(meaning)}$", ended.out, re.MULTILINE)


def test_alone_ocelot_shows_its_help(ocelot: Ocelot) -> None:
    ended = ocelot()
    assert "Exit codes:" in ended.out + ended.err
    assert ended.code in (0, 2)


def test_version_is_that_of_the_package(ocelot: Ocelot) -> None:
    assert ocelot("--version") == Ended(code=0, out=f"ocelot {version('ocelot')}\n", err="")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--colour"], "--colour"),
        (["build", "--colour"], "--colour"),
        (["bild"], "bild"),
        (["config", "chek"], "chek"),
        (["build", "surplus"], "surplus"),
        (["build", "--distribution"], "--distribution"),
        (["build", "--architecture", "riscv64"], "riscv64"),
        (["config", "check", "--json=yes"], "--json"),
    ],
)
def test_an_invalid_command_line_is_a_usage_error(
    ocelot: Ocelot, arguments: list[str], named: str
) -> None:
    ended = ocelot(*arguments)
    assert ended.code == UsageError.exit_code
    assert named in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["publish", "--account", ""], "--account"),
        (["publish", "--account="], "--account"),
        (["publish", "--role-arn", " "], "--role-arn"),
        (["publish", "--regions", ""], "--regions"),
        (["publish", "--table="], "--table"),
        (["publish", "--release-group", "", "dist"], "--release-group"),
        (["publish", "-l", ""], "-l"),
        (["publish", "-o", ""], "-o"),
        (["publish", ""], "an argument"),
        (["release", "--runtimes", ""], "--runtimes"),
        (["build", "--output", ""], "--output"),
        (["layers", "sync", "--account", ""], "--account"),
        (["layers", "list", "--distribution", ""], "--distribution"),
        (["fetch", "publish.json", "--role-arn", ""], "--role-arn"),
        (["oidc", "check", "--role-arn", ""], "--role-arn"),
    ],
)
def test_an_empty_value_is_refused_and_its_option_named(
    ocelot: Ocelot, arguments: list[str], named: str
) -> None:
    ended = ocelot(*arguments)
    assert ended.code == UsageError.exit_code
    assert f"{named} has an empty value" in ended.err


@pytest.mark.parametrize("command", [["publish"], ["release"], ["layers", "sync"]])
@pytest.mark.parametrize("account", ["1234", "1234-5678-9012", "12345678901x", "1234567890123"])
def test_an_account_is_twelve_digits(ocelot: Ocelot, command: list[str], account: str) -> None:
    ended = ocelot(*command, "--regions", "eu-west-1", "--account", account)
    assert ended.code == UsageError.exit_code
    assert "--account" in ended.err


def test_an_unknown_distribution_is_reported_with_the_nearest_name(ocelot: Ocelot) -> None:
    ended = ocelot("build", "-d", "minimial", "-r", "sample")
    assert ended.code == UsageError.exit_code
    assert "there is no distribution 'minimial'; perhaps you meant minimal?" in ended.err


@pytest.mark.parametrize("ref", ["-x", "a..b", "a b", "$(x)"])
@pytest.mark.parametrize("command", ["build", "components"])
def test_an_invalid_ref_is_a_usage_error(ocelot: Ocelot, command: str, ref: str) -> None:
    ended = ocelot(command, "-r", "sample", f"--upstream-ref={ref}")
    assert ended.code == UsageError.exit_code
    assert "cannot be an upstream ref" in ended.err


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@example.com/a",
        "me:hunter2@example.com/a",
        "ftp://me:hunter2@x.org/a",
        "https://x.org/a?token=hunter2",
    ],
)
@pytest.mark.parametrize("command", [["build"], ["components"], ["config", "check"]])
def test_a_password_in_a_url_is_refused_and_never_shown(
    ocelot: Ocelot, command: list[str], url: str
) -> None:
    ended = ocelot(*command, "-r", url)
    assert ended.code == UsageError.exit_code
    assert "hunter2" not in ended.out + ended.err


def test_a_source_date_epoch_that_is_no_number_is_a_usage_error(
    ocelot: Ocelot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert ocelot("build", "-r", "sample").code == UsageError.exit_code


@pytest.mark.parametrize("command", [["config", "check"], ["build"], ["components"]])
def test_a_problem_in_the_config_ends_every_command_with_3(
    ocelot: Ocelot, command: list[str]
) -> None:
    write_config(Path("config"), "minimal:\n  buildtag: x\n", f"{OTLP}:\n  modul: x\n")
    ended = ocelot(*command)
    assert ended.code == 3
    assert ended.out == ""
    assert "config/distributions.yaml:2: minimal.buildtag: unknown key" in ended.err
    assert f"config/components.yaml:2: {OTLP}.modul: unknown key" in ended.err


def test_a_missing_config_folder_is_reported(ocelot: Ocelot) -> None:
    ended = ocelot("config", "check", "--config", "nowhere")
    assert ended.code == 3
    assert "nowhere/distributions.yaml: cannot be read" in ended.err


def test_the_config_folder_may_be_set_in_the_environment(
    ocelot: Ocelot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_config(tmp_path / "mine", f"one: {{buildtags: [{OTLP}]}}\ntwo: {{base: one}}\n")
    monkeypatch.setenv("OCELOT_CONFIG", str(tmp_path / "mine"))
    assert json.loads(ocelot("config", "check", "--json").out)["distributions"] == 2


def test_config_check_says_what_it_checked(ocelot: Ocelot) -> None:
    write_config(Path("config"))
    ended = ocelot("config", "check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("config: 1 distributions, 0 components, no problems")


def test_config_check_as_json_is_json_alone(ocelot: Ocelot) -> None:
    write_config(Path("config"))
    ended = ocelot("config", "check", "--json")
    assert json.loads(ended.out) == {"ok": True, "distributions": 1, "components": 0}


def test_config_check_as_json_leaves_problems_to_standard_error(ocelot: Ocelot) -> None:
    write_config(Path("config"), "minimal: 3\n")
    ended = ocelot("config", "check", "--json")
    assert (ended.code, ended.out) == (3, "")
    assert "config/distributions.yaml:1" in ended.err


def test_the_shipped_config_fits_the_sample(ocelot: Ocelot) -> None:
    ended = ocelot("config", "check", "-r", "sample", "--json")
    assert (ended.code, json.loads(ended.out)["ok"]) == (0, True)


def test_config_check_against_an_upstream_names_the_unknown_tag(ocelot: Ocelot) -> None:
    write_config(Path("config"), "a:\n  buildtags:\n    - lambdacomponents.exporter.otlphtp\n")
    ended = ocelot("config", "check", "-r", "sample")
    assert ended.code == 3
    assert "config/distributions.yaml:3: " in ended.err
    assert "perhaps you meant lambdacomponents.exporter.otlphttp?" in ended.err


def test_config_schema_writes_what_is_shipped(ocelot: Ocelot) -> None:
    write_config(Path("config"))
    ended = ocelot("config", "schema")
    assert ended.out.splitlines() == [
        "config/distributions.schema.json",
        "config/components.schema.json",
        "config/tuning.schema.json",
        "config/budgets.schema.json",
        "config/images.schema.json",
        "config/regions.schema.json",
        "config/gitops.schema.json",
        "config/manifest.schema.json",
        "config/layers.schema.json",
    ]
    for name in ended.out.splitlines():
        assert Path(name).read_bytes() == (CHECKOUT / name).read_bytes()


def test_components_as_json_are_rows_of_the_sample(ocelot: Ocelot) -> None:
    ended = ocelot("components", "-r", "sample", "--json")
    rows = {row["tag"]: row for row in json.loads(ended.out)}
    assert rows["lambdacomponents.receiver.otlp"]["origin"] == "upstream"
    assert rows["lambdacomponents.connector.signaltometrics"]["origin"] == "custom"
    assert "minimal" in rows["lambdacomponents.receiver.otlp"]["distributions"]


def test_components_of_the_default_set_are_named_as_such(ocelot: Ocelot) -> None:
    rows = json.loads(ocelot("components", "-r", "sample", "--json").out)
    held = {row["tag"]: "default" in row["distributions"] for row in rows}
    assert held["lambdacomponents.receiver.otlp"]
    assert not held["lambdacomponents.connector.forward"]
    assert not held["lambdacomponents.connector.signaltometrics"]


def test_an_upstream_folder_that_is_not_there_is_a_usage_error(ocelot: Ocelot) -> None:
    ended = ocelot("components", "-r", "./nowhere")
    assert ended.code == UsageError.exit_code
    assert "./nowhere does not exist" in ended.err


def test_a_folder_that_is_no_upstream_ends_with_4(ocelot: Ocelot, tmp_path: Path) -> None:
    assert ocelot("build", "-r", str(tmp_path)).code == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_and_lets_it_clean_up(number: signal.Signals) -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await anyio.sleep_forever()
        finally:
            cleaned.append(True)

    with pytest.raises(InterruptedBuildError, match=number.name) as caught:
        running.run(work)
    assert cleaned == [True]
    assert caught.value.exit_code == 130


@pytest.mark.parametrize("columns", ["0", "1", "19", "-80", "²", "9" * 5000, "wide"])
def test_an_unusable_width_hides_nothing(
    ocelot: Ocelot, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ended = ocelot("config", "check", "--config", "nowhere")
    assert ended.code
    assert "nowhere" in ended.err
    monkeypatch.setenv("COLUMNS", columns)
    assert "Exit codes:" in ocelot("--help").out


def test_a_working_folder_that_was_deleted_is_a_usage_error(
    ocelot: Ocelot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["config", "check"], ["doctor"], ["build"]):
        assert ocelot(*command).code == UsageError.exit_code


def test_a_system_without_fcntl_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delitem(sys.modules, "pipeline.files", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == UsageError.exit_code
    assert capsys.readouterr().err.count("\n") == 1
