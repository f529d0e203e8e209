"""Upstream's sources, fetched by the real git from real repositories, most of them on loopback."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import anyio
import pytest
from anyio import to_thread
from gitserver import (
    COLLECTOR,
    LS_REMOTE,
    Fault,
    GitServer,
    Kind,
    Upstream,
    commit,
    git,
    in_collector,
    new_repository,
    new_upstream,
)

from pipeline import files, paths
from pipeline.build import commits as build_commits
from pipeline.build import git as build_git
from pipeline.build.upstream import HostUpstream, Source, read_upstream, upstream_repository
from pipeline.errors import ToolchainError, UpstreamError

SAMPLE = paths.sample_upstream()
SECRET = "s3cret"
NO_COMMIT = "0" * 40
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
        origin = upstream_repository(str(given), sample=SAMPLE)
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


def refused(given: str | Path, ref: str, cache: Path) -> UpstreamError:
    """The error of a fetch that fails."""
    with pytest.raises(UpstreamError) as caught:
        fetch(given, ref, cache)
    return caught.value


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


def entry(sha: str) -> list[str]:
    """Names of the files that the cache has for a commit."""
    return [f"{sha}.json", f"{sha}.tar"]


def programs_with(*texts: str) -> list[str]:
    """Command lines of running programs that name one of some texts."""
    if Path("/proc/self").exists():
        lines = [_read(file).replace("\0", " ") for file in Path("/proc").glob("[0-9]*/cmdline")]
    else:
        command = ["ps", "-A", "-ww", "-o", "command="]
        lines = subprocess.check_output(command, text=True).split("\n")
    return [line for line in lines if any(text in line for text in texts)]


def left_running(*texts: str) -> list[str]:
    """The same after those that were killed had ten seconds to end."""
    for _ in range(100):
        if not programs_with(*texts):
            return []
        time.sleep(0.1)
    return programs_with(*texts)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def details(error: UpstreamError) -> str:
    return "".join(error.details)


def names_ways_on(error: UpstreamError) -> bool:
    return all(way in error.hint for way in ("mirror", "local clone", "sample"))


# --- which commit a ref means ---


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
def test_a_name_means_its_commit(example: Upstream, cache: Path, ref: str, name: str) -> None:
    assert fetch(example.path, ref, cache).commit == example.commits[name]


@pytest.mark.parametrize(
    ("name", "length"), [("third", 40), ("third", 12), ("third", 7), ("feature", 8)]
)
def test_a_sha_means_its_commit(example: Upstream, cache: Path, name: str, length: int) -> None:
    sha = example.commits[name]
    assert fetch(example.path, sha[:length], cache).commit == sha


@pytest.mark.parametrize("length", [40, 12, 7])
@pytest.mark.parametrize("tag", ["noted", "of-noted"])
def test_the_sha_of_a_tags_own_object_means_its_commit(
    example: Upstream, cache: Path, tag: str, length: int
) -> None:
    sha = git(example.path, "rev-parse", f"refs/tags/{tag}")
    assert fetch(example.path, sha[:length], cache) == replace(
        fetch(example.path, example.commits["second"], cache), ref=sha[:length]
    )
    assert kept(cache) == entry(example.commits["second"])


@pytest.mark.parametrize("what", ["main^{tree}", "main:README.md"])
def test_the_sha_of_another_object_is_refused(example: Upstream, cache: Path, what: str) -> None:
    sha = git(example.path, "rev-parse", what)
    assert f"no commit {sha}" in str(refused(example.path, sha, cache))
    assert kept(cache) == []


def test_a_tags_object_is_not_read_as_a_commit(example: Upstream, cache: Path) -> None:
    """A lock or a manifest may name it."""
    sha = git(example.path, "rev-parse", "refs/tags/noted")
    origin = upstream_repository(str(example.path), sample=SAMPLE)
    fetch(example.path, "noted", cache)
    tar = (cache / "upstream" / f"{example.commits['second']}.tar").read_bytes()
    (cache / "upstream" / f"{sha}.tar").write_bytes(tar)  # as an earlier version kept it
    record = {"sha256": hashlib.sha256(tar).hexdigest(), "committed": 0}
    (cache / "upstream" / f"{sha}.json").write_text(json.dumps(record))
    with pytest.raises(UpstreamError, match=example.commits["second"]):
        anyio.run(HostUpstream(origin=origin, ref="noted", cache=cache).read, sha)


@pytest.mark.parametrize("filters", ["true", "false"])
def test_a_short_sha_is_found_whether_or_not_the_clone_filters(
    new: Path, cache: Path, filters: str
) -> None:
    git(new, "config", "uploadpack.allowFilter", filters)
    sha = commit(new, in_collector(COLLECTOR))
    assert fetch(new, sha[:8], cache).commit == sha


def test_a_partial_clone_is_refused_at_once_with_the_command_that_completes_it(
    example: Upstream, tmp_path: Path, cache: Path
) -> None:
    served, clone = tmp_path / "served", tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--bare", str(example.path), str(served))
    git(served, "config", "uploadpack.allowFilter", "true")
    options = ("--quiet", "--no-checkout", "--filter=blob:none")
    git(tmp_path, "clone", *options, served.as_uri(), str(clone))
    sha = example.commits["main"]
    for given in (clone, clone.as_uri()):
        for ref in ("main", sha[:8]):
            error = refused(given, ref, cache)
            assert "partial clone" in str(error)
    command = shlex.split(error.hint.partition("git ")[2])
    git(tmp_path, *command)
    assert fetch(clone, sha[:8], cache).files == OF_MAIN


def test_a_shallow_clone_is_read(example: Upstream, tmp_path: Path, cache: Path) -> None:
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", example.path.as_uri(), str(clone))
    assert fetch(clone, example.commits["main"][:8], cache).files == OF_MAIN


def test_a_tag_comes_before_a_branch_of_its_name(new: Path, cache: Path) -> None:
    tagged = commit(new, in_collector(COLLECTOR), branch="same")
    git(new, "tag", "same", tagged)
    commit(new, {"more": b""}, branch="same", start=tagged)
    assert fetch(new, "same", cache).commit == tagged


def test_a_branch_comes_before_a_commit_whose_sha_begins_so(new: Path, cache: Path) -> None:
    first = commit(new, in_collector(COLLECTOR))
    named = commit(new, {"more": b""}, branch=first[:7], start=first)
    assert fetch(new, first[:7], cache).commit == named


def test_an_ambiguous_short_sha_is_reported_with_its_candidates(new: Path, cache: Path) -> None:
    pair = two_commits_that_begin_alike(new)
    assert sorted(refused(new, pair[0][:4], cache).details) == sorted(pair)
    assert fetch(new, pair[1][:12], cache).commit == pair[1]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("0000000", "no commit 0000000"),
        (NO_COMMIT, f"no commit {NO_COMMIT}"),
        ("layer/0.3.0", "no branch or tag 'layer/0.3.0'; perhaps you meant layer/0.2.0?"),
        ("quite-something-else", "no branch or tag 'quite-something-else'"),
        ("one", "no branch or tag 'one'"),  # the last word of feature/one
    ],
)
def test_an_unknown_ref_is_reported(example: Upstream, cache: Path, ref: str, message: str) -> None:
    assert str(refused(example.path, ref, cache)).endswith(message)


def test_a_repository_without_a_commit_has_no_main(new: Path, cache: Path) -> None:
    assert "no branch or tag 'main'" in str(refused(new, "main", cache))


def test_a_repository_of_sha_256_objects_serves_too(tmp_path: Path, cache: Path) -> None:
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
            pair = store_commit(path, other), store_commit(path, body)
            for each in pair:
                git(path, "branch", f"of-{each}", each)
            return pair
        seen[sha[:4]] = body
    raise AssertionError("four hex digits have run out")


def store_commit(path: Path, body: bytes) -> str:
    return git(path, "hash-object", "-t", "commit", "-w", "--stdin", data=body)


# --- a commit's files ---

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


def test_only_the_collector_folder_is_taken(example: Upstream, cache: Path) -> None:
    source = fetch(example.path, "main", cache)
    assert (source.files, source.committed) == (OF_MAIN, 1_700_000_003)
    assert (source.repository, source.ref) == (str(example.path), "main")
    assert kept(cache) == entry(source.commit)


def test_no_attribute_of_upstreams_changes_a_byte(
    new: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, cache.parent, "filter.loud.smudge=tr a-z A-Z", "core.eol=crlf")
    attributes = "".join(f"{name} {attribute}\n" for name, attribute in ATTRIBUTES.items())
    files = dict.fromkeys(ATTRIBUTES, b"lf\n$Format:%h$ $Id$\ncrlf\r\n")
    files[".gitattributes"] = attributes.encode()
    commit(new, in_collector(files))
    assert fetch(new, "main", cache).files == files


@pytest.mark.parametrize("habit", HABITS)
def test_no_setting_of_the_users_changes_anything(
    new: Path, cache: Path, habit: str, monkeypatch: pytest.MonkeyPatch
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
    new: Path, cache: Path, tmp_path: Path
) -> None:
    file = tmp_path / ".config" / "git" / "attributes"
    file.parent.mkdir(parents=True)
    file.write_text("* text eol=crlf\n")
    commit(new, in_collector({"a": b"a\n"}))
    assert fetch(new, "main", cache).files == {"a": b"a\n"}


def test_long_and_foreign_names_are_kept(new: Path, cache: Path) -> None:
    files = {f"{'long/' * 40}file": b"1", "mit Leerzeichen/ä.txt": b"2"}
    commit(new, in_collector(files))
    assert fetch(new, "main", cache).files == files


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("link", "real.txt"),
        ("link", "../collector/real.txt"),
        ("link", "inner/../real.txt"),
        ("deep/link", "../real.txt"),
    ],
)
def test_a_link_inside_the_folder_is_followed(
    new: Path, cache: Path, link: str, target: str
) -> None:
    files = {"collector/real.txt": b"real", "collector/inner/x": b""}
    commit(new, {**files, f"collector/{link}": PurePosixPath(target)})
    assert fetch(new, "main", cache).files[link] == b"real"


def test_links_to_what_lies_beside_the_folder_are_followed(new: Path, cache: Path) -> None:
    links = {
        "collector/LICENSE": PurePosixPath("../LICENSE"),
        "collector/x/shared": PurePosixPath("../../shared"),
        "collector/again": PurePosixPath("x"),
    }
    beside = {"LICENSE": b"mine", "shared/a.go": b"a", "shared/b/b.go": b"b", "shared/c\\d": b""}
    commit(new, {"collector/x/own.go": b"own", **beside, **links})
    source = fetch(new, "main", cache)
    assert source.files == {
        "LICENSE": b"mine",
        "again/own.go": b"own",
        "again/shared/a.go": b"a",
        "again/shared/b/b.go": b"b",
        "x/own.go": b"own",
        "x/shared/a.go": b"a",
        "x/shared/b/b.go": b"b",
    }
    assert sorted(each.partition(" ")[0] for each in source.left_out) == [
        "collector/again/shared/c\\d",
        "collector/x/shared/c\\d",
    ]


# Files and links of a repository, and the files that a build has then.
LINKED_FOLDERS: dict[str, tuple[dict[str, bytes | PurePosixPath], Mapping[str, bytes]]] = {
    "a file through a linked folder": (
        {
            "shared/deep/a.go": b"a",
            "collector/x": PurePosixPath("../shared"),
            "collector/b.go": PurePosixPath("x/deep/a.go"),
        },
        {"b.go": b"a", "x/deep/a.go": b"a"},
    ),
    "a link out of a linked folder": (
        {
            "other/a.go": b"a",
            "shared/other": PurePosixPath("../other"),
            "collector/x": PurePosixPath("../shared"),
        },
        {"x/other/a.go": b"a"},
    ),
    "a folder by way of another link": (
        {
            "v2/deep/a.go": b"a",
            "current": PurePosixPath("v2"),
            "collector/x": PurePosixPath("../current/deep"),
        },
        {"x/a.go": b"a"},
    ),
    "two folders that link to each other": (
        {
            "collector/a/a.go": b"a",
            "collector/b/b.go": b"b",
            "collector/a/b": PurePosixPath("../b"),
            "collector/b/a": PurePosixPath("../a"),
        },
        {"a/a.go": b"a", "a/b/b.go": b"b", "b/b.go": b"b", "b/a/a.go": b"a"},
    ),
    "a folder that go.mod replaces a module by": (
        {
            "collector/go.mod": b"replace example.com/a v1.0.0 => ../shared/a // mine\n",
            "shared/a/go.mod": b"module example.com/a\n",
            "shared/a/LICENSE": PurePosixPath("../../LICENSE"),
            "shared/b/b.go": b"b",
            "LICENSE": b"mine",
        },
        {
            "go.mod": b"replace example.com/a v1.0.0 => ../shared/a // mine\n",
            "../shared/a/go.mod": b"module example.com/a\n",
            "../shared/a/LICENSE": b"mine",
        },
    ),
    "the repository that go.mod replaces a module by": (
        {
            "collector/go.mod": b"replace (\n\texample.com/a => ..\n)\n",
            "collector/in/a.go": b"in",
            "go.mod": b"module example.com/a\n",
            "b/b.go": b"b",
        },
        {
            "go.mod": b"replace (\n\texample.com/a => ..\n)\n",
            "in/a.go": b"in",
            "../go.mod": b"module example.com/a\n",
            "../b/b.go": b"b",
        },
    ),
    "a replacement outside of the repository": (
        {"collector/go.mod": b"replace example.com/a => ../../elsewhere\n", "b/b.go": b"b"},
        {"go.mod": b"replace example.com/a => ../../elsewhere\n"},
    ),
}


@pytest.mark.parametrize("name", LINKED_FOLDERS)
def test_what_a_build_needs_of_the_repository_is_taken_and_no_more(
    new: Path, cache: Path, tmp_path: Path, name: str
) -> None:
    repository, expected = LINKED_FOLDERS[name]
    sha = commit(new, repository)
    git(new, "worktree", "add", "--quiet", "--detach", str(tmp_path / "plain"), sha)
    (tmp_path / "plain" / ".git").unlink()
    for given in (new, new, tmp_path / "plain"):  # fetched, from the cache, as it lies there
        assert fetch(given, "main", cache).files == expected


@pytest.mark.parametrize(
    "target",
    ["../../../../etc/passwd", "/etc/passwd", "/real.txt", "absent", "../absent", "link", "b", "."],
)
def test_any_other_link_is_left_out(new: Path, cache: Path, target: str) -> None:
    links = {"collector/link": PurePosixPath(target), "collector/b": PurePosixPath("link")}
    commit(new, {"README.md": b"", "collector/real.txt": b"real", **links})
    for _ in ("fetched", "from the cache"):
        source = fetch(new, "main", cache)
        assert source.files == {"real.txt": b"real"}
        left_out = sorted(each.partition(" ")[0] for each in source.left_out)
        assert left_out == ["collector/b", "collector/link"]


@pytest.mark.parametrize("name", ["a\\b.go", "a\\..\\b", "\udcff.txt"])
def test_a_name_that_no_build_can_have_is_left_out(
    new: Path, tmp_path: Path, cache: Path, name: str
) -> None:
    (new / "collector").mkdir()
    for each in (name, "real.txt"):
        (new / "collector" / each).write_bytes(b"x")
    git(new, "add", "--all")
    git(new, "commit", "--quiet", "--message", "x")
    shutil.copytree(new / "collector", tmp_path / "plain" / "collector")
    for given in (new, tmp_path / "plain"):
        source = fetch(given, "main", cache)
        assert source.files == {"real.txt": b"x"}
        assert len(source.left_out) == 1
        assert source.left_out[0].isascii()


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
    new: Path, cache: Path, files: Mapping[str, bytes | PurePosixPath]
) -> None:
    commit(new, files)
    error = refused(new, "main", cache)
    assert "no folder collector/" in str(error)
    assert "shape of open-telemetry/opentelemetry-lambda" in error.hint
    assert kept(cache) == []


def signed(path: Path, sha: str) -> str:
    """Main's commit with a signature of an unknown key, as forges put on merges."""
    tree = git(path, "rev-parse", f"{sha}^{{tree}}")
    who = "ocelot <ocelot@localhost> 1700000000 +0000"
    armour = "-----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    body = f"tree {tree}\nauthor {who}\ncommitter {who}\ngpgsig {armour}\n\nsigned\n"
    made = store_commit(path, body.encode())
    git(path, "update-ref", "refs/heads/main", made)
    return made


# --- the cache ---


@pytest.mark.parametrize(
    ("length", "asked"), [(None, LS_REMOTE), (8, LS_REMOTE), (40, ())], ids=["branch", "8", "40"]
)
def test_a_ref_fetched_before_is_requested_at_most_once(
    server: GitServer,
    url: str,
    example: Upstream,
    cache: Path,
    length: int | None,
    asked: tuple[Kind, ...],
) -> None:
    ref = example.commits["third"][:length] if length else "main"
    first = fetch(url, ref, cache)
    server.log.clear()
    assert fetch(url, ref, cache) == first
    assert tuple(server.log) == asked


def test_a_full_sha_needs_no_ls_remote_even_the_first_time(
    server: GitServer, url: str, example: Upstream, cache: Path
) -> None:
    fetch(url, example.commits["third"], cache)
    assert server.log == ["discover", "fetch"]


@pytest.mark.parametrize("length", [None, 8], ids=["branch", "short SHA"])
def test_a_commit_younger_than_the_cache_is_found(
    new: Path, cache: Path, length: int | None
) -> None:
    first = commit(new, in_collector(COLLECTOR))
    assert fetch(new, first[:length] if length else "main", cache).commit == first
    second = commit(new, {"collector/main.go": b"package main\n"}, start=first)
    assert fetch(new, second[:length] if length else "main", cache).commit == second


def test_a_short_sha_is_found_after_a_branch_became_a_folder_of_branches(
    new: Path, cache: Path
) -> None:
    first = commit(new, in_collector(COLLECTOR), branch="a")
    fetch(new, first[:8], cache)
    git(new, "branch", "-D", "a")
    second = commit(new, in_collector({"main.go": b""}), branch="a/b")
    assert fetch(new, second[:8], cache).commit == second


def test_a_cache_of_nothing_but_garbage_is_made_again(new: Path, cache: Path) -> None:
    first = commit(new, in_collector(COLLECTOR))
    fetch(new, first[:8], cache)
    second = commit(new, {"collector/main.go": b"package main\n"}, start=first)
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.chmod(0o644)
        path.write_bytes(b"\xffgarbage\n")
    assert [fetch(new, sha[:8], cache).commit for sha in (first, second)] == [first, second]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


# What becomes of an entry's tar.
BROKEN_TARS: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": lambda content: content[:1000],
    "a flipped bit": _flipped,
    "grown": lambda content: content + b"\0",
    "empty": lambda _content: b"",
    "gone": lambda _content: None,
}
# What becomes of its record; DIGEST stands for the tar's.
BROKEN_RECORDS: tuple[bytes | None, ...] = (
    None,
    b"",
    b"\xff\xfe\0{",
    b'{"sha256": "DIG',
    b"null",
    b'["sha256", "committed"]',
    b"1",
    b'{"version": 2, "sha256": "DIGEST"}',
    b'{"version": 2, "sha256": "DIGEST", "committed": "x"}',
    b'{"version": 2, "sha256": "DIGEST", "committed": null}',
    b'{"version": 2, "sha256": "DIGEST", "committed": Infinity}',
    b'{"version": 2, "sha256": "../../x", "committed": 0}',
    b'{"version": 2, "sha256": ["DIGEST"], "committed": 0}',
    b'{"sha256": "DIGEST", "committed": 0}',  # of an earlier version of ocelot
    b"[" * 100_000,
)
RECORD = b'{"version": 2, "sha256": "DIGEST", "committed": 0}'


@pytest.fixture(scope="module")
def filled(example: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds main."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    fetch(example.path, example.commits["main"], folder)
    return folder


def change_entry(cache: Path, sha: str, tar: bytes | None, record: bytes | None) -> None:
    """Put other files into an entry's place; None for none."""
    digest = hashlib.sha256(tar or b"").hexdigest().encode()
    record_json = None if record is None else record.replace(b"DIGEST", digest)
    for suffix, content in (("tar", tar), ("json", record_json)):
        path = cache / "upstream" / f"{sha}.{suffix}"
        path.unlink()
        if content is not None:
            path.write_bytes(content)


def same_again(example: Upstream, cache: Path, filled: Path) -> bool:
    """True if a fetch of main finds its files, and leaves the cache as it was filled."""
    sha = example.commits["main"]
    assert fetch(example.path, sha, cache).files == OF_MAIN
    pairs = [[folder / "upstream" / name for folder in (cache, filled)] for name in entry(sha)]
    return all(mine.read_bytes() == theirs.read_bytes() for mine, theirs in pairs)


@pytest.mark.parametrize("name", BROKEN_TARS)
def test_an_entry_with_a_broken_tar_is_fetched_again(
    example: Upstream, filled: Path, cache: Path, name: str
) -> None:
    record, tar = (filled / "upstream" / each for each in entry(example.commits["main"]))
    shutil.copytree(filled, cache)
    broken = BROKEN_TARS[name](tar.read_bytes())
    change_entry(cache, example.commits["main"], broken, record.read_bytes())
    assert same_again(example, cache, filled)


@pytest.mark.parametrize(
    ("content", "record"),
    [
        *((None, record) for record in BROKEN_RECORDS),
        (b"no tar at all", RECORD),  # though its sum is right
        (b"x" * 2048, RECORD),
    ],
)
def test_an_entry_with_a_broken_record_or_no_tar_is_fetched_again(
    example: Upstream, filled: Path, cache: Path, content: bytes | None, record: bytes | None
) -> None:
    _, tar = (filled / "upstream" / each for each in entry(example.commits["main"]))
    shutil.copytree(filled, cache)
    change_entry(cache, example.commits["main"], content or tar.read_bytes(), record)
    assert same_again(example, cache, filled)


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../x", tarfile.REGTYPE, ""),
        ("/etc/x", tarfile.REGTYPE, ""),
        ("collector/../../x", tarfile.REGTYPE, ""),
        ("collector/x", tarfile.LNKTYPE, "/etc/passwd"),
        ("collector/x", tarfile.FIFOTYPE, ""),
        ("collector/x", tarfile.CHRTYPE, ""),
    ],
)
def test_a_forged_entry_that_leads_out_is_refused(
    example: Upstream, filled: Path, cache: Path, name: str, kind: bytes, target: str
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(member)
    shutil.copytree(filled, cache)
    change_entry(cache, example.commits["main"], stream.getvalue(), RECORD)
    refused(example.path, example.commits["main"], cache)


# --- two at once ---


def test_two_fetches_of_one_program_leave_one_good_entry(
    server: GitServer, url: str, example: Upstream, cache: Path
) -> None:
    server.gathering = threading.Barrier(2)
    one, other = fetch_both(url, "main", cache)
    sha = example.commits["main"]
    assert one.files == other.files == OF_MAIN
    assert kept(cache) == entry(sha)
    server.log.clear()
    assert fetch(url, sha, cache).files == OF_MAIN
    assert server.log == []


def test_two_programs_leave_one_good_entry(
    server: GitServer, url: str, example: Upstream, cache: Path
) -> None:
    server.gathering = threading.Barrier(2)
    command = [sys.executable, "-c", PROGRAM, url, str(cache)]
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        assert (one.wait(9), other.wait(9)) == (0, 0)
    assert server.log.count("fetch") == 2
    assert kept(cache) == entry(example.commits["main"])
    assert fetch(url, example.commits["main"], cache).files == OF_MAIN


def test_two_short_shas_are_looked_up_side_by_side(
    server: GitServer, url: str, example: Upstream, cache: Path
) -> None:
    server.gathering = threading.Barrier(2)
    sources = fetch_both(url, example.commits["third"][:8], cache)
    assert {source.commit for source in sources} == {example.commits["third"]}


PROGRAM = """
import sys, anyio
from pathlib import Path
from pipeline.build.upstream import HostUpstream, read_upstream, upstream_repository

async def run():
    origin = upstream_repository(sys.argv[1], sample=Path())
    with anyio.fail_after(8):
        upstream = HostUpstream(origin=origin, ref="main", cache=Path(sys.argv[2]))
        await read_upstream(upstream)

anyio.run(run)
"""


# --- servers ---


@pytest.mark.parametrize("length", [40, 8])
def test_a_server_that_refuses_single_commits_is_read_by_its_branches(
    server: GitServer, url: str, example: Upstream, cache: Path, length: int
) -> None:
    server.single_commits = False
    source = fetch(url, example.commits["third"][:length], cache)
    assert source.commit == example.commits["third"]
    assert source.files == {**COLLECTOR, "config.yaml": b"third: {}\n"}


def test_a_server_that_filters_hands_out_no_file_for_a_short_sha(new: Path, cache: Path) -> None:
    git(new, "config", "uploadpack.allowFilter", "true")
    sha = commit(new, in_collector({"large": os.urandom(1_000_000)}))
    tip = commit(new, in_collector({"small": b""}), branch="small")
    with GitServer(root=new.parent) as server:
        assert fetch(server.url(new), tip[:8], cache).commit == tip
    assert sha != tip
    assert sum(file.stat().st_size for file in cache.rglob("*")) < 500_000


def test_a_users_proxy_gets_the_request(
    server: GitServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{server.host}")
    assert fetch("http://git.invalid/upstream", "main", cache).files == OF_MAIN


@pytest.mark.parametrize("ref", ["main", NO_COMMIT])
def test_a_dead_proxy_is_reported_with_the_ways_on(
    url: str, cache: Path, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{dead.getsockname()[1]}")
        error = refused(url, ref, cache)
    assert names_ways_on(error)
    assert "from 127.0.0.1" in str(error)
    assert "Failed to connect" in details(error)


def test_a_repository_that_the_server_lacks_is_reported(server: GitServer, cache: Path) -> None:
    error = refused(f"http://{server.host}/absent", "main", cache)
    assert "not found" in details(error)


def test_a_server_out_of_service_is_reported(server: GitServer, url: str, cache: Path) -> None:
    server.faults["discover"] = "unavailable"
    error = refused(url, "main", cache)
    assert "503" in details(error)
    assert names_ways_on(error)


@pytest.mark.parametrize(("fault", "length"), [("unavailable", 0), ("cut", 0), ("cut", 8)])
def test_a_fetch_that_breaks_leaves_nothing_and_the_next_one_works(
    server: GitServer, url: str, example: Upstream, cache: Path, fault: Fault, length: int
) -> None:
    ref = example.commits["main"][:length] or "main"
    server.faults["fetch"] = fault
    refused(url, ref, cache)
    assert kept(cache) == []
    server.faults.clear()
    assert fetch(url, ref, cache).files == OF_MAIN


def test_a_server_that_says_nothing_is_given_up(
    server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_git, "QUICK_SECONDS", 1)
    server.faults["discover"] = "stall"
    error = refused(url, "main", cache)
    assert "did not answer within 1 seconds" in str(error)
    assert names_ways_on(error)
    assert left_running(server.host) == []


def test_a_fetch_that_stalls_is_given_up_once_and_for_all(
    server: GitServer, url: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_commits, "FETCH_SECONDS", 1)
    server.faults["fetch"] = "stall"
    assert "did not answer within 1 seconds" in str(refused(url, "main", cache))
    assert kept(cache) == []
    assert server.log.count("fetch") == 1


def test_cancellation_leaves_no_folder_and_no_git(
    server: GitServer, url: str, example: Upstream, cache: Path
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
    assert left_running(server.host, str(cache)) == []


# --- a private repository ---


@pytest.fixture
def private(server: GitServer, url: str) -> str:
    """The URL of a repository that asks for credentials."""
    server.credentials = ("somebody", SECRET)
    return url


@pytest.mark.parametrize("ref", ["main", NO_COMMIT])
def test_without_credentials_nothing_prompts_and_the_helper_is_named(
    server: GitServer, private: str, cache: Path, ref: str
) -> None:
    error = refused(private, ref, cache)
    assert "credential helper" in error.hint
    assert "could not read Username" in details(error)
    assert set(server.log) == {"discover"}


def test_gits_own_credential_helper_is_used_and_the_secret_is_not_kept(
    server: GitServer,
    private: str,
    example: Upstream,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_stored_credentials(monkeypatch, cache.parent, f"somebody:{SECRET}@{server.host}")
    assert fetch(private, "main", cache).files == OF_MAIN
    fetch(private, example.commits["third"][:8], cache)
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_wrong_credentials_are_reported_and_not_repeated(
    server: GitServer, private: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stored_credentials(monkeypatch, cache.parent, f"somebody:not-{SECRET}@{server.host}")
    error = refused(private, "main", cache)
    assert SECRET not in f"{error} {error.hint} {error.details}"


def use_stored_credentials(monkeypatch: pytest.MonkeyPatch, folder: Path, entry: str) -> None:
    """Git's `store` helper with one line, as a user has it."""
    file = folder / "credentials"
    file.write_text(f"http://{entry}\n")
    configure(monkeypatch, folder, f"credential.helper=store --file '{file}'")


# --- a folder that git knows nothing of ---


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    root = tmp_path / "plain"
    files.write_tree(root, {**in_collector(COLLECTOR), "README.md": b""})
    return root


def test_a_plain_folder_is_read_as_it_is(plain: Path, cache: Path) -> None:
    source = fetch(plain, "main", cache)
    assert (source.files, source.committed) == (COLLECTOR, 0)
    assert not cache.exists()


def test_its_commit_is_a_digest_of_the_collectors_content(plain: Path, cache: Path) -> None:
    commits = [fetch(plain, "main", cache).commit]
    (plain / "README.md").write_text("changed")
    commits.append(fetch(plain, "main", cache).commit)
    (plain / "collector" / "go.mod").write_text("module other\n")
    commits.append(fetch(plain, "main", cache).commit)
    (plain / "collector" / "go.mod").rename(plain / "collector" / "go.sum")
    commits.append(fetch(plain, "main", cache).commit)
    assert all(re.fullmatch("[0-9a-f]{40}", sha) for sha in commits)
    assert commits[0] == commits[1]
    assert len(set(commits)) == 3


def test_a_link_inside_it_is_followed(plain: Path, cache: Path) -> None:
    (plain / "collector" / "link").symlink_to("go.mod")
    assert fetch(plain, "main", cache).files["link"] == COLLECTOR["go.mod"]


def test_links_in_it_to_what_lies_beside_the_collector_are_followed(
    plain: Path, cache: Path
) -> None:
    files.write_tree(plain / "shared", {"a.go": b"a"})
    (plain / "collector" / "README.md").symlink_to("../README.md")
    (plain / "collector" / "shared").symlink_to("../shared")
    assert fetch(plain, "main", cache).files == {
        **COLLECTOR,
        "README.md": b"",
        "shared/a.go": b"a",
    }


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "..", ".", "absent", "link"])
def test_any_other_link_in_it_is_left_out(plain: Path, cache: Path, target: str) -> None:
    (plain / "collector" / "link").symlink_to(target)
    source = fetch(plain, "main", cache)
    assert source.files == COLLECTOR
    assert [each.partition(" ")[0] for each in source.left_out] == ["collector/link"]


def test_a_folder_without_the_collector_is_refused(tmp_path: Path) -> None:
    assert "has no folder collector/" in str(refused(tmp_path, "main", tmp_path / "cache"))


def test_the_sample_is_of_upstreams_shape(cache: Path) -> None:
    source = fetch("sample", "main", cache)
    assert b"go.opentelemetry.io/collector/otelcol v0.155.0" in source.files["go.mod"]
    assert any(name.startswith("lambdacomponents/") for name in source.files)
    assert source.commit == fetch(SAMPLE, "main", cache).commit


def test_a_missing_sample_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SAMPLE", tmp_path)
    assert "comes with a checkout" in str(refused("sample", "main", tmp_path))


# --- where git runs ---


@pytest.mark.parametrize("ref", ["main", "third"])
def test_a_git_hooks_environment_plays_no_part(
    example: Upstream, cache: Path, tmp_path: Path, ref: str, monkeypatch: pytest.MonkeyPatch
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


def test_git_that_is_missing_is_reported(
    example: Upstream, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match="git is not installed"):
        fetch(example.path, "main", cache)


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
