"""React builds: the plan's commands with the machine's Node.js, its configuration with nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from gitops import INPUTS

from pipeline.gitops.image.folders import SourceFolder
from pipeline.gitops.image.react import (
    NGINX_CONFIG,
    NODE_IMAGES,
    PAGES,
    SOURCE_DIR,
    Application,
    ReactSteps,
    Server,
    nginx_config,
    react_steps,
)

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
with_node = pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
with_nginx = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
SERVER = Server(image="nginx", port=8080)
BUILD = "mkdir -p build && cp index.html build/"


@dataclass(frozen=True)
class BuildRun:
    """Commands of a plan that have run.

    Attributes:
        names: of the steps that ran.
        code: exit code of the last.
        meaning: of that code, by the plan.
        output: of the last.
    """

    names: tuple[str, ...]
    code: int
    meaning: str
    output: str


def run(steps: ReactSteps, source: Path, home: Path) -> BuildRun:
    """Run a plan's commands on this machine, with the source where it is."""

    def here(text: str) -> str:
        return text.replace(SOURCE_DIR, str(source))

    own = {"HOME": str(home), "npm_config_prefix": str(home), "npm_config_cache": str(home / "c")}
    path = f"{home}/bin:{os.environ['PATH']}"
    environment = {**os.environ, **steps.node.environment, **own, "PATH": path}
    names: list[str] = []
    for command in steps.node.commands:
        names.append(command.name)
        ran = subprocess.run(
            [here(each) for each in command.argv],
            cwd=here(steps.node.workdir),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        if ran.returncode:
            meaning = command.failures.get(ran.returncode, "")
            return BuildRun(tuple(names), ran.returncode, meaning, ran.stdout.decode())
    return BuildRun(tuple(names), 0, "", "")


def planned(source: Path, application: Application) -> ReactSteps:
    return react_steps(SourceFolder(source), application, NODE_IMAGES["20"], SERVER)


@with_node
def test_an_application_with_an_npm_lock_is_installed_and_built(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(INPUTS / "sources/storefront", source)
    application = Application(folder=".", build_command="npm run build", output_dir="dist")
    steps = planned(source, application)
    done = run(steps, source, tmp_path / "home")
    assert (done.names, done.code) == (("install", "build", "check"), 0), done.output
    assert (source / "dist/index.html").is_file()


@with_node
@pytest.mark.parametrize(
    "files",
    [
        {"yarn.lock": "# yarn lockfile v1\n"},
        {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n"},
    ],
    ids=["yarn", "pnpm"],
)
def test_an_application_of_another_package_manager_is_installed_with_it(
    tmp_path: Path, files: Mapping[str, str]
) -> None:
    folder = tmp_path / "source/web"
    folder.mkdir(parents=True)
    every = {"package.json": '{"name": "web", "version": "1.0.0"}', "index.html": "hi", **files}
    for name, text in every.items():
        (folder / name).write_text(text)
    steps = planned(
        tmp_path / "source", Application(folder="web", build_command=BUILD, output_dir="build")
    )
    done = run(steps, tmp_path / "source", tmp_path / "home")
    if "ENOTFOUND" in done.output or "ECONNREFUSED" in done.output:
        pytest.skip("npm's registry cannot be reached")
    assert (done.names[0], done.code) == ("package manager", 0), done.output


@with_node
@pytest.mark.parametrize(
    ("command", "failed", "meaning"),
    [("exit 3", "build", ""), ("true", "check", "the build made no index.html in out")],
)
def test_a_build_that_fails_or_makes_no_page_is_told(
    tmp_path: Path, command: str, failed: str, meaning: str
) -> None:
    source = tmp_path / "source"
    shutil.copytree(INPUTS / "sources/storefront", source)
    steps = planned(source, Application(folder=".", build_command=command, output_dir="out"))
    done = run(steps, source, tmp_path / "home")
    assert (done.names[-1], done.meaning) == (failed, meaning)


PAGES_OF_TEST = {
    "index.html": "<p>start",
    "robots.txt": "none",
    "docs/index.html": "<p>docs",
    "empty/file.bin": "x",
    "static/js/main.073c9b0a.js": "cra()",
    "static/js/main.073c9b0a.js.map": "{}",
    "static/js/787.28cb0dcd.chunk.js": "cra()",
    "assets/index-DiwrgTd4.css": "vite",
    "assets/some-component.js": "unhashed()",
    "assets/report-20240101.js": "unhashed()",
    "assets/version2.js": "unhashed()",
}


def with_folder(text: str, folder: Path) -> str:
    """Return nginx' configuration with another folder for temporary files."""
    return re.sub(r"(?<= )/tmp/", f"{folder}/", text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Generator[httpx.Client]:
    """nginx with the configuration of the images, at a free port."""
    folder = tmp_path_factory.mktemp("nginx")
    for name, text in PAGES_OF_TEST.items():
        path = folder / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = with_folder(nginx_config(port), folder).replace(PAGES, str(folder / "pages"))
    text = text.replace(f"listen {port}", f"listen 127.0.0.1:{port}")
    config = folder / Path(NGINX_CONFIG).name
    config.write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
    with (folder / "log").open("wb") as log:
        line = [str(NGINX), "-c", str(config), "-g", "daemon off;"]
        process = subprocess.Popen(line, stdout=log, stderr=log)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for _ in range(200):
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    client.get("/")
                    break
                except httpx.TransportError:
                    time.sleep(0.02)
            yield client
        process.terminate()
        process.wait(10)


@with_nginx
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "<p>start"),
        ("/cart/3?x=1", "<p>start"),
        ("/empty", "<p>start"),
        ("/docs", "<p>docs"),
        ("/docs/", "<p>docs"),
        ("/robots.txt", "none"),
        ("/../../etc/passwd", "<p>start"),
    ],
)
def test_paths_of_the_application_get_its_page(pages: httpx.Client, path: str, text: str) -> None:
    found = pages.get(path)
    assert (found.status_code, found.text) == (200, text)
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "/" not in found.headers["server"]


@with_nginx
@pytest.mark.parametrize("path", [each for each in PAGES_OF_TEST if "/" in each])
def test_only_files_with_a_hash_in_their_name_are_kept_by_browsers(
    pages: httpx.Client, path: str
) -> None:
    found = pages.get(f"/{path}")
    assert found.text == PAGES_OF_TEST[path]
    hashed = "unhashed" not in found.text and path.startswith(("static", "assets"))
    assert ("immutable" in found.headers["cache-control"]) == hashed


@with_nginx
def test_a_hashed_file_of_an_older_build_is_missing_and_no_page(pages: httpx.Client) -> None:
    assert pages.get("/static/js/main.99999bad.js").status_code == 404


@with_nginx
def test_a_page_that_has_not_changed_is_not_sent_again(pages: httpx.Client) -> None:
    tag = pages.get("/").headers["etag"]
    assert pages.get("/", headers={"If-None-Match": tag}).status_code == 304


@with_nginx
@pytest.mark.parametrize("port", [80, 8080])
def test_nginx_accepts_the_configuration(tmp_path: Path, port: int) -> None:
    text = with_folder(nginx_config(port), tmp_path).replace("user nginx;", "user root;")
    (tmp_path / "nginx.conf").write_text(text)
    line = [str(NGINX), "-t", "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if "Permission denied" in done.stderr:
        pytest.skip("only root may listen on this port")
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
