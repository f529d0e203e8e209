"""The registry: a DynamoDB table with a row for each published layer version.

`registry.py` is the entry point: a `Registry` reads rows, and writes and deletes them on
conditions, so that no other writer's row is lost. Publishing writes the row of a layer version
that exists; the commands under `ocelot layers` read rows; `sync/` repairs rows that do not match
the layer versions in AWS.

- `row.py` is one row: as ocelot has it, as DynamoDB stores it, and as older tools wrote it. A row
  that cannot be read is a `ForeignRow`: it is reported and left alone.
- `tombstone.py` is the record of a deleted layer version, which takes the place of its row.
  `rows.py` tells rows, tombstones and foreign rows apart.
- `table.py` is the table's shape, the faults of a table, and the command that makes it.
- `history.py` selects rows, and groups a distribution's rows into releases.
"""
