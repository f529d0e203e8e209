"""The request by which a deleted layer version is published again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from registry_examples import row
from restore_examples import ORGANISATION, PARTNER, same_version, tombstone

from pipeline.aws.policy import NO_POLICY, LayerPolicy, LayerStatement
from pipeline.errors import ReapError, UsageError
from pipeline.layer.limits import DIRECT_UPLOAD_BYTES
from pipeline.naming import described_text, layer_description
from pipeline.publish.published import version_row
from pipeline.publish.request import PublishRequest
from pipeline.reap.republish import (
    RestoreRequest,
    found_tombstone,
    publish_request,
    restored_package,
)
from pipeline.registry.row import ForeignRow, Row

PATH = Path("layer.zip")


def request(**changed: Any) -> PublishRequest:  # noqa: ANN401
    """The request for a tombstone with these changes in its row."""
    same = changed.pop("same", None)
    size: int = changed.pop("size", 100)
    bucket: str | None = changed.pop("bucket", None)
    of = tombstone(**changed)
    package = replace(restored_package(of.row, PATH), size=size)
    asked = RestoreRequest(arn=of.arn, bucket=bucket)
    return publish_request(package, of, same, asked, {})


def test_the_package_has_the_name_description_and_runtimes_of_the_row() -> None:
    of = row()
    made = restored_package(of, PATH)
    assert (made.layer, made.sha256, made.runtimes) == (
        of.arn.name,
        of.code_sha256,
        of.compatible_runtimes,
    )
    assert made.description == layer_description("an example", of.code_sha256)


@pytest.mark.parametrize("text", ["", "an example", "wörds " * 60])
def test_the_description_is_as_it_was_published(text: str) -> None:
    sha256 = row().code_sha256
    published = layer_description(text, sha256)
    of = replace(row(), distribution_description=described_text(published, text))
    assert restored_package(of, PATH).description == published


@pytest.mark.parametrize(
    "of",
    [
        row(),
        replace(row(), zip_size=7, unzipped_size=9, cpu_times=1.25, memory_times=2.5),
        replace(row(), benched="passed", layer_version_str="0_158_0", collector_version_input=""),
    ],
)
def test_the_new_row_has_the_facts_of_the_old_one(of: Row) -> None:
    made = restored_package(of, PATH)
    version = replace(same_version(), description=made.description, runtimes=made.runtimes)
    new = version_row(made.entry, version, base_name=made.base_name, md5=of.md5_hash)
    expected = replace(
        of,
        arn=version.arn,
        publish_timestamp=None,
        public=False,
        collector_version_input=of.collector_version_input or of.layer_version_str,
    )
    assert new == expected


@pytest.mark.parametrize("public", [True, False])
def test_a_new_version_gets_exactly_the_old_policy(*, public: bool) -> None:
    made = request(public=public, shared_with=(PARTNER, ORGANISATION))
    assert (made.public, made.share) == (public, (PARTNER, ORGANISATION))
    assert (made.regions, made.partition) == (("eu-west-1",), "aws")
    assert (made.release_group, made.account) == ("beta", row().arn.account)


@pytest.mark.parametrize("before", [NO_POLICY, LayerPolicy().with_public(public=True)])
@pytest.mark.parametrize("public", [True, False])
def test_a_version_that_is_used_instead_loses_no_permission(
    before: LayerPolicy, *, public: bool
) -> None:
    foreign = LayerStatement("theirs", ("account:111111111111",))
    policy = LayerPolicy((*before.with_shares([PARTNER]).statements, foreign))
    made = request(public=public, shared_with=(ORGANISATION,), same=same_version(policy))
    after = policy if made.public is None else policy.with_public(public=made.public)
    after = after if made.share is None else after.with_shares(made.share)
    assert after.public is (public or before.public)
    assert set(after.shared_with) == {PARTNER, ORGANISATION, "account:111111111111"}
    assert set(policy.statements) <= set(after.statements)


def test_a_version_with_the_same_policy_is_left_as_it_is() -> None:
    policy = LayerPolicy().with_shares([PARTNER])
    made = request(shared_with=(PARTNER,), same=same_version(policy))
    assert (made.public, made.share) == (None, None)


def test_a_zip_that_is_too_large_for_a_request_needs_a_bucket() -> None:
    large = DIRECT_UPLOAD_BYTES + 1
    with pytest.raises(UsageError):
        request(size=large)
    assert request(size=large, bucket="zips-{region}").bucket_in("eu-west-1") == "zips-eu-west-1"


def test_a_tombstone_is_found() -> None:
    of = tombstone()
    assert found_tombstone(of.arn, of, exists=False) is of


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "recorded", [None, row(), ForeignRow(key=str(row().arn), reason="it has no distribution")]
)
def test_without_a_tombstone_nothing_is_restored(
    recorded: Row | ForeignRow | None, *, exists: bool
) -> None:
    with pytest.raises(ReapError):
        found_tombstone(row().arn, recorded, exists=exists)


@pytest.mark.parametrize("changed", [{"code_sha256": ""}, {"shared_with": ("somebody",)}])
def test_a_damaged_tombstone_is_refused(changed: dict[str, Any]) -> None:
    of = tombstone(**changed)
    with pytest.raises(ReapError):
        found_tombstone(of.arn, of, exists=False)
