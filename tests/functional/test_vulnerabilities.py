"""A real govulncheck on a small program and small databases of the test."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from textwrap import dedent

import anyio
import pytest
import supply_examples
import vulndb
from runs import fresh_cache, go, run_ocelot
from vulndb import Advisory

from pipeline.audit import vulnerabilities
from pipeline.audit.findings import Level, Scan, Vulnerability
from pipeline.audit.vulnerabilities import GOVULNCHECK_VERSION, has_symbols, scan
from pipeline.build.recipe import GO_VERSION
from pipeline.errors import ToolchainError
from pipeline.progress import NoProgress, shown_by

HURT = "example.com/hurt"
GO_MOD = f"module {HURT}\n\ngo 1.25\n"
PACKAGE = (
    'package hurt\n\n//go:noinline\nfunc Called() string { return "hurt" }\n\nfunc Unused() {}\n'
)
MAIN = f"""\
package main

import "{HURT}"

func main() {{ println(hurt.Called()) }}
"""

CALLED = Advisory(id="GO-2026-0001", module=HURT, fixed="1.0.1", symbols={HURT: ["Called"]})
UNUSED = Advisory(id="GO-2026-0002", module=HURT, symbols={HURT: ["Unused"]})
FIXED = Advisory(id="GO-2026-0003", module=HURT, fixed="0.9.0", symbols={HURT: ["Called"]})
LIBRARY = Advisory(id="GO-2026-0004", module="stdlib", fixed="1.999.0")
OLD_LIBRARY = Advisory(id="GO-2026-0005", module="stdlib", fixed="1.2.0")
ELSEWHERE = Advisory(id="GO-2026-0006", module="example.com/elsewhere")
ALL = (CALLED, UNUSED, FIXED, LIBRARY, OLD_LIBRARY, ELSEWHERE)


class Steps(NoProgress):
    """Progress that keeps the steps."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, lane: str, step: str) -> None:
        self.begun.append(f"{lane}: {step}")


def proxy(root: Path) -> Path:
    """A module proxy's folder with one module: https://go.dev/ref/mod#goproxy-protocol."""
    versions = root / HURT / "@v"
    versions.mkdir(parents=True)
    (versions / "list").write_text("v1.0.0\n")
    (versions / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    (versions / "v1.0.0.mod").write_text(GO_MOD)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{HURT}@v1.0.0/go.mod", GO_MOD)
        archive.writestr(f"{HURT}@v1.0.0/hurt.go", PACKAGE)
    (versions / "v1.0.0.zip").write_bytes(packed.getvalue())
    return root


def compiled(root: Path, flags: str) -> bytes:
    """A program that requires the module and calls one of its functions."""
    source = root / "source"
    source.mkdir(exist_ok=True)
    (source / "go.mod").write_text(
        f"module example.com/layer\n\ngo 1.25\n\nrequire {HURT} v1.0.0\n"
    )
    (source / "main.go").write_text(MAIN)
    settings = {
        "GOARCH": "amd64",
        "GOENV": "off",
        "GOMODCACHE": str(root / "modules"),
        "GONOSUMDB": HURT,
        "GOOS": "linux",
        "GOPROXY": (root / "proxy").as_uri(),
    }
    command = ("build", "-trimpath", "-ldflags", flags, "-o", root / "program", ".")
    go(*command, cwd=source, **settings)
    return (root / "program").read_bytes()


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    root = tmp_path_factory.mktemp("program")
    proxy(root / "proxy")
    return {"stripped": compiled(root, "-s -w"), "whole": compiled(root, "")}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory, programs: Mapping[str, bytes]) -> Path:
    """A cache with govulncheck in it, compiled under settings that must have no effect."""
    root = tmp_path_factory.mktemp("scanner")
    folder = vulndb.folder(root / "db", vulndb.database())
    cache, steps = fresh_cache(root / "cache"), Steps()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOFLAGS", "-nonsense")
        patch.setenv("GOOS", "plan9")
        patch.setenv("GOBIN", str(root / "elsewhere"))
        scanned(programs["stripped"], cache, str(folder), steps)
    assert f"vulnerabilities: install govulncheck {GOVULNCHECK_VERSION}" in steps.begun
    assert not (root / "elsewhere").exists()
    return cache


def scanned(binary: bytes, cache: Path, database: str, progress: NoProgress | None = None) -> Scan:
    with shown_by(progress or NoProgress()):
        return anyio.run(partial(scan, binary, cache=cache, database=database))


def refused(binary: bytes, cache: Path, database: str) -> ToolchainError:
    with pytest.raises(ToolchainError) as caught:
        scanned(binary, cache, database)
    return caught.value


def found(level: Level, advisory: Advisory, version: str) -> Vulnerability:
    return Vulnerability(
        module=advisory.module,
        id=advisory.id,
        aliases=(advisory.id.replace("GO", "CVE"),),
        summary=f"A fault in {advisory.module}",
        found=version,
        fixed=f"v{advisory.fixed}" if advisory.fixed else "",
        level=level,
    )


def test_a_stripped_binarys_modules_are_looked_up(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    folder = vulndb.folder(tmp_path, vulndb.database(*ALL))
    result = scanned(programs["stripped"], cache, str(folder))
    assert result.vulnerabilities == (
        found("module", CALLED, "v1.0.0"),
        found("module", UNUSED, "v1.0.0"),
        found("module", LIBRARY, f"v{GO_VERSION}"),
    )
    assert (result.level, result.advisories) == ("module", 5)
    assert result.database == folder.as_uri()
    assert result.modified.isoformat() == "2026-01-02T03:04:05+00:00"


def test_a_binary_with_symbols_is_scanned_by_function(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    assert has_symbols(programs["whole"])
    assert not has_symbols(programs["stripped"])
    folder = vulndb.folder(tmp_path, vulndb.database(CALLED, UNUSED))
    result = scanned(programs["whole"], cache, folder.as_uri())
    assert result.level == "symbol"
    assert [each.level for each in result.vulnerabilities] == ["symbol", "package"]


def test_nothing_is_left_of_a_scan(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its switch, telemetry of govulncheck runs in a process that outlives it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = vulndb.folder(tmp_path / "db", vulndb.database())
    for _ in range(5):
        scanned(programs["stripped"], cache, str(folder))
    time.sleep(1)
    assert list(temporary.iterdir()) == []


def test_the_same_database_over_http_gives_the_same(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    files = vulndb.database(*ALL)
    folder = vulndb.folder(tmp_path, files)
    with vulndb.served(vulndb.zipped(files)) as url:
        served = scanned(programs["stripped"], cache, f"{url}/")
    assert served.database == url
    local = scanned(programs["stripped"], cache, str(folder))
    assert served.vulnerabilities == local.vulnerabilities != ()


def test_govulncheck_is_compiled_once_and_kept(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    folder, steps = vulndb.folder(tmp_path, vulndb.database()), Steps()
    scanned(programs["stripped"], cache, str(folder), steps)
    assert steps.begun == [f"vulnerabilities: ask {folder.as_uri()}"]
    (tools,) = (cache / "tools").iterdir()
    assert [path.name for path in tools.iterdir()] == ["govulncheck"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("index/modules.json", b"hello"),
        ("index/modules.json", b""),
        (f"ID/{CALLED.id}.json", b"[]"),
        (f"ID/{CALLED.id}.json", None),
        ("index/db.json", b"hello"),
    ],
)
@pytest.mark.parametrize("over_http", [False, True])
def test_a_broken_database_is_reported(
    programs: Mapping[str, bytes],
    cache: Path,
    tmp_path: Path,
    path: str,
    content: bytes | None,
    *,
    over_http: bool,
) -> None:
    files = {**vulndb.database(*ALL), path: content or b""}
    if content is None:
        del files[path]
    if over_http:
        with vulndb.served(vulndb.zipped(files)) as url:
            error = refused(programs["stripped"], cache, url)
    else:
        error = refused(programs["stripped"], cache, str(vulndb.folder(tmp_path, files)))
    assert "database" in str(error)
    assert "--vuln-db" in error.hint


@pytest.mark.parametrize("content", [None, b"<html>Welcome</html>"])
def test_a_server_without_a_database_is_reported(
    programs: Mapping[str, bytes], cache: Path, content: bytes | None
) -> None:
    files = vulndb.zipped(vulndb.database(*ALL))
    with vulndb.served(dict.fromkeys(files, content) if content else {}) as url:
        error = refused(programs["stripped"], cache, url)
    assert str(error) == f"the vulnerability database {url} cannot be used"
    assert "--vuln-db" in error.hint
    assert error.details


def test_a_missing_server_is_reported(programs: Mapping[str, bytes], cache: Path) -> None:
    with vulndb.served({}) as url:
        pass
    assert "cannot be used" in str(refused(programs["stripped"], cache, url))


def test_a_server_that_never_answers_is_given_up(
    programs: Mapping[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vulnerabilities, "SCAN_SECONDS", 1)
    started = time.monotonic()
    with vulndb.served({}, hang=threading.Event()) as url:
        error = refused(programs["stripped"], cache, url)
    assert "did not answer in 1 seconds" in str(error)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("binary", [b"", b"no program", b"\x7fELF\x02\x01" + bytes(200)])
def test_a_file_that_is_no_go_program_is_an_error(
    binary: bytes, cache: Path, tmp_path: Path
) -> None:
    folder = vulndb.folder(tmp_path, vulndb.database(*ALL))
    assert "cannot read the layer's binary" in str(refused(binary, cache, str(folder)))


def test_govulncheck_that_cannot_be_fetched_is_reported(
    programs: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    folder = vulndb.folder(tmp_path / "db", vulndb.database())
    empty = fresh_cache(tmp_path / "cache", share_go=False)
    error = refused(programs["stripped"], empty, str(folder))
    assert str(error) == f"govulncheck {GOVULNCHECK_VERSION} cannot be installed"
    assert "GOPROXY" in error.hint
    assert any("module lookup disabled" in line for line in error.details)


CONFIG = (
    '{"config": {"protocol_version": "v1.0.0", "scan_level": "module", "scan_mode": "binary", '
    '"db_last_modified": "2026-01-02T03:04:05Z"}}'
)
SBOM = '{"SBOM": {"modules": [{"path": "stdlib"}]}}'
OSV = '{"osv": {"id": "GO-2026-0001"}}'
FINDING = (
    '{"finding": {"osv": "GO-2026-0001", "trace": [{"module": "stdlib", "version": "v1.26.6"}]}}'
)
WHOLE = CONFIG + SBOM + OSV + FINDING


def stand_in(cache: Path, output: str, code: int) -> Path:
    """A cache whose govulncheck prints something and ends with a code or a signal."""
    name = f"govulncheck-{GOVULNCHECK_VERSION}-go{GO_VERSION}"
    program = cache / "tools" / name / "govulncheck"
    program.parent.mkdir(parents=True)
    end = f"sys.exit({code})" if code >= 0 else f"os.kill(os.getpid(), {-code})"
    program.write_text(
        dedent(f"""\
            #!{sys.executable}
            import os, sys
            sys.stdout.write({output!r})
            sys.stdout.flush()
            {end}
            """)
    )
    program.chmod(0o755)
    return cache


@pytest.mark.parametrize("code", [0, 3])
def test_findings_count_whatever_the_exit_code(code: int, tmp_path: Path) -> None:
    folder = vulndb.folder(tmp_path / "db", vulndb.database())
    result = scanned(b"", stand_in(tmp_path, WHOLE, code), str(folder))
    assert [each.id for each in result.vulnerabilities] == ["GO-2026-0001"]


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("", 0),
        (SBOM, 0),
        (CONFIG, 0),
        (WHOLE[:-1], 0),
        (CONFIG + SBOM + FINDING, 0),
        (CONFIG + SBOM, 3),
        (WHOLE, 1),
        (WHOLE, -9),
        (WHOLE.replace("module", "symbol", 1), 0),
        ("Welcome", 0),
    ],
)
def test_an_incomplete_output_is_an_error(output: str, code: int, tmp_path: Path) -> None:
    folder = vulndb.folder(tmp_path / "db", vulndb.database())
    error = refused(b"", stand_in(tmp_path, output, code), str(folder))
    assert "not known" in error.hint


def test_a_broken_govulncheck_is_reported(tmp_path: Path) -> None:
    folder = vulndb.folder(tmp_path / "db", vulndb.database())
    cache = stand_in(tmp_path, "", 0)
    (program,) = cache.glob("tools/*/govulncheck")
    program.write_bytes(b"\0")
    error = refused(b"", cache, str(folder))
    assert "cannot be run" in str(error)
    assert str(program.parent) in error.hint


def layer_of(binary: bytes, folder: Path) -> Path:
    path = folder / "collector-amd64-mine.zip"
    path.write_bytes(supply_examples.layer_zip(binary))
    return path


def test_inspect_shows_the_known_vulnerabilities(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    folder = vulndb.folder(tmp_path / "db", vulndb.database(*ALL))
    path = layer_of(programs["stripped"], tmp_path)
    shown = run_ocelot("inspect", path, "--vuln-db", folder, cache=cache, cwd=tmp_path)
    assert shown.code == 0, shown.err
    for advisory in (CALLED, UNUSED, LIBRARY):
        assert advisory.id in shown.out
    assert "3 known vulnerabilities in 3 modules" in shown.out
    ran = run_ocelot(
        "inspect", path, "--vulns", "--vuln-db", folder, "--json", cache=cache, cwd=tmp_path
    )
    (layer,) = json.loads(ran.out)["layers"]
    assert layer["vulnerabilities"]["level"] == "module"
    assert len(layer["vulnerabilities"]["vulnerabilities"]) == 3


def test_inspect_shows_the_layer_where_the_database_cannot_be_used(
    programs: Mapping[str, bytes], cache: Path, tmp_path: Path
) -> None:
    path = layer_of(programs["stripped"], tmp_path)
    shown = run_ocelot("inspect", path, "--vuln-db", tmp_path, cache=cache, cwd=tmp_path)
    assert shown.code == 5
    assert path.name in shown.out
    assert "no known vulnerabilities" not in shown.out
    assert "has no Go vulnerability database" in shown.err
