"""A release before its image: the parameters of a Component, and the commit of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import progress
from pipeline.files import read_file
from pipeline.gitops.given import LocatedResource, read_run
from pipeline.gitops.namespace import Namespace
from pipeline.gitops.parameters import (
    BuildpacksBuild,
    BuildParameters,
    ComponentRef,
    DockerBuild,
    build_parameters,
)
from pipeline.gitops.source import SourceCommit, local_commit, remote_urls, resolve_commit
from pipeline.gitops.urls import repository_key
from pipeline.gitops_options import WorkflowOptions


@dataclass(frozen=True, kw_only=True)
class ResolvedBuild:
    """The parameters of a Component's build, and the commit that is built.

    Attributes:
        parameters: as given; `commit` in them may be a branch or tag, or empty.
        commit: that it means now.
    """

    parameters: BuildParameters
    commit: SourceCommit

    def document(self) -> dict[str, Any]:
        """Return JSON values; the parameters are spelled as in a WorkflowRun."""
        given = self.parameters
        name = given.name
        return {
            "namespace": name.namespace,
            "project": name.project,
            "component": name.component,
            "workflow": given.workflow,
            "repository": given.repository_url,
            "branch": given.branch,
            "commit": self.commit.sha,
            "committed": self.commit.committed,
            "appPath": given.app_path,
            "workloadDescriptorPath": given.descriptor,
            **_build_document(given),
        }


def _build_document(parameters: BuildParameters) -> Mapping[str, Any]:
    build = parameters.build
    if isinstance(build, DockerBuild):
        return {"docker": {"context": build.context, "filePath": build.dockerfile}}
    if isinstance(build, BuildpacksBuild):
        env = [f"{key}={value}" for key, value in build.env]
        return {"buildpacks": {"builderImage": build.builder_image, "env": env}}
    names = {
        "node_version": "nodeVersion",
        "build_command": "buildCommand",
        "output_dir": "outputDir",
    }
    return {"react": {names[key]: value for key, value in asdict(build).items()}}


def read_run_file(path: Path | None) -> LocatedResource | None:
    """Return the WorkflowRun of a file; None without a file.

    Raises:
        UsageError: the file cannot be read, or has not exactly one WorkflowRun.
    """
    if path is None:
        return None
    return read_run(read_file(path, "name a file with a WorkflowRun: --from"), str(path))


async def resolved_build(
    name: ComponentRef,
    namespace: Namespace,
    options: WorkflowOptions,
    *,
    run: LocatedResource | None,
    source: Path | None,
    cache: Path,
) -> ResolvedBuild:
    """Return the parameters of a Component and the commit of its source.

    Args:
        name: the Component.
        namespace: its namespace in the GitOps repository.
        options: the user's.
        run: a WorkflowRun.
        source: a local checkout of the source; None for the repository on its server.
        cache: ocelot's.

    Raises:
        UsageError: an option, the WorkflowRun or the checkout cannot be used.
        GitOpsError: the Component or its source cannot be used.
        ToolchainError: git is missing.
    """
    parameters = build_parameters(name, options=options, run=run, namespace=namespace)
    commit = await source_commit(parameters, source, cache)
    return ResolvedBuild(parameters=parameters, commit=commit)


async def source_commit(
    parameters: BuildParameters, source: Path | None, cache: Path
) -> SourceCommit:
    """Return the commit that parameters name; arguments and errors as of `resolved_build`.

    A checkout of another repository is noted: it may be a fork or a mistake.
    """
    if source is not None:
        commit = await local_commit(source, parameters.commit)
        key = repository_key(parameters.repository_url)
        keys = [repository_key(url) for url in await remote_urls(source)]
        if keys and key not in keys:
            progress.note(f"{source} is a checkout of {keys[0]}; {parameters.name} is of {key}")
        return commit
    return await resolve_commit(
        parameters.repository_url, branch=parameters.branch, commit=parameters.commit, cache=cache
    )
