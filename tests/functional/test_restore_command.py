"""`ocelot reap --restore` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from publishing import Publishing, version_arn
from restoring import Restoring, restoring
from runs import Ran
from syncing import drop, unpublish
from tiny import Place, new_place

from pipeline.build.lock import Lock
from pipeline.errors import LockError, PublishError, ReapError, VerifyError
from pipeline.reap.tombstones import FolderTombstones


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


def ocelot(layer: Restoring, arn: object, *more: str | Path) -> Ran:
    environment = layer.publishing.aws.environment()
    return layer.place.run("reap", "--restore", str(arn), *more, env=environment)


def json_of(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_plan_then_the_restoration_then_nothing(layer: Restoring) -> None:
    arn = layer.deleted(public=True).arn
    account = ("--account", arn.account, "--json")
    planned = json_of(ocelot(layer, arn, *account))
    assert (planned["state"], planned["source"]["kind"]) == ("to restore", "lock")
    assert layer.publishing.writes() == []
    new = str(version_arn(arn.region, arn.name, arn.version + 1))
    done = json_of(ocelot(layer, arn, *account, "--apply"))
    assert (done["state"], done["restored_as"], done["public"]) == ("restored", new, True)
    assert json_of(ocelot(layer, arn, *account, "--apply"))["state"] == "restored before"


def test_people_read_both_arns(layer: Restoring) -> None:
    arn = layer.deleted().arn
    ran = ocelot(layer, arn, "--apply")
    assert ran.code == 0, ran.err
    for each in (arn, version_arn(arn.region, arn.name, arn.version + 1)):
        assert str(each) in ran.out


def test_tombstones_of_a_folder_serve_without_a_registry(layer: Restoring) -> None:
    arn = layer.publish(public=True)
    folder = FolderTombstones(layer.place.root / "kept")
    folder.bury(layer.tombstone(arn), None)
    drop(layer.publishing, str(arn))
    unpublish(layer.publishing, str(arn))
    done = json_of(
        ocelot(layer, arn, "--table", "none", "--tombstones", "kept", "--apply", "--json")
    )
    assert (done["state"], done["public"]) == ("restored", True)
    assert layer.find(arn, folder).restored_as == done["restored_as"]
    other = version_arn(arn.region, arn.name, 77)
    refused = ocelot(layer, other, "--table", "none", "--tombstones", "kept")
    assert refused.code == ReapError.exit_code


def test_a_kept_zip_needs_no_configuration(layer: Restoring, tmp_path: Path) -> None:
    kept = Path(shutil.copy(layer.zip, tmp_path / "asset.zip"))
    arn = layer.deleted().arn
    shutil.rmtree(layer.place.config)
    ran = ocelot(layer, arn, "--zip", kept, "--json", "--apply")
    assert json_of(ran)["source"]["kind"] == "zip"


def test_a_bundle_takes_the_place_of_the_configuration(layer: Restoring) -> None:
    assert layer.place.on("bundle", "-d", "one", "-o", "one.tar.zst").code == 0
    arn = layer.deleted().arn
    layer.place.lock_file.write_text(Lock().text())
    ran = ocelot(layer, arn, "--bundle", "one.tar.zst", "--json", "--apply")
    assert json_of(ran)["source"]["kind"] == "bundle"


def test_the_parameters_name_the_new_version_if_asked(layer: Restoring) -> None:
    arn = layer.deleted().arn
    new = json_of(ocelot(layer, arn, "--ssm-prefix", "/ocel", "--json", "--apply"))["restored_as"]
    client = layer.publishing.aws.client("ssm", arn.region)
    found = client.get_parameter(Name="/ocel/one/amd64/latest")
    assert found["Parameter"]["Value"] == new


def test_exit_codes_say_what_failed(layer: Restoring) -> None:
    arn = layer.deleted().arn
    other = layer.publishing.zips / "collector-amd64-minimal.zip"
    assert ocelot(layer, arn, "--zip", other, "--apply").code == VerifyError.exit_code
    layer.place.lock_file.write_text(Lock().text())
    assert ocelot(layer, arn, "--apply").code == LockError.exit_code
    assert layer.publishing.writes() == []


def test_a_layer_of_another_account_is_refused(layer: Restoring) -> None:
    arn = layer.deleted().arn
    other = str(arn).replace(arn.account, "210987654321")
    ran = ocelot(layer, other)
    assert ran.code not in (0, PublishError.exit_code)
    assert "210987654321" in ran.err


def test_what_reap_has_deleted_is_restored_by_its_tombstones_lock_entry(layer: Restoring) -> None:
    arn = layer.publish(public=True)
    environment = layer.publishing.aws.environment()
    reap = (
        *("reap", "ocel-*", "--regions", arn.region, "--keep", "0", "--repository", "none"),
        *("--force", "newest", "--force", "lock", "--account", arn.account, "--json"),
    )
    plan = json_of(layer.place.run(*reap, env=environment))
    approved = ("--apply", "--yes-delete", str(plan["number"]), "--plan", plan["digest"])
    assert json_of(layer.place.run(*reap, *approved, env=environment))
    assert layer.find(arn).lock
    layer.place.lock_file.write_text(Lock().text())
    done = json_of(ocelot(layer, arn, "--apply", "--json"))
    assert (done["state"], done["source"]["kind"]) == ("restored", "tombstone")
    assert done["public"] is True
