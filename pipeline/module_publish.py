"""The Dagger module's functions that publish, with their arguments; they are never cached.

A module sees nothing of its caller's environment: credentials are handed over as secrets, and
without them it refuses to go on, rather than to take those of the machine on which the engine runs.
"""

# The SDK's overloads know no `cache`.
# pyright: reportCallIssue=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import dagger
from anyio import to_thread
from dagger import Doc, function

from pipeline import defaults
from pipeline.build.engines import dagger as engines
from pipeline.errors import PublishError, UsageError
from pipeline.module_bench import NoBench, try_layers
from pipeline.module_options import (
    Architectures,
    BuiltFolder,
    DistributionName,
    GitToken,
    GoImage,
    GoProxy,
    Locked,
    NoTune,
    Options,
    UpstreamFolder,
    UpstreamRef,
    UpstreamRepo,
    architectures_of,
    own_config,
    own_workspace,
    told,
)
from pipeline.publish.asked import PublishAsked, naming
from pipeline.publish.aws.session import Aws, keys_aws, role_aws
from pipeline.publish.fetch import built_manifest, fetch, published_versions
from pipeline.publish.run import Publishing, check_outcomes, preflight
from pipeline.report.progress import plain_progress
from pipeline.report.publish import outcome_lines, write_reports

_CREDENTIALS = "--role-arn with --oidc-token, or --access-key-id with --secret-access-key"

Regions = Annotated[str, Doc("A set of regions.yaml, `all`, or a list: a,b,c.")]
Table = Annotated[str, Doc("The registry's DynamoDB table; `none` for none.")]
TableRegion = Annotated[str, Doc("Where the table is; default: us-east-1.")]
LayerName = Annotated[str, Doc("What the layers' names begin with.")]
ReleaseGroup = Annotated[str, Doc("What the layers' names end with.")]
Runtimes = Annotated[str, Doc("Lambda runtimes, a,b,c; default: all current ones.")]
Public = Annotated[bool | None, Doc("Whether everybody may use the layers; default: as it is.")]
DryRun = Annotated[bool, Doc("Only tell what would be done.")]
SkipPublish = Annotated[bool, Doc("Only build.")]
Account = Annotated[str, Doc("The account id that it must be.")]
Bucket = Annotated[str, Doc("Bucket in each region for zips above 50 MB, such as NAME-{region}.")]
RoleArn = Annotated[str, Doc("A role to take on by an OIDC token.")]
OidcToken = Annotated[dagger.Secret | None, Doc("The token by which the role is taken on.")]
AccessKeyId = Annotated[dagger.Secret | None, Doc("An access key's id, instead of a role.")]
SecretAccessKey = Annotated[dagger.Secret | None, Doc("The access key.")]
SessionToken = Annotated[dagger.Secret | None, Doc("The access key's session token, if any.")]
PublishReport = Annotated[dagger.File, Doc("publish.json, as `publish` hands it out.")]
EndpointUrl = Annotated[str, Doc("Where AWS is, for emulators.")]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who is to publish."""

    role_arn: str
    oidc_token: dagger.Secret | None
    access_key_id: dagger.Secret | None
    secret_access_key: dagger.Secret | None
    session_token: dagger.Secret | None
    endpoint_url: str

    async def aws(self, region: str) -> Aws:
        """The identity.

        Args:
            region: whose STS is asked.

        Raises:
            UsageError: it is not told, or told twice.
            AwsError: the role cannot be taken on.
        """
        by_role = bool(self.role_arn and self.oidc_token)
        by_key = bool(self.access_key_id and self.secret_access_key)
        if by_role == by_key or bool(self.role_arn) != bool(self.oidc_token):
            raise UsageError("a module has no credentials of its own", hint=f"give {_CREDENTIALS}")
        if by_role:
            token = await _plain(self.oidc_token)
            return await to_thread.run_sync(
                role_aws, self.role_arn, lambda: token, region, self.endpoint_url
            )
        return keys_aws(
            await _plain(self.access_key_id),
            await _plain(self.secret_access_key),
            await _plain(self.session_token),
            self.endpoint_url,
        )


async def _plain(secret: dagger.Secret | None) -> str:
    return (await secret.plaintext()).strip() if secret else ""


async def _published(publishing: Publishing, folder: Path, asked: PublishAsked) -> Path:
    """Publish a folder's zips; the answer is the folder with what came of it."""
    publishing.request = replace(publishing.request, packages=asked.packages([folder]))
    publishing.progress = plain_progress()
    done = await publishing.publish()
    try:
        check_outcomes(done.outcomes)
    except PublishError as error:
        raise error.retold(str(error), (*error.details, *outcome_lines(done.outcomes))) from None
    return write_reports(done, own_workspace() / "published")


class PublishFunctions:
    """What of the module publishes."""

    config: dagger.Directory

    @function(cache="never")
    @told
    async def publish(
        self,
        layers: BuiltFolder,
        regions: Regions = defaults.REGIONS,
        table: Table = defaults.TABLE,
        table_region: TableRegion = "",
        layer_name: LayerName = defaults.LAYER_NAME,
        release_group: ReleaseGroup = defaults.RELEASE_GROUP,
        runtimes: Runtimes = "",
        public: Public = None,
        dry_run: DryRun = False,
        account: Account = "",
        bucket: Bucket = "",
        go_image: GoImage = "",
        no_bench: NoBench = False,
        role_arn: RoleArn = "",
        oidc_token: OidcToken = None,
        access_key_id: AccessKeyId = None,
        secret_access_key: SecretAccessKey = None,
        session_token: SessionToken = None,
        endpoint_url: EndpointUrl = "",
    ) -> dagger.Directory:
        """Publish layers to every region at once, each exactly once.

        It hands out publish.json and publish.md. Where a region fails, the call fails, and its
        error tells what was done in the others; the same call again goes on.
        """
        asked = PublishAsked(
            naming=naming(layer_name, release_group, runtimes),
            regions=regions,
            public=public,
            account=account,
            bucket=bucket,
            table=table,
            table_region=table_region,
        )
        who = Credentials(
            role_arn=role_arn,
            oidc_token=oidc_token,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            endpoint_url=endpoint_url,
        )
        folder = own_workspace() / "layers"
        await layers.export(str(folder))
        publishing = replace(await self._publishing(asked, who), dry_run=dry_run)
        if not dry_run:
            await self._try(folder, asked, go_image, wanted=not no_bench)
        return engines.from_module(await _published(publishing, folder, asked))

    @function(cache="never")
    @told
    async def release(
        self,
        distribution: DistributionName = "default",
        architecture: Architectures = "amd64",
        upstream_repo: UpstreamRepo = defaults.UPSTREAM_REPO,
        upstream_ref: UpstreamRef = defaults.UPSTREAM_REF,
        upstream: UpstreamFolder = None,
        git_token: GitToken = None,
        go_image: GoImage = "",
        go_proxy: GoProxy = "",
        locked: Locked = False,
        no_tune: NoTune = False,
        skip_publish: SkipPublish = False,
        regions: Regions = "",
        table: Table = defaults.TABLE,
        table_region: TableRegion = "",
        layer_name: LayerName = defaults.LAYER_NAME,
        release_group: ReleaseGroup = defaults.RELEASE_GROUP,
        runtimes: Runtimes = "",
        public: Public = None,
        account: Account = "",
        bucket: Bucket = "",
        no_bench: NoBench = False,
        role_arn: RoleArn = "",
        oidc_token: OidcToken = None,
        access_key_id: AccessKeyId = None,
        secret_access_key: SecretAccessKey = None,
        session_token: SessionToken = None,
        endpoint_url: EndpointUrl = "",
    ) -> dagger.Directory:
        """Build a distribution's layer, then publish it in the regions named.

        It hands out what `build` does, and publish.json and publish.md beside it.
        """
        options = Options(
            upstream_repo=upstream_repo,
            upstream_ref=upstream_ref,
            upstream=upstream,
            git_token=git_token,
            go_image=go_image,
            go_proxy=go_proxy,
            locked=locked,
            no_tune=no_tune,
        )
        asked = PublishAsked(
            naming=naming(layer_name, release_group, runtimes),
            regions=regions,
            public=public,
            account=account,
            bucket=bucket,
            table=table,
            table_region=table_region,
        )
        who = Credentials(
            role_arn=role_arn,
            oidc_token=oidc_token,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            endpoint_url=endpoint_url,
        )
        publishing = None if skip_publish else await self._publishing(asked, who)
        if publishing:  # no minutes of compiling for somebody who may not publish
            await preflight(publishing.request, publishing.aws, publishing.records)
        wanted = await options.asked(distribution, architectures_of(architecture), self.config)
        folder = (await wanted.built()).folder
        if publishing is None:
            return engines.from_module(folder)
        await self._try(folder, asked, go_image, wanted=not no_bench)
        reports = await _published(publishing, folder, asked)
        return engines.from_module(folder).with_directory(".", engines.from_module(reports))

    @function(cache="never")
    @told
    async def fetch(
        self,
        published: PublishReport,
        layers: BuiltFolder,
        role_arn: RoleArn = "",
        oidc_token: OidcToken = None,
        access_key_id: AccessKeyId = None,
        secret_access_key: SecretAccessKey = None,
        session_token: SessionToken = None,
        endpoint_url: EndpointUrl = "",
    ) -> dagger.Directory:
        """Fetch what AWS serves of layers that were published, from every region.

        It hands out the zips and their manifest.json, as `verify` takes them, and fails where a
        region serves something else than was published.
        """
        who = Credentials(
            role_arn=role_arn,
            oidc_token=oidc_token,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            endpoint_url=endpoint_url,
        )
        folder, report = own_workspace() / "layers", own_workspace() / "publish.json"
        await layers.export(str(folder))
        await published.export(str(report))
        versions = published_versions(report)
        manifest = built_manifest(versions, folder)
        aws = await who.aws(versions[0].arn.region)
        output = own_workspace() / "served"
        await fetch(versions, manifest, aws, output, plain_progress())
        return engines.from_module(output)

    async def _try(self, folder: Path, asked: PublishAsked, go_image: str, *, wanted: bool) -> None:
        """Try a folder's layers, if they can be published at all."""
        asked.packages([folder])
        await try_layers(folder, await own_config(self.config), go_image, wanted=wanted)

    async def _publishing(self, asked: PublishAsked, who: Credentials) -> Publishing:
        """What publishes, once there are zips."""
        config = await own_config(self.config)
        request = asked.requested((), config)
        aws = await who.aws(request.regions[0])
        journal = own_workspace() / "publish.jsonl"
        return Publishing(
            request=request, aws=aws, records=asked.records(aws, config), journal=journal
        )
