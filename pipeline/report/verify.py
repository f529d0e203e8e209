"""Report of layers that were compared with their rebuild."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.audit.verify import Verified
from pipeline.report.rendering import Report, json_text


def verify_report(verified: Sequence[Verified]) -> Report:
    """Return the report for a screen and a job summary."""
    return Report(title="Verified by rebuilding", notes=[_note(each) for each in verified])


def _note(each: Verified) -> str:
    entry = each.entry
    lines = (
        f"{'same bytes' if each.same else 'DIFFERENT'}: {each.claim.name}",
        f"claimed {each.claim.sha256}",
        f"rebuilt {each.rebuilt}",
        f"from {entry.distribution} for {each.claim.architecture}: {entry.repository} "
        f"{entry.commit}, Go {entry.go}",
        *each.differences,
    )
    return "\n  - ".join(lines)


def verify_json(verified: Sequence[Verified]) -> str:
    """Return the report as JSON."""
    layers = [
        {
            "name": each.claim.name,
            "distribution": each.entry.distribution,
            "architecture": each.claim.architecture,
            "same": each.same,
            "sha256": each.claim.sha256,
            "rebuilt_sha256": each.rebuilt,
            "locked_sha256": each.entry.zips.get(each.claim.architecture),
            "repository": each.entry.repository,
            "ref": each.entry.ref,
            "commit": each.entry.commit,
            "collector": each.entry.collector,
            "go": each.entry.go,
            "differences": each.differences,
        }
        for each in verified
    ]
    return json_text({"same": all(each.same for each in verified), "layers": layers})
