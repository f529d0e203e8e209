"""The components of the collector in a layer, those that it lacks, and where those are. Pure.

A component's type, by which configs name it, is known from the collector alone: it lists the types
that it registers when it refuses a config with an unknown one. Its package's name and its build tag
may differ from the type. In the same way, it alone knows whether it turns off an exporter's queue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from pipeline.build.components import ComponentRow
from pipeline.config.components import Component
from pipeline.config.folder import Config
from pipeline.layer.components import FoundComponent, component_of_package
from pipeline.naming import KINDS, component_kind, component_name

# Types in a config whose package has another name.
_RENAMED = {"otlpgrpc": "otlp"}
# A config with a type of each kind that no collector has; it is refused before anything starts.
_UNKNOWN_TYPE = "ocelot_unknown_{}"
PROBE = "".join(f"{kind}s:\n  {_UNKNOWN_TYPE.format(kind)}:\n" for kind in KINDS)
# https://github.com/open-telemetry/opentelemetry-collector/blob/v0.155.0/otelcol/internal/configunmarshaler/configs.go
_REFUSAL = r'unknown type: "{}" for id: "[^"]*" \(valid values: \[([^\]]*)\]\)'


# The key of the queue of exporters that are made with the collector's exporterhelper.
_QUEUE = "sending_queue"


class ComponentName(NamedTuple):
    """A component by kind and name, as a config or a build tag names it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorTypes:
    """The component types of a layer's collector.

    Attributes:
        found: the components of its binary, by their packages.
        registered: the types that it registers, by kind, as it lists them; a kind that it has not
            listed is missing here.
    """

    found: Sequence[FoundComponent] = ()
    registered: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    @property
    def listed(self) -> tuple[ComponentName, ...]:
        """All types of the lists."""
        return tuple(
            ComponentName(kind, name) for kind, names in self.registered.items() for name in names
        )

    def has(self, kind: str, name: str) -> bool:
        """Return True if a config can use a type; by its package if its kind was not listed."""
        if kind in self.registered:
            return name in self.registered[kind]
        return has_component(self.found, kind, name)

    def missing(self, config: Mapping[str, object]) -> tuple[ComponentName, ...]:
        """Return the components that a config uses and that are not in the collector's lists."""
        used = sorted(set(config_components(config)))
        return tuple(
            each
            for each in used
            if each.kind in self.registered and each.name not in self.registered[each.kind]
        )


def registered_types(refusal: str) -> dict[str, frozenset[str]]:
    """Return the types that a collector lists when it refuses the config `PROBE`, by kind.

    Args:
        refusal: what it reported and logged, plain or as JSON.
    """
    plain = refusal.replace('\\"', '"')
    found = {kind: re.search(_REFUSAL.format(_UNKNOWN_TYPE.format(kind)), plain) for kind in KINDS}
    return {kind: frozenset(match[1].split()) for kind, match in found.items() if match}


def queue_probe(exporter: str) -> str:
    """Return a config with an invalid queue, which is ignored if the collector turns queues off.

    It has nothing else, so that the collector refuses it in any case.
    """
    return f"exporters: {{{exporter}: {{{_QUEUE}: {{queue_size: -1}}}}}}\n"


def has_queue(refusal: str, exporter: str) -> bool:
    """Return True if a collector that refused an exporter's `queue_probe` leaves its queue on.

    Args:
        refusal: what it reported and logged, plain or as JSON.
        exporter: its type.
    """
    return f"exporters::{exporter}::{_QUEUE}: " in refusal


def components_missing_for_tags(
    tags: Iterable[str], types: CollectorTypes, custom: Mapping[str, Component]
) -> tuple[ComponentName, ...]:
    """Return the components that build tags name and that the binary does not have.

    A component's type and its package may have other names than its tag: if the collector registers
    a type that no tag and no package is named after, none of that kind is reported.

    Args:
        tags: those in the binary's build information.
        types: the binary's.
        custom: components.yaml, by tag; its components are compared by package.
    """
    tagged = dict(_tagged(sorted(tags)))
    unexplained = _unexplained_kinds(tagged.values(), types)
    return tuple(
        component
        for tag, component in tagged.items()
        if component.kind not in unexplained
        and not has_component(types.found, *component)
        and not any(_is_same(component, each) for each in types.listed)
        and not (tag in custom and _may_be_in(custom[tag].package, component.kind, types))
    )


def _unexplained_kinds(tagged: Iterable[ComponentName], types: CollectorTypes) -> set[str]:
    """Return the kinds of which types are registered that no tag and no package is named after."""
    named = {(each.kind, _plain(*each)) for each in tagged}
    named |= {(each.kind, _plain(each.kind, each.name)) for each in types.found}
    return {each.kind for each in types.listed if (each.kind, _plain(*each)) not in named}


def _may_be_in(package: str, kind: str, types: CollectorTypes) -> bool:
    """Return True if a package is in a binary, or if neither its path nor a list can tell."""
    if any(each.package == package for each in types.found):
        return True
    return kind not in types.registered and not component_of_package(package)[0]


def config_components(config: Mapping[str, object]) -> Iterator[ComponentName]:
    """Yield the components that a collector's config uses, by type."""
    for kind in KINDS:
        section = config.get(f"{kind}s")
        for name in cast("dict[str, object]", section) if isinstance(section, dict) else ():
            yield ComponentName(kind, name.partition("/")[0].strip())


def availability(component: ComponentName, config: Config, rows: Sequence[ComponentRow]) -> str:
    """Return the distributions that have a component, or else how a distribution gets it.

    Args:
        component: by its type.
        config: the distributions and custom components.
        rows: the components that upstream and the configuration offer.
    """
    own = [each for each in rows if _offers(each, component, config.components)]
    held = {name for each in own for name in each.distributions}
    if names := [name for name in config.distributions if name in held]:
        return f"in {', '.join(names)}"
    if own:
        return f"in no distribution; add {own[0].tag} to the build tags of one"
    return "in no distribution of this upstream; add it in components.yaml"


def explicit_availability(component: ComponentName, config: Config, why: str) -> str:
    """Return the distributions whose build tags name a component.

    Args:
        component: by its type.
        config: the distributions.
        why: the reason why it is not known what upstream offers.
    """
    names = [
        name
        for name in config.distributions
        if any(_is_same(each, component) for _tag, each in _tagged(config.tags(name)))
    ]
    named = f"build tags of {', '.join(names)} name it" if names else "no build tags name it"
    return f"{named}; {why}"


def has_component(found: Iterable[FoundComponent], kind: str, name: str) -> bool:
    """Return True if a binary has a component, under any of its spellings."""
    return any(
        each.kind == kind and _plain(kind, each.name) == _plain(kind, name) for each in found
    )


def _offers(row: ComponentRow, component: ComponentName, custom: Mapping[str, Component]) -> bool:
    """Return True if a component's tag, or the package of a custom one, has this type's name."""
    names = [row.name]
    if row.tag in custom:
        names.append(component_of_package(custom[row.tag].package)[1])
    return any(_is_same(ComponentName(row.kind, name), component) for name in names if name)


def _is_same(one: ComponentName, other: ComponentName) -> bool:
    return one.kind == other.kind and _plain(*one) == _plain(*other)


def _tagged(tags: Iterable[str]) -> Iterator[tuple[str, ComponentName]]:
    """Yield each build tag that names one component, with the component."""
    for tag in tags:
        component = ComponentName(component_kind(tag), component_name(tag))
        if component.kind and component.name != "all":
            yield tag, component


def _plain(kind: str, name: str) -> str:
    """Return a name without the differences between a config's type, a build tag and a package."""
    plain = name.lower().replace("_", "").removesuffix(kind)
    return _RENAMED.get(plain, plain)
