"""`ocelot verify`: rebuild, compare, explain."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy
from runs import CONFIG, Built, Ran, fresh_cache, run_ocelot
from tiny import COLLECTOR, MINE, Place, new_place, own_cache, serve_module

ONE, MINES = "collector-amd64-one.zip", "collector-amd64-mine.zip"
BINARY = "extensions/collector"
REGION = "eu-west-1"


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where all is locked and built; each test works on a copy."""
    place = new_place(tmp_path_factory.mktemp("original"))
    done(place.on("lock"))
    for name in ("one", "two", "mine"):
        done(place.on("build", "-d", name))
    return place


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    return original.copied(tmp_path / "place")


def verify(place: Place, *targets: str | Path, env: Mapping[str, str] | None = None) -> Ran:
    return place.run("verify", "--shared-cache", *targets, env=env)


def repacked(
    path: Path, changes: Mapping[str, bytes] | None = None, *, method: int = zipfile.ZIP_DEFLATED
) -> None:
    """Pack a zip's files again by `zipfile`, some with other content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as layer, zipfile.ZipFile(buffer, "w", method) as other:
        for info in layer.infolist():
            content = (changes or {}).get(info.filename) or layer.read(info)
            other.writestr(info, content, method)
    path.write_bytes(buffer.getvalue())


def binary_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as layer:
        return layer.read(BINARY)


def alone(path: Path) -> Path:
    """The zip after its manifest was removed."""
    (path.parent / "manifest.json").unlink()
    return path


def test_built_zips_are_the_same_as_their_rebuild(place: Place) -> None:
    ran = done(verify(place, "dist/manifest.json"))
    assert ran.out.count("same bytes: dist/collector-") == 6
    assert "DIFFERENT" not in ran.out
    assert ran.err.count("compile: done") == 6


def test_a_zip_alone_is_verified_by_its_name(place: Place) -> None:
    ran = done(verify(place, alone(place.dist / ONE)))
    assert f"same bytes: {place.dist / ONE}" in ran.out
    assert "from one for amd64: ./upstream" in ran.out


def test_a_verification_does_not_use_cached_layers(place: Place) -> None:
    """Neither finished layers in the cache nor their digests in the lock are used."""
    for path in (place.cache / "layers").iterdir():
        path.write_bytes(b"must not be used")
    done(verify(place, "dist/manifest.json"))


def test_a_verification_changes_no_file(place: Place) -> None:
    folders = (place.dist, place.config)
    before = {path: path.read_bytes() for each in folders for path in each.rglob("*.*")}
    repacked(place.dist / ONE)
    changed = (place.dist / ONE).read_bytes()
    assert verify(place, place.dist / ONE).code == 10
    after = {path: path.read_bytes() for each in folders for path in each.rglob("*.*")}
    assert after == {**before, place.dist / ONE: changed}


def test_the_zip_of_another_distribution_under_this_ones_name(place: Place) -> None:
    shutil.copy(place.dist / "collector-amd64-two.zip", alone(place.dist / ONE))
    ran = verify(place, place.dist / ONE)
    assert ran.code == 10
    assert "component exporter/two not in the rebuild" in ran.out
    shutil.copy(place.dist / MINES, place.dist / "collector-amd64-two.zip")
    ran = verify(place, place.dist / "collector-amd64-two.zip")
    assert ran.code == 10
    assert "component exporter/two missing" in ran.out
    assert "component exporter/mine not in the rebuild" in ran.out
    assert f"module {MINE}@v1.0.0 not in the rebuild" in ran.out


def test_other_sources_are_reported(place: Place) -> None:
    """The zip was built from a later commit than the lock has."""
    start = place.entry().commit
    main = COLLECTOR["main.go"].replace(b"println(otelcol", b'println("more", otelcol')
    later = place.grow({"main.go": main}, start=start, time=1_700_000_100)
    done(place.build("-d", "one", "-b", later))
    ran = verify(place, alone(place.dist / ONE))
    assert ran.code == 10
    assert f"{BINARY}: " in ran.out
    assert "time 2023-11-14 22:15:00 instead of 2023-11-14 22:13:20" in ran.out


def test_a_module_of_the_same_version_with_other_content_is_reported(place: Place) -> None:
    """The zip was built without a lock, with a module that was published again."""
    shutil.copytree(place.config, place.root / "unlocked")
    (place.root / "unlocked" / "ocelot.lock").unlink()
    serve_module(place.proxy, "evil")
    cache = own_cache(place.root / "other-cache")
    env = {"OCELOT_CONFIG": str(place.root / "unlocked"), "OCELOT_CACHE": str(cache)}
    done(place.build("-d", "mine", env=env))
    ran = verify(place, alone(place.dist / MINES))
    assert ran.code == 10
    assert f"content of {MINE}@v1.0.0: h1:" in ran.out


def test_a_manifest_with_a_missing_zip_is_an_error(place: Place) -> None:
    (place.dist / ONE).unlink()
    ran = verify(place, "dist/manifest.json")
    assert ran.code == 2
    assert f"dist/{ONE} cannot be read: No such file" in ran.err


@pytest.mark.parametrize("content", ["{}", "[]", "", '{"version": 1, "layers": []}'])
def test_a_file_that_is_no_manifest_is_an_error(content: str, place: Place) -> None:
    (place.dist / "other.json").write_text(content)
    ran = verify(place, "dist/other.json")
    assert ran.code == 2
    assert "dist/other.json" in ran.err


def test_of_several_upstreams_the_named_one_is_used(place: Place) -> None:
    done(place.run("lock", "-r", f"{place.repository}", "-d", "one"))
    path = alone(place.dist / ONE)
    ran = verify(place, path)
    assert ran.code == 9
    assert "several entries for one" in ran.err
    assert "./upstream main" in ran.err
    done(verify(place, path, "-r", "./upstream"))


def test_the_report_is_printed_and_written_to_files(place: Place) -> None:
    repacked(place.dist / ONE)
    ran = verify(place, "dist/manifest.json", "--json", "-o", "report")
    assert ran.code == 10
    data = json.loads(ran.out)
    assert data["same"] is False
    assert {Path(each["name"]).name: each["same"] for each in data["layers"]} == {
        f"collector-{architecture}-{name}.zip": (architecture, name) != ("amd64", "one")
        for architecture in ("amd64", "arm64")
        for name in ("one", "two", "mine")
    }
    assert json.loads((place.root / "report" / "verification.json").read_text()) == data
    assert "DIFFERENT: dist/" in (place.root / "report" / "verification.md").read_text()


def test_github_gets_the_report_as_a_summary(place: Place) -> None:
    summary = place.root / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done(verify(place, place.dist / ONE, env=env))
    assert "- same bytes: " in summary.read_text()


def test_the_samples_zips_are_the_same_and_a_flipped_byte_is_found(
    built: Built, tmp_path: Path
) -> None:
    """The sample was built without a lock and is verified by a later one."""
    config, cache = Path(shutil.copytree(CONFIG, tmp_path / "config")), fresh_cache(tmp_path / "c")
    more = ("--config", config)
    lock = run_ocelot("lock", "-d", "minimal", "-r", "sample", *more, cache=cache, cwd=tmp_path)
    done(lock)
    flipped = tmp_path / "collector-amd64-minimal.zip"
    shutil.copy(built.folder / flipped.name, flipped)
    binary = binary_of(flipped)
    at = len(binary) // 3
    repacked(flipped, {BINARY: binary[:at] + bytes([binary[at] ^ 0x80]) + binary[at + 1 :]})
    targets = (built.folder / "manifest.json", flipped)
    ran = run_ocelot("verify", "--shared-cache", *targets, *more, cache=cache, cwd=tmp_path)
    assert ran.code == 10
    assert ran.out.count("same bytes: ") == 2
    assert f"1 byte differs of {len(binary):,}, the first at offset {at:#x} in section ." in ran.out


def published(aws: FaultyProxy, path: Path) -> str:
    """Publish a zip as a layer of `one` and return its ARN."""
    answer = aws.client("lambda", REGION).publish_layer_version(
        LayerName="otel-amd64-one-0_155_0-prod", Content={"ZipFile": path.read_bytes()}
    )
    return answer["LayerVersionArn"]


def test_a_published_layer_is_verified_by_its_arn(place: Place, aws: FaultyProxy) -> None:
    arn = published(aws, place.dist / ONE)
    ran = done(verify(place, arn, env=aws.environment()))
    assert f"same bytes: {arn}" in ran.out


def test_a_published_layer_of_other_bytes_differs(place: Place, aws: FaultyProxy) -> None:
    arn = published(aws, place.dist / "collector-amd64-two.zip")
    ran = verify(place, arn, env=aws.environment())
    assert ran.code == 10
    assert f"DIFFERENT: {arn}" in ran.out
    assert "component exporter/two not in the rebuild" in ran.out


def test_a_missing_layer_version_is_an_error(place: Place, aws: FaultyProxy) -> None:
    arn = published(aws, place.dist / ONE)
    ran = verify(place, f"{arn.rpartition(':')[0]}:777", env=aws.environment())
    assert ran.code == 11
    assert "AWS gave no answer about" in ran.err
    assert "compile" not in ran.err


NONE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
ARN = f"arn:aws:lambda:{REGION}:123456789012:layer:otel-amd64-one-0_155_0-prod:1"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (NONE, "credentials"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint"),
        ({"AWS_PROFILE": "no-such-profile"}, "no-such-profile"),
    ],
)
def test_aws_without_credentials_or_endpoint_is_an_error(
    env: Mapping[str, str], message: str, place: Place, aws: FaultyProxy
) -> None:
    ran = verify(place, ARN, env={**aws.environment(), **env})
    assert ran.code == 11
    assert message in ran.err
    assert "next: " in ran.err


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (
            ARN.replace("-one-", "-unheard-of-"),
            "does not contain an architecture and a distribution",
        ),
        (ARN.rpartition(":")[0], "is no ARN of a layer version"),
        ("arn:evil", "is no ARN of a layer version"),
    ],
)
def test_an_arn_without_a_distribution_is_refused(arn: str, message: str, place: Place) -> None:
    ran = verify(place, arn)
    assert ran.code == 2
    assert message in ran.err


def test_a_zip_is_verified_by_a_lock_without_digests(place: Place) -> None:
    text = place.lock_file.read_text()
    lines = [
        line for line in text.splitlines(keepends=True) if not line.startswith(("amd64", "arm64"))
    ]
    place.lock_file.write_text("".join(lines))
    assert place.entry().zips == {}
    done(verify(place, place.dist / ONE))
    assert place.entry().zips == {}
