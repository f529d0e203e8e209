"""A release written by the real `occ`, on repositories in which occ alone goes wrong."""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from gitops import (
    CATALOG,
    COMPONENTS,
    IMAGE,
    INPUTS,
    OTHER_IMAGE,
    REQUEST,
    SECOND,
    Repository,
    bound,
    catalog_descriptor,
    hostile,
    paths,
)

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops import occ_copy
from pipeline.gitops.descriptor import read_descriptor
from pipeline.gitops.manifests import release_changes
from pipeline.gitops.occ import Occ
from pipeline.gitops.repository import read_repository

WORKLOAD = f"{CATALOG}/workload.yaml"
RELEASE = f"{CATALOG}/releases/catalog-01234567.yaml"
BINDING = f"{CATALOG}/release-bindings/catalog-development.yaml"


@pytest.fixture
def repository(occ: Occ) -> Repository:
    return Repository(occ)


def replace_in(repository: Repository, path: str, old: str, new: str) -> None:
    text = repository.text(path)
    assert old in text
    repository.files[path] = text.replace(old, new).encode()


def refused(repository: Repository, request: object = REQUEST) -> GitOpsError:
    before = dict(repository.files)
    with pytest.raises(GitOpsError) as caught:
        repository.release(request)  # pyright: ignore[reportArgumentType]
    assert repository.files == before
    assert caught.value.hint
    return caught.value


def without_namespaces(repository: Repository) -> None:
    """Leave the namespace to the tool that applies the files."""
    repository.files = {
        path: re.sub(rb"\n  namespace: demo(?=\n)", b"", content)
        for path, content in repository.files.items()
    }


def test_a_first_release_is_what_occ_writes(repository: Repository) -> None:
    made = repository.release(replace(REQUEST, descriptor=catalog_descriptor()))
    assert (made.release, made.binding) == ("catalog-01234567", "catalog-development")
    assert made.environment == "development"
    assert made.warnings == ()
    assert {each.path: each.after for each in made.changes} == {
        path: (INPUTS / "expected" / Path(path).name).read_bytes()
        for path in (WORKLOAD, RELEASE, BINDING)
    }


def test_the_same_release_again_changes_nothing(repository: Repository) -> None:
    repository.release()
    made = repository.release()
    assert (made.changes, made.release) == ((), "catalog-01234567")


def test_a_second_commit_changes_image_and_release(repository: Repository) -> None:
    repository.release(replace(REQUEST, descriptor=catalog_descriptor()))
    before = repository.text(WORKLOAD)
    made = repository.release(SECOND)
    second = f"{CATALOG}/releases/catalog-89abcdef.yaml"
    assert paths(made) == [BINDING, second, WORKLOAD]
    assert repository.text(WORKLOAD) == before.replace(IMAGE, OTHER_IMAGE)
    assert "releaseName: catalog-89abcdef\n" in repository.text(BINDING)


def test_an_equal_release_is_bound_as_it_is(repository: Repository) -> None:
    """occ skips it under the new name, ends with 0, and then cannot bind that name."""
    repository.release()
    repository.release(SECOND)
    made = repository.release(replace(REQUEST, release_name="catalog-ffffffff"))
    assert made.release == "catalog-01234567"
    assert paths(made) == [BINDING, WORKLOAD]


def test_a_name_that_is_taken_gets_a_number(repository: Repository) -> None:
    repository.release()
    names = [
        repository.release(replace(REQUEST, image=f"{IMAGE[:-2]}{number:02}")).release
        for number in (2, 3)
    ]
    assert names == ["catalog-01234567-2", "catalog-01234567-3"]
    assert repository.resource("ReleaseBinding", "catalog-development").text(
        "spec", "releaseName"
    ) == ("catalog-01234567-3")


def test_a_name_of_another_components_release_is_taken_too(repository: Repository) -> None:
    repository.release(replace(REQUEST, component="orders"))
    assert repository.release().release == "catalog-01234567-2"


def test_a_changed_component_type_makes_a_new_release(repository: Repository) -> None:
    repository.release()
    replace_in(
        repository,
        "namespaces/demo/platform/component-types/service.yaml",
        "default: 1",
        "default: 2",
    )
    made = repository.release()
    assert made.release == "catalog-01234567-2"
    assert WORKLOAD not in paths(made)


def test_the_namespace_is_not_that_of_the_users_context(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / ".openchoreo" / "config"
    config.parent.mkdir()
    config.write_bytes(occ_copy.occ_config("another"))
    monkeypatch.setenv("HOME", str(tmp_path))
    repository.release()
    binding = repository.resource("ReleaseBinding", "catalog-development")
    assert binding.namespace == "demo"
    assert config.read_bytes() == occ_copy.occ_config("another")


@pytest.mark.parametrize(
    ("project", "component", "suggested"),
    [("shop", "catalogue", "catalog"), ("shopp", "catalog", "shop"), ("shop", "zzz", "orders")],
)
def test_an_unknown_component_or_project_is_an_error(
    repository: Repository, project: str, component: str, suggested: str
) -> None:
    """occ ends with 0, and writes a Workload to another folder."""
    error = refused(repository, replace(REQUEST, project=project, component=component))
    assert suggested in f"{error} {error.hint}"


def test_an_unknown_namespace_is_an_error(repository: Repository) -> None:
    repository.namespace = "dmeo"
    assert "'dmeo'" in str(refused(repository))


def test_an_unknown_environment_is_an_error(repository: Repository) -> None:
    with pytest.raises(UsageError, match="perhaps you meant staging"):
        repository.release(replace(REQUEST, environment="stagin"))


def test_a_release_is_bound_to_a_given_environment(repository: Repository) -> None:
    made = repository.release(replace(REQUEST, environment="staging"))
    assert (made.environment, made.binding) == ("staging", "catalog-staging")
    assert not repository.read().of_kind("ReleaseBinding")[1:]


@pytest.mark.parametrize("run", range(3))
def test_another_namespaces_resources_are_not_taken(repository: Repository, run: int) -> None:
    """occ takes a ComponentType of either namespace by chance, and the other's Workload."""
    assert run >= 0
    repository.release()
    others = {
        path.replace("/demo/", "/other/"): content.replace(
            b"namespace: demo", b"namespace: other"
        ).replace(b"default: 1", b"default: 7")
        for path, content in repository.files.items()
    }
    repository.files |= others
    made = repository.release(SECOND)
    assert all("/demo/" in path for path in paths(made))
    assert "default: 7" not in repository.text(f"{CATALOG}/releases/catalog-89abcdef.yaml")


def test_cluster_scoped_types_and_traits_belong_to_every_namespace(repository: Repository) -> None:
    for path in ("component-types/service.yaml", "traits/scratch-volume.yaml"):
        text = repository.text(f"namespaces/demo/platform/{path}")
        for kind in ("ComponentType", "Trait"):
            text = text.replace(f"\nkind: {kind}\n", f"\nkind: Cluster{kind}\n")
            text = text.replace("kind: Workflow", "kind: ClusterWorkflow")
            text = text.replace("  namespace: demo\n", "")
        text = text.replace("    - name: scratch", "    - kind: ClusterTrait\n      name: scratch")
        del repository.files[f"namespaces/demo/platform/{path}"]
        repository.files[f"shared/{path}"] = text.encode()
    component = f"{CATALOG}/component.yaml"
    replace_in(repository, component, "kind: ComponentType", "kind: ClusterComponentType")
    replace_in(
        repository, component, "- name: scratch", "- kind: ClusterTrait\n      name: scratch"
    )
    repository.release()
    spec = repository.resource("ComponentRelease", "catalog-01234567").data["spec"]
    assert spec["componentType"]["kind"] == "ClusterComponentType"
    assert spec["traits"][0]["kind"] == "ClusterTrait"


@pytest.mark.parametrize("folder", ["build", "dist", "target", "vendor", "node_modules", ".gitops"])
def test_folders_that_occ_skips_are_read_and_written(repository: Repository, folder: str) -> None:
    repository.files = {
        path.replace("namespaces", folder): content for path, content in repository.files.items()
    }
    made = repository.release()
    assert paths(made) == [
        path.replace("namespaces", folder) for path in (BINDING, RELEASE, WORKLOAD)
    ]


def test_a_temporary_folder_that_occ_skips_is_not_used(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "build"))
    assert len(repository.release().changes) == 3
    assert list((tmp_path / "build").iterdir()) == []


def test_broken_yaml_is_an_error_with_its_line(repository: Repository) -> None:
    """occ skips the file silently."""
    path = "namespaces/demo/platform/traits/scratch-volume.yaml"
    repository.files[path] += b"  broken: [\n"
    with pytest.raises(GitOpsError) as caught:
        repository.release()
    assert re.search(rf"{path}:\d+: not YAML", "\n".join(caught.value.details))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (f"{CATALOG}/component.yaml", "name: catalog\n", "name: ../../../../catalog\n"),
        (BINDING, "name: catalog-development", "name: ../../../../../catalog-development"),
        (WORKLOAD, "projectName: shop", "projectName: ../shop"),
    ],
)
def test_a_name_that_leaves_its_folder_is_an_error(
    repository: Repository, path: str, old: str, new: str
) -> None:
    repository.release()
    replace_in(repository, path, old, new)
    names = [each.name for each in repository.read().of_kind("Component")]
    error = refused(repository, replace(SECOND, component=names[0]))
    assert path in "\n".join((str(error), *error.details))


def test_a_symbolic_link_beside_a_component_is_an_error(repository: Repository) -> None:
    repository.links = (f"{CATALOG}/releases",)
    assert f"{CATALOG}/releases" in "\n".join(refused(repository).details)


def test_comments_and_labels_stay_where_the_image_changes(repository: Repository) -> None:
    repository.files[f"{CATALOG}/by-hand.yaml"] = hostile("workload-hand-written.yaml")
    repository.release()
    assert repository.text(f"{CATALOG}/by-hand.yaml") == hostile(
        "workload-hand-written.yaml"
    ).decode().replace("registry.example.test/old:1", IMAGE)
    release = repository.resource("ComponentRelease", "catalog-01234567")
    assert release.value("spec", "workload", "container", "command") == ["/bin/catalog"]


def test_a_descriptor_keeps_what_it_cannot_say(repository: Repository) -> None:
    """occ renames the Workload, and drops its labels and its command."""
    repository.files[f"{CATALOG}/by-hand.yaml"] = hostile("workload-hand-written.yaml")
    made = repository.release(replace(REQUEST, descriptor=catalog_descriptor()))
    (workload,) = repository.read().of_kind("Workload")
    assert (workload.path, workload.name) == (f"{CATALOG}/by-hand.yaml", "catalog-by-hand")
    assert workload.value("metadata", "labels") == {"team": "shop"}
    assert workload.value("spec", "container", "command") == ["/bin/catalog"]
    assert workload.value("spec", "endpoints", "api", "basePath") == "/v1"
    assert repository.text(workload.path).startswith("# written by hand: labels")
    assert made.warnings == ()
    release = repository.resource("ComponentRelease", "catalog-01234567")
    assert release.value("spec", "workload", "container", "command") == ["/bin/catalog"]


def test_a_descriptor_that_changes_only_the_image_keeps_every_byte(repository: Repository) -> None:
    descriptor = catalog_descriptor()
    repository.release(replace(REQUEST, descriptor=descriptor))
    replace_in(repository, WORKLOAD, "  container:\n", "  container:   # built by CI\n")
    before = repository.text(WORKLOAD)
    repository.release(replace(SECOND, descriptor=descriptor))
    assert repository.text(WORKLOAD) == before.replace(IMAGE, OTHER_IMAGE)


def test_comments_that_are_lost_are_told(repository: Repository) -> None:
    repository.release()
    replace_in(repository, WORKLOAD, "  container:\n", "  container:   # built by CI\n")
    made = repository.release(replace(SECOND, descriptor=catalog_descriptor()))
    assert [WORKLOAD in warning for warning in made.warnings] == [True]


def test_a_binding_in_a_file_of_another_name_is_not_written_twice(repository: Repository) -> None:
    path = f"{CATALOG}/release-bindings/dev.yaml"
    repository.files[path] = hostile("dev.yaml")
    made = repository.release()
    assert paths(made) == [path, RELEASE, WORKLOAD]
    assert repository.text(path) == hostile("dev.yaml").decode().replace(
        "catalog-11111111", "catalog-01234567"
    )
    assert any("Undeploy" in warning for warning in made.warnings)


def test_two_bindings_in_a_file_are_an_error(repository: Repository) -> None:
    """occ binds the wrong environment, and drops the other document."""
    path = f"{CATALOG}/bindings.yaml"
    repository.files[path] = hostile("two-bindings-in-one-file.yaml")
    assert path in str(refused(repository))


def test_platform_resources_may_share_a_file(repository: Repository) -> None:
    types = "namespaces/demo/platform/component-types"
    both = b"\n---\n".join(
        repository.files.pop(f"{types}/{name}.yaml") for name in ("webapp", "service")
    )
    repository.files[f"{types}/all.yaml"] = both
    assert len(repository.release().changes) == 3


def test_nothing_of_occs_index_is_among_the_changes(repository: Repository) -> None:
    """The repository has no .gitignore."""
    assert not [path for path in paths(repository.release()) if ".occ" in path]


def test_release_config_says_where_files_are_written(repository: Repository) -> None:
    repository.files["release-config.yaml"] = b"""\
apiVersion: openchoreo.dev/v1alpha1
kind: ReleaseConfig
componentReleaseDefaults:
  defaultOutputDir: ./out/build
releaseBindingDefaults:
  defaultOutputDir: out/others
  projects:
    shop:
      components:
        catalog: out/catalog
"""
    made = repository.release(replace(REQUEST, descriptor=catalog_descriptor()))
    assert paths(made) == [
        WORKLOAD,
        "out/build/catalog-01234567.yaml",
        "out/catalog/catalog-development.yaml",
    ]
    assert repository.release().changes == ()


@pytest.mark.parametrize("folder", ["/etc", "../elsewhere", "out/../../elsewhere"])
def test_release_config_stays_in_the_repository(repository: Repository, folder: str) -> None:
    repository.files["release-config.yaml"] = (
        "apiVersion: openchoreo.dev/v1alpha1\nkind: ReleaseConfig\n"
        f"componentReleaseDefaults:\n  defaultOutputDir: {folder}\n"
    ).encode()
    assert "release-config.yaml" in "\n".join(refused(repository).details)


def test_files_without_a_namespace_stay_without(repository: Repository) -> None:
    """Flux sets the namespace; occ finds nothing without one."""
    without_namespaces(repository)
    repository.release(replace(REQUEST, descriptor=catalog_descriptor()))
    repository.release(SECOND)
    assert {each.namespace for each in repository.read().resources} == {""}
    binding = repository.resource("ReleaseBinding", "catalog-development")
    assert binding.text("spec", "releaseName") == "catalog-89abcdef"


def test_platform_resources_come_from_another_repository(repository: Repository) -> None:
    platform = {path: text for path, text in repository.files.items() if "/platform/" in path}
    repository.files = {
        path: text for path, text in repository.files.items() if path not in platform
    }
    assert "ComponentType" in str(refused(repository))
    repository.platform = read_repository(platform, origin="platform")
    assert paths(repository.release()) == [BINDING, RELEASE, WORKLOAD]
    release = repository.resource("ComponentRelease", "catalog-01234567")
    assert release.value("spec", "componentType", "spec", "workloadType") == "deployment"


def test_a_workload_without_a_descriptor_is_minimal_and_told(repository: Repository) -> None:
    made = repository.release()
    workload = repository.resource("Workload", "catalog-workload")
    assert workload.value("spec").keys() == {"owner", "container"}
    assert any("descriptor" in warning for warning in made.warnings)


def test_resources_and_a_context_are_keys_of_a_descriptor(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "workload.yaml").write_text("""\
endpoints:
- {name: api, port: 8080, type: gRPC, context: /old, schemaFile: api.proto}
dependencies:
  resources: [{ref: db, envBindings: {url: DB_URL}, fileBindings: {ca: /etc/ca}}]
configurations: {env: [{name: PORT, value: 8080}, {name: LIVE, value: true}]}
""")
    (tmp_path / "api.proto").write_text('syntax = "proto3";\n')
    descriptor = read_descriptor(tmp_path, ".", "workload.yaml")
    repository.release(replace(REQUEST, descriptor=descriptor))
    workload = repository.resource("Workload", "catalog-workload")
    assert workload.value("spec", "dependencies", "resources") == [
        {"ref": "db", "envBindings": {"url": "DB_URL"}, "fileBindings": {"ca": "/etc/ca"}}
    ]
    assert workload.value("spec", "endpoints", "api", "schema") == {
        "type": "proto",
        "content": 'syntax = "proto3";\n',
    }
    assert workload.value("spec", "container", "env") == [
        {"key": "PORT", "value": "8080"},
        {"key": "LIVE", "value": "true"},
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('    command: ["/bin/catalog"]', '    comand: ["/bin/catalog"]', "comand: unknown key"),
        ("port: 8080", "port: 99999", "port"),
        ("type: HTTP", "type: CARRIER-PIGEON", "type"),
    ],
)
def test_a_workload_that_the_cluster_refuses_is_an_error(
    repository: Repository, old: str, new: str, expected: str
) -> None:
    """occ passes it on, or drops it."""
    path = f"{CATALOG}/by-hand.yaml"
    repository.files[path] = hostile("workload-hand-written.yaml")
    replace_in(repository, path, old, new)
    details = "\n".join(refused(repository).details)
    assert re.search(rf"{path}:\d+: .*{expected}", details)


def test_a_file_that_is_in_the_way_is_not_overwritten(repository: Repository) -> None:
    repository.files[WORKLOAD] = b"# notes of the team\n"
    assert WORKLOAD in str(refused(repository))


def test_a_binding_whose_name_is_taken_is_an_error(repository: Repository) -> None:
    repository.files[f"{COMPONENTS}/orders/binding.yaml"] = (
        hostile("dev.yaml").replace(b"catalog}", b"orders}").replace(b"11111111", b"1")
    )
    assert f"{COMPONENTS}/orders/binding.yaml" in str(refused(repository))


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        'mkdir -p "$HOME/../root/elsewhere"; cp "$0" "$HOME/../root/elsewhere/workload.yaml"',
        'rm -r "$HOME/../root/namespaces"',
    ],
)
def test_an_occ_that_does_something_else_is_an_error(
    repository: Repository, script: str, tmp_path: Path
) -> None:
    program = tmp_path / "occ"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    repository.occ = replace(repository.occ, program=program)
    assert "something else than asked" in str(refused(repository))


def test_an_occ_that_fails_shows_its_error(repository: Repository) -> None:
    replace_in(repository, f"{CATALOG}/component.yaml", "name: scratch-volume", "name: missing")
    error = refused(repository)
    assert any("missing" in line for line in error.details)


def test_the_environment_of_occ_is_minimal(repository: Repository, tmp_path: Path) -> None:
    program = tmp_path / "occ"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\npwd >> {tmp_path}/env\nexit 1\n")
    program.chmod(0o755)
    repository.occ = replace(repository.occ, program=program)
    refused(repository)
    seen = (tmp_path / "env").read_text()
    assert {line.partition("=")[0] for line in seen.splitlines() if "=" in line} <= {
        *("HOME", "PATH", "PWD", "SHLVL", "_", "OLDPWD"),
    }


def test_nothing_is_left_of_a_run_that_was_cancelled(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    program, started = tmp_path / "occ", tmp_path / "pid"
    lines = (
        "#!/bin/sh",
        f"echo $$ > {started}.new",
        f"mv {started}.new {started}",
        "exec sleep 99",
    )
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    occ = replace(repository.occ, program=program)

    async def cancelled() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(release_changes, repository.read(), "demo", REQUEST, occ)
            while not await anyio.Path(started).exists():  # noqa: ASYNC110  no event tells of files
                await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()

    anyio.run(cancelled)
    assert list(scratch.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_a_release_is_bound_to_many_environments(repository: Repository) -> None:
    repository.release()
    changes = repository.bind(
        bound("catalog-01234567", "staging"), bound("catalog-01234567", "production")
    )
    assert [each.path for each in changes] == [
        f"{CATALOG}/release-bindings/catalog-{name}.yaml" for name in ("production", "staging")
    ]
    assert repository.bind(bound("catalog-01234567", "staging")) == ()


def test_a_rollback_changes_one_line(repository: Repository) -> None:
    repository.release()
    repository.release(SECOND)
    before = repository.text(BINDING)
    (change,) = repository.bind(bound("catalog-01234567", "development"))
    assert change.path == BINDING
    assert repository.text(BINDING) == before.replace("catalog-89abcdef", "catalog-01234567")


def test_a_binding_without_a_release_gets_one(repository: Repository) -> None:
    repository.release()
    replace_in(repository, BINDING, "  releaseName: catalog-01234567\n", "")
    repository.bind(bound("catalog-01234567", "development"))
    assert "  releaseName: catalog-01234567\n" in repository.text(BINDING)


def test_a_release_of_another_component_is_not_bound(repository: Repository) -> None:
    repository.release()
    with pytest.raises(GitOpsError, match="ComponentRelease"):
        repository.bind(bound("catalog-01234567", "development", "orders"))


def test_the_first_environment_takes_the_release_of_the_current_state(
    repository: Repository,
) -> None:
    repository.release()
    repository.release(SECOND)
    repository.bind(bound("catalog-01234567", "development"))
    found = repository.current("development", "catalog", "orders")
    assert found.releases == {("shop", "catalog"): "catalog-89abcdef"}
    assert (
        "Workload" in found.missing["shop", "orders"] or "orders" in found.missing["shop", "orders"]
    )


def test_another_environment_takes_the_release_of_the_one_before(repository: Repository) -> None:
    repository.release()
    repository.release(SECOND)
    repository.bind(bound("catalog-01234567", "development"))
    found = repository.current("staging", "catalog", "orders")
    assert found.releases == {("shop", "catalog"): "catalog-01234567"}
    assert "'development'" in found.missing["shop", "orders"].replace('"', "'")


def test_of_equal_releases_the_bound_one_stays(repository: Repository) -> None:
    repository.release()
    for number in range(2, 6):
        name = f"catalog-01234567-{number}"
        text = repository.text(RELEASE).replace("name: catalog-01234567", f"name: {name}")
        repository.files[RELEASE.replace("-01234567", f"-01234567-{number}")] = text.encode()
    repository.bind(bound("catalog-01234567-4", "development"))
    found = repository.current("development", "catalog")
    assert found.releases == {("shop", "catalog"): "catalog-01234567-4"}
    assert repository.release().changes == ()


def test_a_release_of_an_older_occ_is_told_with_the_command_that_makes_it_anew(
    repository: Repository,
) -> None:
    repository.release()
    path = RELEASE
    text = repository.text(path)
    repository.files[path] = re.sub(
        r"      allowed(Traits|Workflows):\n(      - .*\n        .*\n)+", "", text
    ).encode()
    assert repository.text(path) != text
    found = repository.current("development", "catalog")
    assert found.releases == {}
    assert "ocelot gitops componentrelease" in found.missing["shop", "catalog"]
    made = repository.release()
    assert made.release == "catalog-01234567-2"


def test_a_link_on_the_way_to_a_new_file_is_an_error(repository: Repository) -> None:
    repository.files["release-config.yaml"] = (
        b"apiVersion: openchoreo.dev/v1alpha1\nkind: ReleaseConfig\n"
        b"componentReleaseDefaults:\n  defaultOutputDir: out/releases\n"
    )
    repository.links = ("out",)
    assert "out/releases" in str(refused(repository))


def test_500_components_are_promoted_in_one_run(repository: Repository, tmp_path: Path) -> None:
    repository.release()
    single, calls = dict(repository.files), tmp_path / "calls"
    names = [f"catalog{number}" for number in range(500)]
    for name in names:
        repository.files |= {
            path.replace("catalog", name): text.replace(b"catalog", name.encode())
            for path, text in single.items()
            if path.startswith(f"{CATALOG}/")
        }
    program = tmp_path / "occ"
    program.write_text(f'#!/bin/sh\necho >> {calls}\nexec {repository.occ.program} "$@"\n')
    program.chmod(0o755)
    repository.occ = replace(repository.occ, program=program)
    started = time.monotonic()
    changes = repository.bind(*(bound(f"{name}-01234567", "staging", name) for name in names))
    assert time.monotonic() - started < 30
    assert calls.read_text() == "\n"
    assert len(changes) == 500
    assert {
        each.text("spec", "releaseName")
        for each in repository.read().of_kind("ReleaseBinding")
        if each.text("spec", "environment") == "staging"
    } == {f"{name}-01234567" for name in names}
