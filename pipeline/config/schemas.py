"""The JSON Schemas of the config folder, made from the models; editors check files by them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from pipeline.config.budgets import Budget
from pipeline.config.components import COMPONENT_TAG, Component
from pipeline.config.distributions import DISTRIBUTION_NAME, Distribution
from pipeline.config.gitops import GitOps
from pipeline.config.images import Images
from pipeline.config.regions import Regions
from pipeline.config.tuning import TUNING_NAME, Tuning
from pipeline.naming import SCHEMA_DIALECT

Distributions = TypeAdapter(dict[str, Distribution])
Components = TypeAdapter(dict[str, Component])
Budgets = TypeAdapter(dict[str, Budget])
Tunings = TypeAdapter(dict[str, Tuning])


def schema_of(entries: TypeAdapter[Any], title: str, key_pattern: str) -> dict[str, Any]:
    """Return the JSON Schema of a file that maps names to entries."""
    schema = entries.json_schema(by_alias=True)
    schema["patternProperties"] = {key_pattern: schema.pop("additionalProperties")}
    schema["additionalProperties"] = False
    if "Component" in schema["$defs"]:  # a component may be its module alone
        alone = schema["$defs"]["Component"]["properties"]["module"]
        schema["patternProperties"] = {
            key_pattern: {"anyOf": [{"$ref": "#/$defs/Component"}, alone]}
        }
    return {"$schema": SCHEMA_DIALECT, "title": title, **schema}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of the config folder by file name."""
    return {
        "distributions.schema.json": schema_of(
            Distributions, "Ocelot distributions", DISTRIBUTION_NAME
        ),
        "components.schema.json": schema_of(Components, "Ocelot components", COMPONENT_TAG),
        "tuning.schema.json": schema_of(Tunings, "Ocelot tunings", TUNING_NAME),
        "budgets.schema.json": schema_of(Budgets, "Ocelot budgets", DISTRIBUTION_NAME),
        **{
            f"{kind.__name__.lower()}.schema.json": {
                "$schema": SCHEMA_DIALECT,
                **kind.model_json_schema(by_alias=True),
            }
            for kind in (Images, Regions, GitOps)
        },
    }
