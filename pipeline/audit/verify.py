"""Build a layer again from its lock and compare: is it what its sources give?

A claim is a zip, or a layer version in AWS, of which somebody says that it is a distribution of
ours. Its lock entry says from what it must have been made; a rebuild says what that gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, cast

from pipeline.audit.compare import layer_differences, plain
from pipeline.build import lock
from pipeline.build.apply import apply_plan
from pipeline.build.compile import Compiler
from pipeline.build.lock import Lock, Locked
from pipeline.build.request import BuildRequest, plan_commit
from pipeline.build.sources import gather_commits
from pipeline.build.upstream import Upstream
from pipeline.config.folder import Config
from pipeline.errors import LockError, OcelotError, UsageError, VerifyError
from pipeline.files import read_file
from pipeline.layer.manifest import FILE_NAME, Layer, Manifest, code_sha256, read_manifest
from pipeline.naming import Architecture, zip_parts
from pipeline.supply.output import manifest_entry

# What a manifest says that a rebuild can tell.
_STATED = (
    *("architecture", "distribution", "build_tags", "custom_modules", "tunings"),
    *("collector_version", "go", "packer", "source_date_epoch"),
)

# Gives the content of a claim, where the digest alone does not do.
Content = Callable[[], bytes]
# The upstream of a repository and a ref.
UpstreamOf = Callable[[str, str], Upstream]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A layer that is to be what its sources give.

    Attributes:
        name: the file or the ARN.
        sha256: of its zip, in hex.
        repository: upstream, where the manifest beside the zip names it; else empty.
        ref: likewise.
        stated: the manifest's record of it, if there is one.
        already: what is wrong with it even before a rebuild.
    """

    name: str
    architecture: Architecture
    distribution: str
    sha256: str
    content: Content = field(repr=False)
    repository: str = ""
    ref: str = ""
    stated: Layer | None = field(default=None, repr=False)
    already: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What became of a claim.

    Attributes:
        entry: what the rebuild was made from.
        rebuilt: SHA-256 of the rebuilt zip, in hex.
        differences: a sentence for each; empty for the same bytes.
    """

    claim: Claim
    entry: Locked
    rebuilt: str
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether it is, byte for byte, what its sources give."""
        return not self.differences


class _Rebuilt(NamedTuple):
    """A layer made anew, and its record for a manifest."""

    content: bytes
    record: Layer


def zip_claim(path: Path, manifest: Manifest | None) -> Claim:
    """The claim that a zip's name makes, with what the manifest beside it says.

    Raises:
        UsageError: it cannot be read, or its name is none of ours.
    """
    content = read_file(path, "give a zip, a manifest or an ARN")
    digest = hashlib.sha256(content).hexdigest()
    layers = manifest.layers if manifest else ()
    layer = next((each for each in layers if each.file == path.name), None)
    named = zip_parts(path.name)
    parts = named if layer is None else (layer.architecture, layer.distribution)
    if parts is None:
        raise UsageError(
            f"{path.name} does not contain an architecture and a distribution",
            hint="a layer is called collector-<architecture>-<distribution>.zip",
        )
    return Claim(
        name=str(path),
        architecture=parts[0],
        distribution=parts[1],
        sha256=digest,
        content=lambda: content,
        repository=layer.upstream.repository if layer else "",
        ref=layer.upstream.ref if layer else "",
        stated=layer,
        already=tuple(_against_zip(layer, content, digest, named)) if layer else (),
    )


def target_claims(path: Path) -> list[Claim]:
    """The claims of a zip, or of all zips that a manifest lists.

    Raises:
        UsageError: it is neither.
    """
    if path.suffix == ".json":
        return manifest_claims(path)
    return [zip_claim(path, read_manifest(path.parent / FILE_NAME))]


def manifest_claims(path: Path) -> list[Claim]:
    """The claims of all zips that a manifest lists.

    Raises:
        UsageError: it is no manifest, or a zip is not beside it.
    """
    manifest = read_manifest(path)
    if manifest is None or not manifest.layers:
        raise UsageError(
            f"{path} {'names no zip' if manifest else 'is not there'}",
            hint="give the manifest.json of a build",
        )
    return [zip_claim(path.parent / each.file, manifest) for each in manifest.layers]


def _against_zip(
    layer: Layer, content: bytes, digest: str, named: tuple[Architecture, str] | None
) -> Iterator[str]:
    """What the manifest says otherwise than the zip."""
    if named not in (None, (layer.architecture, layer.distribution)):
        yield f"its manifest says that it is {layer.distribution} for {layer.architecture}"
    if layer.sha256 != digest:
        yield f"its manifest says sha256 {layer.sha256}, the zip has {digest}"
    elif (layer.code_sha256, layer.size) != (code_sha256(content), len(content)):
        yield "its manifest says a code_sha256 or size that is not the zip's"


def _against_rebuild(stated: Layer, rebuilt: Layer) -> Iterator[str]:
    """What the manifest says otherwise than the rebuild's."""
    pairs = {name: (getattr(stated, name), getattr(rebuilt, name)) for name in _STATED}
    pairs["commit"] = (stated.upstream.commit, rebuilt.upstream.commit)
    for name, (theirs, ours) in pairs.items():
        if theirs != ours:
            yield f"its manifest says {name.replace('_', ' ')} {_words(theirs)}, not {_words(ours)}"


def _words(value: object) -> str:
    """A manifest's value, on one line."""
    if isinstance(value, tuple):
        value = ", ".join(str(each) for each in cast("tuple[object, ...]", value)) or "none"
    return plain(str(value))


def entry_of(claim: Claim, locked: Lock, repository: str = "", ref: str = "") -> Locked:
    """The lock's entry for a claim.

    Args:
        claim: what is to be verified.
        locked: the lock.
        repository: which upstream is meant, whatever the claim says; empty for what it says.
        ref: likewise.

    Raises:
        LockError: there is none, or there are several.
    """
    repository, ref = repository or claim.repository, ref or claim.ref
    entries = [
        each
        for each in locked.of(claim.distribution)
        if repository in ("", each.repository) and ref in ("", each.ref)
    ]
    if len(entries) == 1:
        return entries[0]
    others = [f"{each.repository} {each.ref}" for each in locked.of(claim.distribution)]
    wanted = " ".join(filter(None, (claim.distribution, repository, ref)))
    raise LockError(
        f"{lock.FILE_NAME} has {'several entries' if entries else 'no entry'} for {wanted}",
        hint="say which one with --upstream-repo and --upstream-ref"
        if others
        else f"lock it, as it was when the layer was built: ocelot lock -d {claim.distribution}",
        details=tuple(others),
    )


async def verify(
    claims: Sequence[tuple[Claim, Locked]],
    config: Config,
    upstream_of: UpstreamOf,
    compiler: Compiler,
    *,
    cache: Path,
) -> tuple[Verified, ...]:
    """Rebuild what was claimed, each distribution once, and compare.

    Args:
        claims: each with its lock entry.
        config: the checked configuration.
        upstream_of: gives the upstream of an entry.
        compiler: how Go is run.
        cache: the user cache; its finished layers have no part in it.

    Raises:
        OcelotError: a rebuild is not possible; see `build`.
    """
    rebuilt: dict[tuple[tuple[str, str, str], Architecture], _Rebuilt] = {}
    for entry in {entry.key: entry for _, entry in claims}.values():
        wanted = {claim.architecture for claim, its in claims if its.key == entry.key}
        upstream = upstream_of(entry.repository, entry.ref)
        zips = await _rebuilt(entry, sorted(wanted), config, upstream, compiler, cache)
        rebuilt |= {(entry.key, architecture): zips[architecture] for architecture in wanted}
    return tuple(
        _verified(claim, entry, rebuilt[entry.key, claim.architecture]) for claim, entry in claims
    )


async def _rebuilt(
    entry: Locked,
    architectures: Sequence[Architecture],
    config: Config,
    upstream: Upstream,
    compiler: Compiler,
    cache: Path,
) -> Mapping[Architecture, _Rebuilt]:
    """The zips that an entry gives, compiled anew."""
    request = BuildRequest(
        distribution=entry.distribution,
        architectures=tuple(architectures),
        upstream=upstream,
        locked=True,
    )
    plan = await plan_commit(request, config, entry.commit, entry)
    if plan.deviations:
        raise LockError(
            f"{entry.distribution} cannot be built as it was locked",
            hint="go back to the configuration, and to the ocelot, that it was locked with",
            details=plan.deviations,
        )
    # a rebuild with another digest than the lock's is reported, it is no error here
    layers = tuple(replace(each, expected="") for each in plan.layers)
    plan = replace(plan, layers=layers)
    return {
        each.plan.architecture: _Rebuilt(each.zip.content, manifest_entry(plan, each))
        for each in await apply_plan(plan, compiler, cache=cache, rebuild=True)
    }


def _verified(claim: Claim, entry: Locked, rebuilt: _Rebuilt) -> Verified:
    digest = rebuilt.record.sha256
    told = list(claim.already)
    if claim.stated:
        told += _against_rebuild(claim.stated, rebuilt.record)
    if claim.sha256 != digest:
        told += _explained(claim, digest, rebuilt.content)
    expected = entry.zips.get(claim.architecture, digest)
    if expected != digest:
        told.append(f"the lock says sha256 {expected}, the rebuild has {digest}")
    return Verified(claim=claim, entry=entry, rebuilt=digest, differences=tuple(told))


def _explained(claim: Claim, digest: str, rebuilt: bytes) -> list[str]:
    stated = f"sha256 {claim.sha256} instead of {digest}"
    try:
        content = claim.content()
    except OcelotError as error:
        return [stated, str(error)]
    if hashlib.sha256(content).hexdigest() != claim.sha256:
        return [stated, "what AWS hands out is not what it says"]
    return [stated, *layer_differences(content, rebuilt)]


async def gather_targets(
    targets: Sequence[Path],
    lock: Lock,
    upstream_of: UpstreamOf,
    folder: Path,
    *,
    resolve: bool = False,
) -> tuple[str, ...]:
    """Put the locked commits that verifying these targets needs into a folder of sources.

    Args:
        targets: zips and manifests.
        lock: the lock.
        upstream_of: returns the upstream of an entry.
        folder: see `gather_commits`.
        resolve: note also the commit of each ref; a plain folder has no other.

    Returns:
        Full SHAs.
    """
    claims = [claim for each in targets for claim in target_claims(each)]
    entries = {entry.key: entry for claim in claims for entry in [entry_of(claim, lock)]}
    read: list[str] = []
    for entry in entries.values():
        upstream = upstream_of(entry.repository, entry.ref)
        now = await upstream.resolve() if resolve else None
        read += await gather_commits(upstream, [entry.commit], folder, now=now)
    return tuple(read)


def check_verified(verified: Sequence[Verified]) -> None:
    """Fail where a layer is not what its sources give.

    Raises:
        VerifyError: with every difference of every layer.
    """
    wrong = [each for each in verified if not each.same]
    if wrong:
        raise VerifyError(
            f"{len(wrong)} of {len(verified)} layers are not what a rebuild gives",
            hint="do not use them before you know why",
            details=tuple(
                f"{each.claim.name}: {said}" for each in wrong for said in each.differences
            ),
        )
