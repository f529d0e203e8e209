"""`config/*.yaml` to frozen models; every problem of every file at once, with file and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline import model
from pipeline.errors import ConfigError, Problem, UsageError, quoted
from pipeline.located_yaml import Document, Place, read_document
from pipeline.model import Budget, Component, Distribution, Images, Regions, Tuning
from pipeline.paths import DISTRIBUTIONS

COMPONENTS = "components.yaml"
IMAGES = "images.yaml"
BUDGETS = "budgets.yaml"
REGIONS = "regions.yaml"
TUNINGS = "tuning.yaml"
OVERLAY = "overlay"
TUNING_FILES = "tuning"

Entry = TypeVar("Entry", bound=BaseModel)


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
            f"there is no distribution {name!r}{perhaps(name, self.distributions)}",
            hint=f"{self.document.name} has: {', '.join(self.distributions)}",
        )

    def lineage(self, name: str) -> tuple[str, ...]:
        """The distribution's name and its bases' names, nearest first."""
        return _lineage(self.distributions, name)

    def tags(self, name: str) -> tuple[str, ...]:
        """The build tags of a distribution and of its bases, sorted and unique.

        Empty for upstream's own default set; otherwise upstream's switch for a selection is among
        them, since without it upstream ignores every other tag.
        """
        tags = {tag for each in self.lineage(name) for tag in self.distribution(each).buildtags}
        return tuple(sorted(tags | {model.CUSTOM_TAG})) if tags else ()

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
    document, components_document = _read(folder, DISTRIBUTIONS), _read(folder, COMPONENTS)
    distributions = _entries(
        document, Distribution, model.DISTRIBUTION_NAME, "a distribution's name"
    )
    components = _entries(
        components_document, Component, model.COMPONENT_TAG, "a component's build tag"
    )
    images, regions = _read_whole(folder, IMAGES, Images), _read_whole(folder, REGIONS, Regions)
    budgets = _read_budgets(folder, document)
    tunings = _read_tunings(folder)
    problems = [
        *document.problems,
        *components_document.problems,
        *distributions.problems,
        *components.problems,
        *_inheritance_problems(distributions.entries, document),
        *_config_file_problems(folder, distributions.entries, document),
        *_tuning_problems(distributions.entries, tunings.entries, document),
        *_module_problems(components.entries, components_document),
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
            f"{tag}: neither this upstream nor {COMPONENTS} has it{perhaps(tag, known)}",
        )
        for name in names
        for at, tag in enumerate(config.distribution(name).buildtags)
        if re.match(model.COMPONENT_TAG, tag) and tag not in known
    )


def perhaps(word: str, known: Iterable[str]) -> str:
    """`; perhaps you meant x?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; perhaps you meant {near[0]}?" if near else ""


@dataclass(frozen=True, kw_only=True)
class _Entries(Generic[Entry]):
    entries: Mapping[str, Entry]
    problems: tuple[Problem, ...]


def _entries(
    document: Document, kind: type[Entry], name_pattern: str, what: str
) -> _Entries[Entry]:
    """Validate a file's entries one by one, so that a bad one does not hide another."""
    if not isinstance(document.data, dict):
        broken = () if document.problems else (document.problem((), "must map names to entries"),)
        return _Entries(entries={}, problems=broken)
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for name, value in document.mapping.items():
        if not re.match(name_pattern, name):
            problems.append(document.problem((name,), f"{quoted(name)} cannot be {what}"))
            continue
        try:
            entries[name] = kind.model_validate({} if value is None else value)
        except ValidationError as error:
            problems += _explained(error, kind, (name,), document)
    return _Entries(entries=entries, problems=tuple(problems))


def _read(folder: Path, file: str) -> Document:
    return read_document(folder / file, _shown(folder / file))


def _read_whole(folder: Path, file: str, kind: type[Entry]) -> _Entries[Entry]:
    """A file that is one entry, which a folder need not have: a build works without."""
    if not (folder / file).exists():
        return _Entries(entries={}, problems=())
    document = _read(folder, file)
    try:
        entry = kind.model_validate(document.data)
    except ValidationError as error:
        told = document.problems or tuple(_explained(error, kind, (), document))
        return _Entries(entries={}, problems=told)
    return _Entries(entries={file: entry}, problems=document.problems)


def _read_budgets(folder: Path, distributions: Document) -> _Entries[Budget]:
    """budgets.yaml, which a folder need not have."""
    if not (folder / BUDGETS).exists():
        return _Entries(entries={}, problems=())
    document, names = _read(folder, BUDGETS), distributions.mapping
    budgets = _entries(document, Budget, model.DISTRIBUTION_NAME, "a distribution's name")
    unknown = (
        document.problem((name,), f"{name}: there is no such distribution{perhaps(name, names)}")
        for name in budgets.entries
        if names and name not in names
    )
    problems = (*document.problems, *budgets.problems, *unknown)
    return _Entries(entries=budgets.entries, problems=problems)


def _read_tunings(folder: Path) -> _Entries[Tuning]:
    """tuning.yaml, which a folder need not have; the files it names must be there."""
    if not (folder / TUNINGS).exists():
        return _Entries(entries={}, problems=())
    document = _read(folder, TUNINGS)
    tunings = _entries(document, Tuning, model.TUNING_NAME, "a tuning's name")
    absent = (
        document.problem((name, *key), f"{name}.{key[0]}: there is no {TUNING_FILES}/{own}")
        for name, tuning in tunings.entries.items()
        for key, own in _files_of(tuning)
        if not (folder / TUNING_FILES / own).is_file()
    )
    problems = (*document.problems, *tunings.problems, *absent)
    return _Entries(entries=tunings.entries, problems=problems)


def _files_of(tuning: Tuning) -> Iterator[tuple[tuple[str, str], str]]:
    """The files below tuning/ that a tuning must have, each with the key that names it."""
    for path, own in tuning.files.items():
        yield ("files", path), own
    if tuning.replaces:
        yield ("replaces", "by"), f"{tuning.replaces.by}/go.mod"


def _tuning_problems(
    distributions: Mapping[str, Distribution], tunings: Mapping[str, Tuning], document: Document
) -> Iterator[Problem]:
    for name, distribution in distributions.items():
        for at, tuning in enumerate(distribution.tunings):
            if tuning not in tunings:
                message = f"{name}.tunings: no {tuning!r} in {TUNINGS}{perhaps(tuning, tunings)}"
                yield document.problem((name, "tunings", at), message)


def _explained(
    error: ValidationError, kind: type[BaseModel], entry: Place, document: Document
) -> Iterator[Problem]:
    keys = [field.alias or name for name, field in kind.model_fields.items()]
    for each in error.errors(include_url=False, include_context=False):
        place = (*entry, *(part for part in each["loc"] if part != "[key]"))
        label = ".".join(_shown_key(part) for part in place)
        if each["type"] == "extra_forbidden":
            unknown = str(each["loc"][-1])
            message = f"{label}: unknown key{perhaps(unknown, keys)}"
        elif each["type"] == "string_pattern_mismatch":
            message = f"{label}: {_pattern_message(each['input'], place)}"
        else:
            message = f"{label}: {each['msg'].removeprefix('Value error, ')}"
        yield document.problem(place, message)


def _shown_key(part: str | int) -> str:
    text = str(part)
    return text if re.fullmatch(r"[A-Za-z0-9._<>/-]{1,80}", text) else quoted(text)


def _pattern_message(value: str, place: Place) -> str:
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    if key == "buildtags":
        form = f"{model.TAG_PREFIX}.<kind>.<name>"
        return f"{quoted(value)} is no build tag of the form {form}{_perhaps_tag(value)}"
    forms = {
        "module": "a Go module such as example.com/path or example.com/path@v1.2.3",
        "import": "a Go import path such as example.com/module/package",
        "factory": "the name of an exported Go function such as NewFactory",
        "config-file": "a path to a .yaml file below the config folder",
        "base": "a distribution's name",
        "go": "an image by digest such as golang:1.26.6-bookworm@sha256:…",
    }
    return f"{quoted(value)} is not {forms.get(key, 'of the form expected')}"


def _perhaps_tag(value: str) -> str:
    """A malformed tag's likely meaning: its words with prefix and kind mended."""
    parts = value.split(".")
    kinds = difflib.get_close_matches(parts[1] if len(parts) > 1 else "", model.KINDS, n=1)
    meant = ".".join((model.TAG_PREFIX, *kinds, *parts[2:])).lower().replace("-", "_")
    return f"; perhaps you meant {meant}?" if re.match(model.BUILD_TAG, meant) else ""


def _lineage(distributions: Mapping[str, Distribution], name: str) -> tuple[str, ...]:
    """Names from a distribution to its last base; stops where a name is unknown or comes again."""
    names: list[str] = []
    current: str | None = name
    while current and current in distributions and current not in names:
        names.append(current)
        current = distributions[current].base
    return tuple(names)


def _inheritance_problems(
    distributions: Mapping[str, Distribution], document: Document
) -> Iterator[Problem]:
    names = document.mapping
    for name, distribution in distributions.items():
        base = distribution.base
        if base is None:
            continue
        lineage = _lineage(distributions, name)
        place = (name, "base")
        if base not in names:
            yield document.problem(place, f"{name}.base: no {base!r}{perhaps(base, names)}")
        elif distributions.get(lineage[-1], distribution).base == name:
            circle = " -> ".join((*lineage, name))
            yield document.problem(place, f"{name}.base: the bases go in a circle: {circle}")
        elif (
            distribution.buildtags
            and base in distributions
            and not any(distributions[each].buildtags for each in lineage[1:])
        ):
            yield document.problem(
                place,
                f"{name}.base: {base} has no build tags to inherit: it stands for upstream's "
                "default set, which upstream drops as soon as a tag is given; "
                "name its components instead",
            )


def _config_file_problems(
    folder: Path, distributions: Mapping[str, Distribution], document: Document
) -> Iterator[Problem]:
    for name, distribution in distributions.items():
        if distribution.config_file is None:
            continue
        place = (name, "config-file")
        path = (folder / distribution.config_file).resolve()
        label = f"{name}.config-file: {distribution.config_file}"
        if not path.is_relative_to(folder.resolve()):
            yield document.problem(place, f"{label} leads out of the config folder")
        elif not path.is_file():
            yield document.problem(place, f"{label}: there is no such file in {_shown(folder)}")
        else:
            collector = read_document(path, _shown(path))
            yield from collector.problems
            if not collector.problems and not isinstance(collector.data, dict):
                yield document.problem(place, f"{label} is no collector config")


def _module_problems(components: Mapping[str, Component], document: Document) -> Iterator[Problem]:
    """Two components may share a module, but not at two versions."""
    first: dict[str, tuple[str, str | None]] = {}
    for tag, component in components.items():
        other, version = first.setdefault(component.module_path, (tag, component.version))
        if version != component.version:
            yield document.problem(
                (tag, "module"),
                f"{tag}: {component.module_path} at {component.version or 'the default version'}, "
                f"but {other} has it at {version or 'the default version'}",
            )


def _shown(path: Path) -> str:
    """The path as a user would type it from here."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
