"""A collector of upstream's shape that is linked in a second and needs no module of the network.

What it requires of the collector's own modules are folders of its own; the one module that comes
from elsewhere, `example.com/mine`, is served by a module proxy that a test makes.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from gitserver import commit, in_collector, new_repository
from runs import GO_CACHES, Ran, run_ocelot

from pipeline.build.lock import FILE_NAME, Lock, Locked, read_lock

MAIN = "github.com/open-telemetry/opentelemetry-lambda/collector"
OTEL = "go.opentelemetry.io/collector"
MINE = "example.com/mine"


def _registration(name: str) -> bytes:
    return dedent(f"""\
        //go:build lambdacomponents.custom && (lambdacomponents.all || lambdacomponents.exporter.all || lambdacomponents.exporter.{name})

        package exporter

        import "{OTEL}/exporter"

        func init() {{
        \tFactories = append(Factories, func(extensionId string) exporter.Factory {{ return "{name}" }})
        }}
        """).encode()  # noqa: E501  a build constraint is one line


COLLECTOR: Mapping[str, bytes] = {
    "go.mod": dedent(f"""\
        module {MAIN}

        go 1.25.0

        require (
        \t{OTEL}/exporter v0.155.0
        \t{OTEL}/otelcol v0.155.0
        )

        replace {OTEL}/exporter => ./stubs/exporter

        replace {OTEL}/otelcol => ./stubs/otelcol
        """).encode(),
    "main.go": dedent(f"""\
        package main

        import (
        \t"{MAIN}/lambdacomponents/exporter"
        \t"{OTEL}/otelcol"
        )

        var GitHash, Version string

        func main() {{
        \tprintln(otelcol.Name, Version, GitHash)
        \tfor _, each := range exporter.Factories {{
        \t\tprintln(each(""))
        \t}}
        }}
        """).encode(),
    "config.yaml": b"receivers: {}\n",
    "lambdacomponents/exporter/pkg.go": dedent(f"""\
        package exporter

        import "{OTEL}/exporter"

        var Factories []func(extensionId string) exporter.Factory
        """).encode(),
    "lambdacomponents/exporter/one.go": _registration("one"),
    "lambdacomponents/exporter/two.go": _registration("two"),
    "stubs/exporter/go.mod": f"module {OTEL}/exporter\n\ngo 1.25.0\n".encode(),
    "stubs/exporter/exporter.go": b"package exporter\n\ntype Factory = string\n",
    "stubs/otelcol/go.mod": f"module {OTEL}/otelcol\n\ngo 1.25.0\n".encode(),
    "stubs/otelcol/otelcol.go": b'package otelcol\n\nvar Name = "collector"\n',
}

DISTRIBUTIONS = """\
one:
  buildtags: [lambdacomponents.exporter.one]
two:
  base: one
  buildtags: [lambdacomponents.exporter.two]
mine:
  base: one
  buildtags: [lambdacomponents.exporter.mine]
"""
COMPONENTS = f"lambdacomponents.exporter.mine: {MINE}@v1.0.0\n"


def serve_module(proxy: Path, word: str = "mine", version: str = "v1.0.0") -> None:
    """Put the module into a module proxy's folder, in place of what was published before.

    Args:
        proxy: the folder.
        word: what the component says.
        version: the module's.
    """
    folder = proxy / MINE / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    go_mod = f"module {MINE}\n\ngo 1.25.0\n\nrequire {OTEL}/exporter v0.155.0\n"
    source = f"""\
        package mine

        import "{OTEL}/exporter"

        func NewFactory() exporter.Factory {{ return "{word}" }}
        """
    (folder / f"{version}.mod").write_text(go_mod)
    (folder / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as module:
        module.writestr(f"{MINE}@{version}/go.mod", go_mod)
        module.writestr(f"{MINE}@{version}/mine.go", dedent(source))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A config folder, a git repository of the tiny collector, a proxy, and a cache of its own.

    Attributes:
        cache: shares no modules with others.
    """

    root: Path
    cache: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def repository(self) -> Path:
        return self.root / "upstream"

    @property
    def proxy(self) -> Path:
        return self.root / "proxy"

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def lock(self) -> Lock:
        return read_lock(self.config)

    @property
    def lock_file(self) -> Path:
        return self.config / FILE_NAME

    def entry(self, distribution: str = "one") -> Locked:
        (found,) = self.lock.of(distribution)
        return found

    def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        """Run ocelot here, with no modules but those of the proxy."""
        own = {
            "OCELOT_CONFIG": str(self.config),
            "GOPROXY": self.proxy.as_uri(),
            "GOSUMDB": "off",
            "GOPRIVATE": "",
            "GONOPROXY": "",
            "GOFLAGS": "",
        }
        return run_ocelot(*arguments, cache=self.cache, cwd=self.root, env={**own, **(env or {})})

    def on(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        """Run a command on the repository of this place."""
        command, *more = arguments
        return self.run(command, "-r", "./upstream", *more, env=env)

    def build(self, *more: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        return self.on("build", "-a", "amd64", *more, env=env)

    def copied(self, root: Path) -> Place:
        """The same in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        return Place(root=root, cache=root / self.cache.relative_to(self.root))

    def grow(self, files: Mapping[str, bytes], *, start: str, time: int) -> str:
        """Another commit on main; its SHA."""
        return commit(self.repository, in_collector(files), start=start, time=time)


def own_cache(folder: Path) -> Path:
    """An ocelot cache that shares compiled packages with others, and no modules."""
    shared = GO_CACHES / "build"
    shared.mkdir(parents=True, exist_ok=True)
    (folder / "go").mkdir(parents=True)
    (folder / "go" / "build").symlink_to(shared)
    return folder


def new_place(root: Path) -> Place:
    """A place with one commit on main."""
    place = Place(root=root, cache=own_cache(root / "cache"))
    place.config.mkdir()
    (place.config / "distributions.yaml").write_text(DISTRIBUTIONS)
    (place.config / "components.yaml").write_text(COMPONENTS)
    serve_module(place.proxy)
    commit(new_repository(place.repository), in_collector(COLLECTOR))
    return place
