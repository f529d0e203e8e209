"""`ocelot reap --apply` that is killed or interrupted: the very same command finishes it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from aws_rules import Rule
from deleting import (
    DELETE,
    LATEST,
    PREFIX,
    Reaper,
    apply_options,
    approved,
    arns,
    check_consistent,
    exists,
    history,
    json_results,
    name_by_parameter,
    named,
    numbers,
    start_reap,
    tombstone_of,
)
from publishing import IRELAND, Publishing, kills
from runs import Ran

from pipeline.reap.request import Reason
from pipeline.reap.run import Approval

OPTIONS = ("--ssm-prefix", PREFIX, "--force", "parameter", "--json")
# Operation, number of calls of it that are done before, and the moment.
MOMENTS = [
    ("UpdateItem", 1, "after"),
    ("PutParameter", 0, "before"),
    ("PutParameter", 0, "after"),
    (DELETE, 0, "before"),
    (DELETE, 0, "after"),
    (DELETE, 1, "after"),
]


@pytest.fixture
def reaper(publishing: Publishing) -> Reaper:
    """A reaper of three versions with rows, the second of which a parameter names."""
    publishing.regions = [IRELAND]
    history(publishing, 3)
    name_by_parameter(publishing, LATEST, arns(2)[0])
    forced = frozenset({Reason.PARAMETER})
    return Reaper(publishing=publishing, changed={"ssm_prefix": PREFIX, "forced": forced})


def interrupted(
    reaper: Reaper, approval: Approval, when: tuple[str, int, str], number: signal.Signals
) -> tuple[int, str, str]:
    """Run the command line until a moment; return its exit code and output."""
    operation, skip, moment = when
    process: list[subprocess.Popen[str]] = []
    hook = kills(process, number)
    before, after = (hook, None) if moment == "before" else (None, hook)
    rule = Rule(operation=operation, skip=skip, times=1, before=before, after=after)
    reaper.publishing.aws.rules(rule)
    process.append(start_reap(reaper.publishing, *apply_options(approval), *OPTIONS))
    out, err = process[0].communicate(timeout=60)
    reaper.publishing.aws.idle()
    reaper.publishing.aws.rules()
    return process[0].returncode, out, err


def finished(reaper: Reaper, approval: Approval) -> Ran:
    process = start_reap(reaper.publishing, *apply_options(approval), *OPTIONS)
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)


def check_end(reaper: Reaper, approval: Approval) -> None:
    assert numbers(reaper.publishing) == [3]
    assert named(reaper.publishing)[LATEST] == arns(3)[0]
    for arn in arns(1, 2):
        stone = tombstone_of(reaper.publishing, arn)
        assert stone
        assert stone.plan == approval.digest
    check_consistent(reaper.publishing)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda each: "-".join(map(str, each)))
def test_a_killed_run_is_finished_by_the_same_command(
    reaper: Reaper, moment: tuple[str, int, str]
) -> None:
    approval = approved(reaper.plan())
    code, _, _ = interrupted(reaper, approval, moment, signal.SIGKILL)
    assert code == -signal.SIGKILL
    for arn in arns(1, 2):  # what is gone can be made again
        assert exists(reaper.publishing, arn) or tombstone_of(reaper.publishing, arn)
    for arn in named(reaper.publishing).values():
        assert exists(reaper.publishing, arn)
    ran = finished(reaper, approval)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["number"] == 2
    check_end(reaper, approval)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_what_was_done(reaper: Reaper, number: signal.Signals) -> None:
    approval = approved(reaper.plan())
    code, out, err = interrupted(reaper, approval, (DELETE, 1, "before"), number)
    assert (code, number.name in err) == (130, True)
    assert json_results(out) == {arns(1)[0]: "deleted", arns(2)[0]: "failed"}
    whys = {each["layer_arn"]: each["why"] for each in json.loads(out)["outcomes"]}
    assert whys[arns(2)[0]].startswith("interrupted")
    assert finished(reaper, approval).code == 0
    check_end(reaper, approval)


def test_without_a_registry_the_folder_has_all_that_is_needed(reaper: Reaper) -> None:
    reaper.table = False
    approval = approved(reaper.plan())
    folder = reaper.publishing.folder / "tombstones"
    options = [*apply_options(approval), *OPTIONS, "--table", "none", "--tombstones", str(folder)]
    process: list[subprocess.Popen[str]] = []
    hook = kills(process, signal.SIGKILL)
    reaper.publishing.aws.rules(Rule(operation=DELETE, skip=1, times=1, after=hook))
    process.append(start_reap(reaper.publishing, *options))
    process[0].communicate(timeout=60)
    reaper.publishing.aws.idle()
    reaper.publishing.aws.rules()
    second = start_reap(reaper.publishing, *options)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert json.loads(out)["number"] == 2
    assert sorted(str(each.arn) for each in reaper.folder.all()) == arns(1, 2)
    assert [*Path(folder).glob(".*")] == []
