from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from publish_examples import AMD64, ARM64, GROUP, OPTIONS, content, dist, package, write_manifest
from unit_examples import layer

from pipeline.errors import UsageError
from pipeline.layer.limits import DIRECT_UPLOAD_BYTES
from pipeline.naming import LONGEST_DESCRIPTION, described_sha256
from pipeline.options import ReleaseGroupOptions
from pipeline.publish.package import (
    LICENCE,
    MOST_RUNTIMES,
    RUNTIMES,
    direct_upload,
    read_packages,
)


def refused(*paths: Path, options: ReleaseGroupOptions = OPTIONS, group: str = GROUP) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_packages(options, group, paths)
    assert caught.value.hint
    return caught.value


def test_a_folder_stands_for_all_zips_of_its_manifest(tmp_path: Path) -> None:
    packages = read_packages(OPTIONS, GROUP, [dist(tmp_path)])
    assert [(each.layer, str(each.architecture)) for each in packages] == [
        ("ocel-amd64-minimal-0_155_0-beta", "amd64"),
        ("ocel-arm64-minimal-0_155_0-beta", "arm64"),
    ]


def test_a_manifest_stands_for_all_its_zips(tmp_path: Path) -> None:
    folder = dist(tmp_path)
    assert read_packages(OPTIONS, GROUP, [folder / "manifest.json"]) == read_packages(
        OPTIONS, GROUP, [folder]
    )
    assert refused(tmp_path / "absent" / "manifest.json")


def test_a_folder_with_a_zip_that_its_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    folder = dist(tmp_path, AMD64)
    (folder / "other.zip").touch()
    assert len(read_packages(OPTIONS, GROUP, [folder])) == 1
    (folder / ARM64).touch()
    assert ARM64 in str(refused(folder))
    assert ARM64 in str(refused(folder / "manifest.json"))
    assert len(read_packages(OPTIONS, GROUP, [folder / AMD64])) == 1


def test_a_zip_stands_for_itself(tmp_path: Path) -> None:
    (found,) = read_packages(OPTIONS, GROUP, [dist(tmp_path) / ARM64])
    assert found.path == tmp_path / ARM64
    assert found.sha256 == hashlib.sha256(content(ARM64)).hexdigest()
    assert found.md5 == hashlib.md5(content(ARM64), usedforsecurity=False).hexdigest()


def test_the_description_is_for_people_and_names_the_content(tmp_path: Path) -> None:
    found = package(tmp_path)
    assert found.description == f"an example sha256:{found.sha256}"


def test_without_a_description_collector_and_distribution_are_named(tmp_path: Path) -> None:
    dist(tmp_path, AMD64)
    write_manifest(tmp_path, [layer(AMD64, content(AMD64)).model_copy(update={"description": ""})])
    (found,) = read_packages(OPTIONS, GROUP, [tmp_path])
    assert found.description.startswith("OpenTelemetry Collector v0.155.0, minimal sha256:")


def test_a_long_description_is_cut_and_still_names_the_content(tmp_path: Path) -> None:
    dist(tmp_path, AMD64)
    long = layer(AMD64, content(AMD64)).model_copy(update={"description": "word " * 99})
    write_manifest(tmp_path, [long])
    (found,) = read_packages(OPTIONS, GROUP, [tmp_path])
    assert len(found.description) <= LONGEST_DESCRIPTION
    assert described_sha256(found.description) == found.sha256


def test_a_zip_without_a_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / AMD64).write_bytes(content())
    assert str(refused(tmp_path / AMD64)) == f"{tmp_path}/manifest.json has no entry for {AMD64}"


def test_a_zip_that_its_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    dist(tmp_path, AMD64)
    (tmp_path / ARM64).write_bytes(content(ARM64))
    assert f"has no entry for {ARM64}" in str(refused(tmp_path / ARM64))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "layers": [{}]}'])
def test_an_invalid_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (dist(tmp_path) / "manifest.json").write_text(text)
    assert f"{tmp_path}/manifest.json is no manifest" in str(refused(tmp_path))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "has no entry for" in str(refused(tmp_path))


def test_a_zip_of_other_content_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    (dist(tmp_path) / ARM64).write_bytes(content(ARM64, epoch=1_760_000_000))
    assert f"{ARM64} has sha256" in str(refused(tmp_path))


def test_a_missing_zip_is_refused(tmp_path: Path) -> None:
    (dist(tmp_path) / ARM64).unlink()
    assert "cannot be read: No such file" in str(refused(tmp_path))


@pytest.mark.parametrize("size", [1, 10 * DIRECT_UPLOAD_BYTES])
def test_the_size_is_read_from_the_zip(tmp_path: Path, size: int) -> None:
    large = bytes(DIRECT_UPLOAD_BYTES + 1)
    (tmp_path / AMD64).write_bytes(large)
    write_manifest(tmp_path, [layer(AMD64, large).model_copy(update={"size": size})])
    assert "is 50.0 MiB; AWS accepts 50.0 MiB" in str(refused(tmp_path))
    write_manifest(tmp_path, [layer(AMD64, large[1:]).model_copy(update={"size": size})])
    (tmp_path / AMD64).write_bytes(large[1:])
    assert len(read_packages(OPTIONS, GROUP, [tmp_path])) == 1


def test_a_layer_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    folder = dist(tmp_path)
    assert "is named twice" in str(refused(folder, folder / AMD64))


def test_two_zips_that_would_have_the_same_name_are_refused(tmp_path: Path) -> None:
    one, other = dist(tmp_path / "one", AMD64), dist(tmp_path / "other", AMD64, epoch=1_760_000_000)
    assert "ocel-amd64-minimal-0_155_0-beta is named twice" in str(refused(one, other))


@pytest.mark.parametrize("base", ["a b", "x" * 120, "ö", "a/b", "a:b", "a\n"])
def test_a_name_that_aws_does_not_accept_is_refused(tmp_path: Path, base: str) -> None:
    options = replace(OPTIONS, layer_name=base)
    assert "cannot be a layer's name" in str(refused(dist(tmp_path), options=options))


def test_too_many_runtimes_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    many = ",".join(f"python3.{each}" for each in range(MOST_RUNTIMES + 1))
    assert (
        str(refused(tmp_path / "absent", options=replace(OPTIONS, runtimes=many)))
        == "16 runtimes are named"
    )


@pytest.mark.parametrize("named", ["", " , "])
def test_runtimes_without_a_name_are_not_the_default_ones(tmp_path: Path, named: str) -> None:
    options = replace(OPTIONS, runtimes=named)
    assert "0 runtimes" in str(refused(tmp_path / "absent", options=options))


def test_a_layers_name_lacks_no_part(tmp_path: Path) -> None:
    refused(dist(tmp_path), options=replace(OPTIONS, layer_name=""))
    refused(dist(tmp_path), group="")


def test_the_default_runtimes_are_not_more_than_aws_accepts() -> None:
    assert len(RUNTIMES) <= MOST_RUNTIMES


def sent_by_boto(**arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the body of the request that boto3 makes; nothing is sent."""
    session: Any = boto3.Session("key", "secret")
    client = session.client("lambda", "eu-west-1")
    bodies: list[bytes] = []

    def caught(params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        bodies.append(params["body"])
        return type("Answer", (), {"status_code": 200})(), {}

    client.meta.events.register("before-call.lambda.PublishLayerVersion", caught)
    client.publish_layer_version(**arguments)
    return json.loads(bodies[0])


@pytest.mark.parametrize("file", [AMD64, ARM64])
def test_the_requests_body_is_what_boto3_would_send(tmp_path: Path, file: str) -> None:
    found = package(tmp_path, file)
    request = direct_upload(found)
    assert json.loads(request.body) | {"LayerName": request.layer} == sent_by_boto(
        LayerName=found.layer,
        Description=found.description,
        Content={"ZipFile": found.path.read_bytes()},
        CompatibleRuntimes=list(RUNTIMES),
        CompatibleArchitectures=["arm64" if file == ARM64 else "x86_64"],
        LicenseInfo=LICENCE,
    ) | {"LayerName": found.layer}


def test_the_requests_body_holds_the_zip(tmp_path: Path) -> None:
    body = json.loads(direct_upload(package(tmp_path)).body)
    assert base64.b64decode(body["Content"]["ZipFile"]) == content()


def test_a_description_of_any_letters_is_sent_as_it_is(tmp_path: Path) -> None:
    dist(tmp_path, AMD64)
    odd = layer(AMD64, content(AMD64)).model_copy(update={"description": 'so "ö" \\ \u2028'})
    write_manifest(tmp_path, [odd])
    (found,) = read_packages(OPTIONS, GROUP, [tmp_path])
    body = json.loads(direct_upload(found).body)
    assert body["Description"] == f'so "ö" \\ sha256:{found.sha256}'


def test_a_zip_that_changes_after_it_was_read_is_not_sent(tmp_path: Path) -> None:
    found = package(tmp_path)
    found.path.write_bytes(content(epoch=1_760_000_000))
    with pytest.raises(UsageError, match="has changed since the start"):
        direct_upload(found)


def test_a_zip_that_is_deleted_after_it_was_read_is_an_error(tmp_path: Path) -> None:
    found = package(tmp_path)
    found.path.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        direct_upload(found)


def test_no_content_is_shown_where_a_request_is_printed(tmp_path: Path) -> None:
    request = direct_upload(package(tmp_path))
    assert base64.b64encode(content())[:40].decode() not in repr(request)
