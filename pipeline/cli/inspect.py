"""`ocelot inspect`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import JsonOptions, shared
from pipeline.cli.printing import check_file
from pipeline.cli.running import run, shown_progress
from pipeline.options import InspectOptions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pipeline.layer.layerfile import LayerFile

STANDARD_OUTPUT = "-"


@shared
def inspect(
    *,
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Zips of layers.")],
    options: InspectOptions,
    sbom: Annotated[
        str,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Write the bill of materials (CycloneDX 1.6); - for standard output.",
        ),
    ] = "",
    vulns: Annotated[
        bool, typer.Option("--vulns", help="List known vulnerabilities, found by govulncheck.")
    ] = False,
    vuln_db: Annotated[
        str,
        typer.Option(
            "--vuln-db",
            metavar="URL|FOLDER",
            help="Vulnerability database for --vulns; default: Go's own.",
        ),
    ] = "",
    shown: JsonOptions,
) -> None:
    """Show what layers contain: versions, files, components, modules, sizes.

    Only the zip is read: no sources, no Go, no network, except for --vulns. A bill of materials has
    the licences of those modules that are in ocelot's Go module cache.
    """
    from concurrent.futures import ThreadPoolExecutor

    tables = not shown.as_json and (not sbom or options.modules or options.sizes or vulns)
    _check(zips, sbom, tables=tables)
    check_file("--sbom", Path(sbom) if sbom else None)
    layers: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=1) as thread:
        for path in zips:
            opening = thread.submit(_read, path)  # unpacks in C, while this thread imports
            values = _show_bill(opening, sbom, as_json=shown.as_json) if sbom else {}
            if tables or shown.as_json:
                values = {**_show(opening, options, as_json=shown.as_json), **values}
                if vulns or vuln_db:
                    values |= _show_vulnerabilities(opening, vuln_db, as_json=shown.as_json)
            layers.append(values)
    if shown.as_json:
        from pipeline.report.rendering import json_text

        typer.echo(json_text({"layers": layers}), nl=False)


def _check(zips: list[Path], sbom: str, *, tables: bool) -> None:
    from pipeline.errors import UsageError

    if sbom and len(zips) > 1:
        raise UsageError("--sbom takes one zip at a time", hint="run it once for each zip")
    if sbom == STANDARD_OUTPUT and tables:
        raise UsageError(
            "--sbom - cannot be combined with tables: both are for standard output",
            hint="name a file, or take everything as one document with --json",
        )


def _read(path: Path) -> LayerFile:
    from pipeline.layer.layerfile import read_layer

    return read_layer(path)


def _show_bill(opening: Future[LayerFile], sbom: str, *, as_json: bool) -> dict[str, Any]:
    """Write the bill of materials, or return it for the JSON document."""
    from pipeline.files import write_atomic
    from pipeline.paths import module_cache
    from pipeline.supply.sbom import layer_bill

    bill = layer_bill(opening.result(), module_cache())
    to_file = sbom != STANDARD_OUTPUT
    if to_file:
        write_atomic(Path(sbom), bill.content)
    elif not as_json:
        typer.echo(bill.content, nl=False)
    count = f"{len(bill.modules)} modules, the licences of {bill.licensed}"
    typer.echo(f"{sbom if to_file else 'bill of materials'}: {count}", err=True)
    return {} if to_file else {"sbom": json.loads(bill.content)}


def _show(opening: Future[LayerFile], options: InspectOptions, *, as_json: bool) -> dict[str, Any]:
    """Print what a layer contains, or return it for the JSON document."""
    from pipeline.layer.inspection import inspect_layer
    from pipeline.report.inspect import inspection_data, inspection_reports
    from pipeline.report.rendering import show

    found = inspect_layer(opening.result())
    if as_json:
        return inspection_data(found, options)
    show(*inspection_reports(found, options))
    return {}


def _show_vulnerabilities(
    opening: Future[LayerFile], database: str, *, as_json: bool
) -> dict[str, Any]:
    """Print a layer's known vulnerabilities, or return them for the JSON document."""
    from pipeline.audit.vulnerabilities import DATABASE, scan
    from pipeline.paths import cache_folder
    from pipeline.report.rendering import show
    from pipeline.report.vulnerabilities import scan_data, scan_report

    layer = opening.result()
    work = partial(scan, layer.collector, cache=cache_folder(), database=database or DATABASE)
    with shown_progress():
        found = run(work)
    if as_json:
        return {"vulnerabilities": scan_data(found)}
    show(scan_report(found, layer.file))
    return {}
