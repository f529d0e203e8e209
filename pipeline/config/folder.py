"""The config folder: `load_config` reads and checks all its files and returns a `Config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path

from pipeline.config.budgets import Budget, read_budgets
from pipeline.config.components import COMPONENT_TAG, COMPONENTS, Component, read_components
from pipeline.config.distributions import Distribution, read_distributions, with_bases
from pipeline.config.entries import shown, suggestion
from pipeline.config.gitops import GITOPS, GitOps, read_gitops
from pipeline.config.images import IMAGES, Images, read_images
from pipeline.config.located_yaml import Document, read_document
from pipeline.config.regions import REGIONS, Regions, read_regions
from pipeline.config.tuning import TUNING_FILES, Tuning, read_tunings, refused_settings
from pipeline.errors import ConfigError, Problem, UsageError
from pipeline.naming import CUSTOM_TAG

OVERLAY = "overlay"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The checked configuration.

    Attributes:
        folder: the config folder.
        distributions: by name, in the file's order.
        components: custom components by build tag, in the file's order.
        document: distributions.yaml with its lines, for problems found later.
        images: the images of containers; None without images.yaml.
        budgets: by distribution; empty without budgets.yaml.
        regions: sets of regions and quarantines; None without regions.yaml.
        tunings: by name; empty without tuning.yaml.
        gitops: the GitOps repository and its registry; None without gitops.yaml.
    """

    folder: Path
    distributions: Mapping[str, Distribution]
    components: Mapping[str, Component]
    document: Document
    images: Images | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict[str, Budget])
    regions: Regions | None = None
    tunings: Mapping[str, Tuning] = field(default_factory=dict[str, Tuning])
    gitops: GitOps | None = None

    @property
    def tuning_files(self) -> Path:
        """The folder of the Go files that tunings add."""
        return self.folder / TUNING_FILES

    @property
    def overlay(self) -> Path:
        """The folder whose files are copied over upstream's collector/."""
        return self.folder / OVERLAY

    def distribution(self, name: str) -> Distribution:
        """Return the distribution of a name.

        Raises:
            UsageError: there is none; the message suggests the nearest name.
        """
        if name in self.distributions:
            return self.distributions[name]
        raise UsageError(
            f"there is no distribution {name!r}{suggestion(name, self.distributions)}",
            hint=f"{self.document.name} has: {', '.join(self.distributions)}",
        )

    def lineage(self, name: str) -> tuple[str, ...]:
        """Return a distribution's name and its bases' names, nearest first."""
        return with_bases(self.distributions, name)

    def tags(self, name: str) -> tuple[str, ...]:
        """Return the build tags of a distribution and of its bases, sorted and unique.

        They are empty for upstream's default set. Otherwise they contain `CUSTOM_TAG`, without
        which upstream ignores every other tag.
        """
        tags = {tag for each in self.lineage(name) for tag in self.distribution(each).buildtags}
        return tuple(sorted(tags | {CUSTOM_TAG})) if tags else ()

    def tunings_of(self, name: str) -> dict[str, Tuning]:
        """Return the tunings of a distribution, with its name in them, those of its bases first."""
        lineage = reversed(self.lineage(name))
        names = [each for one in lineage for each in self.distribution(one).tunings]
        return {each: self.tunings[each].naming(name) for each in names}

    def config_file(self, name: str) -> Path | None:
        """Return the collector config of a distribution or of its nearest base that has one."""
        for each in self.lineage(name):
            if relative := self.distribution(each).config_file:
                return self.folder / relative
        return None

    def budget(self, name: str, *, tuned: bool = True) -> Budget | None:
        """Return a distribution's budget; None where it has none. Bases do not pass theirs on.

        Args:
            name: the distribution's.
            tuned: False for upstream's code as it is: the budget of a distribution with tunings is
                for layers with them.
        """
        budget = self.budgets.get(name)
        return budget if budget is None or tuned or not self.tunings_of(name) else None


def load_config(folder: Path) -> Config:
    """Read and check a config folder.

    Raises:
        ConfigError: with every problem of every file.
    """
    tunings = read_tunings(folder)
    distributions = read_distributions(folder, tunings.entries)
    components = read_components(folder)
    budgets = read_budgets(folder, distributions.document.mapping)
    images = read_images(folder)
    regions = read_regions(folder)
    gitops = read_gitops(folder)
    files = (distributions, components, budgets, images, regions, tunings, gitops)
    problems = {problem for each in files for problem in each.problems}
    if problems:
        raise ConfigError(tuple(sorted(problems, key=astuple)))
    config = Config(
        folder=folder,
        distributions=distributions.entries,
        components=components.entries,
        document=distributions.document,
        images=images.entries.get(IMAGES),
        budgets=budgets.entries,
        regions=regions.entries.get(REGIONS),
        tunings=tunings.entries,
        gitops=gitops.entries.get(GITOPS),
    )
    if refused := set(_refused_settings(config)):
        raise ConfigError(tuple(sorted(refused, key=astuple)))
    return config


def _refused_settings(config: Config) -> Iterator[Problem]:
    """Yield a problem for each setting of its collector config that a distribution cannot serve."""
    paths = {name: path for name in config.distributions if (path := config.config_file(name))}
    read = {path: read_document(path, shown(path)) for path in set(paths.values())}
    for name, path in paths.items():
        for keys, why in refused_settings(read[path].mapping, config.tunings_of(name)):
            yield read[path].problem(keys, f"{why} (distribution {name})")


def tag_problems(config: Config, offered: Iterable[str], *names: str) -> tuple[Problem, ...]:
    """Return a problem for each build tag that neither upstream nor components.yaml has.

    Args:
        config: the checked configuration.
        offered: the tags of the components of upstream and the overlay.
        names: the distributions whose tags are checked, without those of their bases.
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
