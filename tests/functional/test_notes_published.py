"""`ocelot notes` by the command line, of layers that were published to an AWS with a registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from aws_rules import Rule
from aws_wire import ACCESS_DENIED
from markdown_reader import tables
from publish_examples import AMD64, write_manifest
from publishing import FRANCE, IRELAND, Publishing
from runs import Ran, run_ocelot
from supply_examples import FUNCTIONS, INFO, Binary, Table, build_info, layer_zip
from unit_examples import layer

from pipeline.layer.manifest import PASSED, Start

REGIONS = (IRELAND, FRANCE)
TOML, OTLP = "github.com/BurntSushi/toml", "go.opentelemetry.io/collector/receiver/otlpreceiver"
BATCH = "go.opentelemetry.io/collector/processor/batchprocessor"


def zipped(toml: str, component: str) -> bytes:
    """A layer whose collector has a component, and that version of a module."""
    functions = [each for each in FUNCTIONS if "otlpreceiver" not in each.name]
    table = Table(functions=functions, inlined=(f"{component}.NewFactory",), values=20)
    info = INFO.replace("toml\tv1.5.0", f"toml\t{toml}")
    return layer_zip(Binary(info=build_info(info), table=table.content()).content())


START = Start(starts=3, cpu=0.015, memory=30 << 20, cpu_times=4.8123, memory_times=4.7)
OLD, NEW = zipped("v1.5.0", OTLP), zipped("v1.6.0", BATCH)


def published(publishing: Publishing, content: bytes, commit: str) -> Path:
    """Publish a zip of that content; return publish.json."""
    for path in publishing.zips.iterdir():
        path.unlink()
    (publishing.zips / AMD64).write_bytes(content)
    entry = layer(AMD64, content)
    upstream = entry.upstream.model_copy(update={"commit": commit})
    changed = {"upstream": upstream, "start": START, "benched": PASSED}
    write_manifest(publishing.zips, [entry.model_copy(update=changed)])
    report = publishing.folder / "publish.json"
    ran = publishing.ocelot("--public", "-o", report)
    assert ran.code == 0, ran.err
    return report


@pytest.fixture
def twice(publishing: Publishing) -> Publishing:
    """A publisher that published one content after another."""
    publishing.regions = REGIONS
    published(publishing, OLD, "1" * 40)
    published(publishing, NEW, "2" * 40)
    publishing.aws.forget()
    return publishing


def notes(publishing: Publishing, *more: str | Path) -> Ran:
    ran = run_ocelot(
        *("notes", publishing.zips, *more),
        cache=publishing.folder / "cache",
        env=publishing.aws.environment(),
        cwd=publishing.folder,
    )
    assert ran.code == 0, ran.err
    return ran


def as_json(publishing: Publishing, *more: str | Path) -> Any:  # noqa: ANN401
    return json.loads(notes(publishing, "--json", *more).out)


def test_the_last_release_is_found_in_the_registry_downloaded_and_compared(
    twice: Publishing,
) -> None:
    data = as_json(twice)
    difference = data["difference"]
    assert difference["commits"] == {"old": "1" * 40, "new": "2" * 40}
    assert difference["modules"] == [{"path": TOML, "old": "v1.5.0", "new": "v1.6.0"}]
    assert [each["package"] for each in difference["components_added"]] == [BATCH]
    assert [each["package"] for each in difference["components_removed"]] == [OTLP]
    assert data["figures"]["last"]["amd64"]["size"] == len(OLD)
    assert [each["region"] for each in data["layers"]] == sorted(REGIONS)
    assert data["unknown"] == ""
    assert len(twice.aws.calls("GetLayerVersion")) == 1
    assert twice.writes() == []


def test_a_second_run_gives_the_same_notes(twice: Publishing) -> None:
    first, second = notes(twice), notes(twice, "-o", twice.folder / "notes.md")
    assert second.out == ""
    assert (twice.folder / "notes.md").read_text() == first.out


def test_the_registry_and_publish_json_give_the_same_notes(twice: Publishing) -> None:
    by_report = notes(twice).out
    (twice.folder / "publish.json").unlink()
    assert notes(twice).out == by_report


def test_the_notes_agree_with_the_list_of_layers(twice: Publishing) -> None:
    listed = run_ocelot(
        *("layers", "list", "--markdown"),
        cache=twice.folder / "cache",
        env=twice.aws.environment(),
        cwd=twice.folder,
    )
    assert tables(listed.out) == tables(notes(twice).out)[:1]
    assert len(tables(listed.out)[0]) == 3


def test_the_notes_of_the_older_release_stay_those_of_a_first_release(twice: Publishing) -> None:
    before = published(twice, OLD, "1" * 40)
    made = notes(twice, "--published", before).out
    assert "This is the first release" in made


def test_without_rights_to_the_registry_the_notes_say_so(twice: Publishing) -> None:
    twice.aws.rules(Rule(operation="Query", error=ACCESS_DENIED))
    data = as_json(twice)
    assert data["difference"] is None
    assert "the registry cannot be read" in data["unknown"]
    assert len(data["layers"]) == 2


def test_without_rights_to_the_zip_the_rows_are_compared(twice: Publishing) -> None:
    twice.aws.rules(Rule(operation="GetLayerVersion", error=ACCESS_DENIED))
    data = as_json(twice)
    assert data["difference"]["commits"] == {"old": "1" * 40, "new": "2" * 40}
    assert data["difference"]["modules_known"] is data["difference"]["components_known"] is False
    assert data["figures"]["last"]["amd64"] == {
        "size": len(OLD),
        "unzipped_size": 3 * len(OLD),
        "cpu_times": 4.81,
        "memory_times": 4.7,
    }
    assert "cannot be downloaded" in data["unknown"]


def test_a_region_that_does_not_give_the_zip_is_left_for_another(twice: Publishing) -> None:
    twice.aws.rules(Rule(operation="GetLayerVersion", region=IRELAND, error=ACCESS_DENIED))
    assert as_json(twice)["difference"]["modules_known"]


def test_a_named_folder_needs_no_registry(twice: Publishing, tmp_path: Path) -> None:
    last = tmp_path / "last"
    last.mkdir()
    (last / AMD64).write_bytes(OLD)
    write_manifest(last, [layer(AMD64, OLD)])
    data = as_json(twice, "--previous", last)
    assert data["difference"]["modules"] == [{"path": TOML, "old": "v1.5.0", "new": "v1.6.0"}]
    assert twice.aws.calls() == []
    assert data["layers"][0]["sha256"] == hashlib.sha256(NEW).hexdigest()


def test_without_a_comparison_nothing_is_read_from_aws(twice: Publishing) -> None:
    assert as_json(twice, "--previous", "none")["difference"] is None
    assert twice.aws.calls() == []


def test_zips_that_are_nowhere_published_are_an_error(publishing: Publishing) -> None:
    ran = run_ocelot(
        *("notes", publishing.zips),
        cache=publishing.folder / "cache",
        env=publishing.aws.environment(),
        cwd=publishing.folder,
    )
    assert ran.code == 2
    assert "next: publish them first" in ran.err
