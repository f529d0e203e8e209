"""The bench as a gate of `build`, `publish` and `release`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.cli.options import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.build.manifest import Layer, Noted
    from pipeline.config import Config


def passed(layers: Mapping[Path, Layer], config: Config, *, wanted: bool) -> Mapping[str, Noted]:
    """See `check_layers`, which is run here."""
    from pipeline.bench.gate import check_layers

    work = partial(check_layers, layers, config, wanted=wanted)
    return run(work, left="every process was ended", kept="nothing was published")
