"""A release on GitHub, made by the functions themselves, for each fault of the stand-in."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest
from github_repository import Asset, Release
from github_server import READER, TOKEN, Fault, GitHubServer

from pipeline.errors import GitHubError
from pipeline.github import api as github_api
from pipeline.github import apply
from pipeline.github.api import repository_api
from pipeline.github.apply import GitHubResult, complete_release
from pipeline.github.plan import AssetFile, WantedRelease
from pipeline.github.releases import marker

TAG = "minimal-v0.158.0-beta"
TARGET, OTHER = "1" * 40, "2" * 40
CONTENTS = {
    "collector-amd64-minimal.zip": b"a" * 3_000_000,
    "collector-arm64-minimal.zip": b"b" * 2_000_000,
    "manifest.json": b"{}",
    "publish.json": b"[]",
    "ocelot.lock": b"lock",
    "SHA256SUMS": b"sums",
}


def asset_file(name: str, content: bytes | Path) -> AssetFile:
    data = content if isinstance(content, bytes) else content.read_bytes()
    return AssetFile(
        name=name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=content,
        is_record=not name.endswith(".zip"),
    )


FILES = tuple(asset_file(name, content) for name, content in CONTENTS.items())
WANTED = WantedRelease(tag=TAG, title="minimal", notes="# Notes", files=FILES, target=TARGET)


@pytest.fixture
def github() -> Generator[GitHubServer]:
    with GitHubServer() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for other runs less long than for GitHub."""
    monkeypatch.setattr(apply, "LOOKS", 0.1)
    monkeypatch.setattr(github_api, "USUAL_WAIT", 0.0)


def run(
    github: GitHubServer,
    wanted: WantedRelease = WANTED,
    *,
    token: str = TOKEN,
    dry_run: bool = False,
) -> GitHubResult:
    async def released() -> GitHubResult:
        async with repository_api(github.url, github.repository.name, token) as api:
            return await complete_release(api, wanted, dry_run=dry_run)

    return anyio.run(released)


def only_release(github: GitHubServer) -> Release:
    """The one release that there is; it is as wanted."""
    (release,) = github.repository.releases
    assert not release.draft
    assert release.contents == CONTENTS
    assert [each.state for each in release.assets] == ["uploaded"] * len(CONTENTS)
    assert github.repository.tags == {TAG: TARGET}
    return release


def test_a_release_is_a_draft_until_it_has_all_its_assets(github: GitHubServer) -> None:
    result = run(github)
    release = only_release(github)
    assert (release.title, release.body) == ("minimal", f"# Notes\n\n{marker(TAG)}\n")
    writes = github.writes()
    assert (writes[0], writes[-1]) == ("POST releases", f"PATCH {release.id}")
    assert writes[1:-1] == ["POST assets"] * len(CONTENTS)
    assert result.release
    assert result.release.url.endswith(TAG)


def test_a_second_run_changes_nothing(github: GitHubServer) -> None:
    run(github)
    github.calls.clear()
    assert run(github).plan.is_done
    assert github.writes() == []


def test_a_dry_run_changes_nothing(github: GitHubServer) -> None:
    plan = run(github, dry_run=True).plan
    assert (len(plan.uploads), plan.publish, plan.release) == (len(CONTENTS), True, None)
    assert github.writes() == []
    assert github.repository.releases == []


def test_a_file_on_disk_is_uploaded_as_it_is(github: GitHubServer, tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    path.write_bytes(b"z" * 5_000_001)
    run(github, replace(WANTED, files=(asset_file("large.zip", path),)))
    assert github.repository.releases[0].contents == {"large.zip": path.read_bytes()}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/releases$", "lost"),
        Fault("POST", "/releases$", "late-error"),
        Fault("POST", "/releases$", "unavailable", times=2),
        Fault("POST", "/assets$", "lost", times=3),
        Fault("POST", "/assets$", "late-error", times=2),
        Fault("POST", "/assets$", "broken", times=2),
        Fault("POST", "/assets$", "bad-gateway", times=2),
        Fault("POST", "/assets$", "reset", times=2),
        Fault("PATCH", "", "lost"),
        Fault("PATCH", "", "late-error"),
        Fault("PATCH", "", "unavailable"),
        Fault("GET", "", "unavailable", times=3),
        Fault("GET", "", "reset", skip=2, times=3),
        Fault("", "", "limited", times=2),
        Fault("POST", "/assets$", "limited", times=2),
        Fault("POST", "/assets$", "slow-down", times=2),
        Fault("PATCH", "", "exhausted"),
    ],
    ids=lambda fault: f"{fault.method}-{fault.path.strip('/$')}-{fault.kind}",
)
def test_a_fault_is_survived(github: GitHubServer, fault: Fault) -> None:
    github.faults(fault)
    run(github)
    only_release(github)
    assert fault.times <= 0  # it came


def test_a_release_that_the_list_shows_late_is_not_made_twice(github: GitHubServer) -> None:
    github.faults(Fault("GET", "/releases$", "stale", skip=1, times=20))
    run(github)
    only_release(github)


def test_a_release_is_found_on_a_later_page(github: GitHubServer) -> None:
    run(github, replace(WANTED, draft=True))
    repository = github.repository
    repository.releases += [
        Release(id=number, tag=f"other-{number}", created=repository.now(), draft=True)
        for number in range(1000, 1250)
    ]
    run(github)
    assert [each.id for each in repository.releases if each.tag == TAG] == [101]
    assert repository.tags == {TAG: TARGET}


def test_an_outage_ends_with_an_error(
    github: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_api, "ATTEMPTS", 2)
    github.faults(Fault("GET", "", "unavailable", times=99))
    with pytest.raises(GitHubError):
        run(github)


def test_a_long_rate_limit_ends_with_the_time_at_which_it_ends(github: GitHubServer) -> None:
    github.faults(Fault("GET", "", "exhausted", seconds=3000))
    start = time.monotonic()
    with pytest.raises(GitHubError, match="UTC"):
        run(github)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("immutable", [False, True])
def test_notes_and_title_are_updated(github: GitHubServer, immutable: bool) -> None:  # noqa: FBT001
    github.repository.immutable = immutable
    run(github)
    github.calls.clear()
    plan = run(github, replace(WANTED, title="New", notes="# New")).plan
    assert set(plan.changes) == {"name", "body"}
    release = only_release(github)
    assert (release.title, release.body.startswith("# New")) == ("New", True)
    assert github.writes() == [f"PATCH {release.id}"]


def test_missing_assets_are_added_to_a_published_release(github: GitHubServer) -> None:
    run(github, replace(WANTED, files=FILES[:3]))
    run(github)
    only_release(github)


def test_an_immutable_release_that_lacks_an_asset_is_refused(github: GitHubServer) -> None:
    github.repository.immutable = True
    run(github, replace(WANTED, files=FILES[:3]))
    github.calls.clear()
    with pytest.raises(GitHubError) as caught:
        run(github)
    assert [line.partition(":")[0] for line in caught.value.details] == list(CONTENTS)[3:]
    assert github.writes() == []


def test_another_zip_is_refused_with_both_digests(github: GitHubServer) -> None:
    run(github)
    github.calls.clear()
    other = asset_file(FILES[0].name, b"c" * 3_000_000)
    with pytest.raises(GitHubError) as caught:
        run(github, replace(WANTED, files=(other, *FILES[1:])))
    (line,) = caught.value.details
    assert FILES[0].name in line
    assert FILES[0].sha256 in line
    assert other.sha256 in line
    assert github.writes() == []


def test_records_of_another_run_are_kept_as_they_were_published(github: GitHubServer) -> None:
    run(github)
    others = [*FILES[:3], asset_file("publish.json", b"[ ]"), *FILES[4:]]
    result = run(github, replace(WANTED, files=tuple(others)))
    assert any("publish.json" in note for note in result.notes)
    only_release(github)


def test_records_of_another_run_are_not_mixed_in_a_draft(github: GitHubServer) -> None:
    run(github, replace(WANTED, draft=True, files=FILES[:4]))
    others = [*FILES[:3], asset_file("publish.json", b"[ ]"), *FILES[4:]]
    with pytest.raises(GitHubError):
        run(github, replace(WANTED, files=tuple(others)))
    assert github.repository.releases[0].draft


def test_an_older_server_without_digests_is_compared_by_size(github: GitHubServer) -> None:
    github.repository.digests = False
    run(github)
    only_release(github)
    assert any("only the sizes" in note for note in run(github).notes)
    smaller = asset_file(FILES[0].name, b"c")
    with pytest.raises(GitHubError):
        run(github, replace(WANTED, files=(smaller, *FILES[1:])))


def test_a_release_that_ocelot_did_not_make_is_left_alone(github: GitHubServer) -> None:
    repository = github.repository
    repository.create({"tag_name": TAG, "body": "by hand", "target_commitish": TARGET})
    with pytest.raises(GitHubError):
        run(github)
    assert github.writes() == []


@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_without_a_release_is_left_alone(github: GitHubServer, annotated: bool) -> None:  # noqa: FBT001
    github.repository.tags[TAG] = TARGET
    if annotated:
        github.repository.annotated.add(TAG)
    with pytest.raises(GitHubError, match=TAG):
        run(github)
    assert github.writes() == []


def test_a_tag_of_another_commit_is_never_moved(github: GitHubServer) -> None:
    run(github, replace(WANTED, draft=True))
    github.repository.tags[TAG] = TARGET
    github.calls.clear()
    with pytest.raises(GitHubError) as caught:
        run(github, replace(WANTED, target=OTHER))
    assert OTHER in caught.value.details[0]
    assert github.writes() == []
    assert github.repository.tags == {TAG: TARGET}


def test_a_later_run_of_another_commit_updates_the_notes_and_leaves_the_tag(
    github: GitHubServer,
) -> None:
    run(github)
    result = run(github, replace(WANTED, target=OTHER, notes="# More regions"))
    assert any(TARGET in note for note in result.notes)
    assert github.repository.tags == {TAG: TARGET}
    assert only_release(github).body.startswith("# More regions")


def test_a_draft_of_an_earlier_commit_gets_the_new_one(github: GitHubServer) -> None:
    run(github, replace(WANTED, draft=True, target=OTHER))
    assert github.repository.tags == {}
    run(github)
    only_release(github)


def test_of_two_drafts_the_older_one_is_completed_and_the_other_named(
    github: GitHubServer,
) -> None:
    made = {"tag_name": TAG, "body": marker(TAG), "draft": True}
    first, second = github.repository.create(made), github.repository.create(made)
    result = run(github)
    assert not first.draft
    assert first.contents == CONTENTS
    assert (second.draft, second.assets) == (True, [])
    assert any(str(second.id) in note for note in result.notes)


def test_two_runs_at_once_make_one_release(github: GitHubServer) -> None:
    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(anyio.to_thread.run_sync, partial(run, github))

    anyio.run(both)
    whole = [each for each in github.repository.releases if not each.draft]
    drafts = [each for each in github.repository.releases if each.draft]
    assert [each.contents for each in whole] == [CONTENTS]
    assert [each.assets for each in drafts] == [[]] * len(drafts)
    assert len(drafts) <= 1


def interrupted_upload(github: GitHubServer) -> Asset:
    """Another run's upload that is under way."""
    run(github, replace(WANTED, draft=True, files=FILES[1:]))
    return github.repository.begin_upload(github.repository.releases[0].id, FILES[0].name)


def test_an_upload_of_another_run_is_waited_for(github: GitHubServer) -> None:
    asset = interrupted_upload(github)

    def end() -> None:
        github.repository.end_upload(asset, CONTENTS[FILES[0].name])

    github.faults(Fault("GET", "/releases$", skip=3, hook=end))
    run(github)
    only_release(github)
    assert not any(each.startswith("DELETE") for each in github.writes())


def test_an_upload_that_was_given_up_is_repeated(github: GitHubServer) -> None:
    asset = interrupted_upload(github)
    github.repository.ahead = timedelta(minutes=6)
    run(github)
    only_release(github)
    assert github.writes().count(f"DELETE {asset.id}") == 1


@pytest.mark.parametrize(
    ("token", "says"),
    [("unknown", "--token"), (READER, "contents: write")],
    ids=["unknown", "reader"],
)
def test_a_token_that_may_not_is_refused_with_what_it_needs(
    github: GitHubServer, token: str, says: str
) -> None:
    with pytest.raises(GitHubError) as caught:
        run(github, token=token)
    assert says in caught.value.hint
    assert token not in caught.value.text()


def test_a_repository_that_is_not_there(github: GitHubServer) -> None:
    async def released() -> None:
        async with repository_api(github.url, "acme/other", TOKEN) as api:
            await complete_release(api, WANTED)

    with pytest.raises(GitHubError, match="acme/other"):
        anyio.run(released)


def test_the_token_follows_no_redirect(github: GitHubServer) -> None:
    with GitHubServer() as other:
        github.moved = f"{other.url}/repositories/1"
        with pytest.raises(GitHubError) as caught:
            run(github)
        assert "--repository" in caught.value.hint
        assert other.calls == []


def test_the_token_is_not_sent_to_an_upload_address_of_another_host(github: GitHubServer) -> None:
    with GitHubServer() as other:
        github.uploads = other.uploads
        with pytest.raises(GitHubError):
            run(github)
        assert other.calls == []
