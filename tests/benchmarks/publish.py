"""Publishing to 34 regions at once, beside one region alone and one region after the other.

    uv run python tests/benchmarks/publish.py [--runs N] [case ...]

Cases: time, memory. AWS is the tests' stand-in on loopback, in a process of its own, with 300 ms
added to every call; nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / each) for each in ("unit", "functional")]

from aws_rules import Call, Rule  # noqa: E402
from aws_server import MotoServer  # noqa: E402
from faulty_proxy import FaultyProxy  # noqa: E402
from publish_examples import AMD64, ARM64, dist, write_manifest  # noqa: E402
from runs import CONFIG, OCELOT, environment  # noqa: E402
from unit_examples import layer  # noqa: E402

from pipeline.aws.session import lambda_regions  # noqa: E402
from pipeline.layer.zip import ZipEntry, pack  # noqa: E402
from pipeline.options import TABLE  # noqa: E402
from pipeline.registry.table import definition  # noqa: E402

LATENCY = 0.3
ZIP_BYTES = 13_000_000
REGIONS = lambda_regions()[:34]


@contextmanager
def stand_in(latency: float) -> Generator[FaultyProxy]:
    """An AWS with an empty registry."""
    with MotoServer() as moto, FaultyProxy(moto) as aws:
        aws.client("dynamodb").create_table(**definition(TABLE))
        aws.rules(Rule(stall=latency))
        yield aws


def published(aws: FaultyProxy, folder: Path, zips: Path, *regions: str) -> tuple[float, int]:
    """Seconds of one `ocelot publish`, and the most KiB that it had in memory."""
    command: list[Any] = [
        OCELOT,
        "publish",
        zips,
        "--public",
        "--no-bench",
        "--release-group",
        "beta",
        "--config",
        CONFIG,
    ]
    command += ["--regions", ",".join(regions)]
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment(folder / "cache", aws.environment()),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    most = 0
    while process.poll() is None:  # ru_maxrss would have what this process has, too
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
            most = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"publishing ended with {process.returncode}")
    return time.monotonic() - started, most


def timed(folder: Path, runs: int) -> None:
    """The whole against one region alone, against a region's calls in it, and one by one."""
    zips = dist(folder / "dist")
    figures: list[tuple[float, float, float, float]] = []
    for _ in range(runs):
        with stand_in(LATENCY) as aws:
            alone, _ = published(aws, folder, zips, REGIONS[0])
        with stand_in(LATENCY) as aws:
            aws.forget()
            whole, _ = published(aws, folder, zips, *REGIONS)
            figures.append((whole, alone, *chained(aws.calls())))
    whole, alone, chain, serial = (statistics.median(each) for each in zip(*figures, strict=True))
    print(f"{len(REGIONS)} regions x 2: {whole:.2f} s; one region: {alone:.2f} s", flush=True)
    print(f"whole against one region: {whole / alone:.2f} (wanted: at most 1.5)", flush=True)
    print(f"its calls against a region's chain of them: {chain:.2f}", flush=True)
    after = len(REGIONS) * alone / whole
    print(f"one region after the other: {after:.1f} x as long (wanted: 25)", flush=True)
    print(f"one call after the other: {serial:.1f} x as long", flush=True)


def chained(calls: Sequence[Call]) -> tuple[float, float]:
    """How long the calls took from first to last, over a target's own and over their sum.

    The stand-in, on the same processors, answers later than it says when it has much to do; it
    does so to all calls alike.
    """
    took: dict[tuple[str, ...], float] = defaultdict(float)
    for call in calls:
        key = (call.region, call.name.resource) if call.name.service == "lambda" else ()
        took[key] += (call.end or call.start) - call.start
    span = max(call.end or 0 for call in calls) - min(call.start for call in calls)
    others = took.pop(())  # one row for each target
    return span / (max(took.values()) + others / len(took)), (sum(took.values()) + others) / span


def remembered(folder: Path, runs: int) -> None:
    """Growth of memory against the zips, 13 MB each, over a run with zips of no size."""
    small, large = dist(folder / "small"), folder / "large"
    contents = {
        name: pack((ZipEntry(name="noise", content=os.urandom(ZIP_BYTES)),), epoch=1_750_000_000)
        for name in (AMD64, ARM64)
    }
    write_manifest(large, [layer(name, content) for name, content in contents.items()])
    for name, content in contents.items():
        (large / name).write_bytes(content)
    growths: list[float] = []
    for _ in range(runs):
        kib: list[int] = []
        for zips in (small, large):
            with stand_in(0) as aws:
                kib.append(published(aws, folder, zips, *REGIONS)[1])
        growths.append((kib[1] - kib[0]) * 1024 / sum(map(len, contents.values())))
        print(
            f"memory: {kib[0] / 1024:.0f} MiB, with large zips {kib[1] / 1024:.0f} MiB", flush=True
        )
    growth = statistics.median(growths)
    print(f"growth against the zips' size: {growth:.2f} (wanted: at most 3)", flush=True)


CASES: dict[str, Callable[[Path, int], None]] = {"time": timed, "memory": remembered}


def main() -> None:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    parser.add_argument("--runs", type=int, default=1, help="of each comparison")
    options = parser.parse_args()
    for case in options.cases or CASES:
        with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as folder:
            CASES[case](Path(folder), options.runs)


if __name__ == "__main__":
    main()
