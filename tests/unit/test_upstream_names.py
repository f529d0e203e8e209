from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import anyio
import pytest

from pipeline.build.git import Repository, ways_on
from pipeline.build.upstream import HostUpstream, Source, check_ref, read_upstream, repository
from pipeline.errors import UpstreamError, UsageError

SAMPLE = Path("/the/sample")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def meant(given: str) -> Repository:
    return repository(given, sample=SAMPLE)


def test_sample_is_the_folder_that_comes_with_ocelot() -> None:
    assert meant("sample") == Repository(given="sample", folder=SAMPLE)


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
    assert meant(url) == Repository(given=url, url=url)


def test_a_folder_that_is_no_git_repository_is_taken_as_it_is(tmp_path: Path) -> None:
    assert meant(str(tmp_path)).folder == tmp_path.resolve()


@pytest.mark.parametrize("mark", [".git", "objects"])
def test_a_folder_that_is_a_git_repository_is_read_by_git(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).mkdir()
    assert meant(str(tmp_path)).url == str(tmp_path.resolve())


def test_a_relative_path_is_meant_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fork").mkdir()
    monkeypatch.chdir(tmp_path)
    assert meant("./fork").folder == (tmp_path / "fork").resolve()


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
        "",
        "-x",
        "--upload-pack=x",
        "a..b",
        "a@{1}",
        "a//b",
        "a/",
        "a.",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "a\n",
        "a\0",
        "$(x)",
        "`x`",
        "a;b",
        "a'b",
        "ä",
        "x" * 201,
    ],
)
def test_what_git_could_not_have_is_no_ref(ref: str) -> None:
    with pytest.raises(UsageError, match="cannot be an upstream ref"):
        check_ref(ref)


def test_the_ways_on_from_github_are_a_mirror_a_clone_and_the_sample() -> None:
    hint = ways_on(meant("owner/name"))
    assert [way for way in ("mirror", "local clone", "sample") if way not in hint] == []


def test_the_way_on_from_a_folder_is_another_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert ways_on(meant(str(tmp_path))) == (
        "check that the folder is a git repository that you may read"
    )


def fetched(origin: Repository, cache: Path, ref: str = "main") -> Source:
    return anyio.run(read_upstream, HostUpstream(origin=origin, ref=ref, cache=cache))


def test_a_folders_collector_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    (tmp_path / "collector" / "go.mod").write_bytes(b"module x\n")
    (tmp_path / "outside.go").write_bytes(b"package x\n")
    source = fetched(meant(str(tmp_path)), tmp_path / "cache")
    assert source.files == {"go.mod": b"module x\n"}
    assert (source.repository, source.ref, source.committed) == (str(tmp_path), "main", 0)


def test_a_folders_commit_changes_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    (tmp_path / "collector" / "go.mod").write_bytes(b"module x\n")
    before = fetched(meant(str(tmp_path)), tmp_path / "cache").commit
    (tmp_path / "collector" / "go.mod").write_bytes(b"module y\n")
    after = fetched(meant(str(tmp_path)), tmp_path / "cache").commit
    assert len(before) == len(after) == 40
    assert before != after


def test_a_folder_without_a_collector_is_told(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="has no folder collector/"):
        fetched(meant(str(tmp_path)), tmp_path / "cache")


Member = tuple[str, bytes | str]


def cached(cache: Path, *members: Member) -> None:
    """A cache entry for `COMMIT`: files with content, links with a text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
                continue
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    store = cache / "upstream"
    store.mkdir()
    (store / f"{COMMIT}.tar").write_bytes(buffer.getvalue())
    record = {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest(), "committed": 1_700_000_000}
    (store / f"{COMMIT}.json").write_text(json.dumps(record))


def test_a_commit_in_the_cache_needs_nobody_to_answer(tmp_path: Path) -> None:
    cached(tmp_path, ("collector/go.mod", b"module x\n"), ("collector/a/b.go", b"package a\n"))
    source = fetched(meant("owner/name"), tmp_path, COMMIT)
    assert source.files == {"go.mod": b"module x\n", "a/b.go": b"package a\n"}
    assert (source.commit, source.committed) == (COMMIT, 1_700_000_000)


def test_a_link_within_the_collector_is_followed(tmp_path: Path) -> None:
    cached(tmp_path, ("collector/a.go", b"package a\n"), ("collector/b.go", "a.go"))
    assert fetched(meant("owner/name"), tmp_path, COMMIT).files["b.go"] == b"package a\n"


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([("collector/a.go", "../../etc/passwd")], id="a link out"),
        pytest.param([("collector/a.go", "/etc/passwd")], id="a link to the root"),
        pytest.param([("collector/a.go", "absent.go")], id="a link to nothing"),
        pytest.param([("collector/a.go", "a.go")], id="a link to itself"),
        pytest.param(
            [("collector/a.go", "b.go"), ("collector/b.go", "a.go")], id="links in a ring"
        ),
        pytest.param([("collector/../../a.go", b"x")], id="a path out"),
        pytest.param([("/a.go", b"x")], id="a path from the root"),
    ],
)
def test_what_leads_out_of_the_collector_is_told(tmp_path: Path, members: list[Member]) -> None:
    cached(tmp_path, *members)
    with pytest.raises(UpstreamError):
        fetched(meant("owner/name"), tmp_path, COMMIT)
