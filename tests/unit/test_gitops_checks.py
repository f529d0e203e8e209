"""Gaps of an environment are told before a release is bound there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops_examples import PROJECT, namespace, owned, project, resource, shop

from pipeline.errors import GitOpsError
from pipeline.gitops.checks import check_environment
from pipeline.gitops.crds import Definitions
from pipeline.gitops.repository import read_repository

OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definitions(folder: Path, *kinds: str) -> Definitions:
    """Definitions in which a Project needs a type, with further kinds."""
    specs = {"Project": {**OPEN, "required": ["type"]}, **dict.fromkeys(kinds, OPEN)}
    for kind, spec in specs.items():
        root = {"type": "object", "properties": {"spec": spec}}
        version = {"name": "v1alpha1", "schema": {"openAPIV3Schema": root}}
        crd = {"group": "openchoreo.dev", "names": {"kind": kind}, "versions": [version]}
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump({"spec": crd}))
    return Definitions(folder, "v1.2.3")


@pytest.fixture
def kinds(tmp_path: Path) -> Definitions:
    return definitions(tmp_path, "ProjectReleaseBinding")


def project_binding(environment: str, name: str, owner: str = "shop") -> bytes:
    owner_of = {"projectName": owner}
    return resource("ProjectReleaseBinding", name, owner=owner_of, environment=environment)


def database(name: str, *environments: str) -> dict[str, bytes]:
    """The files of a Resource and its bindings."""
    owner = {"projectName": "shop"}
    files = {f"r/{name}.yaml": resource("Resource", name, owner=owner, type={"name": "postgres"})}
    for each in environments:
        bound = {**owner, "resourceName": name}
        files[f"r/{name}-{each}.yaml"] = resource(
            "ResourceReleaseBinding", f"{name}-{each}", owner=bound, environment=each
        )
    return files


def test_a_missing_project_binding_is_a_warning_with_the_file_to_add(kinds: Definitions) -> None:
    found = check_environment(namespace(shop()), kinds, "shop", "staging")
    (warning,) = found.warnings
    assert "projects/shop/release-bindings/shop-staging.yaml" in warning
    assert "--with-project" in warning
    assert found.changes == ()


def test_with_project_adds_a_binding_without_a_release(kinds: Definitions) -> None:
    files = shop()
    found = check_environment(namespace(files), kinds, "shop", "staging", with_project=True)
    (change,) = found.changes
    assert change.before is None
    assert change.after is not None
    assert found.warnings == ()
    after = namespace({**files, change.path: change.after})
    added = after.project_binding("shop", "staging")
    assert added is not None
    assert (added.namespace, added.name) == ("demo", "shop-staging")
    assert added.value("spec") == {"owner": {"projectName": "shop"}, "environment": "staging"}
    again = check_environment(after, kinds, "shop", "staging", with_project=True)
    assert (again.warnings, again.changes) == ((), ())


def test_a_new_project_binding_lies_beside_the_others_under_a_name_that_is_free(
    kinds: Definitions,
) -> None:
    files = shop() | {
        "bindings/dev.yaml": project_binding("development", "shop-development"),
        "other.yaml": project_binding("b-staging", "shop-staging", "other"),
        "bindings/shop-staging-2.yaml": b"# taken\n",
        PROJECT: project(namespace=""),
    }
    found = check_environment(namespace(files), kinds, "shop", "staging", with_project=True)
    (change,) = found.changes
    assert change.path == "bindings/shop-staging-3.yaml"
    (added,) = read_repository({change.path: change.after or b""}).resources
    assert (added.name, added.namespace) == ("shop-staging-3", "")


def test_an_older_openchoreo_has_no_project_bindings(tmp_path: Path) -> None:
    older = definitions(tmp_path)
    found = check_environment(namespace(shop()), older, "shop", "staging", with_project=True)
    assert (found.warnings, found.changes) == ((), ())


def test_a_project_without_type_is_an_error_with_its_place(kinds: Definitions) -> None:
    older = resource("Project", "shop", deploymentPipelineRef={"name": "standard"})
    with pytest.raises(GitOpsError, match=rf"^{PROJECT}:1: ") as caught:
        check_environment(namespace(shop() | {PROJECT: older}), kinds, "shop", "staging")
    assert "occ-version" in caught.value.hint


def test_resources_without_binding_in_the_environment_are_named(kinds: Definitions) -> None:
    bound = project_binding("staging", "shop-staging")
    files = shop() | {"b.yaml": bound} | database("orders-db", "development")
    files |= database("cache", "development", "staging")
    found = check_environment(namespace(files), kinds, "shop", "staging")
    (warning,) = found.warnings
    assert "shop/orders-db" in warning
    assert check_environment(namespace(files), kinds, "shop", "development").warnings[1:] == ()


def test_only_resources_that_a_release_uses_are_named(kinds: Definitions) -> None:
    resources = [{"ref": "orders-db"}, {"ref": "cache"}, {"ref": "gone"}]
    workload = {"dependencies": {"resources": resources}}
    release = owned("ComponentRelease", "catalog-1", "catalog", workload=workload)
    files = shop(release=release) | {"b.yaml": project_binding("staging", "shop-staging")}
    files |= database("orders-db") | database("cache", "staging") | database("unused")
    found = namespace(files)
    releases = [found.release("shop", "catalog", "catalog-1")]
    warnings = check_environment(found, kinds, "shop", "staging", releases=releases).warnings
    assert [re.findall(r"shop/([a-z-]+)", each) for each in warnings] == [["gone"], ["orders-db"]]
    assert all("catalog" in each for each in warnings)
