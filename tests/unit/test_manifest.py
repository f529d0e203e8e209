from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from publish_examples import write_manifest
from pydantic import ValidationError
from unit_examples import layer

from pipeline.errors import UsageError
from pipeline.layer.manifest import (
    BenchNote,
    Layer,
    Manifest,
    Start,
    code_sha256,
    merged_manifest,
    read_manifest,
    update_manifest,
    write_bench_notes,
)

AMD64 = layer("collector-amd64-minimal.zip", b"amd64")
ARM64 = layer("collector-arm64-minimal.zip", b"arm64")
FULL = layer("collector-amd64-full.zip", b"full")


def present(*layers: Layer) -> dict[str, str]:
    return {each.file: each.sha256 for each in layers}


def files(manifest: Manifest) -> list[str]:
    return [each.file for each in manifest.layers]


def test_code_sha256_is_the_digest_as_lambda_gives_it() -> None:
    digest = hashlib.sha256(b"a zip").digest()
    assert base64.b64decode(code_sha256(b"a zip")) == digest


def test_the_two_digests_of_a_layer_are_one() -> None:
    assert base64.b64decode(AMD64.code_sha256).hex() == AMD64.sha256


def test_layers_are_sorted_by_file() -> None:
    assert files(merged_manifest(None, (ARM64, FULL, AMD64), {})) == [
        "collector-amd64-full.zip",
        "collector-amd64-minimal.zip",
        "collector-arm64-minimal.zip",
    ]


def test_an_old_layer_whose_zip_is_unchanged_is_kept() -> None:
    assert merged_manifest(Manifest(layers=(FULL,)), (AMD64,), present(FULL)).layers == (
        FULL,
        AMD64,
    )


def test_an_old_layer_whose_zip_has_changed_is_dropped() -> None:
    changed = {FULL.file: "0" * 64}
    assert merged_manifest(Manifest(layers=(FULL,)), (AMD64,), changed).layers == (AMD64,)


def test_an_old_layer_whose_zip_is_gone_is_dropped() -> None:
    assert merged_manifest(Manifest(layers=(FULL,)), (AMD64,), {}).layers == (AMD64,)


def test_a_layer_of_the_same_file_is_replaced() -> None:
    old = layer(AMD64.file, b"older")
    assert merged_manifest(Manifest(layers=(old,)), (AMD64,), present(old)).layers == (AMD64,)


START = Start(starts=3, cpu=0.03, memory=30_000_000, cpu_times=8.5, memory_times=6.25)


def test_a_bench_note_is_kept_for_the_same_bytes_alone() -> None:
    tried = AMD64.with_bench_note(BenchNote(benched="passed", start=START))
    assert merged_manifest(Manifest(layers=(tried,)), (AMD64,), {}).layers == (tried,)
    again = layer(AMD64.file, b"newer")
    assert merged_manifest(Manifest(layers=(tried,)), (again,), {}).layers == (again,)


def test_a_note_is_taken_down_by_the_zips_digest(tmp_path: Path) -> None:
    write_manifest(tmp_path, [AMD64, ARM64])
    bench_note = BenchNote(benched="passed", start=START)
    write_bench_notes(
        tmp_path, {ARM64.sha256: bench_note, "b" * 64: BenchNote(benched="failed: panics")}
    )
    found = read_manifest(tmp_path / "manifest.json")
    assert found is not None
    assert [each.bench_note for each in found.layers] == [BenchNote(), bench_note]
    write_bench_notes(tmp_path, {ARM64.sha256: BenchNote(benched="skipped: --no-bench")})
    found = read_manifest(tmp_path / "manifest.json")
    assert found is not None
    assert [each.start for each in found.layers] == [None, None]


def test_a_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    manifest = Manifest(layers=(AMD64, ARM64))
    (tmp_path / "manifest.json").write_text(manifest.text(), encoding="utf-8")
    assert read_manifest(tmp_path / "manifest.json") == manifest


def test_a_manifest_is_json_that_ends_in_a_newline() -> None:
    text = Manifest(layers=(AMD64,)).text()
    assert text.endswith("}\n")
    assert json.loads(text)["version"] == 1


def test_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        Layer.model_validate({**AMD64.model_dump(), "sha256": "XYZ"})


def write_zips(folder: Path, **contents: bytes) -> None:
    for name, content in contents.items():
        (folder / f"collector-{name.replace('_', '-')}.zip").write_bytes(content)


def test_the_first_manifest_of_a_folder_is_written(tmp_path: Path) -> None:
    made = update_manifest(tmp_path, (AMD64, ARM64))
    assert made == Manifest(layers=(AMD64, ARM64))
    assert read_manifest(tmp_path / "manifest.json") == made


def test_a_later_build_keeps_the_zips_that_still_lie_there(tmp_path: Path) -> None:
    write_zips(tmp_path, amd64_full=b"full", amd64_minimal=b"amd64", arm64_minimal=b"arm64")
    update_manifest(tmp_path, (FULL,))
    assert update_manifest(tmp_path, (AMD64, ARM64)).layers == (FULL, AMD64, ARM64)


def test_a_later_build_drops_a_zip_that_was_changed_by_hand(tmp_path: Path) -> None:
    write_zips(tmp_path, amd64_full=b"full", amd64_minimal=b"amd64")
    update_manifest(tmp_path, (FULL,))
    write_zips(tmp_path, amd64_full=b"changed")
    assert update_manifest(tmp_path, (AMD64,)).layers == (AMD64,)


def test_a_later_build_drops_a_zip_that_is_gone(tmp_path: Path) -> None:
    update_manifest(tmp_path, (FULL,))
    assert update_manifest(tmp_path, (AMD64,)).layers == (AMD64,)


def test_a_zip_that_no_manifest_knows_is_left_out(tmp_path: Path) -> None:
    write_zips(tmp_path, amd64_full=b"full")
    assert update_manifest(tmp_path, (AMD64,)).layers == (AMD64,)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff", id="not text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"version": 1}', id="no layers"),
        pytest.param(b'{"version": 1, "layers": [{"file": "x"}]}', id="a layer of little"),
        pytest.param(b"[" * 200_000, id="brackets"),
        pytest.param(b'{"version": 2, "layers": []}', id="newer"),
        pytest.param(b'{"version": 2, "zips": {}}', id="newer, of another form"),
    ],
)
def test_a_broken_or_newer_manifest_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        update_manifest(tmp_path, (AMD64,))
    assert str(path) in str(caught.value)
    assert "--output" in caught.value.hint
    assert path.read_bytes() == content


def test_a_manifest_that_is_not_there_reads_as_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "manifest.json") is None


def test_a_manifest_with_a_wrong_field_is_an_error_that_names_file_and_field(
    tmp_path: Path,
) -> None:
    path = tmp_path / "manifest.json"
    data = json.loads(Manifest(layers=(AMD64, ARM64)).text())
    data["layers"][1]["size"] = "large"
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert "layers.1.size" in str(caught.value)
