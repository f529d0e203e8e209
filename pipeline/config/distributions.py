"""`config/distributions.yaml`: named sets of components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from pipeline.config.entries import (
    BUILD_TAG,
    END,
    LFS_POINTER,
    ConfigModel,
    Entries,
    one_line,
    read_entries,
    shown,
    suggestion,
)
from pipeline.config.located_yaml import read_document
from pipeline.config.tuning import TUNINGS, TuningName
from pipeline.errors import Problem
from pipeline.paths import DISTRIBUTIONS

DISTRIBUTION_NAME = rf"^(?!.{{65}})[a-z0-9]+(-[a-z0-9]+)*{END}"
_NO_CONFIG = " is no collector config"

DistributionName = Annotated[str, StringConstraints(pattern=DISTRIBUTION_NAME, max_length=64)]
BuildTag = Annotated[str, Field(pattern=BUILD_TAG)]


class Distribution(ConfigModel):
    """One entry of `config/distributions.yaml`: a named set of components."""

    description: str = Field(
        default="", max_length=200, description="For people; it goes into the layer, as one line."
    )
    base: DistributionName | None = Field(
        default=None, description="A distribution whose build tags come first."
    )
    buildtags: tuple[BuildTag, ...] = Field(
        default=(), strict=False, description="Build tags of the components to switch on."
    )
    config_file: str | None = Field(
        default=None,
        alias="config-file",
        pattern=rf"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\.ya?ml{END}",
        description="The collector config inside the layer, relative to the config folder.",
    )
    tunings: tuple[TuningName, ...] = Field(
        default=(),
        strict=False,
        description="Tunings of tuning.yaml; those of the base come first.",
    )

    _one_line = field_validator("description")(one_line)


def read_distributions(folder: Path, tunings: Mapping[str, object]) -> Entries[Distribution]:
    """Read distributions.yaml.

    Args:
        folder: the config folder.
        tunings: the entries of tuning.yaml.
    """
    distributions = read_entries(
        folder,
        DISTRIBUTIONS,
        Distribution,
        names=DISTRIBUTION_NAME,
        name_label="a distribution's name",
    )
    return distributions.with_problems(
        (
            *_base_problems(distributions),
            *_config_file_problems(folder, distributions),
            *_tuning_problems(distributions, tunings),
        )
    )


def with_bases(distributions: Mapping[str, Distribution], name: str) -> tuple[str, ...]:
    """Return a distribution's name and its bases' names, nearest first.

    They end before a name that is unknown or repeated.
    """
    names: list[str] = []
    current: str | None = name
    while current and current in distributions and current not in names:
        names.append(current)
        current = distributions[current].base
    return tuple(names)


def _base_problems(distributions: Entries[Distribution]) -> Iterator[Problem]:
    """Return a problem for each base that is unknown, part of a circle, or without build tags."""
    for name, distribution in distributions.entries.items():
        if distribution.base and (message := _base_message(distributions, name, distribution.base)):
            yield distributions.document.problem((name, "base"), f"{name}.base: {message}")


def _base_message(distributions: Entries[Distribution], name: str, base: str) -> str:
    entries, names = distributions.entries, distributions.document.mapping
    lineage = with_bases(entries, name)
    if base not in names:
        return f"there is no distribution {base!r}{suggestion(base, names)}"
    if entries[lineage[-1]].base == name:
        return f"the bases form a circle: {' -> '.join((*lineage, name))}"
    inherits = base not in entries or any(entries[each].buildtags for each in lineage[1:])
    if entries[name].buildtags and not inherits:
        return (
            f"{base} has no build tags to inherit: it is upstream's default set, which "
            "upstream drops as soon as a tag is given; name its components instead"
        )
    return ""


def _config_file_problems(folder: Path, distributions: Entries[Distribution]) -> Iterator[Problem]:
    """Return the problems of collector configs: missing, outside the folder, or not valid YAML."""
    for name, distribution in distributions.entries.items():
        if distribution.config_file is None:
            continue
        path = (folder / distribution.config_file).resolve()
        if not path.is_relative_to(folder.resolve()):
            message = " leads out of the config folder"
        elif not path.is_file():
            message = f": there is no such file in {shown(folder)}"
        else:
            collector = read_document(path, shown(path))
            yield from collector.problems
            if collector.problems or isinstance(collector.data, dict):
                continue
            is_pointer = str(collector.data).startswith(LFS_POINTER)
            message = " is a Git LFS pointer: git lfs pull" if is_pointer else _NO_CONFIG
        yield distributions.document.problem(
            (name, "config-file"), f"{name}.config-file: {distribution.config_file}{message}"
        )


def _tuning_problems(
    distributions: Entries[Distribution], tunings: Mapping[str, object]
) -> Iterator[Problem]:
    """Return a problem for each tuning that tuning.yaml does not have."""
    for name, distribution in distributions.entries.items():
        for at, tuning in enumerate(distribution.tunings):
            if tuning not in tunings:
                yield distributions.document.problem(
                    (name, "tunings", at),
                    f"{name}.tunings: {TUNINGS} has no {tuning!r}{suggestion(tuning, tunings)}",
                )
