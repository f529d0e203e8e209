"""The collector components in a binary, found by the functions in it.

The linker drops functions that nothing calls. A component's package that still has the functions
of its factory is therefore registered. Go's table has the names of inlined functions, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.layer.buildinfo import BuildInfo
from pipeline.layer.functions import FunctionTable, import_path, package_of
from pipeline.layer.sizes import BinarySizes, ModuleLookup
from pipeline.naming import KINDS

PROVIDER = "provider"

# Upstream's packages have NewFactory and createDefaultConfig; `config/components.yaml` may name
# another exported function as the factory.
_FACTORY = re.compile(rb"\.(New[A-Za-z0-9_]*Factory|createDefaultConfig)$")
_FRAMEWORK = "go.opentelemetry.io/collector/"
_PROVIDERS = "/confmap/provider/"
_INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundComponent:
    """A component, or a provider of configuration, in a binary.

    Attributes:
        kind: one of `KINDS`, or `PROVIDER`.
        name: of the package without its kind: `otlp` for `otlpreceiver`.
        package: import path.
        module: path of its module.
        version: the module's.
        size: bytes of its package and of the packages below it.
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
    """Return all components of a binary, sorted by kind and name."""
    modules = ModuleLookup(info)
    found = [_component(package, modules, sizes) for package in sorted(_packages(table))]
    order = (*KINDS, PROVIDER)
    return tuple(sorted(found, key=lambda each: (order.index(each.kind), each.name)))


def component_of_package(package: str) -> tuple[str, str]:
    """Return kind and name of the component whose factory is in a package of this path.

    Both are empty where the path is not that of a component.
    """
    *above, last = package.split("/")
    if _PROVIDERS in f"/{package}" and last.endswith(PROVIDER) and _INTERNAL not in above:
        return PROVIDER, last.removesuffix(PROVIDER)
    kind = next((kind for kind in KINDS if last.endswith(kind)), "")
    if kind:
        name = last.removesuffix(kind) or "".join(above[-1:])
        return ("", "") if _is_framework(package, kind, name) else (kind, name)
    kinds = [at for at, element in enumerate(above) if element in KINDS]
    if not kinds or _INTERNAL in above[kinds[-1] :]:
        return "", ""
    return above[kinds[-1]], last


def _is_framework(package: str, kind: str, name: str) -> bool:
    """Return True for the collector's framework, such as `exporter` and `exporter/xexporter`."""
    return package.startswith(_FRAMEWORK) and (package == f"{_FRAMEWORK}{kind}" or name == "x")


def _packages(table: FunctionTable) -> set[str]:
    """Return the packages of components, by their factories, and of providers, by their path."""
    with_factory = {package_of(name) for name in table.names if _FACTORY.search(name)}
    factories = {import_path(package) for package in with_factory if package}
    components = {package for package in factories if component_of_package(package)[0]}
    providers = {each for each in table.packages if component_of_package(each)[0] == PROVIDER}
    return components | providers


def _component(package: str, modules: ModuleLookup, sizes: BinarySizes) -> FoundComponent:
    kind, name = component_of_package(package)
    module = modules.name_of(package)
    return FoundComponent(
        kind=kind,
        name=name,
        package=package,
        module=module,
        version=modules.version_of(module),
        size=sizes.below(package),
    )
