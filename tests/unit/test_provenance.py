"""Provenance, by our own schema and by in-toto's own messages."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from unit_examples import COMMIT, SHIPPED, layer

from pipeline.layer.manifest import Layer, Upstream
from pipeline.supply.inputs import Resource, go_input, module_input, resource
from pipeline.supply.provenance import Builder, builder_of, provenance

# The messages are made at run time and have no types.
IN_TOTO = "in_toto_attestation.v1"
statement_pb2: Any = import_module(f"{IN_TOTO}.statement_pb2")
Statement: Any = import_module(f"{IN_TOTO}.statement").Statement
ResourceDescriptor: Any = import_module(f"{IN_TOTO}.resource_descriptor").ResourceDescriptor
provenance_pb2: Any = import_module("in_toto_attestation.predicates.provenance.v1.provenance_pb2")

LOCAL = builder_of({}, version="0.1.0")
SCHEMA = json.loads((SHIPPED / "provenance.schema.json").read_bytes())
SUM = "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48="
LOCKED = (
    module_input("example.com/mine", "v0.155.0", SUM),
    resource("config-file", digest={"sha256": "0" * 64}),
)
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "owner/layers",
    "GITHUB_WORKFLOW_REF": "owner/layers/.github/workflows/release.yml@refs/tags/v1",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "3",
}

words = st.text(max_size=20)
digests = st.dictionaries(
    st.text(min_size=1, max_size=9), st.text("0123456789abcdef", min_size=2), min_size=1
)
resources = st.builds(resource, name=words, uri=words, digest=digests)


def made(of: Layer | None = None, *resources: Resource, by: Builder = LOCAL) -> dict[str, Any]:
    return json.loads(provenance(of or layer(), resources=resources, builder=by))


def faults(data: Any) -> list[str]:  # noqa: ANN401  as json gives it
    validator = Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(data)]  # pyright: ignore[reportUnknownMemberType]  the stubs know it in part


def check_by_in_toto(raw: bytes) -> None:
    """Raise for what in-toto's messages do not know or its validation does not accept."""
    parsed = statement_pb2.Statement()
    json_format.Parse(raw, parsed)
    Statement.copy_from_pb(parsed).validate()
    about = provenance_pb2.Provenance()
    json_format.ParseDict(json.loads(raw)["predicate"], about)
    assert about.build_definition.build_type
    assert about.run_details.builder.id
    for each in about.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(each).validate()


def test_the_subject_is_the_zip() -> None:
    data = made()
    assert data["_type"] == "https://in-toto.io/Statement/v1"
    assert data["predicateType"] == "https://slsa.dev/provenance/v1"
    assert data["subject"] == [
        {"name": "collector-amd64-minimal.zip", "digest": {"sha256": layer().sha256}}
    ]


def test_a_statement_is_whole() -> None:
    assert made(None, *LOCKED)["predicate"] == {
        "buildDefinition": {
            "buildType": "urn:x-ocelot:lambda-layer:v1",
            "externalParameters": {
                "distribution": "minimal",
                "architecture": "amd64",
                "upstream": {"uri": "git+https://github.com/owner/name", "ref": "main"},
                "buildTags": ["lambdacomponents.custom", "lambdacomponents.exporter.otlp"],
                "customModules": ["example.com/mine@v0.155.0"],
                "tunings": ["no-busy-wait"],
            },
            "internalParameters": {
                "collectorVersion": "v0.155.0",
                "engine": "host",
                "go": {
                    "version": "1.26.6",
                    "command": ["go", "build", "."],
                    "environment": {"GOOS": "linux"},
                },
                "ocelot": "0.1.0",
                "packer": "a packer",
                "sourceDateEpoch": 1_750_000_000,
            },
            "resolvedDependencies": [
                {
                    "name": "upstream",
                    "uri": "git+https://github.com/owner/name@main",
                    "digest": {"gitCommit": COMMIT},
                },
                {"name": "go", "uri": "pkg:generic/go@1.26.6"},
                LOCKED[1],
                {
                    "name": "example.com/mine",
                    "uri": "pkg:golang/example.com/mine@v0.155.0",
                    "digest": LOCKED[0]["digest"],
                },
            ],
        },
        "runDetails": {
            "builder": {"id": "urn:x-ocelot:builder:local", "version": {"ocelot": "0.1.0"}}
        },
    }


def test_in_toto_takes_a_statement() -> None:
    for builder in (LOCAL, builder_of(GITHUB, version="0.1.0")):
        check_by_in_toto(provenance(layer(), resources=LOCKED, builder=builder))


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_an_unknown_key_does_not_fit_the_schema() -> None:
    data = made()
    data["predicate"]["buildDefinition"]["externalParameters"]["colour"] = "red"
    assert faults(data)


@pytest.mark.parametrize("environment", [{}, GITHUB])
def test_a_statement_fits_its_schema(environment: dict[str, str]) -> None:
    assert faults(made(None, *LOCKED, by=builder_of(environment, version="1"))) == []


@pytest.mark.parametrize("key", ["_type", "subject", "predicateType", "predicate"])
def test_every_key_of_a_statement_is_required(key: str) -> None:
    data = made()
    del data[key]
    assert faults(data)


def test_a_dependency_without_uri_and_digest_does_not_fit() -> None:
    data = made()
    data["predicate"]["buildDefinition"]["resolvedDependencies"] = [{"name": "x"}]
    assert faults(data)


def test_the_same_inputs_in_any_order_give_the_same_bytes() -> None:
    one = provenance(layer(), resources=LOCKED, builder=LOCAL)
    two = provenance(layer(), resources=iter((*reversed(LOCKED), LOCKED[0])), builder=LOCAL)
    assert one == two
    assert one.endswith(b"}\n")


@given(st.permutations([("GOOS", "linux"), ("CGO_ENABLED", "0"), ("GOFLAGS", "-x")]))
def test_the_order_of_the_environment_does_not_count(pairs: list[tuple[str, str]]) -> None:
    of = layer()
    of = of.model_copy(update={"go": of.go.model_copy(update={"environment": dict(pairs)})})
    assert list(
        made(of)["predicate"]["buildDefinition"]["internalParameters"]["go"]["environment"]
    ) == ["CGO_ENABLED", "GOFLAGS", "GOOS"]


@given(
    st.lists(resources, max_size=4),
    st.builds(Upstream, repository=words, ref=words, commit=words),
    st.lists(words, max_size=3),
)
def test_odd_words_are_carried_safely(
    inputs: list[Resource], upstream: Upstream, tags: list[str]
) -> None:
    of = layer().model_copy(update={"upstream": upstream, "build_tags": tuple(tags)})
    raw = provenance(of, resources=inputs, builder=LOCAL)
    assert raw == provenance(of, resources=tuple(reversed(inputs)), builder=LOCAL)
    assert faults(json.loads(raw)) == []
    check_by_in_toto(raw)


def test_no_password_reaches_a_statement() -> None:
    of = layer(repository="https://alice:s3cret@example.com/a")
    proxies = "https://alice:s3cret@one.example,https://two.example,http://s3cret@three.example/x"
    go = of.go.model_copy(
        update={"environment": {"GOPROXY": proxies}, "command": ("go", f"-x={proxies}")}
    )
    other = resource("x", "git+https://alice:s3cret@h/p@v1", {"sha1": "00"})
    by = Builder(id="https://s3cret@ci.example/x", version="1", invocation="https://s3cret@ci/y")
    raw = provenance(of.model_copy(update={"go": go}), resources=(other,), builder=by).decode()
    assert "s3cret" not in raw
    assert "alice" not in raw
    assert "git+https://h/p@v1" in raw
    assert "https://one.example,https://two.example,http://three.example/x" in raw


@pytest.mark.parametrize("repository", ["/home/alice/x", "~alice/x", "file:///home/alice/x"])
def test_no_folder_of_the_builders_reaches_a_statement(repository: str) -> None:
    assert b"alice" not in provenance(layer(repository=repository), resources=(), builder=LOCAL)


def test_in_github_actions_the_workflow_is_the_builder() -> None:
    run = made(by=builder_of(GITHUB, version="0.1.0"))["predicate"]["runDetails"]
    assert run == {
        "builder": {
            "id": "https://github.com/owner/layers/.github/workflows/release.yml@refs/tags/v1",
            "version": {"ocelot": "0.1.0"},
        },
        "metadata": {"invocationId": "https://github.com/owner/layers/actions/runs/42/attempts/3"},
    }


@pytest.mark.parametrize(
    ("ref", "written"),
    [
        ("refs/heads/fix #12", "refs/heads/fix%20%2312"),
        ("refs/heads/100%?", "refs/heads/100%25%3F"),
        ("refs/heads/größe", "refs/heads/gr%C3%B6%C3%9Fe"),
        ("refs/pull/1/merge", "refs/pull/1/merge"),
        ("refs/tags/v1.0+a_b~c", "refs/tags/v1.0+a_b~c"),
    ],
)
def test_the_builder_is_a_uri_whatever_the_ref(ref: str, written: str) -> None:
    workflow = "owner/layers/.github/workflows/release.yml"
    environment = {**GITHUB, "GITHUB_WORKFLOW_REF": f"{workflow}@{ref}"}
    assert builder_of(environment, version="1").id == f"https://github.com/{workflow}@{written}"


@pytest.mark.parametrize("name", [each for each in GITHUB if each != "GITHUB_RUN_ATTEMPT"])
def test_half_an_environment_of_github_is_a_local_build(name: str) -> None:
    environment = {key: value for key, value in GITHUB.items() if key != name}
    assert builder_of(environment, version="1") == Builder(
        id="urn:x-ocelot:builder:local", version="1"
    )


def test_go_has_no_digest_where_none_is_known() -> None:
    assert "digest" not in go_input("1.26.6")
