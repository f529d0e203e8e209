"""A GitOps repository on a real git server, with the stand-in of GitHub for its pull requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
from github_pulls import PullRequest, PullRequests
from github_server import TOKEN, GitHubServer
from gitserver import GitServer, commit, git

from pipeline.config.gitops import CommitIdentity
from pipeline.gitops.delivery import Delivered, DeliveryTarget, Proposal, deliver
from pipeline.gitops.manifests import Change
from pipeline.gitops.remote import remote
from pipeline.gitops.repository import GitOpsRepository
from pipeline.gitops.texts import DeliveryTexts, ReleasedCommit

IDENTITY = CommitIdentity(name="Release Bot", email="bot@example.com")
KEY, PREFIX = "release demo/shop/catalog development", "release/catalog-"
WORKLOAD, RELEASES = "apps/catalog/workload.yaml", "apps/catalog/releases"
FIRST = ReleasedCommit(sha="1" * 40, time=1_000)
SECOND = ReleasedCommit(sha="2" * 40, time=2_000)


@dataclass
class Place:
    """A bare repository `acme/gitops`, its server, and its GitHub."""

    bare: Path
    server: GitServer
    github: GitHubServer

    @property
    def pulls(self) -> PullRequests:
        return self.github.repository.pulls

    @property
    def branches(self) -> list[str]:
        """The branches besides main."""
        names = git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads")
        return [each for each in names.split() if each != "main"]

    def sha(self, branch: str = "main") -> str:
        return git(self.bare, "rev-parse", f"refs/heads/{branch}")

    def text(self, path: str, branch: str) -> str:
        return git(self.bare, "show", f"{branch}:{path}")

    def files(self, branch: str = "main") -> list[str]:
        return git(self.bare, "ls-tree", "-r", "--name-only", branch).splitlines()

    def add(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Commit as somebody else."""
        return commit(self.bare, files, branch=branch, start=self.sha(branch))

    def merge(self, pull_request: PullRequest, *, squash: bool = False) -> None:
        """Merge a pull request, and leave its branch."""
        base, head = self.sha(), self.sha(pull_request.head)
        tree = git(self.bare, "merge-tree", "--write-tree", base, head)
        parents = ["-p", base, *([] if squash else ["-p", head])]
        merged = git(self.bare, "commit-tree", tree, *parents, "-m", "merged")
        git(self.bare, "update-ref", "refs/heads/main", merged)
        pull_request.state, pull_request.merged = "closed", True

    def target(self, **more: object) -> DeliveryTarget:
        made = DeliveryTarget(
            remote=remote(self.server.url(self.bare), TOKEN),
            branch="main",
            identity=IDENTITY,
            api_url=self.github.url,
        )
        return replace(made, **more)  # pyright: ignore[reportArgumentType]

    def deliver(
        self, source: ReleasedCommit = FIRST, *, key: str = KEY, **more: object
    ) -> Delivered[str]:
        return anyio.run(deliver, self.target(**more), key, PREFIX, release_of(source))


def release_of(
    source: ReleasedCommit,
) -> Callable[[GitOpsRepository], Awaitable[Proposal[str]]]:
    """Propose files as a release writes them, without occ."""
    name = f"catalog-{source.sha[:8]}"
    wanted = {
        WORKLOAD: f"image: {source.sha}\n".encode(),
        f"{RELEASES}/{name}.yaml": f"release: {source.sha}\n".encode(),
    }

    async def propose(repository: GitOpsRepository) -> Proposal[str]:
        changes = [
            Change(path=path, before=repository.files.get(path), after=content)
            for path, content in wanted.items()
            if repository.files.get(path) != content
        ]
        texts = DeliveryTexts(
            subject=f"Release catalog ({source.sha[:8]})",
            facts=(("Project", "shop"), ("Image", "r/`$(id)`@sha256:1")),
        )
        return Proposal(changes=tuple(changes), texts=texts, result=name, source=source)

    return propose


@contextmanager
def place(folder: Path) -> Generator[Place]:
    """A GitOps repository with one component."""
    bare = folder / "acme" / "gitops.git"
    bare.mkdir(parents=True)
    git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
    commit(bare, {WORKLOAD: b"image: none\n", "README.md": b"# GitOps\n"})
    with (
        GitServer(root=folder, credentials=("x-access-token", TOKEN)) as server,
        GitHubServer() as github,
    ):
        github.repository.name = "acme/gitops"
        github.repository.pulls.git = bare
        yield Place(bare=bare, server=server, github=github)
