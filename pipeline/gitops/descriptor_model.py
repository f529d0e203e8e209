"""The keys of a workload descriptor, as `occ` turns them into a Workload.

occ takes no notice of unknown keys and of values that the cluster refuses. The keys are those of
https://github.com/openchoreo/openchoreo/blob/v1.2.3/internal/occ/resources/workload/converter.go,
the values those of config/crd/bases/openchoreo.dev_workloads.yaml there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from pipeline.config.entries import ConfigModel
from pipeline.config.located_yaml import KeyPath
from pipeline.errors import quoted

_LARGEST_LIST = 50

Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Visibility = Literal["project", "namespace", "internal", "external"]
Bindings = Annotated[dict[Text, Text], Field(max_length=_LARGEST_LIST)]


def _inner_path(value: str) -> str:
    """Return the path of a file in the descriptor's folder or below."""
    parts = value.split("/")
    if value.startswith("/") or ".." in parts or "\\" in value or not value.isprintable():
        raise ValueError(f"{quoted(value)} must be the path of a file beside the descriptor")
    return value


def _several(most: int | None = None) -> Any:  # noqa: ANN401  as pydantic's Field
    """Return the field of a list, which need not be there."""
    return Field(default=(), strict=False, max_length=most)


InnerPath = Annotated[str, Field(min_length=1), AfterValidator(_inner_path)]


class DescriptorModel(ConfigModel):
    """Base of all models of a descriptor; keys are written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class DescriptorMetadata(DescriptorModel):
    """Name of the component; occ takes it from its option instead."""

    name: Text


class DescriptorEndpoint(DescriptorModel):
    """A port that the component serves."""

    name: Text
    display_name: str = ""
    port: Port
    target_port: Port | None = None
    type: Literal["HTTP", "gRPC", "GraphQL", "Websocket", "TCP", "UDP"]
    base_path: str = ""
    schema_file: InnerPath | None = None
    context: str = ""
    visibility: tuple[Visibility, ...] = _several()


class EndpointBindings(DescriptorModel):
    """Environment variables for the parts of an endpoint's address."""

    address: str = ""
    host: str = ""
    port: str = ""
    base_path: str = ""


class EndpointDependency(DescriptorModel):
    """An endpoint of another component that this one calls."""

    project: str = ""
    component: Text
    name: Text
    visibility: Literal["project", "namespace"]
    env_bindings: EndpointBindings = EndpointBindings()


class ResourceDependency(DescriptorModel):
    """A Resource of the project, whose outputs become environment variables and files."""

    ref: Text
    env_bindings: Bindings = Field(default_factory=dict)
    file_bindings: Bindings = Field(default_factory=dict)


class DescriptorDependencies(DescriptorModel):
    """Endpoints and Resources that the component uses."""

    endpoints: tuple[EndpointDependency, ...] = _several(_LARGEST_LIST)
    resources: tuple[ResourceDependency, ...] = _several(_LARGEST_LIST)


class SecretKey(DescriptorModel):
    """A key of a SecretReference."""

    name: Text
    key: Text


class VariableSource(DescriptorModel):
    """A value from elsewhere; for a variable occ reads no file."""

    secret_key_ref: SecretKey


class FileSource(DescriptorModel):
    """The content of a file: a secret, or a file beside the descriptor."""

    secret_key_ref: SecretKey | None = None
    path: InnerPath | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.secret_key_ref is None) == (self.path is None):
            raise ValueError("needs either secretKeyRef or path")
        return self


class DescriptorVariable(DescriptorModel):
    """An environment variable."""

    name: Text
    value: str | None = None
    value_from: VariableSource | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        _refuse_both(self.value, self.value_from)
        return self


class DescriptorFile(DescriptorModel):
    """A file in the container."""

    name: Text
    mount_path: Text
    value: str | None = None
    value_from: FileSource | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        _refuse_both(self.value, self.value_from)
        return self


class DescriptorConfigurations(DescriptorModel):
    """Environment variables and files of the container."""

    env: tuple[DescriptorVariable, ...] = _several()
    files: tuple[DescriptorFile, ...] = _several()


class WorkloadDescriptor(DescriptorModel):
    """A workload descriptor."""

    api_version: Literal["openchoreo.dev/v1alpha1"] = "openchoreo.dev/v1alpha1"
    metadata: DescriptorMetadata | None = None
    endpoints: tuple[DescriptorEndpoint, ...] = _several()
    dependencies: DescriptorDependencies = DescriptorDependencies()
    configurations: DescriptorConfigurations = DescriptorConfigurations()

    def named_files(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield the path of keys and the value of each path of a file beside the descriptor."""
        for at, endpoint in enumerate(self.endpoints):
            if endpoint.schema_file:
                yield ("endpoints", at, "schemaFile"), endpoint.schema_file
        for at, file in enumerate(self.configurations.files):
            if file.value_from and file.value_from.path:
                yield ("configurations", "files", at, "valueFrom", "path"), file.value_from.path

    def names(self) -> Iterator[tuple[str, KeyPath, str]]:
        """Yield list, path of keys and value of each name that may stand in its list once."""
        configurations = self.configurations
        for at, endpoint in enumerate(self.endpoints):
            yield "endpoints", ("endpoints", at, "name"), endpoint.name
            for number, each in enumerate(endpoint.visibility):
                yield f"visibility of {at}", ("endpoints", at, "visibility", number), each
        for at, resource in enumerate(self.dependencies.resources):
            yield "resources", ("dependencies", "resources", at, "ref"), resource.ref
        for at, variable in enumerate(configurations.env):
            yield "env", ("configurations", "env", at, "name"), variable.name
        for at, file in enumerate(configurations.files):
            shown = f"{file.name} in {file.mount_path}"
            yield "files", ("configurations", "files", at, "name"), shown


def _refuse_both(value: str | None, source: object) -> None:
    if value is not None and source is not None:
        raise ValueError("has value and valueFrom, of which occ takes one")
