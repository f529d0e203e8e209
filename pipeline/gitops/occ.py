"""OpenChoreo's command line `occ`: found on PATH, else compiled once and kept in the user cache.

Its version is read from its build info: `occ version` would call a server. The schemas of
OpenChoreo's resources (CRDs) are those of the same version of its Go module.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.build.recipe import MODULES_CACHE
from pipeline.build.toolchain import go_program
from pipeline.build.tools import SOURCE, kept_in_cache, run_go, tool_name, tool_step
from pipeline.errors import OcelotError, ToolchainError, quoted
from pipeline.files import output_errors, read_regular
from pipeline.layer.buildinfo import BuildInfo, read_build_info
from pipeline.layer.elf import read_elf

# The version that ocelot compiles: it stands in occ_build/go.mod, too.
OCC_VERSION = "v1.2.3"
MODULE = "github.com/openchoreo/openchoreo"
LANE = "occ"

_BUILD = Path(__file__).parent / "occ_build"
_SCHEMAS = "config/crd/bases"
_LINKED = f"{MODULE}/internal/version.version"


@dataclass(frozen=True, kw_only=True)
class Occ:
    """An `occ` that can be run.

    Attributes:
        program: the binary.
        crds: folder with the schema of each kind, `openchoreo.dev_<plural>.yaml`.
        version: such as v1.2.3.
    """

    program: Path
    crds: Path
    version: str


async def installed_occ(cache: Path, version: str = OCC_VERSION) -> Occ:
    """Return an `occ` of a version: that of PATH if it fits, else the one that ocelot compiles.

    Args:
        cache: the user cache.
        version: the version of the cluster, such as v1.2.3, or v1.2 for any patch version of it.

    Raises:
        ToolchainError: Go, a module or an occ of that version is missing.
    """
    on_path = shutil.which("occ")
    versions = binary_versions(Path(on_path)) if on_path else ()
    found = fitting_version(versions, version)
    if on_path and found:
        return Occ(program=Path(on_path), crds=await _crds(cache, found), version=found)
    if not fitting_version((OCC_VERSION,), version):
        present = f"PATH has {' or '.join(versions)}" if versions else "PATH has none"
        raise ToolchainError(
            f"occ {quoted(version)} is needed, and {present}",
            hint=f"put occ {version} on PATH, or set occ-version in config/gitops.yaml to "
            f"{OCC_VERSION}, which ocelot compiles itself",
        )
    program = await _compiled(cache) / "occ"
    return Occ(program=program, crds=await _crds(cache, OCC_VERSION), version=OCC_VERSION)


def fitting_version(versions: Iterable[str], wanted: str) -> str:
    """Return the first version that is the wanted one, or a patch version of it; else empty."""
    fits = (each for each in versions if each == wanted or each.startswith(f"{wanted}."))
    return next(fits, "")


def binary_versions(program: Path) -> tuple[str, ...]:
    """Return the versions that an occ's build info names; none for another program."""
    try:
        found = read_build_info(read_elf(read_regular(program)))
    except (OSError, OcelotError):  # a script, another system's binary
        return ()
    return occ_versions(found)


def occ_versions(found: BuildInfo) -> tuple[str, ...]:
    """Return the versions of a build info: the one that was linked in, and the main module's."""
    if found.path != f"{MODULE}/cmd/occ":
        return ()
    linked = re.findall(rf"{re.escape(_LINKED)}=([^\s'\"]+)", found.setting("-ldflags"))
    return (*linked, *((found.main.version,) if found.main.published else ()))


async def _compiled(cache: Path) -> Path:
    """Return the folder with the compiled `occ`."""
    return await kept_in_cache(cache, tool_name("occ", OCC_VERSION), partial(_compile, cache))


async def _compile(cache: Path, into: Path) -> None:
    _write_module(into.parent)
    step = tool_step(
        f"compile occ {OCC_VERSION}",
        LANE,
        *("build", "-mod=readonly", "-ldflags", f"-s -w -X {_LINKED}={OCC_VERSION}"),
        *("-o", str(into / "occ"), f"{MODULE}/cmd/occ"),
    )
    await run_go(go_program(), cache, step, into.parent, tool=f"occ {OCC_VERSION}")


async def _crds(cache: Path, version: str) -> Path:
    """Return the folder with the schemas of a version."""
    return await kept_in_cache(
        cache, f"openchoreo-crds-{version}", partial(_copy_crds, cache, version)
    )


async def _copy_crds(cache: Path, version: str, into: Path) -> None:
    if version == OCC_VERSION:  # its checksum is that of go.sum
        _write_module(into.parent)
    step = tool_step(f"schemas of {version}", LANE, "mod", "download", f"{MODULE}@{version}")
    tool = f"OpenChoreo's schemas of {version}"
    await run_go(go_program(), cache, step, into.parent, tool=tool)
    schemas = cache / "go" / MODULES_CACHE / f"{MODULE}@{version}" / _SCHEMAS
    if not schemas.is_dir():
        raise ToolchainError(
            f"OpenChoreo {version} has no {_SCHEMAS}",
            hint=f"set occ-version in config/gitops.yaml to {OCC_VERSION}",
        )
    with output_errors(into):
        for each in sorted(schemas.glob("*.yaml")):
            shutil.copyfile(each, into / each.name)


def _write_module(folder: Path) -> None:
    source = folder / SOURCE
    with output_errors(folder):
        source.mkdir()
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(_BUILD / name, source / name)
