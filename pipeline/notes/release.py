"""The notes of a release as a value, from the files of a build, publish.json and the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

from pipeline.aws.session import region_names
from pipeline.errors import UsageError, quoted
from pipeline.layer.manifest import FILE_NAME, Layer
from pipeline.naming import Architecture
from pipeline.notes.contents import folder_contents
from pipeline.notes.difference import ReleaseDifference, release_difference
from pipeline.notes.facts import LayerFigures, ReleaseFacts, figures, manifest_facts
from pipeline.notes.last import (
    LastRelease,
    RegistryOpener,
    named_manifest,
    recorded_release,
    release_in_folder,
)
from pipeline.notes.layers_file import LayersFile, layers_file
from pipeline.publish.published import (
    PUBLISH_FILE,
    MissingTarget,
    published_rows,
    read_publish_record,
)
from pipeline.registry.arns import ArnTable, arn_table
from pipeline.registry.row import Row
from pipeline.trust.job import github_repository, workflow_file


@dataclass(frozen=True, kw_only=True)
class NotesRequest:
    """The files of a release, and what it is compared with.

    Attributes:
        folder: with manifest.json, and the zips or their bills of materials.
        distribution: None if the folder has one alone.
        release_group: None for the one in which the zips were published.
        published: publish.json; None for the one in the folder or here, else the registry.
        compared: False to compare with no last release.
        first: True if there is no last release.
        previous: folder or manifest.json of the last release; None for the registry's.
        upstream: manifest.json of upstream's own layers; None for none.
        vulnerabilities: those of the zips; None for a file in the folder, if there is one.
        repository: on GitHub, as owner/name; None if the zips are not attested there.
        signer: workflow that attested them; None for one of that repository.
    """

    folder: Path
    distribution: str | None = None
    release_group: str | None = None
    published: Path | None = None
    compared: bool = True
    first: bool = False
    previous: Path | None = None
    upstream: Path | None = None
    vulnerabilities: Path | None = None
    repository: str | None = None
    signer: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReleaseNotes:
    """The notes of a release.

    Attributes:
        release: its facts.
        release_group: such as beta.
        arns: its layer versions by region and architecture.
        layers: the same for other programs.
        missing: regions without a layer version.
        parameters: names of the parameters in SSM that name a layer version, by its ARN.
        upstream: figures of upstream's own layers.
        last: the last release; None for none, or if it is not known.
        difference: from the last release; None without one.
        unknown: sentence that says what is not known of the last release, and why.
        compared: False if the comparison was not requested.
        repository: on GitHub, as owner/name; empty if the zips are not attested there.
        signer: workflow that attested them; empty for one of that repository.
    """

    release: ReleaseFacts
    release_group: str
    arns: ArnTable
    layers: LayersFile
    missing: tuple[MissingTarget, ...] = ()
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    upstream: Mapping[Architecture, LayerFigures] = field(
        default_factory=dict[Architecture, LayerFigures]
    )
    last: ReleaseFacts | None = None
    difference: ReleaseDifference | None = None
    unknown: str = ""
    compared: bool = True
    repository: str = ""
    signer: str = ""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The layer versions, sorted by region and architecture."""
        return tuple(row for each in self.arns.regions for row in each.rows if row)


@dataclass(frozen=True, kw_only=True)
class _Published:
    """The layer versions of a release, sorted; see `ReleaseNotes`."""

    rows: tuple[Row, ...]
    missing: tuple[MissingTarget, ...]
    parameters: Mapping[str, tuple[str, ...]]


class _More(TypedDict, total=False):
    missing: tuple[MissingTarget, ...]
    parameters: Mapping[str, tuple[str, ...]]
    upstream: Mapping[Architecture, LayerFigures]
    compared: bool
    repository: str
    signer: str


def release_notes(request: NotesRequest, open_registry: RegistryOpener) -> ReleaseNotes:
    """Return the notes of a release.

    They are the same for the same files and registry. The last release is left out with a reason if
    it cannot be read.

    Args:
        request: the release.
        open_registry: opens the registry, if it is needed; returns None for none.

    Raises:
        UsageError: a file or an option cannot be used, or the zips were not published.
        AwsError: the layer versions are only in the registry, which cannot be read.
    """
    repository = str(github_repository(request.repository)) if request.repository else ""
    folder, manifest = named_manifest(request.folder)
    entries = _entries(manifest.layers, request.distribution)
    published = _published(request, folder, entries, open_registry)
    released = {row.code_sha256 for row in published.rows}
    entries = [each for each in entries if each.sha256 in released]
    release = manifest_facts(entries, folder_contents(folder, entries, request.vulnerabilities))
    if release is None:
        raise AssertionError("every row is of an entry")
    return assembled_notes(
        release,
        published.rows,
        region_names(),
        _last_release(request, published.rows, open_registry),
        missing=published.missing,
        parameters=published.parameters,
        upstream=_upstream(request.upstream),
        compared=request.compared,
        repository=repository,
        signer=workflow_file(request.signer or ""),
    )


def assembled_notes(
    release: ReleaseFacts,
    rows: Sequence[Row],
    names: Mapping[str, str],
    last: LastRelease,
    **more: Unpack[_More],
) -> ReleaseNotes:
    """Return the notes of a release, of its facts.

    Args:
        release: its facts.
        rows: its layer versions; at least one.
        names: display names of regions.
        last: the last release.
        more: further attributes of `ReleaseNotes`.
    """
    return ReleaseNotes(
        release=release,
        release_group=rows[0].release_group,
        arns=arn_table(rows, names),
        layers=layers_file(rows, names),
        last=last.facts,
        difference=release_difference(last.facts, release) if last.facts else None,
        unknown=last.unknown,
        **more,
    )


def _entries(layers: Iterable[Layer], distribution: str | None) -> list[Layer]:
    """Return the entries of one distribution.

    Raises:
        UsageError: there is none, or it must be named.
    """
    layers = tuple(layers)
    names = sorted({each.distribution for each in layers})
    if distribution is None and len(names) > 1:
        raise UsageError(
            f"{FILE_NAME} has layers of {len(names)} distributions: {', '.join(names)}",
            hint=f"name one, such as --distribution {names[0]}",
        )
    found = [each for each in layers if distribution in (None, each.distribution)]
    if not found:
        raise UsageError(
            f"{FILE_NAME} has no layers{f' of {quoted(distribution)}' if distribution else ''}",
            hint=f"it has: {', '.join(names)}" if names else "build a distribution first",
        )
    return found


def _published(
    request: NotesRequest,
    folder: Path,
    entries: Sequence[Layer],
    open_registry: RegistryOpener,
) -> _Published:
    """Return the layer versions of a release, by publish.json or the registry."""
    distribution = entries[0].distribution
    report = request.published or _present(folder / PUBLISH_FILE, Path(PUBLISH_FILE))
    record = read_publish_record(report) if report else None
    if record:
        own = [each for each in record.versions if each.distribution == distribution]
        rows = published_rows(own, entries)
    else:
        registry = open_registry()
        digests = {each.sha256 for each in entries}
        known = registry.of_distribution(distribution).rows if registry else ()
        rows = tuple(row for row in known if row.code_sha256 in digests)
    rows = _of_one_group(rows, request.release_group)
    if not rows:
        raise UsageError(
            f"no layer version of the zips of {distribution} in {folder} is known",
            hint="publish them first, or name publish.json by --published",
        )
    missing, versions = (record.missing, record.versions) if record else ((), ())
    return _Published(
        rows=tuple(sorted(rows, key=lambda row: str(row.arn))),
        missing=tuple(each for each in missing if each.distribution in ("", distribution)),
        parameters={str(each.arn): each.parameters for each in versions if each.parameters},
    )


def _of_one_group(rows: Iterable[Row], group: str | None) -> tuple[Row, ...]:
    """Return the rows of one release group.

    Raises:
        UsageError: it must be named.
    """
    found = tuple(row for row in rows if group in (None, row.release_group))
    groups = sorted({row.release_group for row in found})
    if len(groups) > 1:
        raise UsageError(
            f"these zips are published in {len(groups)} release groups: {', '.join(groups)}",
            hint=f"name one, such as --release-group {groups[0]}",
        )
    return found


def _present(*paths: Path) -> Path | None:
    return next((each for each in paths if each.is_file()), None)


def _last_release(
    request: NotesRequest, rows: Sequence[Row], open_registry: RegistryOpener
) -> LastRelease:
    if request.first or not request.compared:
        return LastRelease()
    if request.previous:
        return release_in_folder(request.previous, rows[0].distribution, None)
    return recorded_release(rows, open_registry)


def _upstream(path: Path | None) -> Mapping[Architecture, LayerFigures]:
    """Return the figures of upstream's own layers, by architecture."""
    if path is None:
        return {}
    _, manifest = named_manifest(path)
    found = {each.architecture: figures(each) for each in manifest.layers}
    return dict(sorted(found.items()))
