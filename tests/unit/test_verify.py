from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from paper_go import PaperGo, PaperUpstream
from supply_examples import INFO, Binary, build_info
from unit_examples import COMMIT, MINIMAL, OTLP, loaded

from pipeline.audit.verify import Claim, Verified, check_verified, lock_entry, verify, zip_claim
from pipeline.build.compile import Compiler
from pipeline.build.lock import Lock, Locked, read_lock, write_entries
from pipeline.build.locking import entries, lock_distributions
from pipeline.build.request import BuildRequest
from pipeline.config.folder import Config
from pipeline.errors import AwsError, LockError, UsageError, VerifyError
from pipeline.layer.manifest import FILE_NAME, Manifest, read_manifest
from pipeline.naming import Architecture
from pipeline.release import BuildContext, build
from pipeline.report.summary import report_markdown
from pipeline.report.verify import verify_json, verify_report
from pipeline.supply.provenance import builder_of

AMD64, ARM64 = Architecture.AMD64, Architecture.ARM64
NEWER = "f" * 40


def compiled_by(go: str, architecture: str) -> bytes:
    """A binary of Go's shape, by a version of Go such as go1.26.6."""
    text = re.sub("h1:[a-z]+=", f"h1:{'A' * 43}=", INFO.replace("amd64", architecture))
    return Binary(architecture=architecture, info=build_info(text, go)).content()


@dataclass(kw_only=True)
class Desk:
    """A config folder with a lock, a stand-in for Go, and the layers built from them."""

    root: Path
    go: PaperGo
    config: Config = field(init=False)

    def __post_init__(self) -> None:
        distributions = (
            f"{MINIMAL}other:\n  buildtags: [{OTLP}, lambdacomponents.processor.batch]\n"
        )
        self.config = loaded(self.root / "config", distributions)
        self.go.binary = partial(compiled_by, "go1.26.6")
        for name in ("minimal", "other"):
            call = partial(lock_distributions, [self.request(name)], self.config, self.compiler)
            write_entries(self.config.folder, *entries(anyio.run(call)))
            context = BuildContext(
                request=self.request(name),
                config=self.config,
                compiler=self.compiler,
                cache=self.root / "cache",
                output=self.dist,
                builder=builder_of({}, version="1"),
            )
            anyio.run(build, context)
        self.go.compiled.clear()

    @property
    def compiler(self) -> Compiler:
        return self.go.compiler(self.root)

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def lock(self) -> Lock:
        return read_lock(self.config.folder)

    @property
    def manifest(self) -> Manifest:
        found = read_manifest(self.dist / FILE_NAME)
        assert found
        return found

    def request(self, name: str) -> BuildRequest:
        return BuildRequest(distribution=name, upstream=PaperUpstream())

    def claim(self, name: str = "collector-amd64-minimal.zip", *, manifest: bool = True) -> Claim:
        return zip_claim(self.dist / name, self.manifest if manifest else None)

    def verify(self, *claims: Claim, lock: Lock | None = None) -> tuple[Verified, ...]:
        pairs = [(claim, lock_entry(claim, lock or self.lock)) for claim in claims]
        call = partial(
            verify, pairs, self.config, lambda given, ref: PaperUpstream(given=given, ref=ref)
        )
        return anyio.run(call, self.compiler)

    def verified(self, *claims: Claim, lock: Lock | None = None) -> Verified:
        (done,) = self.verify(*(claims or [self.claim()]), lock=lock)
        return done


@pytest.fixture
def desk(tmp_path: Path, go: PaperGo) -> Desk:
    return Desk(root=tmp_path / "desk", go=go)


def with_manifest(desk: Desk, **changes: object) -> Claim:
    """The example's claim, with a changed manifest."""
    layers = (desk.manifest.layers[0].model_copy(update=changes), *desk.manifest.layers[1:])
    return zip_claim(desk.dist / "collector-amd64-minimal.zip", Manifest(layers=layers))


def test_an_unchanged_zip_is_the_same_as_its_rebuild(desk: Desk) -> None:
    done = desk.verified()
    assert done.same
    assert done.differences == ()
    assert done.rebuilt == done.claim.sha256 == done.entry.zips[AMD64]


def test_only_claimed_layers_are_compiled_and_each_once(desk: Desk) -> None:
    done = desk.verify(
        desk.claim(),
        desk.claim(manifest=False),
        desk.claim("collector-arm64-minimal.zip"),
        desk.claim("collector-arm64-other.zip"),
    )
    assert [each.same for each in done] == [True] * 4
    assert desk.go.compiled == ["amd64", "arm64", "arm64"]


def test_a_zip_of_another_go_differs_and_so_does_the_locks_digest(desk: Desk) -> None:
    desk.go.binary = partial(compiled_by, "go1.26.5")
    done = desk.verified()
    assert done.differences == (
        f"sha256 {done.claim.sha256} instead of {done.rebuilt}",
        "extensions/collector: go1.26.6 instead of go1.26.5",
        f"the lock says sha256 {done.claim.sha256}, the rebuild has {done.rebuilt}",
    )


def test_a_lock_with_another_digest_than_the_rebuild_is_a_difference(
    desk: Desk,
) -> None:
    entry = desk.lock.of("minimal")[0]
    edited = desk.lock.with_entries(entry.model_copy(update={"zips": {AMD64: "1" * 64}}))
    done = desk.verified(lock=edited)
    assert done.differences == (f"the lock says sha256 {'1' * 64}, the rebuild has {done.rebuilt}",)


def test_a_zip_under_the_name_of_another_differs(desk: Desk) -> None:
    shutil.copy(
        desk.dist / "collector-arm64-minimal.zip", desk.dist / "collector-amd64-minimal.zip"
    )
    done = desk.verified()
    assert "extensions/collector: machine: arm64 instead of amd64" in done.differences
    assert (
        f"its manifest says sha256 {done.rebuilt}, the zip has {done.claim.sha256}"
        in done.differences
    )


CHANGES = {
    "sha256": ({"sha256": "1" * 64}, f"its manifest says sha256 {'1' * 64}, the zip has "),
    "code_sha256": ({"code_sha256": "x"}, "its manifest says a code_sha256 or size that is not"),
    "size": ({"size": 1}, "its manifest says a code_sha256 or size that is not the zip's"),
    "build tags": (
        {"build_tags": ()},
        f"its manifest says build tags none, not lambdacomponents.custom, {OTLP}",
    ),
    "modules": (
        {"custom_modules": ("a.b/c@v1.0.0\nx",)},
        "its manifest says custom modules a.b/c@v1.0.0\\nx, not none",
    ),
    "tunings": (
        {"tunings": ("no-busy-wait",)},
        "its manifest says tunings no-busy-wait, not none",
    ),
    "packer": ({"packer": "zip"}, "its manifest says packer zip, not ocelot-zip-1"),
    "version": (
        {"collector_version": "v9.9.9"},
        "its manifest says collector version v9.9.9, not v0.155.0",
    ),
    "time": ({"source_date_epoch": 1}, "its manifest says source date epoch 1, not"),
}


@pytest.mark.parametrize(("change", "difference"), CHANGES.values(), ids=CHANGES.keys())
def test_a_wrong_field_of_the_manifest_is_a_difference(
    change: dict[str, object], difference: str, desk: Desk
) -> None:
    (found,) = desk.verified(with_manifest(desk, **change)).differences
    assert found.startswith(difference)


def test_a_wrong_commit_in_the_manifest_is_a_difference(desk: Desk) -> None:
    upstream = desk.manifest.layers[0].upstream.model_copy(update={"commit": NEWER})
    assert desk.verified(with_manifest(desk, upstream=upstream)).differences == (
        f"its manifest says commit {NEWER}, not {COMMIT}",
    )


def test_another_distribution_in_the_manifest_is_a_difference(desk: Desk) -> None:
    """The zip is one of `other`, as the manifest says, but its name says `minimal`."""
    path = desk.dist / "collector-amd64-minimal.zip"
    shutil.copy(desk.dist / "collector-amd64-other.zip", path)
    other = next(each for each in desk.manifest.layers if each.file.startswith("collector-amd64-o"))
    forged = Manifest(layers=(other.model_copy(update={"file": path.name}),))
    done = desk.verified(zip_claim(path, forged))
    assert done.differences == ("its manifest says that it is other for amd64",)


def test_content_of_another_digest_than_stated_is_a_difference(desk: Desk) -> None:
    claim = replace(desk.claim(manifest=False), sha256="1" * 64)
    done = desk.verified(claim)
    assert done.differences == (
        f"sha256 {'1' * 64} instead of {done.rebuilt}",
        "the zip that AWS returns has another sha256 than AWS states",
    )


def test_content_that_cannot_be_fetched_is_a_difference_and_no_error(desk: Desk) -> None:
    def content() -> bytes:
        raise AwsError("the zip of x cannot be had")

    claim = replace(desk.claim(manifest=False), sha256="1" * 64, content=content)
    assert desk.verified(claim).differences[1:] == ("the zip of x cannot be had",)


def test_content_is_not_fetched_where_the_digests_agree(desk: Desk) -> None:
    def content() -> bytes:
        raise AssertionError

    assert desk.verified(replace(desk.claim(), content=content)).same


def test_a_configuration_that_differs_from_the_lock_is_an_error(desk: Desk) -> None:
    desk.config = loaded(desk.config.folder, "minimal: {}\n")
    with pytest.raises(LockError) as caught:
        desk.verified()
    assert (
        f"build tags: locked but not here: lambdacomponents.custom; locked but not here: {OTLP}"
        in (caught.value.details)
    )
    assert desk.go.compiled == []


def test_a_zip_without_a_manifest_has_the_distribution_of_its_name(desk: Desk) -> None:
    claim = desk.claim("collector-arm64-other.zip", manifest=False)
    assert (claim.architecture, claim.distribution) == (ARM64, "other")
    assert (claim.repository, claim.ref, claim.record) == ("", "", None)
    assert claim.sha256 == hashlib.sha256(claim.content()).hexdigest()


def test_a_manifest_names_the_upstream(desk: Desk) -> None:
    assert (desk.claim().repository, desk.claim().ref) == ("owner/name", "main")


def test_with_its_manifest_a_zip_may_have_any_name(desk: Desk) -> None:
    path = desk.dist / "collector-amd64-minimal.zip"
    renamed = path.rename(desk.dist / "mine.zip")
    layer = desk.manifest.layers[0].model_copy(update={"file": "mine.zip"})
    claim = zip_claim(renamed, Manifest(layers=(layer,)))
    assert desk.verified(claim).same


def nothing(path: Path) -> None:
    del path


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [nothing, Path.mkdir, link_to_itself])
def test_a_zip_that_cannot_be_read_is_an_error(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "collector-amd64-minimal.zip"
    make(path)
    with pytest.raises(UsageError, match="cannot be read"):
        zip_claim(path, None)


def test_a_name_without_a_distribution_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "layer.zip").write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        zip_claim(tmp_path / "layer.zip", None)
    assert "collector-<architecture>-<distribution>.zip" in caught.value.hint


def with_upstreams(desk: Desk, *pairs: tuple[str, str]) -> Lock:
    entry = desk.lock.of("minimal")[0]
    return Lock().with_entries(
        *(entry.model_copy(update={"repository": given, "ref": ref}) for given, ref in pairs)
    )


def key(entry: Locked) -> tuple[str, str]:
    return (entry.repository, entry.ref)


def test_the_one_entry_of_a_distribution_is_taken(desk: Desk) -> None:
    lock = with_upstreams(desk, ("a/b", "v1"))
    assert key(lock_entry(desk.claim(manifest=False), lock)) == ("a/b", "v1")


def test_of_several_entries_the_manifest_or_the_user_chooses(desk: Desk) -> None:
    lock = with_upstreams(desk, ("owner/name", "main"), ("owner/name", "v1"), ("a/b", "main"))
    assert key(lock_entry(desk.claim(), lock)) == ("owner/name", "main")
    bare = desk.claim(manifest=False)
    assert key(lock_entry(bare, lock, "a/b")) == ("a/b", "main")
    assert key(lock_entry(bare, lock, "", "v1")) == ("owner/name", "v1")
    assert key(lock_entry(desk.claim(), lock, "owner/name", "v1")) == ("owner/name", "v1")


@pytest.mark.parametrize(
    ("pairs", "requested", "message"),
    [
        ([("a/b", "v1"), ("a/b", "v2")], ("", ""), "several entries for minimal"),
        ([("a/b", "v1"), ("a/b", "v2")], ("a/b", ""), "several entries for minimal a/b"),
        ([("a/b", "v1")], ("a/b", "v3"), "no entry for minimal a/b v3"),
        ([], ("", ""), "no entry for minimal"),
    ],
)
def test_none_or_several_entries_are_an_error_that_lists_them(
    pairs: Sequence[tuple[str, str]], requested: tuple[str, str], message: str, desk: Desk
) -> None:
    with pytest.raises(LockError) as caught:
        lock_entry(desk.claim(manifest=False), with_upstreams(desk, *pairs), *requested)
    assert str(caught.value).endswith(message)
    assert caught.value.details == tuple(" ".join(each) for each in pairs)
    assert ("--upstream-repo" if pairs else "ocelot lock -d minimal") in caught.value.hint


def test_the_same_layer_passes_and_every_difference_is_reported(desk: Desk) -> None:
    good = desk.verified()
    check_verified([good])
    bad = replace(good, differences=("one", "two"))
    with pytest.raises(VerifyError) as caught:
        check_verified([good, bad])
    assert str(caught.value) == "1 of 2 layers differ from their rebuild"
    assert caught.value.details == (f"{bad.claim.name}: one", f"{bad.claim.name}: two")
    assert caught.value.exit_code == 10


def test_the_reports_are_the_same_as_markdown_and_as_json(desk: Desk) -> None:
    good = desk.verified()
    bad = replace(good, differences=("one", "two"))
    text = report_markdown(verify_report([good, bad]))
    data = json.loads(verify_json([good, bad]))
    assert f"- same bytes: {good.claim.name}\n" in text
    assert f"- DIFFERENT: {bad.claim.name}\n" in text
    assert "\n  - one\n  - two\n" in text
    assert data["same"] is False
    assert [(each["same"], each["differences"]) for each in data["layers"]] == [
        (True, []),
        (False, ["one", "two"]),
    ]
    assert data["layers"][0]["locked_sha256"] == good.rebuilt
