"""Examples of layer versions, scopes and observations for syncing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from registry_examples import ACCOUNT, PUBLISHED, arn

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import LayerPolicy
from pipeline.config.distributions import Distribution
from pipeline.naming import layer_description
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.rows import Rows
from pipeline.registry.sync.plan import RegionObservation, Scope
from pipeline.registry.tombstone import Tombstone

REGION = "eu-west-1"
PUBLIC, PRIVATE = LayerPolicy().with_public(public=True), LayerPolicy()
SHARED = LayerPolicy().with_shares(["org:o-a1b2c3d4e5"])
CONTENT = hashlib.sha256(b"a zip").hexdigest()
DISTRIBUTIONS = {
    "minimal": Distribution(description="OTLP and no more"),
    "derived": Distribution(description="minimal and more", base="minimal"),
}


def scope(
    *rows: Row, foreign: tuple[ForeignRow, ...] = (), tombstones: tuple[Tombstone, ...] = ()
) -> Scope:
    """The scope of the layers that begin with `ocel`, with these rows and tombstones."""
    return Scope(
        account=ACCOUNT,
        base="ocel",
        distributions=DISTRIBUTIONS,
        registry=Rows(rows=rows, foreign=foreign, tombstones=tombstones),
    )


def seen(distribution: str = "minimal", **changed: Any) -> LayerVersion:  # noqa: ANN401
    """A layer version whose description names its content."""
    version = LayerVersion(
        arn=arn(distribution),
        description=layer_description("an example", CONTENT),
        sha256=CONTENT,
        created=PUBLISHED,
        runtimes=("nodejs22.x", "python3.13"),
        policy=PUBLIC,
    )
    return replace(version, **changed)


def observed(
    *versions: LayerVersion, gone: tuple[str, ...] = (), unseen: str = ""
) -> RegionObservation:
    """An observation of the region."""
    return RegionObservation(region=REGION, versions=versions, gone=frozenset(gone), unseen=unseen)
