"""DynamoDB: a table and its items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pipeline.aws.errors import BOTO_ERRORS, error_code, error_text, general_hint
from pipeline.aws.session import Aws
from pipeline.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Generator

    from mypy_boto3_dynamodb.client import DynamoDBClient

# Attributes by name, each as a mapping of its type to its value:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
Item = Mapping[str, Mapping[str, Any]]

_ABSENT = "ResourceNotFoundException"
# Codes for a table of another shape, such as one without an index.
_WRONG_TABLE = (_ABSENT, "ValidationException")


class WrongTableError(AwsError):
    """The table is absent, or lacks what a request needs, such as an index."""


class ConditionFailedError(Exception):
    """A write was refused, since its condition does not hold.

    Attributes:
        item: in the table; empty if there is none.
    """

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


@dataclass(frozen=True, kw_only=True)
class WriteCondition:
    """The condition for a write, with the names and values of its placeholders.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """

    text: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


@dataclass(frozen=True)
class Table:
    """A table whose key is one text attribute; several threads may use it.

    Every method raises an `AwsError` if AWS does not answer, or refuses: a `WrongTableError` if the
    table does not have the expected shape.

    Attributes:
        aws: makes the client.
        name: of the table.
        region: of the table.
        key: name of the key attribute.
    """

    aws: Aws
    name: str
    region: str
    key: str

    @cached_property
    def _client(self) -> DynamoDBClient:
        return self.aws.client("dynamodb", self.region)

    def get(self, key: str) -> Item | None:
        """Return an item, read consistently; None if there is none."""
        with self._errors("dynamodb:GetItem"):
            answer = self._client.get_item(
                TableName=self.name, Key={self.key: {"S": key}}, ConsistentRead=True
            )
        return cast("Item | None", answer.get("Item"))

    def update(
        self,
        key: str,
        item: Item,
        assignments: Iterable[str],
        condition: WriteCondition,
        removed: Collection[str] = (),
    ) -> None:
        """Set and remove attributes of an item; it is made if there is none.

        Args:
            key: of the item.
            item: the attributes' values; `#name` and `:name` stand for each of them.
            assignments: of an update expression, such as `#name = :name`.
            condition: for the write.
            removed: names of attributes to be removed; none of them is in the item.

        Raises:
            ConditionFailedError: the condition does not hold.
        """
        names = {f"#{name}": name for name in (*item, *removed)}
        sets = f"SET {', '.join(each)}" if (each := tuple(assignments)) else ""
        removes = f"REMOVE {', '.join(f'#{name}' for name in removed)}" if removed else ""
        values = {f":{name}": value for name, value in item.items()}
        with self._errors("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self.name,
                Key={self.key: {"S": key}},
                UpdateExpression=f"{sets} {removes}".strip(),
                ConditionExpression=condition.text,
                ExpressionAttributeNames={**names, **condition.names},
                ExpressionAttributeValues=cast("Any", {**values, **condition.values}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def delete(self, key: str, condition: WriteCondition) -> None:
        """Delete an item.

        Raises:
            ConditionFailedError: the condition does not hold.
        """
        with self._errors("dynamodb:DeleteItem"):
            self._client.delete_item(
                TableName=self.name,
                Key={self.key: {"S": key}},
                ConditionExpression=condition.text,
                ExpressionAttributeNames=condition.names,
                ExpressionAttributeValues=cast("Any", condition.values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def query(self, index: str, attribute: str, value: str) -> Iterator[Item]:
        """Yield the items of an index whose key attribute has a value."""
        with self._errors("dynamodb:Query"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=index,
                KeyConditionExpression="#key = :value",
                ExpressionAttributeNames={"#key": attribute},
                ExpressionAttributeValues={":value": {"S": value}},
            )
            for page in pages:
                yield from cast("Iterable[Item]", page.get("Items", ()))

    def scan(self) -> Iterator[Item]:
        """Yield every item, in no particular order."""
        with self._errors("dynamodb:Scan"):
            for page in self._client.get_paginator("scan").paginate(TableName=self.name):
                yield from cast("Iterable[Item]", page.get("Items", ()))

    def create(self, definition: Mapping[str, Any]) -> bool:
        """Begin to create the table; return False if there is one of its name already.

        Args:
            definition: CreateTable's parameters.
        """
        with self._errors("dynamodb:CreateTable"):
            try:
                self._client.create_table(**definition)
            except self._client.exceptions.ResourceInUseException:
                return False
        return True

    def add_index(self, addition: Mapping[str, Any]) -> None:
        """Begin to add an index; DynamoDB adds one at a time.

        Args:
            addition: UpdateTable's parameters.
        """
        with self._errors("dynamodb:UpdateTable"):
            self._client.update_table(**addition)

    def describe(self) -> Mapping[str, Any] | None:
        """Return DescribeTable's answer; None if there is no such table."""
        try:
            with self._errors("dynamodb:DescribeTable"):
                return self._client.describe_table(TableName=self.name)
        except WrongTableError as error:
            if error_code(error.__cause__) == _ABSENT:
                return None
            raise

    @contextmanager
    def _errors(self, permission: str) -> Generator[None]:
        """Turn boto3's exceptions into errors of ocelot."""
        try:
            yield
        except BOTO_ERRORS as error:
            code = error_code(error)
            if code == "ConditionalCheckFailedException":
                raise ConditionFailedError(cast("Any", error).response.get("Item") or {}) from error
            kind = WrongTableError if code in _WRONG_TABLE else AwsError
            raise kind(
                f"the table {self.name} in {self.region} gave no answer: {error_text(error)}",
                hint=general_hint(error)
                or "check the credentials (aws sts get-caller-identity), --table and "
                f"--table-region; {permission} must be allowed",
            ) from error
