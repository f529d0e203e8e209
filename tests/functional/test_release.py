"""`ocelot release`: build, then publish, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_server import ACCOUNT
from github_server import GitHubServer
from publishing import FRANCE, IRELAND, Publishing
from runs import CONFIG, Built, Ran, run_ocelot

LAYER = "ocel-amd64-minimal-0_155_0-beta"


def release(
    publishing: Publishing, built: Built, *more: str | Path, env: dict[str, str] | None = None
) -> Ran:
    """Release the sample, of which the layers are in the cache already."""
    command = ["release", "-d", "minimal", "-r", "sample", "--config", CONFIG]
    everything = {
        **publishing.aws.environment(),
        "AWS_REGION": IRELAND,
        "CI": "true",
        **(env or {}),
    }
    table = ["--table-region", "us-east-1"]
    return run_ocelot(
        *command, *table, *more, cache=built.cache, cwd=publishing.folder, env=everything
    )


def names(publishing: Publishing, region: str) -> list[str]:
    """The layers in a region."""
    client: Any = publishing.client(region)
    return [each["LayerName"] for each in client.list_layers()["Layers"]]


def test_a_layer_is_built_and_published_in_the_configured_region(
    publishing: Publishing, built: Built
) -> None:
    ran = release(publishing, built, "--public", "-o", "out")
    assert ran.code == 0, ran.err
    assert names(publishing, IRELAND) == [LAYER]
    assert names(publishing, FRANCE) == []
    assert f"arn:aws:lambda:{IRELAND}:{ACCOUNT}:layer:{LAYER}:1" in ran.out
    assert "collector-amd64-minimal.zip" in ran.out
    assert [path.name for path in (publishing.folder / "out").glob("*.zip")] == [
        "collector-amd64-minimal.zip"
    ]


def test_every_option_of_the_seed_is_taken(publishing: Publishing, built: Built) -> None:
    ran = release(
        publishing,
        built,
        *("-a", "arm64", "-b", "main", "-l", "mine", "--runtimes", "python3.13,java21"),
        *("--public", "--verbose", "--keep-temp", "--release-group", "prod"),
    )
    assert ran.code == 0, ran.err
    (name,) = names(publishing, IRELAND)
    assert name == "mine-arm64-minimal-0_155_0-prod"
    found = publishing.client().get_layer_version(LayerName=name, VersionNumber=1)
    assert found["CompatibleRuntimes"] == ["python3.13", "java21"]
    assert found["CompatibleArchitectures"] == ["arm64"]


def test_outside_of_ci_the_release_group_is_local(publishing: Publishing, built: Built) -> None:
    ran = release(publishing, built, env={"CI": "false"})
    assert ran.code == 0, ran.err
    assert names(publishing, IRELAND) == [LAYER.replace("beta", "local")]
    assert ran.err.count("`local`") == 1


def test_without_publishing_no_request_goes_to_aws(publishing: Publishing, built: Built) -> None:
    ran = release(publishing, built, "--skip-publish", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["layers"][0]["file"] == "collector-amd64-minimal.zip"
    assert publishing.aws.calls() == []


def test_json_has_the_manifest_and_what_came_of_publishing(
    publishing: Publishing, built: Built
) -> None:
    ran = release(publishing, built, "--regions", f"{IRELAND},{FRANCE}", "--json", "-o", "out")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    (layer,) = data["manifest"]["layers"]
    assert [each["region"] for each in data["published"]["targets"]] == [IRELAND, FRANCE]
    assert {each["sha256"] for each in data["published"]["targets"]} == {layer["sha256"]}


def test_a_release_on_github_follows_publishing(publishing: Publishing, built: Built) -> None:
    with GitHubServer() as github:
        variables = github.environment()
        ran = release(publishing, built, "--github-release", "--json", env=variables)
        assert ran.code == 0, ran.err
        done = json.loads(ran.out)
        (made,) = github.repository.releases
    assert done["github"]["tag"] == made.tag == "minimal-v0.155.0-beta"
    assert json.loads(made.contents["publish.json"]) == done["published"]
    assert set(made.contents) > {"collector-amd64-minimal.zip", "collector-amd64-minimal.cdx.json"}
    assert done["published"]["targets"][0]["arn"] in made.body
    assert not made.draft


@pytest.mark.parametrize(
    ("env", "code"),
    [({"GITHUB_TOKEN": "ghs_unknown"}, 16), ({"GITHUB_TOKEN": ""}, 2), ({"CI": ""}, 2)],
    ids=["unknown-token", "no-token", "local-group"],
)
def test_a_release_that_github_would_refuse_builds_nothing(
    publishing: Publishing, built: Built, env: dict[str, str], code: int
) -> None:
    with GitHubServer() as github:
        variables = {**github.environment(), **env}
        ran = release(publishing, built, "--github-release", "-o", "out", env=variables)
        assert ran.code == code, ran.err
        assert github.writes() == []
    assert publishing.aws.calls(writing=True) == []
    assert list((publishing.folder / "out").glob("*.zip")) == []


def test_only_what_was_built_is_published(publishing: Publishing, built: Built) -> None:
    assert release(publishing, built, "-a", "arm64", "--skip-publish").code == 0
    ran = release(publishing, built, "--json")
    assert ran.code == 0, ran.err
    assert [each["architecture"] for each in json.loads(ran.out)["published"]["targets"]] == [
        "amd64"
    ]


def test_an_identity_that_may_not_publish_is_refused_before_anything_is_built(
    publishing: Publishing, built: Built
) -> None:
    ran = release(publishing, built, "--account", "210987654321")
    assert ran.code == 11
    assert f"the credentials are of account {ACCOUNT}" in ran.err
    assert not (publishing.folder / "dist" / "collector-amd64-minimal.cdx.json").exists()


def test_without_a_region_the_error_says_how_to_name_one(
    publishing: Publishing, built: Built
) -> None:
    ran = release(publishing, built, env={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""})
    assert ran.code == 2
    assert "no region is configured" in ran.err
    assert "AWS_REGION" in ran.err
