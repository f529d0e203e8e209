"""SSM's parameters: read, created, replaced, tagged, deleted."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws import session
from pipeline.aws.errors import BOTO_ERRORS, error_code, region_error
from pipeline.aws.pace import Pace
from pipeline.aws.session import Aws

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

# For an account and region, Parameter Store accepts 40 reads a second, which deployments share, and
# 3 writes: https://docs.aws.amazon.com/general/latest/gr/ssm.html
READ_SPACING_SECONDS = 0.05
WRITE_SPACING_SECONDS = 0.45
# Most names of a GetParameters.
NAMES = 10
STRING = "String"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A parameter as SSM has it.

    Attributes:
        value: its text; of a SecureString, encrypted.
        kind: String, StringList or SecureString.
        number: of its version, from 1; each write adds one.
    """

    name: str
    value: str
    kind: str = STRING
    number: int = 1


class RegionParameters:
    """The parameters below a prefix in one region; several threads may use it.

    Every method raises an `AwsError` if AWS refuses, or answers none of the attempts.

    Attributes:
        region: its name, such as `eu-west-1`.
        prefix: such as `/ocel`.
        turn: held by the thread that decides and writes: SSM has no conditional writes.
    """

    def __init__(
        self, aws: Aws, region: str, prefix: str, stopped: threading.Event | None = None
    ) -> None:
        self.region = region
        self.prefix = prefix
        self.turn = threading.Lock()
        stopped = stopped or threading.Event()
        self._client: SSMClient = aws.client("ssm", region, session.LAYERS)
        events: Any = self._client.meta.events
        reading = Pace(READ_SPACING_SECONDS, stopped).wait
        for operation in ("GetParameters", "GetParametersByPath"):
            events.register(f"before-send.ssm.{operation}", reading)
        writing = Pace(WRITE_SPACING_SECONDS, stopped).wait
        for operation in ("PutParameter", "AddTagsToResource", "DeleteParameter"):
            events.register(f"before-send.ssm.{operation}", writing)

    def read(self, names: Sequence[str]) -> dict[str, Parameter]:
        """Return the parameters of these names, by name, without those that do not exist."""
        found: dict[str, Parameter] = {}
        for start in range(0, len(names), NAMES):
            with self._errors("read the parameters", "ssm:GetParameters"):
                answer = self._client.get_parameters(Names=names[start : start + NAMES])
            for each in answer["Parameters"]:
                one = _parameter(each)
                found[one.name] = one
        return found

    def below(self) -> dict[str, Parameter]:
        """Return all parameters below the prefix, by name."""
        with self._errors("list the parameters", "ssm:GetParametersByPath"):
            pages = self._client.get_paginator("get_parameters_by_path").paginate(
                Path=self.prefix, Recursive=True
            )
            found = [_parameter(each) for page in pages for each in page["Parameters"]]
        return {each.name: each for each in found}

    def version(self, name: str, number: int) -> Parameter | None:
        """Return a parameter as it was in one of its versions; None if that is not kept."""
        return self.read([f"{name}:{number}"]).get(name)

    def create(self, name: str, value: str, tags: Mapping[str, str]) -> bool:
        """Create a parameter with tags; return False if there is one of that name already."""
        with self._errors(f"create {name}", "ssm:PutParameter and ssm:AddTagsToResource"):
            try:
                self._client.put_parameter(
                    Name=name, Value=value, Type=STRING, Tags=_tags(tags), Overwrite=False
                )
            except self._client.exceptions.ParameterAlreadyExists:
                return False
        return True

    def replace(self, name: str, value: str, tags: Mapping[str, str]) -> int:
        """Set tags and value of an existing parameter; return the number of the new version.

        The tags come first, so that a run that ends in between leaves the old value, which the next
        run replaces.
        """
        with self._errors(f"tag {name}", "ssm:AddTagsToResource"):
            self._client.add_tags_to_resource(
                ResourceType="Parameter", ResourceId=name, Tags=_tags(tags)
            )
        with self._errors(f"change {name}", "ssm:PutParameter"):
            answer = self._client.put_parameter(Name=name, Value=value, Type=STRING, Overwrite=True)
        return answer["Version"]

    def delete(self, name: str) -> None:
        """Delete a parameter; it is no error if there is none."""
        with self._errors(f"delete {name}", "ssm:DeleteParameter"):
            try:
                self._client.delete_parameter(Name=name)
            except self._client.exceptions.ParameterNotFound:
                return

    @contextmanager
    def _errors(self, request: str, permission: str) -> Generator[None]:
        """Turn boto3's exceptions into an `AwsError`, which names a missing permission."""
        try:
            yield
        except BOTO_ERRORS as error:
            refusal = region_error(error, request, self.region)
            if "AccessDenied" in error_code(error):
                refusal.hint = (
                    f"allow {permission} below {self.prefix}/: update the stack of "
                    f"oidc/cloudformation.yaml with SsmPrefix={self.prefix}"
                )
            raise refusal from error


def _parameter(answer: Any) -> Parameter:  # noqa: ANN401  its members are all optional
    return Parameter(
        name=answer["Name"],
        value=answer["Value"],
        kind=answer["Type"],
        number=answer["Version"],
    )


def _tags(tags: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
