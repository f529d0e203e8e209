"""A repository on the stand-in of GitHub: its releases, tags and assets, and GitHub's rules.

`github_pulls` has its pull requests.

https://docs.github.com/en/rest/releases/releases
https://docs.github.com/en/rest/releases/assets
https://docs.github.com/en/code-security/concepts/supply-chain-security/immutable-releases
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from github_pulls import PullRequests, RefusedError

LONGEST_BODY = 125_000
COMMITS = ("1" * 40, "2" * 40)


def invalid(code: str, field_name: str, **more: str) -> RefusedError:
    """A value that GitHub does not accept."""
    error = {"resource": "Release", "code": code, "field": field_name, **more}
    return RefusedError(422, "Validation Failed", error)


@dataclass
class Asset:
    id: int
    name: str
    content: bytes
    created: datetime
    state: str = "uploaded"
    digest: str | None = None


@dataclass
class Release:
    id: int
    tag: str
    created: datetime
    target: str = "main"
    title: str = ""
    body: str = ""
    draft: bool = False
    prerelease: bool = False
    immutable: bool = False
    assets: list[Asset] = field(default_factory=list[Asset])

    @property
    def contents(self) -> dict[str, bytes]:
        """The whole assets, by name."""
        return {each.name: each.content for each in self.assets if each.state == "uploaded"}


@dataclass
class Repository:
    """The state of a repository.

    Attributes:
        immutable: releases become immutable when they are published.
        digests: False for a server that is too old to tell them.
        commits: that a tag can point at; the first one is the head of main.
        tags: commit by tag.
        annotated: of the tags, those that are objects of their own.
        pulls: its pull requests.
        is_public: whether it can be read without a token.
        listed_assets: most assets of each release in the list of releases; None for all.
        ahead: added to this machine's clock.
    """

    name: str = "acme/layers"
    immutable: bool = False
    digests: bool = True
    commits: tuple[str, ...] = COMMITS
    releases: list[Release] = field(default_factory=list[Release])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    annotated: set[str] = field(default_factory=set[str])
    pulls: PullRequests = field(default_factory=PullRequests)
    is_public: bool = False
    listed_assets: int | None = None
    ahead: timedelta = timedelta()
    last_id: int = 100

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0) + self.ahead

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def release(self, number: int) -> Release:
        found = [each for each in self.releases if each.id == number]
        if not found:
            raise RefusedError(404, "Not Found")
        return found[0]

    def published(self, tag: str) -> Release:
        found = [each for each in self.releases if each.tag == tag and not each.draft]
        if not found:
            raise RefusedError(404, "Not Found")
        return found[0]

    def create(self, wanted: dict[str, Any]) -> Release:
        made = Release(id=self.next_id(), tag=wanted["tag_name"], created=self.now(), draft=True)
        self._set(made, wanted)
        if not wanted.get("draft"):
            self._publish(made)
        self.releases.append(made)
        return made

    def change(self, number: int, wanted: dict[str, Any]) -> Release:
        release = self.release(number)
        fixed = {"tag_name": release.tag, "target_commitish": release.target, "draft": False}
        if release.immutable and any(wanted.get(key, old) != old for key, old in fixed.items()):
            raise RefusedError(422, "Cannot change the tag or target of an immutable release.")
        self._set(release, wanted)
        if release.draft and wanted.get("draft") is False:
            self._publish(release)
        return release

    def _set(self, release: Release, wanted: dict[str, Any]) -> None:
        if len(wanted.get("body") or "") > LONGEST_BODY:
            message = f"body is too long (maximum is {LONGEST_BODY} characters)"
            raise invalid("custom", "body", message=message)
        target = wanted.get("target_commitish") or release.target
        if target not in ("main", *self.commits):
            raise invalid("invalid", "target_commitish")
        release.target = target
        release.tag = wanted.get("tag_name") or release.tag
        release.title = wanted.get("name", release.title)
        release.body = wanted.get("body", release.body)
        release.prerelease = wanted.get("prerelease", release.prerelease)

    def _publish(self, release: Release) -> None:
        """Make a draft visible; its tag is made, unless there is one, which is not moved."""
        if any(each.tag == release.tag and not each.draft for each in self.releases):
            raise invalid("already_exists", "tag_name")
        commit = self.commits[0] if release.target == "main" else release.target
        self.tags.setdefault(release.tag, commit)
        release.draft = False
        release.immutable = self.immutable

    def begin_upload(self, number: int, name: str) -> Asset:
        """Make an asset's entry; it has a state of its own until the whole content is there."""
        release = self.release(number)
        if release.immutable:
            raise RefusedError(422, "Cannot upload assets to an immutable release.")
        name = re.sub(r"[^A-Za-z0-9._+@-]", ".", name).strip(".")
        if any(each.name == name for each in release.assets):
            error = {"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}
            raise RefusedError(422, "Validation Failed", error)
        made = Asset(self.next_id(), name, b"", self.now(), state="starter")
        release.assets.append(made)
        return made

    def end_upload(self, asset: Asset, content: bytes) -> None:
        asset.content, asset.state = content, "uploaded"
        if self.digests:
            asset.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"

    def asset(self, number: int) -> Asset:
        found = [a for each in self.releases for a in each.assets if a.id == number]
        if not found:
            raise RefusedError(404, "Not Found")
        return found[0]

    def delete_asset(self, number: int) -> None:
        asset = self.asset(number)
        (release,) = [each for each in self.releases if asset in each.assets]
        if release.immutable:
            raise RefusedError(422, "Cannot delete assets of an immutable release.")
        release.assets.remove(asset)
