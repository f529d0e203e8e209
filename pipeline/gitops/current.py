"""The release of each component that equals its current state, as `occ` would make it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.errors import quoted
from pipeline.gitops.changes import canonical
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.occ import Occ
from pipeline.gitops.occ_copy import OccCopy, occ_copy
from pipeline.gitops.occ_layout import occ_layout
from pipeline.gitops.promotion import Candidate, Name, PromotionScope
from pipeline.gitops.repository import GitOpsRepository, Resource, read_resources

_HEADING = re.compile(r"^# Release: .*$", re.MULTILINE)
_ERROR = re.compile(
    r"^Error generating release for (?P<project>[^/\s]+)/(?P<component>[^:\s]+): (?P<reason>.*)$",
    re.MULTILINE,
)


async def current_releases(
    namespace: Namespace, scope: PromotionScope, occ: Occ, platform: GitOpsRepository | None = None
) -> dict[Name, Candidate]:
    """Return the release of each component that equals its current state.

    occ runs once, without writing. Of several equal releases the one that is bound to the
    environment is taken, else the first by path.

    Raises:
        GitOpsError: occ fails for all of them.
    """
    names = [(each.owner[0], each.name) for each in scope.components]
    if not names:
        return {}
    with occ_copy(namespace, occ_layout(namespace, names, platform), occ) as copy:
        shown, errors = await copy.run("componentrelease", "generate", "--all", "--dry-run")
        expected = {each.owner: canonical(each.data.get("spec")) for each in _shown(copy, shown)}
    reasons = {
        (each["project"], each["component"]): each["reason"] for each in _ERROR.finditer(errors)
    }
    return {
        name: _candidate(namespace, scope.environment, name, expected.get(name, ""))
        if name in expected
        else Candidate(reason=reasons.get(name, "occ makes no release of it"))
        for name in names
    }


def _shown(copy: OccCopy, shown: str) -> Iterator[Resource]:
    """Yield the releases that a dry run printed, each below a heading."""
    for text in _HEADING.split(shown)[1:]:
        release, _, _ = text.rpartition("\n---\n")
        for each in read_resources("release.yaml", release.encode()):
            if not isinstance(each, Resource) or each.kind != "ComponentRelease":
                raise copy.unexpected(f"it printed {quoted(text[:60])} instead of a release")
            yield each


def _candidate(namespace: Namespace, environment: str, name: Name, expected: str) -> Candidate:
    """Return the component's release with the expected spec."""
    releases = namespace.releases(*name)
    equal = [each.name for each in releases if canonical(each.data.get("spec")) == expected]
    if not equal:
        command = f"ocelot gitops componentrelease {'/'.join(name)}"
        others = "none of its releases equals its current state" if releases else "it has none yet"
        return Candidate(reason=f"{others}; one is made by: {command}")
    binding = namespace.read_binding(*name, environment)
    bound = binding.text("spec", "releaseName") if binding else ""
    return Candidate(release=bound if bound in equal else equal[0])
