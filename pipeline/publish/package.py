"""The zips to be published, and the requests that upload them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.aws.layers import LayerUpload
from pipeline.errors import UsageError, quoted
from pipeline.files import open_regular, read_file
from pipeline.layer.limits import DIRECT_UPLOAD_BYTES, megabytes
from pipeline.layer.manifest import FILE_NAME, Layer, read_manifest
from pipeline.naming import Architecture, layer_description, layer_name, zip_parts
from pipeline.options import ReleaseGroupOptions

# Runtimes with extensions: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIMES = (
    *("nodejs20.x", "nodejs22.x", "python3.11", "python3.12", "python3.13", "python3.14"),
    *("java17", "java21", "java25", "dotnet8", "ruby3.3", "ruby3.4", "provided.al2023"),
)
MOST_RUNTIMES = 15
LICENCE = "Apache-2.0"
_BUILD_AGAIN = "build it again"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A zip to be published.

    Attributes:
        path: of the zip.
        layer: the layer's name.
        base_name: beginning of the layer's name.
        description: of the layer version.
        runtimes: compatible runtimes, by Lambda's names.
        size: bytes of the zip.
        entry: the manifest's entry of the zip.
    """

    path: Path
    layer: str
    base_name: str
    description: str
    runtimes: tuple[str, ...]
    size: int
    entry: Layer = field(repr=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the zip, in hex."""
        return self.entry.sha256

    @cached_property
    def md5(self) -> str:
        """MD5 of the zip, in hex; other tools identify zips in the registry by it."""
        with open_regular(self.path) as file:
            return hashlib.file_digest(file, "md5").hexdigest()

    @property
    def is_large(self) -> bool:
        """True if it is too large for a request to Lambda and needs a bucket."""
        return self.size > DIRECT_UPLOAD_BYTES

    @property
    def key(self) -> str:
        """Its key in a bucket."""
        return f"{self.layer}/{self.sha256}.zip"

    @property
    def architecture(self) -> Architecture:
        """The layer's architecture."""
        return self.entry.architecture


def read_packages(
    options: ReleaseGroupOptions, release_group: str, paths: Sequence[Path]
) -> tuple[Package, ...]:
    """Return the packages of zips and of folders of zips.

    Args:
        options: the user's.
        release_group: end of the layers' names, such as beta.
        paths: zips with their manifest beside them, manifests, and folders of such.

    Raises:
        UsageError: a zip has no manifest, is not the one in the manifest, or is too large; a
            folder has a zip that its manifest does not list; or AWS does not accept the layer's
            name or the number of runtimes.
    """
    runtimes = chosen_runtimes(options.runtimes)
    packages = [
        _package(zipped, entry, options, release_group, runtimes)
        for path in paths
        for zipped, entry in _entries(path)
    ]
    names = [each.layer for each in packages]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"{min(repeated)} is named twice", hint="name each zip once")
    large = [each for each in packages if each.is_large]
    if large and not options.bucket:
        raise UsageError(
            f"{large[0].path} is {megabytes(large[0].size)}; AWS accepts "
            f"{megabytes(DIRECT_UPLOAD_BYTES)} in a request",
            hint="name a bucket in each region, --bucket 'NAME-{region}', or leave components out",
        )
    return tuple(packages)


def chosen_runtimes(named: str | None) -> tuple[str, ...]:
    """Return the runtimes that the option `--runtimes` names; all current ones without it.

    Raises:
        UsageError: it names none, or more than AWS accepts.
    """
    if named is None:
        return RUNTIMES
    runtimes = tuple(filter(None, (name.strip() for name in named.split(","))))
    if not 0 < len(runtimes) <= MOST_RUNTIMES:
        raise UsageError(
            f"{len(runtimes)} runtimes are named",
            hint=f"name 1 to {MOST_RUNTIMES}, separated by commas: --runtimes",
        )
    return runtimes


def _entries(path: Path) -> list[tuple[Path, Layer]]:
    """Return the zips that a path stands for, each with its manifest's entry."""
    is_whole = path.is_dir() or path.name == FILE_NAME
    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder / FILE_NAME)
    entries = [
        entry
        for entry in (manifest.layers if manifest else ())
        if is_whole or entry.file == path.name
    ]
    if not entries:
        raise UsageError(
            f"{folder / FILE_NAME} has no entry for {path.name}",
            hint="publish the files of `ocelot build`, with the manifest beside the zips",
        )
    for entry in entries:
        if Path(entry.file).name != entry.file:
            raise UsageError(
                f"{folder / FILE_NAME} names {quoted(entry.file)}, which is not in its folder",
                hint=_BUILD_AGAIN,
            )
    if is_whole:
        _check_all_listed(folder, {entry.file for entry in entries})
    return [(folder / entry.file, entry) for entry in entries]


def _check_all_listed(folder: Path, listed: Collection[str]) -> None:
    """Refuse a folder in which lies a layer's zip that its manifest does not list.

    Raises:
        UsageError: there is one.
    """
    zips = {path.name for path in folder.iterdir() if zip_parts(path.name)}
    others = sorted(zips.difference(listed))
    if others:
        raise UsageError(
            f"{folder / FILE_NAME} does not list {', '.join(others)}, which is in its folder",
            hint="build it again into this folder, move it away, or name the zips to publish",
        )


def _package(
    path: Path,
    entry: Layer,
    options: ReleaseGroupOptions,
    release_group: str,
    runtimes: tuple[str, ...],
) -> Package:
    try:
        with open_regular(path) as file:
            digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_BUILD_AGAIN) from error
    if digest != entry.sha256:
        raise UsageError(
            f"{path} has sha256 {digest}, its manifest says {entry.sha256}",
            hint="it was changed after it was built: build it again",
        )
    version, base = entry.collector_version, options.layer_name
    text = entry.description or f"OpenTelemetry Collector {version}, {entry.distribution}"
    return Package(
        path=path,
        layer=layer_name(base, entry.architecture, entry.distribution, version, release_group),
        base_name=base,
        description=layer_description(text, digest),
        runtimes=runtimes,
        size=size,
        entry=entry,
    )


def direct_upload(package: Package) -> LayerUpload:
    """Return the upload of a package whose zip is in the request.

    The JSON is joined around the zip, so that memory holds only one copy of it.

    Raises:
        UsageError: the zip has changed since it was read first.
    """
    return _upload(package, b'{"ZipFile": "', base64.b64encode(_zipped(package)), b'"}')


def bucket_upload(package: Package, bucket: str) -> LayerUpload:
    """Return the upload of a package whose zip is in a bucket."""
    content = json.dumps({"S3Bucket": bucket, "S3Key": package.key})
    return _upload(package, content.encode())


def _zipped(package: Package) -> bytes:
    zipped = read_file(package.path, _BUILD_AGAIN)
    if hashlib.sha256(zipped).hexdigest() != package.sha256:
        raise UsageError(f"{package.path} has changed since the start", hint=_BUILD_AGAIN)
    return zipped


def _upload(package: Package, *content: bytes) -> LayerUpload:
    parameters = {
        "CompatibleArchitectures": [package.architecture.lambda_name],
        "CompatibleRuntimes": list(package.runtimes),
        "Description": package.description,
        "LicenseInfo": LICENCE,
    }
    head = json.dumps(parameters).encode().removesuffix(b"}")
    body = b"".join((head, b', "Content": ', *content, b"}"))
    return LayerUpload(layer=package.layer, sha256=package.sha256, body=body)
