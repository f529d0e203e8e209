"""The last release before another one: of a folder, or of the registry and AWS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.aws.download import download_layer, published_layer, retried_download
from pipeline.aws.session import Aws
from pipeline.errors import AwsError, OcelotError, UsageError
from pipeline.layer.inspection import inspect_layer
from pipeline.layer.layerfile import open_layer
from pipeline.layer.manifest import FILE_NAME, Manifest, read_manifest
from pipeline.naming import Architecture
from pipeline.notes.contents import folder_contents
from pipeline.notes.facts import (
    LayerContents,
    LayerFacts,
    LayerFigures,
    ReleaseFacts,
    inspected_contents,
    manifest_facts,
    row_facts,
    row_figures,
)
from pipeline.registry.history import Release, releases
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row

# Opens the registry; returns None if there is none.
RegistryOpener = Callable[[], Registry | None]
_HINT = "give the folder of a build, or its manifest.json"
# Regions from which a zip is downloaded, if one does not give it.
_REGIONS_TRIED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class LastRelease:
    """The release before another one.

    Attributes:
        facts: None for none, or if it is not known.
        unknown: sentence that says what is not known of it, and why; empty if all is known.
    """

    facts: ReleaseFacts | None = None
    unknown: str = ""


def named_manifest(path: Path) -> tuple[Path, Manifest]:
    """Return the folder and the manifest of a folder or a manifest.json.

    Raises:
        UsageError: there is none.
    """
    folder, file = (path, path / FILE_NAME) if path.is_dir() else (path.parent, path)
    manifest = read_manifest(file)
    if manifest is None:
        raise UsageError(f"there is no {file}", hint=_HINT)
    return folder, manifest


def release_in_folder(path: Path, distribution: str, vulnerabilities: Path | None) -> LastRelease:
    """Return the release of a distribution in a folder.

    Raises:
        UsageError: it has none, or a file of it cannot be used.
    """
    folder, manifest = named_manifest(path)
    entries = [each for each in manifest.layers if each.distribution == distribution]
    facts = manifest_facts(entries, folder_contents(folder, entries, vulnerabilities))
    if facts is None:
        raise UsageError(f"{path} has no layers of {distribution}", hint=_HINT)
    return LastRelease(facts=facts)


def recorded_release(rows: Sequence[Row], open_registry: RegistryOpener) -> LastRelease:
    """Return the release before another one, by the registry and the zip in AWS.

    Args:
        rows: of the other release.
        open_registry: see `RegistryOpener`.
    """
    first = rows[0]
    try:
        registry = open_registry()
        if registry is None:
            return _unknown("there is no registry")
        known = registry.of_distribution(first.distribution).rows
    except OcelotError as error:
        progress.note(f"the last release is not known: {error}")
        return _unknown("the registry cannot be read")
    before = releases_before(rows, known)
    return _with_contents(before, rows, registry.aws) if before else LastRelease()


def _unknown(reason: str) -> LastRelease:
    return LastRelease(unknown=f"The last release is not known, since {reason}.")


def releases_before(rows: Sequence[Row], known: Iterable[Row]) -> Mapping[Architecture, Release]:
    """Return the release before another one, for each of its architectures that has one.

    It has the same distribution and release group, and another content. A release that the
    registry does not have is taken for the newest.
    """
    found: dict[Architecture, Release] = {}
    by_architecture = {row.architecture: row for row in sorted(rows, key=lambda row: str(row.arn))}
    for architecture, own in sorted(by_architecture.items()):
        series = releases(
            row
            for row in known
            if (row.architecture, row.distribution, row.release_group)
            == (architecture, own.distribution, own.release_group)
        )
        same = [at for at, each in enumerate(series) if _content(each) == own.code_sha256]
        older = series[same[0] + 1 :] if same else series
        if others := [each for each in older if _content(each) != own.code_sha256]:
            found[architecture] = others[0]
    return found


def _content(release: Release) -> str:
    return release.first.code_sha256


def _with_contents(
    before: Mapping[Architecture, Release], rows: Sequence[Row], aws: Aws
) -> LastRelease:
    """Return the facts of a release, with the contents of one zip, which stands for all."""
    first = next(iter(before))
    unknown = ""
    downloaded: LayerFacts | None = None
    try:
        downloaded = _downloaded(before[first], {row.region for row in rows}, aws)
    except OcelotError as error:
        progress.note(f"the last release's zip is not compared: {error}")
        unknown = (
            "Components and Go modules are not compared, since the last release's zip cannot be "
            "downloaded and read."
        )
    layers = [
        downloaded
        if downloaded and architecture is first
        else _facts(each.first, row_figures(each.first), LayerContents())
        for architecture, each in before.items()
    ]
    of_rows = {architecture: each.first for architecture, each in before.items()}
    return LastRelease(facts=row_facts(of_rows, layers), unknown=unknown)


def _facts(row: Row, figures: LayerFigures, contents: LayerContents) -> LayerFacts:
    return LayerFacts(
        architecture=row.architecture,
        sha256=row.code_sha256,
        figures=figures,
        contents=contents,
    )


def _downloaded(release: Release, regions: set[str], aws: Aws) -> LayerFacts:
    """Return the facts of a release's zip, from the first region that gives it.

    Raises:
        OcelotError: none does, or the zip is no collector.
    """
    rows = sorted(release.rows, key=lambda row: (row.region not in regions, str(row.arn)))
    first = rows[0]
    content = _content_in_aws(rows[:_REGIONS_TRIED], aws)
    layer = open_layer(content, file=first.arn.name)
    sizes = {"size": layer.size, "unzipped_size": layer.unzipped_size}
    figures = replace(row_figures(first), **sizes)
    return _facts(first, figures, inspected_contents(inspect_layer(layer)))


def _content_in_aws(rows: Iterable[Row], aws: Aws) -> bytes:
    failed = AwsError("there is no such layer version", hint="")
    for row in rows:
        try:
            content = retried_download(partial(published_layer, aws, row.arn), download_layer)
        except AwsError as error:
            failed = error
            continue
        if row.code_sha256 in ("", hashlib.sha256(content).hexdigest()):
            return content
        failed = AwsError(f"{row.arn} has another sha256 than the registry says", hint="")
    raise failed
