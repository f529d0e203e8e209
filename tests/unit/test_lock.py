from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import COMMIT, COMMITTED, OTLP

from pipeline.build.lock import (
    FILE_NAME,
    HEADING,
    Facts,
    Lock,
    Locked,
    commit_to_build,
    lock_differences,
    parse_lock,
    read_lock,
    record_zips,
    write_entries,
)
from pipeline.build.upstream import Resolved
from pipeline.errors import LockError, OutputError
from pipeline.naming import Architecture

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64
OTHER = "f" * 40
ONE, TWO = "1" * 64, "2" * 64
SUM = f"example.com/mine v1.0.0 h1:{base64.b64encode(bytes(32)).decode()}"


def entry(
    distribution: str = "minimal",
    repository: str = "owner/name",
    ref: str = "main",
    **more: Any,  # noqa: ANN401
) -> Locked:
    example: dict[str, Any] = {
        "commit": COMMIT,
        "collector": "v0.155.0",
        "source_date_epoch": COMMITTED,
        "build_tags": ("lambdacomponents.custom", OTLP),
        "custom_modules": ("example.com/mine@v1.0.0",),
        "overlay": ONE,
        "config_file": "",
        "go": "1.26.6",
        "image": "golang@sha256:1",
        "packer": "a packer",
        "tunings": (),
        "go_mod": ("example.com/mine@v1.0.0", "go@1.26.0", "toolchain@go1.26.6"),
        "go_sum": (SUM, SUM.replace(" h1", "/go.mod h1")),
        "zips": {AMD64: ONE},
    }
    return Locked(distribution=distribution, repository=repository, ref=ref, **{**example, **more})


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
MODULES = st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9._~/-]{0,8}@v[0-9][0-9A-Za-z.+-]{0,6}", fullmatch=True
)
SUMS = st.tuples(MODULES, st.binary(min_size=32, max_size=32)).map(
    lambda pair: f"{pair[0].replace('@', ' ')} h1:{base64.b64encode(pair[1]).decode()}"
)
ENTRIES = st.builds(
    Locked,
    distribution=WORDS,
    repository=WORDS,
    ref=WORDS,
    commit=HEX | HEX.map(lambda text: text[:40]),
    collector=WORDS,
    source_date_epoch=st.integers(0, 2**40),
    build_tags=st.lists(WORDS, max_size=3),
    custom_modules=st.lists(WORDS, max_size=3),
    overlay=WORDS,
    config_file=WORDS,
    go=WORDS,
    image=WORDS,
    packer=WORDS,
    tunings=st.lists(WORDS, max_size=3),
    go_mod=st.lists(MODULES, max_size=3),
    go_sum=st.lists(SUMS, max_size=3),
    zips=st.dictionaries(st.sampled_from(Architecture), HEX),
)
LOCKS = st.lists(ENTRIES, max_size=4, unique_by=lambda each: each.key)


@given(LOCKS)
def test_a_lock_reads_as_it_was_written(entries: list[Locked]) -> None:
    lock = Lock().with_entries(*entries)
    assert parse_lock(lock.text()) == lock


@given(LOCKS, st.randoms())
def test_the_text_is_the_same_in_whatever_order_entries_come(
    entries: list[Locked],
    random: Any,  # noqa: ANN401
) -> None:
    mixed = random.sample(entries, len(entries))
    text = Lock().with_entries(*entries).text()
    assert Lock().with_entries(*mixed).text() == text
    assert Lock(locked=tuple(mixed)).text() == text


def test_the_order_of_zips_does_not_matter() -> None:
    one, other = (
        entry(zips=dict(each))
        for each in (((AMD64, ONE), (ARM64, TWO)), ((ARM64, TWO), (AMD64, ONE)))
    )
    assert Lock(locked=(one,)).text() == Lock(locked=(other,)).text()


def test_a_lock_says_who_wrote_it_and_what_each_entry_is_about_first() -> None:
    text = Lock(locked=(entry(),)).text()
    assert text.startswith(HEADING)
    assert [line.partition(" ")[0] for line in text.splitlines()[4:10]] == [
        *("distribution", "repository", "ref", "commit", "collector", "source-date-epoch")
    ]


def test_a_change_of_one_module_changes_one_line() -> None:
    lines = [
        Lock(locked=(entry(go_mod=("a.b/a@v1.0.0", each, "a.b/z@v1.0.0")),)).text().splitlines()
        for each in ("a.b/c@v1.0.0", "a.b/c@v1.0.1")
    ]
    assert [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]] == [
        ('    "a.b/c@v1.0.0",', '    "a.b/c@v1.0.1",')
    ]


def test_an_entry_is_found_by_distribution_repository_and_ref() -> None:
    lock = Lock().with_entries(entry(), entry(ref="v1"), entry("other"))
    assert lock.find("minimal", "owner/name", "v1") == entry(ref="v1")
    assert lock.find("minimal", "owner/name", "v2") is None
    assert lock.of("minimal") == (entry(), entry(ref="v1"))


def test_an_entry_takes_the_place_of_that_with_its_key() -> None:
    lock = Lock().with_entries(entry(), entry("other"))
    newer = entry(commit=OTHER)
    assert lock.with_entries(newer).locked == (newer, entry("other"))


def read_text(folder: Path, text: str | bytes) -> Lock:
    (folder / FILE_NAME).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_lock(folder)


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == Lock()


def test_a_lock_with_the_line_ends_of_windows_is_the_same(tmp_path: Path) -> None:
    lock = Lock(locked=(entry(),))
    assert read_text(tmp_path, lock.text().replace("\n", "\r\n")) == lock


def edited(**more: Any) -> str:  # noqa: ANN401
    """The text of a lock of one entry, in which values were edited by hand."""
    data = json.loads(Lock(locked=(entry(),)).model_dump_json(by_alias=True))
    data["locked"][0].update({name.replace("_", "-"): each for name, each in more.items()})
    return tomli_w.dumps(data)


WHOLE = Lock(locked=(entry(),)).text()
CONFLICT = WHOLE.replace(
    f'commit = "{COMMIT}"',
    f'<<<<<<< ours\ncommit = "{COMMIT}"\n=======\ncommit = "{OTHER}"\n>>>>>>> x',
)
TWICE = WHOLE + WHOLE.partition("version = 1\n")[2]

MALFORMED = {
    "merge conflict": (CONFLICT, "is not TOML"),
    "two entries of one key": (TWICE, "there are two entries for minimal owner/name main"),
    "not UTF-8": (b"version = 1 # \xff\n", "utf-8"),
    "a NUL": (b"version = 1\0", "is not TOML"),
    "nested without end": ("x = " + "[" * 100_000, "is not TOML"),
    "another version": ("version = 2\n", "version"),
    "no list": ("version = 1\nlocked = 1\n", "locked"),
    "unknown key": (edited(surprise=1), "locked.0.surprise"),
    "unknown key at the top": ("surprise = 1\n", "surprise"),
    "a key less": (WHOLE.replace('go = "1.26.6"\n', ""), "locked.0.go: Field required"),
    "short commit": (edited(commit="0123456"), "locked.0.commit"),
    "commit in capitals": (edited(commit="A" * 40), "locked.0.commit"),
    "commit with a flag": (edited(commit=f"{COMMIT} -extld=/tmp/x"), "locked.0.commit"),
    "commit with a line end": (edited(commit=f"{COMMIT}\n"), "locked.0.commit"),
    "time before the epoch": (edited(source_date_epoch=-1), "locked.0.source-date-epoch"),
    "unknown architecture": (edited(zips={"riscv64": ONE}), "locked.0.zips.riscv64"),
    "short digest": (edited(zips={"amd64": ONE[1:]}), "locked.0.zips.amd64"),
    **{
        f"module {bad!r}": (edited(go_mod=[bad]), "locked.0.go-mod.0")
        for bad in (
            *("-modfile=x", "-C@v1.0.0", "--@v1", "a.b/c", "a.b/c@latest", "a.b/c@v1.0.0\n"),
            *("a.b/c@v1 -x", "go@-x", "toolchain@local", "a.b/c=>../x@v1", "../c@v1.0.0", ""),
            "toolchain@go1.26.6 x",
        )
    },
    **{
        f"sum {bad!r}": (edited(go_sum=[bad]), "locked.0.go-sum.0")
        for bad in (
            *(SUM[:-1], f"{SUM}\n", f"{SUM}\n{SUM}", SUM.replace("h1:", "h9:"), "", "x"),
            *(f"-{SUM}", SUM.replace(" v1", "  v1"), SUM.replace("AAA=", "A-A=")),
        )
    },
}


@pytest.mark.parametrize(("text", "sentence"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_lock_is_reported_with_its_file_and_place(
    text: str | bytes, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(LockError) as caught:
        read_text(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / FILE_NAME))
    assert sentence in caught.value.text()
    assert "ocelot lock" in caught.value.hint


def test_a_folder_in_its_place_is_reported(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LockError, match=rf"{FILE_NAME} .*Is a directory"):
        read_lock(tmp_path)


def test_a_lock_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).symlink_to(FILE_NAME)  # a link to itself; root may read all else
    with pytest.raises(LockError, match=rf"{FILE_NAME} .*Too many levels of symbolic links"):
        read_lock(tmp_path)


def test_a_malformed_lock_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("precious")
    with pytest.raises(LockError):
        write_entries(tmp_path, entry())
    assert (tmp_path / FILE_NAME).read_text() == "precious"


def test_entries_are_written_beside_those_that_are_there(tmp_path: Path) -> None:
    write_entries(tmp_path, entry("b"))
    assert write_entries(tmp_path, entry("a")) == read_lock(tmp_path)
    assert [each.distribution for each in read_lock(tmp_path).locked] == ["a", "b"]


def test_entries_of_distributions_that_are_gone_go(tmp_path: Path) -> None:
    write_entries(tmp_path, entry("kept"), entry("gone"))
    write_entries(tmp_path, entry("new"), distributions=["kept", "new"])
    assert [each.distribution for each in read_lock(tmp_path).locked] == ["kept", "new"]


def test_a_lock_that_says_it_already_is_left_alone(tmp_path: Path) -> None:
    by_hand = f"# a word of the user's\n{Lock(locked=(entry(),)).text()}"
    (tmp_path / FILE_NAME).write_text(by_hand)
    write_entries(tmp_path, entry(), distributions=["minimal"])
    record_zips(tmp_path, entry(), {AMD64: ONE})
    assert (tmp_path / FILE_NAME).read_text() == by_hand


def test_entries_written_at_once_are_all_kept(tmp_path: Path) -> None:
    names = [f"distribution-{at}" for at in range(8)]
    threads = [threading.Thread(target=write_entries, args=(tmp_path, entry(n))) for n in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each.distribution for each in read_lock(tmp_path).locked] == names


def test_a_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_entries(tmp_path / "nowhere", entry())


def test_recorded_zips_fill_what_is_missing(tmp_path: Path) -> None:
    old = entry(zips={AMD64: ONE})
    write_entries(tmp_path, old)
    record_zips(tmp_path, old, {AMD64: ONE, ARM64: TWO})
    assert read_lock(tmp_path).locked == (entry(zips={AMD64: ONE, ARM64: TWO}),)


def test_a_recorded_zip_is_never_replaced(tmp_path: Path) -> None:
    write_entries(tmp_path, entry(zips={AMD64: ONE}))
    record_zips(tmp_path, entry(zips={}), {AMD64: TWO})
    assert read_lock(tmp_path).locked == (entry(zips={AMD64: ONE}),)


@pytest.mark.parametrize("now", [(), (entry(commit=OTHER, zips={}),), (entry("other"),)])
def test_zips_of_an_entry_that_changed_meanwhile_are_not_recorded(
    now: tuple[Locked, ...], tmp_path: Path
) -> None:
    write_entries(tmp_path, *now)
    record_zips(tmp_path, entry(zips={}), {AMD64: ONE})
    assert read_lock(tmp_path).locked == now


def test_what_is_not_locked_is_what_the_ref_means_now() -> None:
    assert commit_to_build(None, Resolved(commit=OTHER, kind="branch")) == (OTHER, "")


@pytest.mark.parametrize("kind", ["branch", "tag", "commit", "folder"])
def test_a_ref_that_means_what_it_meant_is_no_news(kind: Any) -> None:  # noqa: ANN401
    assert commit_to_build(entry(), Resolved(commit=COMMIT, kind=kind)) == (COMMIT, "")


def test_a_branch_that_moved_on_keeps_to_the_lock_and_is_reported() -> None:
    commit, note = commit_to_build(entry(), Resolved(commit=OTHER, kind="branch"))
    assert commit == COMMIT
    assert note == (
        f"main has moved on to {OTHER[:12]}; the lock keeps to {COMMIT[:12]} "
        "(ocelot lock --upgrade follows)"
    )


def test_a_folder_is_what_lies_there_now() -> None:
    assert commit_to_build(entry(), Resolved(commit=OTHER, kind="folder")) == (OTHER, "")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("tag", "the tag main of owner/name was moved"),
        ("commit", "main of owner/name is not the commit that was locked"),
    ],
)
def test_what_must_not_move_is_an_error_with_both_commits(kind: Any, sentence: str) -> None:  # noqa: ANN401
    with pytest.raises(LockError) as caught:
        commit_to_build(entry(), Resolved(commit=OTHER, kind=kind))
    assert sentence in str(caught.value)
    assert caught.value.details == (f"locked: {COMMIT}", f"now:    {OTHER}")
    assert "ocelot lock --upgrade -d minimal" in caught.value.hint


def facts_of(locked: Locked, **more: Any) -> Facts:  # noqa: ANN401
    return Facts(**{name: getattr(locked, name) for name in Facts.model_fields} | more)


def test_nothing_differs_from_the_same() -> None:
    assert lock_differences(entry(), facts_of(entry())) == ()


def test_another_commit_and_time_are_reported_with_both_values() -> None:
    assert lock_differences(entry(), facts_of(entry(), commit=OTHER, source_date_epoch=7)) == (
        f"upstream: locked at {COMMIT}, here {OTHER}",
        f"time of the files: locked {COMMITTED}, here 7",
    )


# What an entry is about, and the collector's version, which is upstream's.
NOT_COMPARED = {"distribution", "repository", "ref", "collector"}
CHANGED = {
    "build_tags": (
        ("lambdacomponents.custom", "x"),
        f"build tags: locked but not here: {OTLP}; here but not locked: x",
    ),
    "custom_modules": ((), "custom modules: locked but not here: example.com/mine@v1.0.0"),
    "overlay": (TWO, f"files laid over upstream's: locked {ONE}, here {TWO}"),
    "config_file": (TWO, f"collector config: locked none, here {TWO}"),
    "go": ("1.26.7", "Go: locked 1.26.6, here 1.26.7"),
    "image": ("", "golang image: locked golang@sha256:1, here none"),
    "packer": ("another", "packer: locked a packer, here another"),
    "tunings": (("no-busy-wait 1",), "tunings: here but not locked: no-busy-wait 1"),
}


def test_every_fact_is_among_those_shown_here() -> None:
    others = NOT_COMPARED | {"commit", "source_date_epoch"}
    assert CHANGED.keys() == Facts.model_fields.keys() - others


@pytest.mark.parametrize("name", CHANGED)
def test_every_fact_that_differs_is_reported_with_both_values(name: str) -> None:
    value, sentence = CHANGED[name]
    now = facts_of(entry(), **{name: value})
    assert lock_differences(entry(), now) == (sentence,)


def test_another_order_is_reported_as_such() -> None:
    now = facts_of(entry(), build_tags=(OTLP, "lambdacomponents.custom"))
    assert lock_differences(entry(), now) == ("build tags: in another order",)
