"""The options of `layers used` and `reap`, which the command line and the Dagger module share."""

from typing import Annotated

from pipeline.options import AwsOptions, LayerNameOptions, OptionalTableOptions
from pipeline.spread import Opt, option_group


@option_group
class UsedOptions(AwsOptions, OptionalTableOptions, LayerNameOptions):
    """The functions of an account that use layers."""

    update: Annotated[
        list[str] | None,
        Opt(
            "Move these functions to the newest version of their layer: a name or an ARN, may be "
            "repeated, or `all`."
        ),
    ] = None
    dry_run: Annotated[bool, Opt("With --update: show what would be done; change nothing.")] = False


@option_group
class ReapOptions(AwsOptions, OptionalTableOptions, LayerNameOptions):
    """The layer versions to delete, and those to keep."""

    ssm_prefix: Annotated[
        str | None,
        Opt(
            "Prefix of the parameters in SSM that name layers: these layers are kept; with "
            "--restore, the parameters are set."
        ),
    ] = None
    distribution: Annotated[
        list[str] | None,
        Opt("Only layers of this distribution, may be repeated; default: all.", "-d"),
    ] = None
    release_group: Annotated[
        str | None, Opt("Only layers of this release group, such as beta.")
    ] = None
    older_than: Annotated[
        str | None,
        Opt("Keep younger layer versions: a number of hours, days or weeks: 36h, 90d, 12w."),
    ] = None
    keep: Annotated[int, Opt("Number of versions of each layer to keep.", minimum=0)] = 3
    across_versions: Annotated[
        bool,
        Opt(
            "Count the layers of a distribution, architecture and release group as one layer, "
            "whatever their collector version."
        ),
    ] = False
    force: Annotated[
        list[str] | None,
        Opt(
            "Delete layer versions though they are newest, used, lock, parameter, release or file; "
            "may be repeated.",
            metavar="REASON",
        ),
    ] = None
    repository: Annotated[
        str | None,
        Opt(
            "Repository on GitHub, owner/name, whose releases name layers: these are kept; "
            "`none` for none.",
            variable="GITHUB_REPOSITORY",
        ),
    ] = None
    api_url: Annotated[
        str,
        Opt("Address of GitHub's API, or of an Enterprise server's.", variable="GITHUB_API_URL"),
    ] = "https://api.github.com"
    apply: Annotated[
        bool,
        Opt(
            "Delete, or restore; without a terminal, --yes-delete and --plan are needed to delete."
        ),
    ] = False
    yes_delete: Annotated[
        int | None,
        Opt("Number of layer versions that the plan deletes.", minimum=1, metavar="N"),
    ] = None
    plan: Annotated[str | None, Opt("Digest of the printed plan.", metavar="DIGEST")] = None


@option_group
class RestoreOptions:
    """The deleted layer version to restore."""

    restore: Annotated[
        str | None,
        Opt(
            "Restore this deleted layer version as a new one, with the same bytes and for the same "
            "accounts; without --apply, only build its zip and check it.",
            metavar="ARN",
        ),
    ] = None
    bucket: Annotated[
        str | None,
        Opt("With --restore: S3 bucket in the layer's region, for a zip above 50 MB."),
    ] = None
