"""The folders of the configuration, the sample upstream and the user cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from pipeline.errors import UsageError

DISTRIBUTIONS = "distributions.yaml"
_CHECKOUT = Path(__file__).resolve().parents[1]


def config_folder(given: Path | None) -> Path:
    """The config folder: the one given, else `config/` here or above, else ocelot's own.

    Raises:
        UsageError: there is none.
    """
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents, _CHECKOUT):
        if (folder / "config" / DISTRIBUTIONS).is_file():
            return folder / "config"
    raise UsageError(
        f"there is no config/{DISTRIBUTIONS} here or in a folder above",
        hint="run ocelot in a checkout, or name the folder with --config",
    )


def sample_upstream() -> Path:
    """The folder that `--upstream-repo sample` means; it comes with a checkout."""
    return _CHECKOUT / "tests" / "upstream"


def cache_folder() -> Path:
    """The user cache: OCELOT_CACHE, else the platform's own folder."""
    given = os.environ.get("OCELOT_CACHE")
    return Path(given).absolute() if given else platformdirs.user_cache_path("ocelot")


def go_caches() -> Path:
    """Go's caches, as builds on this machine fill them."""
    return cache_folder() / "go"


def module_cache() -> Path:
    """Of those, the one of modules."""
    return go_caches() / "modules"
