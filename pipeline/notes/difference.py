"""The differences between two releases of a distribution. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.naming import Architecture
from pipeline.notes.facts import KnownVulnerability, LayerContents, ReleasedComponent, ReleaseFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A value that has changed."""

    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleMove:
    """A Go module with another version; the old or the new one is empty if it came or went."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Renamed:
    """A component that has another name, or comes from another package."""

    old: ReleasedComponent
    new: ReleasedComponent


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Names that were added and removed, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseDifference:
    """The differences from the last release; None for a value that is the same, or not known.

    Attributes:
        last_version: collector version of the last release.
        same_zips: True if all zips are the same.
        repository: upstream's; a pair if it has changed.
        commits: of upstream, if they differ.
        components_known: False if the components of a release are not known.
        modules_known: False if the Go modules of a release are not known.
        modules: sorted by path.
        vulnerabilities_known: False if those of a release were not looked up.
        architectures_added: layers for them are new.
    """

    last_version: str
    same_zips: bool
    collector: Move | None
    repository: Move | None
    commits: Move | None
    go: Move | None
    components_known: bool
    components_added: tuple[ReleasedComponent, ...]
    components_removed: tuple[ReleasedComponent, ...]
    components_renamed: tuple[Renamed, ...]
    build_tags: Names
    tunings: Names
    modules_known: bool
    modules: tuple[ModuleMove, ...]
    vulnerabilities_known: bool
    fixed: tuple[KnownVulnerability, ...]
    new: tuple[KnownVulnerability, ...]
    architectures: Names


def release_difference(old: ReleaseFacts, new: ReleaseFacts) -> ReleaseDifference:
    """Return the differences of a release from an older one."""
    both = [each for each in new.layers if each in old.layers]
    before, after = _contents(old, both), _contents(new, both)
    gone, come, renamed = _components(before, after)
    fixed, found = _vulnerabilities(before, after)
    return ReleaseDifference(
        last_version=old.collector_version,
        same_zips=bool(both)
        and all(old.layers[each].sha256 == new.layers[each].sha256 for each in both),
        collector=_move(old.collector_version, new.collector_version),
        repository=_move(old.repository, new.repository),
        commits=_move(old.commit, new.commit),
        go=_move(before.go, after.go),
        components_known=before.components is not None and after.components is not None,
        components_added=come,
        components_removed=gone,
        components_renamed=renamed,
        build_tags=_names(before.build_tags, after.build_tags),
        tunings=_names(old.tunings, new.tunings),
        modules_known=before.modules is not None and after.modules is not None,
        modules=tuple(_modules(before, after)),
        vulnerabilities_known=None not in (before.vulnerabilities, after.vulnerabilities),
        fixed=fixed,
        new=found,
        architectures=_names(tuple(old.layers), tuple(new.layers)),
    )


def _contents(release: ReleaseFacts, architectures: Collection[Architecture]) -> LayerContents:
    """Return the contents of the first layer that both releases have, else of the first one."""
    chosen = next(iter(architectures), None)
    return (release.layers[chosen] if chosen else release.first).contents


def _move(old: str, new: str) -> Move | None:
    return Move(old=old, new=new) if old and new and old != new else None


def _names(old: Collection[str] | None, new: Collection[str] | None) -> Names:
    if old is None or new is None:
        return Names()
    return Names(
        added=tuple(sorted(set(new) - set(old))), removed=tuple(sorted(set(old) - set(new)))
    )


def _modules(old: LayerContents, new: LayerContents) -> Iterator[ModuleMove]:
    if old.modules is None or new.modules is None:
        return
    for path in sorted({*old.modules, *new.modules}):
        before, after = old.modules.get(path, ""), new.modules.get(path, "")
        if before != after:
            yield ModuleMove(path=path, old=before, new=after)


def _components(
    old: LayerContents, new: LayerContents
) -> tuple[tuple[ReleasedComponent, ...], tuple[ReleasedComponent, ...], tuple[Renamed, ...]]:
    """Return the components that were removed, added and renamed, each once."""
    if old.components is None or new.components is None:
        return (), (), ()
    gone = [each for each in old.components if each not in new.components]
    come = [each for each in new.components if each not in old.components]
    renamed: list[Renamed] = []
    for each in gone:
        if found := _same_component(each, come):
            renamed.append(Renamed(old=each, new=found))
            come.remove(found)
    left = {each.old for each in renamed}
    return tuple(each for each in gone if each not in left), tuple(come), tuple(renamed)


def _same_component(
    old: ReleasedComponent, added: Iterable[ReleasedComponent]
) -> ReleasedComponent | None:
    """Return the added component that an old one has become; None if there is none.

    Its name differs by signs and case alone, as `otlphttp` and `otlp_http` do, or it is the only
    one that its Go module adds.
    """
    same_kind = [each for each in added if each.kind == old.kind]
    for each in same_kind:
        if _letters(each.name) == _letters(old.name):
            return each
    same_module = [each for each in same_kind if old.module and each.module == old.module]
    return same_module[0] if len(same_module) == 1 else None


def _letters(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _vulnerabilities(
    old: LayerContents, new: LayerContents
) -> tuple[tuple[KnownVulnerability, ...], tuple[KnownVulnerability, ...]]:
    """Return the vulnerabilities that were fixed, and those that are new."""
    if old.vulnerabilities is None or new.vulnerabilities is None:
        return (), ()
    before, after = _by_id(old.vulnerabilities), _by_id(new.vulnerabilities)
    return (
        tuple(each for key, each in before.items() if key not in after),
        tuple(each for key, each in after.items() if key not in before),
    )


def _by_id(
    found: Iterable[KnownVulnerability],
) -> Mapping[tuple[str, str], KnownVulnerability]:
    return {(each.id, each.module): each for each in sorted(found)}
