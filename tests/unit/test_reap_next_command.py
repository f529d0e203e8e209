"""The command that `ocelot reap` prints for deleting what it planned."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from reap_examples import in_use, listed, requested

from pipeline.cli import app
from pipeline.cli.options import TokenOptions
from pipeline.cli.reap import ReapCommonOptions, ReferenceOptions, next_command
from pipeline.cli.reap_apply import TombstoneOptions
from pipeline.reap.plan import ReapPlan, region_reap
from pipeline.reap.references import References
from pipeline.reap_options import ReapOptions

PLAN = ReapPlan(
    regions=(region_reap(in_use(*map(listed, (1, 2, 3))), requested(), References()),),
    account="123456789012",
)
PATTERN = "ocel-*; rm '$HOME'"
FULL = ReapOptions(
    regions="eu-west-1,eu-west-3",
    layer_name="mine",
    table="none",
    ssm_prefix="/ocel",
    distribution=["minimal", "full"],
    release_group="prod",
    older_than="12w",
    keep=0,
    across_versions=True,
    force=["used", "parameter"],
    repository="acme/layers",
    api_url="https://github.example/api/v3",
)
REFERENCES = ReferenceOptions(keep_file=[Path("a b.json"), Path("-c")], token="file:/run/token")


def parsed(command: list[str]) -> dict[str, Any]:
    """Return the options as Typer reads them from a shell's words."""
    program, name, *words = shlex.split(shlex.join(command))
    assert program == "ocelot"
    reap: Any = typer.main.get_command(app)
    reap = reap.commands[name]
    with reap.make_context(name, words) as context:
        return dict(context.params)


@pytest.mark.parametrize("options", [ReapOptions(), FULL])
def test_the_command_repeats_all_options_and_names_the_plan(options: ReapOptions) -> None:
    common = ReapCommonOptions(config=Path("my config"), as_json=True)
    groups = (REFERENCES, TombstoneOptions(), TokenOptions(oidc_token="env:TOKEN"), common)
    read = parsed(next_command(PATTERN, PLAN, options, *groups))
    expected = {
        **{name: value for each in (options, *groups) for name, value in asdict(each).items()},
        "pattern": PATTERN,
        "account": PLAN.account,
        "apply": True,
        "yes_delete": 2,
        "plan": PLAN.digest,
        "as_json": False,
    }
    assert {name: plain(read[name]) for name in expected} == {
        name: plain(value) for name, value in expected.items()
    }


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as a text; Typer has a tuple for a list, maybe an empty one for None."""
    if isinstance(value, (list, tuple)) or value is None:
        return [str(each) for each in cast("list[object]", value or [])]
    return str(value) if isinstance(value, Path) else value


def test_there_is_no_command_if_nothing_is_deleted() -> None:
    nothing = ReapPlan(regions=(), account="123456789012")
    groups = (REFERENCES, TombstoneOptions(), TokenOptions(), ReapCommonOptions())
    assert next_command("ocel-*", nothing, FULL, *groups) == []
