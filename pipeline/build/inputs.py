"""The inputs of a build: the configuration and an upstream collector.

`BuildInputs` takes them from the checkout and from a repository, `bundling.BundleInputs` from a
bundle.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pipeline import paths
from pipeline.build.compile import Compiler
from pipeline.build.git import UpstreamRepository
from pipeline.build.sources import VARIABLE, GatheredUpstream
from pipeline.build.upstream import HostUpstream, UpstreamReader, check_ref, upstream_repository
from pipeline.config.folder import Config
from pipeline.files import output_errors


@dataclass(frozen=True, kw_only=True)
class BuildInputs:
    """The checkout's configuration, and the upstream collectors that the options name.

    Attributes:
        cache: the user cache.
        locked: True if only a locked build is possible.
        known: a Go module cache whose downloads are taken before those of a proxy, if any.
    """

    config: Config
    cache: Path
    known: Path | None = None
    locked: ClassVar[bool] = False

    def upstream(self, repository: str, ref: str) -> UpstreamReader:
        """Return an upstream collector.

        Raises:
            UsageError: the repository or the ref is not valid.
        """
        return requested_upstream(repository, ref, self.cache)

    def distribution(self, name: str, *, requested: bool) -> str:
        """Return the name of the distribution to build.

        Args:
            name: the value of the option.
            requested: True if the user gave the option.

        Raises:
            UsageError: there is no such distribution.
        """
        del requested
        self.config.distribution(name)
        return name

    def compiler(self, *, keep_temp: bool = False) -> Compiler:
        """Return the compiler of this machine."""
        return Compiler(caches=self.cache / "go", keep_temp=keep_temp, known=self.known)


@contextmanager
def with_own_cache(inputs: BuildInputs) -> Generator[BuildInputs]:
    """Give the same inputs with a new, empty cache instead of the user cache.

    Modules are taken from the downloads in the user cache, which Go compares with go.sum.

    Raises:
        OutputError: the user cache, in which the other one is made, cannot be written.
    """
    with output_errors(inputs.cache):
        inputs.cache.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=inputs.cache, prefix=".own-")
    with made as folder:
        yield replace(inputs, cache=Path(folder), known=inputs.compiler().module_cache)


def requested_upstream(
    given: str, ref: str, cache: Path, folder: Path | None = None
) -> UpstreamReader:
    """Return the upstream collector that the options name.

    Args:
        given: the repository, as in `--upstream-repo`.
        ref: branch, tag or commit.
        cache: the user cache.
        folder: its files instead of the repository's; without it, OCELOT_SOURCES is used if set.

    Raises:
        UsageError: the repository or the ref is not valid.
    """
    ref = check_ref(ref)
    if folder:
        return HostUpstream(
            origin=UpstreamRepository(given=given, folder=folder), ref=ref, cache=cache
        )
    if sources := os.environ.get(VARIABLE):
        return GatheredUpstream(given=given, ref=ref, folder=Path(sources))
    origin = upstream_repository(given, sample=paths.sample_upstream())
    return HostUpstream(origin=origin, ref=ref, cache=cache)
