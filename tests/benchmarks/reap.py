"""Planning what is deleted, with 1,000 layer versions and 5,000 functions in a region.

    uv run python tests/benchmarks/reap.py [--runs N] [case ...]

Cases: decide, read. `decide` compares the plan with one that looks through all functions for each
layer version, and with a plan of half the size; both plans must be the same. `read` runs
`ocelot reap` for one region and for four beside each other, and compares the time with the
requests at the pace of a region. AWS is the tests' stand-in on loopback; nothing here asserts a
time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / each) for each in ("unit", "functional")]

from aws_server import MotoServer  # noqa: E402
from faulty_proxy import FaultyProxy  # noqa: E402
from reap_examples import in_use, listed, requested  # noqa: E402
from registry_examples import PUBLISHED  # noqa: E402
from runs import CONFIG, run_ocelot  # noqa: E402

from pipeline.aws.functions import FunctionVersion  # noqa: E402
from pipeline.aws.layers import SPACING_SECONDS, LayerVersion  # noqa: E402
from pipeline.options import TABLE  # noqa: E402
from pipeline.reap.observe import function_users  # noqa: E402
from pipeline.reap.plan import RegionReap, region_reap  # noqa: E402
from pipeline.reap.references import References  # noqa: E402
from pipeline.registry.table import definition  # noqa: E402

VERSIONS, FUNCTIONS, LAYERS = 1000, 5000, 20
KEPT = 3
REGIONS = ("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1")


@dataclass(frozen=True)
class Account:
    """The layer versions of a region, and the functions that use some of them."""

    versions: Sequence[LayerVersion]
    functions: Sequence[FunctionVersion]


def account(versions: int, functions: int) -> Account:
    """Layers with equally many versions; every fourth function uses one of them."""
    made = [
        listed(
            number + 1,
            collector=f"v0.{100 + at}.0",
            created=PUBLISHED + timedelta(hours=number),
        )
        for at in range(LAYERS)
        for number in range(versions // LAYERS)
    ]
    using = [
        FunctionVersion(
            arn=f"arn:aws:lambda:eu-west-1:123456789012:function:function-{number}",
            version="$LATEST",
            layers=(str(made[number * 7 % len(made)].arn),) if number % 4 == 0 else (),
        )
        for number in range(functions)
    ]
    return Account(made, using)


def planned(given: Account) -> RegionReap:
    """Plan as ocelot does: the functions are sorted by layer version once."""
    use = replace(in_use(*given.versions), functions=function_users(given.functions))
    return region_reap(use, requested(keep=KEPT), References())


def planned_by_scanning(given: Account) -> RegionReap:
    """Plan with a look through all functions for each layer version."""
    users = {
        str(version.arn): tuple(
            sorted(str(each) for each in given.functions if str(version.arn) in each.layers)
        )
        for version in given.versions
    }
    use = replace(in_use(*given.versions), functions=users)
    return region_reap(use, requested(keep=KEPT), References())


def seconds(work: Callable[[Account], RegionReap], given: Account) -> tuple[float, RegionReap]:
    """Time and result of a plan."""
    started = time.perf_counter()
    result = work(given)
    return time.perf_counter() - started, result


def decide(_folder: Path, runs: int) -> None:
    """A plan against one by scanning, and against a plan of half the size, in turns."""
    whole, half = account(VERSIONS, FUNCTIONS), account(VERSIONS // 2, FUNCTIONS // 2)
    figures: list[tuple[float, float, float]] = []
    plan = planned(whole)
    for _ in range(max(runs, 5)):
        own, plan = seconds(planned, whole)
        scanning, other = seconds(planned_by_scanning, whole)
        if plan != other:
            raise SystemExit("the two plans differ")
        figures.append((own, scanning, seconds(planned, half)[0]))
    own, scanning, halved = (statistics.median(each) for each in zip(*figures, strict=True))
    deleted = sum(each.is_deleted for each in plan.versions)
    print(f"{VERSIONS} versions, {FUNCTIONS} functions: {deleted} to delete, {own * 1000:.1f} ms")
    print(f"by scanning all functions for each version: {scanning / own:.1f} x as long")
    print(f"against half of both: {own / halved:.1f} x as long (wanted: at most 2.5)")


def read(folder: Path, runs: int) -> None:
    """The command for one region against four at once, and against the requests at their pace."""
    figures: list[tuple[float, float, float]] = []
    for _ in range(runs):
        with MotoServer() as moto, FaultyProxy(moto) as aws:
            aws.client("dynamodb").create_table(**definition(TABLE))
            for region in REGIONS:
                fill(aws, region)
            aws.forget()
            alone = reaped(aws, folder, REGIONS[:1])
            paced = paced_seconds(aws, REGIONS[0])
            whole = reaped(aws, folder, REGIONS)
            figures.append((alone, whole, paced))
    alone, whole, paced = (statistics.median(each) for each in zip(*figures, strict=True))
    print(f"one region: {alone:.1f} s; its requests at their pace: {paced:.1f} s")
    print(f"one region against its requests: {alone / paced:.2f} (wanted: at most 1.5)")
    print(f"{len(REGIONS)} regions at once against one: {whole / alone:.2f} (wanted: at most 1.5)")


def fill(aws: FaultyProxy, region: str) -> None:
    """Publish the layer versions, and add the functions."""
    client = aws.client("lambda", region)
    arns = [
        client.publish_layer_version(
            LayerName=f"ocel-amd64-minimal-0_{100 + at}_0-beta",
            Content={"ZipFile": b"PK\x05\x06" + bytes(18)},
        )["LayerVersionArn"]
        for at in range(LAYERS)
        for _ in range(VERSIONS // LAYERS)
    ]
    for number in range(FUNCTIONS):
        uses = [arns[number * 7 % len(arns)]] if number % 4 == 0 else []
        aws.emulator.functions.add(region, f"function-{number}", uses)


def paced_seconds(aws: FaultyProxy, region: str) -> float:
    """Seconds that the requests to Lambda in a region take at its pace."""
    calls = [each for each in aws.calls(region=region) if each.name.service == "lambda"]
    return len(calls) * SPACING_SECONDS


def reaped(aws: FaultyProxy, folder: Path, regions: Sequence[str]) -> float:
    """Seconds of one `ocelot reap`, which plans."""
    started = time.monotonic()
    ran = run_ocelot(
        *("reap", "*", "--keep", str(KEPT), "--regions", ",".join(regions), "--config", CONFIG),
        *("--json", "--repository", "none"),
        cache=folder / "cache",
        env=aws.environment(),
        cwd=folder,
    )
    if ran.code:
        raise SystemExit(f"reap ended with {ran.code}: {ran.err}")
    return time.monotonic() - started


CASES: dict[str, Callable[[Path, int], None]] = {"decide": decide, "read": read}


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
