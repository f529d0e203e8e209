"""`ocelot gitops plan`: parameters of the command line, a WorkflowRun and a Component; real git."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from gitserver import GitServer, commit, git, new_repository
from runs import Ran, run_ocelot

INPUTS = Path(__file__).parents[1] / "gitops"
ELSEWHERE = "https://git.example.test/acme"
TOKENS = {"OCELOT_GIT_TOKEN": "ghs_source", "OCELOT_GITOPS_TOKEN": "ghs_source"}


@pytest.fixture
def server(tmp_path: Path) -> Generator[GitServer]:
    """Serves a GitOps repository and two sources, of which the first has two commits."""
    with GitServer(root=tmp_path, credentials=("x-access-token", "ghs_source")) as running:
        shop = new_repository(tmp_path / "shop.git")
        first = commit(shop, {"catalog/Dockerfile": b"FROM scratch\n"}, time=1_700_000_000)
        commit(shop, {"orders/go.mod": b"module x\n"}, start=first, time=1_700_000_100)
        git(shop, "tag", "v1", first)
        commit(new_repository(tmp_path / "storefront.git"), {"package.json": b"{}"})
        files = {
            path.relative_to(INPUTS / "repository").as_posix(): path.read_text()
            for path in (INPUTS / "repository").rglob("*")
            if path.is_file()
        }
        here = f"http://{running.host}"
        moved = {name: text.replace(ELSEWHERE, here).encode() for name, text in files.items()}
        commit(new_repository(tmp_path / "gitops"), moved)
        yield running


def plan(server: GitServer, *arguments: str | Path, **env: str) -> Ran:
    url = server.url(server.root / "gitops")
    return run_ocelot(
        *("gitops", "plan", *arguments, "--repository", url, "--namespace", "demo"),
        cache=server.root / "cache",
        cwd=server.root,
        env=TOKENS | env,
    )


def planned(server: GitServer, *arguments: str | Path) -> dict[str, object]:
    ran = plan(server, *arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_components_name_is_enough(server: GitServer) -> None:
    url, shop = server.url(server.root / "shop.git"), server.root / "shop.git"
    assert planned(server, "shop/catalog") == {
        "namespace": "demo",
        "project": "shop",
        "component": "catalog",
        "workflow": "docker-gitops-release",
        "repository": url,
        "branch": "main",
        "commit": git(shop, "rev-parse", "main"),
        "committed": 1_700_000_100,
        "appPath": "catalog",
        "workloadDescriptorPath": "workload.yaml",
        "docker": {"context": "catalog", "filePath": "catalog/Dockerfile"},
    }
    orders, storefront = planned(server, "shop/orders"), planned(server, "shop/storefront")
    assert orders["buildpacks"] == {
        "builderImage": "gcr.io/buildpacks/builder:v1",
        "env": ["GOOGLE_BUILDABLE=./cmd/orders"],
    }
    assert storefront["react"] == {
        "nodeVersion": "20",
        "buildCommand": "npm run build",
        "outputDir": "dist",
    }


@pytest.mark.parametrize("kind", ["docker", "buildpacks", "react"])
def test_a_run_gives_parameters_and_options_override_it(
    server: GitServer, tmp_path: Path, kind: str
) -> None:
    text = (INPUTS / "runs" / f"{kind}.yaml").read_text()
    run = tmp_path / "run.yaml"
    run.write_text(text.replace(ELSEWHERE, f"http://{server.host}"))
    component = {"docker": "catalog", "buildpacks": "orders", "react": "storefront"}[kind]
    ran = plan(server, f"shop/{component}", "--from", run)
    assert ran.code == 17  # the run's commit is in no repository
    assert "0123456789abcdef" in ran.err
    found = planned(server, f"shop/{component}", "--from", run, "--commit", "main")
    assert (found["component"], kind in found) == (component, True)


def test_a_commit_is_shown_in_full(server: GitServer) -> None:
    first = git(server.root / "shop.git", "rev-parse", "v1")
    for given in ("v1", first[:7], first):
        assert planned(server, "shop/catalog", "--commit", given)["commit"] == first
    assert first[:12] in plan(server, "shop/catalog", "--commit", "v1").out


def test_a_local_checkout_is_released(server: GitServer) -> None:
    work = server.root / "work"
    git(server.root, "clone", "--quiet", str(server.root / "shop.git"), str(work))
    head = git(work, "rev-parse", "HEAD")
    ran = plan(server, "shop/catalog", "--source", work, "--json")
    assert json.loads(ran.out)["commit"] == head
    assert "is a checkout of" in ran.err  # of a path, and not of the Component's repository
    git(work, "remote", "add", "server", server.url(server.root / "shop.git"))
    assert "is a checkout of" not in plan(server, "shop/catalog", "--source", work).err
    (work / "new").write_text("x")
    assert plan(server, "shop/catalog", "--source", work).code == 2


def test_errors_have_the_code_of_their_cause(server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("kind: Pod\n")
    usage = (
        ("shop",),
        ("shop/../catalog",),
        ("shop/catalog", "--from", tmp_path / "none.yaml"),
        ("shop/catalog", "--from", tmp_path / "other.yaml"),
        ("shop/catalog", "--from", INPUTS / "runs" / "bulk.yaml"),
        ("shop/orders", "--from", INPUTS / "runs" / "docker.yaml"),
        ("shop/catalog", "--node-version", "18"),
        ("shop/catalog", "--commit", ""),
        ("shop/catalog", "--commit", "a b"),
        ("shop/catalog", "--app-path", "../.."),
    )
    for each in usage:
        assert plan(server, *each).code == 2, each
    for each in (("shop/cataloge",), ("shopp/catalog",), ("shop/catalog", "--commit", "v2")):
        assert plan(server, *each).code == 17, each
    assert plan(server, "shop/catalog", OCELOT_GIT_TOKEN="ghs_other").code == 17
