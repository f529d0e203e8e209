"""Where a zip came from, as a statement that can be signed. Pure: the same zip, the same bytes.

The statement is worth what its signature is: made on a laptop it is a note, signed in GitHub
Actions by the workflow's own identity it is evidence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipeline.build.manifest import Layer
from pipeline.supply import statement
from pipeline.supply.inputs import URN, ResolvedInput, go_input, source_input, source_uri

LOCAL_BUILDER = f"{URN}:builder:local"

# A URL's user and password; a `@` after the first slash is no part of them.
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """Who runs ocelot.

    Attributes:
        id: a URI; in GitHub Actions the workflow at its ref.
        version: of ocelot.
        invocation: the URL of the run; empty outside CI.
    """

    id: str
    version: str
    invocation: str = ""


def local_builder(version: str) -> Builder:
    """Somebody, somewhere."""
    return Builder(id=LOCAL_BUILDER, version=version)


def builder_of(environment: Mapping[str, str], *, version: str) -> Builder:
    """Who runs ocelot, by the environment that GitHub Actions gives; else a local builder.

    Variables: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID")
    server, repository, workflow, run = (environment.get(name, "") for name in names)
    told = server.startswith("https://") and repository and workflow and run
    if environment.get("GITHUB_ACTIONS") != "true" or not told:
        return local_builder(version)
    server = server.rstrip("/")
    attempt = environment.get("GITHUB_RUN_ATTEMPT") or "1"
    return Builder(
        id=f"{server}/{workflow}",
        version=version,
        invocation=f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}",
    )


def provenance(layer: Layer, *, locked: Iterable[ResolvedInput], builder: Builder) -> bytes:
    """The in-toto statement of a zip, as JSON.

    Args:
        layer: the manifest's entry.
        locked: what went into the zip besides upstream and Go: the modules and files that a lock
            names, an image; in any order.
        builder: who made it.
    """
    made = statement.Statement(
        type=statement.STATEMENT_TYPE,
        subject=(
            statement.Subject(name=layer.file, digest=statement.SubjectDigest(sha256=layer.sha256)),
        ),
        predicate_type=statement.PREDICATE_TYPE,
        predicate=_predicate(layer, locked, builder),
    )
    return _text(made)


def predicate(layer: Layer, *, locked: Iterable[ResolvedInput], builder: Builder) -> bytes:
    """The statement's predicate alone, for a signer that makes the statement itself."""
    return _text(_predicate(layer, locked, builder))


def _predicate(
    layer: Layer, locked: Iterable[ResolvedInput], builder: Builder
) -> statement.Provenance:
    inputs = {_order(each): each for each in locked}
    others = [_resource(inputs[key]) for key in sorted(inputs)]
    run = statement.Metadata(invocation_id=builder.invocation) if builder.invocation else None
    return statement.Provenance(
        build_definition=statement.BuildDefinition(
            build_type=statement.BUILD_TYPE,
            external_parameters=_external(layer),
            internal_parameters=_internal(layer),
            resolved_dependencies=(
                _resource(source_input(layer.upstream)),
                _resource(go_input(layer.go.version)),
                *others,
            ),
        ),
        run_details=statement.RunDetails(
            builder=statement.Builder(id=builder.id, version={"ocelot": builder.version}),
            metadata=run,
        ),
    )


def _external(layer: Layer) -> statement.ExternalParameters:
    return statement.ExternalParameters(
        distribution=layer.distribution,
        architecture=layer.architecture,
        upstream=statement.UpstreamParameter(
            uri=source_uri(layer.upstream.repository), ref=layer.upstream.ref
        ),
        build_tags=layer.build_tags,
        custom_modules=layer.custom_modules,
        tunings=layer.tunings,
    )


def _internal(layer: Layer) -> statement.InternalParameters:
    return statement.InternalParameters(
        collector_version=layer.collector_version,
        engine=layer.engine,
        go=statement.Go(
            version=layer.go.version,
            command=layer.go.command,
            environment=dict(sorted(layer.go.environment.items())),
        ),
        ocelot=layer.ocelot,
        packer=layer.packer,
        source_date_epoch=layer.source_date_epoch,
    )


def _order(each: ResolvedInput) -> tuple[Any, ...]:
    return each.name, each.uri, tuple(sorted(each.digest.items()))


def _resource(each: ResolvedInput) -> statement.Resource:
    return statement.Resource(
        name=each.name, uri=each.uri or None, digest=dict(sorted(each.digest.items())) or None
    )


def _text(made: statement.Statement | statement.Provenance) -> bytes:
    values = made.model_dump(mode="json", by_alias=True, exclude_none=True)
    return (json.dumps(_without_credentials(values), indent=2) + "\n").encode()


def _without_credentials(value: object) -> object:
    """The same without any URL's user and password, wherever one came in."""
    if isinstance(value, str):
        return _CREDENTIALS.sub("", value)
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: _without_credentials(each) for key, each in items}
    if isinstance(value, list):
        return [_without_credentials(each) for each in cast("list[object]", value)]
    return value
