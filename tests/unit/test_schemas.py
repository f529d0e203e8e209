from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from registry_examples import row
from unit_examples import MINE, OTLP, SHIPPED, layer, problems_of, write_config

from pipeline.config import schemas
from pipeline.config.folder import load_config
from pipeline.layer import manifest
from pipeline.notes import layers_file

GENERATED: dict[str, dict[str, Any]] = {
    **schemas.schemas(),
    "manifest.schema.json": manifest.schema(),
    "layers.schema.json": layers_file.schema(),
}


def faults(name: str, data: Any) -> list[str]:  # noqa: ANN401  as json and yaml give it
    """Return the errors of data by a JSON Schema."""
    validator = Draft202012Validator(GENERATED[f"{name}.schema.json"])
    return [error.message for error in validator.iter_errors(data)]  # pyright: ignore[reportUnknownMemberType]  the stubs know it in part


def folder_with(folder: Path, name: str, data: object) -> Path:
    """An example's config folder with one file of that data."""
    write_config(folder)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", GENERATED)
def test_the_schema_in_config_is_the_generated_one(name: str) -> None:
    written = (SHIPPED / name).read_text(encoding="utf-8")
    assert written == json.dumps(GENERATED[name], indent=2) + "\n", "run: ocelot config schema"


@pytest.mark.parametrize("name", GENERATED)
def test_a_schema_is_itself_valid(name: str) -> None:
    Draft202012Validator.check_schema(GENERATED[name])
    assert GENERATED[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", ["distributions", "components", "budgets", "regions", "gitops"])
def test_the_shipped_file_fits_its_schema(name: str) -> None:
    data = yaml.safe_load((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"))
    assert faults(name, data) == []


@pytest.mark.parametrize("name", ["distributions", "components", "budgets", "regions", "gitops"])
def test_the_shipped_file_names_its_schema_to_editors(name: str) -> None:
    first = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={name}.schema.json"


GITOPS = {"repository": "https://github.com/acme/gitops", "registry": {"address": "ghcr.io/acme"}}
QUARANTINE = {"region": "me-south-1", "until": "2027-01-31", "reason": "power failure"}

ACCEPTED: list[tuple[str, Any]] = [
    ("distributions", {}),
    ("distributions", {"minimal": {}}),
    ("distributions", {"minimal": {"buildtags": [OTLP]}, "b-2": {"base": "minimal"}}),
    ("components", {}),
    ("components", {MINE: "example.com/mine"}),
    ("components", {MINE: "example.com/mine@v1.2.3"}),
    ("components", {MINE: {"module": "example.com/m", "import": "example.com/m/x"}}),
    ("budgets", {}),
    ("budgets", {"minimal": {"zip": "14 MiB", "unzipped": 47_185_920, "modules": 200}}),
    ("budgets", {"minimal": {"zip": "13.5MB"}}),
    ("budgets", {"minimal": {"modules": 0}}),
    ("regions", {}),
    ("regions", {"sets": {"default": ["eu-west-1", "us-gov-west-1"], "all-of-us": ["us-east-1"]}}),
    ("regions", {"quarantine": [QUARANTINE]}),
    ("gitops", GITOPS),
    *(
        ("gitops", {**GITOPS, "repository": url})
        for url in (
            "git@github.com:acme/gitops.git",
            "ssh://git@git.example.com:2222/acme/gitops",
            "http://127.0.0.1:8080/gitops.git",
            "file:///srv/gitops.git",
        )
    ),
    ("gitops", {**GITOPS, "registry": {"address": "localhost:5000", "tls": False}}),
    ("gitops", {**GITOPS, "image-name": "{project}/{component}"}),
    ("gitops", {**GITOPS, "occ-version": "v1.2"}),
    ("gitops", {**GITOPS, "platform": {"url": "https://github.com/acme/p", "ref": "v1.2"}}),
    ("gitops", {**GITOPS, "pull-request": {"labels": ["a b"], "reviewers": ["a", "acme/team"]}}),
]

REFUSED: list[tuple[str, Any]] = [
    ("distributions", [{}]),
    ("distributions", {"Minimal": {}}),
    ("distributions", {"minimal\n": {}}),
    ("distributions", {"minimal": {"buildtag": [OTLP]}}),
    ("distributions", {"minimal": {"config_file": "a.yaml"}}),
    ("distributions", {"minimal": {"buildtags": OTLP}}),
    ("distributions", {"minimal": {"buildtags": [3]}}),
    ("distributions", {"minimal": {"buildtags": ["lambdacomponents.exporters.otlp"]}}),
    ("distributions", {"minimal": {"buildtags": [f"{OTLP}\n"]}}),
    ("distributions", {"minimal": {"description": ["one"]}}),
    ("distributions", {"minimal": {"base": 3}}),
    ("components", {"lambdacomponents.exporter.all": "example.com/mine"}),
    ("components", {MINE: {"module": "example.com/mine", "modul": "x"}}),
    ("components", {MINE: {"import": "example.com/mine"}}),
    ("components", {MINE: "$(x)"}),
    ("components", {MINE: "example.com/mine\n"}),
    ("components", {MINE: "example.com/mine@latest"}),
    ("components", {MINE: {"module": "example.com/mine", "factory": "lower"}}),
    ("budgets", []),
    ("budgets", {"Minimal": {"modules": 1}}),
    ("budgets", {"minimal": {}}),
    ("budgets", {"minimal": {"size": 3}}),
    ("budgets", {"minimal": {"zip": True}}),
    ("budgets", {"minimal": {"zip": 1.5}}),
    ("budgets", {"minimal": {"zip": -1}}),
    ("budgets", {"minimal": {"zip": "14"}}),
    ("budgets", {"minimal": {"zip": "14 Mbit"}}),
    ("budgets", {"minimal": {"zip": "14 mib"}}),
    ("budgets", {"minimal": {"zip": "14 MiB\n"}}),
    ("budgets", {"minimal": {"zip": "-1 MiB"}}),
    ("budgets", {"minimal": {"zip": ["14 MiB"]}}),
    ("budgets", {"minimal": {"modules": -1}}),
    ("budgets", {"minimal": {"modules": "200"}}),
    ("regions", []),
    ("regions", {"set": {}}),
    ("regions", {"sets": {"all": ["eu-west-1"]}}),
    ("regions", {"sets": {"all-cn": ["cn-north-1"]}}),
    ("regions", {"sets": {"eu-west-1": ["eu-west-1"]}}),
    ("regions", {"sets": {"a,b": ["eu-west-1"]}}),
    ("regions", {"sets": {"a": []}}),
    ("regions", {"sets": {"a": "eu-west-1"}}),
    ("regions", {"sets": {"a": ["Ireland"]}}),
    ("regions", {"sets": {"a": ["eu-west-1\n"]}}),
    ("regions", {"sets": {"a": [1]}}),
    ("regions", {"quarantine": {"me-south-1": "x"}}),
    ("regions", {"quarantine": [{**QUARANTINE, "until": "soon"}]}),
    ("regions", {"quarantine": [{**QUARANTINE, "until": 2027}]}),
    ("regions", {"quarantine": [{**QUARANTINE, "reason": ""}]}),
    ("regions", {"quarantine": [{**QUARANTINE, "region": "here"}]}),
    ("regions", {"quarantine": [{"region": "me-south-1", "reason": "x"}]}),
    ("gitops", {}),
    ("gitops", {**GITOPS, "repository": "https://token@github.com/acme/gitops"}),
    ("gitops", {**GITOPS, "repository": "git@-x:acme"}),
    ("gitops", {**GITOPS, "registry": "ghcr.io"}),
    ("gitops", {**GITOPS, "registry": {"address": "ghcr.io/Acme"}}),
    ("gitops", {**GITOPS, "namespace": "x" * 64}),
    ("gitops", {**GITOPS, "occ-version": "1.2.3"}),
    ("gitops", {**GITOPS, "image-name": "{project}"}),
    ("gitops", {**GITOPS, "tag-prefix": ".v1"}),
    ("gitops", {**GITOPS, "branch": "-x"}),
    ("gitops", {**GITOPS, "branch": "main\n"}),
    ("gitops", {**GITOPS, "nginx-port": 0}),
    ("gitops", {**GITOPS, "images": {"node": {"twenty": f"node@sha256:{'0' * 64}"}}}),
    ("gitops", {**GITOPS, "pull-request": {"labels": "a"}}),
]


@pytest.mark.parametrize(("name", "data"), ACCEPTED)
def test_editors_and_ocelot_accept_alike(tmp_path: Path, name: str, data: object) -> None:
    assert faults(name, data) == []
    load_config(folder_with(tmp_path, name, data))


@pytest.mark.parametrize(("name", "data"), REFUSED)
def test_editors_and_ocelot_refuse_alike(tmp_path: Path, name: str, data: object) -> None:
    assert faults(name, data)
    assert problems_of(folder_with(tmp_path, name, data))


def test_a_manifest_fits_its_schema() -> None:
    data = json.loads(manifest.Manifest(layers=(layer(),)).text())
    assert faults("manifest", data) == []


def test_a_manifest_with_an_unknown_key_does_not_fit() -> None:
    data = json.loads(manifest.Manifest(layers=(layer(),)).text())
    data["layers"][0]["colour"] = "red"
    assert faults("manifest", data)


@pytest.mark.parametrize("key", sorted(manifest.Layer.model_fields))
def test_every_key_of_a_layer_is_required(key: str) -> None:
    data = json.loads(manifest.Manifest(layers=(layer(),)).text())
    del data["layers"][0][key]
    assert faults("manifest", data)


def test_a_layers_file_fits_its_schema() -> None:
    data = json.loads(layers_file.layers_file([row()], {}).text())
    assert faults("layers", data) == []
    for each in (data, data["layers"][0], data["upstream"]):
        for key in list(each):
            value = each.pop(key)
            assert faults("layers", data), key
            each[key] = value
