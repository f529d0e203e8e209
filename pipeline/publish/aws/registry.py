"""The registry: the table in DynamoDB where every published layer version is a row."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import AwsError, UsageError, quoted
from pipeline.model import REGION
from pipeline.naming import LayerArn
from pipeline.publish import table as shape
from pipeline.publish.aws.errors import aws_error, error_code
from pipeline.publish.aws.session import Aws
from pipeline.publish.row import KEY, TIMESTAMP, ForeignRow, Item, Row, Rows, read_row, read_rows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

_REFUSED = "ConditionalCheckFailedException"
_ABSENT = "ResourceNotFoundException"
# What DynamoDB says of a table of another shape, such as one without an index.
_AMISS = (_ABSENT, "ValidationException")
# The attributes by which a row is known to be as it was read: lists are left out, since tools
# write them anew.
_COMPARED = (
    *("distribution", "architecture", "code_sha256", "md5_hash", TIMESTAMP),
    *("public", "base_layer_arn"),
)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition on which a row is written, with what its placeholders stand for.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """

    text: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


ABSENT = Condition(text="attribute_not_exists(#key)", names={"#key": KEY})


def unchanged(item: Item) -> Condition:
    """Return the condition that a row is as it was read, whatever types its attributes have."""
    there = [name for name in _COMPARED if name in item]
    return Condition(
        text=" AND ".join(
            [
                "attribute_exists(#key)",
                *(f"#was_{name} = :was_{name}" for name in there),
                *(f"attribute_not_exists(#was_{name})" for name in _COMPARED if name not in item),
            ]
        ),
        names={"#key": KEY, **{f"#was_{name}": name for name in _COMPARED}},
        values={f":was_{name}": item[name] for name in there},
    )


@dataclass(frozen=True)
class Registry:
    """A table of published layer versions; may be used by several threads.

    Every method raises an `AwsError` where AWS does not answer, or refuses.

    Attributes:
        aws: who asks.
        table: its name.
        region: where it is.
    """

    aws: Aws
    table: str
    region: str

    @cached_property
    def _client(self) -> DynamoDBClient:
        return self.aws.client("dynamodb", self.region)

    def row(self, arn: LayerArn) -> Row | ForeignRow | None:
        """The row of a layer version; None where there is none."""
        item = self._item(arn)
        return read_row(item) if item else None

    def put(self, row: Row) -> Row | ForeignRow | None:
        """Write a row, unless there is one of its ARN that says something else.

        A row that is there already is brought up to date where it is of the same distribution and
        content, or does not tell its content; what we do not know of it stays, as do the time
        when it was first written and whatever the new row is silent about.

        Returns:
            None where the row is in the registry now; else the one that was left alone.
        """
        item = {name: value for name, value in row.item().items() if name != KEY}
        content = "attribute_not_exists(#code_sha256)"
        if row.code_sha256:
            content += " OR #code_sha256 = :code_sha256"
        only = Condition(
            text=f"attribute_not_exists(#key) OR (#distribution = :distribution AND ({content}))",
            names={"#key": KEY, "#code_sha256": "code_sha256"},
        )
        try:
            self._update(row.arn, item, _assignments(item), only)
        except _RefusedError as refused:
            return read_row(refused.item)
        return None

    def add(self, row: Row) -> bool:
        """Write a row where there is none of its ARN.

        Returns:
            Whether the registry has it now; False where there is another, which stays as it is.
        """
        item = {name: value for name, value in row.item().items() if name != KEY}
        return self._set(row.arn, item, ABSENT, wanted=row)

    def amend(self, seen: Row, wanted: Row) -> bool:
        """Set what differs between two rows of an ARN; what only the first has is not taken away.

        Args:
            seen: as it was read.
            wanted: as it is to be.

        Returns:
            Whether the registry has it so now; False where the row is no more what was seen,
            and stays as it is.
        """
        there = self._item(seen.arn)
        now = read_row(there) if there else None
        if there is None or now != seen:
            return now == wanted
        before = seen.item()
        changed = {
            name: value for name, value in wanted.item().items() if before.get(name) != value
        }
        return self._set(seen.arn, changed, unchanged(there), wanted=wanted)

    def delete(self, seen: Row) -> bool:
        """Delete a row, be it gone already.

        Returns:
            Whether it is gone; False where it is no more what was seen, and stays as it is.
        """
        there = self._item(seen.arn)
        if there is None or read_row(there) != seen:
            return there is None
        condition = unchanged(there)
        try:
            with self._asking("dynamodb:DeleteItem"):
                self._client.delete_item(
                    TableName=self.table,
                    Key={KEY: {"S": str(seen.arn)}},
                    ConditionExpression=condition.text,
                    ExpressionAttributeNames=condition.names,
                    ExpressionAttributeValues=cast("Any", condition.values),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except _RefusedError as refused:
            return not refused.item  # an answer was lost, and it was deleted then
        return True

    def of_distribution(self, name: str) -> Rows:
        """Return the rows of a distribution. An index lags behind the table by a moment."""
        if not name:
            return Rows(rows=())  # a key is never empty, and DynamoDB refuses to look for it
        with self._asking("dynamodb:Query"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self.table,
                IndexName=shape.DISTRIBUTION_INDEX,
                KeyConditionExpression="#key = :value",
                ExpressionAttributeNames={"#key": shape.INDEXES[shape.DISTRIBUTION_INDEX][0]},
                ExpressionAttributeValues={":value": {"S": name}},
            )
            return _rows(pages)

    def all(self) -> Rows:
        """Every row, in no order."""
        with self._asking("dynamodb:Scan"):
            return _rows(self._client.get_paginator("scan").paginate(TableName=self.table))

    def check(self) -> None:
        """See that the table is as it should be.

        Raises:
            AwsError: it is not; the message says what is amiss, the hint how to fix it.
        """
        faults = self.faults()
        if faults:
            others = tuple(each.message for each in faults[1:])
            raise AwsError(faults[0].message, details=others, hint=faults[0].hint)

    def faults(self) -> tuple[shape.Fault, ...]:
        """Return what is wrong with the table."""
        try:
            described = self._client.describe_table(TableName=self.table)
        except (BotoCoreError, ClientError) as error:
            if error_code(error) == _ABSENT:
                return (shape.missing(self.table, self.region),)
            raise self._error(error, "dynamodb:DescribeTable") from error
        return tuple(shape.table_faults(described, self.region))

    def _item(self, arn: LayerArn) -> Item | None:
        with self._asking("dynamodb:GetItem"):
            answer = self._client.get_item(
                TableName=self.table, Key={KEY: {"S": str(arn)}}, ConsistentRead=True
            )
        return cast("Item | None", answer.get("Item"))

    def _set(self, arn: LayerArn, item: Item, only: Condition, *, wanted: Row) -> bool:
        """Set attributes on a condition; where it is not met, whether all is as wanted anyway."""
        try:
            self._update(arn, item, (f"#{name} = :{name}" for name in item), only)
        except _RefusedError as refused:
            return read_row(refused.item) == wanted  # an answer was lost, and it was set then
        return True

    def _update(
        self, arn: LayerArn, item: Item, assignments: Iterable[str], only: Condition
    ) -> None:
        """Set attributes of a row, new or not, on a condition.

        Raises:
            _RefusedError: it is not met.
        """
        names = {f"#{name}": name for name in item}
        values = {f":{name}": value for name, value in item.items()}
        with self._asking("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self.table,
                Key={KEY: {"S": str(arn)}},
                UpdateExpression=f"SET {', '.join(assignments)}",
                ConditionExpression=only.text,
                ExpressionAttributeNames={**names, **only.names},
                ExpressionAttributeValues=cast("Any", {**values, **only.values}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    @contextmanager
    def _asking(self, permission: str) -> Generator[None]:
        """Turn boto's errors into ours."""
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            if error_code(error) == _REFUSED:
                raise _RefusedError(cast("Any", error).response.get("Item") or {}) from error
            if error_code(error) in _AMISS:
                self.check()
            raise self._error(error, permission) from error

    def _error(self, error: BotoCoreError | ClientError, permission: str) -> AwsError:
        return aws_error(
            error,
            f"the table {self.table} in {self.region} gave no answer",
            "check the credentials (aws sts get-caller-identity), --table and --table-region; "
            f"{permission} must be allowed",
        )


def registry(aws: Aws, table: str, region: str) -> Registry:
    """The registry that options name.

    Args:
        aws: who asks.
        table: its name.
        region: where it is; empty for AWS_REGION, AWS_DEFAULT_REGION, the profile's region or,
            where there is none of them, us-east-1.

    Raises:
        UsageError: that is no region.
    """
    environment = os.environ.get("AWS_REGION")  # which boto3 does not look at
    where = region or environment or aws.session.region_name or shape.DEFAULT_REGION
    if not re.match(REGION, where):
        raise UsageError(f"{quoted(where)} is no region", hint="name the table's by --table-region")
    return Registry(aws, table, where)


class _RefusedError(Exception):
    """A condition was not met."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


def _assignments(item: Item) -> Iterator[str]:
    """What is set; a silent attribute, and the time, where there is none yet."""
    for name, value in item.items():
        silent = value in ({"S": ""}, {"L": []})
        if silent or name == TIMESTAMP:
            yield f"#{name} = if_not_exists(#{name}, :{name})"
        else:
            yield f"#{name} = :{name}"


def _rows(pages: Iterable[Mapping[str, Any]]) -> Rows:
    return read_rows(item for page in pages for item in page.get("Items", ()))
