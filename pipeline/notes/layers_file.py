"""`layers.json`: the layer versions of a release as data; `config/layers.schema.json` checks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from pipeline.naming import SCHEMA_DIALECT, Architecture
from pipeline.record import Record
from pipeline.registry.arns import ArnTable, arn_table
from pipeline.registry.row import Row

FILE_NAME = "layers.json"
VERSION = 1


class ReleasedFrom(Record):
    """The source of a release."""

    repository: str
    commit: str = Field(description="Full SHA; empty if it is not known.")


class ReleasedLayer(Record):
    """One layer version."""

    region: str
    region_name: str = Field(description="For people, such as Europe (Ireland).")
    architecture: Architecture
    arn: str
    public: bool = Field(description="True if every AWS account may use it.")
    shared_with: tuple[str, ...] = Field(
        description="Organisations and accounts that may use it, as org:ID and account:ID."
    )
    sha256: str = Field(description="Of the zip, in hex.")


class LayersFile(Record):
    """The layer versions of a release, sorted by region and architecture."""

    version: int = Field(description="Of this format.")
    distribution: str
    collector_version: str = Field(description="Such as v0.158.0.")
    release_group: str = Field(description="End of the layers' names, such as beta.")
    upstream: ReleasedFrom
    layers: tuple[ReleasedLayer, ...]

    def text(self) -> str:
        """Return the document as JSON, a line for each value."""
        return self.model_dump_json(indent=2) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of layers.json."""
    return {"$schema": SCHEMA_DIALECT, **LayersFile.model_json_schema(mode="serialization")}


def layers_file(rows: Iterable[Row], names: Mapping[str, str]) -> LayersFile:
    """Return the document of a release.

    Args:
        rows: of one release; at least one.
        names: display names of regions.
    """
    table = arn_table(rows, names)
    first = next(row for each in table.regions for row in each.rows if row)
    return LayersFile(
        version=VERSION,
        distribution=first.distribution,
        collector_version=first.collector_version_input,
        release_group=first.release_group,
        upstream=ReleasedFrom(repository=first.upstream_repository, commit=first.upstream_commit),
        layers=tuple(_layers(table)),
    )


def _layers(table: ArnTable) -> Iterable[ReleasedLayer]:
    for each in table.regions:
        for row in filter(None, each.rows):
            yield ReleasedLayer(
                region=each.region,
                region_name=each.name,
                architecture=row.architecture,
                arn=str(row.arn),
                public=row.public,
                shared_with=row.shared_with,
                sha256=row.code_sha256,
            )
