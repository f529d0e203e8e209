"""The zips that are to be published, with all that AWS is told of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.aws.layers import LayerUpload
from pipeline.errors import UsageError, quoted
from pipeline.files import read_file
from pipeline.layer.limits import DIRECT_UPLOAD_BYTES, megabytes
from pipeline.layer.manifest import FILE_NAME, Layer, read_manifest
from pipeline.naming import Architecture, layer_description, layer_name

# What a layer of an extension runs beside: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIMES = (
    *("nodejs20.x", "nodejs22.x", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("java17", "java21", "java25", "dotnet8", "ruby3.3", "ruby3.4", "provided.al2023"),
)
MOST_RUNTIMES = 15
LICENCE = "Apache-2.0"
_AGAIN = "build it again"


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How the layers are to be called, and what they are for.

    Attributes:
        base: what the layers' names begin with.
        release_group: what they end with.
        runtimes: Lambda runtimes that the layer is for.
    """

    base: str
    release_group: str
    runtimes: tuple[str, ...] = RUNTIMES


@dataclass(frozen=True, kw_only=True)
class Package:
    """A zip to be published.

    Attributes:
        layer: the layer's name.
        described: the layer version's description.
        size: bytes of the zip.
        record: the manifest's entry.
    """

    path: Path
    layer: str
    described: str
    naming: Naming
    size: int
    record: Layer = field(repr=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the zip, in hex."""
        return self.record.sha256

    @cached_property
    def md5(self) -> str:
        """MD5 of the zip, in hex: what the registry's other users know it by."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()

    @property
    def is_large(self) -> bool:
        """Whether it is too large for a request, and has to go by way of S3."""
        return self.size > DIRECT_UPLOAD_BYTES

    @property
    def key(self) -> str:
        """What it is called in a bucket."""
        return f"{self.layer}/{self.sha256}.zip"

    @property
    def architecture(self) -> Architecture:
        """What it runs on."""
        return self.record.architecture


def read_packages(
    paths: Sequence[Path], naming: Naming, *, by_bucket: bool = False
) -> tuple[Package, ...]:
    """The packages of zips and of folders of zips.

    Args:
        paths: zips with their manifest beside them, and folders of such.
        naming: how the layers are to be called.
        by_bucket: whether there are buckets for zips that are too large for a request.

    Raises:
        UsageError: a zip has no manifest, is not the one that the manifest names, is too large,
            or AWS takes no such name.
    """
    if len(naming.runtimes) > MOST_RUNTIMES:
        raise UsageError(
            f"{len(naming.runtimes)} runtimes are named", hint=f"AWS takes {MOST_RUNTIMES} at most"
        )
    packages = [each for path in paths for each in _read(path, naming)]
    names = [each.layer for each in packages]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"{min(twice)} is there twice", hint="name each zip once")
    large = [each for each in packages if each.is_large]
    if large and not by_bucket:
        raise UsageError(
            f"{large[0].path} is {megabytes(large[0].size)}; AWS takes "
            f"{megabytes(DIRECT_UPLOAD_BYTES)} in a request",
            hint="name a bucket in each region, --bucket 'NAME-{region}', or leave components out",
        )
    return tuple(packages)


def _read(path: Path, naming: Naming) -> list[Package]:
    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder / FILE_NAME)
    wanted = [
        layer
        for layer in (manifest.layers if manifest else ())
        if path.is_dir() or layer.file == path.name
    ]
    if not wanted:
        raise UsageError(
            f"{folder / FILE_NAME} says nothing of {path.name}",
            hint="publish what `ocelot build` made, with the manifest beside it",
        )
    for layer in wanted:
        if Path(layer.file).name != layer.file:
            raise UsageError(f"{folder / FILE_NAME} names {quoted(layer.file)}", hint=_AGAIN)
    return [_package(folder / layer.file, layer, naming) for layer in wanted]


def _package(path: Path, layer: Layer, naming: Naming) -> Package:
    try:
        with path.open("rb") as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_AGAIN) from error
    if digest != layer.sha256:
        raise UsageError(
            f"{path} has sha256 {digest}, its manifest says {layer.sha256}",
            hint="it was changed after it was built: build it again",
        )
    version = layer.collector_version
    name = layer_name(
        naming.base, layer.architecture, layer.distribution, version, naming.release_group
    )
    text = layer.description or f"OpenTelemetry Collector {version}, {layer.distribution}"
    return Package(
        path=path,
        layer=name,
        described=layer_description(text, digest),
        naming=naming,
        size=size,
        record=layer,
    )


def upload_of(package: Package) -> LayerUpload:
    """Return the upload of a package, the same in every region: it is made once.

    Its JSON is put together around the zip, so that no more than one copy of it is made.

    Raises:
        UsageError: the zip is not what it was when it was read first.
    """
    return _upload(package, b'{"ZipFile": "', base64.b64encode(_zipped(package)), b'"}')


def upload_by_bucket(package: Package, bucket: str) -> LayerUpload:
    """Return the upload of a package that is in a bucket already."""
    content = json.dumps({"S3Bucket": bucket, "S3Key": package.key})
    return _upload(package, content.encode())


def _zipped(package: Package) -> bytes:
    zipped = read_file(package.path, _AGAIN)
    if hashlib.sha256(zipped).hexdigest() != package.sha256:
        raise UsageError(f"{package.path} was changed in the meantime", hint=_AGAIN)
    return zipped


def _upload(package: Package, *content: bytes) -> LayerUpload:
    about = {
        "CompatibleArchitectures": [package.architecture.lambda_name],
        "CompatibleRuntimes": list(package.naming.runtimes),
        "Description": package.described,
        "LicenseInfo": LICENCE,
    }
    head = json.dumps(about).encode().removesuffix(b"}")
    body = b"".join((head, b', "Content": ', *content, b"}"))
    return LayerUpload(layer=package.layer, sha256=package.sha256, body=body)
