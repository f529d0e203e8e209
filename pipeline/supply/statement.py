"""The shape of a provenance: an in-toto Statement v1 with a SLSA v1 predicate.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://slsa.dev/spec/v1.0/provenance. Its JSON Schema stands in `config/`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from pipeline.model import SCHEMA_DIALECT, Architecture

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
# The README tells what it means; another meaning of the parameters takes another number.
BUILD_TYPE = "urn:x-ocelot:lambda-layer:v1"

_HEX_SHA256 = "^[0-9a-f]{64}$"


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
    )


class SubjectDigest(_Part):
    """The digest of a zip."""

    sha256: str = Field(pattern=_HEX_SHA256)


class Subject(_Part):
    """The zip that the statement is about."""

    name: str = Field(description="Its file name.")
    digest: SubjectDigest


class Resource(_Part):
    """Something that went into it: an in-toto resource descriptor."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["uri"]}, {"required": ["digest"]}]}
    )

    name: str
    uri: str | None = None
    digest: dict[str, str] | None = Field(
        default=None, description="Lower-case hex by algorithm: sha256, gitCommit, dirHash …"
    )


class UpstreamParameter(_Part):
    """Which sources were asked for."""

    uri: str
    ref: str


class ExternalParameters(_Part):
    """What the user asked for; a verifier looks at all of it."""

    distribution: str
    architecture: Architecture
    upstream: UpstreamParameter
    build_tags: tuple[str, ...]
    custom_modules: tuple[str, ...] = Field(description="Go modules added, as module@version.")
    tunings: tuple[str, ...] = Field(
        description="Named changes of upstream's own files, by tuning.yaml."
    )


class Go(_Part):
    """What compiled the binary, and how."""

    version: str
    command: tuple[str, ...]
    environment: dict[str, str]


class InternalParameters(_Part):
    """What ocelot decided, for those who build it again."""

    collector_version: str
    engine: str = Field(description="What ran the compiler: host or dagger.")
    go: Go
    ocelot: str = Field(description="Version of ocelot.")
    packer: str
    source_date_epoch: int = Field(description="The timestamp of every file in the zip.")


class BuildDefinition(_Part):
    """What was built, from what."""

    build_type: Literal["urn:x-ocelot:lambda-layer:v1"]
    external_parameters: ExternalParameters
    internal_parameters: InternalParameters
    resolved_dependencies: tuple[Resource, ...]


class Builder(_Part):
    """Who built it, and is to be trusted for what the statement says."""

    id: str
    version: dict[str, str]


class Metadata(_Part):
    """Which run of the builder it was."""

    invocation_id: str


class RunDetails(_Part):
    """Of the one run that made the zip."""

    builder: Builder
    metadata: Metadata | None = None


class Provenance(_Part):
    """The predicate: https://slsa.dev/provenance/v1."""

    build_definition: BuildDefinition
    run_details: RunDetails


class Statement(_Part):
    """The provenance of one zip, to be signed."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(
        validation_alias="_type", serialization_alias="_type"
    )
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: Literal["https://slsa.dev/provenance/v1"]
    predicate: Provenance


def schema() -> dict[str, Any]:
    """The statement's JSON Schema."""
    return {"$schema": SCHEMA_DIALECT, **Statement.model_json_schema()}
