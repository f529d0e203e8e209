"""Reports of `ocelot github-release`: what is to be done for a release, or was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.github.plan import AssetFile, GitHubPlan
from pipeline.report.rendering import Report, json_text

if TYPE_CHECKING:
    from pipeline.github.apply import GitHubResult  # which imports githubkit

_SIZE = "Bytes"
_HEADINGS = ("Asset", "Action", _SIZE, "SHA-256")
# GitHub's names of values, for people.
_VALUES = {"name": "title", "body": "notes", "target_commitish": "commit"}


def github_report(result: GitHubResult, *, dry_run: bool) -> Report:
    """Return the assets with what is to be done for them, and the release's address."""
    plan = result.plan
    return Report(
        title="GitHub release",
        summary=_summary(result, dry_run=dry_run),
        link=result.release.url if result.release else "",
        headings=_HEADINGS,
        rows=[
            (each.name, _action(plan, each), f"{each.size:,}", each.sha256[:12])
            for each in plan.wanted.files
        ],
        right=(_SIZE,),
        notes=result.notes,
    )


def _summary(result: GitHubResult, *, dry_run: bool) -> str:
    """Return one line: the tag, the steps that were done or would be, and the repository."""
    steps = ", ".join(_steps(result.plan, done=not dry_run)) or "nothing to do"
    repository = "" if result.release else f": {result.repository}"
    return f"{result.plan.wanted.tag}: {steps}{repository}"


def _steps(plan: GitHubPlan, *, done: bool) -> Iterator[str]:
    """Yield the steps of a plan, without those for single assets."""
    if plan.release is None:
        yield "created" if done else "create a draft"
    if plan.changes:
        values = ", ".join(_VALUES.get(each, each) for each in plan.changes)
        yield f"{values} updated" if done else f"update {values}"
    if plan.uploads:
        count = f"{len(plan.uploads)} assets"
        yield f"{count} uploaded" if done else f"upload {count}"
    if plan.publish:
        yield "published" if done else "publish"


def _action(plan: GitHubPlan, file: AssetFile) -> str:
    if file in plan.uploads:
        again = file.name in {each.name for each in plan.incomplete}
        return "upload again" if again else "upload"
    return "wait" if file.name in plan.waiting else "keep"


def github_json(result: GitHubResult, *, dry_run: bool) -> str:
    """Return the release, and what was done for it, as JSON."""
    plan, release = result.plan, result.release
    wanted = plan.wanted
    return json_text(
        {
            "repository": result.repository,
            "tag": wanted.tag,
            "title": wanted.title,
            "url": release.url if release else "",
            "draft": release.draft if release else wanted.draft,
            "prerelease": release.prerelease if release else bool(wanted.prerelease),
            "immutable": release.immutable if release else False,
            "dry_run": dry_run,
            "created": plan.release is None,
            "changed": [_VALUES.get(each, each) for each in plan.changes],
            "published": plan.publish,
            "assets": [
                {
                    "name": each.name,
                    "size": each.size,
                    "sha256": each.sha256,
                    "action": _action(plan, each),
                }
                for each in wanted.files
            ],
            "notes": result.notes,
        }
    )
