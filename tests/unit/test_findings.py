from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_examples import shown

from pipeline.audit.findings import Scan, read_scan
from pipeline.audit.vulnerabilities import database_url, has_symbols
from pipeline.errors import ToolchainError, UsageError
from pipeline.report.rendering import json_text
from pipeline.report.vulnerabilities import scan_data, scan_report

DATABASE = "https://db.example"
CONFIG: dict[str, Any] = {
    "protocol_version": "v1.0.0",
    "scanner_name": "govulncheck",
    "scanner_version": "v1.8.0",
    "db": DATABASE,
    "db_last_modified": "2026-01-02T03:04:05Z",
    "scan_level": "symbol",
    "scan_mode": "binary",
}
SBOM = {"go_version": "go1.26.6", "modules": [{"path": "stdlib"}, {"path": "example.com/m"}]}
OSV = {"id": "GO-2026-0001", "aliases": ["CVE-2026-1"], "summary": "A  fault\nin m", "details": ""}


def frame(**more: str) -> dict[str, str]:
    return {"module": "example.com/m", "version": "v1.0.0", **more}


def finding(*frames: dict[str, str], osv: str = "GO-2026-0001", fixed: str = "") -> dict[str, Any]:
    return {"osv": osv, "trace": list(frames), **({"fixed_version": fixed} if fixed else {})}


def stream(*messages: dict[str, Any]) -> bytes:
    """Messages as govulncheck writes them: indented objects, one after another."""
    return "".join(json.dumps(each, indent=2) + "\n" for each in messages).encode()


HEAD = ({"config": CONFIG}, {"progress": {"message": "Scanning…"}}, {"SBOM": SBOM})
WHOLE = stream(
    *HEAD,
    {"osv": OSV},
    {"finding": finding(frame(), fixed="v1.0.1")},
    {"finding": finding(frame(package="example.com/m/p"), fixed="v1.0.1")},
)


def read(output: bytes) -> Scan:
    return read_scan(output, database=DATABASE)


def test_all_of_an_output_is_read() -> None:
    scan = read(WHOLE)
    assert (scan.database, scan.level) == (DATABASE, "symbol")
    assert scan.modified == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (scan.modules, scan.advisories) == (2, 1)
    (found,) = scan.vulnerabilities
    assert (found.module, found.id, found.aliases) == (
        "example.com/m",
        "GO-2026-0001",
        ("CVE-2026-1",),
    )
    assert (found.found, found.fixed, found.level) == ("v1.0.0", "v1.0.1", "package")
    assert found.summary == "A fault in m"


def test_the_finding_of_the_finest_level_counts_in_any_order() -> None:
    frames = [frame(), frame(package="p", function="F"), frame(package="p")]
    findings = [{"finding": finding(each)} for each in frames]
    scan = read(stream(*HEAD, {"osv": OSV}, *findings))
    assert [each.level for each in scan.vulnerabilities] == ["symbol"]


def test_one_advisory_on_two_modules_is_two_vulnerabilities() -> None:
    other = {"module": "stdlib", "version": "v1.26.6"}
    findings = ({"finding": finding(other)}, {"finding": finding(frame())})
    scan = read(stream(*HEAD, {"osv": OSV}, *findings))
    assert [each.module for each in scan.vulnerabilities] == ["example.com/m", "stdlib"]


def test_an_advisory_without_a_finding_is_no_vulnerability() -> None:
    scan = read(stream(*HEAD, {"osv": OSV}))
    assert (scan.advisories, scan.vulnerabilities) == (1, ())


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "does not name the modules"),
        (b"no JSON", "cut off or no JSON"),
        (b"\xff", "cut off or no JSON"),
        (b"[1]", "valid dictionary"),
        (b"[" * 100_000, "cut off or no JSON"),
        (stream({"config": CONFIG}), "does not name the modules"),
        (stream({"SBOM": SBOM}, {"config": CONFIG}), "does not name the modules"),
        (stream({"config": CONFIG}, {"SBOM": {"modules": []}}), "SBOM.modules"),
        (stream({"config": {**CONFIG, "protocol_version": "v2.0.0"}}), "config.protocol_version"),
        (stream({"config": {**CONFIG, "scan_mode": "source"}}), "config.scan_mode"),
        (stream(*HEAD, {"finding": finding(frame())}), "without that advisory"),
        (stream(*HEAD, {"osv": OSV}, {"finding": finding()}), "finding.trace"),
    ],
)
def test_an_incomplete_output_is_an_error(output: bytes, why: str) -> None:
    with pytest.raises(ToolchainError) as caught:
        read(output)
    assert why in str(caught.value)
    assert "not known" in caught.value.hint


@given(st.integers(0, len(WHOLE) - 2))
def test_an_output_that_is_cut_off_inside_a_message_is_an_error(end: int) -> None:
    cut = WHOLE[:end]
    if cut.rstrip().endswith(b"\n}"):
        return  # between two messages: the exit code shows that
    with pytest.raises(ToolchainError):
        read(cut)


@pytest.mark.parametrize("modified", [None, "0001-01-01T00:00:00Z"])
def test_a_database_without_a_date_is_an_error(modified: str | None) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "db_last_modified"}
    config |= {"db_last_modified": modified} if modified else {}
    with pytest.raises(ToolchainError, match="no vulnerability database") as caught:
        read(stream({"config": config}, {"SBOM": SBOM}))
    assert "--vuln-db" in caught.value.hint


def test_a_databases_texts_do_nothing_to_a_terminal() -> None:
    osv = {**OSV, "summary": "a\x1b[31mb\x07\u202ec"}
    scan = read(stream(*HEAD, {"osv": osv}, {"finding": finding(frame(version="\x1b]0;x"))}))
    (found,) = scan.vulnerabilities
    assert (found.summary, found.found) == ("a[31mbc", "]0;x")


def test_the_table_shows_every_vulnerability() -> None:
    text = shown(scan_report(read(WHOLE), "a[/b].zip"))
    expected = ("a[/b].zip", "GO-2026-0001", "CVE-2026-1", "example.com/m", "v1.0.0", "v1.0.1")
    assert [each for each in (*expected, "package", "A fault in m") if each not in text] == []


def test_a_vulnerability_without_a_fix_is_not_fixed_yet() -> None:
    scan = read(stream(*HEAD, {"osv": OSV}, {"finding": finding(frame())}))
    assert "not yet" in scan_report(scan, "a.zip").rows[0]


def test_the_notes_have_the_number_of_modules_and_the_level() -> None:
    first, second = scan_report(read(WHOLE), "a.zip").notes
    assert first == (
        "1 known vulnerability in 2 modules, of 1 advisories on them in https://db.example, "
        "last changed 2026-01-02"
    )
    assert second.startswith("found by function")


def test_the_notes_of_a_stripped_binary_say_so() -> None:
    config = {**CONFIG, "scan_level": "module"}
    scan = read(stream({"config": config}, {"SBOM": SBOM}, {"osv": OSV}))
    assert scan_report(scan, "a.zip").notes[0].startswith("no known vulnerabilities in 2 modules")
    found = {"finding": finding(frame())}
    scan = read(stream({"config": config}, {"SBOM": SBOM}, {"osv": OSV}, found))
    assert scan_report(scan, "a.zip").notes[1].startswith("found by module: a stripped binary")


def test_a_database_without_advisories_on_go_is_reported() -> None:
    assert "may be incomplete" in scan_report(read(stream(*HEAD)), "a.zip").notes[1]


def test_a_scan_as_json() -> None:
    data = json.loads(json_text(scan_data(read(WHOLE))))
    assert data["modified"] == "2026-01-02T03:04:05+00:00"
    assert data["vulnerabilities"] == [
        {
            "module": "example.com/m",
            "id": "GO-2026-0001",
            "aliases": ["CVE-2026-1"],
            "summary": "A fault in m",
            "found": "v1.0.0",
            "fixed": "v1.0.1",
            "level": "package",
        }
    ]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://vuln.go.dev/", "https://vuln.go.dev"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1:80/v1"),
    ],
)
def test_a_url_is_a_database(given: str, url: str) -> None:
    assert database_url(given) == url


@pytest.mark.parametrize(
    "given", ["ftp://x", "https://", "file://host/x", "https://[", "https://a:s3cret@h", "x://y"]
)
def test_a_url_that_is_no_database_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        database_url(given)
    assert "s3cret" not in caught.value.text()


@pytest.mark.parametrize("given", ["", "/absent", "file:///absent", "~no-such-user/x", "\0"])
def test_a_folder_without_a_database_is_reported(given: str) -> None:
    with pytest.raises(ToolchainError, match="has no Go vulnerability database"):
        database_url(given)


@given(st.binary(max_size=200))
def test_a_file_that_is_no_elf_file_has_no_symbols(content: bytes) -> None:
    assert not has_symbols(content)
    assert not has_symbols(b"\x7fELF\x02\x01" + content[:50])
