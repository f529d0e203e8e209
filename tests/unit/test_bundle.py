from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import anyio
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import COMMIT, COMMITTED

from pipeline import files
from pipeline.build.bundle import (
    INDEX,
    BundleIndex,
    BundleMember,
    BundleUpstream,
    open_bundle,
    write_bundle,
)
from pipeline.build.bundling import opened_bundle
from pipeline.errors import LockError, OutputError, UpstreamError
from pipeline.files import Tree

TREE: Tree = {
    "config/distributions.yaml": b"minimal: {}\n",
    "config/ocelot.lock": b"version = 1\n",
    "empty": b"",
    "modules/a.b/c/@v/v1.0.0.zip": bytes(range(256)) * 5,
    "toolchain/go1.26.6.linux-amd64/bin/go": b"program",
    "upstream/go.mod": b"module x\n",
    "upstream/ä€😀": b"more than ASCII",
    f"upstream/{'long/' * 30}name": b"longer than a tar's header",
}


def index(members: Mapping[str, BundleMember] | None = None) -> BundleIndex:
    return BundleIndex(
        distribution="minimal",
        repository="owner/name",
        ref="main",
        commit=COMMIT,
        committed=COMMITTED,
        members=dict(members or {}),
    )


def written(path: Path, tree: Tree = TREE) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        files.write_tree(Path(folder), tree)
        write_bundle(path, index(), {name: Path(folder) / name for name in tree})
    return path


@cache
def example() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder) / "a.tar.zst").read_bytes()


def opened(content: bytes) -> dict[str, bytes]:
    """The files of a bundle with that content."""
    with tempfile.TemporaryDirectory() as folder:
        path, into = Path(folder) / "a.tar.zst", Path(folder) / "into"
        path.write_bytes(content)
        into.mkdir()
        made = open_bundle(path, into)
        assert made.sha256 == hashlib.sha256(content).hexdigest()
        return files.read_tree(into)


def refused(content: bytes) -> str:
    """The reason why it is refused; its files are removed with the folder."""
    with tempfile.TemporaryDirectory() as folder:
        path, own = Path(folder) / "a.tar.zst", Path(folder) / "cache"
        path.write_bytes(content)
        with pytest.raises(LockError) as caught, opened_bundle(path, own):
            pytest.fail("it was opened")
        assert sorted(Path(folder).rglob("*")) == [path, own]
    assert str(caught.value).startswith(f"the bundle {path} is damaged: ")
    assert caught.value.hint
    reason = str(caught.value).partition(" is damaged: ")[2]
    assert (
        "its lock" not in reason
    )  # which no bundle of these tests has: the file itself is refused
    return reason


def test_a_bundle_is_read_as_it_was_written() -> None:
    assert opened(example()) == TREE


NAMES = st.from_regex(r"[a-zäö€ ._@!-]{1,12}(/[a-z0-9 .~+-]{1,110}){0,3}", fullmatch=True).filter(
    lambda name: all(part.strip(". ") for part in name.split("/"))
)


def no_folders(tree: Tree) -> bool:
    return not any(f"{name}/" in f"{other}/" for name in tree for other in tree if name != other)


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=4).filter(no_folders))
def test_any_files_are_read_as_they_were_written(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        content = written(Path(folder) / "a.tar.zst", tree).read_bytes()
    assert opened(content) == tree


def test_the_same_content_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    other = written(
        tmp_path / "elsewhere" / "b.zst", {name: TREE[name] for name in reversed([*TREE])}
    )
    assert other.read_bytes() == example()


def unpacked(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


def packed(tar: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(tar)


def test_the_tar_is_the_same_whatever_python_makes_it() -> None:
    """A reader makes the headers anew: other ones here, and no old bundle could be opened."""
    assert hashlib.sha256(unpacked(example())).hexdigest() == (
        "578a4fa89eab6f216bb2dde24555ca2382c6d9d080404b5ee63eb086e0e89794"
    )


def test_any_tar_can_list_a_bundle() -> None:
    with tarfile.open(fileobj=io.BytesIO(unpacked(example()))) as tar:
        members = tar.getmembers()
        assert [each.name for each in members] == [INDEX, *sorted(TREE)]
        assert {(each.mode, each.uid, each.mtime) for each in members} == {(0o644, 0, 0)}


def test_a_folder_of_that_name_is_reported_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.tar.zst").mkdir()
    with pytest.raises(OutputError):
        written(tmp_path / "a.tar.zst")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.zst"]


def test_the_index_says_what_the_bundle_is_for(tmp_path: Path) -> None:
    made = open_bundle(written(tmp_path / "a.tar.zst"), tmp_path)
    assert made.index.model_copy(update={"members": {}}) == index()
    assert made.index.members["empty"] == BundleMember(
        size=0, sha256=hashlib.sha256(b"").hexdigest()
    )
    assert [each.name for each in made.toolchains.iterdir()] == ["go1.26.6.linux-amd64"]


def test_a_bundles_upstream_has_its_commit_and_no_other(tmp_path: Path) -> None:
    made = open_bundle(written(tmp_path / "a.tar.zst"), tmp_path)
    upstream = BundleUpstream(bundle=made)
    assert (upstream.given, upstream.ref) == ("owner/name", "main")
    resolved = anyio.run(upstream.resolve)
    assert (resolved.commit, resolved.kind) == (COMMIT, "commit")
    source = anyio.run(upstream.read, COMMIT)
    assert source.files["go.mod"] == b"module x\n"
    assert (source.commit, source.committed) == (COMMIT, COMMITTED)
    with pytest.raises(UpstreamError, match=f"the bundle has {COMMIT}, not {'f' * 40}"):
        anyio.run(upstream.read, "f" * 40)


def unharmed(content: bytes) -> bool:
    """True if all of the example is in it, False if it is refused."""
    try:
        return opened(content) == TREE
    except LockError:
        return False


def offsets(size: int) -> list[int]:
    return sorted({*range(0, size, 11), *range(40), *range(size - 40, size)})


def test_a_flipped_byte_is_found_wherever_it_is() -> None:
    """The two bits of the frame's header that say how much memory to take."""
    content = example()
    flipped = (
        content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        for at in offsets(len(content))
    )
    assert sum(map(unharmed, flipped)) <= 2


def test_a_flipped_byte_in_the_tar_is_found_wherever_it_is() -> None:
    """The compressor's checksum does not help here; the lock inside says what the bundle is for."""
    tar = unpacked(example())
    start = tar.index(b'"members"')
    for at in sorted({*range(start, len(tar), 191), *range(len(tar) - 1030, len(tar), 41)}):
        assert refused(packed(tar[:at] + bytes([tar[at] ^ 0x01]) + tar[at + 1 :]))


def test_a_bundle_cut_short_is_found_wherever_it_is_cut() -> None:
    """Up to its last block and checksum, which have none of the content."""
    content = example()
    whole = [size for size in offsets(len(content)) if unharmed(content[:size])]
    assert whole == [] or min(whole) >= len(content) - 8


Part = tuple[tarfile.TarInfo, bytes]


def part(name: str, content: bytes = b"x", **more: object) -> Part:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def member(content: bytes, size: int | None = None) -> BundleMember:
    size = len(content) if size is None else size
    return BundleMember(size=size, sha256=hashlib.sha256(content).hexdigest())


def forged(
    parts: Sequence[Part], claims: Mapping[str, BundleMember] | None = None, *, tail: bytes = b""
) -> bytes:
    """A bundle of those parts, with an index that claims those members, or just the parts."""
    said = {info.name: member(content) for info, content in parts} if claims is None else claims
    text = index(said).model_dump_json(indent=1).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in [part(INDEX, text), *parts]:
            tar.addfile(info, io.BytesIO(content))
    content = buffer.getvalue()
    end = len(content.rstrip(b"\0"))
    return packed(content[: end + -end % 512] + bytes(1024) + tail)


def test_the_forger_can_make_a_bundle_that_is_sound() -> None:
    assert opened(forged([part("a"), part("b/c", b"content")])) == {"a": b"x", "b/c": b"content"}


@pytest.mark.parametrize(
    "name",
    [
        *("../out", "a/../../out", "/out", "a/..", "..", ".", "", "a//b", "./a", "a/", "a/./b"),
        *("a\0b", "a\\b", "C:\\a"),
    ],
)
def test_a_member_that_is_not_plainly_inside_is_refused(name: str) -> None:
    assert "a member is called" in refused(forged([], {name: member(b"x")}))


def test_a_member_that_is_a_folder_of_another_is_refused() -> None:
    assert "a member is called 'a'" in refused(forged([part("a"), part("a/b")]))


KINDS = {
    "symbolic link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0},
    "hard link": {"type": tarfile.LNKTYPE, "linkname": INDEX, "size": 0},
    "device": {"type": tarfile.CHRTYPE, "size": 0},
    "pipe": {"type": tarfile.FIFOTYPE, "size": 0},
    "folder": {"type": tarfile.DIRTYPE, "size": 0},
    "sparse file": {"type": tarfile.GNUTYPE_SPARSE},
    "executable": {"mode": 0o755},
    "owned by somebody": {"uid": 1000, "uname": "somebody"},
    "with a time": {"mtime": 1},
    "with another name in front": {"pax_headers": {"path": "b"}},
    "with a sparse map in front": {"pax_headers": {"GNU.sparse.map": "x", "GNU.sparse.size": "1"}},
    "with a size in front": {"pax_headers": {"size": "999999999999"}},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_is_no_plain_file_is_refused(kind: Mapping[str, object]) -> None:
    content = b"" if kind.get("size") == 0 else b"x"
    content = forged([part("a", content, **kind)], {"a": member(content)})
    assert refused(content) == f"a is not where {INDEX} says"


HOSTILE = {
    "a member twice": forged([part("a"), part("a")]),
    "a member more": forged([part("a"), part("b")], {"a": member(b"x")}),
    "a member more before": forged([part("a"), part("b")], {"b": member(b"x")}),
    "a member less": forged([part("a")], {"a": member(b"x"), "b": member(b"x")}),
    "another order": forged([part("b"), part("a")]),
    "the index again": forged([part("a"), part(INDEX)], {"a": member(b"x")}),
    "less than the index says": forged([part("a", b"xx")], {"a": member(b"xx", 3)}),
    "more than the index says": forged([part("a", bytes(10_000_000))], {"a": member(b"", 0)}),
    "other content": forged([part("a", b"y")], {"a": member(b"x")}),
    "something after the end": forged([part("a")], tail=b"x"),
    "zeros after the end": forged([part("a")], tail=bytes(512)),
    "a second bundle": forged([part("a")]) + forged([part("b")]),
    "bytes after the frame": forged([part("a")]) + b"more",
    "an empty file": b"",
    "words": b"not a bundle",
    "a plain tar": unpacked(example()),
    "an empty tar": packed(bytes(10240)),
    "an empty frame": packed(b""),
    "the index not first": packed(unpacked(forged([part("a")]))[1024:]),
    "an index of nothing": packed(part(INDEX)[0].tobuf(tarfile.PAX_FORMAT)),
    "an index without end": packed(part(INDEX, size=10**10)[0].tobuf(tarfile.PAX_FORMAT)),
    "a header without end": packed(
        part(INDEX, type=tarfile.XHDTYPE, size=8**11 - 1)[0].tobuf(tarfile.PAX_FORMAT)
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_bundle_is_refused(content: bytes) -> None:
    assert refused(content)


def test_the_zeros_after_the_end_of_a_header_are_not_waited_for() -> None:
    """A header that announces gigabytes, which compress to nothing: they are not unpacked."""
    head = part(INDEX, type=tarfile.XHDTYPE, size=8**11 - 1)[0].tobuf(tarfile.PAX_FORMAT)
    compressor = zstandard.ZstdCompressor().compressobj()
    parts = [compressor.compress(head)]
    parts += [compressor.compress(bytes(1 << 24)) for _ in range(32)]
    bomb = b"".join([*parts, compressor.flush()])
    assert refused(bomb) == f"it does not begin with {INDEX}"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"surprise": 1},
        {"commit": f"{COMMIT} -extld=/tmp/x"},
        {"commit": "main"},
        {"committed": -1},
        {"members": {"a": {"size": -1, "sha256": "0" * 64}}},
        {"members": {"a": {"size": 1, "sha256": "0" * 63}}},
        {"members": {"a": 1}},
    ],
)
def test_an_index_of_another_form_is_refused(change: Mapping[str, object]) -> None:
    content = json.dumps({**index().model_dump(), **change}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(part(INDEX, content)[0], io.BytesIO(content))
    assert refused(packed(buffer.getvalue())) == f"{INDEX} is not of the form expected"


def test_a_bundle_larger_than_the_disk_is_reported_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(forged([], {"huge": member(b"", 1 << 62)}))
    with pytest.raises(OutputError, match=r"the bundle needs .* MiB are free"):
        open_bundle(tmp_path / "a", tmp_path)
