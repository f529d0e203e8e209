"""Stand-ins for Go's processes and for upstream.

`go build` writes a few bytes, `go list` completes go.sum.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from supply_examples import paper
from unit_examples import COMMIT, source

from pipeline import process
from pipeline.build.compile import Compiler
from pipeline.build.upstream import Resolved, Source
from pipeline.errors import UpstreamError
from pipeline.process import Finished


def sum_of(content: str, module: str = "example.com/mine", version: str = "v0.155.0") -> str:
    """A module's line of go.sum."""
    digest = base64.b64encode(content.encode().ljust(32)).decode()
    return f"{module} {version} h1:{digest}"


@dataclass(kw_only=True)
class PaperGo:
    """Answers for every program that is run; it keeps lists of the requests.

    Attributes:
        binary: the collector for an architecture.
        refusing: the architectures that it does not compile for.
        content: what modules have in them, for their sums.
        lacking: the modules that no proxy has.
        compiled: the architectures that were compiled for, in order.
        required: the modules that were required, in order.
    """

    binary: Callable[[str], bytes] = paper
    refusing: Collection[str] = ()
    content: str = "first"
    lacking: Collection[str] = ()
    compiled: list[str] = field(default_factory=list[str])
    required: list[str] = field(default_factory=list[str])

    def compiler(self, folder: Path) -> Compiler:
        """A compiler whose Go this is."""
        return Compiler(caches=folder / "go", settings={}, toolchain=folder / "no-go")

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        take: Callable[[str], bool] | None = None,
    ) -> Finished:
        """Stand in for `process.run_program`."""
        act = {"mod": self._require, "list": self._list, "build": self._build}[argv[1]]
        lines = act(argv, cwd, env)
        kept = [line for line in lines if not take or not take(line)]
        for line in kept:
            on_line(line)
        return Finished(argv=tuple(argv), returncode=1 if kept else 0, lines=tuple(kept))

    def _require(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> list[str]:
        del env
        new = [each.partition("=")[2] for each in argv if each.startswith("-require=")]
        self.required += new
        with (cwd / "go.mod").open("a") as file:
            file.writelines(f"\nrequire {each.replace('@', ' ')}\n" for each in new)
        return []

    def _list(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> list[str]:
        del argv, env
        required = [
            line.split()[1:]
            for line in (cwd / "go.mod").read_text().splitlines()
            if line.startswith("require example.com")
        ]
        if gone := [
            f"{module}@{of}" for module, of in required if f"{module}@{of}" in self.lacking
        ]:
            return [f"go: {gone[0]}: reading https://proxy.example/{gone[0]}: 404 Not Found"]
        sums = (cwd / "go.sum").read_text() if (cwd / "go.sum").exists() else ""
        for module, version in required:
            line = f"{sum_of(self.content, module, version)}\n"
            sums += "" if line in sums else line
        (cwd / "go.sum").write_text(sums)
        return []

    def _build(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> list[str]:
        architecture = env["GOARCH"]
        self.compiled.append(architecture)
        if architecture in self.refusing:
            return ["./main.go:1:1: undefined: x"]
        output = cwd / argv[argv.index("-o") + 1]
        output.parent.mkdir(parents=True)
        output.write_bytes(self.binary(architecture))
        return []


@dataclass(kw_only=True)
class PaperUpstream:
    """An upstream of the example's files, whose ref means the commit that a test names."""

    resolved: Resolved = field(default_factory=partial(Resolved, commit=COMMIT, kind="branch"))
    given: str = "owner/name"
    ref: str = "main"
    unreachable: bool = False

    async def resolve(self) -> Resolved:
        if self.unreachable:
            raise UpstreamError("owner/name cannot be reached", hint="check the network")
        return self.resolved

    async def read(self, commit: str) -> Source:
        return replace(source(commit=commit), repository=self.given, ref=self.ref)


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> PaperGo:
    """Go on paper in place of every program of this test."""
    made = PaperGo()
    monkeypatch.setattr(process, "run_program", made.run)
    return made
