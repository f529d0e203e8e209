"""The rows of the registry in its table: read, written on conditions, deleted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.aws.dynamodb import ConditionFailedError, Item, Table, WriteCondition, WrongTableError
from pipeline.aws.session import Aws
from pipeline.config.regions import REGION
from pipeline.errors import AwsError, UsageError, quoted
from pipeline.naming import LayerArn
from pipeline.registry import table as shape
from pipeline.registry.row import KEY, TIMESTAMP, ForeignRow, Row, Rows, read_row, read_rows

if TYPE_CHECKING:
    from collections.abc import Generator

# The attributes by which a row is known to be as it was read: lists are left out, since tools
# write them anew.
_COMPARED = (
    *("distribution", "architecture", "code_sha256", "md5_hash", TIMESTAMP),
    *("public", "base_layer_arn"),
)


ABSENT = WriteCondition(text="attribute_not_exists(#key)", names={"#key": KEY})


def unchanged(item: Item) -> WriteCondition:
    """Return the condition that a row is as it was read, whatever types its attributes have."""
    there = [name for name in _COMPARED if name in item]
    return WriteCondition(
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
        aws: the identity, and its clients.
        table: name of the table.
        region: of the table.
    """

    aws: Aws
    table: str
    region: str

    @cached_property
    def _table(self) -> Table:
        return Table(self.aws, self.table, self.region, KEY)

    def row(self, arn: LayerArn) -> Row | ForeignRow | None:
        """The row of a layer version; None where there is none."""
        item = self._item(arn)
        return read_row(item) if item else None

    def put(self, row: Row) -> Row | ForeignRow | None:
        """Write a row, unless there is one of its ARN that says something else.

        A row that is there already is brought up to date where it is of the same distribution and
        content, or does not name its content; attributes that we do not know stay, as do the time
        when it was first written and attributes that are empty in the new row.

        Returns:
            None where the row is in the registry now; else the one that was left alone.
        """
        item = _attributes(row)
        content = "attribute_not_exists(#code_sha256)"
        if row.code_sha256:
            content += " OR #code_sha256 = :code_sha256"
        condition = WriteCondition(
            text=f"attribute_not_exists(#key) OR (#distribution = :distribution AND ({content}))",
            names={"#key": KEY, "#code_sha256": "code_sha256"},
        )
        try:
            with self._shape_checked():
                self._table.update(str(row.arn), item, _assignments(item), condition)
        except ConditionFailedError as failed:
            return read_row(failed.item)
        return None

    def add(self, row: Row) -> bool:
        """Write a row where there is none of its ARN.

        Returns:
            True if the registry has it now; False where there is another, which stays as it is.
        """
        return self._set(row.arn, _attributes(row), ABSENT, wanted=row)

    def amend(self, seen: Row, wanted: Row) -> bool:
        """Set the attributes that differ between two rows of an ARN; none is removed.

        Args:
            seen: as it was read.
            wanted: as it is to be.

        Returns:
            True if the registry has it so now; False where the row has changed since it was read,
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
        """Delete a row; one that is gone already counts as deleted.

        Returns:
            True if it is gone; False where it has changed since it was read, and stays as it is.
        """
        there = self._item(seen.arn)
        if there is None or read_row(there) != seen:
            return there is None
        try:
            with self._shape_checked():
                self._table.delete(str(seen.arn), unchanged(there))
        except ConditionFailedError as failed:
            return not failed.item  # an answer was lost, and it was deleted then
        return True

    def of_distribution(self, name: str) -> Rows:
        """Return the rows of a distribution. An index lags behind the table by a moment."""
        if not name:
            return Rows(rows=())  # a key is never empty, and DynamoDB refuses to look for it
        index = shape.DISTRIBUTION_INDEX
        with self._shape_checked():
            return read_rows(self._table.query(index, shape.INDEXES[index][0], name))

    def all(self) -> Rows:
        """Every row, in no order."""
        with self._shape_checked():
            return read_rows(self._table.scan())

    def check(self) -> None:
        """Check that the table has the expected shape.

        Raises:
            AwsError: it does not; with every fault, and how to fix the first.
        """
        faults = self.faults()
        if faults:
            others = tuple(each.message for each in faults[1:])
            raise AwsError(faults[0].message, details=others, hint=faults[0].hint)

    def faults(self) -> tuple[shape.TableFault, ...]:
        """Return what is wrong with the table."""
        described = self._table.describe()
        if described is None:
            return (shape.missing(self.table, self.region),)
        return tuple(shape.table_faults(described, self.region))

    def _item(self, arn: LayerArn) -> Item | None:
        with self._shape_checked():
            return self._table.get(str(arn))

    def _set(self, arn: LayerArn, item: Item, condition: WriteCondition, *, wanted: Row) -> bool:
        """Set attributes on a condition; True if the row is as wanted afterwards."""
        try:
            with self._shape_checked():
                assignments = (f"#{name} = :{name}" for name in item)
                self._table.update(str(arn), item, assignments, condition)
        except ConditionFailedError as failed:
            return read_row(failed.item) == wanted  # an answer was lost, and it was set then
        return True

    @contextmanager
    def _shape_checked(self) -> Generator[None]:
        """Where a request shows that the table is wrong, say what is wrong with it."""
        try:
            yield
        except WrongTableError:
            self.check()
            raise


def registry(aws: Aws, table: str, region: str) -> Registry:
    """The registry that options name.

    Args:
        aws: the identity, and its clients.
        table: name of the table.
        region: of the table; empty for AWS_REGION, AWS_DEFAULT_REGION, the profile's region or,
            where there is none of them, us-east-1.

    Raises:
        UsageError: that is no region.
    """
    environment = os.environ.get("AWS_REGION")  # which boto3 does not look at
    where = region or environment or aws.session.region_name or shape.DEFAULT_REGION
    if not re.match(REGION, where):
        raise UsageError(f"{quoted(where)} is no region", hint="name the table's by --table-region")
    return Registry(aws, table, where)


def _attributes(row: Row) -> Item:
    return {name: value for name, value in row.item().items() if name != KEY}


def _assignments(item: Item) -> Iterator[str]:
    """Assignments of attributes; empty ones, and the time, are set only where there is none yet."""
    for name, value in item.items():
        empty = value in ({"S": ""}, {"L": []})
        if empty or name == TIMESTAMP:
            yield f"#{name} = if_not_exists(#{name}, :{name})"
        else:
            yield f"#{name} = :{name}"
