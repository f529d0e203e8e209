"""The folders of the configuration, the sample upstream and the user cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from pipeline.errors import UsageError

DISTRIBUTIONS = "distributions.yaml"
_CHECKOUT = Path(__file__).resolve().parents[1]


def config_folder(given: Path | None, file: str = DISTRIBUTIONS) -> Path:
    """Return the config folder: the one given, else `config/` here or above, else ocelot's.

    Args:
        given: the user's.
        file: that `config/` must have.

    Raises:
        UsageError: there is none.
    """
    if given is not None:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents, _CHECKOUT):
        if (folder / "config" / file).is_file():
            return folder / "config"
    raise UsageError(
        f"there is no config/{file} here or in a folder above",
        hint="name the folder with --config",
    )


def sample_upstream() -> Path:
    """Return the folder of the sample upstream (`--upstream-repo sample`), part of a checkout."""
    return _CHECKOUT / "tests" / "upstream"


def cache_folder() -> Path:
    """Return the user cache: OCELOT_CACHE, else the platform's folder for caches.

    Raises:
        UsageError: OCELOT_CACHE is no folder; or it is not set, and the user has no home folder.
    """
    given = os.environ.get("OCELOT_CACHE", "")
    try:
        cache = Path(given).expanduser().absolute() if given else _usual_cache()
    except RuntimeError:
        raise UsageError(
            f"OCELOT_CACHE={given} names a user that has no home folder"
            if given
            else "this user has no home folder, so there is no place for the cache",
            hint="set OCELOT_CACHE to a folder",
        ) from None
    if cache.exists() and not cache.is_dir():
        raise UsageError(
            f"the cache {cache} is not a folder",
            hint="set OCELOT_CACHE to a folder; it is made where it does not exist",
        )
    return cache


def _usual_cache() -> Path:
    return platformdirs.user_cache_path("ocelot")


def in_cache(folder: Path) -> bool:
    """Return True if a folder is the user cache, or inside it."""
    try:
        return folder.absolute().is_relative_to(cache_folder())
    except UsageError:
        return False


def go_caches() -> Path:
    """Return the folder of Go's caches, which builds on this machine fill."""
    return cache_folder() / "go"


def module_cache() -> Path:
    """Return the folder of Go's module cache."""
    return go_caches() / "modules"
