"""Provenance: a zip's origin as a statement that can be signed. Pure: the same zip, the same bytes.

It is an in-toto Statement v1 with a SLSA v1 predicate; its JSON Schema stands in `config/`. It is
worth what its signature is: made on a laptop it is a note, signed in GitHub Actions by the
workflow's own identity it is evidence.
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from pipeline.layer.manifest import Layer
from pipeline.supply.inputs import URN, Resource, go_input, source_input, source_uri

# The README explains it; another meaning of the parameters takes another number.
BUILD_TYPE = f"{URN}:lambda-layer:v1"

# A URL's user and password; a `@` after the first slash is no part of them.
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")

# Characters of a URI's path (RFC 3986, 3.3); a ref may have others, such as `#`.
_SAFE = "/:@!$&'()*+,;=~"


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """The user or workflow that runs ocelot.

    Attributes:
        id: a URI; in GitHub Actions the workflow at its ref.
        version: of ocelot.
        invocation: the URL of the run; empty outside CI.
    """

    id: str
    version: str
    invocation: str = ""


def builder_of(environment: Mapping[str, str], *, version: str) -> Builder:
    """Return the builder: the workflow, by the variables of GitHub Actions; else a local one.

    Variables: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID")
    server, repository, workflow, run = (environment.get(name, "") for name in names)
    complete = server.startswith("https://") and repository and workflow and run
    if environment.get("GITHUB_ACTIONS") != "true" or not complete:
        return Builder(id=f"{URN}:builder:local", version=version)
    server = server.rstrip("/")
    attempt = environment.get("GITHUB_RUN_ATTEMPT") or "1"
    return Builder(
        id=f"{server}/{quote(workflow, safe=_SAFE)}",
        version=version,
        invocation=f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}",
    )


def provenance(
    layer: Layer, *, resources: Iterable[Resource], builder: Builder, origin: str = ""
) -> bytes:
    """The in-toto statement of a zip, as JSON.

    Args:
        layer: the manifest's entry.
        resources: what went into the zip besides upstream and Go, such as the modules of its
            binary; in any order.
        builder: who made it.
        origin: the repository that was read, if it is not the one that the user gave.
    """
    others = {json.dumps(each, sort_keys=True): each for each in resources}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": layer.file, "digest": {"sha256": layer.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _external_parameters(layer),
                "internalParameters": _internal_parameters(layer),
                "resolvedDependencies": [
                    source_input(layer.upstream, origin),
                    go_input(layer.go.version),
                    *sorted(others.values(), key=_order),
                ],
            },
            "runDetails": {
                "builder": {"id": builder.id, "version": {"ocelot": builder.version}},
                **(
                    {"metadata": {"invocationId": builder.invocation}} if builder.invocation else {}
                ),
            },
        },
    }
    return (json.dumps(_without_credentials(statement), indent=2) + "\n").encode()


def _external_parameters(layer: Layer) -> dict[str, Any]:
    """The user's choices; a verifier must check all of them."""
    return {
        "distribution": layer.distribution,
        "architecture": str(layer.architecture),
        "upstream": {"uri": source_uri(layer.upstream.repository), "ref": layer.upstream.ref},
        "buildTags": list(layer.build_tags),
        "customModules": list(layer.custom_modules),
        "tunings": list(layer.tunings),
    }


def _internal_parameters(layer: Layer) -> dict[str, Any]:
    """Ocelot's decisions, for a rebuild."""
    return {
        "collectorVersion": layer.collector_version,
        "engine": layer.engine,
        "go": {
            "version": layer.go.version,
            "command": list(layer.go.command),
            "environment": dict(sorted(layer.go.environment.items())),
        },
        "ocelot": layer.ocelot,
        "packer": layer.packer,
        "sourceDateEpoch": layer.source_date_epoch,
    }


def _order(each: Resource) -> tuple[Any, ...]:
    return each["name"], each.get("uri", ""), tuple(each.get("digest", {}).items())


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
