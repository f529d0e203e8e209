"""A small Go vulnerability database, as a folder and over loopback HTTP.

Its layout: https://go.dev/doc/security/vuln/database.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopback import Quiet, serving

MODIFIED = "2026-01-02T03:04:05Z"


@dataclass(frozen=True, kw_only=True)
class Advisory:
    """One advisory on one module.

    Attributes:
        symbols: vulnerable functions by import path.
        fixed: without a leading v, as the format has it; empty for not yet.
    """

    id: str
    module: str
    fixed: str = ""
    symbols: Mapping[str, Sequence[str]] | None = None

    def entry(self) -> dict[str, Any]:
        imports = [
            {"path": path, "symbols": list(names)} for path, names in (self.symbols or {}).items()
        ]
        events = [{"introduced": "0"}, *([{"fixed": self.fixed}] if self.fixed else [])]
        return {
            "schema_version": "1.3.1",
            "id": self.id,
            "modified": MODIFIED,
            "published": MODIFIED,
            "aliases": [self.id.replace("GO", "CVE")],
            "summary": f"A fault in {self.module}",
            "details": "Details.",
            "affected": [
                {
                    "package": {"name": self.module, "ecosystem": "Go"},
                    "ranges": [{"type": "SEMVER", "events": events}],
                    "ecosystem_specific": {"imports": imports} if imports else {},
                }
            ],
        }


def database(*advisories: Advisory) -> dict[str, bytes]:
    """The files of a database by path."""
    modules = [
        {
            "path": module,
            "vulns": [
                {"id": each.id, "modified": MODIFIED, "fixed": each.fixed}
                for each in advisories
                if each.module == module
            ],
        }
        for module in sorted({each.module for each in advisories})
    ]
    entries = {f"ID/{each.id}.json": each.entry() for each in advisories}
    files: dict[str, Any] = {
        "index/db.json": {"modified": MODIFIED},
        "index/modules.json": modules,
        "index/vulns.json": [{"id": each.id, "modified": MODIFIED} for each in advisories],
        **entries,
    }
    return {path: json.dumps(content).encode() for path, content in files.items()}


def zipped(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files as a server has them, also in gzip."""
    return {**files, **{f"{path}.gz": gzip.compress(raw) for path, raw in files.items()}}


def folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files into a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@contextmanager
def served(files: Mapping[str, bytes], *, hang: threading.Event | None = None) -> Generator[str]:
    """Serve files on loopback; with `hang` no answer comes before that event."""

    class Handler(Quiet):
        def do_HEAD(self) -> None:
            if hang:
                hang.wait(30)
            known = self.path.lstrip("/") in files
            self.send_response(200 if known else 404)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(files.get(self.path.lstrip("/"), b""))

    with serving(Handler) as host:
        try:
            yield f"http://{host}"
        finally:
            if hang:
                hang.set()
