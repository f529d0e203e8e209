"""The modules of ours that tunings put in place of others come to the same as those."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from runs import CONFIG

from pipeline import project
from pipeline.build.engines.host import go_program

TESTS = Path(__file__).parent / "replaced"
# Of the versions upstream has; the clients of Kubernetes come of themselves.
REQUIRED = {
    "copystructure": (
        "github.com/mitchellh/copystructure v1.2.0",
        "github.com/mitchellh/reflectwalk v1.0.2",
    ),
    "eks": ("go.opentelemetry.io/contrib/detectors/aws/eks v1.45.0",),
}


def run_go(folder: Path, *words: str) -> None:
    caches = project.cache_folder() / "go"
    own = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(caches / "build"),
        "GOMODCACHE": str(caches / "modules"),
        "GOFLAGS": "-mod=mod -modcacherw",
        "GOTOOLCHAIN": "local",
    }
    without_cluster = {k: v for k, v in os.environ.items() if not k.startswith("KUBERNETES_")}
    ran = subprocess.run(
        [str(go_program()), *words, "./..."],
        cwd=folder,
        env={**without_cluster, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", REQUIRED)
def test_a_module_of_ours_comes_to_the_same_as_the_one_that_it_replaces(
    name: str, tmp_path: Path
) -> None:
    lines = "".join(f"require {each}\n" for each in REQUIRED[name])
    (tmp_path / "go.mod").write_text(f"module replaced\n\ngo 1.26\n\n{lines}", encoding="utf-8")
    (tmp_path / "ours").mkdir()
    shutil.copy(CONFIG / "tuning" / name / f"{name}.go", tmp_path / "ours")
    shutil.copy(TESTS / f"{name}_test.go", tmp_path)
    run_go(tmp_path, "vet")
    run_go(tmp_path, "test", "-count=1")
