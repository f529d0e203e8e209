"""What a layer promises by its build tags and asks for in its config, against its binary. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from pipeline.config.components import Component
from pipeline.config.folder import Config
from pipeline.layer.components import FoundComponent
from pipeline.naming import KINDS, component_kind, component_name, is_selected

_TAG_PREFIX = "lambdacomponents."
# Names that are no longer those of their packages.
_RENAMED = {"otlpgrpc": "otlp"}


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Wanted:
    """A component by kind and name, as a config or a build tag names it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def broken_promises(
    tags: Iterable[str], found: Iterable[FoundComponent], custom: Mapping[str, Component]
) -> tuple[Wanted, ...]:
    """Components that build tags name and that the binary does not have.

    Args:
        tags: those that the binary was compiled with, as it tells itself.
        found: the binary's components.
        custom: components.yaml, by tag; such a component may be called as it likes.
    """
    there = tuple(found)
    known = frozenset((each.kind, _plain(each.kind, each.name)) for each in there)
    packages = {each.package for each in there}
    return tuple(
        Wanted(kind=component_kind(tag), name=component_name(tag))
        for tag in sorted(tags)
        if _names_one(tag)
        and (component_kind(tag), _plain(component_kind(tag), component_name(tag))) not in known
        and not (tag in custom and custom[tag].package in packages)
    )


def _names_one(tag: str) -> bool:
    """Whether a tag is of a component, and not of all of a kind or upstream's switch."""
    words = tag.removeprefix(_TAG_PREFIX).split(".")
    one = tag.startswith(_TAG_PREFIX) and words[0] in KINDS
    return one and len(words) > 1 and words[-1] != "all"


def config_components(config: Mapping[str, object]) -> Iterator[Wanted]:
    """The components that a collector's config uses, by type."""
    for kind in KINDS:
        section = config.get(f"{kind}s")
        if isinstance(section, dict):
            for name in cast("dict[object, object]", section):
                yield Wanted(kind=kind, name=str(name).partition("/")[0])


def missing_components(
    config: Mapping[str, object], found: Iterable[FoundComponent]
) -> tuple[Wanted, ...]:
    """Components that a config uses and that the binary does not have."""
    known = frozenset((each.kind, _plain(each.kind, each.name)) for each in found)
    wanted = sorted(set(config_components(config)))
    return tuple(each for each in wanted if (each.kind, _plain(each.kind, each.name)) not in known)


def holders(wanted: Wanted, config: Config) -> tuple[str, ...]:
    """The distributions whose tags name a component, in the config's order."""

    def holds(tags: frozenset[str]) -> bool:
        return any(
            component_kind(tag) == wanted.kind
            and _plain(wanted.kind, component_name(tag)) == _plain(wanted.kind, wanted.name)
            for tag in tags
            if _names_one(tag)
        ) or is_selected(f"{_TAG_PREFIX}{wanted.kind}.{wanted.name}", tags)

    return tuple(name for name in config.distributions if holds(frozenset(config.tags(name))))


def has(found: Iterable[FoundComponent], kind: str, name: str) -> bool:
    """Whether a binary has a component, under any of its spellings."""
    return any(
        each.kind == kind and _plain(kind, each.name) == _plain(kind, name) for each in found
    )


def _plain(kind: str, name: str) -> str:
    """A name without what differs between a config's type, a build tag and a package."""
    plain = name.lower().replace("_", "").removesuffix(kind)
    return _RENAMED.get(plain, plain)
