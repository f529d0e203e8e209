"""Items that are lost, figures of several starts, and results."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from bench_examples import FAILED, FAULT, MEASURED, SKIPPED, result
from hypothesis import given
from hypothesis import strategies as st
from report_examples import shown
from unit_examples import SHIPPED, layer

from pipeline.bench.environment import events
from pipeline.bench.environment.sandbox import cpu_seconds, memory_bytes
from pipeline.bench.environment.subscription import BUFFERING, subscription
from pipeline.bench.faults import FaultError
from pipeline.bench.gate import check_layers
from pipeline.bench.result import (
    MEMORY_SIZES,
    check_results,
    estimated_init,
    figures,
    labels,
    spread,
)
from pipeline.bench.telemetry.items import (
    PER_SIGNAL,
    is_last_batch,
    item_names,
    missing_counts,
    missing_items,
)
from pipeline.config.folder import load_config
from pipeline.errors import BenchError
from pipeline.layer.manifest import BenchNote, Start
from pipeline.report.bench import bench_json, bench_report, comparison_reports


def sent(invocations: int) -> list[str]:
    return [name for at in range(invocations) for name in item_names(at)]


def test_the_names_of_items_are_all_different() -> None:
    names = sent(20)
    assert len(set(names)) == len(names) == 20 * sum(PER_SIGNAL.values())


def test_nothing_is_missing_if_all_arrived() -> None:
    assert missing_items(sent(3), {*sent(3), "from another layer"}) == ()
    assert missing_items([], set()) == ()


@given(st.sets(st.sampled_from(sent(4)), min_size=1))
def test_items_that_do_not_arrive_are_missing(lost: set[str]) -> None:
    missing = missing_items(sent(4), set(sent(4)) - lost)
    assert missing == tuple(sorted(lost))
    assert sum(int(each.split(" ")[0]) for each in missing_counts(missing)) == len(lost)


# Of five invocations, those of which items are lost, by signal.
TAILS = (
    {"traces": {4}, "metrics": {4}, "logs": {4}},
    {"logs": {2, 3, 4}},
    {"traces": {2, 3, 4}, "logs": {3, 4}},
)
OTHERS = (
    {"traces": {2}},
    {"traces": {2, 4}},
    {"logs": {4}, "traces": {3}},
    {"metrics": {0, 1, 2, 3, 4}},  # none of them ever arrived
)


@pytest.mark.parametrize("lost", [*TAILS, *OTHERS])
def test_only_a_tail_is_the_last_batch(lost: dict[str, set[int]]) -> None:
    names = sent(5)
    arrived = {
        name for name in names if int(name.split("/")[0]) not in lost.get(name.split("/")[1], set())
    }
    assert is_last_batch(missing_items(names, arrived), names) is (lost in TAILS)


def test_figures_are_medians_with_the_least_and_the_most() -> None:
    made = figures([MEASURED, replace(MEASURED, cpu=0.02, first_export=None), MEASURED])
    assert made is not None
    assert (made.cpu.median, made.cpu.least, made.cpu.most) == (0.03, 0.02, 0.03)
    assert made.first_export == spread([0.2, 0.2])
    assert made.invocation_cpu == spread([0.001, 0.003])
    assert (made.starts, made.items) == (3, 60)
    assert figures([]) is None


def test_without_exports_there_is_no_time_to_the_first_and_nothing_delivered() -> None:
    made = figures([replace(MEASURED, first_export=None, invocation_cpu=(), delivered=None)])
    assert made is not None
    assert (made.first_export, made.invocation_cpu, made.delivered) == (None, None, None)


def test_only_all_is_shown_as_delivered_in_time() -> None:
    made = figures([MEASURED, replace(MEASURED, delivered=0.999)])
    assert "0.99 (0.99 to 1.00)" in shown(bench_report([result("a.zip", figures=made)]))


def test_init_is_estimated_by_the_share_of_a_vcpu() -> None:
    assert estimated_init(0.1, 1769) == 0.1
    assert estimated_init(0.1, 10_240) == 0.1  # one thread uses no more than one
    assert estimated_init(0.1, 128) == pytest.approx(0.1 * 1769 / 128)


def test_a_fault_is_raised_as_it_is_and_several_together() -> None:
    check_results([result("a.zip"), SKIPPED])
    with pytest.raises(FaultError, match="ignores SHUTDOWN"):
        check_results([result("a.zip"), FAILED])
    with pytest.raises(BenchError, match="2 of 3 layers fail") as caught:
        check_results([FAILED, FAILED, SKIPPED])
    assert caught.value.details.count("why") == 2


def test_the_note_on_a_layer_has_its_fault_or_why_it_was_skipped() -> None:
    start = Start(starts=3, cpu=0.03, memory=30_000_000, cpu_times=8.5, memory_times=None)
    assert result("a.zip", start=start).bench_note == BenchNote(benched="passed", start=start)
    assert SKIPPED.bench_note == BenchNote(benched="skipped: no qemu")
    assert FAILED.bench_note == BenchNote(benched="failed: ignores SHUTDOWN")
    assert list(replace(SKIPPED, notes=("a note",)).lines()) == ["skipped: no qemu", "a note"]
    assert list(FAILED.lines()) == []


def test_a_layer_that_has_passed_is_not_run_again(tmp_path: Path) -> None:
    passed = layer("a.zip", b"a").model_copy(update={"benched": "passed"})
    once_skipped = layer("b.zip", b"b").model_copy(update={"benched": "skipped: no qemu"})
    layers = {
        tmp_path / each.file: each
        for each in (passed, once_skipped, layer("c.zip", b"a"), layer("d.zip", b"d"))
    }
    check = partial(check_layers, layers, load_config(SHIPPED), enabled=False)
    notes = anyio.run(check)
    assert [notes[each.sha256].benched for each in layers.values()] == [
        *("passed", "skipped: --no-bench", "passed", "skipped: --no-bench"),
    ]


def test_layers_of_one_name_have_their_folders_in_their_labels() -> None:
    assert labels([Path("x/a.zip"), Path("x/b.zip")]) == ["a.zip", "b.zip"]
    assert labels([Path("x/a.zip"), Path("y/a.zip")]) == ["x/a.zip", "y/a.zip"]


def test_json_has_every_layer_and_its_fault() -> None:
    document = json.loads(bench_json([result("a.zip"), FAILED, SKIPPED], against=False))
    passed, failed, skipped = document["layers"]
    assert document["against"] is None
    estimates = passed["figures"]["init"]
    assert [each["memory_mb"] for each in estimates] == list(MEMORY_SIZES)
    assert estimates[-1]["seconds"] == MEASURED.cpu
    assert failed["fault"] == {
        "kind": "ignores SHUTDOWN",
        "message": "b.zip: extensions/collector ignores SHUTDOWN",
        "details": ["why"],
        "next": FAULT.hint,
    }
    assert (skipped["status"], skipped["reason"]) == ("skipped", "no qemu")


def test_bars_are_as_long_as_the_figures_and_show_the_ratio() -> None:
    quick = replace(MEASURED, cpu=0.015)
    compared = comparison_reports([result("a.zip", figures=figures([quick])), result("b.zip")])
    first, last = next(each.notes for each in compared if each.title == "CPU to ready")
    assert first.count("█") * 2 == last.count("█")
    assert "0.50 times" in first
    assert "times" not in last


def test_bars_need_figures_of_the_other_layer() -> None:
    assert list(comparison_reports([result("a.zip"), FAILED])) == []


def test_notes_mark_estimates_and_give_the_reason_of_a_skip() -> None:
    notes = "\n".join(bench_report([result("a.zip", notes=("a note",)), SKIPPED]).notes)
    assert "estimated from the CPU time" in notes
    assert "a.zip: a note" in notes
    assert "c.zip was skipped: no qemu" in notes
    assert str(FAULT) in bench_report([FAILED]).notes


def test_a_layer_that_ran_under_qemu_has_no_estimate() -> None:
    own, other = (shown(bench_report([result("a.zip", emulated=each)])) for each in (False, True))
    assert own.count("≈") == len(MEMORY_SIZES)
    assert "≈" not in other
    assert "under qemu" in other


def test_the_cpu_time_of_a_process_is_what_it_reads_itself() -> None:
    before = time.process_time()
    used = cpu_seconds(os.getpid())
    assert before <= used <= time.process_time()
    rss, peak = memory_bytes(os.getpid())
    assert 0 < rss <= peak


def test_a_process_that_has_ended_has_used_nothing() -> None:
    gone = 2**22 + 1  # above the most that Linux gives
    assert (cpu_seconds(gone), memory_bytes(gone)) == (0, (0, 0))


def test_sam_is_named_to_extensions_only_if_sandbox_localdomain_is_unknown() -> None:
    def made(*, has_name: bool) -> dict[str, str]:
        return events.extension_environment("127.0.0.1:9", "/c", has_sandbox_name=has_name, more={})

    assert made(has_name=False)["AWS_SAM_LOCAL"] == "true"
    assert "AWS_SAM_LOCAL" not in made(has_name=True)
    assert made(has_name=True)["OPENTELEMETRY_COLLECTOR_CONFIG_URI"] == "/c"


def body(**more: object) -> object:
    destination = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:80"}
    plain = {"schemaVersion": "2022-12-13", "types": ["platform"], "destination": destination}
    return {**plain, **more}


def test_without_buffering_a_subscription_has_lambdas_defaults() -> None:
    made = subscription(body())
    assert (made.max_events, made.max_bytes) == (BUFFERING["maxItems"].default, 262_144)
    assert (made.port, made.path, made.seconds) == (80, "/", 1.0)


def event(kind: str) -> events.Document:
    return events.telemetry(kind, {}, now=0)


def test_a_buffer_is_due_after_its_time_or_when_it_is_full() -> None:
    buffering = {"maxItems": 1000, "timeoutMs": 100}
    buffer = subscription(body(buffering=buffering))
    assert buffer.wait(5.0) is None
    buffer.add(event("platform.start"), 5.0)
    buffer.add(event("function"), 5.0)
    assert len(buffer.events) == 1
    assert buffer.wait(5.04) == pytest.approx(0.06)
    assert buffer.wait(6.0) == 0
    for _ in range(1000):
        buffer.add(event("platform.report"), 5.01)
    assert buffer.wait(5.02) == 0
    assert len(buffer.take()) == 1000
    assert len(buffer.events) == 1
    assert buffer.wait(5.2) == 0
    buffer.take()
    assert buffer.wait(9.0) is None
