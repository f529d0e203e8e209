"""One namespace of a GitOps repository: what is found there, and what is refused."""

from __future__ import annotations

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
from pipeline.gitops.namespace import namespace_of
from pipeline.gitops.pipelines import deployment_pipeline
from pipeline.gitops.repository import read_repository

WORKLOAD = owned("Workload", "catalog-workload", "catalog", container={"image": "a:1"})
CATALOG = f"{FOLDER}/catalog"


def test_a_component_has_project_type_pipeline_workload_releases_and_bindings() -> None:
    found = namespace(
        shop(
            workload=WORKLOAD,
            release=owned("ComponentRelease", "catalog-1", "catalog"),
            staging=binding("catalog", "staging", "catalog-1"),
        )
    )
    catalog = found.component("shop", "catalog")
    assert catalog.path == f"{CATALOG}/component.yaml"
    assert found.component_type(catalog).name == "service"
    assert found.pipeline("shop").environments == ("development", "staging", "production")
    workload = found.workload("shop", "catalog")
    assert workload is not None
    assert workload.value("spec", "container", "image") == "a:1"
    assert [each.name for each in found.releases("shop", "catalog")] == ["catalog-1"]
    assert found.release("shop", "catalog", "catalog-1").path == f"{CATALOG}/release.yaml"
    bound = found.binding("shop", "catalog", "staging")
    assert bound is not None
    assert bound.text("spec", "releaseName") == "catalog-1"
    assert found.binding("shop", "catalog", "production") is None
    assert found.workload("shop", "orders") is None


def test_files_without_namespace_count_and_those_of_another_namespace_do_not() -> None:
    files = {
        PROJECT: project(namespace=""),
        "other/project.yaml": project(namespace="other"),
        "other/component.yaml": component("catalog", namespace="other"),
        "types/a.yaml": resource("ClusterComponentType", "service", "", workloadType="deployment"),
    }
    found = namespace(files)
    assert [each.path for each in found.of_kind("Project")] == [PROJECT]
    assert found.of_kind("Component") == ()
    assert len(found.of_kind("ClusterComponentType")) == 1
    assert namespace(files, "third").project("shop").path == PROJECT


def test_a_name_that_is_missing_gets_the_nearest_one() -> None:
    found = namespace(shop(release=owned("ComponentRelease", "catalog-12345678", "catalog")))
    with pytest.raises(GitOpsError, match="perhaps you meant shop"):
        found.project("shopp")
    with pytest.raises(GitOpsError, match="perhaps you meant catalog") as caught:
        found.component("shop", "catalgo")
    assert f"{PROJECT}:1" in str(caught.value)
    with pytest.raises(GitOpsError, match="perhaps you meant catalog-12345678"):
        found.release("shop", "catalog", "catalog-12345679")
    with pytest.raises(UsageError, match="perhaps you meant staging"):
        found.pipeline("shop").environment("stagin")


def test_a_resource_of_another_namespace_or_project_is_named_in_the_error() -> None:
    files = shop() | {
        "other/project.yaml": project("garden", namespace="other"),
        "pets/project.yaml": project("pets"),
    }
    with pytest.raises(GitOpsError) as caught:
        namespace(files).project("garden")
    assert "--namespace other" in caught.value.hint
    assert "other/project.yaml:1" in caught.value.hint
    with pytest.raises(GitOpsError) as caught:
        namespace(files).component("pets", "catalog")
    assert "shop/catalog" in caught.value.hint
    assert f"{CATALOG}/component.yaml:1" in str(caught.value)


def test_two_resources_of_one_kind_and_name_are_told_with_both_places() -> None:
    files = shop() | {"copy/a.yaml": component("catalog", namespace="")}
    with pytest.raises(GitOpsError) as caught:
        namespace(files)
    (detail,) = caught.value.details
    assert detail.startswith(f"{CATALOG}/component.yaml:1")
    assert "copy/a.yaml:1" in detail
    # In another namespace, only the file without one counts.
    assert namespace(files, "third").of_kind("Component")[0].path == "copy/a.yaml"


def test_descriptors_of_workloads_in_the_repository_are_no_resources() -> None:
    descriptor = b"apiVersion: openchoreo.dev/v1alpha1\nmetadata: {name: catalog}\n"
    found = namespace(shop() | {"a.yaml": descriptor, "b.yaml": descriptor})
    assert found.component("shop", "catalog")


@pytest.mark.parametrize("kind", ["Workload", "ReleaseBinding"])
def test_a_file_that_would_be_rewritten_has_no_other_document(kind: str) -> None:
    spec = {"environment": "staging"} if kind == "ReleaseBinding" else {}
    first = owned(kind, "catalog-a", "catalog", **spec)
    found = namespace(shop(both=first + b"---\n" + resource("Trait", "a")))
    with pytest.raises(GitOpsError, match=rf"{CATALOG}/both\.yaml:1"):
        _ = (found.workload("shop", "catalog"), found.binding("shop", "catalog", "staging"))


def test_two_bindings_of_an_environment_are_refused() -> None:
    hand = owned("ReleaseBinding", "by-hand", "catalog", environment="staging", releaseName="a")
    found = namespace(shop(a=binding("catalog", "staging", "catalog-1"), b=hand))
    with pytest.raises(GitOpsError) as caught:
        found.binding("shop", "catalog", "staging")
    assert f"{CATALOG}/a.yaml:1" in str(caught.value)
    assert f"{CATALOG}/b.yaml:1" in str(caught.value)
    assert found.binding("shop", "catalog", "development") is None


@pytest.mark.parametrize(
    ("link", "refused"),
    [
        (f"{CATALOG}/workload.yaml", True),
        (f"{CATALOG}/releases", True),
        ("projects/shop/other/x.yml", True),
        (f"{CATALOG}/README.md", False),
        ("docs/a.yaml", False),
    ],
)
def test_links_beside_components_are_refused(link: str, refused: bool) -> None:  # noqa: FBT001
    if not refused:
        assert namespace(shop(), "demo", link).of_kind("Component")
        return
    with pytest.raises(GitOpsError) as caught:
        namespace(shop(), "demo", link)
    assert caught.value.details[0].startswith(f"{link}: ")


def test_a_resource_of_another_version_of_the_api_is_refused() -> None:
    newer = component("catalog").replace(b"v1alpha1", b"v1beta1")
    with pytest.raises(GitOpsError) as caught:
        namespace(shop(component=newer))
    assert caught.value.details[0].startswith(f"{CATALOG}/component.yaml:1")


def test_platform_resources_come_from_a_repository_of_their_own() -> None:
    files = shop()
    platform = {"a.yaml": files.pop("platform/service.yaml"), "w.yaml": WORKLOAD}
    read = read_repository(platform, origin="platform")
    found = namespace_of(read_repository(files), "demo", read)
    assert found.component_type(found.component("shop", "catalog")).place == "platform: a.yaml:1"
    assert found.workload("shop", "catalog") is None
    with pytest.raises(GitOpsError):
        found.pipeline("garden")


def test_a_project_without_pipeline_is_told() -> None:
    older = resource("Project", "shop", deploymentPipelineRef="standard")
    with pytest.raises(GitOpsError, match=rf"{PROJECT}:1"):
        namespace(shop() | {PROJECT: older}).pipeline("shop")
    with pytest.raises(GitOpsError, match="perhaps you meant standard"):
        namespace(shop() | {PROJECT: project(pipeline="standart")}).pipeline("shop")


def test_a_project_binding_is_found_by_project_and_environment() -> None:
    bound = resource(
        "ProjectReleaseBinding", "x", owner={"projectName": "shop"}, environment="staging"
    )
    found = namespace(shop() | {"a.yaml": bound})
    assert found.project_binding("shop", "staging") is not None
    assert found.project_binding("shop", "production") is None


@pytest.mark.parametrize(
    ("paths", "environments", "previous"),
    [
        ([("dev", ["qa"])], ("dev", "qa"), {"dev": "", "qa": "dev"}),
        # paths in any order
        (
            [("b", ["live"]), ("dev", ["a", "b"])],
            ("dev", "a", "b", "live"),
            {"a": "dev", "b": "dev", "live": "b"},
        ),
        # an environment that no path from the root reaches does not belong to it
        ([("dev", ["qa"]), ("island", ["boat"])], ("dev", "qa"), {"qa": "dev"}),
    ],
)
def test_environments_are_ordered_from_the_root(
    paths: list[tuple[str, list[str]]], environments: tuple[str, ...], previous: dict[str, str]
) -> None:
    (found,) = read_repository({"a.yaml": pipeline("p", *paths)}).resources
    read = deployment_pipeline(found)
    assert read.environments == environments
    assert read.root == environments[0]
    assert {each: read.previous(each) for each in previous} == previous


def test_the_source_of_a_promotion_path_may_be_text() -> None:
    path = {"sourceEnvironmentRef": "dev", "targetEnvironmentRefs": [{"name": "qa"}]}
    text = resource("DeploymentPipeline", "p", promotionPaths=[path])
    (found,) = read_repository({"a.yaml": text}).resources
    assert deployment_pipeline(found).environments == ("dev", "qa")


@pytest.mark.parametrize(
    "paths",
    [
        [("a", ["b"]), ("b", ["a"])],  # no root
        [("a", ["b"]), ("a", ["c"])],  # occ reads only the last
        [("", ["b"])],
    ],
)
def test_a_pipeline_without_order_is_refused(paths: list[tuple[str, list[str]]]) -> None:
    (found,) = read_repository({"a.yaml": pipeline("p", *paths)}).resources
    with pytest.raises(GitOpsError, match=r"a\.yaml:1"):
        deployment_pipeline(found)


def test_an_environment_with_two_sources_needs_a_release_by_name() -> None:
    paths = (("dev", ["qa", "live"]), ("qa", ["live"]))
    (found,) = read_repository({"a.yaml": pipeline("p", *paths)}).resources
    read = deployment_pipeline(found)
    assert read.environments == ("dev", "qa", "live")
    with pytest.raises(GitOpsError, match="dev, qa"):
        read.previous("live")
