"""The facts of a release: of its manifest, its zips, or the registry's rows. Frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.layer.inspection import Inspection
from pipeline.layer.manifest import Layer
from pipeline.naming import Architecture
from pipeline.publish.published import start_times
from pipeline.registry.row import Row

TAGS = "-tags"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class ReleasedComponent:
    """A component in a collector.

    Attributes:
        kind: such as `exporter`.
        name: such as `otlp`.
        package: import path.
        module: path of its Go module.
    """

    kind: str
    name: str
    package: str = ""
    module: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class KnownVulnerability:
    """An advisory that applies to a module of a layer."""

    id: str
    module: str
    summary: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFigures:
    """The sizes and start figures of a layer.

    Attributes:
        size: bytes of the zip; 0 if it is not known.
        unzipped_size: bytes of its files; 0 if it is not known.
        cpu_times: CPU time of a start, as a multiple of the reference extension's; 0 if unknown.
        memory_times: memory when ready, as a multiple of the reference extension's; 0 if unknown.
    """

    size: int = 0
    unzipped_size: int = 0
    cpu_times: float = 0.0
    memory_times: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerContents:
    """The contents of a layer's collector; None for what is not known.

    Attributes:
        components: sorted.
        modules: Go modules with versions, by path.
        go: version of Go, such as 1.26.6; empty if it is not known.
        build_tags: sorted.
        vulnerabilities: sorted; None where they were not looked up.
    """

    components: tuple[ReleasedComponent, ...] | None = None
    modules: Mapping[str, str] | None = None
    go: str = ""
    build_tags: tuple[str, ...] | None = None
    vulnerabilities: tuple[KnownVulnerability, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFacts:
    """A layer of a release.

    Attributes:
        sha256: of the zip, in hex.
    """

    architecture: Architecture
    sha256: str
    figures: LayerFigures
    contents: LayerContents = field(default_factory=LayerContents)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFacts:
    """A release.

    Attributes:
        description: of the distribution, for people.
        collector_version: such as v0.158.0.
        repository: of upstream; the commit is a full SHA.
        tunings: names; None if they are not known.
        layers: by architecture, sorted.
    """

    distribution: str
    description: str
    collector_version: str
    repository: str
    commit: str
    tunings: tuple[str, ...] | None
    layers: Mapping[Architecture, LayerFacts]

    @property
    def first(self) -> LayerFacts:
        """The layer of the first architecture, whose contents stand for all."""
        return next(iter(self.layers.values()))


def manifest_facts(
    entries: Iterable[Layer], contents: Mapping[str, LayerContents]
) -> ReleaseFacts | None:
    """Return the facts of the zips of one distribution; None if there are none.

    Args:
        entries: the manifest's entries of that distribution.
        contents: of the zips, by sha256.
    """
    by_architecture = {each.architecture: each for each in entries}
    if not by_architecture:
        return None
    layers = {each: by_architecture[each] for each in sorted(by_architecture)}
    first = next(iter(layers.values()))
    return ReleaseFacts(
        distribution=first.distribution,
        description=first.description,
        collector_version=first.collector_version,
        repository=first.upstream.repository,
        commit=first.upstream.commit,
        tunings=first.tunings,
        layers={
            architecture: LayerFacts(
                architecture=architecture,
                sha256=each.sha256,
                figures=figures(each),
                contents=contents.get(each.sha256, LayerContents()),
            )
            for architecture, each in layers.items()
        },
    )


def figures(entry: Layer) -> LayerFigures:
    """Return the figures of a manifest's entry."""
    start = entry.start
    return LayerFigures(
        size=entry.size,
        unzipped_size=entry.unzipped_size,
        cpu_times=start_times(start.cpu_times if start else None),
        memory_times=start_times(start.memory_times if start else None),
    )


def row_figures(row: Row) -> LayerFigures:
    """Return the figures in a row of the registry."""
    return LayerFigures(
        size=row.zip_size,
        unzipped_size=row.unzipped_size,
        cpu_times=row.cpu_times,
        memory_times=row.memory_times,
    )


def row_facts(rows: Mapping[Architecture, Row], layers: Iterable[LayerFacts]) -> ReleaseFacts:
    """Return the facts of a release that only the registry knows.

    Args:
        rows: a row for each architecture, sorted; at least one.
        layers: the facts of these layers.
    """
    first = next(iter(rows.values()))
    return ReleaseFacts(
        distribution=first.distribution,
        description=first.distribution_description,
        collector_version=first.collector_version_input or first.layer_version_str,
        repository=first.upstream_repository,
        commit=first.upstream_commit,
        tunings=None,
        layers={each.architecture: each for each in layers},
    )


def inspected_contents(found: Inspection) -> LayerContents:
    """Return the contents of an inspected zip."""
    sources = (each.source for each in found.info.modules if each.published)
    return LayerContents(
        components=tuple(
            sorted(
                ReleasedComponent(
                    kind=each.kind, name=each.name, package=each.package, module=each.module
                )
                for each in found.components
            )
        ),
        modules={each.path: each.version for each in sources},
        go=found.info.go,
        build_tags=tuple(sorted(filter(None, found.info.setting(TAGS).split(",")))),
    )
