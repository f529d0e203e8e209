"""An AWS with layer versions and functions that use them."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from aws_functions import Functions
from publishing import IRELAND, LAYER, Publishing
from runs import CONFIG, OCELOT, Ran, environment, run_ocelot
from syncing import publish_by_hand

OTHER = "arn:aws:lambda:{}:210987654321:layer:tracing:4"
NEXT = "ocel-amd64-minimal-0_156_0-beta"


class Using:
    """A publisher whose layers have versions, and functions.

    Attributes:
        functions: of AWS.
        versions: ARNs of the layer's versions by region, the oldest first.
    """

    def __init__(self, publishing: Publishing, *, count: int = 2) -> None:
        self.publishing = publishing
        self.functions: Functions = publishing.aws.emulator.functions
        self.versions = {region: self.publish(region, count) for region in publishing.regions}
        publishing.aws.forget()

    def publish(self, region: str, count: int = 1, layer: str = LAYER) -> list[str]:
        """Publish versions of a layer."""
        return [
            publish_by_hand(self.publishing, region, layer, epoch=1_750_000_000 + number)[0]
            for number in range(count)
        ]

    def command(self, *more: str, table: bool = False) -> list[str]:
        """Return the arguments of the command line; without the registry, unless `table`."""
        regions = ",".join(self.publishing.regions)
        registry = () if table else ("--table", "none")
        own = ("--regions", regions, "--config", str(CONFIG))
        return ["layers", "used", *own, *registry, *more]

    def ocelot(self, *more: str, table: bool = False, env: dict[str, str] | None = None) -> Ran:
        """List or move functions by the command line."""
        return run_ocelot(
            *self.command(*more, table=table),
            cache=self.publishing.folder / "cache",
            env={**self.publishing.aws.environment(), **(env or {})},
            cwd=self.publishing.folder,
        )

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Start the command line."""
        process = subprocess.Popen(
            [str(OCELOT), *self.command(*more)],
            env=environment(self.publishing.folder / "cache", self.publishing.aws.environment()),
            cwd=self.publishing.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.publishing.started.append(process)
        return process

    def wait_for(self, operation: str, *, region: str = IRELAND) -> None:
        """Wait until a call has been answered."""
        give_up = time.monotonic() + 30
        while not any(each.end for each in self.publishing.aws.calls(operation, region)):
            assert time.monotonic() < give_up, f"no {operation}"
            time.sleep(0.05)

    def uses(self, ran: Ran) -> dict[str, Any]:
        """Return the function versions of a run with --json, by `name:version`."""
        return {
            f"{each['function']}:{each['version']}": each
            for region in json.loads(ran.out)["regions"]
            for each in region["functions"]
        }

    def layers(self, name: str, region: str = IRELAND) -> tuple[str, ...]:
        """Return the layers that a function has now."""
        return self.functions.function(region, name).layers
