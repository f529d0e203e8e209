"""A release on GitHub of published layers: `ocelot github-release` and `ocelot release` call it.

1. `published_release` and `wanted_release` read publish.json, the manifest and the files, and check
   them against each other: what is released is what was published, and no region failed.
2. The notes, if they are not given, compare with the last release on GitHub.
3. `complete_release` looks at GitHub, decides, and does the rest: see `pipeline/github/`.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline.build import lock
from pipeline.errors import UsageError, quoted
from pipeline.files import open_regular
from pipeline.github.api import RepositoryApi, repository_api
from pipeline.github.apply import GitHubResult, complete_release
from pipeline.github.plan import AssetFile, WantedRelease
from pipeline.github.previous import download_previous
from pipeline.layer import manifest
from pipeline.layer.manifest import Layer, Manifest
from pipeline.notes import layers_file
from pipeline.options import GitHubOptions
from pipeline.publish.published import (
    PUBLISH_FILE,
    PublishRecord,
    published_rows,
    read_publish_record,
)
from pipeline.publish.request import LOCAL_GROUP
from pipeline.registry.row import Row
from pipeline.threads import in_thread

SUMS = "SHA256SUMS"
_BUILD_AGAIN = "give the folder from which they were published, or build and publish again"
# GitHub renames others: https://docs.github.com/en/rest/releases/assets
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_COMMIT = re.compile("[0-9a-f]{40}")


# Notes in Markdown; or a function that returns them, given a folder with the last release's
# manifest.json and bills of materials, or None if there is no last release.
NotesWriter = str | Callable[[Path | None], str]


@dataclass(frozen=True, kw_only=True)
class GitHubRequest:
    """A request for a release.

    Attributes:
        layers: folder of the zips, their evidence and manifest.json.
        published: publish.json.
        config: folder whose lock is added, if it has one.
        distribution: None if publish.json has only one.
        release_group: that it must be; None for any but `local`.
        files: further assets.
        region_names: display names of regions.
    """

    layers: Path
    published: Path
    config: Path
    options: GitHubOptions
    distribution: str | None = None
    release_group: str | None = None
    files: tuple[Path, ...] = ()
    region_names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PublishedRelease:
    """The published layers of one distribution.

    Attributes:
        rows: of the layer versions.
        manifest: of their zips alone.
    """

    rows: tuple[Row, ...]
    manifest: Manifest

    @property
    def name(self) -> str:
        """The name for people, such as `minimal v0.158.0 beta`."""
        row = self.rows[0]
        return f"{row.distribution} {row.collector_version_input} {row.release_group}"

    @property
    def tag(self) -> str:
        """The tag, such as `minimal-v0.158.0-beta`."""
        return self.name.replace(" ", "-")


async def github_release(
    request: GitHubRequest,
    repository: str,
    token: str,
    notes: NotesWriter,
    *,
    dry_run: bool = False,
) -> GitHubResult:
    """Create the release, or add to it what it lacks.

    Args:
        request: the user's.
        repository: owner/name.
        token: may write contents.
        notes: see `NotesWriter`.
        dry_run: only decide.

    Raises:
        UsageError: the files are not what was published.
        GitHubError: GitHub refuses or does not answer, or has another release.
    """
    # 1. the files, before the first request
    published = published_release(request)
    wanted = wanted_release(request, published)
    async with repository_api(request.options.api_url, repository, token) as api:
        await api.check()
        # 2. the notes
        wanted = replace(wanted, notes=await _notes(api, published, notes))
        # 3. look, decide, do
        return await complete_release(api, wanted, dry_run=dry_run)


async def _notes(api: RepositoryApi, published: PublishedRelease, notes: NotesWriter) -> str:
    """Return the notes, and download the last release for it if need be."""
    if isinstance(notes, str):
        return notes
    row = published.rows[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = (published.tag, row.distribution, row.release_group)
        is_there = await download_previous(api, *names, folder)
        return await in_thread(partial(notes, folder if is_there else None))


async def check_access(repository: str, token: str, options: GitHubOptions) -> None:
    """Check that the token is valid and may see the repository.

    Raises:
        GitHubError: it is not, or may not.
    """
    async with repository_api(options.api_url, repository, token) as api:
        await api.check()


def published_release(request: GitHubRequest) -> PublishedRelease:
    """Return the published layers of which a release is to be made.

    Raises:
        UsageError: they are not all published, or they are of several distributions, versions or
            release groups, or of the group `local`.
    """
    record = read_publish_record(request.published)
    names = {each.distribution for each in record.versions}
    chosen = _distribution(request.distribution, names)
    _check_succeeded(record, chosen)
    built = manifest.read_manifest(request.layers / manifest.FILE_NAME)
    if built is None:
        raise UsageError(f"{request.layers} has no {manifest.FILE_NAME}", hint=_BUILD_AGAIN)
    own = [each for each in record.versions if each.distribution == chosen]
    rows = published_rows(own, built.layers)
    files = {each.file for each in own}
    _check_one_release(rows, request.release_group)
    return PublishedRelease(
        rows=rows,
        manifest=Manifest(layers=tuple(each for each in built.layers if each.file in files)),
    )


def _distribution(given: str | None, published: Collection[str]) -> str:
    if given is None and len(published) == 1:
        return next(iter(published))
    if given in published:
        return str(given)
    names = ", ".join(sorted(published))
    raise UsageError(
        f"{PUBLISH_FILE} has these distributions: {names}; a release is of one",
        hint=f"name one, such as --distribution {min(published)}",
    )


def _check_succeeded(record: PublishRecord, distribution: str) -> None:
    """Check that no target of a distribution failed, so that a release names all regions."""
    own = [each for each in record.versions if each.distribution == distribution]
    missing = [each for each in record.missing if each.distribution == distribution]
    failed = [f"{each.arn.region} ({each.file})" for each in own if not each.succeeded]
    failed += [f"{each.region} ({each.architecture})" for each in missing]
    if failed:
        raise UsageError(
            f"{len(failed)} of {len(own) + len(missing)} targets of {distribution} failed: "
            f"{', '.join(failed)}",
            hint="publish again; a region that stays away is put into quarantine in regions.yaml",
        )


def _check_one_release(rows: Sequence[Row], expected: str | None) -> None:
    releases = sorted({(row.collector_version_input, row.release_group) for row in rows})
    if len(releases) != 1:
        found = ", ".join(" ".join(each) for each in releases)
        raise UsageError(
            f"{PUBLISH_FILE} has layers of several releases: {found}",
            hint="release them one by one, each with its own publish.json",
        )
    check_group(releases[0][1], expected)


def check_group(group: str, expected: str | None) -> None:
    """Check the release group of layers: `local` is released only if it is named.

    Raises:
        UsageError: it is `local` and not named, or another one is.
    """
    if expected not in (None, group):
        raise UsageError(
            f"the layers are of the release group {group}, not {expected}",
            hint=f"publish them with --release-group {expected} first",
        )
    if group == LOCAL_GROUP and expected is None:
        raise UsageError(
            f"layers of the release group {LOCAL_GROUP} are not released on GitHub",
            hint="publish them with another --release-group, or name this one: --release-group "
            f"{LOCAL_GROUP}",
        )


def wanted_release(request: GitHubRequest, published: PublishedRelease) -> WantedRelease:
    """Return the release as it should be, with all its assets but without notes.

    Raises:
        UsageError: a file cannot be read, is not the one in the manifest, or has a name that
            GitHub would change.
    """
    target = request.options.target or ""
    if target and not _COMMIT.fullmatch(target):
        raise UsageError(
            f"{quoted(target)} is no commit", hint="give the 40 digits of its SHA: --target"
        )
    files = tuple(_assets(request, published))
    names = [each.name for each in files]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two assets are named {repeated[0]}", hint="rename one of the files")
    return WantedRelease(
        tag=published.tag,
        title=published.name,
        notes="",
        files=(*files, _sums(files)),
        target=target,
        prerelease=request.options.prerelease,
        draft=request.options.draft,
    )


def _assets(request: GitHubRequest, published: PublishedRelease) -> Iterator[AssetFile]:
    """Yield the assets, but for the sums: those of each layer first."""
    for each in published.manifest.layers:
        for name, sha256 in _layer_files(each):
            file = file_asset(request.layers / name, is_record=name != each.file)
            if file.sha256 != sha256:
                raise UsageError(
                    f"{request.layers / name} is not the file in {manifest.FILE_NAME}: "
                    f"sha256 {file.sha256} instead of {sha256}",
                    hint=_BUILD_AGAIN,
                )
            yield file
    rows = layers_file.layers_file(published.rows, request.region_names)
    yield _made(manifest.FILE_NAME, published.manifest.text())
    yield _made(layers_file.FILE_NAME, rows.text())
    yield file_asset(request.published, name=PUBLISH_FILE)
    locked = request.config / lock.FILE_NAME
    if locked.is_file():
        yield file_asset(locked)
    for path in request.files:
        yield file_asset(path)


def _layer_files(layer: Layer) -> list[tuple[str, str]]:
    """Return the names of a zip and of its evidence, each with its sha256."""
    return [(layer.file, layer.sha256), *sorted(layer.evidence.items())]


def file_asset(path: Path, *, name: str = "", is_record: bool = True) -> AssetFile:
    """Return a file as an asset.

    Raises:
        UsageError: it cannot be read, is empty, or GitHub would change its name.
    """
    name = name or path.name
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"GitHub would rename {quoted(name)}",
            hint="rename it: letters, digits, dots, hyphens and underscores",
        )
    try:
        with open_regular(path) as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="name a file that can be read"
        ) from error
    if not size:
        raise UsageError(f"{path} is empty, and GitHub takes no such asset", hint="leave it out")
    return AssetFile(name=name, size=size, sha256=digest, content=path, is_record=is_record)


def _made(name: str, text: str) -> AssetFile:
    """Return an asset that is no file here."""
    content = text.encode()
    return AssetFile(
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        is_record=True,
    )


def _sums(files: Iterable[AssetFile]) -> AssetFile:
    """Return the file by which `sha256sum -c` checks all others."""
    lines = sorted(f"{each.sha256}  {each.name}\n" for each in files)
    return _made(SUMS, "".join(lines))
