"""The files of the release before another one, downloaded from GitHub for its notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline import progress
from pipeline.files import LARGEST_RECORD, write_atomic
from pipeline.github.api import RepositoryApi
from pipeline.github.releases import FoundAsset, FoundRelease, asset_content, every_release
from pipeline.layer.limits import UNZIPPED_BYTES
from pipeline.layer.manifest import FILE_NAME
from pipeline.naming import zip_parts

_RECORDS = re.compile(r"manifest\.json|vulnerabilities\.json|collector-[a-z0-9-]+\.cdx\.json")
_LANE = "github"


def release_before(
    releases: Iterable[FoundRelease], tag: str, distribution: str, group: str
) -> FoundRelease | None:
    """Return ocelot's last published release before that of a tag; None if there is none.

    Args:
        releases: in any order.
        tag: of the release that is made, which may be there.
        distribution: that both have.
        group: release group that both have.
    """
    series = re.compile(rf"{re.escape(distribution)}-v[0-9].*-{re.escape(group)}")
    found = sorted(releases, key=lambda each: each.id)
    own = [each.id for each in found if each.tag == tag and each.is_ours]
    before = [
        each
        for each in found
        if each.is_ours
        and not each.draft
        and each.tag != tag
        and series.fullmatch(each.tag)
        and any(asset.name == FILE_NAME for asset in each.assets)
        and not (own and each.id > own[0])
    ]
    return before[-1] if before else None


async def download_previous(
    api: RepositoryApi, tag: str, distribution: str, group: str, folder: Path
) -> bool:
    """Download the files of the release before that of a tag: its records, and one of its zips.

    The records are the manifest, bills of materials and known vulnerabilities. Which components a
    collector has is read from a zip; the one of the first architecture stands for all.

    Returns:
        False if there is none.

    Raises:
        GitHubError: GitHub does not answer, or gives another file than it names.
    """
    release = release_before(await every_release(api), tag, distribution, group)
    if release is None:
        return False
    with progress.step(_LANE, f"read the last release, {release.tag}"):
        for asset in _wanted(release.assets, distribution):
            write_atomic(folder / asset.name, await asset_content(api, asset))
    return True


def _wanted(assets: Iterable[FoundAsset], distribution: str) -> Iterator[FoundAsset]:
    whole = sorted((each for each in assets if each.is_whole), key=lambda each: each.name)
    yield from (
        each for each in whole if _RECORDS.fullmatch(each.name) and each.size <= LARGEST_RECORD
    )
    for each in whole:
        parts = zip_parts(each.name)
        if parts and parts[1] == distribution and each.size <= UNZIPPED_BYTES:
            yield each
            return
