"""The containers in which the module runs ocelot itself: its checks, its bench."""

from __future__ import annotations

import dagger
from dagger import dag

# The module's own runtime; the same as base-image in pyproject.toml.
PYTHON_IMAGE = (
    "python:3.14.3-slim@sha256:486b8092bfb12997e10d4920897213a06563449c951c5506c2a2cfaf591c599f"
)


def python_container(
    source: dagger.Directory, *options: str, platform: str = ""
) -> dagger.Container:
    """A container with ocelot's sources, and with what `uv sync` installs for them.

    Args:
        source: a checkout, or as much of one as is installed.
        options: of `uv sync`, besides `--locked`.
        platform: such as linux/arm64, which the engine may have to emulate; empty for its own.
    """
    cache = "-".join(("ocelot-uv", *platform.split("/")[1:]))
    return (
        dag.container(platform=dagger.Platform(platform) if platform else None)
        .from_(PYTHON_IMAGE)
        .with_exec(["pip", "install", "--quiet", "uv>=0.9,<1"])
        .with_mounted_cache("/root/.cache/uv", dag.cache_volume(cache))
        .with_env_variable("UV_LINK_MODE", "copy")
        .with_directory("/checkout", source)
        .with_workdir("/checkout")
        .with_exec(["uv", "sync", "--locked", *options])
    )
