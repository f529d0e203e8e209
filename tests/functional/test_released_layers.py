"""Layer versions that releases on GitHub name, and `ocelot reap`, which keeps them."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial

import anyio
import pytest
from github_repository import Asset, Release
from github_server import READER, TOKEN, Fault, GitHubServer
from publishing import IRELAND, Publishing
from reaping import json_versions, layer_arn, ocelot_reap, plan_of, publish_versions, reasons

from pipeline.errors import GitHubError, UsageError
from pipeline.github import released_layers as released_room
from pipeline.github.released_layers import released_layers
from pipeline.notes.layers_file import FILE_NAME

ARN, OTHER = layer_arn(1), layer_arn(2)


@pytest.fixture
def github() -> Generator[GitHubServer]:
    with GitHubServer() as server:
        yield server


def release(
    github: GitHubServer, tag: str, *arns: str, name: str = FILE_NAME, draft: bool = False
) -> Asset:
    """Add a release with an asset that names layer versions; return the asset."""
    repository = github.repository
    made = Release(id=repository.next_id(), tag=tag, created=repository.now(), draft=draft)
    repository.releases.append(made)
    asset = repository.begin_upload(made.id, name)
    layers = [{"region": IRELAND, "arn": arn} for arn in arns]
    repository.end_upload(asset, json.dumps({"version": 1, "layers": layers}).encode())
    return asset


def named(github: GitHubServer, token: str | None = READER) -> dict[str, tuple[str, ...]]:
    work = partial(released_layers, github.url, github.repository.name, token, FILE_NAME)
    return anyio.run(work)


def test_the_layers_of_every_published_release_are_read(github: GitHubServer) -> None:
    release(github, "v1", ARN)
    release(github, "v2", ARN, OTHER)
    release(github, "v3", OTHER, name="other.json")
    release(github, "v4", OTHER, draft=True)
    release(github, "v5")
    for token in (READER, TOKEN):
        assert named(github, token) == {"v1": (ARN,), "v2": (ARN, OTHER), "v5": ()}
    assert github.writes() == []


def test_all_pages_of_releases_are_read(github: GitHubServer) -> None:
    release(github, "first", ARN)
    for at in range(100):
        release(github, f"v{at}", name="notes.txt")
    assert named(github) == {"first": (ARN,)}
    github.faults(Fault("GET", "/releases$", "hidden", skip=1))
    with pytest.raises(GitHubError):
        named(github)


def test_all_assets_of_a_release_are_looked_through(github: GitHubServer) -> None:
    release(github, "v1", ARN)
    (made,) = github.repository.releases
    for at in range(40):
        github.repository.end_upload(github.repository.begin_upload(made.id, f"{at}.txt"), b"")
    made.assets.reverse()
    github.repository.listed_assets = 30
    assert named(github) == {"v1": (ARN,)}


def test_a_public_repository_needs_no_token(github: GitHubServer) -> None:
    release(github, "v1", ARN)
    with pytest.raises(GitHubError) as private:
        named(github, None)
    assert "--token" in private.value.hint
    github.repository.is_public = True
    assert named(github, None) == {"v1": (ARN,)}
    assert not any(call.token for call in github.calls)
    with pytest.raises(GitHubError, match="does not accept the token"):
        named(github, "ghs_unknown")


def test_releases_that_a_token_may_not_see_are_an_error(github: GitHubServer) -> None:
    github.faults(Fault("GET", "/releases$", "hidden"))
    with pytest.raises(GitHubError) as refused:
        named(github)
    assert "contents: read" in refused.value.hint


@pytest.mark.parametrize("kind", ["unfinished", "changed", "too large", "deleted"])
def test_an_asset_that_cannot_be_read_in_full_is_an_error(
    github: GitHubServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(github, "v1", ARN)
    asset = release(github, "v2", OTHER)
    if kind == "unfinished":
        asset.state = "starter"
    elif kind == "changed":
        asset.content += b" "
    elif kind == "too large":
        monkeypatch.setattr(released_room, "LARGEST_RECORD", len(asset.content) - 1)
    else:
        github.faults(Fault("GET", f"/assets/{asset.id}", "hidden"))
    with pytest.raises(GitHubError):
        named(github)


def test_a_rate_limit_without_an_early_end_is_an_error(github: GitHubServer) -> None:
    github.repository.is_public = True
    release(github, "v1", ARN)
    github.faults(Fault("GET", "/releases$", "exhausted", seconds=3000))
    with pytest.raises(GitHubError, match="rate limit") as limited:
        named(github, None)
    assert "--token" in limited.value.hint


def test_versions_that_a_release_names_are_not_deleted(
    publishing: Publishing, github: GitHubServer
) -> None:
    publish_versions(publishing, 4)
    release(github, "minimal-v0.155.0-beta", ARN, f"{OTHER}00")
    ran = ocelot_reap(publishing, "ocel-*", "--keep", "0", "--json", env=github.environment(READER))
    assert ran.code == 0, ran.err
    versions = json_versions(ran)
    kept = {arn for arn, each in versions.items() if each["decision"] == "keep"}
    assert kept == {ARN, layer_arn(4)}
    assert versions[ARN]["reasons"] == [
        {"reason": "release", "text": "release minimal-v0.155.0-beta"}
    ]
    forced = ocelot_reap(
        *(publishing, "ocel-*", "--keep", "0", "--force", "release", "--json"),
        env=github.environment(READER),
    )
    assert json_versions(forced)[ARN]["forced"] == ["release"]
    without = ocelot_reap(
        *(publishing, "ocel-*", "--repository", "none"), env=github.environment(READER)
    )
    assert (without.code, "releases on GitHub were not looked at" in without.out) == (0, True)


def test_without_the_releases_that_were_requested_there_is_no_plan(
    publishing: Publishing, github: GitHubServer
) -> None:
    publish_versions(publishing, 2)
    env = github.environment(READER)
    for options, more, code in (
        (("--repository", "acme/absent"), {}, GitHubError.exit_code),
        ((), {"GITHUB_TOKEN": ""}, GitHubError.exit_code),
        ((), {"GITHUB_TOKEN": "ghs_unknown"}, GitHubError.exit_code),
        (("--token", "env:MISSING"), {}, UsageError.exit_code),
        (("--token", READER), {}, UsageError.exit_code),
    ):
        ran = ocelot_reap(publishing, "ocel-*", *options, env={**env, **more})
        assert (ran.code, ran.out) == (code, ""), options
        assert READER not in ran.err
    assert publishing.aws.calls("ListLayers") == []
    with pytest.raises(GitHubError):
        plan_of(publishing, released=partial(named_async, github))
    assert reasons(plan_of(publishing))[ARN] == []


async def named_async(github: GitHubServer) -> dict[str, tuple[str, ...]]:
    return await released_layers(github.url, "acme/absent", READER, FILE_NAME)
