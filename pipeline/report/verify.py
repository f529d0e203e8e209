"""Reports of layers that were compared: with a rebuild, or with what AWS serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.audit.verify import Verified
from pipeline.report.rendering import Report, json_text

if TYPE_CHECKING:
    from pipeline.publish.published import PublishedVersion  # which imports boto3


def verify_report(verified: Sequence[Verified]) -> Report:
    """Return a note for each layer, with its differences."""
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
    return "\n".join(lines)


def verify_json(verified: Sequence[Verified]) -> str:
    """Return the comparison of each layer as JSON."""
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


def fetched_report(versions: Sequence[PublishedVersion], folder: Path) -> Report:
    """Return the zips that were downloaded and found to be the same in all regions."""
    files = ", ".join(sorted({each.file for each in versions}))
    return Report(notes=(f"in {folder}/: {files}, the same in all {len(versions)} layer versions",))


def fetched_json(versions: Sequence[PublishedVersion]) -> str:
    """Return the layer versions that were downloaded as JSON."""
    return json_text(
        [{"arn": str(each.arn), "file": each.file, "sha256": each.sha256} for each in versions]
    )
