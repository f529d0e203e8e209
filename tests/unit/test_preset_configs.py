"""The collector configs of config/: all leaves in the invocation that sent it; they log little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_examples import SHIPPED

from pipeline.config.folder import load_config

CONFIGS = sorted((SHIPPED / "collector").glob("*.yaml"))


def service(path: Path) -> dict[str, Any]:
    """The `service` of a config."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))["service"]


def pipelines(path: Path) -> dict[str, dict[str, list[str]]]:
    """The pipelines of a config."""
    return service(path)["pipelines"]


def test_there_are_configs() -> None:
    assert CONFIGS != []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_functions_send_is_decoupled_last_and_never_kept_for_a_batch(path: Path) -> None:
    for name, each in pipelines(path).items():
        if "otlp" in each["receivers"]:
            assert each["processors"][-1] == "decouple", name
        assert "batch" not in each.get("processors", ()), name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_a_connector_sends_is_waited_for_by_the_pipeline_before_it(path: Path) -> None:
    """The `decouple` behind a connector stops before the one in front of it has sent all."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    connectors = set(config.get("connectors", ()))
    for name, each in pipelines(path).items():
        if connectors & {*each["receivers"]}:
            assert "otlp" not in each["receivers"], name
            assert "decouple" not in each.get("processors", ()), name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_collector_logs_warnings_unless_the_function_says_otherwise(path: Path) -> None:
    assert service(path)["telemetry"]["logs"] == {"level": "${env:OCELOT_LOG_LEVEL:-warn}"}


def test_the_budget_of_each_distribution_with_such_a_config_wants_all_delivered() -> None:
    config = load_config(SHIPPED)
    with_config = [name for name in config.distributions if config.config_file(name)]
    assert len(with_config) >= len(CONFIGS)
    for name in with_config:
        budget = config.budget(name)
        assert budget, name
        assert budget.delivered == 1.0, name
