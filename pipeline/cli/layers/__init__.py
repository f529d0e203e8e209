"""`ocelot layers …`: the published layers, as the registry lists them; one file for each verb.

`list`, `show` and `history` only read the registry and share `rows`; `used` lists the functions
that use layers, and moves them; `sync` repairs the registry, `create-table` makes it.
"""

from __future__ import annotations

import typer

from pipeline.cli.layers.create_table import create_table
from pipeline.cli.layers.history import history
from pipeline.cli.layers.list import list_layers
from pipeline.cli.layers.show import show_layer
from pipeline.cli.layers.sync import sync
from pipeline.cli.layers.used import used

app = typer.Typer(
    help="List published layers; create and repair their registry.", no_args_is_help=True
)
app.command("list")(list_layers)
app.command("show")(show_layer)
app.command("history")(history)
app.command("used")(used)
app.command("sync")(sync)
app.command("create-table")(create_table)
