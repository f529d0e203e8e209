"""The contents of zips in a folder: from the zips, or else from their bills of materials."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pipeline.errors import UsageError
from pipeline.files import LARGEST_RECORD, read_regular
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import read_layer
from pipeline.layer.manifest import FILE_NAME, Layer
from pipeline.notes.facts import TAGS, KnownVulnerability, LayerContents, inspected_contents

# Files beside a manifest that may have vulnerabilities.
VULNERABILITIES = "vulnerabilities.json"
FOUND_VULNERABILITIES = (VULNERABILITIES, "verification.json")
_HINT = "give the JSON of `ocelot inspect ZIP --vulns --json`"


def folder_contents(
    folder: Path, entries: Iterable[Layer], vulnerabilities: Path | None = None
) -> Mapping[str, LayerContents]:
    """Return the contents of zips by sha256, as far as the files beside their manifest show them.

    Args:
        folder: of the manifest.
        entries: the manifest's, for these zips.
        vulnerabilities: a file of vulnerabilities; None for those of the folder.

    Raises:
        UsageError: a zip is not that of the manifest, or a file cannot be read.
    """
    found = _vulnerabilities(folder, vulnerabilities)
    return {
        each.sha256: replace(_contents(folder, each), vulnerabilities=found.get(each.sha256))
        for each in entries
    }


def _contents(folder: Path, entry: Layer) -> LayerContents:
    path = folder / Path(entry.file).name
    known = LayerContents(go=entry.go.version, build_tags=_build_tags(entry.go.command))
    if not path.is_file():
        return replace(known, modules=_listed_modules(path.with_suffix(".cdx.json")))
    layer = read_layer(path)
    if layer.sha256 != entry.sha256:
        raise UsageError(
            f"{path} has sha256 {layer.sha256}, {FILE_NAME} beside it says {entry.sha256}",
            hint="it was changed after it was built: build it again",
        )
    return inspected_contents(inspect_layer(layer))


def _build_tags(command: Sequence[str]) -> tuple[str, ...]:
    """Return the build tags in the compiler's command line."""
    for at, word in enumerate(command):
        name, _, value = word.partition("=")
        if name == TAGS:
            return tuple(
                sorted(filter(None, (value or "".join(command[at + 1 : at + 2])).split(",")))
            )
    return ()


def _listed_modules(path: Path) -> Mapping[str, str] | None:
    """Return the Go modules of a bill of materials by path; None without one."""
    if not path.is_file():
        return None
    bill = _json(path, "give the bill of materials that `ocelot build` wrote")
    return {
        each["name"]: each["version"]
        for each in bill.get("components", [])
        if each.get("type") == "library" and each.get("version") and each["name"] != "stdlib"
    }


def _vulnerabilities(
    folder: Path, given: Path | None
) -> Mapping[str, tuple[KnownVulnerability, ...]]:
    """Return the vulnerabilities in a file by the zips' sha256."""
    present = [folder / name for name in FOUND_VULNERABILITIES if (folder / name).is_file()]
    found: dict[str, tuple[KnownVulnerability, ...]] = {}
    for path in [given] if given else present:
        try:
            layers: list[dict[str, Any]] = _json(path, _HINT)["layers"]
            for each in layers:
                if each.get("vulnerabilities"):
                    found[each["sha256"]] = _known(each["vulnerabilities"])
        except (LookupError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} has no layers with vulnerabilities", hint=_HINT) from error
    return found


def _known(scan: dict[str, Any]) -> tuple[KnownVulnerability, ...]:
    return tuple(
        sorted(
            KnownVulnerability(
                id=str(each["id"]), module=str(each["module"]), summary=str(each["summary"])
            )
            for each in scan["vulnerabilities"]
        )
    )


def _json(path: Path, hint: str) -> dict[str, Any]:
    try:
        content: object = json.loads(read_regular(path, LARGEST_RECORD))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}", hint=hint) from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is no JSON object", hint=hint)
    return cast("dict[str, Any]", content)
