"""The registry's rows: read, written and deleted on conditions."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.aws.dynamodb import ConditionFailedError, Item, Table, WriteCondition, WrongTableError
from pipeline.aws.session import Aws
from pipeline.config.regions import REGION
from pipeline.errors import AwsError, UsageError, quoted
from pipeline.naming import LayerArn
from pipeline.options import OptionalTableOptions, TableOptions
from pipeline.registry import table as shape
from pipeline.registry.row import (
    KEY,
    SHARED_WITH,
    TIMESTAMP,
    ForeignRow,
    Row,
)
from pipeline.registry.rows import Rows, read_item, read_rows
from pipeline.registry.tombstone import DELETED, DELETED_AT, STATE, Tombstone, buried

if TYPE_CHECKING:
    from collections.abc import Generator

# Attributes that show whether a row or tombstone has changed since it was read. Lists are left out,
# since other tools rewrite them.
_COMPARED = (
    *("distribution", "architecture", "code_sha256", "md5_hash", TIMESTAMP),
    *("public", "base_layer_arn", STATE, DELETED_AT, "plan", "restored_as"),
)
# Value of --table for no registry.
NO_TABLE = "none"
# A new table is usually ready after some ten seconds, an index of a large one after minutes.
CREATION_SECONDS = 900

ABSENT = WriteCondition(text="attribute_not_exists(#key)", names={"#key": KEY})


def unchanged(item: Item) -> WriteCondition:
    """Return the condition that an item is as it was read, whatever types its attributes have."""
    present = [name for name in _COMPARED if name in item]
    return WriteCondition(
        text=" AND ".join(
            [
                "attribute_exists(#key)",
                *(f"#was_{name} = :was_{name}" for name in present),
                *(f"attribute_not_exists(#was_{name})" for name in _COMPARED if name not in item),
            ]
        ),
        names={"#key": KEY, **{f"#was_{name}": name for name in _COMPARED}},
        values={f":was_{name}": item[name] for name in present},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCreation:
    """The result of creating the table.

    Attributes:
        created: True if the table was; False if it existed already.
        indexes: that an existing table lacked, and that were added.
    """

    created: bool
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registry:
    """The table of published layer versions; several threads may use it.

    Every method raises an `AwsError` if AWS does not answer, or refuses.

    Attributes:
        aws: makes the client.
        table: name of the table.
        region: of the table.
    """

    aws: Aws
    table: str
    region: str

    @cached_property
    def _table(self) -> Table:
        return Table(self.aws, self.table, self.region, KEY)

    def row(self, arn: LayerArn) -> Row | ForeignRow | Tombstone | None:
        """Return the row or tombstone of a layer version; None if there is neither."""
        return self._read(arn)[1]

    def put(self, row: Row) -> Row | ForeignRow | Tombstone | None:
        """Write a row, unless the table has one of the same ARN but another content.

        A row of the same distribution that has the same content, or names no content, is updated;
        a tombstone of such a row becomes the row again, since its layer version still exists.
        The row keeps the attributes that ocelot does not know, its timestamp, and each attribute
        that is empty in the new row, except the organisations and accounts that it is shared with.

        Returns:
            None if the row was written; else what is in the table and was left alone.
        """
        item = _attributes(row)
        content = "attribute_not_exists(#code_sha256)"
        if row.code_sha256:
            content += " OR #code_sha256 = :code_sha256"
        # a tombstone has no distribution
        same = f"#distribution = :distribution AND ({content})"
        condition = WriteCondition(
            text=f"attribute_not_exists(#key) OR ({same})",
            names={"#key": KEY, "#code_sha256": "code_sha256"},
        )
        try:
            with self._shape_checked():
                removed = {SHARED_WITH} - {*item}
                self._table.update(str(row.arn), item, _assignments(item), condition, removed)
        except ConditionFailedError as failed:
            present = read_item(failed.item)
            if isinstance(present, Tombstone) and _is_same(present.row, row):
                return self._put_over_tombstone(failed.item, row)
            return present
        return None

    def _put_over_tombstone(self, item: Item, row: Row) -> Row | ForeignRow | Tombstone | None:
        new = _unburied(item["row"]["M"], row)
        removed = {*item} - {*new, KEY}
        try:
            with self._shape_checked():
                self._table.update(str(row.arn), new, _all_set(new), unchanged(item), removed)
        except ConditionFailedError:
            return self.put(row)  # it has changed meanwhile
        return None

    def add(self, row: Row) -> bool:
        """Write a row if the table has none of its ARN.

        Returns:
            True if the table has the row or its tombstone now; False if it has another row, which
            was left alone.
        """
        return self._set(_attributes(row), ABSENT, expected=row)

    def update(self, before: Row, after: Row) -> bool:
        """Set the attributes that differ between two rows of one ARN; empty ones are removed.

        Args:
            before: the row as it was read.
            after: the row as it should be.

        Returns:
            True if the row is as it should be now, or a tombstone took its place; False if it has
            changed since it was read, and was left alone.
        """
        item, present = self._read(before.arn)
        if present != before:
            return present == after or isinstance(present, Tombstone)
        old, new = before.item(), after.item()
        changed = {name: value for name, value in new.items() if old.get(name) != value}
        removed = {*old} - {*new}
        return self._set(changed, unchanged(item), expected=after, removed=removed)

    def delete(self, row: Row) -> bool:
        """Delete a row; it is no error if there is none.

        Returns:
            True if there is no row now, but maybe a tombstone; False if it has changed since it was
            read, and was left alone.
        """
        item, present = self._read(row.arn)
        if present != row:
            return present is None or isinstance(present, Tombstone)
        try:
            with self._shape_checked():
                self._table.delete(str(row.arn), unchanged(item))
        except ConditionFailedError as failed:
            # deleted by an earlier attempt, whose answer was lost; or buried
            return not failed.item or isinstance(read_item(failed.item), Tombstone)
        return True

    def bury(self, tombstone: Tombstone, before: Row | Tombstone | None) -> bool:
        """Write a tombstone, in place of the row or tombstone if there is one.

        Attributes of other tools are kept in the tombstone's row.

        Args:
            tombstone: of a layer version that is about to be deleted.
            before: its row or tombstone as it was read; None if there was none.

        Returns:
            True if the table has a tombstone of it now, maybe one of another run; False if its row
            has changed since it was read, and was left alone.
        """
        item, present = self._read(tombstone.arn)
        if present != before:
            return isinstance(present, Tombstone)
        condition = unchanged(item) if item else ABSENT
        new = {name: value for name, value in buried(tombstone, item).items() if name != KEY}
        removed = {*item} - {*new, KEY}
        try:
            with self._shape_checked():
                self._table.update(str(tombstone.arn), new, _all_set(new), condition, removed)
        except ConditionFailedError as failed:
            # also after an earlier attempt, whose answer was lost
            return isinstance(read_item(failed.item), Tombstone)
        return True

    def note_restored(self, arn: LayerArn, restored_as: LayerArn) -> bool:
        """Write into a tombstone which layer version has its content now.

        Returns:
            False if there is no such tombstone.
        """
        condition = WriteCondition(
            text=f"#{STATE} = :{STATE}",
            names={f"#{STATE}": STATE},
            values={f":{STATE}": {"S": DELETED}},
        )
        item: Item = {"restored_as": {"S": str(restored_as)}}
        try:
            with self._shape_checked():
                self._table.update(str(arn), item, _all_set(item), condition)
        except ConditionFailedError:
            return False
        return True

    def of_distribution(self, name: str) -> Rows:
        """Return the rows of a distribution, by an index that lags slightly behind the table."""
        if not name:
            return Rows(rows=())  # DynamoDB refuses an empty key
        index = shape.DISTRIBUTION_INDEX
        with self._shape_checked():
            return read_rows(self._table.query(index, shape.INDEXES[index][0], name))

    def all(self) -> Rows:
        """Return every row, in no particular order."""
        with self._shape_checked():
            return read_rows(self._table.scan())

    def check(self) -> None:
        """Check that the table has the expected shape.

        Raises:
            AwsError: it has not; every fault is named, and how to fix the first.
        """
        faults = self.faults()
        if faults:
            others = tuple(each.message for each in faults[1:])
            raise AwsError(faults[0].message, details=others, hint=faults[0].hint)

    def create(self) -> TableCreation:
        """Create the table, or the indexes that it lacks, and wait until it can be used.

        Raises:
            AwsError: the table has another shape, or is not ready after `CREATION_SECONDS`.
        """
        created = self._table.create(shape.definition(self.table))
        added: list[str] = []
        while (missing := self._missing_index()) and missing not in added:
            self._table.add_index(shape.index_addition(self._table.describe() or {}, missing))
            added.append(missing)
        self.check()
        return TableCreation(created=created, indexes=tuple(added))

    def _missing_index(self) -> str:
        """Wait until nothing is being created; return an index that is missing, and all else right.

        Returns:
            Name of the index; empty if there is none, or the table has another fault.
        """
        end = time.monotonic() + CREATION_SECONDS
        while any(each.passes for each in self.faults()) and time.monotonic() < end:
            time.sleep(1)
        missing = [each.missing_index for each in self.faults()]
        return missing[0] if all(missing) and missing else ""

    def faults(self) -> tuple[shape.TableFault, ...]:
        """Return the faults of the table."""
        described = self._table.describe()
        if described is None:
            return (shape.missing_table(self.table, self.region),)
        return tuple(shape.table_faults(described, self.region))

    def _item(self, arn: LayerArn) -> Item | None:
        with self._shape_checked():
            return self._table.get(str(arn))

    def _read(self, arn: LayerArn) -> tuple[Item, Row | ForeignRow | Tombstone | None]:
        """Return an item, empty if there is none, and what it is."""
        item = self._item(arn)
        return item or {}, read_item(item) if item else None

    def _set(
        self,
        item: Item,
        condition: WriteCondition,
        *,
        expected: Row,
        removed: Collection[str] = (),
    ) -> bool:
        """Change a row on a condition; return True if it is as expected, or buried, afterwards."""
        try:
            with self._shape_checked():
                self._table.update(str(expected.arn), item, _all_set(item), condition, removed)
        except ConditionFailedError as failed:
            # it may have been set by an earlier attempt, whose answer was lost
            present = read_item(failed.item)
            return present == expected or isinstance(present, Tombstone)
        return True

    @contextmanager
    def _shape_checked(self) -> Generator[None]:
        """If a request fails because of the table's shape, raise an error that names the faults."""
        try:
            yield
        except WrongTableError:
            self.check()
            raise


def opened_registry(aws: Aws, options: TableOptions) -> Registry:
    """Return the registry of the options `--table` and `--table-region`.

    The default region is AWS_REGION, AWS_DEFAULT_REGION, the profile's region or `DEFAULT_REGION`,
    in this order.

    Raises:
        UsageError: the region is not valid.
    """
    environment = os.environ.get("AWS_REGION")  # which boto3 does not read
    region = options.table_region or environment or aws.session.region_name or shape.DEFAULT_REGION
    if not re.match(REGION, region):
        raise UsageError(f"{quoted(region)} is no region", hint="name one: --table-region")
    return Registry(aws, options.table, region)


def optional_registry(aws: Aws, options: OptionalTableOptions) -> Registry | None:
    """Return the registry of the options; None for `--table none`.

    Raises:
        UsageError: the region is not valid.
    """
    return None if options.table == NO_TABLE else opened_registry(aws, options)


def _attributes(row: Row) -> Item:
    return {name: value for name, value in row.item().items() if name != KEY}


def _is_same(present: Row, row: Row) -> bool:
    """True if two rows of one ARN have the same content, or the present one names none."""
    is_same = present.code_sha256 in ("", row.code_sha256)
    return is_same and present.distribution == row.distribution


def _unburied(before: Item, row: Row) -> Item:
    """Return a row's attributes as `Registry.put` writes them over those before its tombstone."""
    new = _attributes(row)
    kept = {name: value for name, value in before.items() if name not in (KEY, SHARED_WITH)}
    changed = {name: new[name] for name in new if _is_set(name, new[name]) or name not in kept}
    return {**kept, **changed}


def _is_set(name: str, value: object) -> bool:
    """True for an attribute whose value replaces one that is there."""
    return name != TIMESTAMP and value not in ({"S": ""}, {"L": []})


def _assignments(item: Item) -> Iterator[str]:
    """Yield assignments; timestamp and empty values are set only if there is no value yet."""
    for name, value in item.items():
        if _is_set(name, value):
            yield f"#{name} = :{name}"
        else:
            yield f"#{name} = if_not_exists(#{name}, :{name})"


def _all_set(item: Item) -> list[str]:
    """Return assignments that set every attribute."""
    return [f"#{name} = :{name}" for name in item]
