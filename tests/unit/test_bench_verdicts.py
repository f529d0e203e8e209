"""Results of layers that were tried: what is noted, and what the user sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from unit_examples import layer

from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.gate import NOT_WANTED, skipped, untried
from pipeline.bench.run import Result
from pipeline.bench.verdicts import Status, check_verdicts
from pipeline.build.manifest import Noted, Start
from pipeline.report.bench import bench_json


def result(file: str, digit: str, status: Status = Status.PASSED) -> Result:
    return Result(
        path=Path(file),
        sha256=digit * 64,
        size=1,
        unzipped_size=3,
        architecture=None,
        status=status,
        notes=("a note",),
    )


START = Start(starts=3, cpu=0.03, memory=30_000_000, cpu_times=8.5, memory_times=None)
SKIPPED = replace(result("b.zip", "b", Status.SKIPPED), reason="no qemu")


def failed(fault: Fault) -> Result:
    error = FaultError(fault, "c.zip: extensions/collector", ("its last words", "and more"))
    return replace(result("c.zip", "c", Status.FAILED), fault=error)


def test_what_is_noted_tells_how_it_failed_or_why_it_was_skipped() -> None:
    assert result("a.zip", "a").noted == Noted(benched="passed")
    assert replace(result("a.zip", "a"), start=START).noted == Noted(benched="passed", start=START)
    assert SKIPPED.noted == Noted(benched="skipped: no qemu")
    assert failed(Fault.PANICS).noted == Noted(benched="failed: panics")
    assert list(SKIPPED.lines()) == ["skipped: no qemu", "a note"]
    assert list(failed(Fault.PANICS).lines()) == ["a note"]


@pytest.mark.parametrize("fault", Fault)
def test_a_layer_that_fails_is_an_error_and_has_its_fault_in_the_json(fault: Fault) -> None:
    results = [replace(result("a.zip", "a"), start=START), SKIPPED, failed(fault)]
    layers = json.loads(bench_json(results, against=False))["layers"]
    assert [each["status"] for each in layers] == ["passed", "skipped", "failed"]
    assert [each["fault"] and each["fault"]["kind"] for each in layers] == [None, None, str(fault)]
    with pytest.raises(FaultError) as caught:
        check_verdicts(results)
    assert caught.value.fault is fault


def test_what_has_passed_is_not_tried_again() -> None:
    passed = layer("a.zip", b"a").model_copy(update={"benched": "passed"})
    once_skipped = layer("b.zip", b"b").model_copy(update={"benched": "skipped: --no-bench"})
    same_as_passed, new = layer("c.zip", b"a"), layer("d.zip", b"d")
    all_of_them = {Path(each.file): each for each in (passed, once_skipped, same_as_passed, new)}
    assert list(untried(all_of_them)) == [Path("b.zip"), Path("d.zip")]


def test_what_is_not_tried_is_noted_with_the_reason() -> None:
    one = layer("a.zip", b"a")
    noted = skipped([one], NOT_WANTED)
    assert noted == {one.sha256: Noted(benched="skipped: --no-bench")}
