"""`config/tuning.yaml`: changes of upstream's collector that make it start faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, model_validator

from pipeline.config.entries import (
    END,
    GO_MODULE,
    GO_PATH,
    GO_VERSION,
    ConfigModel,
    Entries,
    read_entries,
)
from pipeline.config.located_yaml import KeyPath
from pipeline.errors import Problem

TUNINGS = "tuning.yaml"
TUNING_FILES = "tuning"

TUNING_NAME = rf"^(?!.{{41}})[a-z0-9]+(-[a-z0-9]+)*{END}"
_FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
GO_FILE = rf"^({_FILE}/)*({_FILE}\.go|go\.mod){END}"
# The import path of a Go package; {module} stands for upstream's module.
GO_IMPORT = rf"^(\{{module\}}|[a-z0-9][a-z0-9.-]*)(/{GO_PATH})*{END}"

# A Go build tag of upstream's code or of a module's; components and tunings have their own.
GO_TAG = rf"^(?!lambdacomponents\b|ocelot\b)[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*{END}"

# The keys that lead to a setting of a collector config, as the collector itself names them.
SETTING_NAME = rf"^[a-z0-9_/.-]+(::[a-z0-9_/.-]+)*{END}"
# Stands for the name of the distribution that is built.
DISTRIBUTION_WORD = "{distribution}"

TuningName = Annotated[str, Field(pattern=TUNING_NAME)]
GoFile = Annotated[str, Field(pattern=GO_FILE, max_length=200)]
GoImport = Annotated[str, Field(pattern=GO_IMPORT, max_length=200)]
GoTag = Annotated[str, Field(pattern=GO_TAG, max_length=60)]
SettingName = Annotated[str, Field(pattern=SETTING_NAME, max_length=200)]
GoModule = Annotated[str, Field(pattern=GO_MODULE, max_length=200)]


class Edit(ConfigModel):
    """A change of one of upstream's Go files: a text that is replaced by another."""

    file: GoFile = Field(description="Path below collector/.")
    find: str = Field(min_length=1, max_length=200, description="The exact text to replace.")
    times: int = Field(default=1, ge=1, le=20, description="How often the file must contain it.")
    put: str = Field(
        max_length=2000,
        description="The new text; {distribution} stands for the distribution's name.",
    )
    imports: tuple[GoImport, ...] = Field(
        default=(), strict=False, description="Packages that the new text needs imported."
    )


class Replacement(ConfigModel):
    """A Go module below tuning/ that replaces one of upstream's go.mod."""

    module: GoModule = Field(description="Path of the module that is replaced.")
    version: str = Field(
        default="",
        pattern=rf"^({GO_VERSION})?{END}",
        description="The version that is replaced; any if not given.",
    )
    by: str = Field(
        pattern=rf"^[a-z][a-z0-9]*{END}", description="Folder of the new module, below tuning/."
    )


class Tuning(ConfigModel):
    """One entry of `config/tuning.yaml`: changes of upstream's collector that belong together."""

    reason: str = Field(min_length=1, max_length=600, description="The reason, for people.")
    gain: str = Field(default="", max_length=300, description="What was measured, and on what.")
    takes_away: str = Field(
        default="",
        max_length=300,
        alias="takes-away",
        description="What a layer with the tuning cannot do any more; empty if there is nothing.",
    )
    edits: tuple[Edit, ...] = Field(
        default=(), strict=False, description="Changes of files; all are applied, or none."
    )
    files: dict[GoFile, GoFile] = Field(
        default_factory=dict[str, str],
        description="Files to add, .go and go.mod: path below collector/ to path below tuning/.",
    )
    tags: tuple[GoTag, ...] = Field(
        default=(),
        strict=False,
        description="Go build tags, of upstream's code or of a module that it uses.",
    )
    replaces: tuple[Replacement, ...] = Field(
        default=(),
        strict=False,
        description="Modules to replace, those of them that upstream has. A tuning that only "
        "replaces modules is not needed where upstream has none of them.",
    )

    refuses: dict[SettingName, Annotated[tuple[str, ...], Field(strict=False)]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="Settings of a collector config that a layer with this tuning cannot serve, "
        "such as service::telemetry::metrics::readers, each with the values that it can serve.",
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Tuning:
        if not (self.edits or self.files or self.tags or self.replaces):
            raise ValueError("must have edits, files, tags or replaces")
        return self

    def naming(self, distribution: str) -> Tuning:
        """Return the tuning with a distribution's name in its new texts."""
        edits = tuple(
            each.model_copy(update={"put": each.put.replace(DISTRIBUTION_WORD, distribution)})
            for each in self.edits
        )
        return self.model_copy(update={"edits": edits})


def refused_settings(
    config: Mapping[str, Any], tunings: Mapping[str, Tuning]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield the keys of each setting that a layer with tunings cannot serve, and the reason.

    Args:
        config: a collector config.
        tunings: of the layer, by name.
    """
    for name, tuning in tunings.items():
        for setting, served in tuning.refuses.items():
            keys = tuple(setting.split("::"))
            value = _value_at(config, keys)
            if value not in (None, [], {}) and str(value).lower() not in served:
                instead = f"set it to {' or '.join(served)}" if served else "remove it"
                yield keys, f"{setting} has no effect with the tuning {name}: {instead}"


def _value_at(config: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    """Return a value of nested mappings; None where it is missing."""
    value: object = config
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return value


def read_tunings(folder: Path) -> Entries[Tuning]:
    """Read tuning.yaml, which a folder need not have."""
    tunings = read_entries(
        folder, TUNINGS, Tuning, names=TUNING_NAME, name_label="a tuning's name", optional=True
    )
    return tunings.with_problems(_file_problems(folder, tunings))


def _file_problems(folder: Path, tunings: Entries[Tuning]) -> Iterator[Problem]:
    """Return a problem for each file below tuning/ that a tuning names and that is missing."""
    for name, tuning in tunings.entries.items():
        for key, file in _files_of(tuning):
            if not (folder / TUNING_FILES / file).is_file():
                yield tunings.document.problem(
                    (name, *key), f"{name}.{key[0]}: there is no {TUNING_FILES}/{file}"
                )


def _files_of(tuning: Tuning) -> Iterator[tuple[tuple[str, str | int], str]]:
    """Return the files below tuning/ that a tuning names, each after the keys that name it."""
    for path, file in tuning.files.items():
        yield ("files", path), file
    for number, each in enumerate(tuning.replaces):
        yield ("replaces", number), f"{each.by}/go.mod"
