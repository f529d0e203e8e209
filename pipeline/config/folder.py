"""The config folder: its files read and checked together, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.budgets import Budget, read_budgets
from pipeline.config.components import COMPONENT_TAG, COMPONENTS, Component, module_problems
from pipeline.config.distributions import (
    DISTRIBUTION_NAME,
    Distribution,
    config_file_problems,
    inheritance_problems,
    tuning_problems,
    with_bases,
)
from pipeline.config.entries import read_entries, read_file, read_single, suggestion
from pipeline.config.images import IMAGES, Images
from pipeline.config.located_yaml import Document
from pipeline.config.regions import REGIONS, Regions
from pipeline.config.tuning import TUNING_FILES, Tuning, read_tunings
from pipeline.errors import ConfigError, Problem, UsageError
from pipeline.naming import CUSTOM_TAG
from pipeline.paths import DISTRIBUTIONS

OVERLAY = "overlay"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The checked configuration.

    Attributes:
        folder: the config folder.
        distributions: by name, in the file's order.
        components: custom components by build tag, in the file's order.
        images: the Dagger engine's images; None where the folder names none.
        document: distributions.yaml with its lines, for problems found later.
        budgets: by distribution; empty where the folder has none.
        regions: sets of regions; None where the folder names none.
        tunings: by name; empty where the folder has none.
    """

    folder: Path
    distributions: Mapping[str, Distribution]
    components: Mapping[str, Component]
    document: Document
    images: Images | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])
    regions: Regions | None = None
    tunings: Mapping[str, Tuning] = field(default_factory=dict[str, Tuning])

    @property
    def tuning_files(self) -> Path:
        """The folder of the Go files that tunings bring."""
        return self.folder / TUNING_FILES

    @property
    def overlay(self) -> Path:
        """The folder whose files are copied over upstream's collector/."""
        return self.folder / OVERLAY

    def distribution(self, name: str) -> Distribution:
        """The distribution of that name.

        Raises:
            UsageError: there is none; the message names the nearest.
        """
        if name in self.distributions:
            return self.distributions[name]
        raise UsageError(
            f"there is no distribution {name!r}{suggestion(name, self.distributions)}",
            hint=f"{self.document.name} has: {', '.join(self.distributions)}",
        )

    def lineage(self, name: str) -> tuple[str, ...]:
        """The distribution's name and its bases' names, nearest first."""
        return with_bases(self.distributions, name)

    def tags(self, name: str) -> tuple[str, ...]:
        """The build tags of a distribution and of its bases, sorted and unique.

        Empty for upstream's own default set; otherwise upstream's switch for a selection is among
        them, since without it upstream ignores every other tag.
        """
        tags = {tag for each in self.lineage(name) for tag in self.distribution(each).buildtags}
        return tuple(sorted(tags | {CUSTOM_TAG})) if tags else ()

    def tunings_of(self, name: str) -> dict[str, Tuning]:
        """The tunings of a distribution, those of its bases first."""
        lineage = reversed(self.lineage(name))
        names = [each for one in lineage for each in self.distribution(one).tunings]
        return {each: self.tunings[each] for each in names}

    def config_file(self, name: str) -> Path | None:
        """The collector config of the distribution or of its nearest base that names one."""
        for each in self.lineage(name):
            if relative := self.distribution(each).config_file:
                return self.folder / relative
        return None

    def budget(self, name: str) -> Budget | None:
        """The distribution's own budget; a base's does not count, since its layers are others."""
        return self.budgets.get(name)


def load_config(folder: Path) -> Config:
    """Read and check a config folder.

    Raises:
        ConfigError: with every problem of every file.
    """
    document, components_document = read_file(folder, DISTRIBUTIONS), read_file(folder, COMPONENTS)
    distributions = read_entries(document, Distribution, DISTRIBUTION_NAME, "a distribution's name")
    components = read_entries(
        components_document, Component, COMPONENT_TAG, "a component's build tag"
    )
    images, regions = read_single(folder, IMAGES, Images), read_single(folder, REGIONS, Regions)
    budgets = read_budgets(folder, document)
    tunings = read_tunings(folder)
    problems = [
        *document.problems,
        *components_document.problems,
        *distributions.problems,
        *components.problems,
        *inheritance_problems(distributions.entries, document),
        *config_file_problems(folder, distributions.entries, document),
        *tuning_problems(distributions.entries, tunings.entries, document),
        *module_problems(components.entries, components_document),
        *images.problems,
        *budgets.problems,
        *regions.problems,
        *tunings.problems,
    ]
    if problems:
        raise ConfigError(tuple(sorted(set(problems), key=lambda each: (each.file, each.line))))
    return Config(
        folder=folder,
        distributions=distributions.entries,
        components=components.entries,
        document=document,
        images=images.entries.get(IMAGES),
        budgets=budgets.entries,
        regions=regions.entries.get(REGIONS),
        tunings=tunings.entries,
    )


def tag_problems(config: Config, offered: Iterable[str], *names: str) -> tuple[Problem, ...]:
    """The distributions' own build tags that neither upstream nor components.yaml offers.

    Args:
        config: the checked configuration.
        offered: the tags of the components that upstream and the overlay offer.
        names: the distributions.
    """
    known = {*offered, *config.components}
    return tuple(
        config.document.problem(
            (name, "buildtags", at),
            f"{tag}: neither this upstream nor {COMPONENTS} has it{suggestion(tag, known)}",
        )
        for name in names
        for at, tag in enumerate(config.distribution(name).buildtags)
        if re.match(COMPONENT_TAG, tag) and tag not in known
    )
