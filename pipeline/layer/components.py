"""The collector components in a binary, by what is in it and not by what was asked for.

The linker drops what nothing calls. So where a package of a component's shape still has its
factory's functions, something registers it; inlined functions are in Go's table by name as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.layer.buildinfo import BuildInfo
from pipeline.layer.functions import FunctionTable, import_path, package_of
from pipeline.layer.sizes import BinarySizes, ModuleLookup
from pipeline.naming import KINDS

PROVIDER = "provider"

# `config/components.yaml` may name any exported function as the factory; upstream's
# convention is NewFactory beside createDefaultConfig.
_FACTORY = re.compile(rb"\.(New[A-Za-z0-9_]*Factory|createDefaultConfig)$")
_FRAMEWORK = "go.opentelemetry.io/collector/"
_PROVIDERS = "/confmap/provider/"
_INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundComponent:
    """A component, or a provider of configuration, in a binary.

    Attributes:
        kind: one of `KINDS`, or `PROVIDER`.
        name: the package's without its kind: `otlp` for `otlpreceiver`.
        package: import path.
        module: path of its module.
        version: the module's.
        size: bytes of its package and of those below it.
    """

    kind: str
    name: str
    package: str
    module: str
    version: str
    size: int


def find_components(
    info: BuildInfo, table: FunctionTable, sizes: BinarySizes
) -> tuple[FoundComponent, ...]:
    """All components of a binary, by kind and name."""
    owners = ModuleLookup(info)
    found = [_found(package, owners, sizes) for package in sorted(_packages(table))]
    order = (*KINDS, PROVIDER)
    return tuple(sorted(found, key=lambda each: (order.index(each.kind), each.name)))


def component_of_package(package: str) -> tuple[str, str]:
    """Kind and name of the component whose factory a package of that path has, if it has one.

    Both are empty where the path is not that of a component.
    """
    *above, last = package.split("/")
    if _PROVIDERS in f"/{package}" and last.endswith(PROVIDER) and _INTERNAL not in above:
        return PROVIDER, last.removesuffix(PROVIDER)
    kind = next((kind for kind in KINDS if last.endswith(kind)), "")
    if kind:
        name = last.removesuffix(kind) or "".join(above[-1:])
        return ("", "") if _is_framework(package, kind, name) else (kind, name)
    places = [at for at, element in enumerate(above) if element in KINDS]
    if not places or _INTERNAL in above[places[-1] :]:
        return "", ""
    return above[places[-1]], last


def _is_framework(package: str, kind: str, name: str) -> bool:
    """Whether it is the collector's own `exporter` or `exporter/xexporter`."""
    return package.startswith(_FRAMEWORK) and (package == f"{_FRAMEWORK}{kind}" or name == "x")


def _packages(table: FunctionTable) -> set[str]:
    """The packages that have a factory, and the providers, whose factories leave no trace."""
    with_factory = {package_of(name) for name in table.names if _FACTORY.search(name)}
    factories = {import_path(package) for package in with_factory if package}
    return {package for package in factories if component_of_package(package)[0]} | set(
        _providers(table)
    )


def _providers(table: FunctionTable) -> Iterator[str]:
    for package in table.packages:
        if component_of_package(package)[0] == PROVIDER:
            yield package


def _found(package: str, owners: ModuleLookup, sizes: BinarySizes) -> FoundComponent:
    kind, name = component_of_package(package)
    module = owners.name_of(package)
    return FoundComponent(
        kind=kind,
        name=name,
        package=package,
        module=module,
        version=owners.version_of(module),
        size=sizes.below(package),
    )
