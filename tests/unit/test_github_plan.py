"""The plan for a release on GitHub; what the stand-in shows better is in the functional tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pipeline.errors import UsageError
from pipeline.github.api import is_own_host
from pipeline.github.plan import (
    GIVEN_UP,
    LONGEST_BODY,
    AssetFile,
    WantedRelease,
    release_plan,
)
from pipeline.github.previous import release_before
from pipeline.github.releases import FoundAsset, FoundRelease, TagState, marker

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TAG, COMMIT = "minimal-v0.158.0-beta", "1" * 40


def wanted_file(name: str, digit: str = "a", *, is_record: bool = False) -> AssetFile:
    return AssetFile(name=name, size=1, sha256=digit * 64, content=b"-", is_record=is_record)


def asset(name: str, digit: str = "a", **more: object) -> FoundAsset:
    found = FoundAsset(id=1, name=name, size=1, sha256=digit * 64, created=NOW)
    return replace(found, **more)  # pyright: ignore[reportArgumentType]


ZIP, RECORD = wanted_file("a.zip"), wanted_file("publish.json", is_record=True)
WANTED = WantedRelease(tag=TAG, title="minimal", notes="notes", files=(ZIP, RECORD), target=COMMIT)
DRAFT = FoundRelease(
    id=7,
    tag=TAG,
    title="minimal",
    body=WANTED.body,
    target=COMMIT,
    draft=True,
    prerelease=False,
    immutable=False,
    url="https://github.example/7",
    upload_url="https://uploads.example/7",
    assets=(asset("a.zip"), asset("publish.json")),
)
PUBLISHED = replace(DRAFT, id=9, draft=False)


def state(*releases: FoundRelease, commit: str = "") -> TagState:
    return TagState(releases=releases, commit=commit, now=NOW)


def test_a_new_release_is_created_filled_and_published() -> None:
    plan = release_plan(WANTED, state())
    assert (plan.release, plan.uploads, plan.publish) == (None, WANTED.files, True)


def test_a_whole_draft_is_only_published() -> None:
    plan = release_plan(WANTED, state(DRAFT))
    assert (plan.fills, plan.publish, plan.kept) == (False, True, 2)


def test_a_draft_stays_one_if_wanted() -> None:
    assert release_plan(replace(WANTED, draft=True), state(DRAFT)).is_done


def test_a_published_release_does_not_become_a_draft_again() -> None:
    plan = release_plan(replace(WANTED, draft=True), state(PUBLISHED, commit=COMMIT))
    assert plan.is_done
    assert plan.notes


def test_the_published_release_counts_before_older_drafts() -> None:
    plan = release_plan(WANTED, state(DRAFT, PUBLISHED, commit=COMMIT))
    assert plan.release == PUBLISHED
    assert DRAFT.url in plan.notes[0]


def test_a_draft_by_hand_does_not_hinder_a_published_release() -> None:
    by_hand = replace(DRAFT, body="by hand")
    assert release_plan(WANTED, state(by_hand, PUBLISHED, commit=COMMIT)).is_done
    assert release_plan(WANTED, state(by_hand)).differences


def test_the_marker_of_another_tag_does_not_count() -> None:
    copied = replace(DRAFT, body=f"copied\n{marker('full-v0.158.0-beta')}")
    assert release_plan(WANTED, state(copied)).differences


def test_line_ends_of_the_notes_do_not_count() -> None:
    edited = replace(DRAFT, body=WANTED.body.replace("\n", "\r\n"))
    assert release_plan(WANTED, state(edited)).changes == {}


@pytest.mark.parametrize("given", [True, False, None])
def test_the_prerelease_mark_is_changed_only_if_given(given: bool | None) -> None:  # noqa: FBT001
    plan = release_plan(replace(WANTED, prerelease=given), state(replace(DRAFT, prerelease=True)))
    assert dict(plan.changes) == ({"prerelease": False} if given is False else {})


def test_a_wanted_commit_need_not_be_named() -> None:
    plan = release_plan(replace(WANTED, target=""), state(PUBLISHED, commit="2" * 40))
    assert plan.is_done


@pytest.mark.parametrize(
    ("age", "failed", "uploads"),
    [
        (timedelta(), (), ()),
        (timedelta(), ("a.zip",), (ZIP,)),
        (GIVEN_UP, (), (ZIP,)),
    ],
)
def test_an_unfinished_upload_is_repeated_if_it_was_ours_or_is_old(
    age: timedelta, failed: tuple[str, ...], uploads: tuple[AssetFile, ...]
) -> None:
    begun = asset("a.zip", is_whole=False, size=0, sha256="", created=NOW - age)
    plan = release_plan(WANTED, state(replace(DRAFT, assets=(begun,))), failed)
    assert plan.uploads == (*uploads, RECORD)
    assert plan.incomplete == ((begun,) if uploads else ())
    assert plan.waiting == (() if uploads else ("a.zip",))


OTHER_ZIP, OTHER_RECORD = asset("a.zip", "b"), asset("publish.json", "b")


@pytest.mark.parametrize(
    ("assets", "release", "refused"),
    [
        ((OTHER_ZIP, asset("publish.json")), PUBLISHED, ["a.zip"]),
        ((asset("a.zip"), OTHER_RECORD), PUBLISHED, []),
        ((asset("a.zip"), OTHER_RECORD), DRAFT, ["publish.json"]),
        ((OTHER_ZIP, OTHER_RECORD), PUBLISHED, ["a.zip", "publish.json"]),
        ((OTHER_RECORD,), PUBLISHED, ["publish.json"]),
        ((OTHER_RECORD,), replace(PUBLISHED, immutable=True), ["publish.json", "a.zip"]),
        ((asset("a.zip"),), replace(PUBLISHED, immutable=True), ["publish.json"]),
        ((asset("a.zip", size=2), asset("publish.json")), PUBLISHED, ["a.zip"]),
        ((asset("a.zip", sha256="", size=2), asset("publish.json")), PUBLISHED, ["a.zip"]),
    ],
)
def test_differences_are_refused_unless_they_are_records_of_a_complete_release(
    assets: tuple[FoundAsset, ...], release: FoundRelease, refused: list[str]
) -> None:
    plan = release_plan(WANTED, state(replace(release, assets=assets), commit=COMMIT))
    assert [each.partition(":")[0] for each in plan.differences] == refused
    assert bool(plan.hint) == bool(refused)
    assert plan.is_done  # whatever differs, nothing is changed


def found(number: int, tag: str, *assets: str, draft: bool = False) -> FoundRelease:
    return replace(
        DRAFT,
        id=number,
        tag=tag,
        body=marker(tag),
        draft=draft,
        assets=tuple(map(asset, assets or ("manifest.json",))),
    )


@pytest.mark.parametrize(
    ("tag", "before"),
    [
        ("minimal-v0.159.0-beta", 5),
        ("minimal-v0.158.0-beta", 1),
        ("minimal-v0.157.0-beta", None),
        ("minimal-v0.159.0-prod", 3),
        ("full-v0.159.0-beta", None),
    ],
)
def test_the_release_before_another_is_of_the_same_series(tag: str, before: int | None) -> None:
    releases = [
        found(5, "minimal-v0.158.0-beta"),
        found(4, "minimal-forwarder-v0.158.0-beta"),
        found(3, "minimal-v0.158.0-prod"),
        found(1, "minimal-v0.157.0-beta"),
        found(6, "minimal-v0.158.1-beta", draft=True),
        found(7, "minimal-v0.158.2-beta", "other.json"),
        replace(found(8, "minimal-v0.158.3-beta"), body="by hand"),
    ]
    distribution, _, rest = tag.partition("-v")
    last = release_before(releases, tag, distribution, rest.rpartition("-")[2])
    assert (last.id if last else None) == before


def test_notes_that_github_does_not_take_are_refused_first() -> None:
    assert len(replace(WANTED, notes="n" * (LONGEST_BODY - 100)).body) <= LONGEST_BODY
    with pytest.raises(UsageError):
        release_plan(replace(WANTED, notes="n" * LONGEST_BODY), state(DRAFT))


@pytest.mark.parametrize(
    ("api", "url", "own"),
    [
        ("https://api.github.com", "https://uploads.github.com/repos", True),
        ("https://ghe.example/api/v3", "https://ghe.example/api/uploads/repos", True),
        ("https://api.acme.ghe.com", "https://uploads.acme.ghe.com/repos", True),
        ("https://api.github.com", "http://uploads.github.com/repos", False),
        ("https://api.github.com", "https://uploads.github.com:8443/repos", False),
        ("https://api.github.com", "https://uploads.example/repos", False),
        ("https://api.github.com", "https://uploads.github.com.example/repos", False),
    ],
)
def test_uploads_go_to_the_own_host_alone(api: str, url: str, *, own: bool) -> None:
    assert is_own_host(httpx.URL(api), httpx.URL(url)) is own
