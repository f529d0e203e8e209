"""Go modules in a folder that Go takes for a module proxy.

Protocol: https://go.dev/ref/mod#goproxy-protocol
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.files import output_errors

DOWNLOADS = "cache/download"
DEFAULT_PROXY = "https://proxy.golang.org,direct"


def offline_settings(proxy: str) -> dict[str, str]:
    """Go's settings for modules from one place alone; their sums stand in go.sum."""
    return {"GOPROXY": proxy, "GONOPROXY": "none", "GOSUMDB": "off", "GOVCS": "*:off"}


def move_modules(downloads: Path, proxy: Path) -> None:
    """Make a proxy's folder of what a Go module cache has downloaded.

    Only sources and go.mod files are taken, which go.sum vouches for; the rest of the protocol is
    made from their names, so that when and whence they were downloaded plays no part.

    Args:
        downloads: `cache/download` of a Go module cache; it is emptied.
        proxy: the folder to be filled.
    """
    with output_errors(proxy):
        proxy.mkdir(parents=True, exist_ok=True)
        for path in sorted(downloads.rglob("@v/*")):
            if path.suffix in (".mod", ".zip"):
                place = proxy / path.relative_to(downloads)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
        for folder in sorted(proxy.rglob("@v")):
            versions = sorted({path.stem for path in folder.iterdir()})
            (folder / "list").write_text("".join(f"{_unescaped(each)}\n" for each in versions))
            for each in versions:
                info = json.dumps({"Version": _unescaped(each)})
                (folder / f"{each}.info").write_text(info)


def _unescaped(text: str) -> str:
    """A version as it is: file names have `!x` for a capital."""
    first, *rest = text.split("!")
    return first + "".join(each[:1].upper() + each[1:] for each in rest)
