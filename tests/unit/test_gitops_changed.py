"""The Components that a push touches, and the matrix that GitHub makes of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.gitops.changed import ChangedComponents, Push, changed_components, is_no_commit
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.repository import read_repository
from pipeline.gitops.urls import repository_key

URL = "https://git.example.test/acme/shop.git"
SHA = "0123456789abcdef0123456789abcdef01234567"
REACT, DOCKER = "react-gitops-release", "docker-gitops-release"


def component(
    name: str,
    app_path: str = "/x",
    *,
    more: str = "",
    url: str = URL,
    branch: str = "main",
    auto: str = "true",
    workflow: str = REACT,
    project: str = "shop",
) -> bytes:
    """A Component as YAML; `more` are other parameters in the flow style."""
    repository = f"{{url: '{url}', appPath: '{app_path}', revision: {{branch: '{branch}'}}}}"
    return f"""apiVersion: openchoreo.dev/v1alpha1
kind: Component
metadata: {{name: {name}, namespace: demo}}
spec:
  owner: {{projectName: {project}}}
  autoBuild: {auto}
  workflow:
    kind: Workflow
    name: {workflow}
    parameters: {{repository: {repository}{more}}}
""".encode()


def namespace(*components: bytes, workflow: str = "") -> Namespace:
    """A namespace with Components, two Projects, and Workflows if they are given."""
    project = b"apiVersion: openchoreo.dev/v1alpha1\nkind: Project\nmetadata: {name: %s}\n"
    files = {f"{at}.yaml": each for at, each in enumerate(components)}
    files |= {f"{name.decode()}.yaml": project % name for name in (b"shop", b"other")}
    return namespace_of(read_repository(files | {"w.yaml": workflow.encode()}), "demo")


def touched(
    found: Namespace, *paths: str, url: str = URL, branch: str = "main", every: bool = False
) -> list[str]:
    """Names of the Components that a push touches."""
    push = Push(url=url, branch=branch, commit=SHA, paths=None if every else paths)
    return [str(each.name) for each in changed_components(found, push).components]


@pytest.mark.parametrize("app_path", [".", "/", "", "./"])
def test_the_root_as_app_path_matches_all(app_path: str) -> None:
    assert touched(namespace(component("web", app_path)), "a/b/c.txt") == ["shop/web"]


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("catalog/main.go", True),
        ("catalog/deep/er/main.go", True),
        ("catalog", True),  # a file or submodule in place of the folder
        ("catalogue/main.go", False),
        ("cat", False),
        ("other/catalog/main.go", False),
    ],
)
def test_an_app_path_matches_what_lies_below_it(path: str, *, matches: bool) -> None:
    for app_path in ("catalog", "/catalog", "./catalog/"):
        found = touched(namespace(component("web", app_path)), "README.md", path)
        assert found == (["shop/web"] if matches else [])


def test_context_dockerfile_and_descriptor_match_too() -> None:
    more = ", docker: {context: /lib, filePath: /build/Dockerfile}"
    found = namespace(component("web", "app", more=more, workflow=DOCKER))
    for path in ("lib/a", "build/Dockerfile", "build/Dockerfile.dockerignore", "app/workload.yaml"):
        assert touched(found, path) == ["shop/web"]
    assert touched(found, "build/other", "workload.yaml") == []
    # by default the context is the whole repository
    assert touched(namespace(component("web", "app", workflow=DOCKER)), "any") == ["shop/web"]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.test/acme/shop",
        "https://GIT.example.test/Acme/Shop.git/",
        "git@git.example.test:acme/shop.git",
        "ssh://git@git.example.test/acme/shop",
        "ssh://git@git.example.test:2222/acme/shop.git",
    ],
)
def test_urls_of_one_repository_match(url: str) -> None:
    assert touched(namespace(component("web", ".", url=url)), "a") == ["shop/web"]
    assert touched(namespace(component("web", ".")), "a", url=url) == ["shop/web"]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.test/acme/shop2",
        "https://git.example.test/other/shop",
        "https://git.example/acme/shop",
        "https://git.example.test/shop",
    ],
)
def test_other_repositories_do_not_match(url: str) -> None:
    assert touched(namespace(component("web", ".", url=url)), "a", every=True) == []


def test_github_by_ssh_on_the_https_port_is_github() -> None:
    assert repository_key("ssh://git@ssh.github.com:443/Acme/shop.git") == repository_key(
        "https://github.com/acme/shop"
    )


def test_the_branch_must_match_and_may_be_the_schemas_default() -> None:
    assert touched(namespace(component("web", ".", branch="v1")), "a") == []
    without = component("web", ".", branch="")
    assert touched(namespace(without), "a") == ["shop/web"]
    schema = f"""apiVersion: openchoreo.dev/v1alpha1
kind: Workflow
metadata: {{name: {REACT}, namespace: demo}}
spec: {{parameters: {{openAPIV3Schema: {{properties: {{repository: {{properties: {{
  url: {{x-openchoreo-component-parameter-repository-url: true}},
  revision: {{properties: {{branch: {{default: trunk}}}}}}}}}}}}}}}}}}
"""
    assert touched(namespace(without, workflow=schema), "a") == []
    assert touched(namespace(without, workflow=schema), "a", branch="trunk") == ["shop/web"]


def test_only_components_with_auto_build_are_released() -> None:
    for auto in ("false", "null", "'true'"):
        assert touched(namespace(component("web", ".", auto=auto)), "a") == []


def test_of_an_unknown_base_all_components_of_the_repository_are_released() -> None:
    found = namespace(
        component("web", "x"),
        component("api", "y"),
        component("else", "y", url="https://git.example.test/acme/else"),
        component("old", "y", branch="v1"),
    )
    assert touched(found, every=True) == ["shop/api", "shop/web"]
    assert touched(found) == []


def test_a_deleted_branch_touches_none() -> None:
    push = Push(url=URL, branch="main", commit="", paths=None)
    assert changed_components(namespace(component("web", ".")), push).components == ()


def test_a_component_that_cannot_be_used_is_named_and_stops_no_other() -> None:
    found = namespace(
        component("web", "."), component("api", ".."), component("ci", ".", workflow="mine")
    )
    push = Push(url=URL, branch="main", commit=SHA, paths=("a",))
    changed = changed_components(found, push)
    assert [str(each.name) for each in changed.components] == ["shop/web"]
    assert [name for name, _ in changed.unusable] == ["shop/api", "shop/ci"]
    assert "1.yaml:10" in changed.unusable[0][1]


def test_projects_restrict_the_components() -> None:
    found = namespace(component("web", "."), component("api", ".", project="other"))
    push = Push(url=URL, branch="main", commit=SHA, paths=("a",))
    names = [str(each.name) for each in changed_components(found, push, ["other"]).components]
    assert names == ["other/api"]


def test_the_matrix_is_json_on_one_line() -> None:
    push = Push(url=URL, branch="main", commit=SHA, paths=("x/a",))
    changed = changed_components(namespace(component("web")), push)
    entry = {"component": "shop/web", "namespace": "demo", "workflow": REACT, "commit": SHA}
    assert changed.matrix() == {"include": [entry]}
    assert changed.components[0].reason == "x/a"
    outputs = changed.outputs()
    assert json.loads(outputs["matrix"]) == changed.matrix()
    assert outputs["count"] == "1"


def test_more_jobs_than_github_runs_are_an_error() -> None:
    push = Push(url=URL, branch="main", commit=SHA, paths=None)
    whole = changed_components(namespace(*(component(f"c{at}") for at in range(256))), push)
    assert whole.outputs()["count"] == "256"
    more = ChangedComponents(push=push, components=(*whole.components, whole.components[0]))
    with pytest.raises(UsageError, match="257"):
        more.outputs()


def test_zeros_are_no_commit() -> None:
    assert is_no_commit("0" * 40)
    assert is_no_commit("0" * 64)
    assert not is_no_commit("0" * 39)
    assert not is_no_commit(SHA)


@given(st.text())
def test_any_url_can_be_compared(url: str) -> None:
    assert repository_key(f"https://host/{url}.git") == repository_key(f"https://HOST/{url}.git/")
