from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from pipeline.build.integrity import (
    CachedModule,
    changed_modules,
    damaged_modules,
    go_sums,
    remove_damaged,
)
from pipeline.build.modules import escaped

# The hashes are those that `go mod download` writes for these files.
PATH, VERSION = "example.com/Capital/v2", "v2.0.0"
FILES = {
    "a.go": b"package a\n",
    "b/b.go": b"package b\n",
    "go.mod": b"module example.com/Capital/v2\n",
}
SUMS = {
    (PATH, VERSION): "h1:sTA2TrIfNPubapMQlKAE5TYhug5JQPfISny/udMiPiY=",
    (PATH, f"{VERSION}/go.mod"): "h1:UstfUhjrNEaJ+IqWUW7nz3BZVZnoxwRawb0s8SbE/bE=",
}


@pytest.fixture
def module(tmp_path: Path) -> CachedModule:
    """A module in a cache as Go leaves it there."""
    module = CachedModule(cache=tmp_path, path=PATH, version=VERSION)
    for name, content in FILES.items():
        path = module.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    module.download(".zip").parent.mkdir(parents=True)
    with zipfile.ZipFile(module.download(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(f"{module}/{name}", content)
    module.download(".ziphash").write_text(SUMS[PATH, VERSION])
    module.download(".mod").write_bytes(FILES["go.mod"])
    return module


def changed(module: CachedModule) -> tuple[CachedModule, ...]:
    return changed_modules(module.cache, [(PATH, VERSION)], SUMS)


def test_names_in_the_cache_have_no_capitals(module: CachedModule, tmp_path: Path) -> None:
    assert module.folder == tmp_path / "example.com/!capital/v2@v2.0.0"
    assert escaped("github.com/Azure/go") == "github.com/!azure/go"


def test_the_hashes_are_gos(module: CachedModule) -> None:
    assert changed(module) == damaged_modules(module.cache, SUMS) == ()


def test_modules_that_are_not_in_the_cache_are_changed_but_not_damaged(tmp_path: Path) -> None:
    absent = CachedModule(cache=tmp_path, path=PATH, version=VERSION)
    assert changed_modules(tmp_path, [(PATH, VERSION)], SUMS) == (absent,)
    assert damaged_modules(tmp_path, SUMS) == ()


def test_a_module_without_a_sum_is_changed(module: CachedModule) -> None:
    assert changed_modules(module.cache, [(PATH, VERSION)], {}) == (module,)


def test_a_pipe_in_a_module_is_not_read(module: CachedModule) -> None:
    os.mkfifo(module.folder / "c.go")
    assert changed(module) == damaged_modules(module.cache, SUMS) == (module,)


@pytest.mark.parametrize("suffix", [".zip", ".ziphash", ".mod"])
@pytest.mark.parametrize("content", [b"", b"PK", b"\xff\xfe", b"h1:other"])
def test_only_a_damaged_download_is_removed(
    module: CachedModule, suffix: str, content: bytes
) -> None:
    module.download(suffix).write_bytes(content)
    assert damaged_modules(module.cache, SUMS) == (module,)
    remove_damaged([module], SUMS)
    left = {each for each in (".zip", ".ziphash", ".mod") if module.download(each).exists()}
    assert left == {".zip", ".ziphash", ".mod"} - {suffix}
    assert not module.folder.exists()


def test_the_lines_of_go_sum() -> None:
    assert go_sums(b"a v1.0.0 h1:x\na v1.0.0/go.mod h1:y\n\nbroken\n") == {
        ("a", "v1.0.0"): "h1:x",
        ("a", "v1.0.0/go.mod"): "h1:y",
    }
