"""Releases whose notes are written, for both tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from registry_examples import row
from unit_examples import COMMIT

from pipeline.naming import Architecture
from pipeline.notes.facts import (
    KnownVulnerability,
    LayerContents,
    LayerFacts,
    LayerFigures,
    ReleasedComponent,
    ReleaseFacts,
)
from pipeline.notes.last import LastRelease
from pipeline.notes.release import ReleaseNotes, assembled_notes
from pipeline.registry.row import Row

AMD64, ARM64 = Architecture
OLD_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
NAMES = {"eu-west-1": "Europe (Ireland)", "us-east-1": "US East (N. Virginia)"}
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
OTEL = "go.opentelemetry.io/collector"


def component(kind: str, name: str, module: str = "") -> ReleasedComponent:
    """A component in a package of the usual path."""
    package = f"{OTEL}/{kind}/{name}{kind}"
    return ReleasedComponent(kind=kind, name=name, package=package, module=module or package)


COMPONENTS = (
    component("exporter", "otlphttp"),
    component("processor", "batch"),
    component("receiver", "otlp"),
)
CONTENTS = LayerContents(
    components=COMPONENTS,
    modules={f"{OTEL}/otelcol": "v0.158.0", "google.golang.org/grpc": "v1.80.0"},
    go="1.26.6",
    build_tags=("grpcnotrace", "lambdacomponents.custom", "lambdacomponents.receiver.otlp"),
)
FIGURES = LayerFigures(size=8 << 20, unzipped_size=22 << 20, cpu_times=4.8, memory_times=4.1)


def layer_facts(architecture: Architecture, content: bytes, **changed: Any) -> LayerFacts:  # noqa: ANN401
    """A layer whose contents are the example's, except for some of them."""
    of = row(architecture=architecture, content=content)
    return LayerFacts(
        architecture=architecture,
        sha256=of.code_sha256,
        figures=FIGURES,
        contents=replace(CONTENTS, **changed),
    )


def facts(
    content: bytes = b"new",
    *,
    architectures: Iterable[Architecture] = Architecture,
    changed: Mapping[str, Any] | None = None,
    **more: Any,  # noqa: ANN401
) -> ReleaseFacts:
    """A release; `changed` are contents, `more` are facts."""
    of = ReleaseFacts(
        distribution="minimal",
        description="OTLP in, OTLP/HTTP out",
        collector_version="v0.158.0",
        repository="open-telemetry/opentelemetry-lambda",
        commit=COMMIT,
        tunings=("no-busy-wait", "quiet-logs"),
        layers={each: layer_facts(each, content, **(changed or {})) for each in architectures},
    )
    return replace(of, **more)


def rows(
    *regions: str,
    architectures: Iterable[Architecture] = Architecture,
    **more: Any,  # noqa: ANN401
) -> list[Row]:
    """The layer versions of a release."""
    return [
        row(region=region, architecture=each, content=b"new", **more)
        for region in regions or ("eu-west-1", "us-east-1")
        for each in architectures
    ]


def notes(
    release: ReleaseFacts | None = None,
    of: list[Row] | None = None,
    *,
    last: ReleaseFacts | None = None,
    unknown: str = "",
    **more: Any,  # noqa: ANN401
) -> ReleaseNotes:
    """The notes of a release."""
    before = LastRelease(facts=last, unknown=unknown)
    return assembled_notes(release or facts(), of or rows(), NAMES, before, **more)


MOVED = {
    **{f"example.com/module/{at:02}": f"v1.{at}.0" for at in range(38)},
    "google.golang.org/grpc": "v1.79.0",
    f"{OTEL}/otelcol": "v0.157.0",
}
LAST = facts(
    b"old",
    collector_version="v0.157.0",
    commit=OLD_COMMIT,
    tunings=("no-busy-wait", "no-http2"),
    changed={
        "components": (
            component("exporter", "awss3", f"{CONTRIB}/exporter/awss3exporter"),
            component("exporter", "otlp_http"),
            component("receiver", "otlp"),
        ),
        "modules": MOVED,
        "go": "1.26.5",
        "build_tags": ("lambdacomponents.custom",),
        "vulnerabilities": (
            KnownVulnerability(id="GO-2026-0001", module="stdlib", summary="A | in a summary"),
            KnownVulnerability(id="GO-2026-0002", module="google.golang.org/grpc"),
        ),
    },
)
