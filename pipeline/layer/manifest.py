"""`manifest.json`: a record of each zip in a folder. `config/manifest.schema.json` is its schema.

A build replaces the entries of the zips that it writes and keeps the other entries whose zip is
still there unchanged.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ConfigDict, Field, ValidationError

from pipeline.errors import UsageError
from pipeline.files import LARGEST_RECORD, folder_lock, read_regular, write_atomic
from pipeline.naming import SCHEMA_DIALECT, Architecture
from pipeline.record import Record, field_problems

FILE_NAME = "manifest.json"
VERSION = 1
# `benched` of a layer that passed the bench.
PASSED = "passed"


class _ManifestModel(Record):
    # a manifest that is written has every key; an older one may lack some
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Upstream(_ManifestModel):
    """The source of the collector: repository and commit."""

    repository: str
    ref: str
    commit: str = Field(description="Full SHA; for a plain folder the SHA-1 of its content.")


class Go(_ManifestModel):
    """The Go that compiled the binary, and how."""

    version: str = Field(description="Such as 1.26.6.")
    command: tuple[str, ...] = Field(description="The compiler's command line.")
    environment: dict[str, str] = Field(description="The variables that matter for the result.")


class Start(_ManifestModel):
    """Medians of a layer's cold starts on the bench."""

    starts: int = Field(description="Number of cold starts.")
    cpu: float = Field(description="Seconds of CPU time from exec to ready.")
    memory: int = Field(description="Bytes in use when ready.")
    cpu_times: float | None = Field(
        description="CPU time as a multiple of the reference extension's in the same run; null "
        "where there was none. The reference extension only registers."
    )
    memory_times: float | None = Field(
        description="Memory as a multiple of the reference extension's."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchNote:
    """The result of the bench for one layer, as its manifest entry has it.

    Attributes:
        benched: as in `Layer`.
        start: figures of its cold starts; None where there are none.
    """

    benched: str = ""
    start: Start | None = None


class Layer(_ManifestModel):
    """One zip in the folder."""

    file: str = Field(description="Name of the zip, beside the manifest.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    code_sha256: str = Field(description="The same in base64, as AWS Lambda's CodeSha256.")
    size: int = Field(description="Bytes of the zip.")
    unzipped_size: int = Field(description="Bytes of its files.")
    architecture: Architecture
    distribution: str
    description: str
    build_tags: tuple[str, ...]
    custom_modules: tuple[str, ...] = Field(description="Go modules added, as module@version.")
    tunings: tuple[str, ...] = Field(
        description="Names of the tunings (tuning.yaml) that changed upstream's files."
    )
    collector_version: str
    upstream: Upstream
    go: Go
    packer: str
    source_date_epoch: int = Field(description="The timestamp of every file in the zip.")
    engine: str = Field(description="Where the compiler ran: host or dagger.")
    ocelot: str = Field(description="Version of ocelot.")
    evidence: dict[str, str] = Field(
        description="Files about the zip, beside it, with their SHA-256: bill of materials "
        "(.cdx.json), provenance (.intoto.json).",
    )
    dead_code_elimination: bool | None = Field(
        default=None,
        description="True if the linker could drop unused methods from the binary; null for a "
        "build of an older ocelot.",
    )
    locked: bool = Field(description="True if the build was exactly as ocelot.lock says.")
    benched: str = Field(
        default="",
        description="Result of the bench: passed, `skipped: ` and why, `failed: ` and how; empty "
        "if it has not run.",
    )
    start: Start | None = Field(
        default=None, description="Figures of the cold starts on that bench; null for none."
    )

    @property
    def bench_note(self) -> BenchNote:
        """The bench's result for this layer."""
        return BenchNote(benched=self.benched, start=self.start)

    def with_bench_note(self, bench_note: BenchNote) -> Layer:
        """Return this entry with another result of the bench."""
        return self.model_copy(update={"benched": bench_note.benched, "start": bench_note.start})


class Manifest(_ManifestModel):
    """The zips of one folder, sorted by file name."""

    version: int = VERSION
    layers: tuple[Layer, ...]

    def text(self) -> str:
        """Return the manifest as JSON, a line for each value."""
        return self.model_dump_json(indent=2) + "\n"


def code_sha256(content: bytes) -> str:
    """Return a SHA-256 in base64, as GetLayerVersion's CodeSha256."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def schema() -> dict[str, Any]:
    """Return the manifest's JSON Schema."""
    return {"$schema": SCHEMA_DIALECT, **Manifest.model_json_schema(mode="serialization")}


def merged_manifest(
    old: Manifest | None, new: tuple[Layer, ...], present: dict[str, str]
) -> Manifest:
    """Return a manifest of the new layers and of the old ones whose zip is unchanged.

    A bench result is kept where the same bytes were built again.

    Args:
        old: the folder's manifest so far.
        new: the layers just built.
        present: SHA-256 in hex of the folder's zips by file name.
    """
    found = {layer.sha256: layer.bench_note for layer in (old.layers if old else ())}
    new = tuple(
        layer if layer.benched else layer.with_bench_note(found.get(layer.sha256, layer.bench_note))
        for layer in new
    )
    built = {layer.file for layer in new}
    kept = [
        layer
        for layer in (old.layers if old else ())
        if layer.file not in built and present.get(layer.file) == layer.sha256
    ]
    return Manifest(layers=tuple(sorted((*new, *kept), key=lambda layer: layer.file)))


def update_manifest(folder: Path, new: tuple[Layer, ...]) -> Manifest:
    """Add new layers to a folder's manifest and return it; the folder is locked meanwhile.

    Raises:
        UsageError: there is a manifest that cannot be read; see `folder_manifest`.
    """
    with folder_lock(folder):
        path = folder / FILE_NAME
        old = folder_manifest(folder)
        built = {layer.file for layer in new}
        names = [layer.file for layer in old.layers if layer.file not in built] if old else []
        zips = [folder / name for name in names if (folder / name).is_file()]
        present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in zips}
        manifest = merged_manifest(old, new, present)
        write_atomic(path, manifest.text().encode())
    return manifest


def folder_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder to which a build adds; None where it has none.

    Raises:
        UsageError: it is damaged or of a newer ocelot: its entries would be lost.
    """
    try:
        return read_manifest(folder / FILE_NAME)
    except UsageError as error:
        raise UsageError(
            str(error),
            hint="name another folder with --output, or delete that file: zips that only it lists "
            "must then be built again",
            details=error.details,
        ) from None


def write_bench_notes(folder: Path, notes: Mapping[str, BenchNote]) -> Manifest | None:
    """Write results of the bench, by the zips' sha256, into a folder's manifest.

    Returns:
        The manifest; None where the folder has none.

    Raises:
        OutputError: it cannot be written.
    """
    with folder_lock(folder):
        path = folder / FILE_NAME
        old = read_manifest(path)
        if old is None:
            return None
        layers = tuple(
            layer.with_bench_note(notes.get(layer.sha256, layer.bench_note)) for layer in old.layers
        )
        manifest = old.model_copy(update={"layers": layers})
        write_atomic(path, manifest.text().encode())
    return manifest


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None where there is no such file.

    Raises:
        UsageError: it is not valid; the message names the file and the fields.
    """
    try:
        content: object = json.loads(read_regular(path, LARGEST_RECORD))
        if newer := _newer_version(content):
            raise UsageError(f"{path} is of a newer ocelot (version {newer})", hint="update ocelot")
        return Manifest.model_validate(content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        problems = field_problems(error)
    except OSError as error:
        problems = (error.strerror or str(error),)
    except (ValueError, RecursionError) as error:  # ValueError: JSON's and Unicode's
        problems = (str(error),)
    raise UsageError(
        f"{path} is no manifest of ocelot: {problems[0]}",
        hint="give the manifest.json of a build",
        details=problems[1:],
    )


def _newer_version(content: object) -> int:
    """Return the version of a manifest that is newer than this ocelot's; 0 for any other."""
    version = cast("dict[str, object]", content).get("version") if isinstance(content, dict) else 0
    return version if isinstance(version, int) and version > VERSION else 0
