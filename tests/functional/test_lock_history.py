"""Earlier states of a config folder, read from real repositories, hostile ones too."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import anyio
import pytest
from gitserver import commit, git, new_repository

from pipeline.build.git import UpstreamRepository, run_git
from pipeline.errors import LockError, UpstreamError
from pipeline.files import Tree
from pipeline.reap import history
from pipeline.reap.history import LockHistory, lock_history, past_files

ONE, TWO, COMMIT = "1" * 64, "2" * 64, "c" * 40


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config folder in an empty repository, with a name that git could take for something."""
    folder = new_repository(tmp_path / "repository") / ":(top) -é" / "config"
    folder.mkdir(parents=True)
    return folder


def grow(config: Path, files: dict[str, bytes | PurePosixPath], start: str = "") -> str:
    """Commit files below the config folder."""
    root = config.parents[1]
    prefix = config.relative_to(root)
    time = 1_700_000_000 + int(git(root, "rev-list", "--count", "--all"))
    return commit(
        root, {f'"{prefix / name}"': each for name, each in files.items()}, start=start, time=time
    )


def searched(config: Path, *texts: str) -> LockHistory:
    return anyio.run(lock_history, config, *texts)


def files_at(config: Path, sha: str) -> Tree:
    return anyio.run(past_files, config, sha)


def locks(config: Path, *texts: str) -> list[str]:
    """Commit a lock with each text; return the commits."""
    made: list[str] = []
    for text in texts:
        made.append(grow(config, {"ocelot.lock": text.encode()}, made[-1] if made else ""))
    return made


def test_commits_with_the_digest_are_found_newest_first(config: Path) -> None:
    first, second, _, fourth, _ = locks(config, ONE, f"{ONE} {TWO}", TWO, f"{ONE}\n", "")
    found = searched(config, ONE)
    assert found == LockHistory(commits=(fourth, second, first), searched=5, is_shallow=False)
    assert searched(config, "3" * 64).commits == ()


def test_the_first_text_comes_before_the_second(config: Path) -> None:
    first, second, third = locks(config, ONE, COMMIT, f"{COMMIT} {ONE}")
    assert searched(config, ONE, COMMIT).commits == (third, first, second)


def test_a_commit_that_leaves_the_lock_alone_is_not_searched(config: Path) -> None:
    (first,) = locks(config, ONE)
    grow(config, {"other.yaml": b"x"}, first)
    assert searched(config, ONE) == LockHistory(commits=(first,), searched=1, is_shallow=False)


def test_another_branch_does_not_count(config: Path) -> None:
    locks(config, "")
    root = config.parents[1]
    name = f'"{config.relative_to(root)}/ocelot.lock"'
    commit(root, {name: ONE.encode()}, branch="another")
    assert searched(config, ONE).commits == ()


def test_many_large_locks_are_read_in_batches(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_BATCH", 1000)
    commits = locks(config, *(f"{at} " + "x" * 600 + ONE * (at % 2) for at in range(6)))
    assert searched(config, ONE).commits == tuple(reversed(commits[1::2]))


def test_a_folder_without_a_repository_or_commit_is_named(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError):
        searched(config, ONE)  # no commit yet
    (tmp_path / "plain").mkdir()
    with pytest.raises(UpstreamError):
        searched(tmp_path / "plain", ONE)


def test_the_folder_is_read_as_it_was(config: Path) -> None:
    files: dict[str, bytes | PurePosixPath] = {
        "a.yaml": b"a\r\n",
        "overlay/x.go": b"package x\n",
        "ocelot.lock": ONE.encode(),
        "link": PurePosixPath("overlay/x.go"),
    }
    first = grow(config, files)
    grow(config, {"a.yaml": b"changed"}, first)
    assert files_at(config, first) == {**files, "link": b"package x\n"}
    assert list(config.iterdir()) == []  # nothing was checked out


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "missing"])
def test_a_link_out_of_the_folder_is_refused(config: Path, target: str) -> None:
    made = grow(config, {"link": PurePosixPath(target)})
    with pytest.raises(LockError):
        files_at(config, made)


def test_a_path_out_of_the_folder_is_refused(config: Path) -> None:
    root = config.parents[1]
    blob = git(root, "hash-object", "-w", "--stdin", data=b"evil")
    for name in ("..", *reversed(config.relative_to(root).parts)):
        kind, mode = ("blob", "100644") if name == ".." else ("tree", "040000")
        blob = git(root, "mktree", data=f"{mode} {kind} {blob}\t{name}\n".encode())
    made = git(root, "commit-tree", "-m", "evil", blob)
    with pytest.raises(LockError):
        files_at(config, made)


def test_a_lock_that_is_a_link_or_a_folder_is_not_used(config: Path) -> None:
    first = grow(config, {"ocelot.lock/deep": ONE.encode()})
    second = grow(config, {"ocelot.lock": PurePosixPath(ONE)}, first)
    assert searched(config, ONE).commits == (second,)  # a link's content is its target
    with pytest.raises(LockError):
        files_at(config, second)


def test_no_program_of_the_repository_runs(config: Path, tmp_path: Path) -> None:
    """Hooks, filters, a pager and a signer that the repository names."""
    root, mark = config.parents[1], tmp_path / "ran"
    (made,) = locks(config, ONE)
    made = grow(config, {".gitattributes": b"* filter=evil diff=evil\n"}, made)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    hooks = root / ".git" / "hooks"
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).parent.mkdir(exist_ok=True)
        (hooks / name).symlink_to(program)
    settings = {
        "core.pager": str(program),
        "core.fsmonitor": str(program),
        "gpg.program": str(program),
        "log.showSignature": "true",
        "filter.evil.smudge": str(program),
        "filter.evil.clean": str(program),
        "diff.evil.textconv": str(program),
        "diff.external": str(program),
    }
    for name, value in settings.items():
        git(root, "config", name, value)
    assert searched(config, ONE).searched == 1
    assert files_at(config, made)["ocelot.lock"] == ONE.encode()
    assert not mark.exists()


def test_git_reads_from_standard_input(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "it")
    blob = git(repository, "hash-object", "-w", "--stdin", data=b"x")
    origin = UpstreamRepository(given="it", url=str(repository))

    async def checked() -> bytes:
        arguments = ["-C", str(repository), "cat-file", "--batch-check"]
        return await run_git(origin, arguments, data=f"{blob}\n".encode())

    assert anyio.run(checked) == f"{blob} blob 1\n".encode()
