"""`config/components.yaml`: components that upstream does not have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pipeline.config.entries import (
    END,
    GO_MODULE,
    GO_MODULE_AT_VERSION,
    ConfigModel,
    Entries,
    read_entries,
)
from pipeline.errors import Problem
from pipeline.naming import ANY_KIND, TAG_PREFIX

COMPONENTS = "components.yaml"

COMPONENT_TAG = rf"^{TAG_PREFIX}\.({ANY_KIND})\.(?!all$)[a-z0-9_]+{END}"
GO_FUNCTION = rf"^[A-Z][A-Za-z0-9_]*{END}"


class Component(ConfigModel):
    """One entry of `config/components.yaml`: a component that upstream does not have."""

    module: str = Field(
        pattern=GO_MODULE_AT_VERSION,
        description="Go module; with @version, unless it has the collector's version.",
    )
    import_path: str | None = Field(
        default=None,
        alias="import",
        pattern=GO_MODULE,
        description="Package that holds the factory; default: the module itself.",
    )
    factory: str = Field(
        default="NewFactory",
        pattern=GO_FUNCTION,
        description="Function that makes the factory and takes no arguments.",
    )

    @model_validator(mode="before")
    @classmethod
    def _module_alone(cls, value: Any) -> Any:  # noqa: ANN401  it may be anything
        return {"module": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _import_inside_module(self) -> Component:
        if not f"{self.package}/".startswith(f"{self.module_path}/"):
            raise ValueError(f"import {self.package} is not inside the module {self.module_path}")
        return self

    @property
    def module_path(self) -> str:
        """The Go module without its version."""
        return self.module.partition("@")[0]

    @property
    def version(self) -> str | None:
        """The version after the @; None for the collector's version."""
        return self.module.partition("@")[2] or None

    @property
    def package(self) -> str:
        """The import path of the factory's package."""
        return self.import_path or self.module_path


def read_components(folder: Path) -> Entries[Component]:
    """Read components.yaml; its entries' names are build tags."""
    components = read_entries(
        folder, COMPONENTS, Component, names=COMPONENT_TAG, name_label="a component's build tag"
    )
    return components.with_problems(_version_problems(components))


def _version_problems(components: Entries[Component]) -> Iterator[Problem]:
    """Return a problem for each module that two components have at different versions."""
    first: dict[str, tuple[str, str | None]] = {}
    for tag, component in components.entries.items():
        other, version = first.setdefault(component.module_path, (tag, component.version))
        if version != component.version:
            yield components.document.problem(
                (tag, "module"),
                f"{tag}: {component.module_path} at {component.version or 'the default version'}, "
                f"but {other} has it at {version or 'the default version'}",
            )
