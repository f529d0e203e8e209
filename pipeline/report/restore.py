"""Report of `ocelot reap --restore`: the zip that was found, and the new layer version."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.reap.restore import RestoreResult, RestoreState
from pipeline.report.rendering import Report, json_text

_ALREADY = {
    RestoreState.EXISTS: "it still exists: there is nothing to restore",
    RestoreState.RESTORED_BEFORE: "it was restored before: there is nothing to do",
}


def restore_report(result: RestoreResult) -> Report:
    """Return the old and the new layer version, and what a user must do."""
    row = result.tombstone.row
    rows = [("deleted", str(row.arn)), ("sha256", row.code_sha256)]
    if result.found:
        rows.append(("zip from", result.found.name))
    if result.version and result.state is not RestoreState.EXISTS:
        title = "used instead" if result.state is RestoreState.PLANNED else "now"
        rows.append((title, str(result.version.arn)))
    rows.append(("may use it", ", ".join(_users(result)) or "this account alone"))
    return Report(
        title="Restored layer version" if result.found else "Deleted layer version",
        rows=rows,
        problems=[result.error] if result.error else (),
        notes=list(_notes(result)),
    )


def _users(result: RestoreResult) -> tuple[str, ...]:
    """Return the accounts that may use the layer version, once it is restored."""
    policy = result.policy
    return (*(("every AWS account",) if policy.public else ()), *policy.shared_with)


def _notes(result: RestoreResult) -> Iterator[str]:
    number = result.tombstone.arn.version
    if already := _ALREADY.get(result.state):
        yield already
    elif result.state is RestoreState.PLANNED:
        yield f"to do: {result.action}; with --apply it is done"
    if result.state not in (RestoreState.EXISTS, RestoreState.FAILED):
        yield (
            f"functions must name the new ARN (ocelot layers used finds them): "
            f"version {number} cannot come back, AWS uses no number twice"
        )
    yield from result.notes


def restore_json(result: RestoreResult) -> str:
    """Return the report as JSON; `restored_as` is empty as long as there is no such version."""
    found = result.found
    is_new = result.version is not None and result.state is not RestoreState.EXISTS
    return json_text(
        {
            "layer_arn": str(result.tombstone.arn),
            "restored_as": str(result.version.arn) if result.version and is_new else "",
            "state": result.state,
            "action": result.action,
            "sha256": result.tombstone.row.code_sha256,
            "source": found and {"kind": found.source, "name": found.name, "commit": found.commit},
            "public": result.policy.public,
            "shared_with": result.policy.shared_with,
            "notes": result.notes,
            "error": result.error,
        }
    )
