from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import COMMIT

from pipeline.layer.manifest import Upstream
from pipeline.supply.inputs import (
    go_input,
    image_input,
    module_input,
    resource,
    source_input,
    source_uri,
)

# RFC 3986: what may stand in a URI, with every other byte as %xx.
URI = re.compile(r"^[a-z][a-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})+\Z")
IMAGE_DIGEST = "1" * 64


@pytest.mark.parametrize(
    ("repository", "uri"),
    [
        ("owner/name", "git+https://github.com/owner/name"),
        ("owner/name.git", "git+https://github.com/owner/name"),
        ("https://example.com/a/b.git", "git+https://example.com/a/b"),
        ("https://EXAMPLE.com:8443/A/b/", "git+https://example.com:8443/A/b"),
        ("http://127.0.0.1:8080/a", "git+http://127.0.0.1:8080/a"),
        ("https://[::1]:8080/a", "git+https://[::1]:8080/a"),
        ("ssh://git@example.com:2222/a/b.git", "git+ssh://example.com:2222/a/b"),
        ("git://example.com/a", "git+git://example.com/a"),
        ("git@github.com:owner/name.git", "git+ssh://github.com/owner/name"),
        ("alice@Example.com:/srv/a b", "urn:x-ocelot:upstream:local:a%20b"),
        ("alice@Example.com:/srv/a", "git+ssh://example.com/srv/a"),
        ("sample", "urn:x-ocelot:upstream:sample"),
        ("/home/alice/src/lambda", "urn:x-ocelot:upstream:local:lambda"),
        ("/home/alice/src/lambda/", "urn:x-ocelot:upstream:local:lambda"),
        ("../lambda fork", "urn:x-ocelot:upstream:local:lambda%20fork"),
        ("file:///home/alice/lambda", "urn:x-ocelot:upstream:local:lambda"),
        ("https://[", "urn:x-ocelot:upstream:local:%5B"),
        ("https:///x", "urn:x-ocelot:upstream:local:x"),
        (".", "urn:x-ocelot:upstream:local:folder"),
        ("..", "urn:x-ocelot:upstream:local:folder"),
        ("~", "urn:x-ocelot:upstream:local:folder"),
        ("~/", "urn:x-ocelot:upstream:local:folder"),
        ("/", "urn:x-ocelot:upstream:local:folder"),
        ("./\udcff", "urn:x-ocelot:upstream:local:%3F"),
    ],
)
def test_a_repository_has_a_uri_that_says_the_same_to_everyone(repository: str, uri: str) -> None:
    assert source_uri(repository) == uri


@pytest.mark.parametrize(
    "repository",
    [
        "https://alice:s3cret@example.com/a",
        "https://s3cret@example.com/a",
        "https://example.com/a?token=s3cret",
        "https://example.com/a#s3cret",
        "ssh://alice:s3cret@example.com/a",
        "https://al@ice:s3cret@example.com/a",
        "alice:s3cret@example.com",
        "/home/s3cret/a",
        "~s3cret/a",
        "file://alice:s3cret@host/a",
    ],
)
def test_neither_passwords_nor_folders_are_in_a_uri(repository: str) -> None:
    assert "s3cret" not in source_uri(repository)
    assert "alice" not in source_uri(repository)


@given(st.text(min_size=1, max_size=60))
def test_whatever_the_repository_its_uri_is_one(repository: str) -> None:
    assert URI.match(source_uri(repository))


@given(st.from_regex(r"(https|ssh)://[a-z:@]{0,9}@[a-z.]{1,9}/[ -~]{0,20}", fullmatch=True))
def test_a_url_loses_its_user(repository: str) -> None:
    uri = source_uri(repository)
    assert URI.match(uri)
    assert "@" not in urlsplit(uri).netloc


def test_a_remote_commit_is_a_git_commit() -> None:
    upstream = Upstream(repository="owner/name", ref="releases/1.x", commit=COMMIT)
    assert source_input(upstream) == {
        "name": "upstream",
        "uri": "git+https://github.com/owner/name@releases/1.x",
        "digest": {"gitCommit": COMMIT},
    }


@pytest.mark.parametrize("repository", ["sample", "./lambda"])
def test_a_folder_is_not_claimed_to_be_a_git_commit(repository: str) -> None:
    found = source_input(Upstream(repository=repository, ref="main", commit=COMMIT))
    assert found["digest"] == {"ocelotSource": COMMIT}
    assert "@" not in found["uri"]


def test_a_modules_sum_is_in_totos_directory_hash() -> None:
    # the example of in-toto's own specification of digest sets
    found = module_input(
        "github.com/marklodato/go-hello-world",
        "v0.0.1",
        "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48=",
    )
    assert found["uri"] == "pkg:golang/github.com/marklodato/go-hello-world@v0.0.1"
    assert found["digest"] == {
        "dirHash": "2a1bb6127fb481c60f67692e22285fb306f3c6ffe62075e0ccf674d7c3adcb8f"
    }


def test_a_modules_version_is_quoted() -> None:
    sums = "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48="
    found = module_input("github.com/BurntSushi/toml", "v2.0.0+incompatible", sums)
    assert found["uri"] == "pkg:golang/github.com/BurntSushi/toml@v2.0.0%2Bincompatible"


@pytest.mark.parametrize("sums", ["", "h1:", "h1:AAAA", "h2:" + "A" * 43 + "=", "h1:!", "h1:é"])
def test_what_is_no_sum_is_refused(sums: str) -> None:
    with pytest.raises(ValueError, match=r"not a sum of go\.sum"):
        module_input("example.com/m", "v1.0.0", sums)


@pytest.mark.parametrize(
    ("image", "uri"),
    [
        (
            f"golang:1.26.6-bookworm@sha256:{IMAGE_DIGEST}",
            f"pkg:oci/golang@sha256%3A{IMAGE_DIGEST}"
            "?repository_url=docker.io/library/golang&tag=1.26.6-bookworm",
        ),
        ("owner/go", "pkg:oci/go?repository_url=docker.io/owner/go"),
        (
            f"mirror.example:5000/x/go@sha256:{IMAGE_DIGEST}",
            f"pkg:oci/go@sha256%3A{IMAGE_DIGEST}?repository_url=mirror.example%3A5000/x/go",
        ),
    ],
)
def test_an_image_is_named_with_its_registry(image: str, uri: str) -> None:
    found = image_input(image)
    assert found["uri"] == uri
    assert found.get("digest") == ({"sha256": IMAGE_DIGEST} if IMAGE_DIGEST in image else None)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="not an image"):
        image_input("golang@sha256:1")


def test_go_is_named_by_its_version() -> None:
    assert go_input("1.26.6")["uri"] == "pkg:generic/go@1.26.6"


def test_an_input_can_be_looked_up_by_something() -> None:
    with pytest.raises(ValueError, match="neither URI nor digest"):
        resource("x")


@pytest.mark.parametrize(
    ("origin", "uri"),
    [
        ("", "git+https://github.com/owner/name@main"),
        ("git@github.com:owner/name.git", "git+https://github.com/owner/name@main"),
        ("https://github.com/other/name.git", "git+https://github.com/other/name@main"),
        ("https://alice:s3cret@mirror.example/name", "git+https://mirror.example/name@main"),
        ("/srv/mirror", "urn:x-ocelot:upstream:local:mirror"),
    ],
)
def test_the_repository_that_was_read_is_named(origin: str, uri: str) -> None:
    upstream = Upstream(repository="owner/name", ref="main", commit=COMMIT)
    assert source_input(upstream, origin)["uri"] == uri
