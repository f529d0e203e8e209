"""`config/images.yaml`: the images of the Dagger module's containers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.config.entries import END, ConfigModel, Entries, read_optional_entry

IMAGES = "images.yaml"

# https://github.com/distribution/reference: [host[:port]/]path[:tag][@digest]
_IMAGE = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)*(:[A-Za-z0-9._-]{1,128})?"
_DIGEST = "@sha256:[0-9a-f]{64}"
IMAGE_BY_DIGEST = rf"{_IMAGE}{_DIGEST}{END}"


class Images(ConfigModel):
    """`config/images.yaml`: the images of the Dagger module's containers."""

    go: str = Field(
        pattern=IMAGE_BY_DIGEST, description="A golang image by digest, of the pinned Go version."
    )


def read_images(folder: Path) -> Entries[Images]:
    """Read images.yaml, which a folder need not have; its one entry has the file's name."""
    return read_optional_entry(folder, IMAGES, Images)
