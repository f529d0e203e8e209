"""Resources are checked by schemas as the cluster would check them, and unknown keys are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops_examples import resource

from pipeline.errors import GitOpsError, ToolchainError
from pipeline.gitops.crds import Definitions, check_resources
from pipeline.gitops.repository import line_of, read_repository

TEXT = {"type": "string"}
SPEC = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {**TEXT, "minLength": 1},
        "type": {**TEXT, "enum": ["HTTP", "gRPC"]},
        "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
        "small": {"type": "integer", "format": "int32"},
        "word": {**TEXT, "pattern": "^[a-z]+$"},
        "either": {"x-kubernetes-int-or-string": True, "nullable": True},
        "maybe": {**TEXT, "nullable": True, "enum": ["a"]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "texts": {"type": "object", "additionalProperties": TEXT},
        "kinds": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
        "named": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["ref"],
            "items": {
                "type": "object",
                "required": ["ref"],
                "properties": {"ref": TEXT, "value": TEXT, "from": TEXT, "var": TEXT},
                "x-kubernetes-validations": [
                    {"rule": "!(has(self.value) && has(self.from))"},
                    {"rule": "!has(self.from) || has(self.var)"},
                    {"rule": "self == oldSelf"},
                ],
            },
        },
        "bound": {
            "type": "object",
            "additionalProperties": TEXT,
            "x-kubernetes-validations": [
                {"rule": "self.all(k, k.size() > 0 && self[k].size() > 0)"}
            ],
        },
    },
}
ROOT = {
    "type": "object",
    "required": ["spec"],
    "properties": {"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "spec": SPEC},
}

Told = Callable[[bytes], list[str]]


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    version = {"name": "v1alpha1", "schema": {"openAPIV3Schema": ROOT}}
    spec = {"group": "openchoreo.dev", "names": {"kind": "Workload"}, "versions": [version]}
    (tmp_path / "openchoreo.dev_workloads.yaml").write_text(yaml.safe_dump({"spec": spec}))
    return Definitions(tmp_path, "v1.2.3")


@pytest.fixture
def told(definitions: Definitions) -> Told:
    """Return the problems of a file's resources."""

    def problems(content: bytes) -> list[str]:
        resources = read_repository({"a.yaml": content}).resources
        return [str(each) for found in resources for each in definitions.problems(found, content)]

    return problems


@pytest.mark.parametrize(
    "spec",
    [
        {"port": 65535, "type": "HTTP", "small": -(2**31), "word": "a"},
        {"either": "25%", "maybe": None},
        {"either": 3, "maybe": "a"},
        {"either": None},
        {"free": {"x": [1]}, "any": {"x": 1}, "texts": {"x": "y"}, "bound": {"x": "y"}},
        {"any": 3, "kinds": ["a", "b"], "named": [{"ref": "a", "value": "x"}, {"ref": "b"}]},
        {"named": [{"ref": "a", "from": "x", "var": "y"}]},
    ],
)
def test_what_the_schema_allows_is_accepted(told: Told, spec: dict[str, Any]) -> None:
    assert told(resource("Workload", "a", image="x", **spec)) == []


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"imag": "x"}, "spec.imag: unknown key; perhaps you meant image?"),
        ({"port": 99999}, "spec.port: 99999 "),
        ({"port": "80"}, "spec.port: "),
        ({"port": True}, "spec.port: "),
        ({"small": 2**31}, "spec.small: "),
        ({"type": "GRPC"}, "spec.type: "),
        ({"word": "a\n"}, "spec.word: "),
        ({"either": 1.5}, "spec.either: "),
        ({"maybe": "b"}, "spec.maybe: "),
        ({"word": None}, "spec.word: "),
        ({"texts": {"x": 1}}, "spec.texts.x: "),
        ({"bound": {"": "x"}}, "spec.bound: "),
        ({"bound": {"x": ""}}, "spec.bound.x: "),
        ({"kinds": ["a", "a"]}, "spec.kinds: "),
        ({"named": [{"ref": "a"}, {"ref": "a"}]}, "spec.named[1]: "),
        ({"named": [{"ref": "a", "value": "x", "from": "y", "var": "z"}]}, "spec.named[0]: "),
        ({"named": [{"ref": "a", "from": "y"}]}, "spec.named[0].from: "),
        ({"named": [{"value": "y"}]}, "spec.named[0].ref: "),
    ],
)
def test_what_it_does_not_allow_is_told_with_its_keys(
    told: Told, spec: dict[str, Any], place: str
) -> None:
    (message,) = told(resource("Workload", "a", image="x", **spec))
    assert message.split(": ", 1)[1].startswith(place)


def test_a_problem_has_the_line_of_its_key(told: Told) -> None:
    text = b"""\
# two documents
apiVersion: openchoreo.dev/v1alpha1
kind: Trait
metadata: {name: t}
---
apiVersion: openchoreo.dev/v1alpha1
kind: Workload
metadata:
  name: a
  label: {a: b}
spec:
  image: ""
  named:
    - ref: a
    - {ref: b, valu: c}
"""
    assert [each.split(" ")[:2] for each in told(text)] == [
        ["a.yaml:2:", "OpenChoreo"],
        ["a.yaml:10:", "metadata.label:"],
        ["a.yaml:12:", "spec.image:"],
        ["a.yaml:15:", "spec.named[1].valu:"],
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "A"},
        {"name": "a", "labels": {"a": 1}},
        {"name": "a", "labels": {"a": "-"}},
        {"name": "a", "annotations": {"a": ["b"]}},
        {"name": "a", "namspace": "demo"},
    ],
)
def test_metadata_is_checked_as_for_every_kind(told: Told, metadata: dict[str, Any]) -> None:
    data = yaml.safe_load(resource("Workload", "a", image="x"))
    assert len(told(yaml.safe_dump({**data, "metadata": metadata}).encode())) == 1


def test_all_problems_of_all_resources_are_in_one_error(definitions: Definitions) -> None:
    files = {
        "a.yaml": resource("Workload", "a", image=1, port=0),
        "b.yaml": resource("Workload", "b"),
        "c.yaml": resource("Workload", "c", image="x"),
        "d.yaml": resource("Workloads", "d", image="x"),
    }
    resources = read_repository(files).resources
    with pytest.raises(GitOpsError) as caught:
        check_resources(definitions, resources, files, "the release of shop/catalog")
    assert [each.split(":")[0] for each in caught.value.details] == ["a.yaml"] * 2 + [
        "b.yaml",
        "d.yaml",
    ]
    assert "perhaps you meant Workload?" in caught.value.details[-1]
    check_resources(definitions, [resources[2]], files, "the release of shop/catalog")


def test_a_folder_without_schemas_is_an_error_of_the_toolchain(tmp_path: Path) -> None:
    files = {"a.yaml": resource("Workload", "a")}
    with pytest.raises(ToolchainError):
        check_resources(Definitions(tmp_path, "v1"), read_repository(files).resources, files, "a")


def test_keys_that_lead_nowhere_have_the_line_of_the_nearest_value_above() -> None:
    text = b"a:\n  b:\n    - c: 1\n    - 2\n"
    assert [line_of(text, 0, keys) for keys in ((), ("a", "b", 1), ("a", "b", 0, "d"), ("x",))] == [
        1,
        4,
        3,
        1,
    ]
