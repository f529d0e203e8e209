"""Names and labels of the images that OpenChoreo's workflows build."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.image.reference import (
    BUILD,
    COMPONENT,
    PROJECT,
    REVISION,
    SOURCE,
    Naming,
    Origin,
    Reference,
    image_reference,
    label_differences,
    parameters_digest,
    read_reference,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "a" * 64
NAMING = Naming(
    registry="registry.example:5000", image_name="{project}-{component}-image", tag_prefix="v1"
)


def named(**changes: str) -> Naming:
    values = {"registry": NAMING.registry, "image_name": NAMING.image_name, "tag_prefix": "v1"}
    return Naming(**{**values, **changes})


def origin(project: str = "shop", component: str = "catalog", **changes: object) -> Origin:
    build = {"method": "docker", "args": {"B": "2", "A": "1"}}
    return Origin(
        repository="https://me:s3cret@git.example/shop.git",
        commit=COMMIT,
        namespace="demo",
        project=project,
        component=component,
        build={**build, **changes},
    )


def test_an_image_is_named_by_the_template_and_the_commits_first_digits() -> None:
    found = image_reference(NAMING, origin())
    assert str(found) == "registry.example:5000/shop-catalog-image:v1-01234567"
    assert str(found.by_digest(DIGEST)) == f"registry.example:5000/shop-catalog-image@{DIGEST}"


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        (named(registry="ghcr.io/acme/"), "ghcr.io/acme/a-b-image"),
        (named(registry="registry"), "registry/a-b-image"),
        (named(registry="index.docker.io/acme"), "docker.io/acme/a-b-image"),
        (named(registry="[::1]:5000"), "[::1]:5000/a-b-image"),
        (named(image_name="{namespace}/{project}/{component}"), "registry.example:5000/demo/a/b"),
    ],
)
def test_a_registry_may_have_a_port_and_a_path(naming: Naming, name: str) -> None:
    assert image_reference(naming, origin("a", "b")).name == name


@pytest.mark.parametrize(
    "naming",
    [
        named(registry="https://registry.example"),
        named(registry="registry.example:99999"),
        named(registry="registry.example/Acme"),
        named(registry="user@registry.example"),
        named(image_name="{project}-{component}_"),
        named(image_name="{Project}"),
        named(image_name="x" * 260),
        named(tag_prefix=".v1"),
        named(tag_prefix="v1;rm"),
        named(tag_prefix="v" * 128),
    ],
)
def test_a_name_that_no_registry_takes_is_an_error(naming: Naming) -> None:
    with pytest.raises(GitOpsError, match=r"config/gitops\.yaml|name of an image"):
        image_reference(naming, origin())


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("node", "docker.io", "library/node", "", ""),
        ("node:22-alpine", "docker.io", "library/node", "22-alpine", ""),
        ("acme/web", "docker.io", "acme/web", "", ""),
        ("registry-1.docker.io/acme/web:1", "docker.io", "acme/web", "1", ""),
        ("localhost/web", "localhost", "web", "", ""),
        ("localhost:5000/web", "localhost:5000", "web", "", ""),
        ("gcr.io/buildpacks/builder:v1", "gcr.io", "buildpacks/builder", "v1", ""),
        (f"r.example:5000/a/b:t@{DIGEST}", "r.example:5000", "a/b", "t", DIGEST),
        (f"[::1]:5000/a@{DIGEST}", "[::1]:5000", "a", "", DIGEST),
        ("a__b/c--d", "docker.io", "a__b/c--d", "", ""),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(
    text: str, host: str, path: str, tag: str, digest: str
) -> None:
    assert read_reference(text) == Reference(host=host, path=path, tag=tag, digest=digest)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", "web:", "web@", "web@sha256:1", f"web@{DIGEST}0", "web@md5:" + "a" * 32),
        *("/web", "web/", "a//b", "a/../b", "Web/x:1/y", "acme/Web", "a.-b", "a___b", "-a"),
        *("web:-1", "web:" + "t" * 129, "http://r.example/web", "r.example:/web", "web\n", "$(id)"),
    ],
)
def test_a_text_that_is_no_reference_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        read_reference(text)


def test_labels_name_the_source_without_its_password() -> None:
    labels = origin().labels()
    assert labels[SOURCE] == "https://git.example/shop.git"
    assert labels[REVISION] == COMMIT
    assert "s3cret" not in str(labels)


def test_two_components_of_one_image_name_are_told_apart_by_their_labels() -> None:
    first, second = origin("a-b", "c"), origin("a", "b-c")
    assert image_reference(NAMING, first) == image_reference(NAMING, second)
    different = label_differences(first.labels(), second.labels())
    assert [each.split()[0] for each in different] == [PROJECT, COMPONENT]


def test_another_build_parameter_is_another_label_and_the_order_of_keys_is_none() -> None:
    labels = origin().labels()
    assert label_differences(labels, origin(args={"A": "1", "B": "2"}).labels()) == ()
    (line,) = label_differences(labels, origin(target="test").labels())
    assert line.startswith(BUILD)


def test_labels_that_are_missing_are_differences() -> None:
    assert len(label_differences({}, origin().labels())) == len(origin().labels())


def test_the_digest_of_parameters_is_that_of_their_canonical_json() -> None:
    expected = hashlib.sha256('{"a":[1,"ä"],"b":null}'.encode()).hexdigest()
    assert parameters_digest({"b": None, "a": [1, "ä"]}) == f"sha256:{expected}"
