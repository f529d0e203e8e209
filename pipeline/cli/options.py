"""Options that only the command line has, and Typer's form of all options."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.gitops_options import GitOpsOptions
from pipeline.options import BenchOptions
from pipeline.spread import Function, Opt, option_group, spread

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.config.folder import Config
    from pipeline.config.gitops import GitOps
    from pipeline.gitops.reading import GitOpsAddress
    from pipeline.report.rendering import Report


def complete_distribution(incomplete: str) -> list[str]:
    """Return the names of distributions for shell completion."""
    from pipeline.errors import OcelotError

    try:
        names = ConfigOptions().load().distributions
    except OcelotError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def option(name: str, opt: Opt) -> object:
    """Return an option as Typer expects it."""
    flags = opt.flags or f"--{name.replace('_', '-')}"
    return typer.Option(
        *(word for word in (flags, opt.short) if word),
        help=opt.help,
        min=opt.minimum,
        envvar=opt.variable or None,
        metavar=opt.metavar or None,
        autocompletion=complete_distribution if name == "distribution" else None,
    )


_spread = spread(option)


def shared(command: Function) -> Function:
    """Return a command that takes groups of options as Typer expects it."""
    shown = _spread(command)
    # the signature has all annotations; Typer would evaluate these once more, which takes time
    shown.__annotations__ = {}
    return shown


@option_group
class JsonOptions:
    """The form of the result."""

    as_json: Annotated[bool, Opt("Print the result as JSON.", flags="--json")] = False

    def show(self, text: str, *reports: "Report") -> None:
        """Print a result on standard output: its JSON text if requested, else its reports."""
        from pipeline.report.rendering import show

        if self.as_json:
            typer.echo(text, nl=False)
        else:
            show(*reports)


@option_group
class VerboseOptions:
    """How much of the work is shown."""

    verbose: Annotated[bool, Opt("Show every line that Go and other programs print.", "-v")] = False


@option_group
class ConfigOptions:
    """The configuration."""

    config: Annotated[
        Path | None, Opt("Config folder; default: config/ here or above.", variable="OCELOT_CONFIG")
    ] = None

    def load(self) -> "Config":
        """Read the configuration.

        Raises:
            UsageError: there is no config folder.
            ConfigError: a file in it has problems.
        """
        from pipeline import paths
        from pipeline.config.folder import load_config

        return load_config(paths.config_folder(self.config))


@option_group
class CommonOptions(ConfigOptions, VerboseOptions, JsonOptions):
    """The options of most commands."""


@option_group
class OutputOptions:
    """The files that a build writes."""

    output: Annotated[Path, Opt("Folder for the zips and manifest.json.", "-o")] = Path("dist")
    keep_temp: Annotated[bool, Opt("Keep the folder with the sources as compiled.")] = False


@option_group
class BundleOptions:
    """A bundle, which replaces the configuration and upstream."""

    bundle: Annotated[Path | None, Opt("Build from this bundle alone, without a network.")] = None


@option_group
class BenchCommandOptions(BenchOptions):
    """How layers are run, and what they are compared with."""

    against: Annotated[
        Path | None,
        Opt(
            "Another layer, whose starts alternate with these, or an earlier manifest.json.",
            metavar="ZIP|MANIFEST",
        ),
    ] = None
    collector_config: Annotated[
        Path | None,
        Opt("A collector's config that each layer must accept.", metavar="FILE"),
    ] = None
    gate: Annotated[
        bool,
        Opt(
            "Only the short run before publishing, of layers that have not passed; the result is "
            "noted in the manifest beside them.",
        ),
    ] = False
    env: Annotated[
        list[str] | None,
        Opt("A variable of the function's environment.", metavar="NAME[=VALUE]"),
    ] = None
    reference: Annotated[
        Path | None,
        Opt(
            "The compiled reference extension; default: it is compiled here, if Go is installed.",
            metavar="FILE",
        ),
    ] = None


@option_group
class TokenOptions:
    """The token with which a role is assumed."""

    oidc_token: Annotated[
        str,
        Opt("OIDC token for --role-arn: env:NAME, file:PATH, or actions (GitHub Actions' own)."),
    ] = "actions"

    def aws(self, role_arn: str | None, regions: tuple[str, ...]) -> "Aws":
        """Return the identity for calls to AWS: a role, or the environment's credentials.

        Args:
            role_arn: None for the environment's credentials.
            regions: the role is assumed in AWS_REGION, else in the first of these.

        Raises:
            AwsError: there are no credentials.
            UsageError: the token cannot be read.
        """
        from functools import partial

        from pipeline.aws.session import default_aws, role_aws
        from pipeline.trust.token import token_of

        if role_arn is None:
            return default_aws()
        region = os.environ.get("AWS_REGION") or regions[0]
        return role_aws(role_arn, partial(token_of, self.oidc_token, os.environ), region)


@option_group
class GitHubTokenOptions:
    """The token for GitHub's API."""

    token: Annotated[
        str, Opt("Token that may write contents on GitHub: env:NAME or file:PATH.")
    ] = "env:GITHUB_TOKEN"

    def read(self) -> str:
        """Return the token.

        Raises:
            UsageError: it cannot be read.
        """
        from pipeline.trust.token import github_token

        return github_token(self.token, os.environ)


@option_group
class GitOpsTokenOptions:
    """The token for the GitOps repository."""

    token: Annotated[
        str | None,
        Opt(
            "Token for the GitOps repository: env:NAME or file:PATH; default: OCELOT_GITOPS_TOKEN, "
            "else GITHUB_TOKEN on GitHub, if they are set."
        ),
    ] = None

    def address(self, options: GitOpsOptions, config: ConfigOptions) -> "GitOpsAddress":
        """Return the GitOps repository of options and configuration, which may be missing.

        Raises:
            UsageError: no repository is named, or the token cannot be read.
            ConfigError: the configuration has problems.
        """
        from pipeline.gitops.reading import gitops_address
        from pipeline.trust.token import github_token

        token = None if self.token is None else github_token(self.token, os.environ)
        return gitops_address(options, self.config(options, config), os.environ, token)

    def config(self, options: GitOpsOptions, config: ConfigOptions) -> "GitOps | None":
        """Return config/gitops.yaml alone; None where there is none and --repository is given.

        Raises:
            UsageError: there is no config folder.
            ConfigError: the file has problems.
        """
        from pipeline import paths
        from pipeline.config.gitops import GITOPS, read_gitops
        from pipeline.errors import ConfigError, UsageError

        try:
            found = read_gitops(paths.config_folder(config.config, GITOPS))
        except UsageError:  # there is no config folder
            if options.repository is None:
                raise
            return None
        if found.problems:
            raise ConfigError(found.problems)
        return found.entries.get(GITOPS)


@option_group
class ReleaseSourceOptions:
    """Files of this machine that say what is released."""

    run_file: Annotated[
        Path | None,
        Opt("A WorkflowRun as YAML, for its parameters.", flags="--from", metavar="FILE"),
    ] = None
    source: Annotated[
        Path | None,
        Opt("Local checkout of the source, whose commit is released.", metavar="FOLDER"),
    ] = None


@option_group
class RegistryPasswordOptions:
    """The password of the registry."""

    registry_password: Annotated[
        str, Opt("Password of --registry-user: env:NAME or file:PATH.", metavar="SOURCE")
    ] = "env:OCELOT_REGISTRY_PASSWORD"


@option_group
class ReleaseTokenOptions(TokenOptions):
    """The tokens of a release."""

    github_token: Annotated[str, Opt("Token for --github-release: env:NAME or file:PATH.")] = (
        "env:GITHUB_TOKEN"
    )


def exclusive(*given: tuple[str, bool]) -> None:
    """Reject options that exclude each other.

    Raises:
        UsageError: the user gave more than one of them.
    """
    from pipeline.errors import UsageError

    names = [name for name, is_given in given if is_given]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other", hint=f"give {names[0]} alone")
