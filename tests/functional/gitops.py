"""The real `occ`, and GitOps repositories in memory for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
from runs import fresh_cache

from pipeline.files import read_tree
from pipeline.gitops.changes import Change
from pipeline.gitops.descriptor import Descriptor, read_descriptor
from pipeline.gitops.manifests import (
    BindingRequest,
    CurrentReleases,
    ManifestRequest,
    ReleaseChanges,
    binding_changes,
    current_releases,
    release_changes,
)
from pipeline.gitops.occ import Occ, installed_occ
from pipeline.gitops.repository import GitOpsRepository, Resource, read_repository

# Test inputs: a GitOps repository, sources, descriptors, files that occ cannot deal with.
INPUTS = Path(__file__).parents[1] / "gitops"
NAMESPACE = "demo"
IMAGE = (
    "registry.example.test/shop-catalog-image:v1-01234567"
    "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)
OTHER_IMAGE = IMAGE.replace("v1-01234567", "v1-89abcdef").replace("e3b0", "feed")
COMPONENTS = "namespaces/demo/projects/shop/components"
CATALOG = f"{COMPONENTS}/catalog"
REQUEST = ManifestRequest(
    project="shop", component="catalog", image=IMAGE, release_name="catalog-01234567"
)
SECOND = replace(REQUEST, image=OTHER_IMAGE, release_name="catalog-89abcdef")


def compiled_occ(folder: Path) -> Occ:
    """The occ that ocelot compiles, in a cache of its own that shares Go's caches."""
    return anyio.run(installed_occ, fresh_cache(folder))


def files() -> dict[str, bytes]:
    """The files of the GitOps repository of the test inputs."""
    return read_tree(INPUTS / "repository")


def hostile(name: str) -> bytes:
    """A file that occ cannot deal with."""
    return (INPUTS / "hostile" / name).read_bytes()


def catalog_descriptor() -> Descriptor:
    """The descriptor of the component catalog, with the files that it names."""
    found = read_descriptor(INPUTS / "sources" / "shop", "catalog", "workload.yaml")
    assert found is not None
    return found


@dataclass
class Repository:
    """A GitOps repository that takes the changes of one release after another."""

    occ: Occ
    files: dict[str, bytes] = field(default_factory=files)
    links: tuple[str, ...] = ()
    namespace: str = NAMESPACE
    platform: GitOpsRepository | None = None

    def read(self) -> GitOpsRepository:
        return read_repository(self.files, self.links)

    def release(self, request: ManifestRequest = REQUEST) -> ReleaseChanges:
        """Make a release, and take its changes."""
        run = partial(release_changes, platform=self.platform)
        made = anyio.run(run, self.read(), self.namespace, request, self.occ)
        self.take(made.changes)
        return made

    def bind(self, *requests: BindingRequest) -> tuple[Change, ...]:
        """Bind releases, and take the changes."""
        run = partial(binding_changes, platform=self.platform)
        made = anyio.run(run, self.read(), self.namespace, requests, self.occ)
        self.take(made)
        return made

    def current(self, environment: str, *components: str) -> CurrentReleases:
        """The releases that belong into an environment."""
        run = partial(current_releases, platform=self.platform)
        owners = [("shop", each) for each in components]
        return anyio.run(run, self.read(), self.namespace, owners, environment, self.occ)

    def take(self, changes: tuple[Change, ...]) -> None:
        for each in changes:
            assert each.before == self.files.get(each.path)
            assert each.after is not None
            self.files[each.path] = each.after

    def resource(self, kind: str, name: str) -> Resource:
        (found,) = [each for each in self.read().of_kind(kind) if each.name == name]
        return found

    def text(self, path: str) -> str:
        return self.files[path].decode()


def paths(made: ReleaseChanges) -> list[str]:
    """The paths of a release's changes."""
    return [each.path for each in made.changes]


def bound(release: str, environment: str, component: str = "catalog") -> BindingRequest:
    return BindingRequest(
        project="shop", component=component, environment=environment, release=release
    )
