"""Options that only the command line has, and the frame in which a command's work runs."""

import os
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.options import BenchOptions
from pipeline.spread import Function, Opt, option_group, spread

if TYPE_CHECKING:
    from pipeline.aws.session import Aws
    from pipeline.build.upstream import Upstream
    from pipeline.config.folder import Config
    from pipeline.progress import Progress

Result = TypeVar("Result")


def complete_distribution(incomplete: str) -> list[str]:
    """The distributions' names, for shell completion."""
    from pipeline.errors import OcelotError

    try:
        names = ConfigOptions().load().distributions
    except OcelotError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def option(name: str, opt: Opt) -> object:
    """What Typer reads of an option."""
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
    """A command that takes groups of options, as Typer expects it."""
    shown = _spread(command)
    # all of it is in the signature; of these, Typer would evaluate each twice, which takes time
    shown.__annotations__ = {}
    return shown


@option_group
class JsonOptions:
    """How results are shown."""

    as_json: Annotated[
        bool, Opt("Data as JSON on standard output, messages on standard error.", flags="--json")
    ] = False


@option_group
class RowOptions(JsonOptions):
    """How rows are shown."""

    as_csv: Annotated[bool, Opt("Data as CSV on standard output.", flags="--csv")] = False

    def check(self) -> None:
        """Refuse two forms at once.

        Raises:
            UsageError: both were given.
        """
        exclusive(("--json", self.as_json), ("--csv", self.as_csv))


@option_group
class VerboseOptions:
    """How the work is shown."""

    verbose: Annotated[bool, Opt("Every line of every program.", "-v")] = False


@option_group
class ConfigOptions:
    """Where the configuration is."""

    config: Annotated[
        Path | None, Opt("Config folder; default: config/.", variable="OCELOT_CONFIG")
    ] = None

    def load(self) -> "Config":
        """The configuration.

        Raises:
            UsageError: there is none.
            ConfigError: it has problems.
        """
        from pipeline import paths
        from pipeline.config.folder import load_config

        return load_config(paths.config_folder(self.config))


@option_group
class CommonOptions(ConfigOptions, VerboseOptions, JsonOptions):
    """What commands that work by the configuration have in common."""


@option_group
class OutputOptions:
    """Where a build's files are left."""

    output: Annotated[Path, Opt("Folder for the zips and manifest.json.", "-o")] = Path("dist")
    keep_temp: Annotated[bool, Opt("Keep the sources as they were compiled.")] = False


@option_group
class BundleOptions:
    """What is built from instead of the configuration and upstream."""

    bundle: Annotated[Path | None, Opt("Build from a bundle alone, without a network.")] = None


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
    """By which token a role is taken on."""

    oidc_token: Annotated[
        str, Opt("Where the token is: env:NAME, file:PATH, or actions, for GitHub Actions' own.")
    ] = "actions"

    def aws(self, role_arn: str, regions: tuple[str, ...]) -> "Aws":
        """Who asks AWS: a role taken on by the token, or the environment's own identity.

        Args:
            role_arn: empty for the environment's own.
            regions: the first one's STS is asked where AWS_REGION names none.

        Raises:
            AwsError: there is no such identity.
            UsageError: the token cannot be had.
        """
        from functools import partial

        from pipeline.aws.session import default_aws, role_aws
        from pipeline.trust.token import token_of

        if not role_arn:
            return default_aws()
        region = os.environ.get("AWS_REGION") or regions[0]
        return role_aws(role_arn, partial(token_of, self.oidc_token, os.environ), region)


@contextmanager
def shown_progress(*, verbose: bool = False) -> Generator["Progress"]:
    """Shows on standard error how the work goes, until the context ends."""
    from rich.console import Console

    from pipeline.progress import shown_by
    from pipeline.report import progress

    console = Console(stderr=True, highlight=False)
    with progress.shown_progress(console, os.environ, verbose=verbose) as shown, shown_by(shown):
        yield shown


def upstream_from(upstream_repo: str, upstream_ref: str, cache: Path) -> "Upstream":
    """The upstream that the options name: of OCELOT_SOURCES, else by this machine's git."""
    from pipeline import paths
    from pipeline.build import sources, upstream

    ref = upstream.check_ref(upstream_ref)
    if folder := os.environ.get(sources.VARIABLE):
        return sources.GatheredUpstream(given=upstream_repo, ref=ref, folder=Path(folder))
    origin = upstream.repository(upstream_repo, sample=paths.sample_upstream())
    return upstream.HostUpstream(origin=origin, ref=ref, cache=cache)


def exclusive(*given: tuple[str, bool]) -> None:
    """Refuse options that exclude each other.

    Raises:
        UsageError: more than one of them was given.
    """
    from pipeline.errors import UsageError

    names = [name for name, is_given in given if is_given]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other", hint=f"give {names[0]} alone")


def run(
    work: Callable[[], Awaitable[Result]],
    *,
    left: str = "no file was left half-written",
    kept: str = "finished steps are kept in the cache",
) -> Result:
    """Run asynchronous work; Ctrl-C, SIGTERM and SIGHUP cancel it and let it clean up.

    Args:
        work: what is to be done.
        left: how things are left when it is interrupted, for people.
        kept: what need not be done again then.

    Raises:
        InterruptedBuildError: a signal ended it.
    """
    import anyio

    from pipeline.errors import InterruptedBuildError

    async def supervised() -> Result:
        ended_by: list[signal.Signals] = []
        results: list[Result] = []

        async def watch(
            scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]
        ) -> None:
            watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            with anyio.open_signal_receiver(*watched) as signals:
                task_status.started()
                async for number in signals:
                    ended_by.append(number)
                    scope.cancel()

        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, tasks.cancel_scope)
            results.append(await work())
            tasks.cancel_scope.cancel()
        if not results:
            name = ended_by[0].name if ended_by else "a signal"
            raise InterruptedBuildError(
                f"interrupted by {name}; {left}",
                hint=f"run the same command again: {kept}",
            )
        return results[0]

    return anyio.run(supervised)
