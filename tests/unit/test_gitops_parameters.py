"""The parameters of a release and of a promotion: where each comes from, and what is refused."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GitOpsError, OcelotError, UsageError
from pipeline.gitops.given import LocatedResource, read_run
from pipeline.gitops.namespace import namespace_of
from pipeline.gitops.parameters import (
    BuildpacksBuild,
    BuildParameters,
    DockerBuild,
    PromoteParameters,
    ReactBuild,
    build_parameters,
    component_ref,
    promote_parameters,
)
from pipeline.gitops.repository import read_repository
from pipeline.gitops_options import PromoteOptions, WorkflowOptions

CATALOG = component_ref("shop/catalog", "demo")
URL = "https://git.example.test/acme/shop.git"

RUN = """apiVersion: openchoreo.dev/v1alpha1
kind: WorkflowRun
metadata:
  name: catalog-first
  namespace: demo
spec:
  workflow:
    kind: Workflow
    name: {workflow}
    parameters:
      componentName: catalog
      projectName: shop
      repository:
        url: https://git.example.test/acme/shop.git
{more}"""
BULK = """apiVersion: openchoreo.dev/v1alpha1
kind: WorkflowRun
metadata: {name: to-staging, namespace: demo}
spec:
  workflow:
    name: bulk-gitops-release
    parameters:
      scope: {all: false, projectName: shop}
      gitops:
        repositoryUrl: https://git.example.test/acme/gitops.git
        targetEnvironment: staging
        deploymentPipeline: standard
"""


def run_of(workflow: str, more: str = "") -> LocatedResource:
    """A WorkflowRun; `more` are lines below `parameters`, indented by 6."""
    return read_run(RUN.format(workflow=workflow, more=more).encode(), "run.yaml")


def from_run(
    workflow: str, more: str = "", options: WorkflowOptions | None = None
) -> BuildParameters:
    """Parameters of a WorkflowRun and options alone."""
    return build_parameters(
        CATALOG, options=options or WorkflowOptions(), run=run_of(workflow, more)
    )


def from_component(
    parameters: str,
    *,
    schema: str = "",
    options: WorkflowOptions | None = None,
    run: LocatedResource | None = None,
) -> BuildParameters:
    """Parameters of a Component in a GitOps repository, which may have the Workflow, too.

    Args:
        parameters: lines in the flow style of YAML.
        schema: properties of the Workflow's schema, likewise.
        options: those of the command line.
        run: a WorkflowRun.
    """
    component = f"""apiVersion: openchoreo.dev/v1alpha1
kind: Component
metadata: {{name: catalog, namespace: demo}}
spec:
  owner: {{projectName: shop}}
  workflow:
    kind: Workflow
    name: docker-gitops-release
    parameters: {parameters}
---
apiVersion: openchoreo.dev/v1alpha1
kind: Project
metadata: {{name: shop}}
"""
    workflow = f"""apiVersion: openchoreo.dev/v1alpha1
kind: Workflow
metadata: {{name: docker-gitops-release, namespace: demo}}
spec:
  parameters:
    openAPIV3Schema:
      type: object
      properties: {schema}
"""
    files = {"c.yaml": component.encode()} | ({"w.yaml": workflow.encode()} if schema else {})
    return build_parameters(
        CATALOG,
        options=options or WorkflowOptions(),
        run=run,
        namespace=namespace_of(read_repository(files), "demo"),
    )


def test_each_workflow_has_the_defaults_of_the_samples() -> None:
    docker = from_run("docker-gitops-release")
    assert docker == BuildParameters(
        name=CATALOG,
        workflow="docker-gitops-release",
        repository_url=URL,
        branch="main",
        commit="",
        app_path=".",
        descriptor="workload.yaml",
        descriptor_is_given=False,
        build=DockerBuild(context=".", dockerfile="Dockerfile"),
    )
    assert from_run("google-cloud-buildpacks-gitops-release").build == BuildpacksBuild(
        builder_image="gcr.io/buildpacks/builder:v1", env=()
    )
    assert from_run("react-gitops-release").build == ReactBuild(
        node_version="18", build_command="npm run build", output_dir="build"
    )
    assert promote_parameters(PromoteOptions(project="shop")) == PromoteParameters(
        project="shop", environment="development", pipeline="", repository_url="", branch=""
    )


def test_an_option_counts_before_the_run_and_the_run_before_the_component() -> None:
    component = f"{{repository: {{url: {URL}, appPath: /a}}, docker: {{context: c, filePath: d}}}}"
    run = run_of("docker-gitops-release", "        appPath: /b\n      docker: {context: e}\n")
    options = WorkflowOptions(docker_context="/f/")
    found = from_component(component, run=run, options=options)
    assert (found.app_path, found.build) == ("b", DockerBuild(context="f", dockerfile="d"))
    assert from_component(component).app_path == "a"


def test_a_commit_does_not_go_with_a_branch_that_was_given_elsewhere() -> None:
    revision = "revision: {branch: v1, commit: v1.2.3}"
    component = f"{{repository: {{url: {URL}, {revision}}}}}"
    assert from_component(component).commit == "v1.2.3"
    other = from_component(component, options=WorkflowOptions(revision_branch="main"))
    assert (other.branch, other.commit) == ("main", "")
    newer = from_component(component, options=WorkflowOptions(commit="abc123"))
    assert (newer.branch, newer.commit) == ("v1", "abc123")


def test_empty_values_and_null_are_defaults() -> None:
    found = from_run(
        "docker-gitops-release",
        '        revision: {branch: "", commit: ""}\n        appPath:\n      docker:\n',
    )
    assert (found.branch, found.commit, found.app_path) == ("main", "", ".")


def test_the_workflows_own_schema_gives_defaults() -> None:
    schema = """{
        repository: {properties: {revision: {properties: {branch: {default: trunk}}}}},
        docker: {properties: {filePath: {default: build/Containerfile}}},
        workloadDescriptorPath: {default: deploy/workload.yaml}}"""
    found = from_component(f"{{repository: {{url: {URL}}}}}", schema=schema)
    assert (found.branch, found.descriptor) == ("trunk", "deploy/workload.yaml")
    assert not found.descriptor_is_given
    assert found.build == DockerBuild(context=".", dockerfile="build/Containerfile")


def test_marks_of_the_schema_say_where_the_repository_stands() -> None:
    mark = "x-openchoreo-component-parameter-repository"
    schema = f"""{{source: {{properties: {{
        git: {{{mark}-url: true}},
        ref: {{{mark}-branch: true, default: trunk}},
        rev: {{{mark}-commit: true}},
        dir: {{{mark}-app-path: true}},
        key: {{{mark}-secret-ref: true}}}}}}}}"""
    parameters = f"{{source: {{git: {URL}, rev: abcd, dir: /x, key: y}}}}"
    found = from_component(parameters, schema=schema)
    assert (found.repository_url, found.branch, found.commit, found.app_path) == (
        URL,
        "trunk",
        "abcd",
        "x",
    )
    with pytest.raises(GitOpsError) as caught:
        from_component(f"{{repository: {{url: {URL}}}}}", schema=schema)
    assert caught.value.details[0].startswith("c.yaml:9: ")


def test_a_mark_at_two_parameters_is_an_error() -> None:
    mark = "x-openchoreo-component-parameter-repository-url"
    schema = f"{{a: {{{mark}: true}}, b: {{{mark}: true}}}}"
    with pytest.raises(GitOpsError, match=r"^w\.yaml:1"):
        from_component("{}", schema=schema)


def test_variables_may_hold_commas_blanks_and_equals_signs() -> None:
    note = 'NOTE=commas, spaces and = signs; $(id) `x` "q"'
    found = from_run(
        "google-cloud-buildpacks-gitops-release", options=WorkflowOptions(build_env=[note, "B="])
    )
    assert isinstance(found.build, BuildpacksBuild)
    assert found.build.env == (
        ("NOTE", 'commas, spaces and = signs; $(id) `x` "q"'),
        ("B", ""),
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("        revision: {commit: 1234567}\n", 15),
        ("        appPth: x\n", 15),
        ("        appPath: [x]\n", 15),
        ("      docker: x\n", 15),
        ("      react: {nodeVersion: '18'}\n", 15),
        ("      docker:\n        context: c\n        target: x\n", 17),
        ("      docker:\n        filePath: true\n", 16),
        ("        appPath: a/../../b\n", 15),
        ("        appPath: 'a\\b'\n", 15),
        ("      docker: {filePath: /}\n", 15),
        ("      workloadDescriptorPath: ../workload.yaml\n", 15),
        ("        revision: {branch: --upload-pack=x}\n", 15),
        ("        revision: {commit: 'a b'}\n", 15),
        ("        revision: {branch: a..b}\n", 15),
    ],
)
def test_a_parameter_that_cannot_be_used_is_an_error_with_its_line(more: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        from_run("docker-gitops-release", more)
    assert f"run.yaml:{line}: " in caught.value.text()
    assert caught.value.hint


@pytest.mark.parametrize("version", ["24", "18.1", "", "latest"])
def test_only_the_samples_node_versions_are_taken(version: str) -> None:
    with pytest.raises(UsageError):
        from_run("react-gitops-release", options=WorkflowOptions(node_version=version))
    with pytest.raises(UsageError, match=r"1 parameter") as caught:
        from_run("react-gitops-release", "      react: {nodeVersion: 18}\n")
    assert "run.yaml:15" in caught.value.details[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("namespace: demo", "namespace: other"),
        ("componentName: catalog", "componentName: orders"),
        ("projectName: shop", "projectName: other"),
        ("namespace: demo", "labels: {openchoreo.dev/component: orders}"),
        ("kind: Workflow\n", "kind: CronWorkflow\n"),
        ("name: docker-gitops-release", "name: dockerfile-builder"),
        ("name: docker-gitops-release", "name: bulk-gitops-release"),
        ("name: docker-gitops-release", "nam: docker-gitops-release"),
        ("spec:", "spec:\n  worklow: {}"),
    ],
)
def test_a_run_that_contradicts_the_command_line_is_an_error(old: str, new: str) -> None:
    text = RUN.format(workflow="docker-gitops-release", more="").replace(old, new)
    with pytest.raises(UsageError, match=r"run\.yaml:\d"):
        build_parameters(
            CATALOG, options=WorkflowOptions(), run=read_run(text.encode(), "run.yaml")
        )


@pytest.mark.parametrize(
    "content",
    [b"", b"a: [", b"apiVersion: openchoreo.dev/v1alpha1\nkind: Component", b"\xff", b"1"],
)
def test_a_file_that_is_no_run_is_an_error(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"run\.yaml"):
        read_run(content, "run.yaml")


def test_two_runs_in_a_file_are_an_error() -> None:
    with pytest.raises(UsageError):
        read_run(f"{BULK}---\n{BULK}".encode(), "run.yaml")


def test_a_wrong_component_is_an_error_of_the_gitops_repository() -> None:
    for parameters in ("{repository: {ur: x}}", "{repository: {url: x}}", "[]"):
        with pytest.raises(GitOpsError) as caught:
            from_component(parameters)
        assert "c.yaml:9: " in caught.value.text()


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.test/a/b.git",
        "http://127.0.0.1:8000/a/b.git",
        "ssh://git@git.example.test:2222/a/b",
        "git@git.example.test:a/b.git",
        "https://[::1]:8443/a/b",
    ],
)
def test_urls_of_repositories_are_taken(url: str) -> None:
    options = WorkflowOptions(repo_url=url)
    assert from_run("docker-gitops-release", options=options).repository_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@git.example.test/a/b.git",
        "https://hunter2@git.example.test/a/b.git",
        "https://git.example.test/a/b?token=hunter2",
        "user:hunter2@git.example.test/a",
        "ssh://git:hunter2@git.example.test/a",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "ext::sh",
        "-uupload",
        "ssh://-oProxyCommand=id/x",
        "ssh://-oProxyCommand=id@host/x",
        "https://git.example.test",
        "https://git.example.test:port/a",
        "acme/shop",
        "https://git.example.test/a b",
    ],
)
def test_other_urls_are_refused_and_no_secret_is_shown(url: str) -> None:
    with pytest.raises(UsageError, match="--repo-url") as caught:
        from_run("docker-gitops-release", options=WorkflowOptions(repo_url=url))
    assert "hunter2" not in caught.value.text()


def test_a_builder_must_be_the_name_of_an_image() -> None:
    for image in ("a b", "gcr.io/x:", "-v/etc", "https://gcr.io/x"):
        with pytest.raises(UsageError, match="--builder-image"):
            from_run(
                "google-cloud-buildpacks-gitops-release",
                options=WorkflowOptions(builder_image=image),
            )


def test_no_error_shows_the_value_of_a_variable() -> None:
    for env in (["hunter2"], ["A=hunter2", "A=hunter2"], ["1=hunter2"]):
        options = WorkflowOptions(build_env=env)
        with pytest.raises(UsageError) as caught:
            from_run("google-cloud-buildpacks-gitops-release", options=options)
        assert "hunter2" not in caught.value.text()


def test_an_option_of_another_workflow_is_refused() -> None:
    with pytest.raises(UsageError, match="--dockerfile"):
        from_run("react-gitops-release", options=WorkflowOptions(dockerfile="x"))
    with pytest.raises(UsageError, match="react-gitops-release"):
        from_run("docker-gitops-release", options=WorkflowOptions(workflow="react-gitops-relase"))


def test_another_workflow_takes_the_common_parameters_of_the_component() -> None:
    options = WorkflowOptions(workflow="react-gitops-release")
    parameters = f"{{repository: {{url: {URL}, appPath: web}}, docker: {{context: web}}}}"
    found = from_component(parameters, options=options)
    assert (found.workflow, found.app_path) == ("react-gitops-release", "web")
    assert found.build == ReactBuild(
        node_version="18", build_command="npm run build", output_dir="build"
    )


def test_missing_parameters_name_the_option() -> None:
    with pytest.raises(UsageError) as caught:
        build_parameters(CATALOG, options=WorkflowOptions())
    assert "--workflow" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        build_parameters(CATALOG, options=WorkflowOptions(workflow="docker-gitops-release"))
    assert "--repo-url" in caught.value.hint


@pytest.mark.parametrize("text", ["shop", "a/b/c", "/x", "x/", "A/b", "../b", "a/..", "a/b\n"])
def test_a_component_is_named_by_two_dns_labels(text: str) -> None:
    with pytest.raises(UsageError):
        component_ref(text, "demo")


def test_a_promotion_takes_its_run_and_options_before_it() -> None:
    run = read_run(BULK.encode(), "bulk.yaml")
    found = promote_parameters(PromoteOptions(), run)
    assert found == PromoteParameters(
        project="shop",
        environment="staging",
        pipeline="standard",
        repository_url="https://git.example.test/acme/gitops.git",
        branch="",
    )
    options = PromoteOptions(all_projects=True, environment="production")
    assert promote_parameters(options, run) == replace(found, project="", environment="production")
    everything = read_run(BULK.replace("all: false", "all: true").encode(), "bulk.yaml")
    assert promote_parameters(PromoteOptions(), everything).project == ""
    assert promote_parameters(PromoteOptions(project="other"), everything).project == "other"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("all: false", "all: 'false'"),
        ("targetEnvironment: staging", "targetEnvironment: ../x"),
        ("https://git", "https://user:hunter2@git"),
        ("bulk-gitops-release", "docker-gitops-release"),
        ("scope:", "scop:"),
    ],
)
def test_a_run_that_no_promotion_can_use_is_an_error(old: str, new: str) -> None:
    with pytest.raises(UsageError, match=r"bulk\.yaml:|parameter") as caught:
        promote_parameters(PromoteOptions(), read_run(BULK.replace(old, new).encode(), "bulk.yaml"))
    assert "hunter2" not in caught.value.text()


def test_a_promotion_needs_a_project_or_all() -> None:
    for options in (PromoteOptions(), PromoteOptions(project="shop", all_projects=True)):
        with pytest.raises(UsageError):
            promote_parameters(options)


@given(st.text(max_size=40))
def test_a_path_stays_in_its_folder_or_is_refused(text: str) -> None:
    options = WorkflowOptions(app_path=text)
    try:
        path = from_run("docker-gitops-release", options=options).app_path
    except OcelotError:
        assert ".." in text.split("/") or not text.isprintable() or "\\" in text
    else:
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        assert path == "." or path == "/".join(each for each in path.split("/") if each != ".")


KEYS = ("repository", "url", "revision", "branch", "commit", "appPath", "docker", "context", "x.y")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.just(URL))
VALUES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(KEYS), below),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.dictionaries(st.text(max_size=3), VALUES))
def test_any_parameters_are_usable_or_an_error_with_a_place(
    parameters: dict[str, object], schema: dict[str, object]
) -> None:
    text = ""
    try:
        from_component(json.dumps(parameters), schema=json.dumps(schema) if schema else "")
    except OcelotError as error:
        text = error.text()
    assert not text or re.search(r"[cw]\.yaml:\d|--repo-url", text)


@given(st.text(max_size=200))
def test_any_file_is_a_run_or_a_usage_error(text: str) -> None:
    content = f"{BULK}{text}".encode(errors="replace")
    with suppress(UsageError):
        assert read_run(content, "run.yaml").resource.name == "to-staging"
