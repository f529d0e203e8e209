"""The releases of a repository as GitHub shows them.

A release is known by its tag, but GitHub enforces that only for published ones: a draft makes no
tag, and several drafts may name the same one. Ocelot knows its own releases by a comment in their
notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import RUN_AGAIN, GitHubError

if TYPE_CHECKING:
    from pipeline.github.api import RepositoryApi  # which imports githubkit

# State of an asset whose upload has not ended, or never will.
_STARTED = "starter"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundAsset:
    """An asset of a release.

    Attributes:
        sha256: of its content, in hex, as GitHub computed it; empty on older servers.
        is_whole: False if its upload has not ended.
        created: when its upload began.
    """

    id: int
    name: str
    size: int
    sha256: str = ""
    is_whole: bool = True
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRelease:
    """A release.

    Attributes:
        body: its notes as Markdown, with the comment by which ocelot knows it.
        target: commit or branch of which publishing makes the tag.
        url: of its page.
        upload_url: to which assets are sent.
    """

    id: int
    tag: str
    title: str
    body: str
    target: str
    draft: bool
    prerelease: bool
    immutable: bool
    url: str
    upload_url: str
    assets: tuple[FoundAsset, ...] = ()

    @property
    def is_ours(self) -> bool:
        """True if ocelot made it."""
        return marker(self.tag) in self.body


@dataclass(frozen=True, kw_only=True, slots=True)
class TagState:
    """All that GitHub has of one tag.

    Attributes:
        releases: drafts too, oldest first.
        commit: that the tag points at; empty if there is no such tag.
        now: the time by GitHub's clock.
    """

    releases: tuple[FoundRelease, ...] = ()
    commit: str = ""
    now: datetime


def marker(tag: str) -> str:
    """Return the comment by which ocelot knows its release of a tag."""
    return f"<!-- ocelot release {tag} -->"


async def tag_state(api: RepositoryApi, tag: str, known: int | None = None) -> TagState:
    """Return what GitHub has of a tag.

    Args:
        api: of the repository.
        tag: its name.
        known: id of a release that this run made: lists show new ones late.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    listed = await api.listed("/releases")
    if known and (mine := await api.found(f"/releases/{known}")):
        listed.append(mine)
    found = {each["id"]: each for each in listed if each["tag_name"] == tag}
    releases = [
        _release(found[number], await api.listed(f"/releases/{number}/assets"))
        for number in sorted(found)
    ]
    return TagState(releases=tuple(releases), commit=await _commit(api, tag), now=api.now)


async def every_release(api: RepositoryApi) -> list[FoundRelease]:
    """Return all releases, with the assets that the list shows.

    Raises:
        GitHubError: GitHub refuses, or does not answer.
    """
    listed = await api.listed("/releases", required=True)
    return [_release(each, each["assets"]) for each in listed]


async def release_assets(api: RepositoryApi, number: int) -> tuple[FoundAsset, ...]:
    """Return all assets of a release.

    Raises:
        GitHubError: GitHub refuses, or does not answer, or there is no such release any more.
    """
    return tuple(map(_asset, await api.listed(f"/releases/{number}/assets", required=True)))


async def asset_content(api: RepositoryApi, asset: FoundAsset) -> bytes:
    """Return the content of an asset.

    Raises:
        GitHubError: GitHub refuses, does not answer, or gives another content than it names.
    """
    content = await api.content(f"/releases/assets/{asset.id}")
    if asset.sha256 not in ("", hashlib.sha256(content).hexdigest()):
        raise GitHubError(f"GitHub gives another {asset.name} than it names", hint=RUN_AGAIN)
    return content


async def _commit(api: RepositoryApi, tag: str) -> str:
    """Return the commit of a tag; empty if there is no such tag."""
    reference = await api.found(f"/git/ref/tags/{tag}")
    pointed: Mapping[str, str] = reference["object"] if reference else {"sha": "", "type": ""}
    if pointed["type"] == "tag":  # an annotated tag is an object of its own
        annotated = await api.found(f"/git/tags/{pointed['sha']}")
        pointed = annotated["object"] if annotated else pointed
    return pointed["sha"]


def _release(shown: Mapping[str, Any], assets: list[dict[str, Any]]) -> FoundRelease:
    return FoundRelease(
        id=shown["id"],
        tag=shown["tag_name"],
        title=shown["name"] or "",
        body=shown["body"] or "",
        target=shown["target_commitish"],
        draft=shown["draft"],
        prerelease=shown["prerelease"],
        immutable=shown.get("immutable", False),
        url=shown["html_url"],
        upload_url=shown["upload_url"],
        assets=tuple(map(_asset, assets)),
    )


def _asset(shown: Mapping[str, Any]) -> FoundAsset:
    return FoundAsset(
        id=shown["id"],
        name=shown["name"],
        size=shown["size"],
        sha256=(shown.get("digest") or "").removeprefix("sha256:"),
        is_whole=shown["state"] != _STARTED,
        created=datetime.fromisoformat(shown["created_at"]),
    )
