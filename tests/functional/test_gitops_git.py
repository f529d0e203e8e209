"""The clone of a GitOps repository: real git, real bare repositories over HTTP with a token."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import anyio
import pytest
from gitserver import GitServer, commit, git, new_repository

from pipeline.config.gitops import CommitIdentity
from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.git import WHOLE, Clone, Pushed, cloned
from pipeline.gitops.objects import NewCommit
from pipeline.gitops.remote import Remote, UnansweredError, remote

TOKEN, READER = "ghs_mayPush", "ghs_mayRead"
IDENTITY = CommitIdentity(name="Release Bot", email="bot@example.com")
FILES = {
    "a/plain.yaml": b"kind: A\n",
    "a/crlf.yaml": b"kind: B\r\n",
    'odd/"quoted" name\\with\ttab é.yaml': b"kind: C\n",
    "same.yaml": b"kind: A\n",
    ".gitattributes": b"* text=auto eol=crlf ident\na/** export-ignore\n",
    "empty": b"",
    "binary": bytes(range(256)),
}
Result = TypeVar("Result")


@pytest.fixture
def server(tmp_path: Path) -> Generator[GitServer]:
    credentials, reader = ("x-access-token", TOKEN), ("x-access-token", READER)
    with GitServer(root=tmp_path, credentials=credentials, reader=reader) as server:
        yield server


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A bare repository with links, an executable and a submodule beside `FILES`."""
    made = new_bare(tmp_path / "gitops.git")
    commit(made, {**FILES, "link": PurePosixPath("a/plain.yaml")})
    tree = git(made, "ls-tree", "main").splitlines()
    tree += [
        f"160000 commit {'1' * 40}\tmodule",
        f"100755 blob {git(made, 'rev-parse', 'main:empty')}\trun.sh",
    ]
    root = git(made, "mktree", "--missing", data="\n".join(tree).encode())
    head = git(made, "commit-tree", root, "-p", "main", "-m", "more")
    git(made, "update-ref", "refs/heads/main", head)
    return made


def new_bare(folder: Path, *, object_format: str = "sha1") -> Path:
    folder.mkdir()
    form = f"--object-format={object_format}"
    git(folder, "init", "--quiet", "--bare", form, "--initial-branch=main")
    return folder


def on(
    server: GitServer,
    bare: Path,
    work: Callable[[Clone], Awaitable[Result]],
    *,
    token: str = TOKEN,
    branch: str = "main",
) -> Result:
    """Do work on a clone."""

    async def run() -> Result:
        async with cloned(remote(server.url(bare), token), branch) as clone:
            return await work(clone)

    return anyio.run(run)


async def changed(clone: Clone, changes: dict[str, bytes | None], time: int = 5) -> str:
    """Commit changes of the base."""
    return await clone.commit(
        NewCommit(
            start=await clone.snapshot(clone.base),
            changes=changes,
            message="Release x (1)\n\nProject: é `$(id)`\n",
            parents=(clone.base,),
            identity=IDENTITY,
            time=time,
        )
    )


def test_files_are_read_as_git_stores_them(server: GitServer, bare: Path) -> None:
    async def read(clone: Clone) -> None:
        read = await clone.snapshot(clone.base)
        assert dict(read.files) == {**FILES, "run.sh": b""}
        assert (read.links, read.executables) == (("link",), frozenset({"run.sh"}))

    on(server, bare, read)


def test_a_path_that_is_not_utf_8_is_an_error(server: GitServer, tmp_path: Path) -> None:
    odd = new_bare(tmp_path / "odd.git")
    blob = git(odd, "hash-object", "-w", "--stdin", data=b"x")
    tree = git(odd, "mktree", "-z", data=f"100644 blob {blob}\t".encode() + b"\xff.yaml\0")
    git(odd, "update-ref", "refs/heads/main", git(odd, "commit-tree", tree, "-m", "odd"))
    with pytest.raises(GitOpsError):
        on(server, odd, lambda clone: clone.snapshot(clone.base))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_commit_changes_these_paths_alone(
    server: GitServer, tmp_path: Path, bare: Path, object_format: str
) -> None:
    if object_format == "sha256":
        bare = new_bare(tmp_path / "sha256.git", object_format=object_format)
        commit(bare, FILES)
    changes: dict[str, bytes | None] = {
        "a/plain.yaml": b"kind: A2\r\n",
        "same.yaml": None,
        'new/dir "x"\\/\n.yaml': b"$Id$\n",
        "run.sh": b"#!/bin/sh\n",
    }

    async def push(clone: Clone) -> str:
        sha = await changed(clone, changes)
        assert sha == await changed(clone, changes)
        assert sha != await changed(clone, changes, time=6)
        assert await clone.push(sha, "release/x", None) is Pushed.DONE
        return sha

    sha = on(server, bare, push)
    assert git(bare, "rev-parse", "release/x") == sha
    rows = git(bare, "-c", "core.quotePath=false", "diff", "--raw", "-z", "main", sha).split("\0")
    assert set(rows[1::2]) == set(changes)
    assert git(bare, "show", f"{sha}:a/plain.yaml") == "kind: A2"
    git(bare, "fsck", "--strict", "--no-dangling") if object_format == "sha256" else None
    shown = git(bare, "show", "-s", "--format=%P|%an|%ae|%at|%cn|%ce|%ct|%B", sha)
    parent = git(bare, "rev-parse", "main")
    who = "Release Bot|bot@example.com|5"
    assert shown == f"{parent}|{who}|{who}|Release x (1)\n\nProject: é `$(id)`"
    if object_format == "sha1":
        assert git(bare, "ls-tree", sha, "run.sh", "module", "link").split()[::4] == [
            "120000",
            "160000",
            "100755",
        ]


def test_no_hook_of_the_user_runs_and_no_signature_is_made(
    server: GitServer, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-checkout", "commit-msg"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\n hooksPath = {hooks}\n[commit]\n gpgSign = true\n[push]\n gpgSign = true\n"
        " followTags = true\n[user]\n name = Somebody\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    assert on(server, bare, push) is Pushed.DONE
    assert not (tmp_path / "ran").exists()


def test_a_branch_that_moved_or_came_is_not_overwritten(server: GitServer, bare: Path) -> None:
    async def push(clone: Clone) -> None:
        first, second = await changed(clone, {"x": b"1"}), await changed(clone, {"x": b"2"})
        assert await clone.push(first, "release/x", None) is Pushed.DONE
        assert await clone.push(second, "release/x", None) is Pushed.FORESTALLED
        assert await clone.push(second, "release/x", clone.base) is Pushed.FORESTALLED
        assert git(bare, "rev-parse", "release/x") == first
        assert await clone.push(second, "release/x", first) is Pushed.DONE
        assert git(bare, "rev-parse", "release/x") == second

    on(server, bare, push)


def test_a_push_that_loses_the_race_on_the_server_is_seen(server: GitServer, bare: Path) -> None:
    def other() -> None:
        git(bare, "update-ref", "refs/heads/release/x", "main")

    server.hooks["push"] = other  # after git has seen that there is no such branch

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    assert on(server, bare, push) is Pushed.FORESTALLED
    assert git(bare, "rev-parse", "release/x") == git(bare, "rev-parse", "main")


def test_a_lost_answer_is_looked_up(server: GitServer, bare: Path) -> None:
    server.faults["push"], server.times["push"] = "lost", 1

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    assert on(server, bare, push) is Pushed.DONE
    assert server.log.count("push") == 1


def test_a_push_that_the_server_did_not_take_is_repeated(server: GitServer, bare: Path) -> None:
    server.faults["push"], server.times["push"] = "unavailable", 1

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    assert on(server, bare, push) is Pushed.DONE
    assert server.log.count("push") == 2


def test_a_server_that_stays_away_ends_the_push(server: GitServer, bare: Path) -> None:
    server.faults["push-discover"] = "unavailable"

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    with pytest.raises(UnansweredError):
        on(server, bare, push)


def test_a_read_is_repeated(server: GitServer, bare: Path) -> None:
    server.faults |= {"discover": "unavailable", "fetch": "cut"}
    server.times |= {"discover": 1, "fetch": 1}

    async def look(clone: Clone) -> str:
        return clone.base

    assert on(server, bare, look) == git(bare, "rev-parse", "main")


def test_a_hook_of_the_server_refuses_with_its_own_words(server: GitServer, bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no branches on Friday'\nexit 1\n")
    hook.chmod(0o755)

    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    with pytest.raises(GitOpsError) as caught:
        on(server, bare, push)
    assert any("no branches on Friday" in line for line in caught.value.details)
    assert server.log.count("push") == 1


@pytest.mark.parametrize("token", [READER, "ghs_unknown", ""])
def test_a_token_that_may_not_push_is_told(server: GitServer, bare: Path, token: str) -> None:
    async def push(clone: Clone) -> Pushed:
        return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    with pytest.raises(GitOpsError) as caught:
        on(server, bare, push, token=token)
    assert "OCELOT_GITOPS_TOKEN" in caught.value.hint or "Contents" in caught.value.hint
    text = caught.value.text()
    assert not token or token not in text
    assert server.log.count("push") == 0


def test_the_token_is_nowhere_but_in_the_environment(
    server: GitServer, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in git's place notes its arguments; the clone's files are searched."""
    log = tmp_path / "arguments"
    real = "/usr/bin/git"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    async def push(clone: Clone) -> None:
        await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)
        written = [path for path in temporary.rglob("*") if path.is_file()]
        assert len(written) > 3
        assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []

    on(server, bare, push)
    assert "push" in log.read_text()
    assert TOKEN not in log.read_text()
    assert list(temporary.iterdir()) == []


def test_a_missing_branch_is_told_with_the_nearest_one(server: GitServer, bare: Path) -> None:
    with pytest.raises(GitOpsError, match="meant main"):
        on(server, bare, lambda clone: clone.look(), branch="mian")


def test_an_empty_repository_is_told(server: GitServer, tmp_path: Path) -> None:
    empty = new_bare(tmp_path / "empty.git")
    with pytest.raises(GitOpsError, match="empty"):
        on(server, empty, lambda clone: clone.look())


def test_an_unknown_repository_is_told(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(GitOpsError, match="no GitOps repository"):
        on(server, tmp_path / "unknown.git", lambda clone: clone.look())


def test_the_base_is_followed(server: GitServer, bare: Path) -> None:
    async def follow(clone: Clone) -> bytes:
        commit(bare, {"later.yaml": b"1\n"}, start=clone.base)
        await clone.look()
        return (await clone.snapshot(clone.base)).files["later.yaml"]

    assert on(server, bare, follow) == b"1\n"


class TestMerging:
    @pytest.fixture
    def base(self, bare: Path) -> str:
        return git(bare, "rev-parse", "main")

    async def merged(self, clone: Clone) -> str:
        await clone.fetch("main", "other", depth=WHOLE)
        return await clone.merged(clone.heads["other"], clone.base)

    def test_both_sides_are_kept(self, server: GitServer, bare: Path, base: str) -> None:
        commit(bare, {"theirs.yaml": b"1\n"}, branch="other", start=base)
        commit(bare, {"ours.yaml": b"1\n"}, start=base)
        tree = {"theirs.yaml", "ours.yaml"}

        async def read(clone: Clone) -> set[str]:
            made = await clone.snapshot(await self.merged(clone))
            between = await clone.history(clone.heads["other"], without=clone.base)
            assert [each.sha for each in between] == [clone.heads["other"]]
            assert not await clone.is_ancestor(clone.base, clone.heads["other"])
            assert await clone.is_ancestor(base, clone.heads["other"])
            return set(made.files)

        assert on(server, bare, read) == {*FILES, "run.sh", *tree}

    def test_a_conflict_names_the_file(self, server: GitServer, bare: Path, base: str) -> None:
        commit(bare, {"same.yaml": b"1\n"}, branch="other", start=base)
        commit(bare, {"same.yaml": b"2\n"}, start=base)
        with pytest.raises(GitOpsError) as caught:
            on(server, bare, self.merged)
        assert caught.value.details == ("same.yaml",)


@pytest.mark.parametrize(
    "given",
    [
        "https://me:secret@git.example.com/a/b",
        "https://git.example.com/a/b?token=secret",
        "ext::sh -c id",
        "--upload-pack=id",
        "https://",
        "http://git.example.com/a/b",
        "./not-there",
    ],
)
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        remote(given, TOKEN)
    assert "secret" not in caught.value.text()


@pytest.mark.parametrize(
    ("given", "host", "path"),
    [
        ("acme/gitops", "github.com", "acme/gitops"),
        ("https://github.com/acme/gitops.git", "github.com", "acme/gitops"),
        ("git@github.com:acme/gitops.git", "github.com", "acme/gitops"),
        ("ssh://git@git.example.com:22/a/b/c.git/", "git.example.com", "a/b/c"),
    ],
)
def test_an_address_tells_host_and_path(given: str, host: str, path: str) -> None:
    found = remote(given)
    assert (found.host, found.path) == (host, path)
    assert found.page == f"https://{host}/{path}"


def test_a_repository_of_this_machine_is_used_by_its_path(bare: Path) -> None:
    async def push() -> Pushed:
        async with cloned(remote(str(bare), TOKEN), "main") as clone:
            return await clone.push(await changed(clone, {"x": b"1"}), "release/x", None)

    assert anyio.run(push) is Pushed.DONE
    assert remote(str(bare), TOKEN).token == ""


def test_a_token_is_not_shown() -> None:
    assert TOKEN not in repr(replace(remote("acme/gitops", TOKEN)))
    assert isinstance(remote("acme/gitops"), Remote)


def test_new_repository_of_a_clone_is_bare(tmp_path: Path) -> None:
    """A clone with a work tree on this machine: its checked-out branch is refused by git."""
    work = new_repository(tmp_path / "work")
    commit(work, {"a.yaml": b"1\n"})

    async def push() -> Pushed:
        async with cloned(remote(str(work)), "main") as clone:
            return await clone.push(await changed(clone, {"x": b"1"}), "main", clone.base)

    with pytest.raises(GitOpsError):
        anyio.run(push)
