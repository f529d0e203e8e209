"""Builds with caches that were changed or damaged, or that cannot be written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import MINE, Place, new_place, serve_module

ZIP = "collector-amd64-mine.zip"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where `mine` is locked and built; each test works on a copy."""
    place = new_place(tmp_path_factory.mktemp("original"))
    assert place.on("lock", "-d", "mine").code == 0
    assert place.build("-d", "mine").code == 0
    return place


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    """The original, whose finished layers are no longer in the cache."""
    place = original.copied(tmp_path / "place")
    shutil.rmtree(place.cache / "layers")
    return place


def modules(place: Place) -> Path:
    return place.cache / "go" / "modules"


def source(place: Place) -> Path:
    return modules(place) / f"{MINE}@v1.0.0" / "mine.go"


def download(place: Place, suffix: str) -> Path:
    return modules(place) / "cache" / "download" / MINE / "@v" / f"v1.0.0{suffix}"


def foreign_line(place: Place) -> None:
    source(place).write_text(source(place).read_text().replace('"mine"', '"foreign"'))


def foreign_file(place: Place) -> None:
    source(place).with_name("more.go").write_text('package mine\n\nfunc init() { println("x") }\n')


def foreign_folder(place: Place) -> None:
    folder = source(place).parent
    shutil.copytree(folder, place.root / "elsewhere")
    foreign_line(place)
    (folder / "more").symlink_to(place.root / "elsewhere")


def empty_file(place: Place) -> None:
    source(place).write_bytes(b"")


def missing_file(place: Place) -> None:
    source(place).unlink()


def cut_zip(place: Place) -> None:
    shutil.rmtree(source(place).parent)
    content = download(place, ".zip").read_bytes()
    download(place, ".zip").write_bytes(content[: len(content) // 2])


def changed_sum(place: Place) -> None:
    download(place, ".ziphash").write_text("h1:" + "A" * 43 + "=")


def changed_go_mod(place: Place) -> None:
    download(place, ".mod").write_text(f"module {MINE}\n\ngo 1.24.0\n")


DAMAGES = [
    foreign_line,
    foreign_file,
    foreign_folder,
    empty_file,
    missing_file,
    cut_zip,
    changed_go_mod,
    changed_sum,
]


def same_zip(place: Place, original: Place) -> bool:
    return (place.dist / ZIP).read_bytes() == (original.dist / ZIP).read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_module_is_downloaded_again(
    damage: Callable[[Place], None], place: Place, original: Place
) -> None:
    damage(place)
    ran = place.build("-d", "mine", "--locked")
    assert ran.code == 0, ran.err
    assert same_zip(place, original)
    assert f"again: {MINE}@v1.0.0" in ran.err
    again = place.build("-d", "mine", "--rebuild")
    assert "again" not in again.err


UNPACKED = [foreign_line, foreign_file, foreign_folder, empty_file, missing_file]


@pytest.mark.parametrize("damage", UNPACKED)
def test_a_damaged_module_whose_download_is_whole_needs_no_network(
    damage: Callable[[Place], None], place: Place, original: Place
) -> None:
    damage(place)
    ran = place.build("-d", "mine", env={"GOPROXY": "off"})
    assert ran.code == 0, ran.err
    assert same_zip(place, original)


@pytest.mark.parametrize("damage", UNPACKED)
def test_a_damaged_module_that_cannot_be_had_is_not_compiled(
    damage: Callable[[Place], None], place: Place
) -> None:
    """Its download is damaged too, and there is no proxy."""
    damage(place)
    download(place, ".zip").write_bytes(b"damaged")
    first, second = (place.build("-d", "mine", env={"GOPROXY": "off"}) for _ in range(2))
    assert (first.code, second.code) == (5, 5)
    assert f"again: {MINE}@v1.0.0" in first.err
    assert "next: GOPROXY is off" in second.err
    assert not (place.cache / "layers").exists()


def test_another_module_under_the_same_version_is_no_damage(place: Place) -> None:
    shutil.rmtree(modules(place))
    serve_module(place.proxy, word="foreign")
    ran = place.build("-d", "mine")
    assert ran.code == 5
    assert "do not use it before you know why" in ran.err


def test_a_bundle_and_a_verification_do_without_a_damaged_download(place: Place) -> None:
    cut_zip(place)
    ran = place.on("bundle", "-d", "mine")
    assert ran.code == 0, ran.err
    download(place, ".zip").write_bytes(b"damaged")
    ran = place.run("verify", "dist/collector-amd64-mine.zip")
    assert ran.code == 0, ran.err
