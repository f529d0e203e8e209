"""A promotion: the releases of many components bound to an environment, in one pull request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.gitops.checks import EnvironmentCheck, check_environment
from pipeline.gitops.crds import Definitions
from pipeline.gitops.delivery import Delivered, DeliveryTarget, Proposal, deliver
from pipeline.gitops.manifests import binding_changes, current_releases
from pipeline.gitops.namespace import Namespace, namespace_of
from pipeline.gitops.occ import Occ, installed_occ
from pipeline.gitops.parameters import PromoteParameters
from pipeline.gitops.promotion import (
    PromotionPlan,
    PromotionScope,
    previous_releases,
    promotion_plan,
    promotion_scope,
)
from pipeline.gitops.reading import GitOpsAddress, read_platform
from pipeline.gitops.repository import GitOpsRepository, without_collection
from pipeline.gitops.texts import DeliveryTexts, code_span


@dataclass(frozen=True, kw_only=True)
class PromoteRequest:
    """A promotion that the user asks for.

    Attributes:
        parameters: project, environment and pipeline.
        skip_missing: True to leave out components without a release to promote.
        with_project: True to add a ProjectReleaseBinding that the environment lacks.
        cache: the user cache.
        occ_version: of the cluster.
    """

    parameters: PromoteParameters
    skip_missing: bool = False
    with_project: bool = False
    cache: Path
    occ_version: str


async def promote(
    request: PromoteRequest, address: GitOpsAddress, target: DeliveryTarget
) -> Delivered[PromotionPlan]:
    """Bind the releases of one environment to the next one by pull request.

    Raises:
        UsageError: an option cannot be used.
        GitOpsError: a repository or resource cannot be used, or a component has no release to
            promote.
        GitHubError: GitHub refuses, or does not answer.
        ToolchainError: git, occ or Go is missing.
    """
    work = _PromotionWork(
        request=request,
        namespace=address.namespace,
        occ=await installed_occ(request.cache, request.occ_version),
        platform=await read_platform(address),
    )
    prefix = f"bulk-release/{request.parameters.project or 'all'}-"
    with without_collection():
        return await deliver(target, work.key, prefix, work.propose)


@dataclass(frozen=True, kw_only=True)
class _PromotionWork:
    """One promotion, with the program and the repository that it uses beside the GitOps repository.

    Attributes:
        namespace: OpenChoreo's.
        platform: the repository of the platform's resources; None if that is the same.
    """

    request: PromoteRequest
    namespace: str
    occ: Occ
    platform: GitOpsRepository | None

    async def propose(self, repository: GitOpsRepository) -> Proposal[PromotionPlan]:
        """Return the changes of a repository."""
        namespace = namespace_of(repository, self.namespace, self.platform)
        # 1. the components, and the release for each of them
        plan = await self._plan(namespace)
        if not self.request.skip_missing:
            plan.check_missing()
        # 2. the bindings, written by occ in one run
        changes = await binding_changes(
            repository, self.namespace, plan.requests, self.occ, platform=self.platform
        )
        # 3. the gaps of the environment
        checks = self._checks(namespace, plan)
        added = [change for check in checks for change in check.changes]
        return Proposal(
            changes=tuple(sorted((*changes, *added), key=lambda change: change.path)),
            texts=promotion_texts(plan, self.request.parameters.project, self.namespace),
            result=plan,
            warnings=(*_undeployed(plan), *(each for check in checks for each in check.warnings)),
        )

    def key(self, repository: GitOpsRepository) -> str:
        """Return the mark by which the promotion's pull request is known again."""
        scope = self._scope(namespace_of(repository, self.namespace, self.platform))
        if project := self.request.parameters.project:
            return f"promote {self.namespace}/{project} {scope.environment}"
        return f"promoteall {self.namespace}/{scope.pipeline.name} {scope.environment}"

    def _scope(self, namespace: Namespace) -> PromotionScope:
        return promotion_scope(namespace, self.request.parameters)

    async def _plan(self, namespace: Namespace) -> PromotionPlan:
        scope = self._scope(namespace)
        if scope.previous:
            return promotion_plan(namespace, scope, previous_releases(namespace, scope))
        current = await current_releases(
            namespace.repository,
            self.namespace,
            scope.names,
            scope.environment,
            self.occ,
            pipeline=scope.pipeline.name,
            platform=self.platform,
        )
        return promotion_plan(namespace, scope, current)

    def _checks(self, namespace: Namespace, plan: PromotionPlan) -> list[EnvironmentCheck]:
        definitions = Definitions(self.occ.crds, self.occ.version)
        return [
            check_environment(
                namespace,
                definitions,
                project,
                plan.environment,
                with_project=self.request.with_project,
            )
            for project in plan.projects
        ]


def _undeployed(plan: PromotionPlan) -> Iterator[str]:
    for each in plan.promotions:
        if each.undeployed:
            yield f"{each} has state Undeploy in {plan.environment}: the release will not run there"


def promotion_texts(plan: PromotionPlan, project: str, namespace: str) -> DeliveryTexts:
    """Return the texts of commit and pull request.

    Args:
        plan: the promotion.
        project: its name; empty for all of them.
        namespace: OpenChoreo's.
    """
    scope = f"project {project}" if project else "all projects"
    return DeliveryTexts(
        subject=f"Bulk release for {scope}",
        title=f"Bulk Release: {scope}",
        facts=(
            ("Namespace", namespace),
            ("Scope", scope),
            ("Target Environment", plan.environment),
            ("Releases of", plan.previous or "the components' current state"),
            ("Pipeline", plan.pipeline),
        ),
        summary="\n".join(_summary(plan)),
    )


def _summary(plan: PromotionPlan) -> Iterator[str]:
    """Yield the lines of a table of the promoted releases, and of what is left out."""
    if plan.promotions:
        yield "| Component | Old release | New release |"
        yield "|---|---|---|"
    for each in plan.promotions:
        before = _cell(each.before) if each.before else "none"
        yield f"| {_cell(str(each))} | {before} | {_cell(each.after)} |"
    if left_out := (*plan.missing, *plan.other_projects):
        yield from ("", "Left out:", "")
        for each in left_out:
            yield f"- {code_span(str(each))}"


def _cell(value: str) -> str:
    """Return a value for a table, in which a bar ends a cell also within code."""
    return code_span(value).replace("|", "\\|")
