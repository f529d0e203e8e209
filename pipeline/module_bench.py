"""The Dagger module's function that runs layers on the bench, each on its own architecture."""

# The SDK's overloads know no `cache`.
# pyright: reportCallIssue=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import dagger
from dagger import Doc, ReturnType, function

from pipeline.errors import BenchError
from pipeline.model import Architecture
from pipeline.module_container import python_container
from pipeline.module_options import BuiltFolder, Checkout, told

Starts = Annotated[int, Doc("Cold starts of each layer.")]
Invocations = Annotated[int, Doc("Invocations in each cold start.")]
CollectorConfig = Annotated[dagger.File | None, Doc("A collector's config that must be accepted.")]

# What the bench runs with, and nothing else.
_BENCH_ALONE = ("--no-dev", "--group", "bench")


class BenchFunctions:
    """What of the module runs layers."""

    config: dagger.Directory

    @function(cache="never")
    @told
    async def bench(
        self,
        layers: BuiltFolder,
        source: Checkout,
        starts: Starts = 5,
        invocations: Invocations = 10,
        collector_config: CollectorConfig = None,
    ) -> str:
        """Run layers as Lambda would, see that they lose nothing, and measure them; as JSON.

        Each runs in a container of its architecture, which the engine may have to emulate.
        """
        zips = [name for name in await layers.entries() if name.endswith(".zip")]
        documents: list[dict[str, Any]] = []
        for architecture, names in _by_architecture(zips):
            place = (
                python_container(source, *_BENCH_ALONE, platform=f"linux/{architecture}")
                .with_directory("/layers", layers)
                .with_directory("/config", self.config)
            )
            command = ["uv", "run", "--no-sync", "ocelot", "bench", "--json"]
            command += ["--config", "/config"]
            command += [f"--starts={starts}", f"--invocations={invocations}"]
            if collector_config:
                place = place.with_file("/collector.yaml", collector_config)
                command.append("--collector-config=/collector.yaml")
            command += [f"/layers/{name}" for name in names]
            ran = place.with_exec(command, expect=ReturnType.ANY)
            if await ran.exit_code():
                lines = (await ran.stderr()).splitlines()
                raise BenchError(f"{', '.join(names)}: the bench failed", details=tuple(lines))
            documents.append(json.loads(await ran.stdout()))
        together = [layer for each in documents for layer in each["layers"]]
        return json.dumps({"layers": together}, indent=2) + "\n"


def _by_architecture(zips: Sequence[str]) -> Iterable[tuple[Architecture, list[str]]]:
    """The zips of each architecture, by their names."""
    for architecture in Architecture:
        if names := [name for name in sorted(zips) if f"-{architecture}-" in name]:
            yield architecture, names
