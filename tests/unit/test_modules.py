from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build.modules import (
    added_requirements,
    added_sums,
    changed_sums,
    edit_arguments,
    module_folders,
    move_modules,
    offline_settings,
    replaced_folders,
    requirements,
    with_sums,
)
from pipeline.errors import OutputError
from pipeline.files import Tree, read_tree, write_tree

GO_MOD = b"""\
// Deprecated: no.
module example.com/collector // example.com/comment v9.9.9

go 1.25.0

toolchain go1.26.6

require example.com/single v1.0.0

require (
	example.com/in-a-block v1.2.3 // indirect
	// example.com/commented-out v1.0.0
	example.com/pseudo v0.0.0-20241129210726-2c02b8208cf8

	example.com/Capital/v2 v2.0.0+incompatible
)
require(
	example.com/without-a-blank v0.1.0
)

replace example.com/replaced v1.0.0 => ../replaced

replace (
	example.com/one v1.0.0 => example.com/two v1.0.1
)

exclude example.com/excluded v1.0.0

exclude (
	example.com/excluded/too v1.0.1
)

retract v1.0.5

retract [v1.0.0, v1.0.9]

tool example.com/tool

godebug default=go1.21
"""


def test_single_lines_and_blocks_are_read_and_nothing_else() -> None:
    assert requirements(GO_MOD) == {
        "go": "1.25.0",
        "toolchain": "go1.26.6",
        "example.com/single": "v1.0.0",
        "example.com/in-a-block": "v1.2.3",
        "example.com/pseudo": "v0.0.0-20241129210726-2c02b8208cf8",
        "example.com/Capital/v2": "v2.0.0+incompatible",
        "example.com/without-a-blank": "v0.1.0",
    }


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_line_ends_do_not_matter(ending: bytes) -> None:
    assert requirements(GO_MOD.replace(b"\n", ending)) == requirements(GO_MOD)


@pytest.mark.parametrize("nothing", [b"", b"\xff\xfe", b"require", b")\n(", b"module x"])
def test_what_is_no_go_mod_requires_nothing(nothing: bytes) -> None:
    assert requirements(nothing) == {}


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("replace example.com/single => ./single", "single"),
        ("replace example.com/single v1.0.0 => ../shared/single/ // ours", "../shared/single"),
        ("replace (\n\texample.com/single => ..\n)", ".."),
        ('replace "example.com/single" => "../shared"', "../shared"),
        ("replace example.com/single => ../../outside", "../../outside"),
        ("replace example.com/single => ../shared\r", "../shared"),
    ],
)
def test_a_module_that_is_replaced_by_a_folder_has_its_path(line: str, folder: str) -> None:
    go_mod = f"module m\nrequire example.com/single v1.0.0\n{line}\n".encode()
    assert replaced_folders(go_mod) == module_folders(go_mod) == {folder}


@pytest.mark.parametrize(
    "line",
    [
        "replace example.com/single => example.com/other v1.0.0",
        "replace example.com/single => .../x v1.0.0",
        "replace example.com/single => /absolute",
        "// replace example.com/single => ../x",
    ],
)
def test_any_other_replacement_has_none(line: str) -> None:
    assert replaced_folders(f"module m\n{line}\n".encode()) == frozenset()


def test_a_replaced_module_need_not_be_required() -> None:
    go_mod = b"module m\nreplace example.com/single => ../x\n"
    assert (replaced_folders(go_mod), module_folders(go_mod)) == ({"../x"}, frozenset())


def test_what_is_new_or_at_another_version_is_added() -> None:
    old = b"go 1.25.0\nrequire example.com/a v1.0.0\nrequire example.com/b v1.0.0\n"
    new = b"go 1.26.0\nrequire example.com/a v1.1.0\nrequire example.com/b v1.0.0\n"
    assert added_requirements(old, new + b"require example.com/c v0.1.0\n") == (
        "example.com/a@v1.1.0",
        "example.com/c@v0.1.0",
        "go@1.26.0",
    )


def test_an_older_version_is_another_version() -> None:
    assert added_requirements(b"require a.b/c v1.1.0", b"require a.b/c v1.0.0") == ("a.b/c@v1.0.0",)


def test_requirements_become_arguments_of_go_mod_edit() -> None:
    assert edit_arguments(["example.com/a@v1.0.0", "go@1.26.0", "toolchain@go1.26.6"]) == (
        "-require=example.com/a@v1.0.0",
        "-go=1.26.0",
        "-toolchain=go1.26.6",
    )


def test_every_sum_that_changed_is_reported_with_both_values() -> None:
    before = ["a.b/c v1.0.0 h1:one=", "a.b/c v1.0.0/go.mod h1:mod=", "a.b/gone v1.0.0 h1:x="]
    now = ["a.b/c v1.0.0 h1:two=", "a.b/c v1.0.0/go.mod h1:mod=", "a.b/new v1.0.0 h1:y="]
    assert changed_sums(before, now) == ("a.b/c v1.0.0: locked h1:one=, now h1:two=",)


def test_a_go_sum_that_has_all_lines_stays_as_it_is() -> None:
    untidy = b"b v1 h1:b=\r\n\na v1 h1:a="
    assert with_sums(untidy, ["a v1 h1:a=", "b v1 h1:b="]) == untidy


def test_upstreams_lines_come_first_and_the_locks_sorted_after_them() -> None:
    assert with_sums(b"b v1 h1:b=\n", ["c v1 h1:c=", "a v1 h1:a="]) == (
        b"b v1 h1:b=\na v1 h1:a=\nc v1 h1:c=\n"
    )


PATHS = st.from_regex(r"[a-z0-9]{1,6}\.[a-z]{2}(/[A-Za-z0-9._~-]{1,8}){0,2}", fullmatch=True)
VERSIONS = st.from_regex(r"v[0-9]\.[0-9]{1,2}\.0(-rc\.1)?(\+incompatible)?", fullmatch=True)
REQUIRED = st.dictionaries(PATHS, VERSIONS, max_size=6)


@st.composite
def go_mods(draw: st.DrawFn) -> tuple[bytes, Mapping[str, str]]:
    """A go.mod, its lines and blocks in any mixture, and what it requires."""
    required = draw(REQUIRED)
    lines = ["module example.com/main"]
    for path, version in required.items():
        comment = draw(st.sampled_from(["", " // indirect", "\t//x"]))
        line = f"{path} {version}{comment}"
        lines += draw(
            st.sampled_from(
                [
                    (f"require {line}",),
                    ("require (", f"\t{line}", ")"),
                    (f"replace {path} => ./here", f"require\t{line}"),
                    ("exclude (", f"{path} v9.9.9", ")", "require (", line, ") // end"),
                ]
            )
        )
    return "\n".join(lines).encode(), required


@given(go_mods())
def test_whatever_way_it_is_written_a_requirement_is_found(
    written: tuple[bytes, Mapping[str, str]],
) -> None:
    content, required = written
    assert requirements(content) == required


@given(REQUIRED, REQUIRED)
def test_the_old_with_what_was_added_is_the_new(
    before: dict[str, str], more: dict[str, str]
) -> None:
    after = {**before, **more}
    old, new = (
        "".join(f"require {path} {version}\n" for path, version in each.items()).encode()
        for each in (before, after)
    )
    added = dict(each.split("@") for each in added_requirements(old, new))
    assert {**before, **added} == after


DIGESTS = st.binary(min_size=32, max_size=32)
SUMS = st.tuples(PATHS, VERSIONS, st.sampled_from(["", "/go.mod"]), DIGESTS).map(
    lambda parts: f"{parts[0]} {parts[1]}{parts[2]} h1:{base64.b64encode(parts[3]).decode()}"
)


def go_sum(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@given(st.lists(SUMS, unique=True, max_size=6), st.lists(SUMS, unique=True, max_size=6))
def test_a_go_sum_with_what_was_added_has_what_the_new_one_has(
    old: list[str], more: list[str]
) -> None:
    new = sorted({*old, *more})
    whole = with_sums(go_sum(old), added_sums(go_sum(old), go_sum(new)))
    assert sorted(whole.decode().splitlines()) == new


@given(st.lists(SUMS, unique=True, max_size=6))
def test_nothing_has_changed_against_itself(lines: list[str]) -> None:
    assert added_sums(go_sum(lines), go_sum(lines)) == ()
    assert changed_sums(added_sums(b"", go_sum(lines[:1])), lines[:1]) == ()


DOWNLOADED: Tree = {
    "a.b/c/@v/v1.0.0.mod": b"module a.b/c\n",
    "a.b/c/@v/v1.0.0.zip": b"a zip",
    "a.b/c/@v/v1.0.0.ziphash": b"h1:x=",
    "a.b/c/@v/v1.0.0.info": b'{"Version":"v1.0.0","Time":"2025-06-15T00:00:00Z","Origin":{}}',
    "a.b/c/@v/v1.0.0.lock": b"",
    "a.b/c/@v/v1.1.0-!r!c.1.mod": b"module a.b/c\n",
    "a.b/c/@v/list": b"v1.0.0\nv9.9.9\n",
    "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.mod": b"module x\n",
    "sumdb/sum.golang.org/tile/8/0/001": b"tile",
    "cache.lock": b"",
}


def moved(folder: Path, downloaded: Tree) -> Mapping[str, bytes]:
    write_tree(folder / "downloads", downloaded)
    move_modules(folder / "downloads", folder / "proxy")
    return read_tree(folder / "proxy")


def test_a_proxy_has_sources_and_go_mods_and_what_follows_from_their_names(tmp_path: Path) -> None:
    assert moved(tmp_path, DOWNLOADED) == {
        "a.b/c/@v/v1.0.0.mod": b"module a.b/c\n",
        "a.b/c/@v/v1.0.0.zip": b"a zip",
        "a.b/c/@v/v1.0.0.info": b'{"Version": "v1.0.0"}',
        "a.b/c/@v/v1.1.0-!r!c.1.mod": b"module a.b/c\n",
        "a.b/c/@v/v1.1.0-!r!c.1.info": b'{"Version": "v1.1.0-RC.1"}',
        "a.b/c/@v/list": b"v1.0.0\nv1.1.0-RC.1\n",
        "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.mod": b"module x\n",
        "github.com/!burnt!sushi/toml/@v/v0.0.0-2020.info": b'{"Version": "v0.0.0-2020"}',
        "github.com/!burnt!sushi/toml/@v/list": b"v0.0.0-2020\n",
    }


def test_when_and_whence_it_was_downloaded_plays_no_part(tmp_path: Path) -> None:
    later = {**DOWNLOADED, "a.b/c/@v/v1.0.0.info": json.dumps({"Time": "later"}).encode()}
    del later["a.b/c/@v/list"], later["sumdb/sum.golang.org/tile/8/0/001"]
    assert moved(tmp_path / "one", DOWNLOADED) == moved(tmp_path / "two", later)


def test_nothing_downloaded_is_an_empty_proxy(tmp_path: Path) -> None:
    assert moved(tmp_path, {}) == {}
    assert (tmp_path / "proxy").is_dir()


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        move_modules(tmp_path, tmp_path / "file" / "proxy")


def test_offline_no_module_comes_from_anywhere_else() -> None:
    assert offline_settings("file:///x") == {
        "GOPROXY": "file:///x",
        "GONOPROXY": "none",
        "GOSUMDB": "off",
        "GOVCS": "*:off",
    }
