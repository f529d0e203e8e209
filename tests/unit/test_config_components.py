from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.config.components import Component


def component(**entry: str) -> Component:
    return Component.model_validate(entry)


@pytest.mark.parametrize(
    ("entry", "version", "package", "factory"),
    [
        ({}, None, "example.com/m", "NewFactory"),
        ({"module": "example.com/m@v1.2.3"}, "v1.2.3", "example.com/m", "NewFactory"),
        ({"import": "example.com/m/x"}, None, "example.com/m/x", "NewFactory"),
        ({"import": "example.com/m"}, None, "example.com/m", "NewFactory"),
        ({"factory": "NewOther"}, None, "example.com/m", "NewOther"),
    ],
)
def test_missing_fields_of_a_component_follow_from_its_module(
    entry: dict[str, str], version: str | None, package: str, factory: str
) -> None:
    mine = component(**{"module": "example.com/m", **entry})
    assert mine.module_path == "example.com/m"
    assert (mine.version, mine.package, mine.factory) == (version, package, factory)


@pytest.mark.parametrize("package", ["example.com/mine", "example.com", "example.org/m", "m.com/x"])
def test_a_package_outside_the_module_is_refused(package: str) -> None:
    with pytest.raises(ValidationError, match="not inside the module"):
        component(module="example.com/m", **{"import": package})


GO_VERSIONS = """
    v0.158.0 v1.2.3 v1.2.3-rc.1 v2.0.0+incompatible v10.20.30
    v0.0.0-20260527015227-08cc5374adb3 v1.2.3-0.20260527015227-08cc5374adb3
"""
NO_VERSIONS = """
    1.2.3 v1.2 v1 v1.2.3.4 v01.2.3 latest upgrade main 0123456789ab >=v1.2.3 v1.2.x V1.2.3 v1.2.3-
    v1.2.3+ v1.2.3@v1.2.3
"""
MODULES = """
    github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awss3exporter
    a-b.example.com/m go.opentelemetry.io/collector gopkg.in/yaml.v3 example.com/m/v2
    example.com/~user/under_score
"""
NO_MODULES = """
    mine fmt ./mine ../mine /abs/mine https://example.com/m example.com//m example.com/m/ -x.com/m
    example.com/../m example.com/.hidden Example.com/m example.com:8080/m user@example.com/m
"""


@pytest.mark.parametrize("version", GO_VERSIONS.split())
def test_a_version_of_gos_is_accepted(version: str) -> None:
    assert component(module=f"example.com/m@{version}").version == version


@pytest.mark.parametrize("version", [*NO_VERSIONS.split(), "", "v1.2.3 v1.2.4"])
def test_anything_else_is_no_version(version: str) -> None:
    with pytest.raises(ValidationError):
        component(module=f"example.com/m@{version}")


@pytest.mark.parametrize("module", MODULES.split())
def test_a_module_path_of_gos_is_accepted(module: str) -> None:
    assert component(module=module).module_path == module


@pytest.mark.parametrize("module", NO_MODULES.split())
def test_anything_else_is_no_module_path(module: str) -> None:
    with pytest.raises(ValidationError):
        component(module=module)


@pytest.mark.parametrize(
    "name", ["newFactory", "New.Factory", "New-Factory", "New Factory", "1New", ""]
)
def test_a_factory_that_is_no_exported_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        component(module="example.com/m", factory=name)
