"""Upstream's sources read in one step, for later commands without git and without a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from gitserver import GitServer, Upstream, new_upstream
from runs import CONFIG, Built, Ocelot, run_ocelot

from pipeline import paths
from pipeline.build import git as build_git
from pipeline.build.lock import Locked, read_lock, write_entries
from pipeline.build.recipe import GO_VERSION
from pipeline.build.sources import VARIABLE
from pipeline.build.toolchain import GO_VARIABLE, go_program
from pipeline.errors import LockError, ToolchainError, UpstreamError

TOKEN = "ghp_s3cret"


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return new_upstream(tmp_path / "served" / "upstream")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration, without the lock."""
    folder = tmp_path / "config"
    shutil.copytree(CONFIG, folder)
    (folder / "ocelot.lock").unlink(missing_ok=True)
    return folder


def locked(url: str, commit: str, ref: str = "main") -> Locked:
    return Locked(
        distribution="minimal",
        repository=url,
        ref=ref,
        commit=commit,
        collector="v0.155.0",
        source_date_epoch=1_700_000_000,
        build_tags=(),
        custom_modules=(),
        overlay="",
        config_file="",
        go=GO_VERSION,
        image="",
        packer="",
        tunings=(),
    )


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def test_a_build_of_gathered_sources_is_the_same(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    arguments = ("-d", "minimal", "-r", "sample")
    read = ocelot("sources", *arguments, "-o", tmp_path / "sources")
    assert read.code == 0, read.err
    sources = {VARIABLE: str(tmp_path / "sources")}
    # the zips come from the cache only if all inputs are the same
    again = ocelot(
        *("build", *arguments, "-o", tmp_path / "dist", "--json"), env=sources, cache=built.cache
    )
    assert again.code == 0, again.err
    assert again.manifest == built.ran.manifest
    assert read.out.split() == [built.ran.manifest["layers"][0]["upstream"]["commit"]]
    assert content(tmp_path / "dist") == content(built.folder)


class TestServedUpstream:
    """Upstream on a server that is no longer reachable when its sources are used."""

    def gather(self, tmp_path: Path, config: Path, *arguments: str | Path) -> list[str]:
        ran = run_ocelot(
            *("sources", *arguments, "--config", config, "-o", tmp_path / "sources"),
            cache=tmp_path / "cache",
            cwd=tmp_path,
        )
        assert ran.code == 0, ran.err
        return ran.out.splitlines()

    def components(self, tmp_path: Path, config: Path, *arguments: str) -> tuple[int, str]:
        """`ocelot components` with an empty PATH, and so without git."""
        ran = run_ocelot(
            *("components", *arguments, "--json", "--config", config),
            cache=tmp_path / "empty",
            cwd=tmp_path,
            env={VARIABLE: str(tmp_path / "sources"), "PATH": str(tmp_path)},
        )
        return ran.code, ran.err

    @pytest.mark.parametrize("ref", ["main", "noted", "feature/one"])
    def test_a_refs_commit_is_read_once_and_used_without_git(
        self, upstream: Upstream, config: Path, tmp_path: Path, ref: str
    ) -> None:
        with GitServer(root=upstream.path.parent) as server:
            arguments = ("-r", server.url(upstream.path), "-b", ref)
            (read,) = self.gather(tmp_path, config, *arguments)
        assert read in upstream.commits.values()
        assert self.components(tmp_path, config, *arguments)[0] == 0

    def test_the_same_commit_gives_the_same_folder(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        path = str(upstream.path)
        self.gather(tmp_path, config, "-r", path, "-d", "minimal")
        first = content(tmp_path / "sources")
        shutil.rmtree(tmp_path / "sources")
        self.gather(tmp_path, config, "-r", path, "-d", "minimal")
        assert content(tmp_path / "sources") == first

    def test_a_locked_commit_is_read_when_the_branch_has_moved_on(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        path, old = str(upstream.path), upstream.commits["third"]
        write_entries(config, locked(path, old))
        read = self.gather(tmp_path, config, "-r", path, "-d", "minimal")
        assert read == [old, f"main is at {upstream.commits['main']}"]
        index = json.loads((tmp_path / "sources" / "sources.json").read_bytes())
        assert [each["commit"] for each in index["refs"]] == [upstream.commits["main"]]

    def test_every_commit_that_a_distribution_needs_is_read(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        path, old = str(upstream.path), upstream.commits["third"]
        write_entries(config, locked(path, old))
        read = self.gather(tmp_path, config, "-r", path)
        assert set(read) == {old, upstream.commits["main"]}

    def test_an_upgrade_ignores_the_lock(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        path = str(upstream.path)
        write_entries(config, locked(path, upstream.commits["third"]))
        read = self.gather(tmp_path, config, "-r", path, "-d", "minimal", "--upgrade")
        assert read == [upstream.commits["main"]]

    def test_a_moved_tag_is_reported_by_the_build(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        path = str(upstream.path)
        write_entries(config, locked(path, upstream.commits["first"], "noted"))
        (read,) = self.gather(tmp_path, config, "-r", path, "-b", "noted", "-d", "minimal")
        assert read == f"noted is at {upstream.commits['second']}"
        ran = run_ocelot(
            *("build", "-r", path, "-b", "noted", "-d", "minimal", "--config", config),
            cache=tmp_path / "empty",
            cwd=tmp_path,
            env={VARIABLE: str(tmp_path / "sources")},
        )
        assert ran.code == LockError.exit_code, ran.err

    def test_the_locked_commit_is_enough_if_the_server_is_unreachable(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        with GitServer(root=upstream.path.parent) as server:
            url = server.url(upstream.path)
            self.gather(tmp_path, config, "-r", url, "-d", "minimal")  # into the cache
        shutil.rmtree(tmp_path / "sources")
        write_entries(config, locked(url, upstream.commits["main"]))
        read = self.gather(tmp_path, config, "-r", url, "-d", "minimal")
        assert read == [upstream.commits["main"]]

    def test_a_ref_that_was_not_read_is_named(
        self, upstream: Upstream, config: Path, tmp_path: Path
    ) -> None:
        self.gather(tmp_path, config, "-r", str(upstream.path))
        code, err = self.components(tmp_path, config, "-r", str(upstream.path), "-b", "light")
        assert code == UpstreamError.exit_code
        assert "light" in err

    def test_a_folder_stands_for_a_repository(self, config: Path, tmp_path: Path) -> None:
        sample = paths.sample_upstream()
        arguments = ("-r", "upstream", "-b", "v1")
        (read,) = self.gather(tmp_path, config, *arguments, "--folder", sample)
        assert len(read) == 40
        assert self.components(tmp_path, config, *arguments)[0] == 0


def test_a_zips_locked_commit_is_gathered_for_verify(upstream: Upstream, tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    path, old = str(upstream.path), upstream.commits["third"]
    entries = tuple(each for each in read_lock(config).locked if each.distribution != "minimal")
    (config / "ocelot.lock").unlink(missing_ok=True)
    write_entries(config, *entries, locked(path, old))
    (tmp_path / "collector-amd64-minimal.zip").write_bytes(b"a zip")
    ran = run_ocelot(
        *("sources", tmp_path / "collector-amd64-minimal.zip", "--config", config),
        cache=tmp_path / "cache",
        cwd=tmp_path,
    )
    assert (ran.code, ran.out.split()) == (0, [old]), ran.err


def credential(url: str, host: str) -> str:
    """Return the credentials that git sends to a host when it reads a URL."""
    done = subprocess.run(
        ["git", "credential", "fill"],
        env={**build_git.environment(url), "GIT_CONFIG_GLOBAL": os.devnull},
        input=f"protocol=https\nhost={host}\n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


class TestGitToken:
    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(build_git.CREDENTIAL_VARIABLE, TOKEN)

    def test_git_sends_the_token_to_the_repositorys_own_host(self) -> None:
        sent = credential("https://git.example.com:8443/a/b", "git.example.com:8443")
        assert f"password={TOKEN}\n" in sent

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("https://git.example.com/a/b", "other.example.com"),
            ("https://git.example.com/a/b", "git.example.com.evil.example"),
            ("ssh://git@git.example.com/a/b", "git.example.com"),
            ("git@git.example.com:a/b", "git.example.com"),
        ],
    )
    def test_no_other_host_gets_it(self, url: str, host: str) -> None:
        assert TOKEN not in credential(url, host)

    def test_no_other_helper_receives_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note = tmp_path / "noted"
        for name, value in {
            "COUNT": "1",
            "KEY_0": "credential.helper",
            "VALUE_0": f"store --file={note}",
        }.items():
            monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
        url = "https://git.example.com/a/b"
        subprocess.run(
            ["git", "credential", "approve"],
            env=build_git.environment(url),
            input=f"protocol=https\nhost=git.example.com\nusername=me\npassword={TOKEN}\n\n",
            text=True,
            check=True,
        )
        assert not note.exists()

    def test_programs_that_do_not_need_it_do_not_get_it(self, tmp_path: Path) -> None:
        assert build_git.CREDENTIAL_VARIABLE not in build_git.environment(str(tmp_path))

    def test_a_shell_does_not_read_the_token(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        touch = f"touch${{IFS}}{tmp_path}/made"  # a token has no blank
        hostile = f'";{touch};$({touch})`{touch}`%s\\n'
        monkeypatch.setenv(build_git.CREDENTIAL_VARIABLE, hostile)
        sent = credential("https://git.example.com/a", "git.example.com")
        assert f"password={hostile}\n" in sent
        assert list(tmp_path.iterdir()) == []


class TestGolangImage:
    """In a container of the golang image, the image's Go is used if it has the pinned version."""

    @pytest.fixture
    def image(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A GOROOT whose `go` is on the PATH."""
        program = tmp_path / "go" / "bin" / "go"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv(GO_VARIABLE, "golang:1@sha256:123")
        return tmp_path / "go"

    def test_its_go_is_used(self, image: Path) -> None:
        (image / "VERSION").write_text(f"go{GO_VERSION}\ntime 2026-01-01T00:00:00Z\n")
        assert go_program() == (image / "bin" / "go").resolve()

    @pytest.mark.parametrize("version", ["go1.2.3", ""])
    def test_another_version_is_refused(self, image: Path, version: str) -> None:
        (image / "VERSION").write_text(version)
        with pytest.raises(ToolchainError) as caught:
            go_program()
        assert GO_VERSION in str(caught.value)
        assert (version or "none") in str(caught.value)
