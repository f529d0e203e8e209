"""Tombstones of deleted layer versions, and layer versions with their content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from registry_examples import row

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import NO_POLICY, LayerPolicy
from pipeline.registry.tombstone import Tombstone

ORGANISATION, PARTNER = "org:o-a1b2c3d4e5", "account:210987654321"


def tombstone(**changed: Any) -> Tombstone:  # noqa: ANN401
    """A tombstone whose row has these changes."""
    made = replace(row(public=False), **changed)
    return Tombstone(row=made, deleted_at=datetime(2026, 11, 1, tzinfo=UTC), plan="0" * 16)


def same_version(policy: LayerPolicy = NO_POLICY) -> LayerVersion:
    """Another version of the layer with the tombstone's content."""
    of = tombstone().row
    arn = replace(of.arn, version=of.version + 1)
    return LayerVersion(arn=arn, sha256=of.code_sha256, policy=policy)
