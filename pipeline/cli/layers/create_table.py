"""`ocelot layers create-table`."""

from __future__ import annotations

from pipeline.cli.options import JsonOptions, shared
from pipeline.cli.running import shown_progress
from pipeline.options import TableOptions


@shared
def create_table(table: TableOptions, shown: JsonOptions) -> None:
    """Create the registry's table, with your own AWS credentials, and wait until it can be used.

    To a table that exists already only the indexes that it lacks are added.
    """
    from pipeline.aws.session import default_aws
    from pipeline.registry.registry import opened_registry
    from pipeline.report.layers import table_json, table_report

    with shown_progress():
        registry = opened_registry(default_aws(), table)
        creation = registry.create()
    text = table_json(registry.table, registry.region, creation)
    shown.show(text, table_report(registry.table, registry.region, creation))
