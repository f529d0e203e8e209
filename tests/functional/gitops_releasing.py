"""Releases of the test inputs' components: their sources and the GitOps repository on a server."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
from github_server import TOKEN
from gitops import INPUTS, NAMESPACE, files
from gitops_delivery import Place, place
from gitserver import commit, git
from runs import Ran, environment, run_ocelot

from pipeline.files import read_tree
from pipeline.gitops.delivery import Delivered
from pipeline.gitops.occ import Occ
from pipeline.gitops.parameters import component_ref
from pipeline.gitops.reading import GitOpsAddress
from pipeline.gitops.release import ComponentRelease, ReleaseRequest, release
from pipeline.gitops.remote import remote
from pipeline.gitops_options import WorkflowOptions

ELSEWHERE = b"https://git.example.test/acme"
DIGESTS = ("a" * 64, "b" * 64, "c" * 64)


def image(at: int = 0, component: str = "catalog") -> str:
    return f"registry.example.test/shop-{component}-image@sha256:{DIGESTS[at]}"


@dataclass
class Shop:
    """The project shop: sources that grow, a GitOps repository, an occ.

    Attributes:
        commits: of the source, oldest first.
        folder: for caches.
        options: of every command.
    """

    place: Place
    occ: Occ
    commits: list[str]
    folder: Path
    options: list[str] = field(default_factory=list[str])

    @property
    def sources(self) -> Path:
        return self.place.server.root / "shop.git"

    def grow(self, changes: Mapping[str, bytes]) -> str:
        """Add a commit to the source."""
        time = 1_700_000_000 + 100 * len(self.commits)
        made = commit(self.sources, changes, start=self.commits[-1], time=time)
        self.commits.append(made)
        return made

    def grow_source_of(self, component: str) -> str:
        """Add a commit to the source of a component; its time is after all others."""
        name = "storefront.git" if component == "storefront" else "shop.git"
        bare = self.place.server.root / name
        count = int(git(bare, "rev-list", "--count", "main"))
        head = git(bare, "rev-parse", "main")
        changes = {"README.md": b"%d\n" % count}
        return commit(bare, changes, start=head, time=1_700_000_000 + 1000 * count)

    def release(
        self,
        component: str = "catalog",
        *,
        at: int = 0,
        environment: str = "",
        options: WorkflowOptions | None = None,
        with_project: bool = False,
        **more: object,
    ) -> Delivered[ComponentRelease]:
        """Release an image of the newest commit, in this process."""
        request = ReleaseRequest(
            name=component_ref(f"shop/{component}", NAMESPACE),
            image=image(at, component),
            environment=environment,
            options=options or WorkflowOptions(),
            with_project=with_project,
            cache=self.folder / "cache",
            occ_version=self.occ.version,
        )
        return self.run(request, **more)

    def release_image(self, name: str) -> Delivered[ComponentRelease]:
        """Release an image of any name."""
        return self.run(
            ReleaseRequest(
                name=component_ref("shop/catalog", NAMESPACE),
                image=name,
                options=WorkflowOptions(),
                cache=self.folder / "cache",
                occ_version=self.occ.version,
            )
        )

    def run(self, request: ReleaseRequest, **more: object) -> Delivered[ComponentRelease]:
        origin = remote(self.place.server.url(self.place.bare), TOKEN)
        address = GitOpsAddress(origin=origin, branch="main", namespace=NAMESPACE)
        target = replace(self.place.target(), **more)  # pyright: ignore[reportArgumentType]
        return anyio.run(release, request, address, target)

    def at(self, commit: str) -> WorkflowOptions:
        return WorkflowOptions(commit=commit)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a command line that uses these servers and this occ."""
        return {
            **self.place.github.environment(),
            "GITHUB_TOKEN": "",
            "OCELOT_GITOPS_TOKEN": TOKEN,
            "OCELOT_GIT_TOKEN": TOKEN,
            "PATH": f"{self.occ.program.parent}:{os.environ['PATH']}",
        }

    @property
    def where(self) -> list[str]:
        """The options that name the GitOps repository."""
        url = self.place.server.url(self.place.bare)
        return [*self.options, "--repository", url, "--namespace", NAMESPACE]

    def command(self, *arguments: str | Path) -> Ran:
        """Run `ocelot gitops`."""
        return run_ocelot(
            *("gitops", arguments[0], *self.where, *arguments[1:]),
            cache=self.folder / "cache",
            cwd=self.folder,
            env=self.variables,
        )

    def full_environment(self) -> dict[str, str]:
        return environment(self.folder / "cache", self.variables)

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        ran = self.command(*arguments, "--json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out)


@contextmanager
def shop(folder: Path, occ: Occ) -> Generator[Shop]:
    """The test inputs on a server, with one commit in each source."""
    with place(folder) as made:
        here = f"http://{made.server.host}".encode()
        moved = {path: text.replace(ELSEWHERE, here) for path, text in files().items()}
        commit(made.bare, moved, start=made.sha())
        shas: list[str] = []
        for name in ("shop", "storefront"):
            bare = made.server.root / f"{name}.git"
            bare.mkdir()
            git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
            shas.append(commit(bare, read_tree(INPUTS / "sources" / name)))
        yield Shop(place=made, occ=occ, commits=shas[:1], folder=folder)
