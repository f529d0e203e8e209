from __future__ import annotations

import dataclasses

import pytest
from supply_examples import CONTRIB, OTEL, TABLE, Binary, Function, Table, layer_zip

from pipeline.layer.components import FoundComponent, component_of_package
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import open_layer


def found(table: Table = TABLE) -> tuple[FoundComponent, ...]:
    text = sum(each.code for each in table.functions)
    binary = Binary(table=table.content(), text=text).content()
    return inspect_layer(open_layer(layer_zip(binary), file="a.zip")).components


def with_functions(*names: str) -> Table:
    return dataclasses.replace(TABLE, functions=[Function(name=name) for name in names], inlined=())


@pytest.mark.parametrize(
    ("package", "shape"),
    [
        (f"{OTEL}/receiver/otlpreceiver", ("receiver", "otlp")),
        (f"{CONTRIB}/extension/storage/filestorage", ("extension", "filestorage")),
        ("example.com/mine/myprocessor", ("processor", "my")),
        ("example.com/mine/extension", ("extension", "mine")),
        ("lambda/processor/decoupleprocessor", ("processor", "decouple")),
        (f"{OTEL}/confmap/provider/envprovider", ("provider", "env")),
        (f"{OTEL}/exporter", ("", "")),
        (f"{OTEL}/exporter/xexporter", ("", "")),
        (f"{CONTRIB}/receiver/hostmetricsreceiver/internal/scraper/cpuscraper", ("", "")),
        (f"{OTEL}/confmap/provider/internal/configurablehttpprovider", ("", "")),
        ("k8s.io/apimachinery/pkg/runtime/serializer", ("", "")),
        ("main", ("", "")),
    ],
)
def test_a_components_kind_and_name_are_read_off_its_path(
    package: str, shape: tuple[str, str]
) -> None:
    assert component_of_package(package) == shape


def test_components_are_those_with_a_factory() -> None:
    assert [(each.kind, each.name) for each in found()] == [
        ("receiver", "otlp"),
        ("connector", "signaltometrics"),
    ]


def test_a_component_has_its_modules_version_and_its_own_bytes() -> None:
    otlp = found()[0]
    assert otlp.package == otlp.module == f"{OTEL}/receiver/otlpreceiver"
    assert otlp.version == "v0.155.0"
    assert otlp.size > 128 + 32


def test_a_replaced_module_has_the_version_of_its_replacement() -> None:
    assert found()[1].version == "v0.2.0"


def test_a_package_that_is_only_used_is_no_component() -> None:
    assert found(with_functions(f"{OTEL}/receiver/otlpreceiver.helper")) == ()


@pytest.mark.parametrize("factory", ["NewMineFactory", "createDefaultConfig", "NewFactory"])
def test_a_factory_may_bear_other_names(factory: str) -> None:
    components = found(with_functions(f"example.com/mine/mineexporter.{factory}"))
    assert [(each.kind, each.name) for each in components] == [("exporter", "mine")]


def test_a_provider_is_known_by_any_function() -> None:
    provider = f"{OTEL}/confmap/provider/envprovider.(*provider).Retrieve"
    assert [(each.kind, each.name) for each in found(with_functions(provider))] == [
        ("provider", "env")
    ]


def test_no_function_no_component() -> None:
    assert found(with_functions("main.main")) == ()
