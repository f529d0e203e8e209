from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.build.git import UpstreamRepository, access_hint
from pipeline.build.upstream import check_ref, upstream_repository
from pipeline.errors import UsageError

SAMPLE = Path("/the/sample")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def meant(given: str) -> UpstreamRepository:
    return upstream_repository(given, sample=SAMPLE)


def test_sample_is_the_folder_that_comes_with_ocelot() -> None:
    assert meant("sample") == UpstreamRepository(given="sample", folder=SAMPLE)


def test_owner_and_name_are_on_github() -> None:
    assert meant("owner/the.name").url == "https://github.com/owner/the.name.git"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/a/b.git",
        "http://git.example.com:8080/a",
        "ssh://git@git.example.com:22/a/b",
        "git://git.example.com/a",
        "file:///srv/git/a.git",
        "git@github.com:owner/name.git",
    ],
)
def test_a_git_url_is_taken_as_it_is(url: str) -> None:
    assert meant(url) == UpstreamRepository(given=url, url=url)


def test_a_folder_that_is_no_git_repository_is_taken_as_it_is(tmp_path: Path) -> None:
    assert meant(str(tmp_path)).folder == tmp_path.resolve()


@pytest.mark.parametrize("mark", [".git", "objects"])
def test_a_folder_that_is_a_git_repository_is_read_by_git(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).mkdir()
    assert meant(str(tmp_path)).url == str(tmp_path.resolve())


@pytest.mark.parametrize("given", ["./fork", "~/fork"])
def test_a_path_starts_here_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    (tmp_path / "fork").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert meant(given).folder == (tmp_path / "fork").resolve()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "word",
        "a/b/c",
        "ftp://example.com/a",
        "ext::sh -c touch% x",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "--upload-pack=touch x",
        "-oProxyCommand=x/y",
        "-x@git.example:y",
        "owner/name\n",
        "owner/name;x",
        "git@host:a\n",
        "git@host:a b",
        "https://[bad/x",
        "/absent/folder",
        "./absent",
        "~no-such-user-of-ocelot/x",
    ],
)
def test_anything_else_is_no_repository(given: str) -> None:
    with pytest.raises(UsageError):
        meant(given)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@git.example.com/a",
        "https://hunter2@git.example.com/a",
        "http://:hunter2@git.example.com/a",
        "ssh://me:hunter2@git.example.com/a",
        "ftp://me:hunter2@git.example.com/a",
        "me:hunter2@git.example.com/a",
        "ftp://me:hun/hunter2@git.example.com/a",
        "ftp://me:h@hunter2@git.example.com/a",
        "https://me:hunter2@[bad/x",
    ],
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        meant(url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value.details}"


@pytest.mark.parametrize(
    "ref",
    ["main", "v0.155.0", "layer-collector/0.15.0", "feature/a_b+c", "a@b", "0123abc", COMMIT, "@x"],
)
def test_what_git_could_have_is_a_ref(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        *("-x", "--upload-pack=x", "a..b", "a@{1}", "a//b", "a/", "a.", "a~1", "a^", "a:b", "a?"),
        *("a*", "a[b", "a\\b", "$(x)", "`x`", "a;b", "a'b", "ä"),
        *("", "a b", "a\n", "a\0", "a\tb", "main\n--x", "../x", "@{-1}", "x" * 201),
    ],
)
def test_what_git_could_not_have_is_no_ref(ref: str) -> None:
    with pytest.raises(UsageError, match="cannot be an upstream ref"):
        check_ref(ref)


def test_the_ways_on_from_github_are_a_mirror_a_clone_and_the_sample() -> None:
    hint = access_hint(meant("owner/name"))
    assert [way for way in ("mirror", "local clone", "sample") if way not in hint] == []


def test_the_way_on_from_a_folder_is_another_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert access_hint(meant(str(tmp_path))) == (
        "check that the folder is a git repository that you may read"
    )
