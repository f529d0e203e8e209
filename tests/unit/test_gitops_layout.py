"""The files of the copy on which occ runs, and the text of changed resources."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GitOpsError
from pipeline.gitops.changes import resource_text, same_value, split_heading
from pipeline.gitops.namespace import namespace_of
from pipeline.gitops.occ_layout import (
    SKIPPED_FOLDERS,
    OccLayout,
    occ_layout,
    path_in_copy,
    path_in_repository,
)
from pipeline.gitops.repository import Resource, read_repository

SHOP = {("shop", "catalog")}
FOLDER = st.sampled_from([*SKIPPED_FOLDERS, ".git", "x-", "x-build", "x--platform", "apps", "-a"])


def component(name: str, metadata: str = "") -> bytes:
    return (
        "apiVersion: openchoreo.dev/v1alpha1\nkind: Component\n"
        f"metadata: {metadata or f'{{name: {name}, namespace: demo}}'}\n"
        "spec: {owner: {projectName: shop}}\n"
    ).encode()


def layout(files: dict[str, bytes], namespace: str = "demo") -> OccLayout:
    return occ_layout(namespace_of(read_repository(files), namespace), SHOP)


def copied(files: dict[str, bytes]) -> Resource:
    """The one resource of a copy, read as occ reads it."""
    (found,) = read_repository(layout(files).files).resources
    return found


@given(st.lists(FOLDER, min_size=1))
def test_paths_of_the_copy_lead_back(folders: list[str]) -> None:
    path = "/".join(folders)
    parts = PurePosixPath(path_in_copy(path)).parts
    assert path_in_repository(path_in_copy(path)) == path
    assert not set(parts) & SKIPPED_FOLDERS
    assert not any(each.startswith(".") for each in parts)
    assert parts[0] != "x--platform"


@pytest.mark.parametrize(
    "metadata",
    [
        "{name: catalog}",
        "\n  name: catalog",
        "\n    labels: {a: b}\n    name: catalog",
        "{name: catalog, namespace: ''}",
        "\n  name: catalog\n  namespace:",
        "\n  namespace: null\n  name: catalog",
    ],
)
@pytest.mark.parametrize("more", ["", "---\nkind: Other\n", "---\n# nothing\n"])
def test_the_copy_names_the_namespace(metadata: str, more: str) -> None:
    found = copied({"all.yaml": more.encode() + b"---\n" + component("catalog", metadata)})
    assert (found.name, found.namespace) == ("catalog", "demo")
    assert found.alone


def test_a_resource_alone_keeps_its_bytes() -> None:
    content = b"# kept\n" + component("catalog")
    assert list(layout({"catalog.yaml": content}).files.values()) == [content]


def test_only_the_components_that_are_written_are_copied() -> None:
    files = {"a.yaml": component("catalog"), "b.yaml": component("orders")}
    assert [each.name for each in layout(files).origins.values()] == ["catalog"]


def test_other_files_are_not_copied() -> None:
    files = {
        "a.yaml": component("catalog"),
        "notes.yaml": b"a: 1\n",
        "README.md": b"openchoreo.dev",
    }
    assert len(layout(files).files) == 1


def test_a_release_config_is_copied_with_the_copys_folders() -> None:
    config = b"apiVersion: openchoreo.dev/v1alpha1\nkind: ReleaseConfig\n"
    config += b"componentReleaseDefaults: {projects: {shop: {components: {catalog: a/build}}}}\n"
    files = layout({"a.yaml": component("catalog"), "release-config.yaml": config}).files
    assert json.loads(files["release-config.yaml"])["componentReleaseDefaults"] == {
        "projects": {"shop": {"components": {"catalog": "a/x-build"}}}
    }


@pytest.mark.parametrize("config", [b"[", b"- a\n", b"\xff"])
def test_a_broken_release_config_is_an_error(config: bytes) -> None:
    with pytest.raises(GitOpsError):
        layout({"a.yaml": component("catalog"), "release-config.yaml": config})


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"))
VALUES = st.recursive(
    st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), VALUES))
def test_a_written_resource_is_read_as_it_was(data: object) -> None:
    assert same_value(yaml.safe_load(resource_text(data)), data)


@pytest.mark.parametrize("text", ["0o17", "1_000", "1e3", "12:30", "0x1F", "yes", "2026-01-02", ""])
def test_texts_that_go_reads_as_something_else_are_quoted(text: str) -> None:
    assert resource_text({"a": text}) == f"a: '{text}'\n".encode()


def test_true_is_not_one() -> None:
    assert not same_value({"a": True}, {"a": 1})
    assert same_value({"a": 1.0, "b": []}, {"b": [], "a": 1})


@pytest.mark.parametrize(
    ("heading", "rest"), [("# a\n\n# b\n---\n", "k: 1 # c\n"), ("", "k: 1\n"), ("# a\n", "")]
)
def test_a_heading_is_split_off(heading: str, rest: str) -> None:
    assert split_heading((heading + rest).encode()) == (heading.encode(), rest.encode())
