"""Workload descriptors: occ takes no notice of most of these faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_examples import CHECKOUT

from pipeline.errors import GitOpsError
from pipeline.files import write_tree
from pipeline.gitops.descriptor import Descriptor, read_descriptor

INPUTS = CHECKOUT / "tests" / "gitops"
CATALOG = INPUTS / "sources" / "shop" / "catalog"
ENDPOINT = "endpoints: [{name: api, port: 8080, type: HTTP%s}]\n"


def read(source: Path, app_path: str = ".", path: str = "workload.yaml") -> Descriptor | None:
    return read_descriptor(source, app_path, path)


def problems(source: Path, app_path: str = ".", path: str = "workload.yaml") -> str:
    with pytest.raises(GitOpsError) as caught:
        read(source, app_path, path)
    assert caught.value.hint
    return "\n".join(caught.value.details)


def written(folder: Path, **files: str) -> Path:
    """A source whose descriptor is `workload`; other files are given by their names."""
    write_tree(folder, {f"{name}.yaml": text.encode() for name, text in files.items()})
    return folder


def test_a_descriptor_has_the_files_that_it_names() -> None:
    found = read(INPUTS / "sources" / "shop", "/catalog")
    assert found is not None
    assert found.name == "workload.yaml"
    assert found.files == {
        name: (CATALOG / name).read_bytes()
        for name in ("workload.yaml", "openapi.yaml", "rules.txt")
    }


def test_a_file_that_is_not_named_is_not_read() -> None:
    found = read(CATALOG)
    assert found is not None
    assert "motd.txt" not in found.files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("not-yaml", "not-yaml.yaml:2: not YAML"),
        ("bad-visibility", "bad-visibility.yaml:4: endpoints.0.visibility.0"),
        ("missing-schema", "missing-schema.yaml:4: nowhere.yaml is not in the source"),
        ("bad-type", "bad-type.yaml:4: endpoints.0.port"),
        ("bad-type", "bad-type.yaml:4: endpoints.0.type"),
        ("duplicate-endpoint", "duplicate-endpoint.yaml:5: 'api' stands already in line 4"),
        ("unknown-key", "unknown-key.yaml:3: endpoint: unknown key; perhaps you meant endpoints?"),
        ("empty", "empty.yaml: is empty"),
        ("full-workload-cr", "full-workload-cr.yaml:2: is a whole resource"),
        ("escapes", "escapes.yaml:4: endpoints.0.schemaFile"),
        ("escapes", "escapes.yaml:9: configurations.files.0.valueFrom.path"),
    ],
)
def test_each_fault_is_an_error_with_its_line(name: str, expected: str) -> None:
    assert expected in problems(INPUTS / "descriptors", path=f"{name}.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata: {name: a}\nmetadata: {name: b}\n", "2: duplicate key 'metadata'"),
        ("apiVersion: v2\n", "1: apiVersion"),
        (ENDPOINT % ", targetPort: 0", "1: endpoints.0.targetPort"),
        (ENDPOINT % ", shemaFile: a", "unknown key; perhaps you meant schemaFile?"),
        (ENDPOINT % ", visibility: [project, project]", "'project' stands already"),
        ("endpoints: [{port: 1, type: TCP}]\n", "endpoints.0.name: is required"),
        ("endpoints: [{name: a, port: '1', type: TCP}]\n", "endpoints.0.port"),
        ("endpoints: {a: {port: 1, type: TCP}}\n", "endpoints: must be a list"),
        ("configurations:\n  env:\n  - name: A\n    value: 010\n", "4: configurations.env.0.value"),
        ("configurations:\n  env:\n  - name: A\n    value: yes\n", "4: configurations.env.0.value"),
        (
            "configurations:\n  env:\n  - name: A\n    value: a\n"
            "    valueFrom: {secretKeyRef: {name: a, key: b}}\n",
            "3: configurations.env.0: has value and valueFrom",
        ),
        (
            "configurations:\n  env:\n  - name: A\n    valueFrom: {path: a.txt}\n",
            "4: configurations.env.0.valueFrom.path: unknown key",
        ),
        (
            "configurations:\n  env:\n  - {name: A}\n  - {name: A}\n",
            "4: 'A' stands already in line 3",
        ),
        (
            "configurations:\n  files:\n  - {name: a, mountPath: /a, valueFrom: {}}\n",
            "3: configurations.files.0.valueFrom: needs either secretKeyRef or path",
        ),
        (
            "dependencies:\n  endpoints:\n  - {component: a, name: b, visibility: external}\n",
            "3: dependencies.endpoints.0.visibility",
        ),
        (
            "dependencies:\n  resources:\n  - {ref: db}\n  - {ref: db}\n",
            "4: 'db' stands already in line 3",
        ),
        (
            "dependencies:\n  resources:\n  - {ref: db, envBindings: {url: ''}}\n",
            "3: dependencies.resources.0.envBindings.url",
        ),
        ("spec: {}\n", "1: spec: unknown key"),
        ("- a\n", "no mapping"),
    ],
)
def test_faults_that_occ_passes_on_are_errors(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in problems(written(tmp_path, workload=text))


@pytest.mark.parametrize("value", ["8080", "-1", "1.5", "true", "2026-01-02", "'010'"])
def test_a_value_may_be_a_number_that_occ_writes_as_it_stands(value: str, tmp_path: Path) -> None:
    text = f"configurations: {{env: [{{name: A, value: {value}}}]}}\n"
    assert read(written(tmp_path, workload=text)) is not None


def test_all_that_occ_reads_may_be_given(tmp_path: Path) -> None:
    """The documentation does not show resources and context."""
    text = """
metadata: {name: catalog}
endpoints:
- {name: api, displayName: API, port: 1, targetPort: 65535, type: gRPC, basePath: /v1, context: /c,
   schemaFile: deep/api.proto.yaml, visibility: [project, namespace, internal, external]}
dependencies:
  endpoints:
  - {project: p, component: c, name: n, visibility: namespace,
     envBindings: {address: A, host: H, port: P, basePath: B}}
  - {component: c, name: n, visibility: project}
  resources:
  - {ref: db, envBindings: {url: DB_URL}, fileBindings: {ca: /etc/ca}}
configurations:
  env:
  files: [{name: a, mountPath: /a, valueFrom: {secretKeyRef: {name: s, key: k}}},
          {name: a, mountPath: /b, value: ""}]
"""
    source = written(tmp_path, workload=text)
    write_tree(source, {"deep/api.proto.yaml": b"x"})
    found = read(source)
    assert found is not None
    assert set(found.files) == {"workload.yaml", "deep/api.proto.yaml"}


def test_a_missing_descriptor_is_an_error_with_the_nearest_name() -> None:
    assert "perhaps you meant workload.yaml?" in problems(CATALOG, path="workloads.yaml")


def test_a_missing_descriptor_by_default_is_none(tmp_path: Path) -> None:
    assert read_descriptor(tmp_path, ".", "workload.yaml", required=False) is None


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/passwd", "a/../../outside.yaml"])
def test_a_descriptor_stays_in_the_source(path: str, tmp_path: Path) -> None:
    written(tmp_path, outside="metadata: {name: a}\n")
    (tmp_path / "source" / "a").mkdir(parents=True)
    assert "leads out of the source" in problems(tmp_path / "source", path=path)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("link", ["workload.yaml", "app"])
def test_a_descriptor_is_not_read_through_a_link(
    tmp_path: Path, link: str, *, required: bool
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    written(tmp_path / "elsewhere", workload="metadata: {name: a}\n")
    (source / link).symlink_to(tmp_path / "elsewhere" / ("" if link == "app" else link))
    app = link if link == "app" else "."
    with pytest.raises(GitOpsError) as caught:
        read_descriptor(source, app, "workload.yaml", required=required)
    assert f"{link} is a symbolic link" in caught.value.details[0]


@pytest.mark.parametrize("link", ["api.yaml", "schemas"])
def test_a_named_file_is_not_read_through_a_link(tmp_path: Path, link: str) -> None:
    path = "api.yaml" if link == "api.yaml" else "schemas/passwd"
    source = written(tmp_path / "source", workload=ENDPOINT % f", schemaFile: {path}")
    (source / link).symlink_to("/etc/passwd" if link == "api.yaml" else "/etc")
    assert f"workload.yaml:1: {path} is not read: {link} is a symbolic link" in problems(source)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff", "UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "LFS"),
        (b"x" * (1024**2 + 1), "larger than"),
    ],
)
def test_a_named_file_must_fit_into_a_resource(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    source = written(tmp_path, workload=ENDPOINT % ", schemaFile: api.txt")
    write_tree(source, {"api.txt": content})
    assert expected in problems(source)


def test_a_folder_is_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "workload.yaml").mkdir()
    assert "cannot be read" in problems(tmp_path)
