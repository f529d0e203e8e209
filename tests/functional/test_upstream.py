"""Upstream's sources, fetched by the real git from real repositories, most of them on loopback."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import anyio
import pytest
from anyio import to_thread
from gitserver import (
    COLLECTOR,
    LS_REMOTE,
    Fault,
    GitServer,
    Upstream,
    commit,
    git,
    in_collector,
    new_repository,
    new_upstream,
)

from pipeline import files, project
from pipeline.build import commits as build_commits
from pipeline.build import git as build_git
from pipeline.build.upstream import HostUpstream, Source, check_ref, read_upstream, repository
from pipeline.errors import ToolchainError, UpstreamError, UsageError

SAMPLE = project.sample_upstream()
SECRET = "s3cret"
OF_MAIN = {**COLLECTOR, "config.yaml": b"main: {}\n"}


@pytest.fixture(autouse=True)
def _plain_git(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of the machine's settings, nor of a git or a desktop that started the tests."""
    for name in os.environ:
        if name.startswith(("GIT_", "SSH_ASKPASS")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """A repository of upstream's shape; tests that change it make one of their own."""
    return new_upstream(tmp_path_factory.mktemp("served") / "upstream")


@pytest.fixture
def server(example: Upstream) -> Iterator[GitServer]:
    with GitServer(root=example.path.parent) as running:
        yield running


@pytest.fixture
def url(server: GitServer, example: Upstream) -> str:
    return server.url(example.path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A repository without a commit."""
    return new_repository(tmp_path / "new")


async def fetched(given: str | Path, ref: str, cache: Path) -> Source:
    with anyio.fail_after(9):
        origin = repository(str(given), sample=SAMPLE)
        return await read_upstream(HostUpstream(origin=origin, ref=ref, cache=cache))


def fetch(given: str | Path, ref: str, cache: Path) -> Source:
    return anyio.run(fetched, given, ref, cache)


def fetch_both(given: str, ref: str, cache: Path) -> list[Source]:
    """The same fetch twice at once."""
    sources: list[Source] = []

    async def one() -> None:
        sources.append(await fetched(given, ref, cache))

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            tasks.start_soon(one)

    anyio.run(both)
    return sources


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, *settings: str) -> None:
    """Make `name=value` settings those of the user."""
    file = folder / "gitconfig"
    for setting in settings:
        git(folder, "config", "--file", str(file), *setting.split("=", 1))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))


def kept(cache: Path) -> list[str]:
    """Names in the cache of sources, temporary ones too; not those of short SHAs' histories."""
    names = (path.name for path in (cache / "upstream").glob("*"))
    return sorted(name for name in names if not name.startswith("history-"))


def programs_with(*texts: str) -> list[str]:
    """Command lines of running programs that name one of some texts."""
    if Path("/proc/self").exists():
        files = Path("/proc").glob("[0-9]*/cmdline")
        lines = [_read(file).replace("\0", " ") for file in files]
    else:
        lines = subprocess.check_output(["ps", "-A", "-ww", "-o", "command="], text=True).split(
            "\n"
        )
    return [line for line in lines if any(text in line for text in texts)]


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def says(error: UpstreamError | UsageError) -> str:
    """All that a user is told."""
    return "\n".join([str(error), error.hint, *error.details])


def names_ways_on(error: UpstreamError) -> bool:
    return all(way in error.hint for way in ("mirror", "local clone", "sample"))


class TestRepository:
    def test_owner_and_name_are_on_github(self) -> None:
        origin = repository("open-telemetry/opentelemetry-lambda", sample=SAMPLE)
        assert origin.url == "https://github.com/open-telemetry/opentelemetry-lambda.git"

    @pytest.mark.parametrize(
        "given",
        [
            "https://git.example/team/fork.git",
            "http://127.0.0.1:8080/fork",
            "ssh://git@git.example:2222/team/fork.git",
            "git@git.example:team/fork.git",
            "git://git.example/fork",
            "file:///srv/fork.git",
        ],
    )
    def test_a_git_url_is_handed_to_git_as_it_is(self, given: str) -> None:
        assert repository(given, sample=SAMPLE).url == given

    def test_a_clone_is_read_through_git(self, new: Path) -> None:
        assert repository(str(new), sample=SAMPLE).url == str(new)

    def test_a_bare_repository_is_read_through_git(self, new: Path) -> None:
        assert repository(str(new / ".git"), sample=SAMPLE).url == str(new / ".git")

    def test_a_path_may_be_relative(self, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(new.parent)
        assert repository("./new", sample=SAMPLE).url == str(new)

    def test_a_path_may_start_at_home(self, new: Path) -> None:
        assert repository("~/new", sample=SAMPLE).url == str(new)

    def test_any_other_folder_is_taken_as_it_is(self, tmp_path: Path) -> None:
        assert repository(str(tmp_path), sample=SAMPLE).folder == tmp_path

    def test_sample_is_the_folder_of_ours(self) -> None:
        assert repository("sample", sample=SAMPLE).folder == SAMPLE

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "name",
            "ext::sh -c touch% x",
            "-x/y",
            "-x@git.example:y",
            "--upload-pack=touch x",
            "ftp://git.example/x",
            "https:///x",
            "https://[::1/x",
            "owner/name\n",
            "git@git.example:y\n",
        ],
    )
    def test_what_is_no_repository_is_refused(self, given: str) -> None:
        with pytest.raises(UsageError):
            repository(given, sample=SAMPLE)

    def test_a_folder_that_does_not_exist_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="does not exist"):
            repository(str(tmp_path / "absent"), sample=SAMPLE)

    @pytest.mark.parametrize(
        "given",
        [
            f"https://user:{SECRET}@git.example/x",
            f"https://{SECRET}@git.example/x",
            f"https://user:a/{SECRET}@git.example/x",
            f"ssh://git:{SECRET}@git.example/x",
            f"ftp://user:{SECRET}@git.example/x",
            f"ext::https://user:{SECRET}@git.example/x",
        ],
    )
    def test_a_secret_in_the_url_is_refused_and_not_repeated(self, given: str) -> None:
        with pytest.raises(UsageError) as caught:
            repository(given, sample=SAMPLE)
        assert SECRET not in says(caught.value)

    def test_the_way_to_give_a_secret_is_told(self) -> None:
        with pytest.raises(UsageError) as caught:
            repository(f"https://{SECRET}@git.example/x", sample=SAMPLE)
        assert "credential helper" in caught.value.hint


class TestRefs:
    @pytest.mark.parametrize(
        ("ref", "name"),
        [
            ("main", "main"),
            ("feature/one", "feature"),
            ("light", "first"),
            ("noted", "second"),
            ("layer/0.2.0", "second"),
            ("refs/heads/main", "main"),
            ("refs/heads/feature/one", "feature"),
            ("refs/tags/light", "first"),
            ("refs/tags/noted", "second"),
            ("HEAD", "main"),
        ],
    )
    def test_a_name_means_its_commit(
        self, example: Upstream, cache: Path, ref: str, name: str
    ) -> None:
        assert fetch(example.path, ref, cache).commit == example.commits[name]

    @pytest.mark.parametrize(
        ("name", "length"), [("third", 40), ("third", 12), ("third", 7), ("feature", 8)]
    )
    def test_a_sha_means_its_commit(
        self, example: Upstream, cache: Path, name: str, length: int
    ) -> None:
        sha = example.commits[name]
        assert fetch(example.path, sha[:length], cache).commit == sha

    @pytest.mark.parametrize("filters", ["true", "false"])
    def test_a_short_sha_is_found_whether_or_not_the_clone_filters(
        self, new: Path, cache: Path, filters: str
    ) -> None:
        git(new, "config", "uploadpack.allowFilter", filters)
        sha = commit(new, in_collector(COLLECTOR))
        assert fetch(new, sha[:8], cache).commit == sha

    def test_a_tag_comes_before_a_branch_of_its_name(self, new: Path, cache: Path) -> None:
        tagged = commit(new, in_collector(COLLECTOR), branch="same")
        git(new, "tag", "same", tagged)
        commit(new, {"more": b""}, branch="same", start=tagged)
        assert fetch(new, "same", cache).commit == tagged

    def test_a_branch_comes_before_a_commit_whose_sha_begins_so(
        self, new: Path, cache: Path
    ) -> None:
        first = commit(new, in_collector(COLLECTOR))
        named = commit(new, {"more": b""}, branch=first[:7], start=first)
        assert fetch(new, first[:7], cache).commit == named

    def test_an_ambiguous_short_sha_is_told_with_its_candidates(
        self, new: Path, cache: Path
    ) -> None:
        pair = two_commits_that_begin_alike(new)
        with pytest.raises(UpstreamError, match="more than one commit") as caught:
            fetch(new, pair[0][:4], cache)
        assert sorted(caught.value.details) == sorted(pair)

    def test_more_of_an_ambiguous_short_sha_is_enough(self, new: Path, cache: Path) -> None:
        _one, other = two_commits_that_begin_alike(new)
        assert fetch(new, other[:12], cache).commit == other

    def test_an_unknown_short_sha_is_told(self, example: Upstream, cache: Path) -> None:
        with pytest.raises(UpstreamError, match="no commit 0000000"):
            fetch(example.path, "0000000", cache)

    def test_an_unknown_full_sha_is_told_as_such(self, example: Upstream, cache: Path) -> None:
        with pytest.raises(UpstreamError, match=f"no commit {'0' * 39}1"):
            fetch(example.path, f"{'0' * 39}1", cache)

    def test_a_name_that_is_nearly_right_is_set_right(self, example: Upstream, cache: Path) -> None:
        with pytest.raises(UpstreamError, match=r"'layer/0.3.0'; perhaps you meant layer/0.2.0\?"):
            fetch(example.path, "layer/0.3.0", cache)

    def test_an_unknown_name_is_told_without_guessing(self, example: Upstream, cache: Path) -> None:
        with pytest.raises(UpstreamError, match=r"no branch or tag 'quite-something-else'$"):
            fetch(example.path, "quite-something-else", cache)

    def test_only_the_whole_name_counts(self, example: Upstream, cache: Path) -> None:
        with pytest.raises(UpstreamError, match="no branch or tag 'one'"):
            fetch(example.path, "one", cache)

    def test_a_repository_without_a_commit_has_no_main(self, new: Path, cache: Path) -> None:
        with pytest.raises(UpstreamError, match="no branch or tag 'main'"):
            fetch(new, "main", cache)

    @pytest.mark.parametrize(
        "ref",
        [
            "",
            "--upload-pack=touch x",
            "-x",
            "a..b",
            "a b",
            "main\n",
            "main\n--x",
            "a\tb",
            "a\0b",
            "$(x)",
            "`x`",
            "a;b",
            "a|b",
            "main*",
            "main?",
            "[m]ain",
            "main^",
            "main~1",
            "main:collector",
            "@{-1}",
            "a//b",
            "../x",
            "a/",
            "a.",
            "\\x",
            "x" * 300,
        ],
    )
    def test_what_cannot_be_a_ref_is_refused(self, ref: str) -> None:
        with pytest.raises(UsageError, match="cannot be an upstream ref"):
            check_ref(ref)

    @pytest.mark.parametrize(
        "ref", ["main", "layer-collector/0.19.0", "v1.2.3-rc.1+x", "feature/a_b", "0" * 40, "a@b"]
    )
    def test_what_can_be_a_ref_passes(self, ref: str) -> None:
        assert check_ref(ref) == ref

    def test_a_repository_of_sha_256_objects_serves_too(self, tmp_path: Path, cache: Path) -> None:
        path = new_repository(tmp_path / "long", object_format="sha256")
        sha = commit(path, in_collector(COLLECTOR))
        assert fetch(path, "main", cache).commit == sha
        assert len(sha) == 64


def two_commits_that_begin_alike(path: Path) -> tuple[str, str]:
    """Two commits on branches whose SHAs have their first four digits in common."""
    base = commit(path, in_collector(COLLECTOR))
    tree = git(path, "rev-parse", f"{base}^{{tree}}")
    seen: dict[str, bytes] = {}
    for number in range(100_000):
        who = b"ocelot <ocelot@localhost> %d +0000" % (1_700_000_000 + number)
        body = b"tree %s\nauthor %s\ncommitter %s\n\n" % (tree.encode(), who, who)
        head = b"commit %d\0" % len(body)
        sha = hashlib.sha1(head + body, usedforsecurity=False).hexdigest()
        if other := seen.get(sha[:4]):
            pair = [store_commit(path, each) for each in (other, body)]
            for each in pair:
                git(path, "branch", f"of-{each}", each)
            return pair[0], pair[1]
        seen[sha[:4]] = body
    raise AssertionError("four hex digits have run out")


def store_commit(path: Path, body: bytes) -> str:
    return git(path, "hash-object", "-t", "commit", "-w", "--stdin", data=body)


# Attributes that upstream's tree may set, by the file that they are set for.
ATTRIBUTES = {
    "crlf": "text eol=crlf",
    "auto": "text=auto eol=crlf",
    "old": "crlf",
    "ident": "ident",
    "subst": "export-subst",
    "ignore": "export-ignore",
    "filter": "filter=loud",
    "encoding": "working-tree-encoding=UTF-16",
}

# Settings that a user may have.
HABITS: dict[str, tuple[str, ...]] = {
    "line ends": ("core.autocrlf=true", "core.eol=crlf", "core.attributesFile=attributes"),
    "looks": ("color.ui=always", "core.quotePath=true", "tar.umask=0777", "core.abbrev=5"),
    "signatures": ("log.showSignature=true",),
    "tidiness": ("fetch.prune=true", "gc.auto=1", "fetch.writeCommitGraph=true"),
    "caution": ("transfer.fsckObjects=true", "protocol.version=0", "protocol.file.allow=always"),
    "modules": ("fetch.recurseSubmodules=true", "submodule.recurse=true"),
    "templates": ("init.templateDir=absent", "init.defaultBranch=trunk"),
}


class TestFiles:
    def test_only_the_collector_folder_is_taken(self, example: Upstream, cache: Path) -> None:
        assert fetch(example.path, "main", cache).files == OF_MAIN

    def test_the_commits_own_time_is_told(self, example: Upstream, cache: Path) -> None:
        assert fetch(example.path, "main", cache).committed == 1_700_000_003

    def test_what_the_user_typed_is_kept(self, example: Upstream, cache: Path) -> None:
        source = fetch(example.path, "light", cache)
        assert (source.repository, source.ref) == (str(example.path), "light")

    def test_no_attribute_of_upstreams_changes_a_byte(
        self, new: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(monkeypatch, cache.parent, "filter.loud.smudge=tr a-z A-Z", "core.eol=crlf")
        attributes = "".join(f"{name} {attribute}\n" for name, attribute in ATTRIBUTES.items())
        files = dict.fromkeys(ATTRIBUTES, b"lf\n$Format:%h$ $Id$\ncrlf\r\n")
        files[".gitattributes"] = attributes.encode()
        commit(new, in_collector(files))
        assert fetch(new, "main", cache).files == files

    @pytest.mark.parametrize("habit", HABITS)
    def test_no_setting_of_the_users_changes_anything(
        self, new: Path, cache: Path, habit: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attributes = cache.parent / "attributes"
        attributes.write_text("* text eol=crlf export-subst\n")
        configure(monkeypatch, cache.parent, *HABITS[habit])
        files = {"lf.txt": b"a\n$Format:%h$\n", "crlf.txt": b"a\r\n", "bin": b"\0\r\n\xff\n"}
        sha = signed(new, commit(new, in_collector(files)))
        monkeypatch.chdir(cache.parent)
        source = fetch(new, "main", cache)
        assert (source.commit, source.committed, source.files) == (sha, 1_700_000_000, files)

    def test_attributes_in_the_users_home_change_no_byte(
        self, new: Path, cache: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / ".config" / "git" / "attributes"
        file.parent.mkdir(parents=True)
        file.write_text("* text eol=crlf\n")
        commit(new, in_collector({"a": b"a\n"}))
        assert fetch(new, "main", cache).files == {"a": b"a\n"}

    def test_long_and_foreign_names_are_kept(self, new: Path, cache: Path) -> None:
        files = {f"{'long/' * 40}file": b"1", "mit Leerzeichen/ä.txt": b"2"}
        commit(new, in_collector(files))
        assert fetch(new, "main", cache).files == files

    @pytest.mark.parametrize("target", ["real.txt", "../collector/real.txt", "inner/../real.txt"])
    def test_a_link_inside_the_folder_is_followed(
        self, new: Path, cache: Path, target: str
    ) -> None:
        commit(
            new,
            {"collector/real.txt": b"real", "collector/link.txt": PurePosixPath(target)},
        )
        assert fetch(new, "main", cache).files["link.txt"] == b"real"

    def test_a_link_in_a_folder_is_followed_from_there(self, new: Path, cache: Path) -> None:
        link = PurePosixPath("../real.txt")
        commit(new, {"collector/real.txt": b"real", "collector/deep/link.txt": link})
        assert fetch(new, "main", cache).files["deep/link.txt"] == b"real"

    @pytest.mark.parametrize(
        "target",
        [
            "../README.md",
            "../../../../../../etc/passwd",
            "/etc/passwd",
            "/real.txt",
            "absent",
            "link.txt",
        ],
    )
    def test_any_other_link_is_refused(self, new: Path, cache: Path, target: str) -> None:
        link = {"collector/link.txt": PurePosixPath(target)}
        commit(new, {"README.md": b"", "collector/real.txt": b"real", **link})
        with pytest.raises(UpstreamError, match=r"collector/link\.txt"):
            fetch(new, "main", cache)

    def test_links_in_a_circle_are_refused(self, new: Path, cache: Path) -> None:
        links = {"collector/a": PurePosixPath("b"), "collector/b": PurePosixPath("a")}
        commit(new, links)
        with pytest.raises(UpstreamError, match="collector/a"):
            fetch(new, "main", cache)

    @pytest.mark.parametrize(
        "files",
        [
            {"README.md": b""},
            {"collector": b"a file"},
            {"collector": PurePosixPath("elsewhere"), "elsewhere/go.mod": b""},
            {"deep/collector/go.mod": b""},
        ],
    )
    def test_a_repository_without_the_folder_is_not_upstreams_shape(
        self, new: Path, cache: Path, files: Mapping[str, bytes | PurePosixPath]
    ) -> None:
        commit(new, files)
        with pytest.raises(UpstreamError, match="no folder collector/") as caught:
            fetch(new, "main", cache)
        assert "shape of open-telemetry/opentelemetry-lambda" in caught.value.hint
        assert kept(cache) == []


def signed(path: Path, sha: str) -> str:
    """Main's commit with a signature that nobody can check, as forges put on merges."""
    tree = git(path, "rev-parse", f"{sha}^{{tree}}")
    who = "ocelot <ocelot@localhost> 1700000000 +0000"
    armour = "-----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    body = f"tree {tree}\nauthor {who}\ncommitter {who}\ngpgsig {armour}\n\nsigned\n"
    made = store_commit(path, body.encode())
    git(path, "update-ref", "refs/heads/main", made)
    return made


class TestCache:
    def test_a_branch_fetched_before_asks_for_one_ls_remote(
        self, server: GitServer, url: str, cache: Path
    ) -> None:
        first = fetch(url, "main", cache)
        server.log.clear()
        assert fetch(url, "main", cache) == first
        assert tuple(server.log) == LS_REMOTE

    def test_a_short_sha_fetched_before_asks_for_one_ls_remote(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        first = fetch(url, example.commits["third"][:8], cache)
        server.log.clear()
        assert fetch(url, example.commits["third"][:8], cache) == first
        assert tuple(server.log) == LS_REMOTE

    def test_a_full_sha_fetched_before_asks_for_nothing(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        first = fetch(url, example.commits["main"], cache)
        server.log.clear()
        assert fetch(url, example.commits["main"], cache) == first
        assert server.log == []

    def test_a_full_sha_needs_no_ls_remote_even_the_first_time(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        fetch(url, example.commits["third"], cache)
        assert server.log == ["discover", "fetch"]

    def test_a_branch_that_has_moved_is_fetched_again(self, new: Path, cache: Path) -> None:
        first = commit(new, in_collector(COLLECTOR))
        assert fetch(new, "main", cache).commit == first
        second = commit(new, {"collector/main.go": b"package main\n"}, start=first)
        assert fetch(new, "main", cache).commit == second

    def test_a_short_sha_younger_than_the_history_is_found(self, new: Path, cache: Path) -> None:
        first = commit(new, in_collector(COLLECTOR))
        fetch(new, first[:8], cache)
        second = commit(new, {"collector/main.go": b"package main\n"}, start=first)
        assert fetch(new, second[:8], cache).commit == second

    def test_a_short_sha_is_found_after_a_branch_became_a_folder_of_branches(
        self, new: Path, cache: Path
    ) -> None:
        first = commit(new, in_collector(COLLECTOR), branch="a")
        fetch(new, first[:8], cache)
        git(new, "branch", "-D", "a")
        second = commit(new, in_collector({"main.go": b""}), branch="a/b")
        assert fetch(new, second[:8], cache).commit == second

    def test_a_cache_of_nothing_but_garbage_is_made_again(self, new: Path, cache: Path) -> None:
        first = commit(new, in_collector(COLLECTOR))
        fetch(new, first[:8], cache)
        second = commit(new, {"collector/main.go": b"package main\n"}, start=first)
        for path in [path for path in cache.rglob("*") if path.is_file()]:
            path.chmod(0o644)
            path.write_bytes(b"\xffgarbage\n")
        assert [fetch(new, sha[:8], cache).commit for sha in (first, second)] == [first, second]

    def test_an_entry_is_a_tar_and_its_record(self, example: Upstream, cache: Path) -> None:
        sha = fetch(example.path, "main", cache).commit
        assert kept(cache) == [f"{sha}.json", f"{sha}.tar"]

    def test_a_cache_that_has_gone_is_made_again(self, example: Upstream, cache: Path) -> None:
        fetch(example.path, "main", cache)
        shutil.rmtree(cache)
        assert fetch(example.path, "main", cache).files == OF_MAIN


def _break_tar(breaking: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    def apply(tar: Path, _record: Path) -> None:
        tar.write_bytes(breaking(tar.read_bytes()))

    return apply


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _break_record(content: str | bytes) -> Callable[[Path, Path], None]:
    def apply(tar: Path, record: Path) -> None:
        text = content.encode() if isinstance(content, str) else content
        digest = hashlib.sha256(tar.read_bytes()).hexdigest()
        record.write_bytes(text.replace(b"DIGEST", digest.encode()))

    return apply


def _forge(content: bytes) -> Callable[[Path, Path], None]:
    def apply(tar: Path, record: Path) -> None:
        tar.write_bytes(content)
        _break_record('{"sha256": "DIGEST", "committed": 0}')(tar, record)

    return apply


BREAKS: dict[str, Callable[[Path, Path], None]] = {
    "a tar that is cut": _break_tar(lambda content: content[:1000]),
    "a tar with a flipped bit": _break_tar(_flipped),
    "a tar that grew": _break_tar(lambda content: content + b"\0"),
    "an empty tar": _break_tar(lambda _content: b""),
    "no tar": lambda tar, _record: tar.unlink(),
    "no record": lambda _tar, record: record.unlink(),
    "an empty record": _break_record(""),
    "a record of garbage": _break_record(b"\xff\xfe\0{"),
    "a record that is cut": _break_record('{"sha256": "DIG'),
    "a record that is null": _break_record("null"),
    "a record that is a list": _break_record('["sha256", "committed"]'),
    "a record that is a number": _break_record("1"),
    "a record without a time": _break_record('{"sha256": "DIGEST"}'),
    "a time that is no number": _break_record('{"sha256": "DIGEST", "committed": "x"}'),
    "a time that is nothing": _break_record('{"sha256": "DIGEST", "committed": null}'),
    "a time without end": _break_record('{"sha256": "DIGEST", "committed": Infinity}'),
    "a checksum that is a path": _break_record('{"sha256": "../../x", "committed": 0}'),
    "a checksum that is a list": _break_record('{"sha256": ["DIGEST"], "committed": 0}'),
    "a record of brackets": _break_record("[" * 100_000),
    "a tar that is none, rightly summed": _forge(b"no tar at all"),
    "a longer tar that is none, rightly summed": _forge(b"x" * 2048),
}


@pytest.fixture(scope="module")
def filled(example: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds main."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    fetch(example.path, example.commits["main"], folder)
    return folder


class TestBrokenEntry:
    @pytest.mark.parametrize("name", BREAKS)
    def test_a_broken_entry_is_fetched_again(
        self, example: Upstream, filled: Path, cache: Path, name: str
    ) -> None:
        sha = example.commits["main"]
        shutil.copytree(filled, cache)
        tar, record = (cache / "upstream" / f"{sha}.{suffix}" for suffix in ("tar", "json"))
        whole = tar.read_bytes(), record.read_bytes()
        BREAKS[name](tar, record)
        assert fetch(example.path, sha, cache).files == OF_MAIN
        assert (tar.read_bytes(), record.read_bytes()) == whole

    @pytest.mark.parametrize(
        ("name", "kind", "target"),
        [
            ("../x", tarfile.REGTYPE, ""),
            ("/etc/x", tarfile.REGTYPE, ""),
            ("collector/../../x", tarfile.REGTYPE, ""),
            ("collector//etc/x", tarfile.REGTYPE, ""),
            ("collector/a\\..\\x", tarfile.REGTYPE, ""),
            ("collector/x", tarfile.SYMTYPE, "../../etc/passwd"),
            ("collector/x", tarfile.LNKTYPE, "/etc/passwd"),
            ("collector/x", tarfile.FIFOTYPE, ""),
            ("collector/x", tarfile.CHRTYPE, ""),
        ],
    )
    def test_a_forged_entry_that_leads_out_is_refused(
        self,
        example: Upstream,
        filled: Path,
        cache: Path,
        name: str,
        kind: bytes,
        target: str,
    ) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.addfile(member)
        sha = example.commits["main"]
        shutil.copytree(filled, cache)
        store = cache / "upstream"
        _forge(stream.getvalue())(store / f"{sha}.tar", store / f"{sha}.json")
        with pytest.raises(UpstreamError):
            fetch(example.path, sha, cache)


class TestAtOnce:
    def test_two_fetches_of_one_program_leave_one_good_entry(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.gathering = threading.Barrier(2)
        one, other = fetch_both(url, "main", cache)
        sha = example.commits["main"]
        assert one.files == other.files == OF_MAIN
        assert kept(cache) == [f"{sha}.json", f"{sha}.tar"]
        server.log.clear()
        assert fetch(url, sha, cache).files == OF_MAIN
        assert server.log == []

    def test_two_programs_leave_one_good_entry(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.gathering = threading.Barrier(2)
        command = [sys.executable, "-c", PROGRAM, url, str(cache)]
        with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
            assert (one.wait(9), other.wait(9)) == (0, 0)
        sha = example.commits["main"]
        assert server.log.count("fetch") == 2
        assert kept(cache) == [f"{sha}.json", f"{sha}.tar"]
        assert fetch(url, sha, cache).files == OF_MAIN

    def test_two_short_shas_are_looked_up_side_by_side(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.gathering = threading.Barrier(2)
        sources = fetch_both(url, example.commits["third"][:8], cache)
        assert {source.commit for source in sources} == {example.commits["third"]}


PROGRAM = """
import sys, anyio
from pathlib import Path
from pipeline.build.upstream import HostUpstream, read_upstream, repository

async def run():
    origin = repository(sys.argv[1], sample=Path())
    with anyio.fail_after(8):
        upstream = HostUpstream(origin=origin, ref="main", cache=Path(sys.argv[2]))
        await read_upstream(upstream)

anyio.run(run)
"""


class TestServer:
    def test_a_server_that_refuses_single_commits_is_read_by_its_branches(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.single_commits = False
        source = fetch(url, example.commits["third"], cache)
        assert source.files == {**COLLECTOR, "config.yaml": b"third: {}\n"}

    def test_a_server_that_refuses_single_commits_serves_short_shas_too(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.single_commits = False
        sha = example.commits["third"]
        assert fetch(url, sha[:8], cache).commit == sha

    def test_a_server_that_filters_hands_out_no_file_for_a_short_sha(
        self, new: Path, cache: Path
    ) -> None:
        git(new, "config", "uploadpack.allowFilter", "true")
        sha = commit(new, in_collector({"large": os.urandom(1_000_000)}))
        tip = commit(new, in_collector({"small": b""}), branch="small")
        with GitServer(root=new.parent) as server:
            assert fetch(server.url(new), tip[:8], cache).commit == tip
        assert sha != tip
        assert sum(file.stat().st_size for file in cache.rglob("*")) < 500_000

    def test_a_users_proxy_is_asked(
        self, server: GitServer, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://{server.host}")
        assert fetch("http://git.invalid/upstream", "main", cache).files == OF_MAIN

    @pytest.mark.parametrize("ref", ["main", "0" * 40])
    def test_a_dead_proxy_is_told_with_the_ways_on(
        self, url: str, cache: Path, ref: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{dead.getsockname()[1]}")
            with pytest.raises(UpstreamError, match=r"from 127\.0\.0\.1") as caught:
                fetch(url, ref, cache)
        assert names_ways_on(caught.value)
        assert "Failed to connect" in "".join(caught.value.details)

    def test_a_repository_that_the_server_lacks_is_told(
        self, server: GitServer, cache: Path
    ) -> None:
        with pytest.raises(UpstreamError, match="could not read") as caught:
            fetch(f"http://{server.host}/absent", "main", cache)
        assert "not found" in "".join(caught.value.details)

    def test_a_server_out_of_service_is_told(
        self, server: GitServer, url: str, cache: Path
    ) -> None:
        server.faults["discover"] = "unavailable"
        with pytest.raises(UpstreamError) as caught:
            fetch(url, "main", cache)
        assert "503" in "".join(caught.value.details)
        assert names_ways_on(caught.value)

    @pytest.mark.parametrize("fault", ["unavailable", "cut"])
    def test_a_fetch_that_breaks_leaves_nothing_and_the_next_one_works(
        self, server: GitServer, url: str, cache: Path, fault: Fault
    ) -> None:
        server.faults["fetch"] = fault
        with pytest.raises(UpstreamError):
            fetch(url, "main", cache)
        assert kept(cache) == []
        server.faults.clear()
        assert fetch(url, "main", cache).files == OF_MAIN

    def test_a_broken_lookup_of_a_short_sha_does_not_break_the_next(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.faults["fetch"] = "cut"
        with pytest.raises(UpstreamError):
            fetch(url, example.commits["third"][:8], cache)
        server.faults.clear()
        sha = example.commits["third"]
        assert fetch(url, sha[:8], cache).commit == sha

    def test_a_server_that_says_nothing_is_given_up(
        self, server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build_git, "QUICK_SECONDS", 1)
        server.faults["discover"] = "stall"
        with pytest.raises(UpstreamError, match="did not answer within 1 seconds") as caught:
            fetch(url, "main", cache)
        assert names_ways_on(caught.value)
        assert programs_with(server.host) == []

    def test_a_fetch_that_stalls_is_given_up_once_and_for_all(
        self, server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build_commits, "FETCH_SECONDS", 1)
        server.faults["fetch"] = "stall"
        with pytest.raises(UpstreamError, match="did not answer within 1 seconds"):
            fetch(url, "main", cache)
        assert kept(cache) == []
        assert server.log.count("fetch") == 1

    def test_cancellation_leaves_no_folder_and_no_git(
        self, server: GitServer, url: str, example: Upstream, cache: Path
    ) -> None:
        server.faults["fetch"] = "stall"

        async def cancelled() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fetched, url, example.commits["main"], cache)
                assert await to_thread.run_sync(server.fetching.wait, 5)
                assert any(name.startswith(".fetch-") for name in kept(cache))
                assert programs_with(server.host, str(cache))
                tasks.cancel_scope.cancel()

        anyio.run(cancelled)
        assert kept(cache) == []
        assert programs_with(server.host, str(cache)) == []


class TestPrivateRepository:
    @pytest.fixture(autouse=True)
    def _private(  # pyright: ignore[reportUnusedFunction]
        self, server: GitServer
    ) -> None:
        server.credentials = ("somebody", SECRET)

    @pytest.mark.parametrize("ref", ["main", "0" * 40])
    def test_without_credentials_nobody_is_asked_and_the_helper_is_named(
        self, server: GitServer, url: str, cache: Path, ref: str
    ) -> None:
        with pytest.raises(UpstreamError) as caught:
            fetch(url, ref, cache)
        assert "credential helper" in caught.value.hint
        assert "could not read Username" in "".join(caught.value.details)
        assert set(server.log) == {"discover"}

    def test_gits_own_credential_helper_is_used(
        self, server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_stored_credentials(monkeypatch, cache.parent, f"somebody:{SECRET}@{server.host}")
        assert fetch(url, "main", cache).files == OF_MAIN

    def test_the_secret_is_not_kept_in_the_cache(
        self,
        server: GitServer,
        url: str,
        example: Upstream,
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        use_stored_credentials(monkeypatch, cache.parent, f"somebody:{SECRET}@{server.host}")
        fetch(url, example.commits["third"][:8], cache)
        files = [path for path in cache.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if SECRET.encode() in path.read_bytes()]

    def test_wrong_credentials_are_told_and_not_repeated(
        self, server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_stored_credentials(monkeypatch, cache.parent, f"somebody:not-{SECRET}@{server.host}")
        with pytest.raises(UpstreamError, match="could not read") as caught:
            fetch(url, "main", cache)
        assert SECRET not in says(caught.value)


def use_stored_credentials(monkeypatch: pytest.MonkeyPatch, folder: Path, entry: str) -> None:
    """Git's `store` helper with one line, as a user has it."""
    file = folder / "credentials"
    file.write_text(f"http://{entry}\n")
    configure(monkeypatch, folder, f"credential.helper=store --file '{file}'")


class TestFolder:
    @pytest.fixture
    def plain(self, tmp_path: Path) -> Path:
        """A folder of upstream's shape that git knows nothing of."""
        root = tmp_path / "plain"
        files.write_tree(root, {**in_collector(COLLECTOR), "README.md": b""})
        return root

    def test_a_plain_folder_is_read_as_it_is(self, plain: Path, cache: Path) -> None:
        source = fetch(plain, "main", cache)
        assert (source.files, source.committed) == (COLLECTOR, 0)
        assert not cache.exists()

    def test_its_commit_is_a_digest_of_its_content(self, plain: Path, cache: Path) -> None:
        commits = [fetch(plain, "main", cache).commit for _ in range(2)]
        (plain / "collector" / "go.mod").write_text("module other\n")
        commits.append(fetch(plain, "main", cache).commit)
        (plain / "collector" / "go.mod").rename(plain / "collector" / "go.sum")
        commits.append(fetch(plain, "main", cache).commit)
        assert all(re.fullmatch("[0-9a-f]{40}", sha) for sha in commits)
        assert commits[0] == commits[1]
        assert len(set(commits)) == 3

    def test_what_lies_outside_the_collector_does_not_count(self, plain: Path, cache: Path) -> None:
        before = fetch(plain, "main", cache)
        (plain / "README.md").write_text("changed")
        assert fetch(plain, "main", cache) == before

    def test_a_link_inside_it_is_followed(self, plain: Path, cache: Path) -> None:
        (plain / "collector" / "link").symlink_to("go.mod")
        assert fetch(plain, "main", cache).files["link"] == COLLECTOR["go.mod"]

    @pytest.mark.parametrize("target", ["../README.md", "/etc/passwd", "/etc", ".."])
    def test_a_link_out_of_it_is_refused(self, plain: Path, cache: Path, target: str) -> None:
        (plain / "collector" / "link").symlink_to(target)
        with pytest.raises(UpstreamError, match="link"):
            fetch(plain, "main", cache)

    def test_a_folder_without_the_collector_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UpstreamError, match="has no folder collector/"):
            fetch(tmp_path, "main", tmp_path / "cache")

    def test_the_sample_is_of_upstreams_shape(self, cache: Path) -> None:
        source = fetch("sample", "main", cache)
        assert b"go.opentelemetry.io/collector/otelcol v0.155.0" in source.files["go.mod"]
        assert any(name.startswith("lambdacomponents/") for name in source.files)
        assert source.commit == fetch(SAMPLE, "main", cache).commit

    def test_a_missing_sample_says_where_it_comes_from(self, tmp_path: Path) -> None:
        origin = repository("sample", sample=tmp_path)
        with pytest.raises(UpstreamError, match="comes with a checkout"):
            anyio.run(
                read_upstream,
                HostUpstream(origin=origin, ref="main", cache=tmp_path),
            )


class TestSurroundings:
    @pytest.mark.parametrize("ref", ["main", "third"])
    def test_a_git_hooks_environment_plays_no_part(
        self,
        example: Upstream,
        cache: Path,
        tmp_path: Path,
        ref: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        decoy = new_repository(tmp_path / "decoy")
        commit(decoy, {"decoy": b""})
        before = files.tree_digest(files.read_tree(decoy))
        for name, value in HOOK.items():
            monkeypatch.setenv(name, value.replace("DECOY", str(decoy)))
        wanted = example.commits[ref]
        source = fetch(example.path, ref if ref == "main" else wanted[:8], cache)
        assert source.commit == wanted
        assert files.tree_digest(files.read_tree(decoy)) == before

    def test_git_that_is_missing_is_told(
        self, example: Upstream, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolchainError, match="git is not installed"):
            fetch(example.path, "main", cache)

    def test_a_fetch_works_from_a_folder_that_is_no_repository(
        self, example: Upstream, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert fetch(example.path, "main", cache).files == OF_MAIN


# What git sets for hooks and aliases (`git rev-parse --local-env-vars`, and pre-receive's own).
HOOK = {
    "GIT_DIR": "DECOY/.git",
    "GIT_WORK_TREE": "DECOY",
    "GIT_INDEX_FILE": "DECOY/.git/index",
    "GIT_PREFIX": "collector/",
    "GIT_COMMON_DIR": "DECOY/.git",
    "GIT_OBJECT_DIRECTORY": "DECOY/.git/objects",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "DECOY/.git/objects",
    "GIT_QUARANTINE_PATH": "DECOY/.git/objects",
    "GIT_SHALLOW_FILE": "DECOY/.git/shallow",
    "GIT_NAMESPACE": "decoy",
    "GIT_IMPLICIT_WORK_TREE": "0",
}
