"""Decide what to build: a pure function from configuration and sources to a frozen plan."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from pipeline import files
from pipeline.build import gomod
from pipeline.build import zip as packer
from pipeline.build.catalog import offered_tags
from pipeline.build.commits import not_upstream
from pipeline.build.lock import Inputs, Locked, differences
from pipeline.build.overlay import overlaid
from pipeline.build.recipe import GO_VERSION, Recipe, Step, build_recipe
from pipeline.build.tuning import Tuned, tuned, tuning_tag
from pipeline.build.upstream import Source
from pipeline.config import Config, tag_problems
from pipeline.errors import ConfigError, ToolchainError, UsageError
from pipeline.files import Tree
from pipeline.model import Architecture, Budget, Component, Requirement, chosen
from pipeline.naming import zip_name

_OTELCOL = re.compile(
    rb"^\s*(?:require\s+)?go\.opentelemetry\.io/collector/otelcol\s+(v[0-9A-Za-z.+-]+)",
    re.MULTILINE,
)
_GO_DIRECTIVE = re.compile(rb"^go\s+(\d+(?:\.\d+){1,2})", re.MULTILINE)
_CONFIG_FILE = re.compile(r"^config[^/]*\.yaml$")


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """One zip to make.

    Attributes:
        file: name of the zip.
        key: SHA-256 over everything that its bytes depend on.
        step: the compile step that makes its binary.
        configs: collector configs by path in the layer.
        expected: SHA-256 of the zip as the lock has it; empty where it has none.
    """

    architecture: Architecture
    file: str
    key: str
    step: Step
    configs: Tree = field(repr=False)
    expected: str = ""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """All that a build will do.

    Attributes:
        tags: Go build tags; empty for upstream's default set.
        requirements: modules that custom components add.
        epoch: timestamp of the layer's files, seconds since 1970.
        tree: upstream's `collector/` with the overlay over it.
        upstream: `collector/` as it came.
        budget: how large a layer may be.
        inputs: what configuration and ocelot put into it, for the lock.
        tuned: what is changed in upstream's own files.
        locked: the lock's entry that the build keeps to, if it does.
        strays: why it does not keep to the lock; empty if it does.
        notes: what the user should know of the decisions.
    """

    distribution: str
    description: str
    tags: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    repository: str
    ref: str
    commit: str
    collector_version: str
    epoch: int
    recipe: Recipe
    layers: tuple[LayerPlan, ...]
    tree: Tree = field(repr=False)
    upstream: Tree = field(repr=False)
    inputs: Inputs
    tuned: Tuned
    budget: Budget | None = None
    locked: Locked | None = None
    strays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    go_version: str = GO_VERSION

    @property
    def misfits(self) -> tuple[str, ...]:
        """The tunings that do not fit this upstream, for people."""
        return tuple(f"the tuning {name} is left out: {why}" for name, why in self.tuned.left_out)


@dataclass(frozen=True, kw_only=True)
class Materials:
    """What a layer is made of, besides the configuration's choices.

    Attributes:
        source: upstream's files.
        overlay: the hand-written files of `config/overlay/`.
        config_file: content of the distribution's own collector config, None for upstream's.
        tuning_files: the Go files that tunings bring, of `config/tuning/`.
        tune: whether tunings are wanted.
        epoch: SOURCE_DATE_EPOCH if given; else the commit's time counts.
        entry: the lock's entry; a plan keeps to it if nothing differs from it.
    """

    source: Source
    overlay: Tree = field(repr=False)
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
    tags, version = config.tags(distribution), collector_version(source)
    laid_over, requirements, notes = _additions(config, distribution, materials, version)
    base = {**source.files, **laid_over}
    tunings = config.tunings_of(distribution) if materials.tune else {}
    changed = tuned(base, tunings, materials.tuning_files)
    inputs = _inputs(config, tags, requirements, laid_over, materials.config_file, changed)
    epoch = max(source.committed if materials.epoch is None else materials.epoch, packer.EARLIEST)
    strays = _strays(entry, inputs, source.commit, epoch)
    locked = None if strays else entry
    recipe = _recipe(
        architectures, _go_tags(tags, changed), requirements, version, source.commit, locked
    )
    tree = _with_sums({**base, **changed.files}, entry)
    configs = layer_configs(tree, materials.config_file)
    return BuildPlan(
        distribution=distribution,
        description=config.distribution(distribution).description,
        tags=tags,
        requirements=requirements,
        repository=source.repository,
        ref=source.ref,
        commit=source.commit,
        collector_version=version,
        epoch=epoch,
        recipe=recipe,
        layers=_layer_plans(distribution, recipe, tree, configs, epoch, locked),
        tree=tree,
        upstream=source.files,
        inputs=inputs,
        tuned=changed,
        budget=config.budget(distribution),
        locked=locked,
        strays=strays,
        notes=notes,
    )


def _go_tags(tags: Sequence[str], changed: Tuned) -> tuple[str, ...]:
    """What `go build` is told: the components' tags, and those that tell of the tunings."""
    return (*tags, *map(tuning_tag, changed.applied))


def _recipe(
    architectures: Sequence[Architecture],
    tags: Sequence[str],
    requirements: Sequence[Requirement],
    version: str,
    commit: str,
    locked: Locked | None,
) -> Recipe:
    return build_recipe(
        architectures,
        tags,
        requirements,
        collector_version=version,
        commit=commit,
        locked=locked.go_mod if locked else None,
    )


def _requirement(component: Component, collector: str) -> Requirement:
    return Requirement(module=component.module_path, version=component.version or collector)


def _inputs(
    config: Config,
    tags: tuple[str, ...],
    requirements: Sequence[Requirement],
    laid_over: Tree,
    config_file: bytes | None,
    changed: Tuned,
) -> Inputs:
    return Inputs(
        build_tags=tags,
        custom_modules=tuple(str(each) for each in requirements),
        overlay=files.tree_digest(laid_over) if laid_over else "",
        config_file=hashlib.sha256(config_file).hexdigest() if config_file is not None else "",
        go=GO_VERSION,
        image=config.images.go if config.images else "",
        packer=packer.PACKER,
        tunings=tuple(
            f"{name} {files.tree_digest({path: changed.files[path] for path in paths})}"
            for name, paths in changed.touched.items()
        ),
    )


def _strays(entry: Locked | None, inputs: Inputs, commit: str, epoch: int) -> tuple[str, ...]:
    if entry is None:
        return ("the lock has no entry for this distribution, upstream repository and ref",)
    return differences(entry, inputs, commit=commit, epoch=epoch)


def _with_sums(tree: Tree, entry: Locked | None) -> Tree:
    """The tree with the lock's lines in go.sum: a module that has changed since is refused."""
    if entry is None or not entry.go_sum:
        return tree
    return {**tree, "go.sum": gomod.with_sums(tree.get("go.sum", b""), entry.go_sum)}


def _layer_plans(
    distribution: str,
    recipe: Recipe,
    tree: Tree,
    configs: Tree,
    epoch: int,
    locked: Locked | None,
) -> tuple[LayerPlan, ...]:
    shared = (files.tree_digest(tree), files.tree_digest(configs), epoch, packer.PACKER)
    expected = locked.zips if locked else {}
    return tuple(
        LayerPlan(
            architecture=Architecture(step.lane),
            file=zip_name(Architecture(step.lane), distribution),
            key=_key(recipe, step, shared),
            step=step,
            configs=configs,
            expected=expected.get(Architecture(step.lane), ""),
        )
        for step in recipe.compile
    )


def narrowed(plan: BuildPlan, layers: Sequence[LayerPlan]) -> Recipe:
    """The plan's recipe for some of its layers alone."""
    return _recipe(
        [layer.architecture for layer in layers],
        _go_tags(plan.tags, plan.tuned),
        plan.requirements,
        plan.collector_version,
        plan.commit,
        plan.locked,
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
    """Collector configs by path in the layer: upstream's `config*.yaml`, or ours as config.yaml."""
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
    config: Config, distribution: str, materials: Materials, version: str
) -> tuple[Tree, tuple[Requirement, ...], tuple[str, ...]]:
    """What is laid over upstream, the modules that it takes, and what is to be told of it."""
    own = _checked_tags(config, distribution, materials.source, materials.overlay)
    custom, notes = _custom_components(config, config.tags(distribution), own)
    requirements = {_requirement(each, version) for each in custom.values()}
    return overlaid({}, materials.overlay, custom), tuple(sorted(requirements)), notes


def _custom_components(
    config: Config, tags: Sequence[str], own: frozenset[str]
) -> tuple[dict[str, Component], tuple[str, ...]]:
    """The custom components that the tags switch on, less those that upstream has by now."""
    wanted = {
        tag: component
        for tag, component in config.components.items()
        if chosen(tag, frozenset(tags))
    }
    custom = {tag: component for tag, component in wanted.items() if tag not in own}
    notes = tuple(
        f"{tag} is upstream's own by now; its entry in components.yaml is not used"
        for tag in wanted
        if tag in own
    )
    return custom, notes


def _checked_tags(
    config: Config, distribution: str, source: Source, overlay: Tree
) -> frozenset[str]:
    """The tags that upstream offers, once it is sure that Go and the distribution go with them."""
    _check_go(source)
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
    wanted = max(
        (
            tuple(int(part) for part in found[1].split(b"."))
            for name, content in source.files.items()
            if (name == "go.mod" or name.endswith("/go.mod"))
            and "internal/tools" not in name
            and (found := _GO_DIRECTIVE.search(content))
        ),
        default=(0,),
    )
    if wanted > tuple(int(part) for part in GO_VERSION.split(".")):
        newer = ".".join(str(part) for part in wanted)
        raise ToolchainError(
            f"{source.repository} at {source.ref} wants Go {newer}; this ocelot has {GO_VERSION}",
            hint="update ocelot, or build an older --upstream-ref",
        )


def _key(recipe: Recipe, step: Step, shared: tuple[object, ...]) -> str:
    """What a layer's bytes depend on; the architectures built beside it are not among it."""
    steps = [asdict(each) for stage in recipe.prepare for each in stage if not each.network]
    identity = {"go": GO_VERSION, "steps": [*steps, asdict(step)], "shared": shared}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
