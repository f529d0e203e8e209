"""What a layer promises and asks for, against what its binary has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit_examples import MINE, MINE_ENTRY, SHIPPED, WITH_MINE, loaded

from pipeline.bench.components import (
    Wanted,
    broken_promises,
    config_components,
    has,
    holders,
    missing_components,
)
from pipeline.config.components import Component
from pipeline.config.folder import load_config
from pipeline.layer.components import FoundComponent

OTEL = "go.opentelemetry.io/collector"


def found(kind: str, name: str, package: str = "") -> FoundComponent:
    path = package or f"{OTEL}/{kind}/{name}{kind}"
    return FoundComponent(kind=kind, name=name, package=path, module=path, version="v1", size=1)


BINARY = (
    found("receiver", "otlp"),
    found("exporter", "otlphttp"),
    found("exporter", "otlp"),
    found("processor", "memorylimiter"),
    found("extension", "asmauth"),
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("receiver", "otlp"),
        ("exporter", "otlphttp"),
        ("exporter", "otlp_http"),
        ("exporter", "otlp_grpc"),
        ("processor", "memory_limiter"),
        ("extension", "asmauthextension"),
        ("extension", "asmauth"),
    ],
)
def test_a_component_is_known_by_each_of_its_spellings(kind: str, name: str) -> None:
    assert has(BINARY, kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("processor", "otlp"), ("exporter", "debug"), ("extension", ""), ("receiver", "otlphttp")],
)
def test_a_component_of_another_kind_or_name_is_none(kind: str, name: str) -> None:
    assert not has(BINARY, kind, name)


def test_a_config_uses_types_and_not_names() -> None:
    config: dict[str, Any] = {
        "receivers": {"otlp": None},
        "exporters": {"otlphttp/eu": {}, "otlphttp/us": {}, "debug": {}},
        "connectors": None,
        "processors": "nonsense",
        "service": {"pipelines": {}},
    }
    assert set(config_components(config)) == {
        Wanted(kind="receiver", name="otlp"),
        Wanted(kind="exporter", name="otlphttp"),
        Wanted(kind="exporter", name="debug"),
    }
    assert missing_components(config, BINARY) == (Wanted(kind="exporter", name="debug"),)


def test_tags_that_a_binary_keeps_break_no_promise() -> None:
    tags = (
        *("lambdacomponents.custom", "lambdacomponents.all", "lambdacomponents.receiver.all"),
        *("lambdacomponents.receiver.otlp", "lambdacomponents.extension.asmauthextension"),
        "netgo",
    )
    assert broken_promises(tags, BINARY, {}) == ()


def test_a_tag_whose_component_was_never_registered_breaks_a_promise() -> None:
    tags = ("lambdacomponents.exporter.debug", "lambdacomponents.exporter.otlphttp")
    assert broken_promises(tags, BINARY, {}) == (Wanted(kind="exporter", name="debug"),)


def test_a_custom_component_is_known_by_its_package() -> None:
    custom = {
        MINE: Component.model_validate(
            {"module": "example.com/odd", "import": "example.com/odd/name"}
        )
    }
    own = found("connector", "name", "example.com/odd/name")
    assert broken_promises((MINE,), (own,), custom) == ()
    assert broken_promises((MINE,), BINARY, custom) == (Wanted(kind="connector", name="mine"),)


def test_who_has_a_component_is_told_in_the_configs_order(tmp_path: Path) -> None:
    config = loaded(tmp_path, WITH_MINE + "all:\n  buildtags: [lambdacomponents.all]\n", MINE_ENTRY)
    assert holders(Wanted(kind="connector", name="mine"), config) == ("minimal", "all")
    assert holders(Wanted(kind="exporter", name="unheard_of"), config) == ("all",)


def test_the_presets_tell_who_has_the_s3_exporter() -> None:
    wanted = Wanted(kind="exporter", name="awss3")
    assert holders(wanted, load_config(SHIPPED)) == ("full", "minimal-s3export")
