"""The options that the command line and the Dagger module share, each declared once.

A group of options is a frozen dataclass; a new option is one line in its group. `spread` shows the
groups flat on both faces. Importing this module costs nothing.
"""

from enum import StrEnum
from typing import Annotated

from pipeline.spread import Opt, option_group

UPSTREAM_REPO = "open-telemetry/opentelemetry-lambda"
TABLE = "PublishedCustomCollectorExtensionLayers"


class Architectures(StrEnum):
    """The architectures to build for."""

    ALL = "all"
    AMD64 = "amd64"
    ARM64 = "arm64"


class OneArchitecture(StrEnum):
    """The architecture to build for."""

    AMD64 = "amd64"
    ARM64 = "arm64"


@option_group
class UpstreamOptions:
    """Which upstream collector."""

    upstream_repo: Annotated[
        str, Opt("Upstream: owner/name on GitHub, a git URL, a path, or `sample`.", "-r")
    ] = UPSTREAM_REPO
    upstream_ref: Annotated[str, Opt("Branch, tag, or commit SHA, maybe short.", "-b")] = "main"


@option_group
class _Distribution:
    """Which distribution; a base of its own, since the options of the last base are shown first."""

    distribution: Annotated[str, Opt("A name from distributions.yaml.", "-d")] = "default"


@option_group
class DistributionOptions(UpstreamOptions, _Distribution):
    """Which distribution of which upstream."""


@option_group
class CompileOptions(DistributionOptions):
    """What to compile, and how strictly."""

    locked: Annotated[bool, Opt("Refuse to build anything but what ocelot.lock says.")] = False
    no_tune: Annotated[bool, Opt("Leave upstream's files as they are: no tunings.")] = False


@option_group
class LayerOptions(CompileOptions):
    """What to build for one architecture."""

    architecture: Annotated[OneArchitecture, Opt("What to build for.", "-a")] = (
        OneArchitecture.AMD64
    )


@option_group
class BuildOptions(CompileOptions):
    """What to build for which architectures."""

    architecture: Annotated[Architectures, Opt("What to build for.", "-a")] = Architectures.ALL


@option_group
class LockOptions(UpstreamOptions):
    """What to lock."""

    distribution: Annotated[
        list[str] | None,
        Opt("A name from distributions.yaml, once or more often; default: all.", "-d"),
    ] = None
    upgrade: Annotated[bool, Opt("Follow the ref to its newest commit, modules anew.")] = False


@option_group
class RoleOptions:
    """Who asks AWS."""

    role_arn: Annotated[str, Opt("A role to take on by an OIDC token.")] = ""


@option_group
class AwsOptions(RoleOptions):
    """Which account of AWS."""

    account: Annotated[str, Opt("The account id that it must be.")] = ""


@option_group
class TableOptions:
    """Which registry."""

    table: Annotated[str, Opt("The registry's table.", variable="DYNAMODB_TABLE_NAME")] = TABLE
    table_region: Annotated[
        str, Opt("Where the table is; default: AWS_REGION, the profile's region, or us-east-1.")
    ] = ""


@option_group
class OptionalTableOptions(TableOptions):
    """Which registry, if any."""

    table: Annotated[
        str, Opt("The registry's table; `none` for none.", variable="DYNAMODB_TABLE_NAME")
    ] = TABLE


@option_group
class LayerNameOptions:
    """Which layers, where."""

    regions: Annotated[str, Opt("A set of regions.yaml, `all`, or a list: a,b,c.")] = "default"
    layer_name: Annotated[str, Opt("What the layers' names begin with.", "-l")] = "ocel"


@option_group
class SyncOptions(AwsOptions, TableOptions, LayerNameOptions):
    """Which layers and rows to compare."""

    dry_run: Annotated[bool, Opt("Only show what would be done.")] = False


@option_group
class ReleaseGroupOptions(AwsOptions, OptionalTableOptions, LayerNameOptions):
    """What layers are published as."""

    release_group: Annotated[str, Opt("What the layers' names end with.")] = "beta"
    runtimes: Annotated[str, Opt("Lambda runtimes, a,b,c; default: all current ones.")] = ""
    public: Annotated[
        bool | None, Opt("Who may use the layers; default: as it is.", flags="--public/--private")
    ] = None
    bucket: Annotated[
        str, Opt("Bucket in each region for zips above 50 MB, such as NAME-{region}.")
    ] = ""
    no_bench: Annotated[
        bool, Opt("Run no layer before it is published.", flags="--no-bench/--bench")
    ] = False


@option_group
class PublishOptions(ReleaseGroupOptions, SyncOptions):
    """What to publish where."""


@option_group
class ReleaseOptions(ReleaseGroupOptions, BuildOptions):
    """What to build and to publish: for one architecture, in the configured region."""

    architecture: Annotated[Architectures, Opt("What to build for.", "-a")] = Architectures.AMD64
    regions: Annotated[str, Opt("Sets, `all`, or a,b,c; default: the configured region.")] = ""
    skip_publish: Annotated[bool, Opt("Only build.")] = False


@option_group
class BenchOptions:
    """How often a layer is run."""

    starts: Annotated[int, Opt("Cold starts of each layer.", least=1)] = 5
    invocations: Annotated[int, Opt("Invocations in each cold start.", least=1)] = 10
