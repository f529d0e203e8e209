"""The source of a release: real git, real repositories over HTTP, by ssh and on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath

import anyio
import pytest
from gitserver import GitServer, commit, git, new_repository
from loopback import Quiet, serving

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.parameters import (
    BuildParameters,
    DockerBuild,
    ReactBuild,
    component_ref,
)
from pipeline.gitops.source import (
    SourceCheckout,
    SourceCommit,
    check_paths,
    checkout,
    local_commit,
    resolve_commit,
)

TOKEN = "ghs_readSource"
TIME = 1_700_000_000
FILES: dict[str, bytes | PurePosixPath] = {
    "catalog/Dockerfile": b"FROM scratch\n",
    "catalog/workload.yaml": b"kind: Workload\r\n",
    'catalog/odd "name" \\ \t é.txt': b"x",
    "catalog/model.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "link": PurePosixPath("catalog"),
    "outside": PurePosixPath("../../etc"),
    ".gitattributes": b"* text=auto eol=lf ident export-ignore filter=lfs\n",
    "hidden/.env": b"A=1\n",
}


@pytest.fixture(autouse=True)
def _plain_git(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of the machine's settings."""
    for name in os.environ:
        if name.startswith(("GIT_", "OCELOT_GIT", "SSH_ASKPASS")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with two commits on main, one on another branch, and tags."""
    made = new_repository(tmp_path / "served" / "shop")
    first = commit(made, FILES, time=TIME)
    commit(made, {"README.md": b"# Shop\n"}, start=first, time=TIME + 1)
    commit(made, {"fix.txt": b"x"}, branch="fix/one", start=first, time=TIME + 2)
    git(made, "tag", "light", first)
    git(made, "tag", "--annotate", "--message", "v1", "v1", first)
    return made


@pytest.fixture
def server(shop: Path) -> Generator[GitServer]:
    with GitServer(root=shop.parent) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def resolved(url: str, cache: Path, commit: str = "", branch: str = "main") -> SourceCommit:
    return anyio.run(partial(resolve_commit, url, branch=branch, commit=commit, cache=cache))


def checked_out(url: str, commit: SourceCommit, folder: Path) -> SourceCheckout:
    return anyio.run(checkout, url, commit, folder)


def local(folder: Path, commit: str = "") -> SourceCommit:
    return anyio.run(local_commit, folder, commit)


def tree(folder: Path) -> dict[str, bytes | PurePosixPath]:
    """Files and links below a folder."""
    found: dict[str, bytes | PurePosixPath] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = PurePosixPath(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("single_commits", [True, False])
def test_a_commit_is_a_sha_a_tag_a_branch_or_the_branchs_newest(
    server: GitServer, shop: Path, cache: Path, *, single_commits: bool
) -> None:
    server.single_commits = single_commits
    url = server.url(shop)
    first, main = git(shop, "rev-parse", "light"), git(shop, "rev-parse", "main")
    fix = git(shop, "rev-parse", "fix/one")
    for given in (first, first.upper(), first[:8], "light", "v1", git(shop, "rev-parse", "v1")):
        assert resolved(url, cache, given) == SourceCommit(sha=first, committed=TIME)
    assert resolved(url, cache) == SourceCommit(sha=main, committed=TIME + 1)
    assert resolved(url, cache, branch="fix/one") == SourceCommit(sha=fix, committed=TIME + 2)
    assert resolved(url, cache, "fix/one").sha == fix


def test_a_branch_is_no_tag(server: GitServer, shop: Path, cache: Path) -> None:
    git(shop, "tag", "main", "light")
    url = server.url(shop)
    assert resolved(url, cache).sha == git(shop, "rev-parse", "refs/heads/main")
    with pytest.raises(GitOpsError, match="has no branch 'v1'"):
        resolved(url, cache, branch="v1")


@pytest.mark.parametrize(
    ("given", "hint"),
    [("v2", "--commit"), ("fex/one", "--commit"), ("0" * 40, "SHA"), ("0" * 7, "")],
)
def test_a_commit_that_is_not_there_is_an_error(
    server: GitServer, shop: Path, cache: Path, given: str, hint: str
) -> None:
    with pytest.raises(GitOpsError) as caught:
        resolved(server.url(shop), cache, given)
    assert hint in caught.value.hint


def test_a_private_repository_is_read_with_a_token(
    server: GitServer, shop: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.credentials = ("x-access-token", TOKEN)
    url = server.url(shop)
    with pytest.raises(GitOpsError) as caught:
        resolved(url, cache)
    assert "set OCELOT_GIT_TOKEN" in caught.value.hint
    monkeypatch.setenv("OCELOT_GIT_TOKEN", "ghs_another")
    with pytest.raises(GitOpsError) as caught:
        resolved(url, cache)
    assert "may read" in caught.value.hint
    assert "ghs_another" not in caught.value.text()
    monkeypatch.setenv("OCELOT_GIT_TOKEN", TOKEN)
    found = checked_out(url, resolved(url, cache, "v1"), tmp_path / "out")
    assert (found.folder / "catalog/Dockerfile").is_file()
    kept = [path for path in (*cache.rglob("*"), *found.folder.rglob("*")) if path.is_file()]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_a_missing_repository_is_an_error(server: GitServer, shop: Path, cache: Path) -> None:
    with pytest.raises(GitOpsError):
        resolved(server.url(shop) + "x", cache)


def test_a_moved_repository_is_followed(server: GitServer, shop: Path, cache: Path) -> None:
    class Moved(Quiet):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", server.url(shop) + self.path.removeprefix("/old"))
            self.send_header("Content-Length", "0")
            self.end_headers()

    handler: type[BaseHTTPRequestHandler] = Moved
    with serving(handler) as host:
        assert resolved(f"http://{host}/old", cache, "v1").committed == TIME


def test_a_server_that_fails_once_is_asked_again(
    server: GitServer, shop: Path, cache: Path
) -> None:
    server.faults["list"], server.times["list"] = "unavailable", 1
    assert resolved(server.url(shop), cache, "v1").committed == TIME


def test_ssh_is_the_users_own(
    shop: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/log\nexec git-upload-pack {shop}\n')
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{git(shop, '--exec-path')}")
    for url in ("git@git.example.test:acme/shop.git", "ssh://git@git.example.test/acme/shop.git"):
        assert resolved(url, cache, "v1").committed == TIME
    assert "git@git.example.test" in (tmp_path / "log").read_text()


def test_a_checkout_has_the_files_as_git_stores_them(
    server: GitServer, shop: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "filter.lfs.smudge")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {tmp_path}/ran; cat")
    root = git(shop, "ls-tree", "light") + f"\n160000 commit {'1' * 40}\tmodule\n"
    blob = git(shop, "rev-parse", "light:hidden/.env")
    root += f"100755 blob {blob}\trun.sh\n"
    head = git(shop, "commit-tree", git(shop, "mktree", "--missing", data=root.encode()), "-mm")
    git(shop, "update-ref", "refs/heads/main", head)
    url = server.url(shop)
    found = checked_out(url, resolved(url, cache), tmp_path / "out")
    assert tree(found.folder) == FILES | {"run.sh": b"A=1\n"}
    assert (found.commit, found.submodules) == (head, ("module",))
    assert found.pointers == ("catalog/model.bin",)
    modes = {
        name: stat.S_IMODE((found.folder / name).stat().st_mode)
        for name in ("run.sh", ".gitattributes")
    }
    assert modes == {"run.sh": 0o755, ".gitattributes": 0o644}
    assert {path.lstat().st_mtime for path in found.folder.rglob("*")} == {TIME}
    assert not (tmp_path / "ran").exists()


def crafted(shop: Path, *rows: tuple[str, str, bytes, str]) -> str:
    """A commit on main whose root tree has these rows of mode, kind, content and name."""
    raw = b""
    for mode, kind, content, name in rows:
        sha = git(shop, "hash-object", "-w", "--literally", "-t", kind, "--stdin", data=content)
        raw += f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha)
    root = git(shop, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", data=raw)
    made = git(shop, "commit-tree", root, "-m", "crafted")
    git(shop, "update-ref", "refs/heads/main", made)
    return made


def test_no_tree_writes_outside_its_folder(
    server: GitServer, shop: Path, cache: Path, tmp_path: Path
) -> None:
    blob = bytes.fromhex(git(shop, "hash-object", "-w", "--stdin", data=b"x"))
    inner = b"100644 b\0" + blob
    link = ("120000", "blob", str(tmp_path / "target").encode(), "a")
    (tmp_path / "target").mkdir()
    url = server.url(shop)
    rows = (
        (link, ("40000", "tree", inner, "a")),
        (("40000", "tree", inner, ".git"),),
        (("40000", "tree", inner, ".GIT"),),
        (("40000", "tree", inner, ".."),),
    )
    for at, each in enumerate(rows):
        crafted(shop, *each)
        with pytest.raises(GitOpsError):
            checked_out(url, resolved(url, cache), tmp_path / f"out{at}")
        assert not list((tmp_path / "target").iterdir())
        assert not (tmp_path / "b").exists()


def test_a_local_checkout_gives_its_commit_and_its_files(shop: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    git(tmp_path, "clone", "--quiet", "--depth=1", shop.as_uri(), str(work))
    (work / ".git/info/exclude").write_text("*.log\n")
    (work / "left.log").write_text("x")
    head = git(shop, "rev-parse", "main")
    found = local(work / "catalog", head[:10])
    assert found == SourceCommit(sha=head, committed=TIME + 1, folder=work)
    made = checked_out("https://git.example.test/acme/shop.git", found, tmp_path / "out")
    assert tree(made.folder) == FILES | {"README.md": b"# Shop\n"}
    assert (made.url, made.commit) == ("https://git.example.test/acme/shop.git", head)


@pytest.mark.parametrize("change", ["new.txt", "README.md"])
def test_a_local_checkout_with_changes_is_refused(shop: Path, tmp_path: Path, change: str) -> None:
    work = tmp_path / "work"
    git(tmp_path, "clone", "--quiet", shop.as_uri(), str(work))
    (work / change).write_text("changed")
    with pytest.raises(UsageError) as caught:
        local(work)
    assert change in "".join(caught.value.details)


def test_a_local_checkout_must_be_one_and_at_the_commit_that_is_named(
    shop: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    git(tmp_path, "clone", "--quiet", shop.as_uri(), str(work))
    with pytest.raises(UsageError, match="light"):
        local(work, "light")
    with pytest.raises(UsageError):
        local(work, "0" * 40)
    (tmp_path / "plain").mkdir()
    for folder in (tmp_path / "plain", tmp_path / "none", new_repository(tmp_path / "empty")):
        with pytest.raises(UsageError, match=folder.name):
            local(folder)


def parameters(app_path: str, build: DockerBuild | ReactBuild) -> BuildParameters:
    return BuildParameters(
        name=component_ref("shop/catalog", "demo"),
        workflow="",
        repository_url="",
        branch="",
        commit="",
        app_path=app_path,
        descriptor="workload.yaml",
        descriptor_is_given=False,
        build=build,
    )


REACT = ReactBuild(node_version="22", build_command="x", output_dir="x")
GOOD = DockerBuild(context="catalog", dockerfile="catalog/Dockerfile")


def test_paths_of_parameters_are_there_and_no_links(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", shop.as_uri(), str(tmp_path / "work"))
    made = checked_out("", local(tmp_path / "work"), tmp_path / "out")
    for app_path in (".", "catalog", "hidden"):
        check_paths(made.folder, parameters(app_path, GOOD))
    wrong = (
        parameters("link", REACT),
        parameters("outside", REACT),
        parameters("catalgo", REACT),
        parameters("README.md", REACT),
        parameters("catalog/Dockerfile/x", REACT),
        parameters(".", DockerBuild(context="link", dockerfile="catalog/Dockerfile")),
        parameters(".", DockerBuild(context=".", dockerfile="link/Dockerfile")),
        parameters(".", DockerBuild(context=".", dockerfile="catalog")),
        parameters(".", DockerBuild(context=".", dockerfile="Dockerfile")),
    )
    for each in wrong:
        with pytest.raises(GitOpsError) as caught:
            check_paths(made.folder, each)
        assert caught.value.hint
