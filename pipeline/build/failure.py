"""Errors for failed steps of Go: its own lines, and what to do next. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.build.recipe import GoStep
from pipeline.build.tuning import TunedFiles
from pipeline.errors import CompileError, LockError, OcelotError, OutputError, ToolchainError
from pipeline.files import Tree

# Lines of progress: `go build -v` names each package that it compiles, `go list` each package with
# facts about it, and both each download.
_PROGRESS = re.compile(r"^([A-Za-z0-9_.~/+-]+|[^\t]+\t\d+\t(true|false)\t.*|go: downloading .*)$")
_UNREACHABLE = re.compile(
    r"proxyconnect|dial tcp|connection (refused|reset)|no such host|i/o timeout|TLS handshake|"
    r"network is unreachable|Bad Gateway|Service Unavailable|unexpected EOF|certificate"
)
_NOT_SERVED = re.compile(
    r"(\d{3} (Unauthorized|Forbidden|Gone|Not Found))|unknown revision|no matching versions"
)

_BEYOND_LOCK = re.compile(r"updates to go\.(mod|sum) needed|missing go\.sum entry|-mod=readonly")
_NOT_WRITTEN = (
    (
        re.compile("no space left on device|disk quota exceeded"),
        "free space in the temporary folder (TMPDIR) and in ocelot's cache (OCELOT_CACHE), or "
        "point them to another disk",
    ),
    (
        re.compile(
            r"\b(open|mkdir|rename|remove|unlinkat|chmod|link|write) .*: "
            "(permission denied|read-only file system)"
        ),
        "make ocelot's cache (OCELOT_CACHE) and the temporary folder (TMPDIR) writable for this "
        "user, or point them to other folders",
    ),
)

# Of Go's compiler and linker, which read packages compiled earlier.
_DAMAGED_CACHE = re.compile(
    "can't find export data|malformed archive|truncated object file|not an object file"
)

# `undefined: x.Y` and `a.B undefined (type *x.Y has no field or method B)`.
_UNDEFINED = re.compile(r"(?P<path>\S+\.go):\d+.*?\bundefined\b(?P<what>.*)")
_QUALIFIER = re.compile(r"(?<![\w./])(\w+)\.\w")
_PACKAGE = re.compile(rb"^package\s+(\w+)", re.MULTILINE)

_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"SECURITY ERROR|checksum mismatch"),
        "the module's content is not what go.sum says: do not use it before you know why; "
        "a proxy that alters modules, or a version that was published twice",
    ),
    (
        re.compile("finding module for package"),
        "name the module that holds the package, with a version, in components.yaml",
    ),
    (
        re.compile("disabled by GOPROXY=off"),
        "GOPROXY is off, and a module is not in the cache: set GOPROXY to a proxy, or build from a "
        "bundle (--bundle)",
    ),
    (
        re.compile("could not read Username|terminal prompts disabled|Permission denied"),
        "the module's repository needs credentials: set up git's credential helper "
        "(gh auth setup-git) and name the module's host in GOPRIVATE",
    ),
    (
        _NOT_SERVED,
        "the module proxy does not serve that version: name another with @version in "
        "components.yaml, or another proxy in GOPROXY; private modules need GOPRIVATE",
    ),
    (
        _UNREACHABLE,
        "the module proxy did not answer: check GOPROXY, HTTPS_PROXY and the network, then run "
        "the same command again; modules fetched so far are kept",
    ),
)


def with_tuning_blame(error: CompileError, changed: TunedFiles, tree: Tree) -> CompileError:
    """Return a compiler's error that also names the tunings of the files and packages in it.

    Args:
        error: with the compiler's own lines.
        changed: what the tunings changed.
        tree: what was compiled.
    """
    blamed = [
        f"{name} ({path})"
        for name, paths in changed.touched.items()
        for path in paths
        if any(re.search(rf"(^|\s)(\./)?{re.escape(path)}:\d", line) for line in error.details)
    ]
    replaced = [
        f"{name} ({module})"
        for name, modules in changed.replaced.items()
        for module in modules
        if _is_of_module(error.details, module, _package_names(changed, name), tree)
    ]
    if blamed:
        hint = (
            f"the file was changed by the tuning {', '.join(blamed)}: build with --no-tune, then "
            "fix or remove it in config/tuning.yaml"
        )
    elif replaced:
        hint = f"{error.hint}. It may be what a tuning replaces, {', '.join(replaced)}: --no-tune"
    else:
        return error
    return CompileError(str(error), hint=hint, details=error.details)


def _package_names(changed: TunedFiles, tuning: str) -> frozenset[str]:
    """The names of the packages that a tuning brings."""
    sources = (changed.files[path] for path in changed.touched[tuning] if path.endswith(".go"))
    found = (_PACKAGE.search(source) for source in sources)
    return frozenset(each[1].decode() for each in found if each)


def _is_of_module(lines: Sequence[str], module: str, names: frozenset[str], tree: Tree) -> bool:
    """Return True if the compiler misses something of a module's packages, or in one of them.

    Args:
        lines: the compiler's.
        module: path of the module.
        names: the names of its packages.
        tree: what was compiled; its files may import a package by another name.
    """
    for line in lines:
        if re.match(rf"# {re.escape(module)}(/|\s|$)", line):
            return True
        if not (found := _UNDEFINED.match(line)):
            continue
        source = tree.get(found["path"].removeprefix("./"))
        known = names if source is None else _imported_as(source, module, names)
        if known & set(_QUALIFIER.findall(found["what"])):
            return True
    return False


def _imported_as(source: bytes, module: str, names: frozenset[str]) -> frozenset[str]:
    """The names by which a Go file may use a module's packages."""
    path = rf'(?P<alias>[\w.]+[ \t]+)?"{re.escape(module)}(/[^"\n]*)?"'
    imports = re.compile(rf"^(?:import)?[ \t]*{path}", re.MULTILINE)
    found = imports.finditer(source.decode(errors="replace"))
    aliases: set[str] = {(each["alias"] or "").strip() for each in found}
    return frozenset(aliases - {""}).union(names if "" in aliases else ())


def step_error(
    step: GoStep, lines: Sequence[str], *, build_cache: Path = Path("go/build")
) -> OcelotError:
    """Return the error for a step that failed.

    Args:
        step: what was run.
        lines: all that it printed.
        build_cache: the folder that Go calls GOCACHE.
    """
    errors = error_lines(lines)
    text = "\n".join(errors)
    command = f"$ {shlex.join(step.argv)}"
    for pattern, hint in _NOT_WRITTEN:
        if pattern.search(text):
            return OutputError(
                f"{step.lane}: {step.name} could not write",
                hint=hint,
                details=(command, *errors),
            )
    if step.network and _BEYOND_LOCK.search(text):
        return LockError(
            f"{step.lane}: {step.name} needs more than the lock has",
            hint="lock the distribution anew: ocelot lock",
            details=(command, *errors),
        )
    for pattern, hint in _HINTS if step.network else ():
        if pattern.search(text):
            return ToolchainError(
                f"{step.lane}: {step.name} failed: a Go module cannot be downloaded",
                hint=hint,
                details=(command, *errors),
            )
    if step.output and _DAMAGED_CACHE.search(text):
        return ToolchainError(
            f"{step.lane}: {step.name} failed: a compiled package in the cache is damaged",
            hint=f"delete the folder {build_cache}; the next build fills it again",
            details=(command, *errors),
        )
    kind = ToolchainError if step.network or not step.output else CompileError
    return kind(
        f"{step.lane}: {step.name} failed",
        hint="fix the file that Go names: custom components are in components.yaml, "
        "hand-written files in overlay/; everything else is upstream's (try another "
        "--upstream-ref). --keep-temp keeps the sources as they were compiled",
        details=(command, *errors),
    )


def merged_error(errors: Sequence[OcelotError]) -> OcelotError:
    """Return one error for several steps that failed at the same time, with all their details."""
    first, *rest = errors
    seen, details = set(first.details), list(first.details)
    for error in rest:
        details.append(str(error) if error.hint == first.hint else f"{error}; next: {error.hint}")
        details += [line for line in error.details if line not in seen]
        seen.update(error.details)
    return first.with_message(str(first), tuple(details))


def error_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Return a program's lines without those that only show its progress."""
    errors = tuple(line for line in lines if line.strip() and not _PROGRESS.match(line))
    return errors or tuple(lines)
