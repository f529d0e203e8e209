"""`config/distributions.yaml`: named sets of components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from pipeline.config.entries import BUILD_TAG, END, ConfigModel, shown, suggestion
from pipeline.config.located_yaml import Document, read_document
from pipeline.config.tuning import TUNINGS, Tuning, TuningName
from pipeline.errors import Problem

DISTRIBUTION_NAME = rf"^(?!.{{65}})[a-z0-9]+(-[a-z0-9]+)*{END}"

DistributionName = Annotated[str, StringConstraints(pattern=DISTRIBUTION_NAME, max_length=64)]
# Python's `$` and `(?!…)` are needed, so these patterns are matched by Python's own engine.
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

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())


def with_bases(distributions: Mapping[str, Distribution], name: str) -> tuple[str, ...]:
    """A distribution's name and its bases' names, up to one that is unknown or repeated."""
    names: list[str] = []
    current: str | None = name
    while current and current in distributions and current not in names:
        names.append(current)
        current = distributions[current].base
    return tuple(names)


def inheritance_problems(
    distributions: Mapping[str, Distribution], document: Document
) -> Iterator[Problem]:
    """Bases that do not exist, that form a circle, or that have nothing to inherit."""
    names = document.mapping
    for name, distribution in distributions.items():
        base = distribution.base
        if base is None:
            continue
        lineage = with_bases(distributions, name)
        key_path = (name, "base")
        if base not in names:
            yield document.problem(key_path, f"{name}.base: no {base!r}{suggestion(base, names)}")
        elif distributions.get(lineage[-1], distribution).base == name:
            circle = " -> ".join((*lineage, name))
            yield document.problem(key_path, f"{name}.base: the bases go in a circle: {circle}")
        elif (
            distribution.buildtags
            and base in distributions
            and not any(distributions[each].buildtags for each in lineage[1:])
        ):
            yield document.problem(
                key_path,
                f"{name}.base: {base} has no build tags to inherit: it stands for upstream's "
                "default set, which upstream drops as soon as a tag is given; "
                "name its components instead",
            )


def config_file_problems(
    folder: Path, distributions: Mapping[str, Distribution], document: Document
) -> Iterator[Problem]:
    """Collector configs that are missing, outside the config folder, or not valid YAML."""
    for name, distribution in distributions.items():
        if distribution.config_file is None:
            continue
        key_path = (name, "config-file")
        path = (folder / distribution.config_file).resolve()
        label = f"{name}.config-file: {distribution.config_file}"
        if not path.is_relative_to(folder.resolve()):
            yield document.problem(key_path, f"{label} leads out of the config folder")
        elif not path.is_file():
            yield document.problem(key_path, f"{label}: there is no such file in {shown(folder)}")
        else:
            collector = read_document(path, shown(path))
            yield from collector.problems
            if not collector.problems and not isinstance(collector.data, dict):
                yield document.problem(key_path, f"{label} is no collector config")


def tuning_problems(
    distributions: Mapping[str, Distribution], tunings: Mapping[str, Tuning], document: Document
) -> Iterator[Problem]:
    """Tunings of distributions that tuning.yaml does not have."""
    for name, distribution in distributions.items():
        for at, tuning in enumerate(distribution.tunings):
            if tuning not in tunings:
                message = f"{name}.tunings: no {tuning!r} in {TUNINGS}{suggestion(tuning, tunings)}"
                yield document.problem((name, "tunings", at), message)
