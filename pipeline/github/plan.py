"""The plan for one release on GitHub: a pure function of what is wanted and what is there.

A release is created as a draft, gets its assets, and is published last. What is there and right is
left alone; what is missing is added; what differs is refused, since nothing is deleted or replaced.
The one exception are assets whose upload broke off, which GitHub keeps empty and which its
documentation says can be deleted: https://docs.github.com/en/rest/releases/assets
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.github.releases import FoundAsset, FoundRelease, TagState, marker

# An unfinished upload that is older was given up: no other run is sending it any more.
GIVEN_UP = timedelta(minutes=5)
# https://github.com/orgs/community/discussions/27190: characters of a release's notes
LONGEST_BODY = 125_000
# The same without the comment.
LONGEST_NOTES = 124_500
_OTHER_GROUP = "a release is never changed: publish under another --release-group"


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetFile:
    """A file that is to be an asset.

    Attributes:
        sha256: in hex.
        content: where it is, or the bytes themselves.
        is_record: True if it is about this run, such as publish.json: a release that is complete
            keeps the records with which it was published.
    """

    name: str
    size: int
    sha256: str
    content: Path | bytes = field(repr=False)
    is_record: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedRelease:
    """A release as it should be.

    Attributes:
        notes: Markdown.
        target: SHA of the commit for the tag; empty for the head of the default branch.
        prerelease: None: leave that as it is.
        draft: True to leave it a draft.
    """

    tag: str
    title: str
    notes: str
    files: tuple[AssetFile, ...]
    target: str = ""
    prerelease: bool | None = None
    draft: bool = False

    @property
    def body(self) -> str:
        """The notes with the comment by which ocelot knows its releases.

        Raises:
            UsageError: GitHub does not take as much.
        """
        body = f"{self.notes.strip()}\n\n{marker(self.tag)}\n"
        if len(body) > LONGEST_BODY:
            raise UsageError(
                f"the notes have {len(self.notes):,} characters, and GitHub takes {LONGEST_BODY:,}",
                hint="shorten them: --notes",
            )
        return body


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubPlan:
    """The steps for a release.

    Attributes:
        release: that is there; None if a draft is to be created.
        incomplete: assets to be deleted, since their upload broke off.
        uploads: assets to be added.
        changes: values of the release to be changed, by GitHub's names.
        publish: True if the draft is to be published.
        waiting: names of assets that another run may be uploading right now.
        kept: number of assets that are there and right.
        differences: why there is nothing to do but to refuse; then there are no steps.
        hint: the next step after a refusal.
        notes: for the user.
    """

    wanted: WantedRelease
    release: FoundRelease | None = None
    incomplete: tuple[FoundAsset, ...] = ()
    uploads: tuple[AssetFile, ...] = ()
    changes: Mapping[str, object] = field(default_factory=dict[str, object])
    publish: bool = False
    waiting: tuple[str, ...] = ()
    kept: int = 0
    differences: tuple[str, ...] = ()
    hint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def fills(self) -> bool:
        """True if the release that is there lacks something."""
        return bool(self.incomplete or self.uploads or self.changes or self.waiting)

    @property
    def is_done(self) -> bool:
        """True if there is nothing to do."""
        return self.release is not None and not (self.fills or self.publish)


def release_plan(
    wanted: WantedRelease, state: TagState, failed: Collection[str] = ()
) -> GitHubPlan:
    """Return the plan for a release.

    Args:
        wanted: the release as it should be.
        state: what GitHub has of its tag.
        failed: names of assets whose upload broke off in this run.
    """
    plan = GitHubPlan(wanted=wanted)
    if refused := _foreign_release(plan, state) or _foreign_tag(plan, state):
        return refused
    own = sorted(
        (each for each in state.releases if each.is_ours), key=lambda each: (each.draft, each.id)
    )
    if not own:
        return replace(plan, uploads=wanted.files, publish=not wanted.draft)
    release, *others = own  # the published one, else the oldest draft
    notes = tuple(
        f"another draft of {wanted.tag} with {len(each.assets)} assets is left alone; delete it "
        f"if no other run needs it: {each.url}"
        for each in others
    )
    plan = _compared(replace(plan, release=release, notes=notes), state, failed)
    if plan.differences:
        return plan
    return replace(
        plan,
        notes=(*plan.notes, *_kept_values(wanted, release, state)),
        changes=dict(_changes(wanted, release)),
        publish=release.draft and not wanted.draft,
    )


def _kept_values(wanted: WantedRelease, release: FoundRelease, state: TagState) -> Iterator[str]:
    """Yield a note on each value of a published release that stays, though another is wanted."""
    if release.draft:
        return
    if wanted.draft:
        yield "the release was published before; it stays so"
    if wanted.target and wanted.target != state.commit:
        yield f"the tag {wanted.tag} stays at {state.commit}, where the release was made"


def _foreign_release(plan: GitHubPlan, state: TagState) -> GitHubPlan | None:
    """Return the refusal if there is a release of this tag that ocelot did not make."""
    published = [each for each in state.releases if not each.draft]
    foreign = [each for each in published or state.releases if not each.is_ours]
    if not foreign:
        return None
    kind = "draft" if foreign[0].draft else "release"
    return replace(
        plan,
        release=foreign[0],
        differences=(f"the {kind} {foreign[0].url} was not made by ocelot",),
        hint="publish under another --release-group, or delete it on GitHub if it is a mistake",
    )


def _foreign_tag(plan: GitHubPlan, state: TagState) -> GitHubPlan | None:
    """Return the refusal if the tag is there without a release, or draft and tag contradict."""
    tag, target = plan.wanted.tag, plan.wanted.target
    if not state.commit:
        return None
    if not state.releases:
        return replace(
            plan,
            differences=(f"the tag {tag} is there without a release, at {state.commit}",),
            hint="a tag is never moved: publish under another --release-group",
        )
    is_draft = all(each.draft for each in state.releases)
    if is_draft and target and target != state.commit:
        return replace(
            plan,
            differences=(f"the tag {tag} is at {state.commit}, not at {target}",),
            hint="a tag is never moved: name its commit, --target, to publish that draft, or "
            "publish under another --release-group",
        )
    return None


def _compared(plan: GitHubPlan, state: TagState, failed: Collection[str]) -> GitHubPlan:
    """Return the plan with the differences between wanted and present assets."""
    release = plan.release
    assert release  # noqa: S101  the caller has one
    present = {each.name: each for each in release.assets}
    differing: list[tuple[AssetFile, FoundAsset]] = []
    incomplete: list[FoundAsset] = []
    uploads: list[AssetFile] = []
    waiting: list[str] = []
    unknown: list[str] = []
    for file in plan.wanted.files:
        found = present.get(file.name)
        if found is None:
            uploads.append(file)
        elif not found.is_whole:
            if file.name not in failed and state.now - found.created < GIVEN_UP:
                waiting.append(file.name)
                continue
            incomplete.append(found)
            uploads.append(file)
        elif (found.sha256 or file.sha256, found.size) != (file.sha256, file.size):
            differing.append((file, found))
        elif not found.sha256:
            unknown.append(file.name)
    plan = replace(
        plan,
        incomplete=tuple(incomplete),
        uploads=tuple(uploads),
        waiting=tuple(waiting),
        kept=len(plan.wanted.files) - len(differing) - len(uploads) - len(waiting),
        notes=(*plan.notes, *_size_note(unknown)),
    )
    return _refused(plan, release, differing) if differing or release.immutable else plan


def _size_note(names: list[str]) -> Iterator[str]:
    if names:
        yield f"this server tells no digest of {', '.join(names)}: only the sizes were compared"


def _refused(
    plan: GitHubPlan, release: FoundRelease, differing: list[tuple[AssetFile, FoundAsset]]
) -> GitHubPlan:
    """Return the refusal for assets of other content, or that an immutable release lacks.

    A published release that has every asset keeps the records that differ, and is not refused.
    """
    is_complete = not (release.draft or plan.uploads or plan.waiting)
    if is_complete and all(file.is_record for file, _ in differing):
        names = ", ".join(file.name for file, _ in differing)
        kept = f"kept as the release was published, though this run's differ: {names}"
        return replace(plan, notes=(*plan.notes, kept)) if names else plan
    lines = [
        f"{file.name}: GitHub has {found.sha256 or f'{found.size} bytes'}, here it is {file.sha256}"
        for file, found in differing
    ]
    if release.immutable:
        lines += [f"{each.name}: the release is immutable and lacks it" for each in plan.uploads]
    elif not lines:
        return plan
    discard = f"delete the draft {release.url} if it is of an earlier run, and run again"
    hint = discard if release.draft else _OTHER_GROUP
    return GitHubPlan(
        wanted=plan.wanted,
        release=release,
        differences=tuple(lines),
        hint=hint,
        notes=plan.notes,
    )


def _changes(wanted: WantedRelease, release: FoundRelease) -> Iterator[tuple[str, object]]:
    """Yield the values of a release that are to be changed, by GitHub's names."""
    if release.title != wanted.title:
        yield "name", wanted.title
    if _lines(release.body) != _lines(wanted.body):
        yield "body", wanted.body
    if wanted.prerelease not in (None, release.prerelease):
        yield "prerelease", wanted.prerelease
    if release.draft and wanted.target and release.target != wanted.target:
        yield "target_commitish", wanted.target


def _lines(text: str) -> list[str]:
    """Return the lines of a text: GitHub's editor writes CRLF."""
    return [line.rstrip() for line in text.strip().splitlines()]
