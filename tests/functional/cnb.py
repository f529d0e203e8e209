"""The real lifecycle of Cloud Native Buildpacks in a root folder of its own, without containers.

It is compiled from the Go module proxy. A phase runs in a mount namespace of its own, in which the
folder is the root, so that all paths are those of a builder image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gitops import INPUTS
from runs import GO_CACHES

from pipeline.build.recipe import CACHES
from pipeline.build.toolchain import go_program
from pipeline.gitops.image.steps import BuildContainer, Command

MODULE = "github.com/buildpacks/lifecycle"
VERSION = "v0.21.14"
PHASES = ("analyzer", "detector", "restorer", "builder", "exporter")

# Mounts what a buildpack's shell needs, then runs a program as a user in the new root.
_ENTER = """
set -e
root=$1 user=$2 folder=$3; shift 3
for each in usr dev proc; do mkdir -p "$root/$each"; mount --rbind "/$each" "$root/$each"; done
for each in bin lib lib64; do [ -e "$root/$each" ] || ln -s "usr/$each" "$root/$each"; done
exec chroot --userspec="$user" "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


@cache
def reason_to_skip() -> str:
    """Why the lifecycle cannot run on this machine; empty if it can."""
    if not shutil.which("unshare") or not shutil.which("docker-registry"):
        return "unshare or docker-registry is not installed"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 and os.geteuid() == 0 else "only root may make mounts"


def compiled_lifecycle(folder: Path) -> Path:
    """Compile lifecycle and launcher into a folder, with Go's shared caches."""
    caches = {name: str(GO_CACHES / each) for name, each in CACHES}
    environment = {**os.environ, **caches, "GOFLAGS": "-modcacherw", "CGO_ENABLED": "0"}
    go = str(go_program())
    described = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"],
        env=environment,
        cwd=folder,
        capture_output=True,
        check=True,
    )
    source = json.loads(described.stdout)["Dir"]
    line = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", f"{folder}/"]
    programs = ["./cmd/lifecycle", "./cmd/launcher"]
    subprocess.run([*line, *programs], env=environment, cwd=source, check=True)
    return folder


@dataclass(frozen=True)
class Ended:
    """A phase that has ended."""

    code: int
    output: str


class BuilderRoot:
    """The root folder of a builder image with one buildpack, that of the test inputs."""

    def __init__(self, root: Path, programs: Path, run_image: str) -> None:
        self.root = root
        lifecycle = root / "cnb/lifecycle"
        lifecycle.mkdir(parents=True)
        for each in ("lifecycle", "launcher"):
            shutil.copy(programs / each, lifecycle / each)
        for each in PHASES:
            (lifecycle / each).symlink_to("lifecycle")
        shutil.copytree(INPUTS / "cnb/own.static", root / "cnb/buildpacks/own.static")
        shutil.copy(INPUTS / "cnb/order.toml", root / "cnb/order.toml")
        (root / "cnb/run.toml").write_text(f'[[images]]\nimage = "{run_image}"\n')
        (root / "etc/ssl").mkdir(parents=True)
        (root / "tmp").mkdir(mode=0o777)
        (root / "tmp").chmod(0o1777)

    def prepare(self, container: BuildContainer, plan: Path) -> None:
        """Lay the folders of a container into the root, as the engine does."""
        user, group = (int(each) for each in container.user.split(":"))
        for mount in container.folders:
            target = self.root / mount.target.lstrip("/")
            if mount.source:
                shutil.copytree(plan / mount.source, target, dirs_exist_ok=True)
            target.mkdir(parents=True, exist_ok=True)
        for each in container.caches:
            (self.root / each.lstrip("/")).mkdir(exist_ok=True)
        owned = [*(each.target for each in container.folders), *container.caches]
        for each in owned:
            for path in (top := self.root / each.lstrip("/"), *top.rglob("*")):
                os.chown(path, user, group, follow_symlinks=False)

    def run(
        self, container: BuildContainer, command: Command, credentials: Mapping[str, str]
    ) -> Ended:
        """Run a phase with the environment that the engine gives it."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **container.environment}
        if command.credentials:
            environment |= {**container.registry_environment, **credentials}
        enter = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(self.root)]
        user = "0:0" if command.root else container.user
        line = [*enter, user, container.workdir, *command.argv]
        ran = subprocess.run(
            line,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return Ended(ran.returncode, ran.stdout.decode(errors="replace"))
