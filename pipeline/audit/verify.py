"""Build layers again from the lock and compare them with their rebuild.

A claim is a zip, or a layer version in AWS, that is said to be a build of a distribution. The lock
entry has the sources and the Go that it must have been built from.
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
from pipeline.build.upstream import UpstreamReader
from pipeline.config.folder import Config
from pipeline.errors import LockError, OcelotError, UsageError, VerifyError
from pipeline.files import read_file
from pipeline.layer.manifest import FILE_NAME, Layer, Manifest, code_sha256, read_manifest
from pipeline.naming import Architecture, zip_parts
from pipeline.supply.output import manifest_entry

# Fields of a manifest's entry that are compared with those of a rebuild.
_COMPARED = (
    *("architecture", "distribution", "build_tags", "custom_modules", "tunings"),
    *("collector_version", "go", "packer", "source_date_epoch"),
)

# Returns the zip of a claim; it is called only where the digests differ.
Content = Callable[[], bytes]
# Returns the upstream of a repository and a ref.
UpstreamOf = Callable[[str, str], UpstreamReader]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A layer that is said to be a build of a distribution.

    Attributes:
        name: the file or the ARN.
        sha256: of its zip, in hex.
        repository: upstream's, by the manifest beside the zip; empty without one.
        ref: upstream's, by the manifest beside the zip; empty without one.
        record: its entry in the manifest; None without one.
        differences: those between the manifest and the zip, known without a rebuild.
    """

    name: str
    architecture: Architecture
    distribution: str
    sha256: str
    content: Content = field(repr=False)
    repository: str = ""
    ref: str = ""
    record: Layer | None = field(default=None, repr=False)
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The result for a claim.

    Attributes:
        entry: the lock entry that was built again.
        rebuilt: SHA-256 of the rebuilt zip, in hex.
        differences: a sentence for each; empty for the same bytes.
    """

    claim: Claim
    entry: Locked
    rebuilt: str
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True if the claim has the same bytes as its rebuild."""
        return not self.differences


class RebuiltLayer(NamedTuple):
    """A rebuilt zip and its manifest entry.

    Attributes:
        reused: True if it was in the cache.
    """

    content: bytes
    record: Layer
    reused: bool


def zip_claim(path: Path, manifest: Manifest | None) -> Claim:
    """Return the claim of a zip, by its manifest entry or else by its name.

    Raises:
        UsageError: it cannot be read, or has neither an entry nor a layer's name.
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
        record=layer,
        differences=tuple(_manifest_differences(layer, content, digest, named)) if layer else (),
    )


def target_claims(path: Path) -> list[Claim]:
    """Return the claims of a zip, or of all zips that a manifest lists.

    Raises:
        UsageError: it is neither.
    """
    if path.suffix == ".json":
        return manifest_claims(path)
    return [zip_claim(path, read_manifest(path.parent / FILE_NAME))]


def manifest_claims(path: Path) -> list[Claim]:
    """Return the claims of all zips that a manifest lists.

    Raises:
        UsageError: it is no manifest, or one of its zips is missing.
    """
    manifest = read_manifest(path)
    if manifest is None or not manifest.layers:
        raise UsageError(
            f"{path} {'lists no zip' if manifest else 'does not exist'}",
            hint="give the manifest.json of a build",
        )
    return [zip_claim(path.parent / each.file, manifest) for each in manifest.layers]


def _manifest_differences(
    layer: Layer, content: bytes, digest: str, named: tuple[Architecture, str] | None
) -> Iterator[str]:
    """Return the differences between a manifest's entry and its zip."""
    if named not in (None, (layer.architecture, layer.distribution)):
        yield f"its manifest says that it is {layer.distribution} for {layer.architecture}"
    if layer.sha256 != digest:
        yield f"its manifest says sha256 {layer.sha256}, the zip has {digest}"
    elif (layer.code_sha256, layer.size) != (code_sha256(content), len(content)):
        yield "its manifest says a code_sha256 or size that is not the zip's"


def _record_differences(record: Layer, rebuilt: Layer) -> Iterator[str]:
    """Return the differences between a manifest's entry and that of the rebuild."""
    pairs = {name: (getattr(record, name), getattr(rebuilt, name)) for name in _COMPARED}
    pairs["commit"] = (record.upstream.commit, rebuilt.upstream.commit)
    for name, (found, expected) in pairs.items():
        if found != expected:
            label = name.replace("_", " ")
            yield f"its manifest says {label} {_shown(found)}, not {_shown(expected)}"


def _shown(value: object) -> str:
    """Return a manifest's value on one line."""
    if isinstance(value, tuple):
        value = ", ".join(str(each) for each in cast("tuple[object, ...]", value)) or "none"
    return plain(str(value))


def lock_entry(claim: Claim, locked: Lock, repository: str = "", ref: str = "") -> Locked:
    """Return the lock's entry for a claim.

    Args:
        claim: the layer to verify.
        locked: the lock.
        repository: upstream's, instead of the claim's; empty for the claim's.
        ref: upstream's, instead of the claim's; empty for the claim's.

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
    requested = " ".join(filter(None, (claim.distribution, repository, ref)))
    raise LockError(
        f"{lock.FILE_NAME} has {'several entries' if entries else 'no entry'} for {requested}",
        hint="choose one with --upstream-repo and --upstream-ref"
        if others
        else "lock it with the configuration that the layer was built with: "
        f"ocelot lock -d {claim.distribution}",
        details=tuple(others),
    )


async def verify(
    claims: Sequence[tuple[Claim, Locked]],
    config: Config,
    upstream_of: UpstreamOf,
    compiler: Compiler,
) -> tuple[Verified, ...]:
    """Build the claimed layers again, each lock entry once, and compare.

    Args:
        claims: each with its lock entry.
        config: the checked configuration.
        upstream_of: returns the upstream of an entry.
        compiler: runs Go; finished layers of earlier builds are not used.

    Raises:
        OcelotError: a rebuild is not possible; see `build`.
    """
    rebuilt: dict[tuple[tuple[str, str, str], Architecture], RebuiltLayer] = {}
    for entry in {entry.key: entry for _, entry in claims}.values():
        architectures = {claim.architecture for claim, its in claims if its.key == entry.key}
        upstream = upstream_of(entry.repository, entry.ref)
        zips = await rebuilt_layers(entry, sorted(architectures), config, upstream, compiler)
        rebuilt |= {(entry.key, each): zips[each] for each in architectures}
    return tuple(
        _verified(claim, entry, rebuilt[entry.key, claim.architecture]) for claim, entry in claims
    )


async def rebuilt_layers(
    entry: Locked,
    architectures: Sequence[Architecture],
    config: Config,
    upstream: UpstreamReader,
    compiler: Compiler,
    *,
    cache: Path | None = None,
) -> Mapping[Architecture, RebuiltLayer]:
    """Build the zips of a lock entry again; their digests are not compared with the lock's.

    Args:
        entry: of the lock.
        architectures: of the zips.
        config: the configuration that the entry was locked with.
        upstream: has the entry's commit.
        compiler: runs Go.
        cache: the user cache, for finished zips of earlier builds; None to use none.

    Raises:
        LockError: the configuration is not the one that the entry was locked with.
        OcelotError: it cannot be built; see `apply_plan`.
    """
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
            hint="use the configuration and the version of ocelot that it was locked with",
            details=plan.deviations,
        )
    # a rebuild with another digest than the lock's is reported, it is no error here
    layers = tuple(replace(each, expected="") for each in plan.layers)
    plan = replace(plan, layers=layers)
    return {
        each.plan.architecture: RebuiltLayer(
            each.zip.content, manifest_entry(plan, each), each.reused
        )
        for each in await apply_plan(plan, compiler, cache=cache)
    }


def _verified(claim: Claim, entry: Locked, rebuilt: RebuiltLayer) -> Verified:
    digest = rebuilt.record.sha256
    differences = list(claim.differences)
    if claim.record:
        differences += _record_differences(claim.record, rebuilt.record)
    if claim.sha256 != digest:
        differences += _content_differences(claim, digest, rebuilt.content)
    locked = entry.zips.get(claim.architecture, digest)
    if locked != digest:
        differences.append(f"the lock says sha256 {locked}, the rebuild has {digest}")
    return Verified(claim=claim, entry=entry, rebuilt=digest, differences=tuple(differences))


def _content_differences(claim: Claim, digest: str, rebuilt: bytes) -> list[str]:
    digests = f"sha256 {claim.sha256} instead of {digest}"
    try:
        content = claim.content()
    except OcelotError as error:
        return [digests, str(error)]
    if hashlib.sha256(content).hexdigest() != claim.sha256:
        return [digests, "the zip that AWS returns has another sha256 than AWS states"]
    return [digests, *layer_differences(content, rebuilt)]


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
    entries = {entry.key: entry for claim in claims for entry in [lock_entry(claim, lock)]}
    read: list[str] = []
    for entry in entries.values():
        upstream = upstream_of(entry.repository, entry.ref)
        now = await upstream.resolve() if resolve else None
        read += await gather_commits(upstream, [entry.commit], folder, now=now)
    return tuple(read)


def check_verified(verified: Sequence[Verified]) -> None:
    """Check that all layers are the same as their rebuild.

    Raises:
        VerifyError: with every difference of every layer.
    """
    wrong = [each for each in verified if not each.same]
    if wrong:
        raise VerifyError(
            f"{len(wrong)} of {len(verified)} layers differ from their rebuild",
            hint="do not use these layers until the differences are explained",
            details=tuple(
                f"{each.claim.name}: {sentence}" for each in wrong for sentence in each.differences
            ),
        )
