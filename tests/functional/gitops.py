"""The real `occ`, and GitOps repositories in memory for it."""

from __future__ import annotations

from pathlib import Path

import anyio
from runs import fresh_cache

from pipeline.files import read_tree
from pipeline.gitops.occ import Occ, installed_occ
from pipeline.gitops.repository import GitOpsRepository, read_repository

# Test inputs: a GitOps repository, sources, descriptors, files that occ cannot deal with.
INPUTS = Path(__file__).parents[1] / "gitops"
NAMESPACE = "demo"
IMAGE = (
    "registry.example.test/shop-catalog-image:v1-01234567"
    "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)


def compiled_occ(folder: Path) -> Occ:
    """The occ that ocelot compiles, in a cache of its own that shares Go's caches."""
    return anyio.run(installed_occ, fresh_cache(folder))


def files() -> dict[str, bytes]:
    """The files of the GitOps repository of the test inputs."""
    return read_tree(INPUTS / "repository")


def repository(**changed: bytes) -> GitOpsRepository:
    """That repository, read; files may be given by path in place of those there."""
    return read_repository({**files(), **changed})
