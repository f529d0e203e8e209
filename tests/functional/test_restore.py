"""`ocelot reap --restore`: the same bytes are published again, or nothing is."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from aws_rules import Rule
from aws_wire import ACCESS_DENIED
from gitserver import git
from publishing import IRELAND, Publishing, content_of, policy_of, version_arn
from restoring import ORGANISATION, Restoring, restoring
from syncing import drop, row_of
from tiny import Place, new_place

from pipeline.aws.policy import read_policy
from pipeline.build.bundling import bundle_inputs
from pipeline.build.lock import Lock
from pipeline.errors import LockError, ReapError, UsageError, VerifyError
from pipeline.reap.rebuild import ZipSource
from pipeline.reap.restore import RestoreResult, RestoreState


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with a locked layer and its zip; it is copied, not used."""
    place = new_place(tmp_path_factory.mktemp("built"))
    for command in (("lock", "-d", "one"), ("build", "-d", "one", "-a", "amd64")):
        ran = place.on(*command)
        assert ran.code == 0, ran.err
    return place


@pytest.fixture
def layer(
    built: Place, publishing: Publishing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Restoring:
    return restoring(built.copied(tmp_path / "place"), publishing, monkeypatch)


def check_restored(layer: Restoring, done: RestoreResult, source: ZipSource) -> None:
    """Check that a new version has the deleted one's bytes, policy and row."""
    old = done.tombstone.row
    assert done.state is RestoreState.RESTORED
    assert done.found is not None
    assert done.found.source is source
    assert done.version is not None
    new = done.version.arn
    assert (new.layer, new.version) == (old.arn.layer, old.arn.version + 1)
    client = layer.publishing.client()
    assert content_of(client, new.name, new.version) == old.code_sha256
    policy = read_policy(policy_of(client, new.name, new.version))
    assert (policy.public, policy.shared_with) == (old.public, old.shared_with)
    row = row_of(layer.publishing, str(new))
    assert row is not None
    expected = replace(old, arn=new, publish_timestamp=row.publish_timestamp)
    assert row == expected
    assert layer.find(old.arn).restored_as == str(new)


def forget_builds(layer: Restoring) -> None:
    """Remove finished zips from the cache: the next build compiles."""
    shutil.rmtree(layer.place.cache / "layers")


def without_lock(layer: Restoring) -> str:
    """Empty the lock, as if it had moved on; return the entry that it had, as JSON."""
    entry = layer.place.entry().model_dump_json(by_alias=True)
    layer.place.lock_file.write_text(Lock().text())
    return entry


def no_writes(layer: Restoring) -> bool:
    return layer.publishing.writes() == []


@pytest.mark.parametrize(
    ("public", "share"), [(True, ()), (False, ()), (False, (ORGANISATION, "account:210987654321"))]
)
def test_the_same_bytes_are_built_from_the_lock_with_the_same_policy(
    layer: Restoring, *, public: bool, share: tuple[str, ...]
) -> None:
    arn = layer.deleted(public=public, share=tuple(sorted(share))).arn
    forget_builds(layer)
    check_restored(layer, layer.restore(arn), ZipSource.LOCK)


def test_without_apply_the_zip_is_built_and_nothing_is_written(layer: Restoring) -> None:
    arn = layer.deleted(public=True).arn
    forget_builds(layer)
    done = layer.restore(arn, apply=False)
    assert (done.state, done.version, done.policy.public) == (RestoreState.PLANNED, None, True)
    assert done.action == "publish, make public, record"
    assert any((layer.place.cache / "layers").glob("*.zip"))
    assert no_writes(layer)


def test_a_lock_entry_without_a_digest_is_tried(layer: Restoring) -> None:
    """`ocelot build --locked`, as CI runs it, writes no digest."""
    arn = layer.deleted().arn
    entry = layer.place.entry().model_copy(update={"zips": {}})
    layer.place.lock_file.write_text(Lock(locked=(entry,)).text())
    forget_builds(layer)
    check_restored(layer, layer.restore(arn), ZipSource.LOCK)


def test_the_tombstones_lock_entry_serves_when_the_lock_has_moved_on(layer: Restoring) -> None:
    arn = layer.publish()
    layer.delete(arn, lock=without_lock(layer))
    check_restored(layer, layer.restore(arn), ZipSource.TOMBSTONE)


def test_an_earlier_config_folder_is_read_from_git(layer: Restoring) -> None:
    arn = layer.deleted().arn
    fitting = layer.commit()
    text = layer.place.config / "distributions.yaml"
    text.write_text(text.read_text().replace("exporter.one", "exporter.two", 1))
    without_lock(layer)
    layer.commit()
    forget_builds(layer)
    done = layer.restore(arn)
    check_restored(layer, done, ZipSource.HISTORY)
    assert done.found is not None
    assert done.found.commit == fitting
    assert "exporter.two" in text.read_text()  # nothing was checked out
    assert list(layer.place.cache.glob(".restore-*")) == []


def test_the_newest_commit_whose_config_fits_is_used(layer: Restoring) -> None:
    arn = layer.deleted().arn
    fitting = layer.commit()
    text = layer.place.config / "distributions.yaml"
    text.write_text(text.read_text().replace("exporter.one", "exporter.two", 1))
    lock = layer.place.lock_file.read_text()
    layer.place.lock_file.write_text(lock + "\n")
    layer.commit()  # has the digest, too, beside another configuration
    done = layer.restore(arn)
    check_restored(layer, done, ZipSource.HISTORY)
    assert done.found is not None
    assert done.found.commit == fitting


def test_a_shallow_clone_is_named_and_the_whole_one_serves(
    layer: Restoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = layer.deleted().arn
    layer.commit()
    without_lock(layer)
    layer.commit()
    clone = tmp_path / "clone"
    origin = layer.place.root.as_uri()
    git(tmp_path, "clone", "--quiet", "--depth=1", origin, str(clone))
    shallow = Restoring(
        place=Place(root=clone, cache=layer.place.cache), publishing=layer.publishing
    )
    with pytest.raises(LockError) as error:
        shallow.restore(arn)
    assert "shallow" in error.value.text()
    assert f"git -C {clone / 'config'} fetch --unshallow" in error.value.hint
    assert no_writes(layer)
    git(clone, "fetch", "--quiet", "--unshallow")
    monkeypatch.chdir(layer.place.root)  # the lock's ./upstream
    check_restored(layer, shallow.restore(arn), ZipSource.HISTORY)


def test_without_a_source_the_error_says_what_was_searched(layer: Restoring) -> None:
    arn = layer.deleted().arn
    without_lock(layer)
    with pytest.raises(LockError) as error:
        layer.restore(arn)
    details = "\n".join(error.value.details)
    assert all(each in details for each in ("config/ocelot.lock: ", "the tombstone: ", "history"))
    assert "--bundle" in error.value.hint
    assert "--zip" in error.value.hint
    assert no_writes(layer)


def test_a_config_that_was_changed_since_is_named(layer: Restoring) -> None:
    arn = layer.deleted().arn
    text = layer.place.config / "distributions.yaml"
    text.write_text(text.read_text().replace("exporter.one", "exporter.two", 1))
    with pytest.raises(LockError) as error:
        layer.restore(arn)
    assert any("exporter.two" in each for each in error.value.details)
    assert no_writes(layer)


def test_a_lock_whose_digest_is_wrong_publishes_nothing(layer: Restoring) -> None:
    """The tombstone and the lock name bytes that the same inputs do not give."""
    arn = layer.publish()
    tombstone = layer.tombstone(arn)
    false = replace(tombstone.row, code_sha256="b" * 64, upstream_commit="c" * 40)
    drop(layer.publishing, str(arn))
    assert layer.registry.bury(replace(tombstone, row=false), None)
    client = layer.publishing.client()
    client.delete_layer_version(LayerName=arn.name, VersionNumber=arn.version)
    lock = layer.place.lock_file.read_text()
    layer.place.lock_file.write_text(lock.replace(tombstone.row.code_sha256, "b" * 64))
    layer.publishing.aws.forget()
    with pytest.raises(VerifyError) as error:
        layer.restore(arn)
    assert any("c" * 40 in each for each in error.value.details)
    assert no_writes(layer)


def test_a_bundle_serves_without_lock_and_git(layer: Restoring, tmp_path: Path) -> None:
    bundle = tmp_path / "one.tar.zst"
    ran = layer.place.on("bundle", "-d", "one", "-o", bundle)
    assert ran.code == 0, ran.err
    arn = layer.deleted().arn
    without_lock(layer)
    shutil.rmtree(layer.place.repository)
    forget_builds(layer)
    with bundle_inputs(bundle, layer.place.cache) as inputs:
        check_restored(layer, layer.restore(arn, context={"inputs": inputs}), ZipSource.BUNDLE)


def test_a_kept_zip_serves_without_any_configuration(layer: Restoring, tmp_path: Path) -> None:
    kept = Path(shutil.copy(layer.zip, tmp_path / "asset"))
    arn = layer.deleted(public=True).arn
    done = layer.restore(arn, context={"inputs": None}, zip=kept)
    check_restored(layer, done, ZipSource.FILE)


def test_another_zip_is_refused(layer: Restoring) -> None:
    arn = layer.deleted().arn
    other = layer.publishing.zips / "collector-arm64-minimal.zip"
    with pytest.raises(VerifyError) as error:
        layer.restore(arn, zip=other)
    details = "\n".join(error.value.details)
    assert hashlib.sha256(other.read_bytes()).hexdigest() in details
    assert "minimal for arm64" in details
    assert no_writes(layer)


def test_a_missing_zip_is_a_usage_error(layer: Restoring, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        layer.restore(layer.deleted().arn, zip=tmp_path / "none.zip")


def test_a_second_run_finds_nothing_to_do(layer: Restoring) -> None:
    arn = layer.deleted().arn
    first = layer.restore(arn)
    layer.publishing.aws.forget()
    second = layer.restore(arn)
    assert second.state is RestoreState.RESTORED_BEFORE
    assert first.version is not None
    assert second.version is not None
    assert second.version.arn == first.version.arn
    assert no_writes(layer)


def test_a_restored_version_that_was_deleted_is_restored_again(layer: Restoring) -> None:
    arn = layer.deleted().arn
    first = layer.restore(arn)
    assert first.version is not None
    layer.delete(first.version.arn)
    second = layer.restore(arn)
    assert second.version is not None
    assert second.version.arn.version == arn.version + 2
    assert layer.find(arn).restored_as == str(second.version.arn)


def test_a_version_with_the_content_is_used_and_keeps_its_policy(layer: Restoring) -> None:
    """A user has published the same zip again, publicly; the deleted version was shared."""
    arn = layer.deleted(share=(ORGANISATION,)).arn
    other = layer.publish(public=True)
    without_lock(layer)  # nothing needs to be built
    done = layer.restore(arn)
    assert done.version is not None
    assert (done.state, done.version.arn) == (RestoreState.RESTORED, other)
    assert done.found is not None
    assert done.found.source is ZipSource.LAYER
    assert (done.policy.public, done.policy.shared_with) == (True, (ORGANISATION,))
    assert layer.find(arn).restored_as == str(other)


def test_a_version_that_still_exists_is_left_alone(layer: Restoring) -> None:
    arn = layer.publish()
    made = layer.tombstone(arn)
    assert layer.registry.bury(made, made.row)
    layer.publishing.aws.forget()
    done = layer.restore(arn)
    assert done.state is RestoreState.EXISTS
    assert no_writes(layer)


def test_without_a_tombstone_the_error_says_what_there_is(layer: Restoring) -> None:
    arn = layer.publish()
    with pytest.raises(ReapError, match="has a row"):
        layer.restore(arn)
    with pytest.raises(ReapError) as error:
        layer.restore(version_arn(IRELAND, arn.name, 77))
    assert "layers list --deleted" in error.value.hint


def test_a_lost_answer_leaves_one_new_version(layer: Restoring) -> None:
    arn = layer.deleted(public=True).arn
    layer.publishing.aws.rules(Rule(operation="PublishLayerVersion", times=1, reset="answer"))
    check_restored(layer, layer.restore(arn), ZipSource.LOCK)


def test_a_failure_after_publishing_is_repaired_by_the_same_command(layer: Restoring) -> None:
    arn = layer.deleted(public=True).arn
    layer.publishing.aws.rules(Rule(operation="AddLayerVersionPermission", error=ACCESS_DENIED))
    failed = layer.restore(arn)
    assert failed.state is RestoreState.FAILED
    assert failed.error
    assert layer.find(arn).restored_as == ""
    layer.publishing.aws.rules()
    without_lock(layer)
    check_restored(layer, layer.restore(arn), ZipSource.LAYER)
