"""Each tuning by itself, and all of `minimal` together, beside upstream without any, on the bench.

The collector passes on the same telemetry, logs the same lines and ends in the same way with a bad
config. OCELOT_TEST_UPSTREAM names a checkout of another upstream than the sample.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest
from benching import OURS
from runs import CONFIG, go

from pipeline import paths
from pipeline.bench.cold_start import cold_start
from pipeline.bench.environment.machine import HOST, free_ports, has_sandbox_name
from pipeline.bench.environment.sandbox import function_process
from pipeline.bench.faults import FaultError
from pipeline.bench.preparation import Limits, StartPlan
from pipeline.bench.result import Measured
from pipeline.bench.telemetry.receiver import otlp_receiver
from pipeline.build.tuning import TunedFiles, tuned_files
from pipeline.config.folder import load_config
from pipeline.files import read_tree, write_tree

pytestmark = pytest.mark.skipif(not OURS, reason="no layer runs on this machine")

UPSTREAM = Path(os.environ.get("OCELOT_TEST_UPSTREAM", paths.sample_upstream())) / "collector"
SHIPPED = load_config(CONFIG)
ALL = "all of minimal"
INVOCATIONS = 3
# Less than one CPU, for `one-processor`; lines of level info, for `quiet-logs`.
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "OPENTELEMETRY_EXTENSION_LOG_LEVEL": "info",
}
GOOD = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "%s"}, http: {endpoint: "%s"}}}}
processors: {decouple: }
exporters: {otlp_http: {endpoint: "%s"}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [decouple], exporters: [otlp_http]}
    metrics: {receivers: [otlp], processors: [decouple], exporters: [otlp_http]}
    logs: {receivers: [otlp], processors: [decouple], exporters: [otlp_http]}
"""
# By what is wrong: a part of the good config, and what is there instead.
BAD = {
    "an unknown receiver": ("receivers: {otlp:", "receivers: {nothing: , otlp:"),
    "a key of another type": ("grpc: {", "grpc: {keepalive: 1, "),
    "an unknown level": ("level: none", "level: loud"),
    "an unknown signal": ("    traces:", "    trace:"),
    "no YAML": ("service:", "{service:"),
    "no URL": ('"http://', '"ht tp://'),
    "an address of another machine": (f'grpc: {{endpoint: "{HOST}', 'grpc: {endpoint: "192.0.2.1'),
}
# Upstream may see that the collector has ended before it sees the error.
LOST_ERROR = "otelcol state is Closed"
STARTS_FOR_AN_ERROR = 100
# Parts of a line or an error that differ from one start to the next.
VARYING = re.compile(
    r"""
    ^\d{4}-\d\d-\d\dT\S+\t             # the time
    | [0-9a-f]{8}-[0-9a-f-]{27}         # the id of this start
    | (?<=:)\d{4,5}\b                   # a port
    | (?<=data[ ]type[ ]")\w+           # the signal that came first
    """,
    re.VERBOSE,
)
# The caller's line number moves with an edit; `quiet-logs` adds the last two to one line.
OTHER_FIELDS = ("ts", "caller", "startup_duration", "distribution", "commit")
# A key may be named after its section, or in one with it.
NESTED = re.compile(r"' decoding failed due to the following error\(s\): '")
CALLER = re.compile(r"(?<=\t)\S+\.go:\d+\t")


@dataclass(frozen=True)
class Observed:
    """The behaviour of a collector on the bench.

    Attributes:
        items: the names of the spans, metric points and log records that arrived.
        delivered: the part of them that arrived in its own invocation.
        lines: those of a start and its shutdown, without what differs each time.
        ends: how it ends with each bad config: the fault, the exit code and the error.
    """

    items: frozenset[str]
    delivered: float | None
    lines: Counter[str]
    ends: dict[str, tuple[str, ...]]


def tuned_upstream(names: Sequence[str]) -> TunedFiles:
    """Apply tunings to upstream's files."""
    known = {name: each.naming("minimal") for name, each in SHIPPED.tunings.items()}
    chosen = {name: known[name] for name in names}
    return tuned_files(read_tree(UPSTREAM), chosen, read_tree(SHIPPED.tuning_files))


FITTING = [name for name in SHIPPED.tunings if tuned_upstream([name]).applied]


def compiled(names: Sequence[str], folder: Path) -> Path:
    """Compile upstream's `minimal` with tunings, into a folder of its own."""
    tuned = tuned_upstream(names)
    tree, binary = folder / "tree", folder / "layer" / "extensions" / "collector"
    write_tree(tree, {**read_tree(UPSTREAM), **tuned.files})
    tags = ",".join((*SHIPPED.tags("minimal"), *tuned.build_tags))
    go("build", "-trimpath", "-ldflags", "-s -w", "-tags", tags, "-o", binary, ".", cwd=tree)
    return binary


async def observed(binary: Path, folder: Path) -> Observed:
    """Run a collector on the bench: with invocations, without, and with each bad config."""
    config, log = folder / "good.yaml", folder / "log"
    grpc, http = (f"{HOST}:{port}" for port in free_ports(2))
    plan = StartPlan(
        name="collector",
        root=binary.parents[1],
        commands={"collector": (str(binary),)},
        config=config,
        listens={"grpc": grpc, "http": http},
        environment=VARIABLES,
        has_sandbox_name=has_sandbox_name(),
    )
    async with otlp_receiver(with_grpc=False) as receiver, function_process() as function:
        good = GOOD % (grpc, http, receiver.endpoints["http"])
        config.write_text(good, encoding="utf-8")
        lived = await cold_start(
            plan, INVOCATIONS, function=function, receiver=receiver, limits=Limits()
        )
        items = frozenset(receiver.items)
    assert isinstance(lived, Measured), lived.text()
    into_log = ("/bin/sh", "-c", 'exec "$0" >"$1" 2>&1', str(binary), str(log))
    logging = replace(plan, commands={"collector": into_log}, listens={})
    started = await cold_start(logging, 0, limits=Limits())
    assert isinstance(started, Measured), started.text()
    written = log.read_text(encoding="utf-8").replace(str(folder), "*")
    return Observed(
        items=items,
        delivered=lived.delivered,
        lines=Counter(map(comparable, written.splitlines())),
        ends={name: await end(plan, name, good.replace(*edit)) for name, edit in BAD.items()},
    )


async def end(plan: StartPlan, name: str, bad: str) -> tuple[str, ...]:
    """Return how a collector ends with a bad config: the fault, the exit code and the error.

    Empty if its error got lost in each of many starts.
    """
    plan = plan.with_config(f"{name}.yaml")
    plan.config.write_text(bad, encoding="utf-8")
    for _ in range(STARTS_FOR_AN_ERROR):
        outcome = await cold_start(plan, 0, limits=Limits())
        assert isinstance(outcome, FaultError), name
        if not outcome.reason.endswith(LOST_ERROR):
            break
    else:
        return ()
    code = next(each for each in outcome.details if each.startswith("exit code"))
    reason = NESTED.sub(".", VARYING.sub("*", outcome.reason))
    return (str(outcome.fault), code, reason)


def comparable(line: str) -> str:
    """Return a line without what differs from one start to the next."""
    try:
        fields = json.loads(line)
    except ValueError:
        return VARYING.sub("*", CALLER.sub("", line))
    kept = {name: value for name, value in fields.items() if name not in OTHER_FIELDS}
    return VARYING.sub("*", json.dumps(kept, sort_keys=True))


@pytest.fixture(scope="module")
def untuned(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    folder = tmp_path_factory.mktemp("untuned")
    return anyio.run(observed, compiled([], folder), folder)


@pytest.fixture(scope="module", params=[*FITTING, ALL])
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    folder = tmp_path_factory.mktemp("tuned")
    names = [*SHIPPED.tunings_of("minimal")] if request.param == ALL else [request.param]
    return anyio.run(observed, compiled(names, folder), folder)


def test_the_same_telemetry_arrives(tuned: Observed, untuned: Observed) -> None:
    assert len(untuned.items) == INVOCATIONS * 10
    assert (tuned.items, tuned.delivered) == (untuned.items, untuned.delivered)


def test_the_same_lines_are_logged(tuned: Observed, untuned: Observed) -> None:
    assert untuned.lines.total() > 5
    assert (tuned.lines - untuned.lines, untuned.lines - tuned.lines) == (Counter(), Counter())


def test_a_bad_config_ends_it_in_the_same_way(tuned: Observed, untuned: Observed) -> None:
    assert tuned.ends == untuned.ends
