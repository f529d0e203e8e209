"""`config/tuning.yaml`: changes of upstream's collector that make it start sooner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config.entries import (
    END,
    GO_MODULE,
    GO_PATH,
    GO_VERSION,
    ConfigModel,
    Entries,
    read_entries,
    read_file,
)

TUNINGS = "tuning.yaml"
TUNING_FILES = "tuning"

TUNING_NAME = rf"^(?!.{{41}})[a-z0-9]+(-[a-z0-9]+)*{END}"
_FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
GO_FILE = rf"^({_FILE}/)*({_FILE}\.go|go\.mod){END}"
# A package's path as Go's sources name it; {module} stands for upstream's own module.
GO_IMPORT = rf"^(\{{module\}}|[a-z0-9][a-z0-9.-]*)(/{GO_PATH})*{END}"

TuningName = Annotated[str, Field(pattern=TUNING_NAME)]
GoFile = Annotated[str, Field(pattern=GO_FILE, max_length=200)]
GoImport = Annotated[str, Field(pattern=GO_IMPORT, max_length=200)]
GoModule = Annotated[str, Field(pattern=GO_MODULE, max_length=200)]


class Edit(ConfigModel):
    """A change of one of upstream's Go files: a short string, and what is to stand in its place."""

    file: GoFile = Field(description="Path below collector/.")
    find: str = Field(min_length=1, max_length=200, description="What is there, exactly.")
    times: int = Field(default=1, ge=1, le=20, description="How often it has to be there.")
    put: str = Field(max_length=2000, description="What is to stand in its place.")
    imports: tuple[GoImport, ...] = Field(
        default=(), strict=False, description="Packages that the file has to import then."
    )


class Replacement(ConfigModel):
    """A Go module of ours in place of one that upstream's go.mod names."""

    module: GoModule = Field(description="Its path.")
    version: str = Field(
        default="",
        pattern=rf"^({GO_VERSION})?{END}",
        description="The version that ours stands in for; any if not given.",
    )
    by: str = Field(pattern=rf"^[a-z][a-z0-9]*{END}", description="Our folder, below tuning/.")


class Tuning(ConfigModel):
    """One entry of `config/tuning.yaml`: changes of upstream's collector that pay."""

    reason: str = Field(min_length=1, max_length=600, description="Why it is good, for people.")
    gain: str = Field(default="", max_length=300, description="What was measured, and on what.")
    edits: tuple[Edit, ...] = Field(
        default=(), strict=False, description="Changes; all of them or none."
    )
    files: dict[GoFile, GoFile] = Field(
        default_factory=dict[str, str],
        description="Files of our own, .go and go.mod: path below collector/, path below tuning/.",
    )
    replaces: Replacement | None = Field(
        default=None,
        description="A module; where upstream does not have it, the tuning is not needed.",
    )

    @model_validator(mode="after")
    def _something(self) -> Tuning:
        if not self.edits and not self.files and not self.replaces:
            raise ValueError("must have edits, files or replaces")
        return self


def read_tunings(folder: Path) -> Entries[Tuning]:
    """tuning.yaml, which a folder need not have; the files it names must be there."""
    if not (folder / TUNINGS).exists():
        return Entries(entries={}, problems=())
    document = read_file(folder, TUNINGS)
    tunings = read_entries(document, Tuning, TUNING_NAME, "a tuning's name")
    absent = (
        document.problem((name, *key), f"{name}.{key[0]}: there is no {TUNING_FILES}/{own}")
        for name, tuning in tunings.entries.items()
        for key, own in _files_of(tuning)
        if not (folder / TUNING_FILES / own).is_file()
    )
    problems = (*document.problems, *tunings.problems, *absent)
    return Entries(entries=tunings.entries, problems=problems)


def _files_of(tuning: Tuning) -> Iterator[tuple[tuple[str, str], str]]:
    """The files below tuning/ that a tuning must have, each with the key that names it."""
    for path, own in tuning.files.items():
        yield ("files", path), own
    if tuning.replaces:
        yield ("replaces", "by"), f"{tuning.replaces.by}/go.mod"
