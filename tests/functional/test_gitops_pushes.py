"""`ocelot gitops changed` with real git: a source repository that is pushed to, a GitOps one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
from gitserver import GitServer, commit, git, new_repository
from runs import Ran, run_ocelot

from pipeline.errors import GitOpsError
from pipeline.gitops.git import snapshot_at
from pipeline.gitops.remote import remote

RESOURCES = Path(__file__).parents[1] / "gitops" / "repository"
URL = "https://git.example.test/acme/shop.git"
ZEROS = "0" * 40
TOKEN = "ghs_gitops"


@pytest.fixture
def gitops(tmp_path: Path) -> Path:
    """A GitOps repository with the Components catalog and orders of one source repository."""
    made = new_repository(tmp_path / "served" / "gitops")
    files = {
        path.relative_to(RESOURCES).as_posix(): path.read_bytes()
        for path in RESOURCES.rglob("*")
        if path.is_file()
    }
    commit(made, files)
    return made


@pytest.fixture
def server(gitops: Path) -> Generator[GitServer]:
    credentials = ("x-access-token", TOKEN)
    with GitServer(root=gitops.parent, credentials=credentials) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A checkout of the source repository: two commits, the second touches orders."""
    made = new_repository(tmp_path / "shop")
    first = commit(made, {"catalog/main.txt": b"1", "orders/main.txt": b"1", "README.md": b"1"})
    commit(made, {"orders/main.txt": b"2"}, start=first)
    git(made, "remote", "add", "origin", "git@git.example.test:acme/shop.git")
    git(made, "reset", "--quiet", "--hard", "main")
    return made


def changed(shop: Path, gitops: Path | str, *arguments: str, **env: str) -> Ran:
    options = ("--repository", str(gitops), "--namespace", "demo", "--json")
    return run_ocelot(
        "gitops", "changed", *options, *arguments, cache=shop.parent / "cache", cwd=shop, env=env
    )


def names(ran: Ran) -> list[str]:
    assert ran.code == 0, ran.err
    return [each["component"] for each in json.loads(ran.out)["include"]]


def test_a_push_releases_what_it_touches(shop: Path, gitops: Path) -> None:
    head = git(shop, "rev-parse", "main")
    ran = changed(shop, gitops, "--base", "main~1")
    assert json.loads(ran.out) == {
        "include": [
            {
                "component": "shop/orders",
                "namespace": "demo",
                "workflow": "google-cloud-buildpacks-gitops-release",
                "commit": head,
            }
        ]
    }
    assert names(changed(shop, gitops, "--base", head)) == []


@pytest.mark.parametrize("base", [None, ZEROS, "1" * 40, "side"])
def test_of_an_unknown_base_all_are_released(shop: Path, gitops: Path, base: str | None) -> None:
    commit(shop, {"else": b"x"}, branch="side")
    ran = changed(shop, gitops, *(("--base", base) if base else ()))
    assert names(ran) == ["shop/catalog", "shop/orders"]
    assert "all Components" in ran.err


def test_of_a_shallow_clone_all_are_released(shop: Path, gitops: Path, tmp_path: Path) -> None:
    base = git(shop, "rev-parse", "main~1")
    git(tmp_path, "clone", "--quiet", "--depth=1", shop.as_uri(), str(tmp_path / "shallow"))
    ran = changed(tmp_path / "shallow", gitops, "--base", base, "--repo-url", URL)
    assert names(ran) == ["shop/catalog", "shop/orders"]


def test_of_a_deleted_branch_none_are_released(shop: Path, gitops: Path) -> None:
    assert names(changed(shop, gitops, "--base", "main~1", "--head", ZEROS)) == []


def test_another_branch_releases_none(shop: Path, gitops: Path) -> None:
    git(shop, "switch", "--quiet", "--create", "feature")
    assert names(changed(shop, gitops)) == []
    assert names(changed(shop, gitops, "--revision-branch", "main")) != []
    git(shop, "switch", "--quiet", "--detach")
    assert changed(shop, gitops).code == 2


def test_github_actions_names_repository_and_branch_and_gets_outputs(
    shop: Path, gitops: Path, tmp_path: Path
) -> None:
    git(shop, "remote", "remove", "origin")
    git(shop, "switch", "--quiet", "--detach")
    github = {
        "GITHUB_SERVER_URL": "https://git.example.test",
        "GITHUB_REPOSITORY": "Acme/Shop",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    ran = changed(shop, gitops, "--base", "main~1", **github)
    assert names(ran) == ["shop/orders"]
    lines = (tmp_path / "outputs").read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    assert json.loads(outputs["matrix"]) == json.loads(ran.out)
    assert outputs["count"] == "1"
    assert "orders/main.txt" in (tmp_path / "summary").read_text()
    tag = changed(shop, gitops, **{**github, "GITHUB_REF": "refs/tags/v1"})
    assert tag.code == 2


def test_a_private_gitops_repository_is_read_with_a_token(
    shop: Path, server: GitServer, gitops: Path
) -> None:
    url = server.url(gitops)
    assert changed(shop, url).code == 17
    assert names(changed(shop, url, OCELOT_GITOPS_TOKEN=TOKEN)) != []
    assert names(changed(shop, url, "--token", "env:MINE", MINE=TOKEN)) != []
    # GitHub's token is for GitHub alone
    refused = changed(shop, url, GITHUB_TOKEN=TOKEN)
    assert refused.code == 17
    assert names(changed(shop, url, GITHUB_TOKEN=TOKEN, GITHUB_SERVER_URL=url)) != []


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, shop: Path, gitops: Path) -> None:
    assert changed(shop, gitops, "--source", str(tmp_path)).code == 2
    assert changed(shop, gitops, "--head", "nothing").code == 2
    shutil.rmtree(shop / ".git")
    assert changed(shop, gitops).code == 2


def test_the_platforms_workflows_may_stand_in_another_repository(
    shop: Path, gitops: Path, tmp_path: Path
) -> None:
    platform = new_repository(tmp_path / "served" / "platform")
    workflow = b"""apiVersion: openchoreo.dev/v1alpha1
kind: Workflow
metadata: {name: google-cloud-buildpacks-gitops-release, namespace: demo}
spec: {parameters: {openAPIV3Schema: {properties: {repository: {properties: {
  revision: {properties: {branch: {default: trunk}}}}}}}}}
"""
    first = commit(platform, {"workflow.yaml": workflow}, branch="v2")
    git(platform, "tag", "--annotate", "--message", "v2", "v2.0", first)
    component = gitops / "namespaces/demo/projects/shop/components/orders/component.yaml"
    git(gitops, "reset", "--quiet", "--hard", "main")
    component.write_text(component.read_text().replace("          branch: main\n", ""))
    component.write_text(component.read_text().replace("        revision:\n", ""))
    git(gitops, "commit", "--quiet", "--all", "--message", "no branch")
    config = tmp_path / "config"
    shutil.copytree(Path(__file__).parents[2] / "config", config)
    text = f"""repository: {gitops.as_uri()}
registry: {{address: registry.example.test}}
namespace: demo
platform: {{url: {platform.as_uri()}, ref: REF}}
"""
    for ref in ("v2", "v2.0", first):
        (config / "gitops.yaml").write_text(text.replace("REF", ref))
        ran = run_ocelot(
            *("gitops", "changed", "--config", config, "--revision-branch", "trunk", "--json"),
            cache=tmp_path / "cache",
            cwd=shop,
        )
        assert names(ran) == ["shop/orders"]
    with pytest.raises(GitOpsError):
        anyio.run(snapshot_at, remote(str(platform)), "v3")
