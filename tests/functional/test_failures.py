"""Failures of a build: each has its error and exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from loopback import Quiet, serving
from runs import CONFIG, GO_CACHES, OCELOT, Built, Ocelot, Ran, environment, fresh_cache, run_ocelot

from pipeline import paths

SAMPLE = paths.sample_upstream()
MINIMAL = ("build", "-d", "minimal", "-a", "amd64")


def copied_config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def build_with(
    config: Path, cache: Path, *more: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> Ran:
    command = (*MINIMAL, "-r", "sample", "-o", "dist", "--config", config, *more)
    return run_ocelot(*command, cache=cache, cwd=cwd, env=env)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return fresh_cache(tmp_path / "own-cache")


def leftovers(folder: Path) -> list[str]:
    """Temporary files of ours in a folder, at any depth."""
    names = (path.name for path in folder.rglob("*"))
    return [name for name in names if name.startswith(("ocelot-", ".fetch-", ".collector-"))]


@contextmanager
def answering(status: int, authority: trustme.CA | None = None) -> Generator[tuple[str, list[str]]]:
    """A loopback server that answers all with one status; its URL and what it was asked.

    With a certificate authority it speaks TLS.
    """
    asked: list[str] = []

    class Handler(Quiet):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_error(status)

        do_CONNECT = do_GET  # noqa: N815  as http.server calls it

    context = None
    if authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    with serving(Handler, context) as host:
        yield f"{'https' if authority else 'http'}://{host}", asked


def dead_address() -> str:
    """An address on loopback without a listener."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def without_modules(tmp_path: Path, *more: str | Path, **env: str) -> Ran:
    """Build with a cache that holds no module."""
    cache = fresh_cache(tmp_path / "empty", share_go=False)
    command = [*MINIMAL, "-r", "sample", "--config", CONFIG, *more]
    return run_ocelot(*command, cache=cache, env=env, cwd=tmp_path)


@pytest.mark.parametrize("keep", [False, True])
def test_a_compile_error_shows_gos_own_lines(cache: Path, tmp_path: Path, *, keep: bool) -> None:
    config, temporary = copied_config(tmp_path), tmp_path / "tmp"
    broken = config / "overlay" / "lambdacomponents" / "exporter" / "broken.go"
    broken.parent.mkdir(parents=True)
    broken.write_text("package exporter\n\nfunc init() { undefinedThing() }\n")
    temporary.mkdir()
    more = ("--keep-temp",) if keep else ()
    ran = build_with(config, cache, *more, cwd=tmp_path, env={"TMPDIR": str(temporary)})
    assert ran.code == 6
    assert "$ go build" in ran.err
    assert "lambdacomponents/exporter/broken.go:3:15: undefined: undefinedThing" in ran.err
    assert "next: " in ran.err
    assert list((tmp_path / "dist").iterdir()) == []
    if not keep:
        assert list(temporary.iterdir()) == []
        return
    (kept,) = temporary.iterdir()
    collector = kept / "upstream" / "collector"
    assert f"sources kept in {collector}" in ran.err
    assert (collector / "lambdacomponents" / "exporter" / "broken.go").is_file()


def test_a_hand_written_file_takes_effect(cache: Path, tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    ours = config / "overlay" / "main_ours.go"
    ours.write_text('package main\n\nfunc init() { Version += "+ours" }\n')
    ran = build_with(config, cache, cwd=tmp_path)
    assert ran.code == 0, ran.err
    shutil.unpack_archive(tmp_path / "dist" / "collector-amd64-minimal.zip", tmp_path / "opt")
    binary = tmp_path / "opt" / "extensions" / "collector"
    binary.chmod(0o755)
    printed = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    assert printed.stdout == "v0.155.0+ours\n"


def test_an_import_that_no_requirement_covers_is_refused(cache: Path, tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    stray = config / "overlay" / "lambdacomponents" / "exporter" / "stray.go"
    stray.parent.mkdir(parents=True)
    stray.write_text('package exporter\n\nimport _ "golang.org/x/example/hello/reverse"\n')
    ran = build_with(config, cache, cwd=tmp_path)
    assert ran.code == 5
    assert "finding module for package golang.org/x/example/hello/reverse" in ran.err
    assert "components.yaml" in ran.err


def test_a_module_proxy_that_is_dead(tmp_path: Path) -> None:
    dead = dead_address()
    ran = without_modules(tmp_path, GOPROXY=dead)
    assert ran.code == 5
    assert dead in ran.err
    assert "check GOPROXY, HTTPS_PROXY" in ran.err


def test_the_users_http_proxy_is_used(tmp_path: Path) -> None:
    with answering(502) as (url, asked):
        proxies = {"HTTPS_PROXY": url, "NO_PROXY": ""}
        ran = without_modules(tmp_path, GOPROXY="https://modules.invalid", **proxies)
    assert ran.code == 5
    assert "CONNECT modules.invalid:443" in asked


@pytest.mark.parametrize("trusted", [True, False])
def test_the_users_ca_file_is_used(tmp_path: Path, *, trusted: bool) -> None:
    authority, bundle = trustme.CA(), tmp_path / "ca.pem"
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(bundle))
    with answering(403, authority) as (url, asked):
        own = {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": "/nowhere"}
        ran = without_modules(tmp_path, GOPROXY=url, **own)
    assert ran.code == 5
    assert bool(asked) is trusted
    assert ("certificate signed by unknown authority" in ran.err) is not trusted


def test_settings_of_go_env_w_are_honoured(tmp_path: Path) -> None:
    settings = tmp_path / "go-env"
    with answering(403) as (url, asked):
        settings.write_text(f"GOPROXY={url}\n")
        ran = without_modules(tmp_path, GOENV=str(settings), GOPROXY="")
    assert ran.code == 5
    assert asked
    assert "403 Forbidden" in ran.err


def test_a_private_module_does_not_go_through_the_proxy(tmp_path: Path) -> None:
    config = copied_config(tmp_path)
    with (config / "components.yaml").open("a") as file:
        file.write("\nlambdacomponents.exporter.mine: private.invalid/mine@v1.0.0\n")
    with (config / "distributions.yaml").open("a") as file:
        file.write("\nmine:\n  buildtags: [lambdacomponents.exporter.mine]\n")
    with answering(404) as (url, asked):
        own = {"GOPROXY": url, "GOPRIVATE": "private.invalid"}
        ran = without_modules(tmp_path, "-d", "mine", "--config", config, **own)
    assert ran.code == 5
    assert not [path for path in asked if "private.invalid" in path]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_compile_leaves_nothing(
    number: signal.Signals, built: Built, tmp_path: Path
) -> None:
    del built  # its modules are in the shared cache by now, so that the compile starts at once
    cache, temporary = tmp_path / "cache", tmp_path / "tmp"
    (cache / "go" / "build").mkdir(parents=True)
    (cache / "go" / "modules").symlink_to(GO_CACHES / "modules")
    temporary.mkdir()
    process = subprocess.Popen(
        [OCELOT, "build", "-d", "minimal", "-r", "sample", "-v", "--config", CONFIG],
        env={**environment(cache), "TMPDIR": str(temporary)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith("amd64 ") and "compile" not in line:
            break  # the compiler has named a package
    assert processes_in(temporary)
    process.send_signal(number)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"interrupted by {number.name}" in rest
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []
    assert list((tmp_path / "dist").iterdir()) == []
    assert leftovers(tmp_path) == []


def processes_in(folder: Path) -> list[int]:
    """Processes that work below a folder."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@contextmanager
def small_disk(folder: Path, *, options: str) -> Generator[Path]:
    """A tmpfs of a few pages; skips where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "ocelot-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small disk needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_under_the_output_folder(built: Built, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", options="size=64k") as disk:
        ran = build_with(CONFIG, built.cache, "-o", disk, cwd=tmp_path)
        left = list(disk.iterdir())
    assert ran.code == 8
    assert f"cannot write to {disk}: No space left on device" in ran.err
    assert left == []


def test_a_full_disk_under_the_compiler(cache: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", options="size=2m") as disk:
        ran = build_with(CONFIG, cache, "--rebuild", cwd=tmp_path, env={"TMPDIR": str(disk)})
        left = list(disk.iterdir())
    assert ran.code == 8
    assert "no space left on device" in ran.err.lower()
    assert left == list((tmp_path / "dist").iterdir()) == []


def test_an_output_folder_that_is_read_only(built: Built, tmp_path: Path) -> None:
    with small_disk(tmp_path / "fixed", options="ro") as disk:
        ran = build_with(CONFIG, built.cache, "-o", disk, cwd=tmp_path)
    assert ran.code == 8
    assert "Read-only file system" in ran.err
    assert "resolve" not in ran.err  # refused before any work began


def test_a_repository_that_is_not_of_upstreams_shape(ocelot: Ocelot, tmp_path: Path) -> None:
    (tmp_path / "other" / "collector").mkdir(parents=True)
    (tmp_path / "other" / "collector" / "go.mod").write_text("module example.com/other\n")
    ran = ocelot(*MINIMAL, "-r", "./other")
    assert ran.code == 4
    assert "go.opentelemetry.io/collector/otelcol" in ran.err
    assert "of the shape of open-telemetry/opentelemetry-lambda" in ran.err


def test_github_out_of_reach_names_the_ways_on(ocelot: Ocelot) -> None:
    ran = ocelot(*MINIMAL, env={"HTTPS_PROXY": dead_address(), "https_proxy": "", "NO_PROXY": ""})
    assert ran.code == 4
    assert "github.com" in ran.err
    for way in ("URL of a mirror", "path of a local clone", "--upstream-repo sample"):
        assert way in ran.err


def test_an_upstream_that_wants_a_newer_go(ocelot: Ocelot, tmp_path: Path) -> None:
    newer = Path(shutil.copytree(SAMPLE, tmp_path / "newer"))
    go_mod = newer / "collector" / "go.mod"
    go_mod.write_text(re.sub("(?m)^go .*", "go 1.99.0", go_mod.read_text()))
    ran = ocelot(*MINIMAL, "-r", "./newer")
    assert ran.code == 5
    assert "needs Go 1.99.0; this ocelot has" in ran.err


def test_a_killed_build_does_not_harm_the_next(built: Built, tmp_path: Path) -> None:
    """SIGKILL cannot be cleaned up after; the next build must work all the same."""
    cache = fresh_cache(tmp_path / "cache")
    command = [OCELOT, *MINIMAL, "-r", "sample", "--config", CONFIG]
    process = subprocess.Popen(
        command, env=environment(cache), cwd=tmp_path, start_new_session=True
    )
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ran = run_ocelot(*command[1:], cache=cache, cwd=tmp_path)
    assert ran.code == 0, ran.err
    name = "collector-amd64-minimal.zip"
    assert (tmp_path / "dist" / name).read_bytes() == (built.folder / name).read_bytes()
