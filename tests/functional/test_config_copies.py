"""The tuning `quick-config-copies` comes to the same as the module that it stands in for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from runs import CONFIG

from pipeline import project
from pipeline.build.engines.host import go_program

HERE = Path(__file__).parent
MODULE = """\
module copies

go 1.26

require (
	github.com/mitchellh/copystructure v1.2.0
	github.com/mitchellh/reflectwalk v1.0.2
)
"""


def run_go(folder: Path, *words: str) -> None:
    caches = project.cache_folder() / "go"
    own = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(caches / "build"),
        "GOMODCACHE": str(caches / "modules"),
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOTOOLCHAIN": "local",
    }
    ran = subprocess.run(
        [str(go_program()), *words, "./..."],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_our_copies_are_those_of_the_module_that_they_replace(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(MODULE, encoding="utf-8")
    (tmp_path / "ours").mkdir()
    shutil.copy(CONFIG / "tuning/copystructure/copystructure.go", tmp_path / "ours")
    shutil.copy(HERE / "copies_test.go", tmp_path)
    run_go(tmp_path, "vet")
    run_go(tmp_path, "test", "-count=1")
