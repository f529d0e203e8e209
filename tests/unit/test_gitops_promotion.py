"""Which components get which release in an environment, and which are left out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from gitops_examples import (
    FOLDER,
    PROJECT,
    binding,
    component,
    namespace,
    owned,
    pipeline,
    project,
    resource,
    shop,
)

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.parameters import PromoteParameters
from pipeline.gitops.promotion import (
    Promotion,
    PromotionPlan,
    previous_releases,
    promotion_plan,
    promotion_scope,
)


def parameters(
    project: str = "shop", environment: str = "staging", pipeline: str = ""
) -> PromoteParameters:
    return PromoteParameters(
        project=project,
        environment=environment,
        pipeline=pipeline,
        repository_url="",
        branch="",
    )


def component_files(
    name: str, owner: str = "shop", releases: tuple[str, ...] = (), **bound: str
) -> dict[str, bytes]:
    """The files of a component with releases, bound by environment."""
    folder = f"{FOLDER}/{name}"
    files = {f"{folder}/component.yaml": component(name, owner)}
    for each in releases:
        files[f"{folder}/{each}.yaml"] = owned("ComponentRelease", each, name, owner)
    for environment, each in bound.items():
        files[f"{folder}/{environment}.yaml"] = binding(name, environment, each, owner)
    return files


def plan(files: Mapping[str, bytes], given: PromoteParameters | None = None) -> PromotionPlan:
    found = namespace(files)
    scope = promotion_scope(found, given or parameters())
    return promotion_plan(found, scope, previous_releases(found, scope))


CATALOG = component_files("catalog", releases=("catalog-1", "catalog-2"), development="catalog-2")


def moves(found: PromotionPlan) -> list[tuple[str, str]]:
    return [(each.before, each.after) for each in found.promotions]


def test_a_release_comes_from_the_environment_before() -> None:
    files = shop() | CATALOG
    found = plan(files)
    promotion = Promotion(project="shop", component="catalog", before="", after="catalog-2")
    assert found.promotions == (promotion,)
    assert (found.environment, found.previous) == ("staging", "development")
    assert found.pipeline == "standard"
    files[f"{FOLDER}/catalog/staging.yaml"] = binding("catalog", "staging", "catalog-1")
    assert moves(plan(files)) == [("catalog-1", "catalog-2")]
    (request,) = plan(files).requests
    assert (request.environment, request.release) == ("staging", "catalog-2")
    assert moves(plan(files, parameters(environment="production"))) == [("", "catalog-1")]


def test_a_release_that_is_bound_already_stays() -> None:
    staging = {f"{FOLDER}/catalog/staging.yaml": binding("catalog", "staging", "catalog-2")}
    found = plan(shop() | CATALOG | staging)
    assert (found.promotions, [each.after for each in found.unchanged]) == ((), ["catalog-2"])


def test_components_without_a_release_to_promote_are_named_with_the_reason() -> None:
    files = shop() | CATALOG
    files |= component_files("never")
    files |= component_files("gone", development="gone-1")
    unnamed = owned("ReleaseBinding", "a", "unnamed", environment="development")
    files |= component_files("unnamed") | {f"{FOLDER}/unnamed/development.yaml": unnamed}
    found = plan(files)
    assert [each.component for each in found.promotions] == ["catalog"]
    assert [each.component for each in found.missing] == ["gone", "never", "unnamed"]
    assert "gone-1" in found.missing[0].reason
    assert f"{FOLDER}/unnamed/development.yaml:1" in found.missing[2].reason
    with pytest.raises(GitOpsError) as caught:
        found.check_missing()
    assert [each.split(":")[0] for each in caught.value.details] == [
        "shop/gone",
        "shop/never",
        "shop/unnamed",
    ]
    assert "--skip-missing" in caught.value.hint
    plan(shop() | CATALOG).check_missing()


def test_all_projects_of_the_pipeline_are_promoted_and_others_named() -> None:
    files = shop() | CATALOG
    files |= {"b/project.yaml": project("garden", "other"), "c/project.yaml": project("attic")}
    files |= {"p.yaml": pipeline("other")}
    files |= component_files("spade", "garden", ("spade-1",), development="spade-1")
    files |= component_files("box", "attic", ("box-1",), development="box-1")
    found = plan(files, parameters("", pipeline="standard"))
    assert [(each.project, each.component) for each in found.promotions] == [
        ("attic", "box"),
        ("shop", "catalog"),
    ]
    assert [each.project for each in found.other_projects] == ["garden"]
    assert "other" in found.other_projects[0].reason
    assert found.projects == ("attic", "shop")
    with pytest.raises(UsageError) as caught:
        plan(files, parameters(""))
    assert "--pipeline" in caught.value.hint


def test_all_projects_need_no_pipeline_if_they_share_one() -> None:
    files = shop() | CATALOG | {"n.yaml": resource("Project", "none")}
    assert [each.project for each in plan(files, parameters("")).other_projects] == ["none"]


def test_a_project_with_another_pipeline_is_refused() -> None:
    files = shop() | {"p.yaml": pipeline("other")}
    with pytest.raises(UsageError, match=rf"{PROJECT}:1"):
        plan(files, parameters(pipeline="other"))
    with pytest.raises(GitOpsError, match="perhaps you meant other"):
        plan(files, parameters(pipeline="othr"))


def test_an_environment_outside_of_the_pipeline_is_refused() -> None:
    with pytest.raises(UsageError, match="perhaps you meant staging"):
        plan(shop(), parameters(environment="stagging"))


def test_a_binding_with_state_undeploy_is_marked() -> None:
    files = shop() | CATALOG
    files[f"{FOLDER}/catalog/staging.yaml"] = owned(
        "ReleaseBinding", "a", "catalog", environment="staging", state="Undeploy"
    )
    assert [each.undeployed for each in plan(files).promotions] == [True]


def test_all_bindings_that_cannot_be_written_are_in_one_error() -> None:
    files = shop() | CATALOG
    files |= component_files("orders", releases=("orders-1",), development="orders-1")
    for name in ("catalog", "orders"):
        files[f"{FOLDER}/{name}/staging.yaml"] = (
            binding(name, "staging", f"{name}-0") + b"---\n" + resource("Trait", name)
        )
    with pytest.raises(GitOpsError) as caught:
        plan(files)
    assert [each.split(":")[0] for each in caught.value.details] == [
        f"{FOLDER}/catalog/staging.yaml",
        f"{FOLDER}/orders/staging.yaml",
    ]


def test_a_binding_that_is_only_read_may_share_its_file() -> None:
    files = shop() | CATALOG
    files[f"{FOLDER}/catalog/development.yaml"] += b"---\n" + resource("Trait", "a")
    assert [each.after for each in plan(files).promotions] == ["catalog-2"]


def test_two_bindings_in_the_environment_before_are_refused() -> None:
    second = owned("ReleaseBinding", "b", "catalog", environment="development", releaseName="x")
    with pytest.raises(GitOpsError):
        plan(shop() | CATALOG | {"b.yaml": second})
