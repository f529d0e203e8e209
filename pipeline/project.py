"""Where things are: the configuration, the sample upstream, the user cache."""

from __future__ import annotations

from pathlib import Path

from pipeline.cache import cache_folder
from pipeline.config import DISTRIBUTIONS
from pipeline.errors import UsageError

__all__ = ["cache_folder", "config_folder", "sample_upstream"]

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
