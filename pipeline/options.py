"""The options that the command line and the Dagger module share, each declared once.

A group of options is a frozen dataclass; a new option is one line in its group. `spread` gives a
command or a function of the module the options of its groups, and refuses empty values: the default
of an option that need not have a value is None. Importing this module is quick.
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
    """The upstream collector."""

    upstream_repo: Annotated[
        str, Opt("Upstream: owner/name on GitHub, a git URL, a path, or `sample`.", "-r")
    ] = UPSTREAM_REPO
    upstream_ref: Annotated[str, Opt("Branch, tag, or commit SHA (full or short).", "-b")] = "main"


@option_group
class _Distribution:
    """The distribution; a class of its own, since the options of the last base are shown first."""

    distribution: Annotated[
        str, Opt("Name of a distribution in config/distributions.yaml.", "-d")
    ] = "default"


@option_group
class DistributionOptions(UpstreamOptions, _Distribution):
    """The distribution and the upstream collector."""


@option_group
class CompileOptions(DistributionOptions):
    """A build, without its architectures."""

    locked: Annotated[bool, Opt("Fail unless the build is exactly as locked in ocelot.lock.")] = (
        False
    )
    no_tune: Annotated[
        bool, Opt("Build upstream's code without the changes in config/tuning.yaml.")
    ] = False


@option_group
class LayerOptions(CompileOptions):
    """A build for one architecture."""

    architecture: Annotated[OneArchitecture, Opt("Architecture of the layer.", "-a")] = (
        OneArchitecture.AMD64
    )


@option_group
class BuildOptions(CompileOptions):
    """A build for one architecture or both."""

    architecture: Annotated[Architectures, Opt("Architecture of the layer.", "-a")] = (
        Architectures.ALL
    )


@option_group
class ExplainOptions:
    """The explanations that a build gives."""

    explain_size: Annotated[
        bool, Opt("Link once more, and show what keeps the linker from dropping unused methods.")
    ] = False


@option_group
class LockOptions(UpstreamOptions):
    """The distributions to lock."""

    distribution: Annotated[
        list[str] | None,
        Opt("Name of a distribution, may be repeated; default: all.", "-d"),
    ] = None
    upgrade: Annotated[bool, Opt("Lock the ref's newest commit; resolve Go modules again.")] = False


@option_group
class RoleOptions:
    """The role in AWS."""

    role_arn: Annotated[str | None, Opt("ARN of a role to assume with an OIDC token.")] = None


@option_group
class AwsOptions(RoleOptions):
    """The role and the account in AWS."""

    account: Annotated[
        str | None, Opt("Expected AWS account id; fail if the credentials are for another.")
    ] = None


@option_group
class TableOptions:
    """The registry."""

    table: Annotated[
        str,
        Opt("DynamoDB table of published layers: the registry.", variable="DYNAMODB_TABLE_NAME"),
    ] = TABLE
    table_region: Annotated[
        str | None,
        Opt("Region of the table; default: AWS_REGION, the profile's region, or us-east-1."),
    ] = None


@option_group
class OptionalTableOptions(TableOptions):
    """The registry, if there is one."""

    table: Annotated[
        str,
        Opt(
            "DynamoDB table of published layers: the registry; `none` for none.",
            variable="DYNAMODB_TABLE_NAME",
        ),
    ] = TABLE


@option_group
class _LayerFilter:
    """Conditions; a class of its own, since the options of the last base are shown first."""

    distribution: Annotated[
        str | None, Opt("Only this distribution, even one not in the config.", "-d")
    ] = None
    region: Annotated[str | None, Opt("Only this region.")] = None
    architecture: Annotated[Architectures, Opt("Only this architecture.", "-a")] = Architectures.ALL
    version: Annotated[str | None, Opt("Only this collector version, such as 0.158.0.")] = None
    public: Annotated[
        bool | None,
        Opt("Only layers for all AWS accounts, or only others.", flags="--public/--private"),
    ] = None


@option_group
class ListOptions(RoleOptions, TableOptions, _LayerFilter):
    """The layer versions to list."""

    deleted: Annotated[bool, Opt("List the deleted ones instead, last deletion first.")] = False


@option_group
class LayerNameOptions:
    """The layers and regions."""

    regions: Annotated[
        str | None, Opt("Set of regions in config/regions.yaml, `all`, or a list: a,b,c.")
    ] = "default"
    layer_name: Annotated[str, Opt("Start of each layer's name.", "-l")] = "ocel"


@option_group
class ParameterOptions:
    """The parameters in SSM that name the layers."""

    ssm_prefix: Annotated[
        str | None,
        Opt(
            "Have parameters in SSM name the layers, such as /ocel/minimal/arm64/latest for the "
            "prefix /ocel; each release group needs a prefix of its own."
        ),
    ] = None


@option_group
class SyncOptions(AwsOptions, TableOptions, LayerNameOptions, ParameterOptions):
    """The layers and rows to compare."""

    dry_run: Annotated[bool, Opt("Show what would be done; change nothing.")] = False


@option_group
class ReleaseGroupOptions(AwsOptions, OptionalTableOptions, LayerNameOptions, ParameterOptions):
    """How layers are published."""

    release_group: Annotated[
        str | None,
        Opt(
            "End of each layer's name, such as beta or prod; default: beta where the variable CI "
            "is set, else local."
        ),
    ] = None
    runtimes: Annotated[
        str | None, Opt("Compatible Lambda runtimes: a,b,c; default: all current ones.")
    ] = None
    public: Annotated[
        bool | None,
        Opt(
            "Let all AWS accounts use the layers, or take that away; default: no change.",
            flags="--public/--private",
        ),
    ] = None
    share: Annotated[
        list[str] | None,
        Opt(
            "Let exactly these use the layers: a list of org:o-… and account:123456789012, may be "
            "repeated, or `none`; default: no change."
        ),
    ] = None
    bucket: Annotated[
        str | None, Opt("S3 bucket for zips above 50 MB, one per region: NAME-{region}.")
    ] = None
    move_back: Annotated[
        bool,
        Opt("Let the parameters go back to an older layer, or to another release group's."),
    ] = False
    no_bench: Annotated[
        bool, Opt("Skip the trial run of the layers before publishing.", flags="--no-bench/--bench")
    ] = False


@option_group
class GitHubOptions:
    """The release on GitHub."""

    repository: Annotated[
        str | None,
        Opt("Repository on GitHub: owner/name; default: GITHUB_REPOSITORY, or git's origin."),
    ] = None
    target: Annotated[
        str | None,
        Opt(
            "SHA of the commit for the release's tag; default: head of the default branch.",
            variable="GITHUB_SHA",
        ),
    ] = None
    prerelease: Annotated[
        bool | None,
        Opt(
            "Mark the release as a pre-release, or not; default: no change.",
            flags="--prerelease/--no-prerelease",
        ),
    ] = None
    draft: Annotated[bool, Opt("Leave the release a draft.")] = False
    api_url: Annotated[
        str,
        Opt("Address of GitHub's API, or of an Enterprise server's.", variable="GITHUB_API_URL"),
    ] = "https://api.github.com"


@option_group
class SignerOptions:
    """The attestations of the zips."""

    signer_workflow: Annotated[
        str | None,
        Opt("Workflow that attested the zips, for the notes: owner/name/.github/workflows/FILE."),
    ] = None


@option_group
class GitHubReleaseOptions(GitHubOptions, SignerOptions):
    """The published layers of which a release is made."""

    distribution: Annotated[
        str | None, Opt("Name of the distribution, if publish.json has several.", "-d")
    ] = None
    release_group: Annotated[
        str | None, Opt("Expected release group; needed only for `local`.")
    ] = None
    dry_run: Annotated[bool, Opt("Show what would be done; change nothing.")] = False


@option_group
class PublishOptions(ReleaseGroupOptions, SyncOptions):
    """Layers to publish, and how."""


@option_group
class ReleaseOptions(GitHubOptions, ReleaseGroupOptions, BuildOptions):
    """A layer to build and publish, by default for amd64 and in the configured region."""

    architecture: Annotated[Architectures, Opt("Architecture of the layer.", "-a")] = (
        Architectures.AMD64
    )
    regions: Annotated[
        str | None, Opt("As for `publish`; default: AWS_REGION, or the profile's region.")
    ] = None
    skip_publish: Annotated[bool, Opt("Build only.")] = False
    github_release: Annotated[
        bool, Opt("Then make a release on GitHub, as `github-release` does.")
    ] = False


@option_group
class NotesOptions(RoleOptions, OptionalTableOptions, SignerOptions):
    """The release whose notes are written."""

    distribution: Annotated[
        str | None, Opt("Distribution of the layers, if there are layers of several.", "-d")
    ] = None
    release_group: Annotated[
        str | None, Opt("Release group, if the layers were published in several.")
    ] = None
    repository: Annotated[
        str | None,
        Opt(
            "Repository on GitHub where the zips are attested, as owner/name.",
            variable="GITHUB_REPOSITORY",
        ),
    ] = None


@option_group
class InspectOptions:
    """The parts of an inspection that are shown besides the summary."""

    modules: Annotated[bool, Opt("List the Go modules with their versions.")] = False
    sizes: Annotated[bool, Opt("List the bytes that each Go module takes.")] = False
    top: Annotated[int, Opt("Number of rows of --sizes, largest first; 0 for all.", minimum=0)] = 20


@option_group
class VerifyOptions:
    """How layers are built again."""

    shared_cache: Annotated[
        bool,
        Opt(
            "Use the sources and packages in the user cache: much faster, but a cache that was "
            "changed is not noticed."
        ),
    ] = False


@option_group
class BenchOptions:
    """How often the bench runs a layer."""

    starts: Annotated[int, Opt("Number of cold starts of each layer.", minimum=1)] = 5
    invocations: Annotated[int, Opt("Number of invocations in each cold start.", minimum=1)] = 10
