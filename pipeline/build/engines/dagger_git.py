"""Upstream by a Dagger engine's git, for a module that has no git of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagger
from dagger import dag

from pipeline import progress
from pipeline.build.commits import FOLDER, not_upstream
from pipeline.build.git import Repository, ways_on
from pipeline.build.upstream import FULL_SHA, LANE, Resolved, Source
from pipeline.errors import UpstreamError
from pipeline.files import read_tree


@dataclass(frozen=True, kw_only=True)
class EngineGit:
    """Upstream's sources by the engine's git; see `Upstream`.

    Attributes:
        origin: the repository; its URL is what the engine is given.
        ref: branch, tag or full commit SHA.
        token: the password of a private repository; it stays a secret of the engine's.
        git: an image with git in it, to read a commit's date.
        workspace: an empty folder, where the engine writes for us to read.
    """

    origin: Repository
    ref: str
    git: str
    workspace: Path
    token: dagger.Secret | None = None

    @property
    def given(self) -> str:
        """The repository, as the user typed it."""
        return self.origin.given

    async def resolve(self) -> Resolved:
        """See `Upstream.resolve`."""
        if FULL_SHA.match(self.ref):
            return Resolved(commit=self.ref, kind="commit")
        with progress.step(LANE, f"resolve {self.given} {self.ref}") as step, self._told():
            found = self._git().ref(self.ref)
            commit, name = await found.commit(), await found.ref()
            step.result = commit[:12]
        kind = "tag" if name.startswith("refs/tags/") else "branch"
        return Resolved(commit=commit, kind=kind)

    async def read(self, commit: str) -> Source:
        """See `Upstream.read`."""
        with progress.step(LANE, f"fetch {commit[:12]}") as step, self._told():
            source = await self._source(commit)
            step.result = f"{commit[:12]} fetched"
        return source

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except dagger.DaggerError as error:
            raise UpstreamError(
                f"the engine could not read {self.given} at {self.ref}",
                hint=f"check the name and the ref. {ways_on(self.origin)}; "
                "--git-token for a private one, --upstream for a local checkout",
                details=tuple(str(error).splitlines()),
            ) from error

    def _git(self) -> dagger.GitRepository:
        url = self.origin.url
        return dag.git(url, http_auth_token=self.token) if self.token else dag.git(url)

    async def _source(self, commit: str) -> Source:
        tree = self._git().commit(commit).tree()
        if not await tree.exists(FOLDER):
            raise not_upstream(f"{self.given} at {self.ref} has no folder {FOLDER}/")
        show = ["git", "-c", "safe.directory=*", "show", "-s", "--no-show-signature"]
        dated = dag.container().from_(self.git).with_mounted_directory("/upstream", tree)
        dated = dated.with_workdir("/upstream").with_exec([*show, "--format=%ct", commit])
        folder = self.workspace / f"upstream-{commit}"
        await tree.directory(FOLDER).export(str(folder))
        return Source(
            repository=self.given,
            ref=self.ref,
            commit=commit,
            committed=int(await dated.stdout()),
            files=read_tree(folder),
        )
