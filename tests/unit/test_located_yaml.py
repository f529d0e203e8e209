from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.located_yaml import MAX_BYTES, Document, KeyPath, parse_document, read_document

LAUGHS = "a: &a [lol]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)


def parsed(text: str) -> Document:
    return parse_document(dedent(text).encode(), "file.yaml")


def messages(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


NESTED = """\
    # a comment

    minimal:
      description: one
      buildtags:
        - first

        - second
    other: {base: minimal}
    """


def test_a_file_gives_plain_data() -> None:
    document = parsed(NESTED)
    assert document.data == {
        "minimal": {"description": "one", "buildtags": ["first", "second"]},
        "other": {"base": "minimal"},
    }
    assert document.problems == ()


@pytest.mark.parametrize(
    ("key_path", "line"),
    [
        (("minimal",), 3),
        (("minimal", "description"), 4),
        (("minimal", "buildtags"), 5),
        (("minimal", "buildtags", 0), 6),
        (("minimal", "buildtags", 1), 8),
        (("other", "base"), 9),
        (("minimal", "config-file", 3), 3),  # absent: the nearest above it
    ],
)
def test_each_key_and_each_item_has_its_line(key_path: KeyPath, line: int) -> None:
    assert parsed(NESTED).line(key_path) == line
    assert str(parsed(NESTED).problem(key_path, "is wrong")) == f"file.yaml:{line}: is wrong"


def test_an_aliased_value_has_the_line_of_its_key() -> None:
    document = parsed("""\
        first: &tags [one]
        second:
          third: *tags
        """)
    assert document.data == {"first": ["one"], "second": {"third": ["one"]}}
    assert document.line(("second", "third")) == 3


def test_an_empty_file_has_no_data_and_no_problem() -> None:
    document = parsed("# nothing\n")
    assert (document.data, document.problems, document.mapping) == (None, (), {})
    assert parsed("- a\n- b\n").mapping == {}


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_document(b"\xef\xbb\xbfa: 1\n", "file.yaml").data == {"a": 1}


def test_windows_line_ends_are_counted_once() -> None:
    assert parse_document(b"a: 1\r\nb: 2\r\nb: 3\r\n", "file.yaml").problems[0].line == 3


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1\nb: 2\na: 3\n", [(3, "'a'", 1)]),
        ("x:\n  - b:\n      c: 1\n      c: 2\n", [(4, "'c'", 3)]),
        ("a: 1\n\"a\": 2\n'a': 3\n", [(2, "'a'", 1), (3, "'a'", 1)]),
    ],
    ids=["plain", "deep", "quoted"],
)
def test_a_duplicate_key_is_reported_with_both_lines(
    text: str, lines: list[tuple[int, str, int]]
) -> None:
    assert messages(parsed(text)) == [
        f"file.yaml:{line}: duplicate key {key}, already given in line {first}"
        for line, key, first in lines
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LAUGHS, id="billion laughs"),
        pytest.param("a: &a [*a]\n", id="a list in itself"),
        pytest.param("a: &a {b: *a}\n", id="a mapping in itself"),
        pytest.param("&a {b: {c: [*a]}}\n", id="a file in itself"),
        pytest.param("[" * 60 + "]" * 60, id="lists 60 deep"),
        pytest.param("[" * 900 + "]" * 900, id="lists 900 deep"),
        pytest.param("{a: " * 900 + "}" * 900, id="mappings 900 deep"),
        pytest.param("- " * 9_000 + "a", id="blocks 9000 deep"),
        pytest.param("- a\n" * 10_001, id="10001 items"),
    ],
)
def test_a_file_that_grows_without_bound_is_reported(text: str) -> None:
    assert messages(parsed(text)) == [
        "file.yaml: has more than 10,000 values or 50 levels, with its aliases resolved"
    ]


def test_forty_levels_are_no_problem() -> None:
    assert parsed("[" * 40 + "]" * 40).problems == ()


@pytest.mark.parametrize(
    "value",
    [
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object/apply:os.system ['true']",
        "!!python/object/new:pathlib.Path ['x']",
        "!!python/object:pathlib.Path {x: y}",
        "!!python/tuple [a, b]",
        "!!str {a: b}",
        "!!set {a, b}",
        "!!omap [a: b]",
        "!!seq text",
        "!!map text",
        "!!python/str text",
        "!secret text",
        "!secret [a]",
        "!secret {a: b}",
        *(
            "!!bool maybe",
            "!!int ''",
            "!!int many",
            "!!float ''",
            "!!float much",
            "!!timestamp soon",
        ),
        *("!!binary ä", "2024-13-45", "2024-02-30 25:61:61"),
    ],
)
def test_a_value_with_a_wrong_or_unknown_tag_is_reported(value: str) -> None:
    document = parsed(f"a: 1\nb: {value}\n")
    assert [problem.line for problem in document.problems] == [2]


@pytest.mark.parametrize("key", ["[a, b]", "{a: b}", "? [a]\n"])
def test_a_key_that_is_no_word_is_reported(key: str) -> None:
    assert messages(parsed(f"ok: 1\n{key}: c\n")) == ["file.yaml:2: a key must be plain text"]


def test_a_merge_key_merges_nothing_but_stays_an_unknown_key() -> None:
    document = parsed("""\
        base: &base {a: 1}
        child:
          <<: *base
          b: 2
        """)
    assert document.data["child"] == {"<<": {"a": 1}, "b": 2}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n\tb: 2\n", 2),
        ("a: 1\nb: [1, 2\n", 3),
        ("a: *nowhere\n", 1),
        ("a: 'open\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: b: c\n", 1),
    ],
)
def test_text_that_is_not_yaml_is_reported_with_its_line(text: str, line: int) -> None:
    document = parsed(text)
    assert [problem.line for problem in document.problems] == [line]
    assert "not YAML" in document.problems[0].message
    assert document.data is None


@pytest.mark.parametrize(
    "raw", [b"a: \xff\n", "a: ü\n".encode("latin-1"), "a: 1\n".encode("utf-16")]
)
def test_bytes_that_are_not_utf8_are_reported(raw: bytes) -> None:
    assert messages(parse_document(raw, "file.yaml")) == ["file.yaml: is not UTF-8 text"]


@pytest.mark.parametrize("raw", [b"a: \0\n", b"a: \x1b[31m\n", b"a: \x07\n"])
def test_control_characters_are_reported(raw: bytes) -> None:
    (message,) = messages(parse_document(raw, "file.yaml"))
    assert message.startswith("file.yaml: not YAML: ")
    assert message.isprintable()


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        (message,) = messages(read_document(path, "file.yaml"))
        assert message.startswith("file.yaml: cannot be read: ")


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n#".ljust(MAX_BYTES, b"#"))
    assert read_document(path, "large.yaml").data == {"a": 1}
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    (message,) = messages(read_document(path, "large.yaml"))
    assert "100,000 bytes" in message


WORDS = st.sampled_from(
    [*"a:#?,=~[]{}&*|><'\"\\ \n\t", "- ", "&a", "*a", "!!int", "!!bool", "!!x", "---", "2024-01-01"]
)


@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.lists(WORDS).map("".join).map(str.encode))
)
def test_any_bytes_are_data_or_problems(raw: bytes) -> None:
    document = parse_document(raw, "file.yaml")
    assert all(problem.file == "file.yaml" for problem in document.problems)
