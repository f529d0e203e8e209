"""Small examples for tests: a config folder, upstream's tree, a layer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from pipeline.build.lock import Locked
from pipeline.build.plan import BuildPlan, Materials, build_plan
from pipeline.build.upstream import Source
from pipeline.config.folder import Config, load_config
from pipeline.errors import ConfigError
from pipeline.layer.manifest import Go, Layer, Upstream, code_sha256
from pipeline.naming import Architecture, component_kind, component_name

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = CHECKOUT / "config"

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COMMITTED = 1_750_000_000

OTLP = "lambdacomponents.exporter.otlp"
BATCH = "lambdacomponents.processor.batch"
MINE = "lambdacomponents.connector.mine"

MINIMAL = f"minimal:\n  buildtags: [{OTLP}]\n"
WITH_MINE = f"minimal:\n  buildtags: [{OTLP}, {MINE}]\n"
MINE_ENTRY = f"{MINE}:\n  module: example.com/mine\n"


def write_config(folder: Path, distributions: str = MINIMAL, components: str = "{}\n") -> Path:
    """A config folder with those two files; their texts may be indented."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "distributions.yaml").write_text(dedent(distributions), encoding="utf-8")
    (folder / "components.yaml").write_text(dedent(components), encoding="utf-8")
    return folder


def loaded(folder: Path, distributions: str = MINIMAL, components: str = "{}\n") -> Config:
    """The configuration of such a folder."""
    return load_config(write_config(folder, distributions, components))


def problems_of(folder: Path) -> list[str]:
    """The problems of a config folder, as a user reads them in that folder."""
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    return [detail.replace(f"{folder}/", "") for detail in caught.value.details]


def component_file(tag: str, package: str = "") -> bytes:
    """The Go file by which upstream registers a component."""
    kind = component_kind(tag)
    package = package or f"go.opentelemetry.io/collector/{kind}/{component_name(tag)}{kind}"
    return dedent(f"""\
        //go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.{kind}.all || {tag})

        package {kind}

        import (
        \t"{package}"
        \t"go.opentelemetry.io/collector/{kind}"
        )

        func init() {{
        \tFactories = append(Factories, func(extensionId string) {kind}.Factory {{
        \t\treturn {component_name(tag)}{kind}.NewFactory()
        \t}})
        }}
        """).encode()  # noqa: E501  a build constraint is one line


def go_mod(version: str = "v0.155.0", go: str = "1.25.0") -> bytes:
    """Upstream's go.mod with that collector version and Go directive."""
    return dedent(f"""\
        module github.com/open-telemetry/opentelemetry-lambda/collector

        go {go}

        require (
        \tgo.opentelemetry.io/collector/component v1.61.0
        \tgo.opentelemetry.io/collector/otelcol {version}
        )
        """).encode()


def upstream_tree(
    tags: Sequence[str] = (OTLP, BATCH), *, version: str = "v0.155.0", go: str = "1.25.0"
) -> dict[str, bytes]:
    """The files of a `collector/` of upstream's shape."""
    components = {
        f"lambdacomponents/{component_kind(tag)}/{component_name(tag)}.go": component_file(tag)
        for tag in tags
    }
    return {
        "go.mod": go_mod(version, go),
        "main.go": b"package main\n",
        "config.yaml": b"receivers: {}\n",
        "config-debug.yaml": b"exporters: {}\n",
        "lambdacomponents/go.mod": f"module lambdacomponents\n\ngo {go}\n".encode(),
        "lambdacomponents/default.go": b"package lambdacomponents\n",
        **components,
    }


def source(
    files: Mapping[str, bytes] | None = None,
    *,
    commit: str = COMMIT,
    committed: int = COMMITTED,
) -> Source:
    """Upstream at a commit."""
    return Source(
        repository="owner/name",
        ref="main",
        commit=commit,
        committed=committed,
        files=upstream_tree() if files is None else files,
    )


def planned(
    config: Config,
    of: Source | None = None,
    *,
    distribution: str = "minimal",
    architectures: Sequence[Architecture] = tuple(Architecture),
    overlay: Mapping[str, bytes] | None = None,
    config_file: bytes | None = None,
    epoch: int | None = None,
    entry: Locked | None = None,
) -> BuildPlan:
    """A plan with an example for whatever is not given."""
    materials = Materials(
        source=of or source(),
        overlay=overlay or {},
        config_file=config_file,
        epoch=epoch,
        entry=entry,
    )
    return build_plan(config, distribution, materials, architectures=architectures)


def layer(
    file: str = "collector-amd64-minimal.zip",
    content: bytes = b"a zip",
    *,
    repository: str = "owner/name",
) -> Layer:
    """A manifest's entry for a zip of that content."""
    return Layer(
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        code_sha256=code_sha256(content),
        size=len(content),
        unzipped_size=3 * len(content),
        architecture=Architecture.ARM64 if "arm64" in file else Architecture.AMD64,
        distribution="minimal",
        description="an example",
        build_tags=("lambdacomponents.custom", OTLP),
        custom_modules=("example.com/mine@v0.155.0",),
        tunings=("no-busy-wait",),
        collector_version="v0.155.0",
        upstream=Upstream(repository=repository, ref="main", commit=COMMIT),
        go=Go(version="1.26.6", command=("go", "build", "."), environment={"GOOS": "linux"}),
        packer="a packer",
        source_date_epoch=COMMITTED,
        engine="host",
        ocelot="0.1.0",
        evidence={},
        locked=False,
    )


def sample_tunings(config: Config) -> list[str]:
    """The tunings of `minimal` that the sample gets; there is nothing of Kubernetes in it."""
    return [each for each in config.tunings_of("minimal") if each != "no-kubernetes"]
