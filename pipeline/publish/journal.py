"""What was begun, on disk before it is begun: a line of JSON for each event, flushed through.

The journal decides nothing: what is done is what AWS confirms. It tells only where an answer may
have been lost, when a process was killed, so that the next one looks there with more patience
before it publishes. A forged or torn line costs patience at most.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from pipeline.files import told_write_errors

BEGUN = "publishing"
ENDED = ("published", "not published")
# Bytes that are read, from the end.
_LARGEST = 20_000_000

# Region, layer, SHA-256 of the zip.
Key = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Journal:
    """A file that grows by a line for each event."""

    path: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, event: str, key: Key, arn: str = "") -> None:
        """Add an event, and come back once it is on the disk.

        Raises:
            OutputError: it cannot be written.
        """
        region, layer, sha256 = key
        moment = datetime.now(tz=UTC).isoformat(timespec="milliseconds")
        values = {"at": moment, "event": event, "region": region, "layer": layer, "sha256": sha256}
        line = json.dumps({**values, **({"arn": arn} if arn else {})})
        with self.lock, told_write_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(_end_of_torn_line(self.path) + line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def unanswered(self) -> frozenset[Key]:
        """The keys of what was begun and not seen to end."""
        open_keys: set[Key] = set()
        for event, key in self._events():
            if event == BEGUN:
                open_keys.add(key)
            elif event in ENDED:
                open_keys.discard(key)
        return frozenset(open_keys)

    def _events(self) -> list[tuple[str, Key]]:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LARGEST))
                lines = file.read().splitlines()
        except OSError:
            return []
        return [event for line in lines if (event := _event(line))]


def _end_of_torn_line(path: Path) -> bytes:
    """What has to be written before a line, so that it does not become a part of a torn one."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return b"" if file.read() in (b"", b"\n") else b"\n"


def _event(line: bytes) -> tuple[str, Key] | None:
    """A line's event; None for one that is torn or none of ours."""
    try:
        parsed: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    values = cast("dict[str, object]", parsed)
    words = [values.get(name) for name in ("event", "region", "layer", "sha256")]
    if not all(isinstance(word, str) for word in words):
        return None
    event, region, layer, sha256 = cast("list[str]", words)
    return event, (region, layer, sha256)
