"""The components that an upstream and the configuration offer, and who holds them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.config import Config
from pipeline.model import CUSTOM_TAG, chosen, kind_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentRow:
    """One component.

    Attributes:
        origin: `upstream`, or `custom` for one of components.yaml.
        distributions: those whose build tags switch it on, in the config's order.
    """

    kind: str
    name: str
    tag: str
    origin: str
    distributions: tuple[str, ...]


def component_rows(config: Config, own: Iterable[str]) -> tuple[ComponentRow, ...]:
    """Every component, sorted by tag.

    Args:
        config: the configuration with its custom components.
        own: the tags that upstream offers; they come before a custom component's of the same name.
    """
    origins = {**dict.fromkeys(config.components, "custom"), **dict.fromkeys(own, "upstream")}
    return tuple(
        ComponentRow(
            kind=kind_of(tag),
            name=tag.rpartition(".")[2],
            tag=tag,
            origin=origin,
            distributions=_holders(config, tag),
        )
        for tag, origin in sorted(origins.items())
    )


def _holders(config: Config, tag: str) -> tuple[str, ...]:
    tags = {name: frozenset(config.tags(name)) for name in config.distributions}
    return tuple(name for name, held in tags.items() if CUSTOM_TAG in held and chosen(tag, held))
