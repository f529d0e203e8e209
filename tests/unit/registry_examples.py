"""Rows of the registry, for both tiers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pipeline.naming import Architecture, LayerArn, layer_name, version_in_name
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone

ACCOUNT = "123456789012"
PUBLISHED = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
DELETED_AT = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def arn(
    distribution: str = "minimal",
    *,
    architecture: Architecture = Architecture.AMD64,
    collector: str = "v0.158.0",
    group: str = "beta",
    region: str = "eu-west-1",
    version: int = 7,
) -> LayerArn:
    """A layer version's ARN, with a name as ocelot makes it."""
    return LayerArn(
        partition="aws",
        region=region,
        account=ACCOUNT,
        name=layer_name("ocel", architecture, distribution, collector, group),
        version=version,
    )


def row(  # noqa: PLR0913  as many as its attributes
    distribution: str = "minimal",
    *,
    architecture: Architecture = Architecture.AMD64,
    collector: str = "v0.158.0",
    group: str = "beta",
    region: str = "eu-west-1",
    version: int = 7,
    content: bytes = b"a zip",
    published: datetime | None = PUBLISHED,
    public: bool = True,
) -> Row:
    """A row as ocelot writes it."""
    return Row(
        arn=arn(
            distribution,
            architecture=architecture,
            collector=collector,
            group=group,
            region=region,
            version=version,
        ),
        distribution=distribution,
        architecture=architecture,
        distribution_description="an example",
        base_name="ocel",
        layer_version_str=version_in_name(collector),
        collector_version_input=collector,
        md5_hash=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        publish_timestamp=published,
        public=public,
        compatible_runtimes=("nodejs22.x", "python3.13"),
        code_sha256=hashlib.sha256(content).hexdigest(),
        upstream_repository="owner/name",
        upstream_ref="main",
        upstream_commit="0123456789abcdef0123456789abcdef01234567",
        ocelot="0.1.0",
    )


def old_item(of: Row, **changed: dict[str, object] | None) -> dict[str, dict[str, object]]:
    """The item that an older tool writes for a layer version; None removes an attribute."""
    item: dict[str, dict[str, object] | None] = {
        "layer_arn": {"S": str(of.arn)},
        "distribution": {"S": of.distribution},
        "version": {"S": str(of.version)},
        "region": {"S": of.region},
        "base_name": {"S": of.base_name},
        "architecture": {"S": of.architecture.value},
        "layer_version_str": {"S": of.layer_version_str},
        "collector_version_input": {"S": of.collector_version_input},
        "md5_hash": {"S": of.md5_hash},
        "publish_timestamp": {"S": "2026-06-01T08:00:00.123456"},
        "public": {"S": "true"},
        "compatible_runtimes": {"S": "nodejs22.x python3.13"},
        **changed,
    }
    return {name: value for name, value in item.items() if value is not None}


def tombstone(
    of: Row | None = None,
    *,
    plan: str = "0123456789abcdef",
    deleted_at: datetime = DELETED_AT,
    forced: tuple[str, ...] = (),
    lock: str = "",
    restored_as: str = "",
) -> Tombstone:
    """The tombstone of a layer version."""
    return Tombstone(
        row=of or row(),
        deleted_at=deleted_at,
        plan=plan,
        forced=forced,
        lock=lock,
        restored_as=restored_as,
    )
