from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL
from supply_examples import CONTRIB, EPOCH, INFO, MAIN, Binary, build_info, layer_zip

from pipeline.layer.buildinfo import BuildInfo, Module, read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.layerfile import COLLECTOR, open_layer
from pipeline.supply.sbom import bill_of_materials

LICENCES = {
    ("gopkg.in/yaml.v3", "v3.0.1"): ("Apache-2.0", "MIT"),
    ("example.com/fork", "v0.2.0"): ("BSD-3-Clause",),
}


def bill(content: bytes | None = None, licences: Mapping[Any, Any] = LICENCES) -> bytes:
    layer = open_layer(content or layer_zip(), file="collector-amd64-minimal.zip")
    info = read_build_info(read_elf(layer.collector))
    return bill_of_materials(layer, info, name="collector-amd64-minimal", licences=licences)


@cache
def document() -> dict[str, Any]:
    return json.loads(bill())


def components() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document()["components"]}


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in component.get("properties", [])}


@pytest.mark.parametrize("info", [INFO, "", "path\ta\n"])
def test_the_schema_finds_no_fault(info: str) -> None:
    content = layer_zip(Binary(info=build_info(info)).content())
    text = bill(content).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert json.loads(text)["specVersion"] == "1.6"


@settings(max_examples=20)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_no_module_is_an_error(words: list[str]) -> None:
    modules = tuple(Module(path=path, version=version) for path, version in pairwise(words))
    info = BuildInfo(
        go_version="go1", path="a", main=Module(path="a"), modules=modules, settings=()
    )
    layer = open_layer(layer_zip(), file="a.zip")
    text = bill_of_materials(layer, info, name="a").decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_another_zip_has_another_serial_number() -> None:
    other = json.loads(bill(layer_zip(more={})))
    assert other["serialNumber"] != document()["serialNumber"]


def test_the_time_is_that_of_the_zip() -> None:
    assert document()["metadata"]["timestamp"] == datetime.fromtimestamp(EPOCH, UTC).isoformat()


def test_it_is_about_the_layer() -> None:
    layer = document()["metadata"]["component"]
    digest = hashlib.sha256(layer_zip()).hexdigest()
    assert (layer["name"], layer["version"]) == ("collector-amd64-minimal", "v0.155.0")
    assert layer["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert properties(layer)["ocelot:architecture"] == "amd64"


def test_every_file_has_its_hash() -> None:
    config = components()["collector-config/config.yaml"]
    digest = hashlib.sha256(b"receivers: {}\n").hexdigest()
    assert config["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert properties(components()[COLLECTOR])["ocelot:mode"] == "0755"


def test_a_module_has_purl_sum_and_licences() -> None:
    yaml = components()["gopkg.in/yaml.v3"]
    assert yaml["purl"] == "pkg:golang/gopkg.in/yaml.v3@v3.0.1"
    assert properties(yaml) == {"ocelot:go-sum": "h1:yaml="}
    assert [each["license"]["id"] for each in yaml["licenses"]] == ["Apache-2.0", "MIT"]


def test_a_replaced_module_is_reported_with_the_code_that_was_compiled() -> None:
    fork = components()["example.com/fork"]
    assert fork["purl"] == "pkg:golang/example.com/fork@v0.2.0"
    replaced = f"{CONTRIB}/connector/signaltometricsconnector@v0.1.0"
    assert properties(fork) == {"ocelot:go-sum": "h1:fork=", "ocelot:replaces": replaced}
    assert fork["licenses"][0]["license"]["id"] == "BSD-3-Clause"


@pytest.mark.parametrize("name", [MAIN, "lambdacomponents"])
def test_code_of_no_published_version_has_none(name: str) -> None:
    assert "version" not in components()[name]
    assert "@" not in components()[name]["purl"]


def test_a_folder_that_replaces_a_module_is_named() -> None:
    assert properties(components()["lambdacomponents"]) == {
        "ocelot:replaced-by": "./lambdacomponents"
    }


def test_gos_standard_library_is_in_it() -> None:
    library = components()["stdlib"]
    assert (library["version"], library["purl"]) == ("1.26.6", "pkg:golang/stdlib@1.26.6")


def test_every_purl_can_be_read() -> None:
    purls = [each["purl"] for each in document()["components"] if "purl" in each]
    assert len(purls) == 8
    assert all(PackageURL.from_string(each).type == "golang" for each in purls)


def test_the_layer_needs_its_files_and_the_collector_its_modules() -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in document()["dependencies"]}
    layer = document()["metadata"]["component"]["bom-ref"]
    collector = components()[COLLECTOR]["bom-ref"]
    assert sorted(needs[layer]) == ["file:collector-config/config.yaml", f"file:{COLLECTOR}"]
    assert len(needs[collector]) == 8
    assert components()["stdlib"]["bom-ref"] in needs[collector]


def test_without_licences_there_are_none() -> None:
    assert b'"licenses"' not in bill(licences={})
