"""Files on disk: trees read and written whole, single files replaced in one step.

A tree is a mapping from POSIX path to content. Functions over trees (overlay, digest, packing)
need no disk.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import stat
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path, PurePosixPath

import anyio

from pipeline.errors import OutputError, UpstreamError, UsageError
from pipeline.paths import in_cache

Tree = Mapping[str, bytes]

# Characters of text by git's rule, besides line ends; a byte above 127 counts as one.
_PRINTABLE = bytes({*b"\b\t\f\x1b", *range(32, 127), *range(128, 256)})
_LONE_CR = re.compile(rb"\r(?!\n)")

# Bytes; no file that ocelot reads for a user comes near it, nor a record or token the smaller one.
LARGEST = 1024**3
LARGEST_RECORD = 64 * 1024**2
# Pause before a lock that another process holds is tried again.
_LOCK_SECONDS = 0.2


def safe_path(path: str) -> str:
    """Return a path unchanged if it stays inside the folder that it is relative to.

    Raises:
        UpstreamError: it is absolute or leads out of the folder.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise UpstreamError(
            f"path {path!r} leads out of its folder", hint="do not use this upstream"
        )
    return path


def read_file(path: Path, hint: str, largest: int = LARGEST) -> bytes:
    """Return the content of a file that the user named, of at most so many bytes.

    Raises:
        UsageError: it cannot be read, is no regular file or is too large; the hint says what to do.
    """
    try:
        return read_regular(path, largest)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def read_regular(path: Path, largest: int = LARGEST) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: see `open_regular`.
    """
    with open_regular(path, largest) as file:
        return file.read()


def open_regular(path: Path, largest: int | None = LARGEST) -> io.BufferedReader:
    """Open a regular file for reading; a pipe or a device, which may never end, is none.

    Args:
        path: the file.
        largest: bytes that it may have; None for any number.

    Raises:
        OSError: it cannot be opened, is something else or too large; `strerror` says which.
    """
    file: io.BufferedReader = io.BufferedReader(io.FileIO(path, opener=_opened_at_once))
    status = os.fstat(file.fileno())
    reason = ""
    if not stat.S_ISREG(status.st_mode):
        reason = "it is a pipe or a device, and no file"
    elif largest is not None and status.st_size > largest:
        reason = f"it is larger than {largest:,} bytes"
    if reason:
        file.close()
        raise OSError(errno.EINVAL, reason, str(path))
    return file


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else a pipe waits for its writer


def text_with_lf(content: bytes) -> bytes:
    """Return a text with LF line ends; content that is no text unchanged.

    The rule for text is git's, by which it writes CRLF into a checkout: gather_stats and
    convert_is_binary in https://github.com/git/git/blob/v2.39.5/convert.c.
    """
    if b"\r\n" not in content or b"\0" in content or _LONE_CR.search(content):
        return content
    others = content.removesuffix(b"\x1a").translate(None, b"\r\n")
    unprintable = len(others.translate(None, _PRINTABLE))
    is_text = unprintable <= (len(others) - unprintable) >> 7
    return content.replace(b"\r\n", b"\n") if is_text else content


def read_tree(root: Path) -> dict[str, bytes]:
    """Read every file below a folder, by path; empty where there is no folder.

    Raises:
        UpstreamError: a link leads out of the folder.
        UsageError: a file cannot be read.
    """
    content: dict[str, bytes] = {}
    inside = Path(os.path.realpath(root))
    for path in sorted(root.rglob("*")):
        if not Path(os.path.realpath(path)).is_relative_to(inside):
            raise UpstreamError(f"{path} is a link out of {root}", hint="copy the file instead")
        if path.is_file():
            hint = "make it readable, or move it out of the folder"
            content[path.relative_to(root).as_posix()] = read_file(path, hint)
    return content


def write_tree(root: Path, tree: Tree) -> None:
    """Write a tree into a folder.

    Raises:
        OutputError: a file cannot be written.
        UpstreamError: a path leads out of the folder.
    """
    with output_errors(root):
        for name, content in tree.items():
            path = root / safe_path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def tree_digest(tree: Tree, algorithm: str = "sha256") -> str:
    """Return a hex digest over the names and contents of a tree, in sorted order."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for name in sorted(tree):
        digest.update(f"{name}\0{len(tree[name])}\0".encode())
        digest.update(tree[name])
    return digest.hexdigest()


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file in one step: readers see the old content or all of the new.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    with output_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                # mkstemp makes the file private; the umask decides as for any other file
                os.fchmod(file.fileno(), 0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def ensure_writable(folder: Path) -> None:
    """Create a folder and check that files can be written to it, before long work starts.

    Raises:
        OutputError: they cannot.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")


@contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Hold a folder's lock, so that one process at a time changes its files.

    Raises:
        OutputError: the folder cannot be opened.
    """
    with output_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def file_lock(
    path: Path, waiting: Callable[[], None], *, shared: bool = False
) -> AsyncGenerator[None]:
    """Hold the lock of a file, which is made for it: one process at a time has it.

    Args:
        path: the file; it stays.
        waiting: called once if another process has the lock.
        shared: True to hold it together with others that share it.

    Raises:
        OutputError: the file cannot be made or locked.
    """
    with output_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _is_locked(path, handle, shared=shared):
            waiting()
            while not _is_locked(path, handle, shared=shared):  # noqa: ASYNC110  no event tells of other processes
                await anyio.sleep(_LOCK_SECONDS)
        yield
    finally:
        os.close(handle)


def _is_locked(path: Path, handle: int, *, shared: bool) -> bool:
    """Lock an open file; return False if another process has the lock."""
    with output_errors(path.parent):
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def output_errors(folder: Path) -> Generator[None]:
    """Raise an `OutputError` that names the folder for every OSError of the block."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint=_output_hint(folder, full=error.errno in (errno.ENOSPC, errno.EDQUOT)),
        ) from error


def _output_hint(folder: Path, *, full: bool) -> str:
    """Return the next step for a folder that cannot be written; the cache has its own."""
    if not in_cache(folder):
        return "free some space" if full else "choose another folder"
    if full:
        return "free some space, or set OCELOT_CACHE to a folder on another disk"
    return "make the cache writable for this user, or set OCELOT_CACHE to another folder"


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
