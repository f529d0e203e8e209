from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputError
from pipeline.publish.journal import BEGUN, ENDED, Journal, Key

ONE: Key = ("eu-west-1", "ocel-amd64-minimal-0_158_0-beta", "a" * 64)
OTHER: Key = ("us-east-1", "ocel-amd64-minimal-0_158_0-beta", "a" * 64)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(path=tmp_path / "cache" / "publish.jsonl")


def test_a_journal_that_is_not_there_knows_nothing(journal: Journal) -> None:
    assert journal.unanswered() == frozenset()


def test_what_was_begun_and_did_not_end_is_unanswered(journal: Journal) -> None:
    journal.write(BEGUN, ONE)
    journal.write(BEGUN, OTHER)
    journal.write(ENDED[0], OTHER, "arn:aws:lambda:us-east-1:123456789012:layer:x:1")
    assert journal.unanswered() == {ONE}


@pytest.mark.parametrize("end", ENDED)
def test_what_ended_is_answered_until_it_is_begun_again(journal: Journal, end: str) -> None:
    journal.write(BEGUN, ONE)
    journal.write(end, ONE)
    assert journal.unanswered() == frozenset()
    journal.write(BEGUN, ONE)
    assert journal.unanswered() == {ONE}


def test_each_event_is_a_line_of_json_with_its_time(journal: Journal) -> None:
    journal.write(BEGUN, ONE)
    journal.write(ENDED[0], ONE, "arn:x")
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [line["event"] for line in lines] == [BEGUN, ENDED[0]]
    assert lines[1]["arn"] == "arn:x"
    assert all(line["at"].endswith("+00:00") for line in lines)


def test_a_torn_last_line_is_passed_over(journal: Journal) -> None:
    journal.write(BEGUN, ONE)
    journal.write(BEGUN, OTHER)
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-20])
    assert journal.unanswered() == {ONE}


def test_what_is_written_after_a_torn_line_is_read(journal: Journal) -> None:
    journal.write(BEGUN, ONE)
    with journal.path.open("ab") as file:
        file.write(b'{"at": "2026-01-01", "event": "publi')
    journal.write(BEGUN, OTHER)
    assert journal.unanswered() == {ONE, OTHER}


def test_of_a_journal_that_has_grown_very_large_the_end_is_read(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.publish.journal._LARGEST", 1000)
    for _ in range(20):
        journal.write(BEGUN, ONE)
        journal.write(ENDED[0], ONE)
    journal.write(BEGUN, OTHER)
    assert journal.path.stat().st_size > 2000
    assert journal.unanswered() == {OTHER}


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_whatever_stands_in_a_journal_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    journal = Journal(path=tmp_path_factory.mktemp("journal") / "publish.jsonl")
    journal.path.write_bytes(b"\n".join(lines))
    assert journal.unanswered() == frozenset()


@pytest.mark.parametrize(
    "line",
    ['{"event": "publishing"}', "[1]", '{"event": 3, "region": "x", "layer": "y", "sha256": "z"}'],
)
def test_a_forged_line_of_another_form_is_passed_over(journal: Journal, line: str) -> None:
    journal.path.parent.mkdir()
    journal.path.write_text(f"{line}\n")
    assert journal.unanswered() == frozenset()


def test_a_journal_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Journal(path=tmp_path / "file" / "publish.jsonl").write(BEGUN, ONE)
