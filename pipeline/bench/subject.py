"""What there is to start of a layer, decided from its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.bench.collector_config import (
    BenchConfig,
    Ports,
    bench_config,
    exporter_of,
    moved,
    read_config,
)
from pipeline.bench.components import broken_promises
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.here import free_ports
from pipeline.bench.machine import Runnable, Skip, verdict
from pipeline.bench.opt import CONFIG, EXTENSIONS, Layer
from pipeline.bench.reference import NAME
from pipeline.bench.start import Subject
from pipeline.build.manifest import FILE_NAME, read_manifest
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.files import told_write_errors
from pipeline.model import Architecture
from pipeline.supply.components import FoundComponent
from pipeline.supply.inspection import inspect_layer

# The configs: for measuring, the layer's own, the user's.
_MEASURED, _OWN, _USER = "bench.yaml", "own.yaml", "user.yaml"
_ARCHITECTURE_IN_NAME = re.compile(r"-(amd64|arm64)[-.]")
_DISTRIBUTION_IN_NAME = re.compile(r"^collector-(?:amd64|arm64)-(.+)\.zip$")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where layers are tried.

    Attributes:
        machine: as `uname -m` tells it.
        emulators: programs that run another machine's executables.
        has_sandbox_name: see `extension_environment`.
        http: where the bench receives OTLP, as a URL.
        grpc: the same as host and port.
    """

    machine: str
    emulators: Mapping[Architecture, str]
    has_sandbox_name: bool
    http: str
    grpc: str


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """What a layer's binary tells of itself.

    Attributes:
        components: none where the collector is no program of Go's.
        tags: the build tags that it was compiled with.
        architecture: what it was compiled for; None where it does not say.
    """

    components: tuple[FoundComponent, ...] = ()
    tags: tuple[str, ...] = ()
    architecture: Architecture | None = None

    @property
    def exports_by_grpc(self) -> bool:
        """Whether it sends to the bench by gRPC."""
        return exporter_of(self.components) == "otlp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a layer is said to be.

    Attributes:
        architecture: what it is for; None where nothing says so.
        distribution: empty where nothing names it.
    """

    architecture: Architecture | None
    distribution: str


@dataclass(frozen=True, kw_only=True)
class Configured:
    """A subject with the config that it is started with."""

    subject: Subject
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A layer that is ready to be tried, or why it is not.

    Attributes:
        subject: what is started to measure it; None where nothing can be.
        architecture: what it is for; None where nothing says so.
        distribution: the one that it is said to be of; empty where nothing names it.
        emulated: whether it runs under qemu.
        skipped: why it is not tried; empty where it is.
        fault: what is wrong with it already.
        components: of its binary.
        own: with the layer's own config; None where it has none.
        user: with the config that the user gave; None where there is none.
        notes: what the user should know.
    """

    subject: Subject | None = None
    architecture: Architecture | None = None
    distribution: str = ""
    emulated: bool = False
    skipped: str = ""
    fault: FaultError | None = None
    components: tuple[FoundComponent, ...] = ()
    own: Configured | None = None
    user: Configured | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user wants of the trial.

    Attributes:
        config: tells the custom components.
        collector_config: a collector's config that must be accepted.
        environment: variables of the function's own.
    """

    config: Config
    collector_config: bytes | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def inspected(layer: Layer) -> Inspected:
    """What a layer's binary tells; nothing where it is no program of Go's."""
    try:
        found = inspect_layer(layer.opened)
    except UsageError:
        return Inspected()
    tags = tuple(found.info.setting("-tags").split(","))
    own = Architecture(found.architecture) if found.architecture else None
    return Inspected(components=found.components, tags=tags, architecture=own)


def prepared(
    layer: Layer, found: Inspected, root: Path, scratch: Path, *, place: Place, wishes: Wishes
) -> Prepared:
    """Decide what to start of a layer, and write the configs for it.

    Args:
        layer: the layer.
        found: what its binary tells.
        root: where it is unpacked.
        scratch: a folder for configs, which is made.
        place: where it is tried.
        wishes: what the user wants.

    Raises:
        UsageError: a config is none.
    """
    claims = claims_of(layer)
    architecture = claims.architecture or found.architecture
    ready = Prepared(architecture=architecture, distribution=claims.distribution)
    try:
        verdicts = _verdicts(layer, claims.architecture, place)
        _check_promise(layer, found, wishes.config)
    except FaultError as fault:
        return replace(ready, fault=fault)
    skips = [each.reason for each in verdicts.values() if isinstance(each, Skip)]
    if skips:
        return replace(ready, skipped=skips[0])
    started = {name: each for name, each in verdicts.items() if isinstance(each, Runnable)}
    commands = {name: _command(root / EXTENSIONS / name, each) for name, each in started.items()}
    configs = _Configs(layer=layer, found=found, folder=scratch, place=place)
    measured, own, user = configs.written(wishes.collector_config)
    subject = Subject(
        name=layer.path.name,
        root=root,
        commands=commands,
        config=scratch / _MEASURED,
        ports=configs.ports,
        sends=bool(measured.exporter),
        environment=wishes.environment,
        has_sandbox_name=place.has_sandbox_name,
    )
    return replace(
        ready,
        subject=subject,
        emulated=any(each.emulator for each in started.values()),
        components=found.components,
        own=_configured(subject, scratch / _OWN, own),
        user=_configured(subject, scratch / _USER, user),
        notes=measured.notes,
    )


def reference_subject(binary: bytes, folder: Path) -> Subject:
    """What is started of the compiled reference.

    Args:
        binary: the extension.
        folder: where to put it; it is made.

    Raises:
        OutputError: there is no room for it.
    """
    path = folder / EXTENSIONS / NAME
    with told_write_errors(folder):
        path.parent.mkdir(parents=True)
        path.write_bytes(binary)
        path.chmod(0o555)
    return Subject(
        name=NAME,
        root=folder,
        commands={NAME: (str(path),)},
        config=folder,
        ports=Ports(grpc=0, http=0),
        sends=False,
    )


def claims_of(layer: Layer) -> Claims:
    """What a layer is said to be: by the manifest beside it, else by its name."""
    manifest = read_manifest(layer.path.parent / FILE_NAME)
    for each in manifest.layers if manifest else ():
        if each.sha256 == layer.opened.sha256:
            return Claims(architecture=each.architecture, distribution=each.distribution)
    architecture = _ARCHITECTURE_IN_NAME.search(layer.path.name)
    distribution = _DISTRIBUTION_IN_NAME.search(layer.path.name)
    return Claims(
        architecture=Architecture(architecture[1]) if architecture else None,
        distribution=distribution[1] if distribution else "",
    )


def _verdicts(
    layer: Layer, claimed: Architecture | None, place: Place
) -> dict[str, Runnable | Skip]:
    return {
        entry.name.removeprefix(EXTENSIONS): verdict(
            f"{layer.path.name}: {entry.name}",
            entry.content,
            entry.mode,
            claimed=claimed,
            machine=place.machine,
            emulators=place.emulators,
        )
        for entry in layer.extensions
    }


def _check_promise(layer: Layer, found: Inspected, config: Config) -> None:
    if broken := broken_promises(found.tags, found.components, config.components):
        details = tuple(str(each) for each in broken)
        raise FaultError(Fault.BREAKS_PROMISE, layer.path.name, details)


def _command(path: Path, how: Runnable) -> tuple[str, ...]:
    return (how.emulator, str(path)) if how.emulator else (str(path),)


def _configured(
    subject: Subject, path: Path, content: Mapping[str, Any] | None
) -> Configured | None:
    if content is None:
        return None
    return Configured(subject=replace(subject, config=path, sends=False), content=content)


def _free_ports() -> Ports:
    grpc, http = free_ports(2)
    return Ports(grpc=grpc, http=http)


@dataclass(kw_only=True)
class _Configs:
    """The configs that a layer is started with."""

    layer: Layer
    found: Inspected
    folder: Path
    place: Place
    ports: Ports = field(default_factory=_free_ports)

    def written(
        self, user: bytes | None
    ) -> tuple[BenchConfig, dict[str, Any] | None, dict[str, Any] | None]:
        """Write them all; the one for measuring, the layer's own and the user's."""
        content = self.layer.config
        own = read_config(content, f"{self.layer.path.name}: {CONFIG}") if content else None
        given = read_config(user, "the collector config given") if user is not None else None
        measured = bench_config(
            own,
            self.found.components,
            self.ports,
            http=self.place.http,
            grpc=self.place.grpc,
        )
        with told_write_errors(self.folder):
            self.folder.mkdir()
            (self.folder / _MEASURED).write_text(measured.text, encoding="utf-8")
            for name, each in ((_OWN, own), (_USER, given)):
                if each is not None:
                    text = moved(each, self.ports)
                    (self.folder / name).write_text(text, encoding="utf-8")
        return measured, own, given
