"""Notes on a plan: what was not looked at, and what cannot be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.reap.plan import RegionReap, VersionPlan
from pipeline.reap.references import References
from pipeline.reap.request import ReapRequest

NO_PARAMETERS = "parameters in SSM were not looked at: name their prefix with --ssm-prefix"
NO_REGISTRY = "there is no registry: sizes, contents and shares are not known"
_SHOWN = 3


def plan_notes(
    regions: Sequence[RegionReap],
    request: ReapRequest,
    references: References,
    *,
    has_registry: bool,
) -> Iterator[str]:
    """Yield the notes on a plan."""
    versions = [one for each in regions for one in each.versions]
    deleted = [each for each in versions if each.is_deleted]
    if not versions and not all(each.unseen for each in regions):
        yield (
            f"no layer version is selected: check the pattern {request.pattern!r}, "
            "--distribution, --release-group and --regions"
        )
    if deleted:
        yield from _other_accounts(deleted)
    if request.ssm_prefix is None:
        yield NO_PARAMETERS
    if not has_registry:
        yield NO_REGISTRY
    yield from references.notes


def _other_accounts(deleted: Sequence[VersionPlan]) -> Iterator[str]:
    """Yield which layer versions other accounts may use, as far as that is known."""
    shared = [each for each in deleted if each.row and (each.row.public or each.row.shared_with)]
    unknown = sum(each.row is None for each in deleted)
    yield "functions of other accounts cannot be seen"
    if shared:
        yield f"{len(shared)} of those to delete are public or shared: {_names(shared)}"
    if unknown:
        yield f"{unknown} of those to delete have no row: they may be public or shared"


def _names(versions: Sequence[VersionPlan]) -> str:
    shown = [f"{each.version.arn.name}:{each.version.arn.version}" for each in versions[:_SHOWN]]
    more = len(versions) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])
