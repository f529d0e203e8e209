"""The Go code of ours that tunings put in place of other code comes to the same as that."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from runs import CONFIG, go

TESTS = Path(__file__).parent / "replaced"
# Of the versions upstream has; the clients of Kubernetes come of themselves.
REQUIRED = {
    "copystructure": (
        "github.com/mitchellh/copystructure v1.2.0",
        "github.com/mitchellh/reflectwalk v1.0.2",
    ),
    "expr": ("github.com/expr-lang/expr v1.17.8",),
    "glob": ("github.com/gobwas/glob v0.2.3",),
    "httpsnoop": ("github.com/felixge/httpsnoop v1.1.0",),
    "logsonly": (
        "go.opentelemetry.io/collector/service v0.155.0",
        "go.opentelemetry.io/collector/confmap/xconfmap v0.155.0",
    ),
    "eks": ("go.opentelemetry.io/contrib/detectors/aws/eks v1.45.0",),
}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_module_of_ours_comes_to_the_same_as_the_one_that_it_replaces(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [each for each in os.environ if each.startswith("KUBERNETES_")]:
        monkeypatch.delenv(variable)  # not those of a cluster that runs the tests
    lines = "".join(f"require {each}\n" for each in REQUIRED[name])
    (tmp_path / "go.mod").write_text(f"module replaced\n\ngo 1.26\n\n{lines}", encoding="utf-8")
    (tmp_path / "ours").mkdir()
    (source,) = (CONFIG / "tuning").rglob(f"{name}.go")
    shutil.copy(source, tmp_path / "ours")
    shutil.copy(TESTS / f"{name}_test.go", tmp_path)
    go("vet", "./...", cwd=tmp_path)
    go("test", "-count=1", "./...", cwd=tmp_path)
