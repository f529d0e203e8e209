"""Decide what to build: a pure function from configuration and sources to a frozen plan."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from pipeline import files
from pipeline.build.commits import not_upstream
from pipeline.build.components import added_files, offered_tags, uncompiled_note
from pipeline.build.lock import Facts, Locked, lock_differences
from pipeline.build.modules import module_folders, with_sums
from pipeline.build.recipe import (
    GO_VERSION,
    GoStep,
    collector_step,
    modules_step,
    require_steps,
)
from pipeline.build.source_checks import check_source, source_notes
from pipeline.build.tuning import TunedFiles, tuned_files
from pipeline.build.upstream import Source
from pipeline.config.budgets import Budget
from pipeline.config.components import Component
from pipeline.config.folder import Config, tag_problems
from pipeline.errors import ConfigError, ToolchainError, UsageError
from pipeline.files import Tree
from pipeline.layer import zip as packer
from pipeline.naming import Architecture, is_selected, zip_name

_OTELCOL = re.compile(
    rb"^\s*(?:require\s+)?go\.opentelemetry\.io/collector/otelcol\s+(v[0-9A-Za-z.+-]+)",
    re.MULTILINE,
)
_GO_DIRECTIVE = re.compile(rb"^go\s+(\d+(?:\.\d+){1,2})", re.MULTILINE)
NOT_LOCKED = "the lock has no entry for this distribution, upstream repository and ref"
_CONFIG_FILE = re.compile(r"^config[^/]*\.yaml$")


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """One zip to make.

    Attributes:
        file: name of the zip.
        key: SHA-256 over everything that its bytes depend on.
        modules: the step that brings its modules.
        step: the compile step that makes its binary.
        configs: collector configs by path in the layer.
        expected: SHA-256 of the zip as the lock has it; empty where it has none.
    """

    architecture: Architecture
    file: str
    key: str
    modules: GoStep
    step: GoStep
    configs: Tree = field(repr=False)
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """The whole of a build, as it was decided.

    Attributes:
        facts: what the layers are made from.
        description: the distribution's.
        require: the step that adds custom modules to go.mod, where there are any.
        tree: upstream's `collector/` with the overlay over it.
        upstream: `collector/` as it came.
        origin: the URL that git read instead of the repository given; see `Source`.
        tuned: what is changed in upstream's own files.
        budget: how large a layer may be.
        locked: the lock's entry that the build keeps to, if it does.
        deviations: why it does not keep to the lock; empty if it does.
        notes: what the user should know of the decisions.
        strict: True to fail where a tuning does not fit.
    """

    facts: Facts
    description: str
    require: tuple[GoStep, ...]
    layers: tuple[LayerPlan, ...]
    tree: Tree = field(repr=False)
    upstream: Tree = field(repr=False)
    origin: str = ""
    tuned: TunedFiles
    budget: Budget | None = None
    locked: Locked | None = None
    deviations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    strict: bool = False

    def prepare(self, layers: Sequence[LayerPlan] | None = None) -> tuple[GoStep, ...]:
        """The steps before compilation, in order, for all or some of the layers."""
        return (*self.require, *(each.modules for each in layers or self.layers))

    @property
    def misfits(self) -> tuple[str, ...]:
        """The tunings that do not fit this upstream, for people."""
        return tuple(f"the tuning {name} is left out: {why}" for name, why in self.tuned.left_out)


@dataclass(frozen=True, kw_only=True)
class Materials:
    """The files that a layer is made from, and the options that change them.

    Attributes:
        source: upstream's files.
        overlay: the hand-written files of `config/overlay/`.
        left_out: what lies there and cannot be part of a build, each with the reason.
        config_file: content of the distribution's own collector config, None for upstream's.
        tuning_files: the Go files that tunings bring, of `config/tuning/`.
        tune: True to apply tunings.
        epoch: SOURCE_DATE_EPOCH if given; else the commit's time counts.
        entry: the lock's entry; a plan keeps to it if nothing differs from it.
    """

    source: Source
    overlay: Tree = field(repr=False)
    left_out: tuple[str, ...] = ()
    config_file: bytes | None = None
    tuning_files: Tree = field(default_factory=dict[str, bytes], repr=False)
    tune: bool = True
    epoch: int | None = None
    entry: Locked | None = None


def build_plan(
    config: Config,
    distribution: str,
    materials: Materials,
    *,
    architectures: Sequence[Architecture],
) -> BuildPlan:
    """Decide what to build.

    Raises:
        ConfigError: a tag that neither this upstream nor components.yaml has.
        UpstreamError, ToolchainError: not of upstream's shape; upstream wants a newer Go.
        UsageError: no such distribution.
    """
    source, entry = materials.source, materials.entry
    laid_over, custom_modules, notes = _additions(config, distribution, materials)
    base = {**source.files, **laid_over}
    tunings = config.tunings_of(distribution) if materials.tune else {}
    changed = tuned_files(base, tunings, materials.tuning_files)
    facts = _facts(config, distribution, materials, custom_modules, laid_over, changed)
    deviations = lock_differences(entry, facts) if entry else (NOT_LOCKED,)
    locked = None if deviations else entry
    require = require_steps(locked.go_mod if locked else facts.custom_modules)
    tree = _with_sums({**base, **changed.files}, entry)
    configs = layer_configs(tree, materials.config_file)
    tags = (*facts.build_tags, *changed.build_tags)
    return BuildPlan(
        facts=facts,
        description=config.distribution(distribution).description,
        require=require,
        layers=tuple(
            _layer_plan(each, facts, tags, require, tree, configs, locked) for each in architectures
        ),
        tree=tree,
        upstream=source.files,
        origin=source.origin,
        tuned=changed,
        budget=config.budget(distribution, tuned=materials.tune),
        locked=locked,
        deviations=deviations,
        notes=(*notes, *_overlay_notes(materials, tree, tags, architectures)),
    )


def _overlay_notes(
    materials: Materials, tree: Tree, tags: Sequence[str], architectures: Sequence[Architecture]
) -> Iterator[str]:
    """Return notes of the files in `config/overlay/` that are not in the layer."""
    if materials.left_out:
        yield f"left out of the build: {', '.join(materials.left_out)}"
    configs = {name for name in materials.overlay if _CONFIG_FILE.match(name)}
    if materials.config_file is not None and "config.yaml" in configs:
        yield "overlay/config.yaml is not used: the distribution has a config-file"
    sources = {name: each for name, each in materials.overlay.items() if name not in configs}
    if note := uncompiled_note(tree, sources, tags, architectures):
        yield note


def _facts(
    config: Config,
    distribution: str,
    materials: Materials,
    custom_modules: tuple[str, ...],
    laid_over: Tree,
    changed: TunedFiles,
) -> Facts:
    source = materials.source
    return Facts(
        distribution=distribution,
        repository=source.repository,
        ref=source.ref,
        commit=source.commit,
        collector=collector_version(source),
        source_date_epoch=_epoch(materials),
        build_tags=config.tags(distribution),
        custom_modules=custom_modules,
        overlay=files.tree_digest(laid_over) if laid_over else "",
        config_file=_digest(materials.config_file),
        go=GO_VERSION,
        image=config.images.go if config.images else "",
        packer=packer.PACKER,
        tunings=_tuning_digests(changed),
    )


def _epoch(materials: Materials) -> int:
    """The timestamp of the layer's files; a zip's clock starts in 1980."""
    given = materials.source.committed if materials.epoch is None else materials.epoch
    return max(given, packer.EARLIEST)


def _digest(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def _tuning_digests(changed: TunedFiles) -> tuple[str, ...]:
    """The applied tunings, each with the SHA-256 over its build tags and over its files."""

    def content(name: str) -> Tree:
        tags = {"tags": " ".join(changed.tags[name]).encode()} if name in changed.tags else {}
        return {**{path: changed.files[path] for path in changed.touched[name]}, **tags}

    return tuple(f"{name} {files.tree_digest(content(name))}" for name in changed.touched)


def _with_sums(tree: Tree, entry: Locked | None) -> Tree:
    """The tree with the lock's lines in go.sum: a module that has changed since is refused."""
    if entry is None or not entry.go_sum:
        return tree
    return {**tree, "go.sum": with_sums(tree.get("go.sum", b""), entry.go_sum)}


def _layer_plan(
    architecture: Architecture,
    facts: Facts,
    tags: tuple[str, ...],
    require: tuple[GoStep, ...],
    tree: Tree,
    configs: Tree,
    locked: Locked | None,
) -> LayerPlan:
    step = collector_step(architecture, tags, version=facts.collector, commit=facts.commit)
    shared = (*map(files.tree_digest, (tree, configs)), facts.source_date_epoch, facts.packer)
    return LayerPlan(
        architecture=architecture,
        file=zip_name(architecture, facts.distribution),
        key=_key((*require, step), shared),
        modules=modules_step(architecture, tags, locked=locked is not None),
        step=step,
        configs=configs,
        expected=locked.zips.get(architecture, "") if locked else "",
    )


def collector_version(source: Source) -> str:
    """The collector's version: that of otelcol in upstream's go.mod.

    Raises:
        UpstreamError: there is no such go.mod.
    """
    found = _OTELCOL.search(source.files.get("go.mod", b""))
    components = any(name.startswith("lambdacomponents/") for name in source.files)
    if found and components:
        return found[1].decode()
    missing = (
        "has no collector/lambdacomponents/"
        if found
        else "has no collector/go.mod that requires go.opentelemetry.io/collector/otelcol"
    )
    raise not_upstream(f"{source.repository} at {source.ref} {missing}")


def layer_configs(tree: Tree, own: bytes | None) -> dict[str, bytes]:
    """Return the collector configs by path in the layer.

    Args:
        tree: has upstream's `config*.yaml`.
        own: the distribution's, which replaces upstream's config.yaml; None for upstream's.
    """
    configs = {name: content for name, content in tree.items() if _CONFIG_FILE.match(name)}
    if own is not None:
        configs["config.yaml"] = own
    return {f"collector-config/{name}": content for name, content in configs.items()}


def source_date_epoch(text: str | None) -> int | None:
    """SOURCE_DATE_EPOCH as a number; None where it is not set.

    Raises:
        UsageError: it is not a number of seconds that a zip can hold.
    """
    if not text:
        return None
    if re.fullmatch(r"\d{1,12}", text) and int(text) <= packer.LATEST:
        return int(text)
    raise UsageError(
        f"SOURCE_DATE_EPOCH={text!r} is no number of seconds before the year 2108",
        hint="unset it to take the commit's own date",
    )


def _additions(
    config: Config, distribution: str, materials: Materials
) -> tuple[Tree, tuple[str, ...], tuple[str, ...]]:
    """The files to lay over upstream, the modules that they need, and notes for the user."""
    version = collector_version(materials.source)
    own = _checked_tags(config, distribution, materials.source, materials.overlay)
    custom, notes = _custom_components(config, config.tags(distribution), own)
    notes = (*source_notes(materials.source), *notes)
    required = {(each.module_path, each.version or version) for each in custom.values()}
    modules = tuple(f"{module}@{release}" for module, release in sorted(required))
    return added_files(materials.overlay, custom), modules, notes


def _custom_components(
    config: Config, tags: Sequence[str], own: frozenset[str]
) -> tuple[dict[str, Component], tuple[str, ...]]:
    """The custom components that the tags switch on, less those that upstream has by now."""
    selected = {
        tag: component
        for tag, component in config.components.items()
        if is_selected(tag, frozenset(tags))
    }
    custom = {tag: component for tag, component in selected.items() if tag not in own}
    notes = tuple(
        f"{tag} is upstream's own by now; its entry in components.yaml is not used"
        for tag in selected
        if tag in own
    )
    return custom, notes


def _checked_tags(
    config: Config, distribution: str, source: Source, overlay: Tree
) -> frozenset[str]:
    """The tags that upstream offers, once it is sure that Go and the distribution go with them."""
    _check_go(source)
    check_source(source, overlay, config)
    own = offered_tags(source.files)
    offered = own | offered_tags(overlay)
    if problems := tag_problems(config, offered, *config.lineage(distribution)):
        raise ConfigError(
            problems,
            hint="what there is: ocelot components "
            f"--upstream-repo {source.repository} --upstream-ref {source.ref}",
        )
    return own


def _check_go(source: Source) -> None:
    """Compare Go's version with the `go` lines of the modules that a build may compile.

    Raises:
        ToolchainError: one needs a newer Go.
    """
    root = source.files.get("go.mod", b"")
    nested = (source.files.get(f"{folder}/go.mod", b"") for folder in module_folders(root))
    needed = max(
        (
            tuple(int(part) for part in found[1].split(b"."))
            for content in (root, *nested)
            if (found := _GO_DIRECTIVE.search(content))
        ),
        default=(0,),
    )
    if needed > tuple(int(part) for part in GO_VERSION.split(".")):
        newer = ".".join(str(part) for part in needed)
        raise ToolchainError(
            f"{source.repository} at {source.ref} needs Go {newer}; this ocelot has {GO_VERSION}",
            hint="update ocelot, or build an older --upstream-ref",
        )


def _key(steps: Sequence[GoStep], shared: Sequence[object]) -> str:
    """A digest over all that a layer's bytes depend on; other architectures do not count."""
    identity = {"go": GO_VERSION, "steps": [asdict(each) for each in steps], "shared": shared}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
