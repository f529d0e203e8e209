"""Decide how a deleted layer version is published again, from its tombstone. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.aws.layers import LayerVersion
from pipeline.aws.policy import grantee
from pipeline.errors import ReapError, UsageError
from pipeline.layer.limits import megabytes
from pipeline.layer.manifest import Go, Layer, Start, Upstream
from pipeline.naming import LayerArn, layer_description, zip_name
from pipeline.publish.package import Package
from pipeline.publish.request import PublishRequest, check_bucket
from pipeline.registry.row import ForeignRow, Row
from pipeline.registry.tombstone import Tombstone


@dataclass(frozen=True, kw_only=True)
class RestoreRequest:
    """The layer version to restore, and how.

    Attributes:
        arn: of the deleted layer version.
        zip: a kept file of its zip; None for none.
        bucket: name of a bucket, for a zip that is too large for a request; None for none.
        ssm_prefix: of the parameters that are to name the new version; None for no parameters.
        apply: False to build and check the zip only, and to decide what would be done.
    """

    arn: LayerArn
    zip: Path | None = None
    bucket: str | None = None
    ssm_prefix: str | None = None
    apply: bool = False


def found_tombstone(
    arn: LayerArn, recorded: Row | ForeignRow | Tombstone | None, *, exists: bool
) -> Tombstone:
    """Return the tombstone of a layer version.

    Args:
        arn: of the layer version.
        recorded: its row or tombstone.
        exists: True if AWS has the layer version.

    Raises:
        ReapError: there is none, or it cannot be used.
    """
    state = "it exists in AWS" if exists else "AWS has no such version"
    if recorded is None:
        raise ReapError(
            f"there is no tombstone of {arn}; {state}",
            hint="list the deleted layer versions: ocelot layers list --deleted; a tombstone of "
            "--table none is in the folder that --tombstones names",
        )
    if isinstance(recorded, ForeignRow):
        raise ReapError(
            f"the row of {arn} cannot be read: {recorded.reason}; {state}",
            hint=f"look at it: ocelot layers show {arn}",
        )
    if isinstance(recorded, Row):
        raise ReapError(
            f"{arn} has a row and no tombstone: ocelot reap has not deleted it; {state}",
            hint="there is nothing to restore"
            if exists
            else "publish its zip again: ocelot publish; ocelot layers sync removes the row",
        )
    _check_usable(recorded)
    return recorded


def _check_usable(tombstone: Tombstone) -> None:
    row = tombstone.row
    problem = "" if row.code_sha256 else "it has no sha256"
    try:
        for each in row.shared_with:
            grantee(each)
    except UsageError as error:
        problem = str(error)
    if problem:
        raise ReapError(
            f"the tombstone of {row.arn} is damaged: {problem}",
            hint="publish the zip of its release instead: ocelot publish",
        )


def restored_package(row: Row, path: Path) -> Package:
    """Return the package of a deleted layer version, with the facts of its row.

    Args:
        row: of the tombstone.
        path: of the zip.
    """
    return Package(
        path=path,
        layer=row.arn.name,
        base_name=row.base_name,
        description=layer_description(row.distribution_description, row.code_sha256),
        runtimes=row.compatible_runtimes,
        size=row.zip_size,
        entry=_entry(row),
    )


def _entry(row: Row) -> Layer:
    """Return a manifest's entry with the facts of a row; it is not written anywhere."""
    start = Start(
        starts=0,
        cpu=0,
        memory=0,
        cpu_times=row.cpu_times or None,
        memory_times=row.memory_times or None,
    )
    return Layer(
        file=zip_name(row.architecture, row.distribution),
        sha256=row.code_sha256,
        code_sha256=base64.b64encode(bytes.fromhex(row.code_sha256)).decode(),
        size=row.zip_size,
        unzipped_size=row.unzipped_size,
        architecture=row.architecture,
        distribution=row.distribution,
        description=row.distribution_description,
        build_tags=(),
        custom_modules=(),
        tunings=(),
        collector_version=row.collector_version_input or row.layer_version_str,
        upstream=Upstream(
            repository=row.upstream_repository, ref=row.upstream_ref, commit=row.upstream_commit
        ),
        go=Go(version="", command=(), environment={}),
        packer="",
        source_date_epoch=0,
        engine="",
        ocelot=row.ocelot,
        evidence={},
        locked=True,
        benched=row.benched,
        start=start,
    )


def publish_request(
    package: Package,
    tombstone: Tombstone,
    same: LayerVersion | None,
    request: RestoreRequest,
    based_on: Mapping[str, str],
) -> PublishRequest:
    """Return the request to publish a deleted layer version again, in its region.

    A new version gets the policy of the deleted one. A version that has the content already only
    gets more permissions: those that others rely on are not taken away.

    Args:
        package: the zip.
        tombstone: of the layer version.
        same: the version of the layer with the same content, with its policy; None for none.
        request: of the user.
        based_on: the distributions that have a base, with its name.

    Raises:
        UsageError: the zip needs a bucket and none is named, or its name is not valid.
    """
    row = tombstone.row
    check_bucket(request.bucket, (row.arn.region,))
    if package.is_large and not request.bucket:
        raise UsageError(
            f"the zip of {row.arn} is {megabytes(package.size)}, too large for a request",
            hint="name a bucket in its region: --bucket NAME",
        )
    public, share = row.public, row.shared_with
    if same:
        own = {one for each in same.policy.statements if each.is_own for one in each.grantees}
        missing = {*share} - {*same.policy.shared_with}
        public, share = public or None, tuple(sorted({*own, *missing})) if missing else None
    return PublishRequest(
        packages=(package,),
        release_group=row.release_group,
        partition=row.arn.partition,
        regions=(row.arn.region,),
        public=public,
        share=share,
        account=row.arn.account,
        bucket=request.bucket,
        ssm_prefix=request.ssm_prefix,
        based_on=based_on,
    )
