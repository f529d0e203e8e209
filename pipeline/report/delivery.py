"""Reports of `ocelot gitops release`, `deploy` and `promote`: changes, branch, pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.gitops.texts import diff_text
from pipeline.report.diff import file_action
from pipeline.report.rendering import Report, json_text

if TYPE_CHECKING:
    from pipeline.gitops.delivery import Delivered  # which imports githubkit
    from pipeline.gitops.deploy import Deployment
    from pipeline.gitops.release import ComponentRelease


def delivery_report(delivered: Delivered[Any]) -> Report:
    """Return the changed files, and the branch or pull request."""
    changes = delivered.proposal.changes
    return Report(
        title="GitOps repository",
        summary=_summary(delivered),
        link=_link(delivered),
        headings=("File", "Change") if changes else (),
        rows=[(each.path, file_action(each)) for each in changes],
        whole=("File",),
        notes=(*_kept(delivered), *delivered.notes),
    )


def _summary(delivered: Delivered[Any]) -> str:
    subject, outcome = delivered.proposal.texts.subject, str(delivered.outcome)
    if outcome == "unchanged" and not delivered.branch:
        return f"{subject}: nothing changed: {_base(delivered)} has all of it already"
    lines = {
        "unchanged": f"nothing changed on the branch {delivered.branch}",
        "planned": "dry run, nothing is pushed",
        "pushed": f"pushed to the branch {delivered.branch}",
        "opened": "pull request opened",
        "updated": "pull request updated",
    }
    return f"{subject}: {lines[outcome]}"


def _base(delivered: Delivered[Any]) -> str:
    return f"the GitOps repository at {delivered.base[:12]}"


def _link(delivered: Delivered[Any]) -> str:
    if delivered.pull_request:
        return delivered.pull_request.url
    return delivered.compare if str(delivered.outcome) in ("pushed", "unchanged") else ""


def _kept(delivered: Delivered[Any]) -> Iterator[str]:
    if delivered.kept:
        noun = "commit" if delivered.kept == 1 else "commits"
        yield f"{delivered.kept} {noun} of others on {delivered.branch} kept"


def release_fields(result: ComponentRelease) -> dict[str, str]:
    """Return a release's own part of the JSON."""
    return {
        "namespace": result.name.namespace,
        "project": result.name.project,
        "component": result.name.component,
        "release": result.release,
        "binding": result.binding,
        "environment": result.environment,
        "image": result.image,
        "commit": result.commit,
        "source": result.repository_url,
        "build": result.build,
    }


def deployment_fields(result: Deployment) -> dict[str, Any]:
    """Return a deployment's own part of the JSON."""
    return {
        "namespace": result.name.namespace,
        "project": result.name.project,
        "component": result.name.component,
        "environment": result.environment,
        "release": result.release,
        "previous_release": result.previous,
        "settings": {".".join(each.keys): each.value for each in result.settings},
    }


def delivery_json(delivered: Delivered[Any], result: Mapping[str, Any]) -> str:
    """Return a delivery as JSON: what the command knows of it first."""
    pull_request = delivered.pull_request
    return json_text(
        {
            **result,
            "outcome": str(delivered.outcome),
            "base": delivered.base,
            "branch": delivered.branch,
            "branch_commit": delivered.commit,
            "pull_request": {"number": pull_request.number, "url": pull_request.url}
            if pull_request
            else None,
            "compare_url": delivered.compare,
            "kept_commits": delivered.kept,
            "files": [
                {"path": each.path, "change": file_action(each)}
                for each in delivered.proposal.changes
            ],
            "diff": diff_text(delivered.proposal.changes),
            "notes": list(delivered.notes),
        }
    )
