"""The facts of releases: of folders, of bills of materials, and of the registry's rows."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notes_examples import AMD64, ARM64
from publish_examples import AMD64 as AMD64_ZIP
from publish_examples import ARM64 as ARM64_ZIP
from publish_examples import content, dist, write_manifest
from registry_examples import ACCOUNT, PUBLISHED, row
from supply_examples import Binary, layer_zip
from unit_examples import layer

from pipeline.errors import AwsError, OcelotError, UsageError
from pipeline.layer.buildinfo import read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.layerfile import open_layer
from pipeline.layer.manifest import FILE_NAME, read_manifest
from pipeline.notes.contents import folder_contents
from pipeline.notes.facts import ReleasedComponent
from pipeline.notes.last import releases_before
from pipeline.notes.release import NotesRequest, ReleaseNotes, release_notes
from pipeline.registry.row import Row
from pipeline.report.notes import notes_json, notes_markdown
from pipeline.supply.sbom import bill_of_materials

Target = dict[str, Any]


def target(
    file: str,
    region: str = "eu-west-1",
    *,
    epoch: int = 1_750_000_000,
    **more: Any,  # noqa: ANN401
) -> Target:
    """A target of publish.json."""
    architecture = "arm64" if "arm64" in file else "amd64"
    arn = f"arn:aws:lambda:{region}:{ACCOUNT}:layer:ocel-{architecture}-minimal-0_155_0-beta:7"
    return {
        "region": region,
        "architecture": architecture,
        "distribution": "minimal",
        "sha256": hashlib.sha256(content(file, epoch)).hexdigest(),
        "ok": True,
        "arn": arn,
        "public": True,
        **more,
    }


def publish_json(folder: Path, *targets: Target, **more: Any) -> None:  # noqa: ANN401
    (folder / "publish.json").write_text(json.dumps({"targets": targets, "skipped": [], **more}))


def no_registry() -> None:
    """Open no registry."""


def broken_registry() -> None:
    raise AwsError("no answer from account 123456789012", hint="")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two published zips."""
    made = dist(tmp_path / "dist")
    publish_json(made, target(AMD64_ZIP), target(ARM64_ZIP))
    return made


def written(folder: Path, **more: Any) -> ReleaseNotes:  # noqa: ANN401
    return release_notes(NotesRequest(folder=folder, **more), no_registry)


def test_the_layer_versions_are_those_of_publish_json(folder: Path) -> None:
    made = written(folder)
    assert [str(each.arn) for each in made.rows] == [
        target(file)["arn"] for file in (AMD64_ZIP, ARM64_ZIP)
    ]
    assert (made.release_group, {each.public for each in made.rows}) == ("beta", {True})
    assert made.release.first.contents.modules == {"example.com/one": "v1.2.3"}
    assert made.missing == ()


def test_the_same_inputs_give_the_same_notes(folder: Path) -> None:
    first, second = written(folder), written(folder)
    assert notes_markdown(first) == notes_markdown(second)
    assert notes_json(first) == notes_json(second)


def test_failed_targets_and_skipped_regions_are_missing(folder: Path) -> None:
    failed = target(ARM64_ZIP, "eu-west-3", ok=False, arn="", error="a secret of the account")
    skipped = [{"region": "me-south-1", "reason": "in quarantine"}]
    publish_json(folder, target(AMD64_ZIP), failed, skipped=skipped)
    made = written(folder)
    assert [(each.region, each.architecture) for each in made.missing] == [
        ("eu-west-3", ARM64),
        ("me-south-1", None),
    ]
    assert list(made.release.layers) == [AMD64]
    assert "a secret" not in notes_markdown(made)


def test_parameters_are_those_that_name_the_layer_version(folder: Path) -> None:
    made = target(AMD64_ZIP)
    other = {"name": "/ocel/minimal/amd64/latest", "value": "arn:other"}
    own = {"name": "/ocel/minimal/amd64/v0.155.0", "value": made["arn"]}
    hostile = {"name": '/a"}}`', "value": made["arn"]}
    publish_json(folder, {**made, "parameters": [other, own, hostile]})
    assert written(folder).parameters == {made["arn"]: (own["name"],)}


def test_without_a_registry_or_without_rights_the_comparison_is_left_out(folder: Path) -> None:
    for opener in (no_registry, broken_registry):
        made = release_notes(NotesRequest(folder=folder), opener)
        assert made.difference is None
        assert made.unknown.startswith("The last release is not known, since ")
        assert made.unknown in notes_markdown(made)
        assert "123456789012 " not in made.unknown


def test_a_comparison_that_was_not_requested_is_no_first_release(folder: Path) -> None:
    made = written(folder, compared=False)
    assert (made.unknown, made.difference) == ("", None)
    assert "first release" not in notes_markdown(made)


@pytest.mark.parametrize("name", ["", FILE_NAME])
def test_the_last_release_may_be_a_folder_or_a_manifest(
    folder: Path, tmp_path: Path, name: str
) -> None:
    previous = dist(tmp_path / "old", epoch=1_700_000_000)
    made = written(folder, previous=previous / name)
    assert made.difference
    assert not made.difference.same_zips
    assert made.difference.modules_known
    assert made.difference.modules == ()


def test_the_same_folder_has_the_same_zips(folder: Path) -> None:
    difference = written(folder, previous=folder).difference
    assert difference
    assert difference.same_zips


def test_of_several_distributions_one_must_be_named(folder: Path) -> None:
    manifest = read_manifest(folder / FILE_NAME)
    assert manifest
    other = layer("collector-amd64-other.zip").model_copy(update={"distribution": "other"})
    write_manifest(folder, [*manifest.layers, other])
    with pytest.raises(UsageError, match="minimal, other"):
        written(folder)
    assert written(folder, distribution="minimal").release.distribution == "minimal"
    with pytest.raises(UsageError, match="other"):
        written(folder, distribution="other")


@pytest.mark.parametrize(
    "more",
    [
        {"distribution": "none"},
        {"release_group": "prod"},
        {"repository": "a name"},
        {"repository": "a/b --delete"},
        {"previous": Path("not-there")},
        {"upstream": Path("not-there")},
        {"vulnerabilities": Path("not-there")},
        {"published": Path("not-there")},
        {"repository": "me/layers", "signer": "release-layers.yml"},
        {"repository": "layers"},
    ],
)
def test_what_cannot_be_used_is_an_error(folder: Path, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        written(folder, **more)
    assert caught.value.hint


def test_zips_that_were_not_published_are_an_error(tmp_path: Path) -> None:
    folder = dist(tmp_path / "dist")
    with pytest.raises(UsageError):
        written(folder)
    publish_json(folder, target(AMD64_ZIP, epoch=1_700_000_000))
    with pytest.raises(UsageError):
        written(folder)


def test_a_zip_that_was_changed_is_an_error(folder: Path) -> None:
    (folder / AMD64_ZIP).write_bytes(content(AMD64_ZIP, 1_700_000_000))
    with pytest.raises(UsageError, match="sha256"):
        written(folder)


def test_upstreams_figures_are_those_of_its_manifest(folder: Path, tmp_path: Path) -> None:
    upstream = dist(tmp_path / "upstream", AMD64_ZIP, epoch=1_700_000_000)
    made = written(folder, upstream=upstream / FILE_NAME)
    assert list(made.upstream) == [AMD64]
    assert made.upstream[AMD64].size == len(content(AMD64_ZIP))


def test_zips_and_bills_of_materials_give_the_same_modules(tmp_path: Path) -> None:
    zipped = layer_zip(Binary().content())
    opened = open_layer(zipped, file=AMD64_ZIP)
    entry = layer(AMD64_ZIP, zipped)
    bill = bill_of_materials(opened, read_build_info(read_elf(opened.collector)), name="a")
    (tmp_path / "collector-amd64-minimal.cdx.json").write_bytes(bill)
    listed = folder_contents(tmp_path, [entry])[entry.sha256]
    (tmp_path / AMD64_ZIP).write_bytes(zipped)
    inspected = folder_contents(tmp_path, [entry])[entry.sha256]
    assert listed.modules == inspected.modules
    assert "example.com/fork" in (listed.modules or {})
    assert listed.components is None
    assert ReleasedComponent(
        kind="receiver",
        name="otlp",
        package="go.opentelemetry.io/collector/receiver/otlpreceiver",
        module="go.opentelemetry.io/collector/receiver/otlpreceiver",
    ) in (inspected.components or ())


@pytest.mark.parametrize("name", ["vulnerabilities.json", "verification.json"])
def test_vulnerabilities_are_found_beside_the_manifest(folder: Path, name: str) -> None:
    sha256 = target(AMD64_ZIP)["sha256"]
    found = {"id": "GO-2026-0001", "module": "stdlib", "summary": "a loop", "level": "module"}
    scan = {"sha256": sha256, "vulnerabilities": {"vulnerabilities": [found]}}
    (folder / name).write_text(json.dumps({"layers": [scan, {"sha256": "other"}]}))
    assert "known vulnerabilities: `1`" in notes_markdown(written(folder))


@pytest.mark.parametrize("text", ["", "[]", '{"layers": [{"vulnerabilities": {"a": 1}}]}', "{}"])
def test_a_damaged_file_of_vulnerabilities_is_an_error(folder: Path, text: str) -> None:
    (folder / "vulnerabilities.json").write_text(text)
    with pytest.raises(OcelotError):
        written(folder)


def days(number: int, text: bytes, **changed: Any) -> Row:  # noqa: ANN401
    """A row published that many days later."""
    return row(published=PUBLISHED + timedelta(days=number), content=text, **changed)


KNOWN = [
    days(0, b"first"),
    days(1, b"second"),
    days(1, b"second arm64", architecture=ARM64),
    days(2, b"third"),
    days(2, b"third", region="us-east-1"),
    days(3, b"of another group", group="prod"),
    days(3, b"of another distribution", distribution="other"),
]


@given(st.permutations(KNOWN))
def test_the_last_release_is_the_one_before_of_the_same_series(known: list[Row]) -> None:
    def last(*rows: Row) -> dict[Any, Any]:
        return {key: each.first for key, each in releases_before(rows, known).items()}

    assert last(days(9, b"new")) == {AMD64: KNOWN[3]}
    assert last(KNOWN[4], KNOWN[3]) == {AMD64: KNOWN[1]}
    assert last(KNOWN[1], KNOWN[2]) == {AMD64: KNOWN[0]}
    assert last(KNOWN[0]) == {}
    assert last(days(9, b"new", architecture=ARM64)) == {ARM64: KNOWN[2]}
    assert last(days(9, b"new", group="alpha")) == {}
