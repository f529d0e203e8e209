"""`ocelot inspect`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import JsonOptions, run, shared, shown_progress

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pipeline.audit.findings import Scan
    from pipeline.layer.inspection import Inspection
    from pipeline.layer.layerfile import LayerFile
    from pipeline.report.inspect import InspectOptions

STANDARD_OUTPUT = "-"


@shared
def inspect(
    *,
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, as built.")],
    modules: Annotated[
        bool, typer.Option("--modules", help="Every Go module with its version.")
    ] = False,
    sizes: Annotated[bool, typer.Option("--sizes", help="Which module takes which bytes.")] = False,
    top: Annotated[
        int, typer.Option("--top", min=0, help="Rows of --sizes, the largest; 0 for all.")
    ] = 20,
    sbom: Annotated[
        str,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Write a layer's bill of materials (CycloneDX 1.6); - for standard output.",
        ),
    ] = "",
    vulns: Annotated[
        bool, typer.Option("--vulns", help="What is known against them, by govulncheck.")
    ] = False,
    vuln_db: Annotated[
        str,
        typer.Option(
            "--vuln-db",
            metavar="URL|FOLDER",
            help="Another vulnerability database, with --vulns; default: Go's own.",
        ),
    ] = "",
    shown: JsonOptions,
) -> None:
    """Tell what is inside layers: versions, files, components, modules, sizes.

    The zip alone is read: no sources, no Go, no network, but for --vulns. A bill of materials has
    the licences of those modules that are in ocelot's Go module cache.
    """
    from concurrent.futures import ThreadPoolExecutor

    as_json = shown.as_json
    alone = bool(sbom) and not (as_json or modules or sizes or vulns)
    _check(zips, sbom, tables=not alone and not as_json)
    layers: list[dict[str, Any]] = []
    bill = b""
    with ThreadPoolExecutor(max_workers=1) as thread:
        for path in zips:
            # unpacking needs no interpreter: imports go on meanwhile
            opening = thread.submit(_opened, path)
            bill = _bill(opening, sbom) if sbom else b""
            if alone:
                continue
            found, options = _inspected(opening), _options(modules, sizes, top)
            if not as_json:
                _show(found, options)
            known = _scanned(found.layer, vuln_db) if vulns or vuln_db else None
            if as_json:
                layers.append(
                    _data(found, options, bill if sbom == STANDARD_OUTPUT else b"", known)
                )
            elif known:
                _show_known(known, path.name)
    if as_json:
        from pipeline.report.rendering import json_text

        typer.echo(json_text({"layers": layers}), nl=False)
    elif alone and sbom == STANDARD_OUTPUT:
        typer.echo(bill, nl=False)


def _check(zips: list[Path], sbom: str, *, tables: bool) -> None:
    from pipeline.errors import UsageError

    if sbom and len(zips) > 1:
        raise UsageError("--sbom takes one zip at a time", hint="run it once for each zip")
    if sbom == STANDARD_OUTPUT and tables:
        raise UsageError(
            "--sbom - leaves no room for tables on standard output",
            hint="name a file, or take all of it as one document with --json",
        )


def _opened(path: Path) -> LayerFile:
    from pipeline.errors import UsageError
    from pipeline.layer.layerfile import open_layer

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", hint="name a zip that `ocelot build` made"
        ) from error
    return open_layer(content, file=path.name)


def _bill(opening: Future[LayerFile], sbom: str) -> bytes:
    """The bill of materials, written to its file; how many licences it has is told."""
    from pipeline.files import write_atomic
    from pipeline.layer.buildinfo import read_build_info
    from pipeline.layer.elf import read_elf
    from pipeline.paths import module_cache
    from pipeline.supply.licences import licences
    from pipeline.supply.sbom import bill_of_materials

    layer = opening.result()
    info = read_build_info(read_elf(layer.collector))
    known = licences(info.modules, module_cache())
    bill = bill_of_materials(layer, info, name=Path(layer.file).stem, licences=known)
    count = f"{len(info.modules)} modules, the licences of {len(known)}"
    if sbom == STANDARD_OUTPUT:
        typer.echo(f"bill of materials: {count}", err=True)
    else:
        write_atomic(Path(sbom), bill)
        typer.echo(f"{sbom}: {count}", err=True)
    return bill


def _inspected(opening: Future[LayerFile]) -> Inspection:
    from pipeline.layer.inspection import inspect_layer

    return inspect_layer(opening.result())


def _scanned(layer: LayerFile, database: str) -> Scan:
    """What is known against a layer's collector."""
    from pipeline.audit.vulnerabilities import DATABASE, scan
    from pipeline.paths import cache_folder

    work = partial(scan, layer.collector, cache=cache_folder(), database=database or DATABASE)
    with shown_progress():
        return run(work)


def _options(modules: bool, sizes: bool, top: int) -> InspectOptions:
    from pipeline.report.inspect import InspectOptions

    return InspectOptions(modules=modules, sizes=sizes, top=top)


def _data(
    found: Inspection, options: InspectOptions, bill: bytes, known: Scan | None
) -> dict[str, Any]:
    from pipeline.report.inspect import inspection_data
    from pipeline.report.vulnerabilities import scan_data

    data = inspection_data(found, options)
    if bill:
        data["sbom"] = json.loads(bill)
    if known:
        data["vulnerabilities"] = scan_data(known)
    return data


def _show(found: Inspection, options: InspectOptions) -> None:
    from pipeline.report.inspect import inspection_reports
    from pipeline.report.rendering import show

    show(*inspection_reports(found, options))


def _show_known(known: Scan, name: str) -> None:
    from pipeline.report.rendering import show
    from pipeline.report.vulnerabilities import scan_report

    show(scan_report(known, name))
