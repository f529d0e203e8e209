"""Ocelot beside plain `go build` and `zip -r`, in one run, as ratios.

    uv run python tests/benchmarks/build.py [--runs N] [case ...]

Cases: cold, changed, relinked, unchanged, zip, help. Each pair is run in turn and the median of the
ratios is printed with the seconds behind it; nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline import files, paths
from pipeline.build import plan, upstream
from pipeline.build.toolchain import go_program
from pipeline.config.folder import load_config
from pipeline.naming import Architecture

OCELOT = Path(sys.executable).parent / "ocelot"
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"


class Bench:
    """A workplace with warm modules, and the two things that are compared."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder, self.runs = folder, runs
        self.modules = paths.cache_folder() / "go" / "modules"
        self.warm = folder / "warm"

    def cache(self, name: str, build_cache: Path | None = None) -> Path:
        """A new ocelot cache with the modules there and a copy of a build cache, or none."""
        cache = self.folder / name
        shutil.rmtree(cache, ignore_errors=True)
        (cache / "go").mkdir(parents=True)
        (cache / "go" / "modules").symlink_to(self.modules)
        if build_cache:
            shutil.copytree(build_cache, cache / "go" / "build")
        return cache

    def ocelot(self, distribution: str, cache: Path, *more: str) -> float:
        """Seconds of one `ocelot build` from an output folder that is empty."""
        output = self.folder / "dist"
        shutil.rmtree(output, ignore_errors=True)
        command = [OCELOT, "build", "-d", distribution, "-r", "sample", "-o", output]
        command += ["--config", CONFIG, *more]
        return seconds([command], {**os.environ, "OCELOT_CACHE": str(cache)})

    def plain(self, distribution: str, cache: Path) -> float:
        """Seconds of two `go build` side by side, with the same flags, tree and modules."""
        decided, environment = self.prepared(distribution, cache)
        steps = [layer.step for layer in decided.layers]
        commands = [[str(go_program()), *step.argv[1:]] for step in steps]
        environments = [{**environment, **dict(step.env)} for step in steps]
        return seconds(commands, *environments, cwd=self.folder / "tree")

    def prepared(self, distribution: str, cache: Path) -> tuple[plan.BuildPlan, dict[str, str]]:
        """A source tree with its modules downloaded, and the environment to compile it in."""
        decided, tree = self.plan(distribution), self.folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        files.write_tree(tree, decided.tree)
        caches = {"GOMODCACHE": str(self.modules), "GOCACHE": str(cache / "go" / "build")}
        for step in decided.prepare():
            environment = {**os.environ, **caches, **dict(step.env)}
            command = [str(go_program()), *step.argv[1:]]
            subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
        return decided, {"PATH": os.environ["PATH"], "HOME": str(self.folder), **caches}

    def plan(self, distribution: str) -> plan.BuildPlan:
        """Ocelot's plan for the sample, for the flags and the tree."""
        config = load_config(CONFIG)
        root = paths.sample_upstream() / "collector"
        content = files.read_tree(root)
        source = upstream.Source(
            repository="sample",
            ref="main",
            commit=files.tree_digest(content, "sha1"),
            committed=0,
            files=content,
        )
        materials = plan.Materials(source=source, overlay={})
        return plan.build_plan(config, distribution, materials, architectures=tuple(Architecture))

    def warmed(self) -> Path:
        """A build cache in which `minimal` is compiled; all modules are downloaded too."""
        build = self.warm / "go" / "build"
        if not build.exists():
            self.prepared("minimal-signaltometrics", self.cache("warm"))
            self.ocelot("minimal", self.warm)
        return build


def seconds(
    commands: Sequence[Sequence[str | Path]], *environments: dict[str, str], cwd: Path = ROOT
) -> float:
    """Wall time of commands started side by side."""
    started = time.monotonic()
    processes = [
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environments[at % len(environments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for at, command in enumerate(commands)
    ]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"{commands[0]} ended with {codes}")
    return time.monotonic() - started


def compare(name: str, runs: int, ours: Callable[[], float], other: Callable[[], float]) -> None:
    """Print the median ratio of paired runs."""
    pairs = [(ours(), other()) for _ in range(runs)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"{name}: ratio {ratio:.2f} ({mine:.2f} s to {theirs:.2f} s, {runs} pairs)", flush=True)


def against_plain(bench: Bench, name: str, distribution: str, warm: Path | None) -> None:
    """Ocelot against two plain `go build`, each from a copy of a build cache of its own or none."""
    compare(
        f"{name}, against two plain go build",
        bench.runs,
        lambda: bench.ocelot(distribution, bench.cache("ours", warm)),
        lambda: bench.plain(distribution, bench.cache("theirs", warm)),
    )


def cold(bench: Bench) -> None:
    """Empty build cache, both architectures."""
    bench.warmed()
    against_plain(bench, "cold", "minimal", None)


def changed(bench: Bench) -> None:
    """From minimal to a distribution with one contrib component more."""
    name = "distribution changed (a component to compile)"
    against_plain(bench, name, "minimal-signaltometrics", bench.warmed())


def relinked(bench: Bench) -> None:
    """A distribution whose packages are all compiled already: what is left is to link and pack."""
    against_plain(bench, "distribution changed (only linking)", "minimal", bench.warmed())


def unchanged(bench: Bench) -> None:
    """Nothing changed since the last build."""
    cache = bench.cache("same", bench.warmed())
    bench.ocelot("minimal", cache)
    times = [bench.ocelot("minimal", cache) for _ in range(max(bench.runs, 5))]
    print(f"unchanged: {statistics.median(times):.2f} s (at most {max(times):.2f} s)", flush=True)


def zipped(bench: Bench) -> None:
    """Size of our zip against `zip -r` of the same files."""
    cache = bench.cache("same", bench.warmed())
    bench.ocelot("minimal", cache)
    for path in sorted((bench.folder / "dist").glob("*.zip")):
        opt = bench.folder / "opt"
        shutil.rmtree(opt, ignore_errors=True)
        shutil.unpack_archive(path, opt)
        other = bench.folder / "other.zip"
        other.unlink(missing_ok=True)
        how = plain_zip(opt, other)
        ours, theirs = path.stat().st_size, other.stat().st_size
        print(f"{path.name}: {ours:,} bytes, {how} {theirs:,}: {1 - ours / theirs:.1%} smaller")


def plain_zip(folder: Path, target: Path) -> str:
    """Pack with Info-ZIP, or with zlib at the level that Info-ZIP uses; which of them."""
    if program := shutil.which("zip"):
        subprocess.run([program, "-qr", target, "."], cwd=folder, check=True)
        return "zip -r"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))
    return "zlib at level 6"


def helped(bench: Bench) -> None:
    """`ocelot --help`."""
    environment = dict(os.environ)
    times = [seconds([[OCELOT, "--help"]], environment) for _ in range(max(bench.runs, 11))]
    print(f"--help: {statistics.median(times):.2f} s (at most {max(times):.2f} s)", flush=True)


CASES: dict[str, Callable[[Bench], None]] = {
    "cold": cold,
    "changed": changed,
    "relinked": relinked,
    "unchanged": unchanged,
    "zip": zipped,
    "help": helped,
}


def main() -> None:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    parser.add_argument("--runs", type=int, default=1, help="pairs of each comparison")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ocelot-bench-") as folder:
        bench = Bench(Path(folder), options.runs)
        for case in options.cases or CASES:
            CASES[case](bench)


if __name__ == "__main__":
    main()
