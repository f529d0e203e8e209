"""Runs of the bench, for tests."""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from runs import CONFIG, Built

from pipeline.bench.faults import FaultError
from pipeline.bench.preparation import BenchRequest, Limits
from pipeline.bench.result import Result, Status
from pipeline.bench.run import bench
from pipeline.config.folder import load_config

OURS = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
OTHER = "arm64" if OURS == "amd64" else "amd64"

QUICK = Limits(init=4.0, shutdown=1.0, invoke=2.0)


def run_bench(*zips: Path, limits: Limits | None = None, **more: Any) -> tuple[Result, ...]:  # noqa: ANN401
    """Run layers: one start and two invocations if the options name no others."""
    default = BenchRequest(zips=zips, config=load_config(CONFIG), starts=1, invocations=2)
    request = replace(default, limits=limits or Limits(), **more)
    return anyio.run(partial(bench, request))


def fault_of(zipped: Path, *, limits: Limits | None = None, **more: Any) -> FaultError:  # noqa: ANN401
    (result,) = run_bench(zipped, limits=limits, **more)
    assert result.status is Status.FAILED, result
    assert result.fault is not None
    return result.fault


def own_zip(built: Built) -> Path:
    return built.folder / f"collector-{OURS}-minimal.zip"
