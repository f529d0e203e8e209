"""The tuning `no-exporter-queues`: what an exporter was given has left before Lambda freezes it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest
from benching import OURS, run_bench
from extensions_api import extensions_api
from loopback import Quiet, serving
from runs import CONFIG, fresh_cache, go, run_ocelot
from test_build import start_collector, unpack

from pipeline import paths
from pipeline.bench.environment.machine import free_ports

TUNING = "no-exporter-queues"
OWN = Path(__file__).parent / "tuned"
PACKAGE = "internal/exporterqueues"
INVOCATIONS = 8
SINK_SECONDS = 0.4
SHUTDOWN_SECONDS = 2.0  # then Lambda kills an extension
DISTRIBUTIONS = f"""\
off:
  buildtags: [lambdacomponents.receiver.otlp, lambdacomponents.exporter.slow]
  tunings: [no-busy-wait, {TUNING}]
on:
  buildtags: [lambdacomponents.receiver.otlp, lambdacomponents.exporter.slow]
  tunings: [no-busy-wait]
"""
COLLECTOR_CONFIG = """\
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:%d"}}}}
exporters: {slow: {endpoint: "http://%s"}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [slow]}}}
"""


@dataclass
class Sink:
    """Takes a while for each span; has the names of those that it took."""

    address: str = ""
    names: list[str] = field(default_factory=list[str])


@contextmanager
def slow_sink() -> Generator[Sink]:
    sink = Sink()

    class Handler(Quiet):
        def do_POST(self) -> None:
            name = self.rfile.read(int(self.headers["Content-Length"])).decode()
            time.sleep(SINK_SECONDS)
            sink.names.append(name)
            self.send_response(200)
            self.end_headers()

    with serving(Handler) as sink.address:
        yield sink


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layers `off` and `on`, which have an exporter of ours."""
    root = tmp_path_factory.mktemp("queues")
    config = shutil.copytree(CONFIG, root / "config")
    components = config / "overlay" / "lambdacomponents" / "exporter"
    components.mkdir(parents=True)
    shutil.copy(OWN / "slow.go", components)
    (config / "distributions.yaml").write_text(DISTRIBUTIONS, encoding="utf-8")
    (config / "budgets.yaml").unlink()
    cache = fresh_cache(root / "cache")
    for name in ("off", "on"):
        command = ("build", "-d", name, "-a", OURS, "-r", "sample", "-o", root, "--config", config)
        ran = run_ocelot(*command, cache=cache, cwd=root)
        assert ran.code == 0, ran.err
        unpack(root / f"collector-{OURS}-{name}.zip", root / name)
    return root


def send_span(port: int, name: str) -> None:
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": name}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/traces", json.dumps(body), headers)
    assert connection.getresponse().status == 200
    connection.close()


def run_function(collector: subprocess.Popen[str], port: int, name: str) -> None:
    """Thaw the collector, send it a span, and freeze it."""
    collector.send_signal(signal.SIGCONT)
    send_span(port, name)
    collector.send_signal(signal.SIGSTOP)


def live(opt: Path, root: Path, sink: Sink) -> list[int]:
    """Run a layer as Lambda does; how many spans the sink had taken after each invocation."""
    (port,) = free_ports(1)
    config = root / f"{opt.name}.yaml"
    config.write_text(COLLECTOR_CONFIG % (port, sink.address), encoding="utf-8")
    taken: list[int] = []
    with extensions_api() as api:
        collector = start_collector(opt, api.address, config)
        try:
            while not api.requests.get(timeout=20)[0].endswith("/event/next"):
                pass
            for number in range(INVOCATIONS):
                run_function(collector, port, str(number))
                taken.append(len(sink.names))
            collector.send_signal(signal.SIGCONT)
            api.events.put({"eventType": "SHUTDOWN", "shutdownReason": "spindown"})
            collector.wait(SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            collector.kill()
            collector.communicate()
    return taken


def test_nothing_is_lost_and_all_leaves_in_its_own_invocation(folder: Path) -> None:
    with slow_sink() as sink:
        taken = live(folder / "off", folder, sink)
        assert taken == list(range(1, INVOCATIONS + 1))
        assert sink.names == [str(number) for number in range(INVOCATIONS)]


def test_without_the_tuning_an_exporter_that_upstream_does_not_know_loses_spans(
    folder: Path,
) -> None:
    with slow_sink() as sink:
        taken = live(folder / "on", folder, sink)
        assert taken[0] == 0
        assert len(sink.names) < INVOCATIONS


def test_the_bench_reports_a_layer_whose_exporters_keep_a_queue(folder: Path) -> None:
    off, on = run_bench(*(folder / f"collector-{OURS}-{name}.zip" for name in ("off", "on")))
    assert any("the queue of slow:" in note for note in on.notes)
    assert not any("queue" in note for note in off.notes)


def test_only_exporters_with_a_queue_are_told_that_it_is_off(tmp_path: Path) -> None:
    """Go's tests of the converter, with the sample's modules."""
    tree = Path(shutil.copytree(paths.sample_upstream() / "collector", tmp_path / "collector"))
    package = tree / PACKAGE
    package.mkdir(parents=True)
    shutil.copy(CONFIG / "tuning" / "exporterqueues.go", package)
    shutil.copy(OWN / "exporterqueues_test.go", package)
    go("vet", f"./{PACKAGE}", cwd=tree)
    go("test", "-count=1", f"./{PACKAGE}", cwd=tree)
