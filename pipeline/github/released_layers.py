"""The layer versions that the releases of a repository name."""

from __future__ import annotations

from pipeline import progress
from pipeline.errors import GitHubError
from pipeline.files import LARGEST_RECORD
from pipeline.github.api import RepositoryApi, repository_api
from pipeline.github.releases import (
    FoundAsset,
    FoundRelease,
    asset_content,
    every_release,
    release_assets,
)
from pipeline.naming import named_arns

_LANE = "github"
# A list of releases shows the first assets of each; of a release with so many, all are listed.
_MANY_ASSETS = 30


async def released_layers(
    url: str, repository: str, token: str | None, file: str
) -> dict[str, tuple[str, ...]]:
    """Return the ARNs in the layers.json of each published release, by the release's tag.

    Args:
        url: of the API.
        repository: owner/name.
        token: may read contents; None for a public repository.
        file: name of the asset, `layers.json`; its form does not matter.

    Raises:
        GitHubError: GitHub refuses, or does not answer, or an asset cannot be read in full.
        UsageError: the address would send the token unencrypted.
    """
    named: dict[str, tuple[str, ...]] = {}
    async with repository_api(url, repository, token) as api:
        with progress.step(_LANE, "read the releases") as step:
            await api.check()
            published = [each for each in await every_release(api) if not each.draft]
            for release in published:
                if asset := await _asset(api, release, file):
                    _check(asset, release.tag)
                    text = (await asset_content(api, asset)).decode(errors="replace")
                    named[release.tag] = named_arns(text)
                    progress.line(_LANE, release.tag)
            step.result = f"{len(named)} of {len(published)} releases have {file}"
    return named


async def _asset(api: RepositoryApi, release: FoundRelease, file: str) -> FoundAsset | None:
    assets = release.assets
    if len(assets) >= _MANY_ASSETS and all(each.name != file for each in assets):
        assets = await release_assets(api, release.id)
    return next((each for each in assets if each.name == file), None)


def _check(asset: FoundAsset, tag: str) -> None:
    """Check that an asset is whole and of a usual size.

    Raises:
        GitHubError: it is not.
    """
    if not asset.is_whole:
        raise GitHubError(
            f"the upload of {asset.name} of the release {tag} has not ended",
            hint="upload it again, or delete it from the release",
        )
    if asset.size > LARGEST_RECORD:
        raise GitHubError(
            f"{asset.name} of the release {tag} is larger than {LARGEST_RECORD:,} bytes",
            hint="it is no layers.json of ocelot: delete it from the release, or rename it",
        )
