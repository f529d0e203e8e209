"""Promotions with the real occ, from one environment to the next, by pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest
import yaml
from github_server import TOKEN
from gitops import (
    CATALOG,
    COMPONENTS,
    INPUTS,
    NAMESPACE,
    REQUEST,
    SECOND,
    Repository,
    bound,
)
from gitops_delivery import Place, place
from gitserver import git
from runs import fresh_cache, run_ocelot

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops import promote as flow
from pipeline.gitops.delivery import Delivered, Outcome
from pipeline.gitops.occ import Occ
from pipeline.gitops.parameters import PromoteParameters
from pipeline.gitops.promote import PromoteRequest, promote
from pipeline.gitops.promotion import PromotionPlan
from pipeline.gitops.reading import GitOpsAddress
from pipeline.gitops.remote import remote

PROJECT = "namespaces/demo/projects/shop/project.yaml"
PIPELINE = "namespaces/demo/platform/infra/deployment-pipelines/standard.yaml"
SERVICE = "namespaces/demo/platform/component-types/service.yaml"
STAGING = f"{CATALOG}/release-bindings/catalog-staging.yaml"
ORDERS = replace(REQUEST, component="orders", release_name="orders-01234567")
STOREFRONT = replace(REQUEST, component="storefront", release_name="storefront-01234567")
MANY = 500


def parameters(
    project: str = "shop", environment: str = "staging", pipeline: str = ""
) -> PromoteParameters:
    return PromoteParameters(
        project=project, environment=environment, pipeline=pipeline, repository_url="", branch=""
    )


@dataclass
class Promotions:
    """A GitOps repository on a server, and an occ."""

    place: Place
    occ: Occ
    cache: Path

    def promote(
        self, given: PromoteParameters | None = None, *, dry_run: bool = False, **more: bool
    ) -> Delivered[PromotionPlan]:
        request = PromoteRequest(
            parameters=given or parameters(),
            cache=self.cache,
            occ_version=self.occ.version,
            **more,
        )
        origin = remote(self.place.server.url(self.place.bare), TOKEN)
        address = GitOpsAddress(origin=origin, branch="main", namespace=NAMESPACE)
        return anyio.run(promote, request, address, self.place.target(dry_run=dry_run))

    def files(self) -> dict[str, bytes]:
        """The files of the base."""
        return {path: f"{self.place.text(path, 'main')}\n".encode() for path in self.place.files()}

    def release(self, component: str, environment: str, branch: str) -> str:
        """The release that is bound on a branch."""
        path = f"{COMPONENTS}/{component}/release-bindings/{component}-{environment}.yaml"
        return yaml.safe_load(self.place.text(path, branch))["spec"]["releaseName"]


@pytest.fixture(scope="module")
def released(occ: Occ) -> dict[str, bytes]:
    """The files after releases of catalog, twice, and orders; storefront has none."""
    repository = Repository(occ)
    for request in (REQUEST, ORDERS, SECOND):
        repository.release(request)
    return repository.files


@pytest.fixture
def made(
    tmp_path: Path, occ: Occ, released: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Generator[Promotions]:
    async def installed(_cache: Path, _version: str) -> Occ:
        return occ

    monkeypatch.setattr(flow, "installed_occ", installed)
    with place(tmp_path) as there:
        there.add(released)
        yield Promotions(place=there, occ=occ, cache=tmp_path / "cache")


def test_releases_of_a_project_are_bound_to_the_next_environment(made: Promotions) -> None:
    done = made.promote(skip_missing=True)
    assert done.outcome is Outcome.OPENED
    assert re.fullmatch(r"bulk-release/shop-\d{8}-\d{6}", done.branch)
    assert made.release("catalog", "staging", done.branch) == "catalog-89abcdef"
    assert made.release("orders", "staging", done.branch) == "orders-01234567"
    changed = git(made.place.bare, "diff", "--name-only", "main", done.branch).split()
    assert changed == [STAGING, STAGING.replace("catalog", "orders")]
    (pull,) = made.place.pulls.items
    assert pull.title == "Bulk Release: project shop"
    assert "| `shop/catalog` | none | `catalog-89abcdef` |" in pull.body
    assert "shop/storefront: it has no ReleaseBinding in development" in pull.body
    subject, *facts = git(made.place.bare, "show", "-s", "--format=%B", done.branch).splitlines()
    assert subject == "Bulk release for project shop"
    assert {"Namespace: demo", "Scope: project shop", "Target Environment: staging"} <= set(facts)


def test_a_component_without_release_stops_it_unless_it_is_skipped(made: Promotions) -> None:
    with pytest.raises(GitOpsError) as caught:
        made.promote()
    (detail,) = caught.value.details
    assert detail.startswith("shop/storefront: ")
    assert (made.place.branches, made.place.pulls.items) == ([], [])
    (missing,) = made.promote(skip_missing=True).proposal.result.missing
    assert str(missing) == detail


def test_run_again_it_is_the_same_pull_request(made: Promotions) -> None:
    first = made.promote(skip_missing=True)
    again = made.promote(skip_missing=True)
    assert (again.outcome, again.branch) == (Outcome.UNCHANGED, first.branch)
    made.place.add({"README.md": b"# moved\n"})
    third = made.promote(skip_missing=True)
    assert (third.outcome, third.branch) == (Outcome.UPDATED, first.branch)
    assert len(made.place.pulls.items) == 1
    assert git(made.place.bare, "rev-parse", f"{third.branch}^") == made.place.sha()


def test_a_newer_release_replaces_the_older_one_and_comments_stay(made: Promotions) -> None:
    repository = Repository(made.occ, files=made.files())
    both = bound("catalog-01234567", "staging"), bound("orders-01234567", "staging", "orders")
    changes = repository.bind(*both)
    staging = b"# by hand\n" + repository.files[STAGING]
    made.place.add({each.path: each.after or b"" for each in changes} | {STAGING: staging})
    done = made.promote(skip_missing=True)
    (promotion,) = done.proposal.result.promotions
    assert (promotion.before, promotion.after) == ("catalog-01234567", "catalog-89abcdef")
    (change,) = done.proposal.changes
    assert change.after == staging.replace(b"catalog-01234567", b"catalog-89abcdef")
    assert [each.component for each in done.proposal.result.unchanged] == ["orders"]


def test_what_is_there_already_makes_no_branch(made: Promotions) -> None:
    first = made.promote(skip_missing=True)
    made.place.merge(made.place.pulls.items[0])
    git(made.place.bare, "update-ref", "-d", f"refs/heads/{first.branch}")
    again = made.promote(skip_missing=True)
    assert (again.outcome, again.branch) == (Outcome.UNCHANGED, "")
    assert len(again.proposal.result.unchanged) == 2


def test_all_projects_of_the_pipeline_and_the_others_are_named(made: Promotions) -> None:
    copied = {"shop": "garden", "standard": "short", "catalog": "spade"}
    for path in (PROJECT, PIPELINE, f"{CATALOG}/component.yaml"):
        text = made.place.text(path, "main")
        for old, new in copied.items():
            text = text.replace(old, new)
        made.place.add({f"garden/{Path(path).name}": text.encode()})
    done = made.promote(parameters("", pipeline="standard"), skip_missing=True)
    assert done.branch.startswith("bulk-release/all-")
    assert {each.project for each in done.proposal.result.promotions} == {"shop"}
    (pull,) = made.place.pulls.items
    assert pull.title == "Bulk Release: all projects"
    assert "project garden: it uses pipeline short" in pull.body
    with pytest.raises(UsageError):
        made.promote(parameters(""))


def test_the_first_environment_gets_the_release_of_the_current_state(made: Promotions) -> None:
    done = made.promote(parameters(environment="development"), skip_missing=True)
    assert done.proposal.result.promotions == ()
    path = f"{CATALOG}/release-bindings/catalog-development.yaml"
    older = made.place.text(path, "main").replace("catalog-89abcdef", "catalog-01234567")
    made.place.add({path: f"{older}\n".encode()})
    done = made.promote(parameters(environment="development"), skip_missing=True)
    (promotion,) = done.proposal.result.promotions
    assert (promotion.before, promotion.after) == ("catalog-01234567", "catalog-89abcdef")
    assert done.proposal.result.previous == ""


def test_a_changed_component_type_leaves_no_release_of_the_current_state(made: Promotions) -> None:
    text = made.place.text(SERVICE, "main").replace("default: 1", "default: 2")
    made.place.add({SERVICE: f"{text}\n".encode()})
    with pytest.raises(GitOpsError) as caught:
        made.promote(parameters(environment="development"))
    assert [each.split(":")[0] for each in caught.value.details] == [
        "shop/catalog",
        "shop/orders",
        "shop/storefront",
    ]
    assert "ocelot gitops componentrelease" in caught.value.details[0]


def test_a_project_without_binding_in_the_environment_is_told_or_gets_one(made: Promotions) -> None:
    shown = made.promote(skip_missing=True, dry_run=True)
    assert any("ProjectReleaseBinding" in each for each in shown.notes)
    done = made.promote(skip_missing=True, with_project=True)
    assert not any("ProjectReleaseBinding" in each for each in done.notes)
    (added,) = [each for each in done.proposal.changes if b"ProjectRelease" in (each.after or b"")]
    assert added.path in made.place.files(done.branch)


def test_a_binding_with_state_undeploy_is_told(made: Promotions) -> None:
    text = (INPUTS / "hostile" / "dev.yaml").read_text()
    text = text.replace("catalog-development", "catalog-staging").replace(
        "environment: development", "environment: staging"
    )
    made.place.add({f"{CATALOG}/staging.yaml": text.encode()})
    done = made.promote(skip_missing=True)
    assert any("shop/catalog" in each and "Undeploy" in each for each in done.notes)
    after = made.place.text(f"{CATALOG}/staging.yaml", done.branch)
    assert after == text.replace("catalog-11111111", "catalog-89abcdef").rstrip("\n")


def test_a_dry_run_pushes_nothing(made: Promotions) -> None:
    done = made.promote(skip_missing=True, dry_run=True)
    assert done.outcome is Outcome.PLANNED
    assert len(done.proposal.changes) == 2
    assert (made.place.branches, made.place.pulls.items) == ([], [])


def test_five_hundred_components_are_one_run_of_occ_and_one_commit(
    made: Promotions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = {path: content for path, content in made.files().items() if path.startswith(CATALOG)}
    names = [f"item-{number}" for number in range(MANY)]
    made.place.add(
        {
            path.replace("catalog", name): content.replace(b"catalog", name.encode())
            for name in names
            for path, content in catalog.items()
        }
    )
    log, program = tmp_path / "runs", tmp_path / "occ"
    program.write_text(f'#!/bin/sh\necho run >> {log}\nexec {made.occ.program} "$@"\n')
    program.chmod(0o755)

    async def counted(_cache: Path, _version: str) -> Occ:
        return replace(made.occ, program=program)

    monkeypatch.setattr(flow, "installed_occ", counted)
    done = made.promote(skip_missing=True)
    assert len(done.proposal.result.promotions) == MANY + 2
    assert log.read_text() == "run\n"
    assert git(made.place.bare, "rev-list", "--count", f"main..{done.branch}") == "1"
    changed = git(made.place.bare, "diff", "--name-only", "main", done.branch).split()
    assert len(changed) == MANY + 2
    (pull,) = made.place.pulls.items
    assert f"| `shop/item-{MANY - 1}` | none | `item-{MANY - 1}-89abcdef` |" in pull.body


def test_the_command_promotes_as_a_workflow_run_says(made: Promotions, tmp_path: Path) -> None:
    cache = fresh_cache(tmp_path / "cache")
    (cache / "tools").symlink_to(made.occ.program.parents[1])
    variables = {**made.place.github.environment(), "OCELOT_GITOPS_TOKEN": TOKEN}
    url = made.place.server.url(made.place.bare)
    command = ("gitops", "promote", "--from", INPUTS / "runs" / "bulk.yaml", "--repository", url)
    options = ("--namespace", NAMESPACE, "--json")
    ran = run_ocelot(*command, *options, cache=cache, cwd=tmp_path, env=variables)
    assert ran.code == GitOpsError.exit_code
    assert "shop/storefront" in ran.err
    ran = run_ocelot(*command, *options, "--skip-missing", cache=cache, cwd=tmp_path, env=variables)
    assert ran.code == 0, ran.err
    shown = json.loads(ran.out)
    assert (shown["environment"], shown["promoted_from"]) == ("staging", "development")
    assert shown["promotions"][0] == {
        "project": "shop",
        "component": "catalog",
        "before": None,
        "after": "catalog-89abcdef",
    }
    assert [each["component"] for each in shown["left_out"]] == ["storefront"]
    assert shown["pull_request"]["number"] == made.place.pulls.items[0].number
    named = ("gitops", "promote", "--project", "shop", "--environment", "staging", *command[-2:])
    named = (*named, *options[:2], "--skip-missing", "--dry-run")
    ran = run_ocelot(*named, cache=cache, cwd=tmp_path, env=variables)
    assert ran.code == 0, ran.err
    assert "+  releaseName: catalog-89abcdef" in ran.out
