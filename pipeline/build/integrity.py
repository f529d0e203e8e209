"""Go's module cache compared with go.sum, before anything in it is compiled.

Go checks a module when it unpacks it and never again, so that a cache that was changed or damaged
since would be compiled as it is. Hashes: https://go.dev/ref/mod#go-sum-files and
https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.modules import DOWNLOADS, escaped
from pipeline.files import output_errors

_GO_MOD = "/go.mod"
# Hashes by path and version; that of a go.mod has a version that ends in `/go.mod`.
Sums = Mapping[tuple[str, str], str]
# Exceptions of reading files and zips with any content.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True, kw_only=True, order=True)
class CachedModule:
    """A version of a module in a Go module cache.

    Attributes:
        cache: the folder that Go calls GOMODCACHE.
        path: such as github.com/Azure/azure-sdk-for-go.
        version: such as v1.2.3.
    """

    cache: Path
    path: str
    version: str

    @property
    def folder(self) -> Path:
        """The folder of its unpacked files."""
        return self.cache / f"{escaped(self.path)}@{escaped(self.version)}"

    def download(self, suffix: str) -> Path:
        """Return the path of a downloaded file, such as that of the suffix `.zip`."""
        return (
            self.cache / DOWNLOADS / escaped(self.path) / "@v" / f"{escaped(self.version)}{suffix}"
        )

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"


def go_sums(go_sum: bytes) -> Sums:
    """Return the hashes of a go.sum."""
    rows = (line.split() for line in go_sum.decode(errors="replace").splitlines())
    return {(row[0], row[1]): row[2] for row in rows if len(row) == 3}  # noqa: PLR2004  its fields


def changed_modules(
    cache: Path, listed: Iterable[tuple[str, str]], sums: Sums
) -> tuple[CachedModule, ...]:
    """Return the modules whose unpacked files are not those that go.sum has the hash of.

    Args:
        cache: the folder that Go calls GOMODCACHE.
        listed: path and version of the modules to compile.
        sums: see `go_sums`.
    """
    modules = (CachedModule(cache=cache, path=path, version=of) for path, of in sorted(listed))
    return tuple(
        each for each in modules if _folder_sum(each) != sums.get((each.path, each.version))
    )


def damaged_modules(cache: Path, sums: Sums) -> tuple[CachedModule, ...]:
    """Return the modules in a cache that have anything that go.sum has another hash of.

    Their unpacked files and their downloads are compared; what is not there is no damage.
    """
    modules = {
        CachedModule(cache=cache, path=path, version=version.removesuffix(_GO_MOD))
        for path, version in sums
    }
    return tuple(
        each
        for each in sorted(modules)
        if _damaged_downloads(each, sums)
        or (each.folder.exists() and _folder_sum(each) != sums.get((each.path, each.version)))
    )


def remove_damaged(modules: Iterable[CachedModule], sums: Sums) -> None:
    """Remove the unpacked files of modules, and damaged downloads; Go makes or fetches them again.

    Raises:
        OutputError: the cache cannot be written.
    """
    for module in modules:
        with output_errors(module.cache):
            if module.folder.exists():
                shutil.rmtree(module.folder)
            for path in _damaged_downloads(module, sums):
                path.unlink(missing_ok=True)


def _damaged_downloads(module: CachedModule, sums: Sums) -> list[Path]:
    """The downloaded files of a module that go.sum has another hash of."""
    whole = sums.get((module.path, module.version))
    go_mod = sums.get((module.path, module.version + _GO_MOD))
    compared = (
        (module.download(".zip"), whole, _zip_sum),
        (module.download(".ziphash"), whole, _noted_sum),
        (module.download(".mod"), go_mod, _go_mod_sum),
    )
    return [
        path
        for path, expected, of in compared
        if expected and path.exists() and of(path) != expected
    ]


def _hash(digests: Iterable[tuple[str, bytes]]) -> str:
    """Return Go's hash `h1:` over names and SHA-256 digests of files."""
    lines = (f"{digest.hex()}  {name}\n" for name, digest in sorted(digests))
    whole = hashlib.sha256("".join(lines).encode(errors="surrogateescape"))
    return f"h1:{base64.b64encode(whole.digest()).decode()}"


def _folder_sum(module: CachedModule) -> str:
    """The hash of a module's unpacked files; empty where one is a link or cannot be read."""

    def digests() -> Iterator[tuple[str, bytes]]:
        for base, folders, names in os.walk(module.folder, onerror=_raise):
            if any(Path(base, name).is_symlink() for name in folders):
                raise ValueError(base)  # Go would follow it
            for path in (Path(base, name) for name in names):
                if not stat.S_ISREG(path.lstat().st_mode):
                    raise ValueError(path)
                name = f"{module}/{path.relative_to(module.folder).as_posix()}"
                yield name, hashlib.sha256(path.read_bytes()).digest()

    return _readable(lambda: _hash(digests()))


def _zip_sum(path: Path) -> str:
    """The hash of a module's zip; empty where it is damaged."""

    def hashed() -> str:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            return _hash((name, hashlib.sha256(archive.read(name)).digest()) for name in names)

    return _readable(hashed)


def _noted_sum(path: Path) -> str:
    """The hash that Go noted when it downloaded a zip; empty where it cannot be read."""
    return _readable(lambda: path.read_text().strip())


def _go_mod_sum(path: Path) -> str:
    """The hash of a module's go.mod; empty where it cannot be read."""
    return _readable(lambda: _hash([("go.mod", hashlib.sha256(path.read_bytes()).digest())]))


def _readable(hashed: Callable[[], str]) -> str:
    try:
        return hashed()
    except _UNREADABLE:
        return ""


def _raise(error: OSError) -> None:
    raise error
