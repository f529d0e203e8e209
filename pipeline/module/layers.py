"""The module's functions for layers that are published: the verbs of `ocelot layers`.

`Ocelot` inherits them.
"""

from __future__ import annotations

from typing import Annotated

from dagger import Directory

from pipeline.module.steps import (
    Credentials,
    GoOptions,
    Steps,
    command,
    with_aws,
)
from pipeline.options import ListOptions, SyncOptions
from pipeline.spread import Opt, arguments, option_group


@option_group
class FormOptions:
    """The form of a text; `dagger call` has an option --json of its own."""

    as_json: Annotated[bool, Opt("Return JSON instead of a table.", flags="--json")] = False


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
