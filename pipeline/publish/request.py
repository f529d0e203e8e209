"""A request to publish: the user's options, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.aws.layers import known_runtimes
from pipeline.aws.policy import grantee
from pipeline.aws.regions import region_choice
from pipeline.config.entries import suggestion
from pipeline.config.folder import Config
from pipeline.errors import UsageError, quoted
from pipeline.naming import CI_GROUP, LOCAL_GROUP, account_id
from pipeline.options import ReleaseGroupOptions
from pipeline.parameters.names import parameter_prefix
from pipeline.publish.package import Package, chosen_runtimes, read_packages
from pipeline.publish.plan import Target

# Stands for the region in --bucket.
_REGION = "{region}"
# Value of --share for no organisation and no account.
NO_GRANTEE = "none"
# Values of the variable CI where no CI is.
_NO_CI = ("", "0", "false")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class PublishRequest:
    """The zips to be published, and where.

    Attributes:
        packages: the zips; empty if they are yet to be built.
        release_group: end of the layers' names, such as beta.
        partition: of the regions and of the identity.
        regions: to publish in.
        skipped: regions that are left out, each with the reason.
        public: whether every account should be able to use the layers; None: leave that as it is.
        share: the organisations and accounts that should be able to use the layers by ocelot's own
            statements, sorted; None: leave that as it is.
        account: the account that it must be; None for any.
        bucket: name of the bucket in each region, with `{region}` in it, for zips that are too
            large for a request; None for none.
        ssm_prefix: of the parameters that name the layers; None for no parameters.
        move_back: whether they may go back to older layers and to other release groups.
        based_on: the distributions that have a base, with its name.
        warnings: for the user.
    """

    packages: tuple[Package, ...]
    release_group: str
    partition: str
    regions: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    public: bool | None = None
    share: tuple[str, ...] | None = None
    account: str | None = None
    bucket: str | None = None
    ssm_prefix: str | None = None
    move_back: bool = False
    based_on: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()

    def targets(self) -> list[Target]:
        """Return each zip in each region."""
        return [Target(region=r, package=p) for r in self.regions for p in self.packages]

    def bucket_in(self, region: str) -> str:
        """Return the name of a region's bucket; empty if no zip needs one."""
        is_needed = any(package.is_large for package in self.packages)
        return self.bucket.replace(_REGION, region) if self.bucket and is_needed else ""


def publish_request(
    options: ReleaseGroupOptions,
    zips: Sequence[Path],
    config: Config,
    environment: Mapping[str, str],
) -> PublishRequest:
    """Return the request of the user's options.

    Args:
        options: the user's.
        zips: zips and folders of zips; empty if they are yet to be built.
        config: for regions and distributions.
        environment: the variables, of which one shows that this is CI.

    Raises:
        UsageError: an option or a zip cannot be used.
    """
    account = account_id(options.account)
    choice = region_choice(config.regions, options.regions)
    check_bucket(options.bucket, choice.regions)
    group, notes = chosen_release_group(options.release_group, environment)
    return PublishRequest(
        packages=read_packages(options, group, zips),
        release_group=group,
        partition=choice.partition,
        regions=choice.regions,
        skipped=choice.skipped,
        public=options.public,
        share=chosen_grantees(options.share),
        account=account,
        bucket=options.bucket,
        ssm_prefix=_ssm_prefix(options),
        move_back=options.move_back,
        based_on={name: each.base for name, each in config.distributions.items() if each.base},
        warnings=(*notes, *_unknown_runtimes(options.runtimes)),
    )


def chosen_grantees(named: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the organisations and accounts of the option `--share`, sorted; None without it.

    Args:
        named: each value may be a list: a,b,c.

    Raises:
        UsageError: one is neither, or `none` is named beside others.
    """
    if named is None:
        return None
    named = [one.strip() for each in named for one in each.split(",")]
    if NO_GRANTEE in named and {*named} != {NO_GRANTEE}:
        raise UsageError(
            f"--share {NO_GRANTEE} excludes every other --share",
            hint=f"give it alone to share with nobody, or leave it out: --share {NO_GRANTEE}",
        )
    return tuple(sorted({grantee(each) for each in named if each != NO_GRANTEE}))


def chosen_release_group(
    named: str | None, environment: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Return the release group, and a note for the user if it was not named.

    Outside of CI it is not the one that CI publishes to: layers from a laptop take no place of
    those that everybody uses.

    Args:
        named: by the option; None for the default.
        environment: the variables, of which one shows that this is CI.
    """
    if named is not None:
        return named, ()
    is_ci = environment.get("CI", "").strip().lower() not in _NO_CI
    group = CI_GROUP if is_ci else LOCAL_GROUP
    reason = "the variable CI is set" if is_ci else "no variable CI says that this is CI"
    note = f"the release group is `{group}`, since {reason}; --release-group names another"
    return group, (note,)


def _unknown_runtimes(named: str | None) -> Iterator[str]:
    """Yield a warning for each runtime that botocore does not know; it may be newer."""
    if named is None:
        return
    known = known_runtimes()
    for each in chosen_runtimes(named):
        if each not in known:
            yield (
                f"{quoted(each)} is no runtime that botocore knows{suggestion(each, sorted(known))}"
                "; it is used nevertheless, since it may be newer"
            )


def _ssm_prefix(options: ReleaseGroupOptions) -> str | None:
    if options.ssm_prefix is not None:
        return parameter_prefix(options.ssm_prefix)
    if options.move_back:
        raise UsageError(
            "--move-back moves parameters, and no --ssm-prefix names any",
            hint="give --ssm-prefix, too, or leave --move-back out",
        )
    return None


def check_bucket(bucket: str | None, regions: Sequence[str]) -> None:
    """Check the name of a bucket, with `{region}` in it if there are several regions.

    Raises:
        UsageError: it is not valid.
    """
    if bucket is None:
        return
    if len(regions) > 1 and _REGION not in bucket:
        raise UsageError(
            f"the bucket {quoted(bucket)} is in one region, and there are {len(regions)}",
            hint="name one in each region, such as --bucket 'NAME-{region}'",
        )
    for region in regions:
        if not _BUCKET.fullmatch(bucket.replace(_REGION, region)):
            raise UsageError(
                f"{quoted(bucket)} gives no valid bucket name for {region}",
                hint="3 to 63 lower-case letters, digits, dots and hyphens, and {region}",
            )
