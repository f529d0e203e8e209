"""`ocelot fetch`: the zips that AWS serves, against an AWS with and without faults."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from aws_rules import Rule
from aws_wire import NOT_OPTED_IN
from publish_examples import AMD64, ARM64, content, dist
from publishing import FRANCE, IRELAND, OHIO, Publishing
from runs import Ran, run_ocelot

ZIPS = (AMD64, ARM64)


@pytest.fixture
def report(publishing: Publishing) -> Path:
    """The publish.json of three regions."""
    path = publishing.folder / "publish.json"
    ran = publishing.ocelot("-o", path)
    assert ran.code == 0, ran.err
    publishing.aws.forget()
    return path


def fetched(publishing: Publishing, report: Path, *more: str | Path) -> Ran:
    command = ("fetch", report, "--layers", publishing.zips, "-o", publishing.folder / "served")
    return run_ocelot(
        *command,
        *more,
        cache=publishing.folder / "cache",
        env=publishing.aws.environment(),
        cwd=publishing.folder,
    )


def served(publishing: Publishing) -> list[str]:
    return sorted(path.name for path in publishing.folder.glob("served/*"))


def test_every_version_is_downloaded_and_each_zip_is_written_once_with_its_manifest(
    publishing: Publishing, report: Path
) -> None:
    ran = fetched(publishing, report, "--json")
    assert ran.code == 0, ran.err
    calls = publishing.aws.calls("GetLayerVersion")
    assert {call.name.region for call in calls} == {IRELAND, FRANCE, OHIO}
    assert len(json.loads(ran.out)) == len(calls) == 6
    assert served(publishing) == [*ZIPS, "manifest.json"]
    folder = publishing.folder / "served"
    assert [(folder / name).read_bytes() for name in ZIPS] == [content(name) for name in ZIPS]
    written, built = folder / "manifest.json", publishing.zips / "manifest.json"
    assert json.loads(written.read_text()) == json.loads(built.read_text())
    assert publishing.writes() == []


def test_without_json_the_result_is_one_line(publishing: Publishing, report: Path) -> None:
    ran = fetched(publishing, report)
    assert f"{AMD64}, {ARM64}, the same in all 6 layer versions" in ran.out


def test_the_error_for_another_zip_has_both_digests(publishing: Publishing, report: Path) -> None:
    data = json.loads(report.read_text())
    before = next(each for each in data["targets"] if each["architecture"] == "amd64")["sha256"]
    dist(publishing.zips, AMD64, ARM64, epoch=1_760_000_000)
    now = json.loads((publishing.zips / "manifest.json").read_text())["layers"]
    digests = {each["architecture"]: each["sha256"] for each in now}
    for each in data["targets"]:
        each["sha256"] = digests[each["architecture"]]
    report.write_text(json.dumps(data))
    ran = fetched(publishing, report)
    assert ran.code == 10
    assert "of 6 of 6 layer versions AWS does not serve what was published" in ran.err
    assert f"has sha256 {before} instead of {digests['amd64']}" in ran.err
    assert served(publishing) == []


def test_if_one_region_refuses_others_are_downloaded(publishing: Publishing, report: Path) -> None:
    publishing.aws.rules(Rule(region=FRANCE, error=NOT_OPTED_IN))
    ran = fetched(publishing, report)
    assert ran.code == 11
    assert "2 of 6 zips cannot be downloaded" in ran.err
    error = ran.err.partition("error: ")[2]
    assert f"arn:aws:lambda:{FRANCE}:" in error
    assert f"arn:aws:lambda:{IRELAND}:" not in error
    assert "manifest.json" not in served(publishing)


def test_a_failed_download_is_repeated(publishing: Publishing, report: Path) -> None:
    publishing.aws.rules(
        Rule(operation="GetLayerVersion", region=OHIO, error=NOT_OPTED_IN, times=1)
    )
    assert fetched(publishing, report).code == 0


def test_a_folder_of_other_zips_is_refused(publishing: Publishing, report: Path) -> None:
    dist(publishing.zips, epoch=1_760_000_000)
    ran = fetched(publishing, report)
    assert ran.code == 2
    assert "was not published from" in ran.err
    assert publishing.aws.calls() == []


def test_a_folder_without_a_manifest_is_refused(publishing: Publishing, report: Path) -> None:
    shutil.rmtree(publishing.zips)
    ran = fetched(publishing, report)
    assert (ran.code, "has no manifest.json" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no report of publishing"),
        ("[]", "is no report of publishing"),
        ('{"targets": [{"arn": "arn:aws:s3:::x"}]}', "is no report of publishing"),
        ('{"targets": [{"version_arn": ""}]}', "names no layer version: was it a dry run?"),
    ],
)
def test_another_file_is_refused(publishing: Publishing, text: str, message: str) -> None:
    report = publishing.folder / "publish.json"
    report.write_text(text)
    ran = fetched(publishing, report)
    assert ran.code == 2
    assert message in ran.err
