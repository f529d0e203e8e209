"""Where the user cache is; importing this costs nothing."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user cache: OCELOT_CACHE, else the platform's own place."""
    given = os.environ.get("OCELOT_CACHE")
    return Path(given).absolute() if given else platformdirs.user_cache_path("ocelot")


def go_caches() -> Path:
    """Go's caches, as builds on this machine fill them."""
    return cache_folder() / "go"


def module_cache() -> Path:
    """Of those, the one of modules."""
    return go_caches() / "modules"
