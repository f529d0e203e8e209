"""The command line: each command parses its options, calls one function, and prints the result.

This file builds the app and turns errors into exit codes; `main` is the entry point of `ocelot`.
Every command has a file of its name; `layers/` and `gitops/` have one for each verb. A command
takes its options as groups: from `pipeline/options.py` if the Dagger module has them too, else from
`options`.

A command runs in these stages:
1. Typer parses the command line; `options.shared` puts the options into their groups.
2. The command loads what it works on: `ConfigOptions.load` the configuration, `inputs` the
   configuration and upstream or a bundle, `TokenOptions.aws` the identity in AWS.
3. `running.run` runs the work of another room, with progress on standard error; signals end it.
4. `JsonOptions.show` prints the result, as JSON or as a report of `pipeline/report/`.
5. `main` prints an error and exits with the code of its class.

Commands import what they need when they run, so that `--help` and completion are quick.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import (
    bench,
    build,
    bundle,
    components,
    config,
    doctor,
    fetch,
    github_release,
    gitops,
    inspect,
    layers,
    lock,
    notes,
    oidc,
    printing,
    publish,
    reap,
    release,
    sources,
    verify,
)
from pipeline.errors import EXIT_CODES, InterruptedBuildError, OcelotError, OutputError, UsageError
from pipeline.report import NARROWEST
from pipeline.spread import empty_value

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping, Sequence

_HELP = """Custom OpenTelemetry Collector layers for AWS Lambda, from one command.

A distribution in config/distributions.yaml names the components of a collector. ocelot builds it
from upstream's sources: a layer's zip for each architecture, and manifest.json. It publishes zips
as layers to AWS regions and lists these in a DynamoDB table, the registry.
"""
_CODES = "\n".join(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())
_NUMBER = re.compile("[0-9]{1,5}")


app = typer.Typer(
    name="ocelot",
    help=_HELP,
    epilog=f"\b\nExit codes:\n{_CODES}",  # \b keeps the lines
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help needs no import of rich: half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("build")(build.build)
app.command("doctor")(doctor.doctor)
app.command("lock")(lock.lock)
app.command("publish")(publish.publish)
app.command("release")(release.release)
app.command("fetch")(fetch.fetch)
app.command("reap")(reap.reap)
app.command("notes")(notes.notes)
app.command("github-release")(github_release.github_release)
app.command("bundle")(bundle.bundle)
app.command("verify")(verify.verify)
app.command("bench")(bench.bench)
app.command("inspect")(inspect.inspect)
app.command("sources", hidden=True)(sources.sources)
app.command("components")(components.components)
app.add_typer(config.app, name="config")
app.add_typer(gitops.app, name="gitops")
app.add_typer(layers.app, name="layers")
app.add_typer(oidc.app, name="oidc")


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"ocelot {version('ocelot')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    del version
    try:
        os.getcwd()  # noqa: PTH109  not used as a path
    except FileNotFoundError:
        raise UsageError(
            "the working folder does not exist any more", hint="change to another folder"
        ) from None


def main() -> None:
    """Run the command line, and exit with the code of the error's class."""
    printing.protect_output()
    _drop_unusable_width(os.environ)
    try:
        _run()
    except SystemExit as ended:
        failure = printing.output_failure()
        if failure and not ended.code:
            message = f"standard output cannot be written: {failure}; the work itself is done"
            _fail(OutputError(message, hint="write it to another place"))
        raise


def _run() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, too
    try:
        _check_arguments(sys.argv[1:])
        app()  # ends by SystemExit, with 2 for a command line that Typer rejects
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends without a traceback
        _fail(InterruptedBuildError("interrupted", hint="run the same command again"))
    except OcelotError as error:
        _fail(error)
    except BaseExceptionGroup as group:
        known = [each for each in _leaves(group) if isinstance(each, OcelotError)]
        if not known:
            raise
        _fail(known[0])


def _drop_unusable_width(environment: MutableMapping[str, str]) -> None:
    """Unset COLUMNS if nothing can be printed with it, so that the terminal is measured."""
    columns = environment.get("COLUMNS", "")
    number = int(columns) if _NUMBER.fullmatch(columns) else 0
    if number < NARROWEST:
        environment.pop("COLUMNS", None)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: a path would be this folder, a name would lack a part."""
    for before, each in pairwise(("", *arguments)):
        option, equals, value = each.partition("=")
        if not each.strip():
            raise empty_value(before if before.startswith("-") else "an argument")
        if option.startswith("--") and equals and not value.strip():
            raise empty_value(option)


def _fail(error: OcelotError) -> None:
    from pipeline.report.messages import show_error
    from pipeline.report.rendering import screen

    show_error(error, screen(stderr=True), os.environ)
    sys.exit(error.exit_code)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield each
