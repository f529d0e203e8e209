"""The command line. Each noun has a file; this one builds the app and turns errors into exit codes.

Commands import what they need when they run, so that `--help` and completion stay quick.
"""

from __future__ import annotations

import os
import sys
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
    inspect,
    layers,
    lock,
    oidc,
    publish,
    release,
    sources,
    verify,
)
from pipeline.errors import EXIT_CODES, InterruptedBuildError, OcelotError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = "\n".join(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())

app = typer.Typer(
    name="ocelot",
    help="Custom OpenTelemetry Collector layers for AWS Lambda, from one command.",
    epilog=f"\b\nExit codes:\n{_CODES}",  # \b keeps the lines as they are,
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
app.command("bundle")(bundle.bundle)
app.command("verify")(verify.verify)
app.command("bench")(bench.bench)
app.command("inspect")(inspect.inspect)
app.command("sources", hidden=True)(sources.sources)
app.command("components")(components.components)
app.add_typer(config.app, name="config")
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


def main() -> None:
    """Run the command line and exit with the code of its error class."""
    try:
        app()  # ends by SystemExit, with 2 for what click refuses
    except KeyboardInterrupt:
        _fail(InterruptedBuildError("interrupted", hint="run the same command to go on"))
    except OcelotError as error:
        _fail(error)
    except BaseExceptionGroup as group:
        known = [each for each in _leaves(group) if isinstance(each, OcelotError)]
        if not known:
            raise
        _fail(known[0])


def _fail(error: OcelotError) -> None:
    from rich.console import Console

    from pipeline.report.failure import show_error

    show_error(error, Console(stderr=True, highlight=False), os.environ)
    sys.exit(error.exit_code)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield each
