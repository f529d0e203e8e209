"""What `ocelot verify` tells: a readable report and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.files import write_atomic
from pipeline.report import markdown
from pipeline.supply.verify import Verified


def verify_markdown(verified: Sequence[Verified]) -> str:
    """The report, for people: as it stands on a screen or in a job summary."""
    lines: list[str] = []
    for each in verified:
        entry = each.entry
        lines += [
            f"- {'same bytes' if each.same else 'DIFFERENT'}: {each.claim.name}",
            f"  - claimed {each.claim.sha256}",
            f"  - rebuilt {each.rebuilt}",
            f"  - from {entry.distribution} for {each.claim.architecture}: {entry.repository} "
            f"{entry.commit}, Go {entry.go}",
            *(f"  - {said}" for said in each.differences),
        ]
    return markdown.section("Verified by rebuilding", lines)


def verify_json(verified: Sequence[Verified]) -> str:
    """The same as JSON."""
    layers = [
        {
            "name": each.claim.name,
            "distribution": each.entry.distribution,
            "architecture": str(each.claim.architecture),
            "same": each.same,
            "sha256": each.claim.sha256,
            "rebuilt_sha256": each.rebuilt,
            "locked_sha256": each.entry.zips.get(each.claim.architecture),
            "repository": each.entry.repository,
            "ref": each.entry.ref,
            "commit": each.entry.commit,
            "collector": each.entry.collector,
            "go": each.entry.go,
            "differences": list(each.differences),
        }
        for each in verified
    ]
    data = {"same": all(each.same for each in verified), "layers": layers}
    return json.dumps(data, indent=2) + "\n"


def write_reports(verified: Sequence[Verified], folder: Path) -> Path:
    """Write both as verification.json and verification.md into a folder, and name it.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_atomic(folder / "verification.json", verify_json(verified).encode())
    write_atomic(folder / "verification.md", verify_markdown(verified).encode())
    return folder
