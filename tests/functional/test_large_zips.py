"""Zips that are too large for a request go through S3; full code storage is noticed before."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from aws_rules import Rule
from aws_server import ACCOUNT
from aws_wire import ACCESS_DENIED, UNAVAILABLE
from botocore.stub import ANY, Stubber
from publish_examples import AMD64, GROUP, OPTIONS, dist, write_manifest
from publishing import FRANCE, IRELAND, OHIO, Publishing
from unit_examples import layer

from pipeline.aws.s3 import RegionBucket
from pipeline.aws.session import Aws
from pipeline.errors import UsageError
from pipeline.layer.manifest import code_sha256
from pipeline.layer.zip import ZipEntry, pack
from pipeline.publish.package import Package, read_packages

BUCKET = "ocelot-zips-{region}"


@pytest.fixture(scope="module")
def noise() -> bytes:
    """A zip above 50 MB."""
    entry = ZipEntry(name="extensions/noise", content=os.urandom(53_000_000))
    return pack((entry,), epoch=1_750_000_000)


@pytest.fixture
def large(publishing: Publishing, noise: bytes) -> Publishing:
    """A publisher with a zip above 50 MB, and a bucket in each region."""
    dist(publishing.zips, AMD64)
    (publishing.zips / AMD64).write_bytes(noise)
    write_manifest(publishing.zips, [layer(AMD64, noise)])
    publishing.regions = [IRELAND, FRANCE]
    for region in publishing.regions:
        publishing.aws.client("s3", region).create_bucket(
            Bucket=BUCKET.replace("{region}", region),
            CreateBucketConfiguration={"LocationConstraint": region},
        )
    publishing.aws.forget()
    return publishing


def packages(publishing: Publishing) -> tuple[Package, ...]:
    return read_packages(replace(OPTIONS, bucket=BUCKET), GROUP, [publishing.zips])


def keys_in_bucket(publishing: Publishing, region: str) -> list[str]:
    found = publishing.aws.client("s3", region).list_objects_v2(
        Bucket=BUCKET.replace("{region}", region)
    )
    return [each["Key"] for each in found.get("Contents", [])]


def test_a_large_zip_goes_through_a_bucket_in_each_region(large: Publishing) -> None:
    ran = large.ocelot("--public", "--bucket", BUCKET)
    assert ran.code == 0, ran.err
    (package,) = packages(large)
    for region in (IRELAND, FRANCE):
        state = large.state(region, package)
        assert (state.versions, state.statements) == ((1,), ("publish",))
        assert keys_in_bucket(large, region) == []
    uploads = large.aws.calls("PutObject")
    assert sorted(call.region for call in uploads) == [IRELAND, FRANCE]
    assert all(call.size < 10_000 for call in large.aws.calls("PublishLayerVersion"))
    large.aws.forget()
    assert large.ocelot("--public", "--bucket", BUCKET).code == 0
    assert large.writes() == []
    assert large.aws.calls("PutObject") == []


def test_without_a_bucket_a_large_zip_is_refused_before_any_request(large: Publishing) -> None:
    ran = large.ocelot()
    assert ran.code == 2
    assert "AWS accepts 50.0 MiB in a request" in ran.err
    assert "--bucket 'NAME-{region}'" in ran.err
    assert large.aws.calls() == []
    with pytest.raises(UsageError, match="in a request"):
        large.packages()


@pytest.mark.parametrize(
    ("bucket", "message"),
    [
        ("one-for-all", "is in one region, and there are 2"),
        ("Not/{region}", "gives no valid bucket name"),
    ],
)
def test_an_invalid_bucket_is_refused(large: Publishing, bucket: str, message: str) -> None:
    ran = large.ocelot("--bucket", bucket)
    assert ran.code == 2
    assert message in ran.err
    assert large.aws.calls() == []


def test_a_region_without_its_bucket_stops_no_other(large: Publishing) -> None:
    large.regions = [IRELAND, FRANCE, OHIO]
    done = large.publish(packages=packages(large), bucket=BUCKET)
    failed = [each for each in done.outcomes if not each.succeeded]
    assert [each.plan.target.region for each in failed] == [OHIO]
    assert f"look for the bucket ocelot-zips-{OHIO}" in failed[0].error
    assert [call for call in large.aws.calls("PublishLayerVersion") if call.region == OHIO] == []


def test_an_upload_to_a_bucket_is_retried(large: Publishing) -> None:
    large.aws.rules(Rule(operation="PutObject", error=UNAVAILABLE, times=1))
    done = large.publish(packages=packages(large), bucket=BUCKET)
    assert [each.error for each in done.outcomes] == ["", ""]


def test_a_zip_that_cannot_be_deleted_from_the_bucket_is_noted(large: Publishing) -> None:
    large.aws.rules(Rule(operation="DeleteObject", region=FRANCE, error=ACCESS_DENIED))
    done = large.publish(packages=packages(large), bucket=BUCKET)
    assert [each.error for each in done.outcomes] == ["", ""]
    (note,) = done.outcomes[1].notes
    assert f"is left in ocelot-zips-{FRANCE}" in note
    assert len(keys_in_bucket(large, FRANCE)) == 1


def test_only_a_bucket_of_the_account_gets_the_zip(tmp_path: Path) -> None:
    bucket = RegionBucket(Aws(boto3.Session("AKIA", "x")), IRELAND, "zips", ACCOUNT)
    owner = {"Bucket": "zips", "ExpectedBucketOwner": ACCOUNT}
    path = tmp_path / "x.zip"
    path.write_bytes(b"zip")
    with Stubber(vars(bucket)["_client"]) as stubber:
        stubber.add_response("head_bucket", {}, owner)
        parameters = {**owner, "Key": "k", "Body": ANY, "ChecksumSHA256": code_sha256(b"zip")}
        stubber.add_response("put_object", {}, parameters)
        stubber.add_response("delete_object", {}, {**owner, "Key": "k"})
        bucket.check()
        bucket.put("k", path, hashlib.sha256(b"zip").hexdigest())
        bucket.delete("k")
        stubber.assert_no_pending_responses()


def test_full_code_storage_is_noticed_before_the_upload(publishing: Publishing) -> None:
    first, second = publishing.packages()
    publishing.aws.emulator.layers.code_storage = first.size + second.size - 1
    done = publishing.publish()
    failed = [each for each in done.outcomes if not each.succeeded]
    assert {each.plan.target.region for each in failed} == set(publishing.regions)
    assert len(failed) == len(publishing.regions)
    assert all("delete old layer versions" in each.error for each in failed)
    assert len(publishing.aws.calls("PublishLayerVersion")) == len(publishing.regions)


def test_without_storage_limits_layers_are_published(publishing: Publishing) -> None:
    publishing.aws.rules(Rule(operation="GetAccountSettings", error=ACCESS_DENIED))
    assert all(each.succeeded for each in publishing.publish().outcomes)
