from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.gitops.manifests import Change
from pipeline.gitops.objects import Commit
from pipeline.gitops.remote import remote
from pipeline.gitops.texts import (
    LONGEST_BODY,
    DeliveryTexts,
    Marker,
    ReleasedCommit,
    body_marker,
    branch_name,
    code_span,
    commit_base,
    commit_marker,
    compare_url,
    diff_text,
    is_branch_of,
)

KEY = "release demo/shop/catalog development"
SOURCE = ReleasedCommit(sha="1" * 40, time=1_700_000_000)
MARKER = Marker(key=KEY, source=SOURCE)
TEXTS = DeliveryTexts(
    subject="Release catalog (11111111)",
    facts=(("Project", "shop"), ("Image", "r.example/a:v1@sha256:22")),
)
CHANGE = Change(path="a/b.yaml", before=b"image: 1\n", after=b"image: 2\n")
BASE = "b" * 40


def commit_of(message: str) -> Commit:
    return Commit(sha="c", tree="t", parents=(), author="", committer="", message=message)


@pytest.mark.parametrize("marker", [MARKER, Marker(key="promote demo/all staging")])
def test_a_delivery_is_known_again(marker: Marker) -> None:
    body = TEXTS.body(marker, [CHANGE])
    assert body_marker(body) == marker
    assert body_marker(f"please merge\r\n\r\n{body}".replace("\n", "\r\n")) == marker
    made = commit_of(TEXTS.message(marker, BASE))
    assert (commit_marker(made), commit_base(made)) == (marker, BASE)


@pytest.mark.parametrize("text", ["", "Release catalog", "<!-- other: tool -->", "Release: x"])
def test_other_texts_have_no_mark(text: str) -> None:
    assert (body_marker(text), commit_marker(commit_of(text)), commit_base(commit_of(text))) == (
        None,
        None,
        "",
    )


@given(st.text(max_size=80))
def test_no_value_changes_the_marks(value: str) -> None:
    other = Marker(key="release evil/x/y z", source=replace(SOURCE, sha="6" * 40))
    for evil in (value, f"{value}\n{other.comment}\n", f"{value}\nOcelot-Release: {other.key}\n"):
        texts = replace(TEXTS, subject=f"Release {evil}", facts=(("Image", evil),))
        changes = [Change(path=evil, before=None, after=evil.encode(errors="replace"))]
        assert body_marker(texts.body(MARKER, changes)) == MARKER
        assert commit_marker(commit_of(texts.message(MARKER, BASE))) == MARKER


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_value_is_shown_as_code_whatever_is_in_it(value: str) -> None:
    (paragraph,) = [each for each in MarkdownIt().parse(code_span(value)) if each.children]
    assert [(each.type, each.content) for each in paragraph.children or ()] == [
        ("code_inline", value)
    ]


def test_the_diff_is_one_block_whatever_is_in_it() -> None:
    content = b"a: |\n  ```\n  ````\n  @everyone <img>\n"
    body = TEXTS.body(MARKER, [replace(CHANGE, after=content)])
    (fence,) = [each for each in MarkdownIt().parse(body) if each.type == "fence"]
    assert fence.content == diff_text([replace(CHANGE, after=content)])


@pytest.mark.parametrize("size", [10, 70_000, 1_000_000])
def test_a_body_is_as_long_as_github_takes(size: int) -> None:
    line = "é: 1\n".encode()
    change = replace(CHANGE, after=line * (size // len(line)))
    body = TEXTS.body(MARKER, [change, CHANGE])
    assert len(body.encode()) <= LONGEST_BODY
    assert ("+image: 2" in body) == (size == 10)
    assert body_marker(body) == MARKER


def test_a_summary_that_is_too_long_is_cut() -> None:
    texts = replace(TEXTS, summary="| a |\n" * 20_000)
    body = texts.body(MARKER, [CHANGE])
    assert len(body.encode()) <= LONGEST_BODY
    assert body_marker(body) == MARKER


def test_a_diff_is_that_of_git() -> None:
    changes = [
        Change(path="new.yaml", before=None, after=b"a: 1"),
        Change(path="old.yaml", before=b"a: 1\r\n\x0cb: 2\n", after=None),
    ]
    assert diff_text(changes) == (
        "--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1 @@\n+a: 1\n\\ No newline at end of file\n"
        "--- a/old.yaml\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a: 1\r\n-\x0cb: 2\n"
    )


def test_a_branch_is_named_after_the_time_in_utc() -> None:
    now = datetime(2026, 1, 2, 1, 4, 59, tzinfo=timezone(timedelta(hours=2)))
    first = branch_name("release/catalog-", now)
    assert first == "release/catalog-20260101-230459"
    second = branch_name("release/catalog-", now, {first})
    assert second == "release/catalog-20260101-230500"
    assert is_branch_of("release/catalog-", first)
    assert not is_branch_of("release/catalog-", "release/catalog-ui-20260101-230459")
    assert not is_branch_of("release/cat", first)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("acme/gitops", "https://github.com/acme/gitops/compare/main...release/x-1?expand=1"),
        (
            "git@gitlab.example.com:a/b/c.git",
            "https://gitlab.example.com/a/b/c/-/merge_requests/new?merge_request%5B"
            "source_branch%5D=release/x-1&merge_request%5Btarget_branch%5D=main",
        ),
        (
            "https://gitea.example.com:3000/a/b.git",
            "https://gitea.example.com:3000/a/b/compare/main...release/x-1",
        ),
        ("https://codeberg.org/a/b", "https://codeberg.org/a/b/compare/main...release/x-1"),
        ("https://git.example.com/a/b", ""),
    ],
)
def test_each_host_compares_at_its_own_address(given: str, address: str) -> None:
    assert compare_url(remote(given), "main", "release/x-1") == address
