"""The module's functions for published layers: listed, compared, in use, deleted and restored.

`Ocelot` inherits them. Their commands are `ocelot layers` and `ocelot reap`.
"""

from __future__ import annotations

from typing import Annotated

from dagger import Container, Directory, Doc, File, ReturnType, Secret

from pipeline.errors import UsageError
from pipeline.module.steps import (
    Credentials,
    GoOptions,
    Steps,
    command,
    with_aws,
    with_credentials,
    with_job,
)
from pipeline.options import ListOptions, SyncOptions
from pipeline.reap_options import ReapOptions, RestoreOptions, UsedOptions
from pipeline.spread import Opt, arguments, option_group

FOLDER = "reaped"
TOMBSTONES = f"{FOLDER}/tombstones"
REPORT = "reap.json"
EXIT_CODE = "exit-code"


@option_group
class FormOptions:
    """The form of a text; `dagger call` has an option --json of its own."""

    as_json: Annotated[bool, Opt("Return JSON instead of a table.", flags="--json")] = False


@option_group
class ReapAccess(GoOptions):
    """The files that a reap reads, and the token for GitHub."""

    keep_file: Annotated[
        list[File] | None,
        Opt(
            "Keep the layer versions whose ARNs stand in this file, of whatever form; may be "
            "repeated."
        ),
    ] = None
    github_token: Annotated[Secret | None, Opt("Token to read the releases of --repository.")] = (
        None
    )
    tombstones: Annotated[
        Directory | None, Opt("With --table none: folder of the tombstones of earlier runs.")
    ] = None
    bundle: Annotated[
        File | None,
        Opt("With --restore: build from this bundle alone, without a network."),
    ] = None
    zip: Annotated[
        File | None, Opt("With --restore: a kept file of the zip; its sha256 is checked.")
    ] = None


class LayerFunctions:
    """The functions for published layers.

    Attributes:
        config: the config folder.
    """

    config: Directory

    @command(cache="never")
    async def sync(self, options: SyncOptions, go: GoOptions, aws: Credentials) -> str:
        """Repair the registry, and parameters, where they do not match AWS' layers; return JSON."""
        tool = await Steps(self.config, go).toolchain()
        line = ["layers", "sync", "--json", *arguments(options)]
        return await with_aws(tool, aws, *line).stdout()

    @command(cache="never")
    async def layers(
        self, options: ListOptions, go: GoOptions, aws: Credentials, form: FormOptions
    ) -> str:
        """List the published layer versions in the registry, newest first."""
        tool = await Steps(self.config, go).toolchain()
        line = ["layers", "list", *arguments(options, form)]
        return await with_aws(tool, aws, *line).stdout()

    @command(cache="never")
    async def used(
        self, options: UsedOptions, go: GoOptions, aws: Credentials, form: FormOptions
    ) -> str:
        """List the functions that use the layers, and the commands that move them to newer ones."""
        tool = await Steps(self.config, go).toolchain()
        line = ["layers", "used", *arguments(options, form)]
        return await with_aws(tool, aws, *line).stdout()

    @command(cache="never")
    async def reap(
        self,
        options: ReapOptions,
        restoring: RestoreOptions,
        access: ReapAccess,
        aws: Credentials,
        pattern: Annotated[str | None, Doc("Glob of layer names, such as 'ocel-*-beta'.")] = None,
    ) -> Directory:
        """Plan which old layer versions to delete, or restore one; with --apply do it.

        Return reap.json and .md, with --table none the tombstones, and exit-code: if it is not 0,
        something failed, and reap.json says what.
        """
        tool = with_job(await Steps(self.config, access).toolchain(), f"{FOLDER}/reap")
        tool, files = await _with_files(_with_access(tool, access), access)
        tool, credentials = with_credentials(tool, aws)
        words = [] if pattern is None else [pattern]
        words += arguments(options, restoring)
        more = [*files, *credentials, f"--tombstones={TOMBSTONES}", "--json"]
        return await _reaped(tool, ["ocelot", "reap", *words, *more])


def _with_access(tool: Container, access: ReapAccess) -> Container:
    """Give the command the token and the tombstones of earlier runs."""
    if access.github_token:
        tool = tool.with_secret_variable("GITHUB_TOKEN", access.github_token)
    if access.tombstones:
        tool = tool.with_directory(TOMBSTONES, access.tombstones)
    return tool


async def _with_files(tool: Container, access: ReapAccess) -> tuple[Container, list[str]]:
    """Give the command its files; return also its options."""
    named: list[tuple[str, File | None]] = [
        *[("keep-file", each) for each in access.keep_file or []],
        *[("bundle", access.bundle), ("zip", access.zip)],
    ]
    more: list[str] = []
    for option, file in named:
        if file:  # by its name, which the plan shows
            path = f"given/{len(more)}/{await file.name()}"
            tool = tool.with_mounted_file(path, file)
            more.append(f"--{option}={path}")
    return tool, more


async def _reaped(tool: Container, line: list[str]) -> Directory:
    """Run the command, which may fail in part; return its folder, with its exit code."""
    ran = tool.with_exec(line, redirect_stdout=f"{FOLDER}/{REPORT}", expect=ReturnType.ANY)
    ran = await ran.sync()
    code, folder = await ran.exit_code(), ran.directory(FOLDER)
    has_report = await folder.file(REPORT).size() > 0
    if code == UsageError.exit_code or (code and not has_report):  # nothing was done
        raise ValueError(await ran.stderr())
    return folder.with_new_file(EXIT_CODE, f"{code}\n")
