"""`ocelot verify`: rebuild, compare, explain."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from runs import CONFIG, Built, Ran, fresh_cache, run_ocelot
from tiny import COLLECTOR, MINE, Place, new_place, own_cache, serve_module

from pipeline.supply.elf import read_elf

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

ONE, MINES = "collector-amd64-one.zip", "collector-amd64-mine.zip"
BINARY = "extensions/collector"
REGION = "eu-west-1"


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where all is locked and built; it is copied, not used."""
    place = new_place(tmp_path_factory.mktemp("original"))
    done(place.on("lock"))
    for name in ("one", "two", "mine"):
        done(place.on("build", "-d", name))
    return place


@pytest.fixture
def place(original: Place, tmp_path: Path) -> Place:
    return original.copied(tmp_path / "place")


def verify(place: Place, *targets: str | Path, env: Mapping[str, str] | None = None) -> Ran:
    return place.run("verify", *targets, env=env)


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
    """The zip without the manifest that lies beside it."""
    (path.parent / "manifest.json").unlink()
    return path


def test_the_zips_that_were_built_are_the_same(place: Place) -> None:
    ran = done(verify(place, "dist/manifest.json"))
    assert ran.out.count("- same bytes: dist/collector-") == 6
    assert "DIFFERENT" not in ran.out
    assert ran.err.count("compile: done") == 6


def test_a_zip_alone_is_verified_by_its_name(place: Place) -> None:
    ran = done(verify(place, alone(place.dist / ONE)))
    assert f"- same bytes: {place.dist / ONE}" in ran.out
    assert "from one for amd64: ./upstream" in ran.out


def test_a_verification_does_not_believe_the_cache(place: Place) -> None:
    """Neither layers that lie there nor what the lock says of them."""
    for path in (place.cache / "layers").iterdir():
        path.write_bytes(b"not to be looked at")
    done(verify(place, "dist/manifest.json"))


def test_a_verification_leaves_everything_as_it_was(place: Place) -> None:
    folders = (place.dist, place.config)
    before = {path: path.read_bytes() for each in folders for path in each.rglob("*.*")}
    repacked(place.dist / ONE)
    changed = (place.dist / ONE).read_bytes()
    assert verify(place, place.dist / ONE).code == 10
    after = {path: path.read_bytes() for each in folders for path in each.rglob("*.*")}
    assert after == {**before, place.dist / ONE: changed}


def test_a_flipped_byte_in_the_binary_is_told_with_its_place(place: Place) -> None:
    path = alone(place.dist / ONE)
    binary = binary_of(path)
    section = read_elf(binary).section(".text")
    assert section
    at = section.offset + section.size // 2
    repacked(path, {BINARY: binary[:at] + bytes([binary[at] ^ 1]) + binary[at + 1 :]})
    ran = verify(place, path)
    assert ran.code == 10
    assert f"- DIFFERENT: {path}" in ran.out
    told = (
        f"{BINARY}: 1 byte differs of {len(binary):,}, the first at offset {at:#x} in section .text"
    )
    assert told in ran.out
    assert told in ran.err
    assert "1 of 1 layers are not what a rebuild gives" in ran.err


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


def test_the_zip_of_another_architecture_under_this_ones_name(place: Place) -> None:
    shutil.copy(place.dist / "collector-arm64-one.zip", alone(place.dist / ONE))
    ran = verify(place, place.dist / ONE)
    assert ran.code == 10
    assert "machine: arm64 instead of amd64" in ran.out
    assert "GOARCH: arm64 instead of amd64" in ran.out


def test_another_go_is_told_by_its_version(place: Place) -> None:
    path = alone(place.dist / ONE)
    binary = binary_of(path)
    elf = read_elf(binary)
    section = elf.section(".go.buildinfo")
    assert section
    noted = bytes(elf.bytes_of(section))
    other = noted.replace(b"go1.26.6", b"go1.26.5")
    assert other != noted
    repacked(path, {BINARY: binary.replace(noted, other)})
    ran = verify(place, path)
    assert ran.code == 10
    assert f"{BINARY}: go1.26.5 instead of go1.26.6" in ran.out


def test_other_sources_are_told(place: Place) -> None:
    """A zip that was built of a later commit than the lock has."""
    start = place.entry().commit
    main = COLLECTOR["main.go"].replace(b"println(otelcol", b'println("more", otelcol')
    later = place.grow({"main.go": main}, start=start, time=1_700_000_100)
    done(place.build("-d", "one", "-b", later))
    ran = verify(place, alone(place.dist / ONE))
    assert ran.code == 10
    assert f"{BINARY}: " in ran.out
    assert "time 2023-11-14 22:15:00 instead of 2023-11-14 22:13:20" in ran.out


def test_a_module_of_the_same_version_with_other_content_is_told(place: Place) -> None:
    """A zip that was built, unlocked, of a module that was published again."""
    shutil.copytree(place.config, place.root / "unlocked")
    (place.root / "unlocked" / "ocelot.lock").unlink()
    serve_module(place.proxy, "evil")
    cache = own_cache(place.root / "other-cache")
    env = {"OCELOT_CONFIG": str(place.root / "unlocked"), "OCELOT_CACHE": str(cache)}
    done(place.build("-d", "mine", env=env))
    ran = verify(place, alone(place.dist / MINES))
    assert ran.code == 10
    assert f"content of {MINE}@v1.0.0: h1:" in ran.out


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_same_files_packed_otherwise_are_told_as_such(method: int, place: Place) -> None:
    repacked(alone(place.dist / ONE), method=method)
    ran = verify(place, place.dist / ONE)
    assert ran.code == 10
    assert "the same files, packed to other bytes: another packer" in ran.out


def test_what_is_no_layer_is_told(place: Place) -> None:
    alone(place.dist / ONE).write_bytes(b"not a zip")
    ran = verify(place, place.dist / ONE)
    assert ran.code == 10
    assert "the zip is not a zip that can be read" in ran.out


def test_a_manifest_that_lies_is_told_though_the_zip_is_sound(place: Place) -> None:
    path = place.dist / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    layer = next(each for each in manifest["layers"] if each["file"] == ONE)
    layer["sha256"] = "1" * 64
    layer["upstream"]["commit"] = "f" * 40
    path.write_text(json.dumps(manifest))
    ran = verify(place, "dist/manifest.json")
    assert ran.code == 10
    assert "1 of 6 layers are not what a rebuild gives" in ran.err
    assert f"dist/{ONE}: its manifest says sha256 {'1' * 64}, the zip has " in ran.err
    assert f"dist/{ONE}: its manifest says commit {'f' * 40}, not {place.entry().commit}" in ran.err


def test_a_manifest_with_a_zip_that_is_gone_is_told(place: Place) -> None:
    (place.dist / ONE).unlink()
    ran = verify(place, "dist/manifest.json")
    assert ran.code == 2
    assert f"dist/{ONE} cannot be read: No such file" in ran.err


@pytest.mark.parametrize("content", ["{}", "[]", "", '{"version": 1, "layers": []}'])
def test_what_is_no_manifest_proves_nothing(content: str, place: Place) -> None:
    (place.dist / "other.json").write_text(content)
    ran = verify(place, "dist/other.json")
    assert ran.code == 2
    assert "is no manifest of ours, or names no zip" in ran.err


def test_a_digest_in_the_lock_that_no_rebuild_gives_is_told(place: Place) -> None:
    entry = place.entry()
    text = place.lock_file.read_text()
    place.lock_file.write_text(text.replace(next(iter(entry.zips.values())), "1" * 64))
    ran = verify(place, place.dist / ONE)
    assert ran.code == 10
    assert f"the lock says sha256 {'1' * 64}, the rebuild has " in ran.out


def test_what_was_never_locked_cannot_be_verified(place: Place) -> None:
    place.lock_file.unlink()
    ran = verify(place, place.dist / ONE)
    assert ran.code == 9
    assert "ocelot.lock has no entry for one ./upstream main" in ran.err
    assert "ocelot lock -d one" in ran.err


def test_of_several_upstreams_the_one_named_counts(place: Place) -> None:
    done(place.run("lock", "-r", f"{place.repository}", "-d", "one"))
    path = alone(place.dist / ONE)
    ran = verify(place, path)
    assert ran.code == 9
    assert "several entries for one" in ran.err
    assert "./upstream main" in ran.err
    done(verify(place, path, "-r", "./upstream"))


def test_a_configuration_that_strays_from_the_lock_is_told(place: Place) -> None:
    (place.config / "components.yaml").write_text(
        f"lambdacomponents.exporter.mine: {MINE}@v1.0.1\n"
    )
    ran = verify(place, place.dist / MINES)
    assert ran.code == 9
    assert f"custom modules: locked but not here: {MINE}@v1.0.0" in ran.err


def test_the_report_is_json_and_files_too(place: Place) -> None:
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
    """The genuine collector, built without a lock, verified by one that was made later."""
    config, cache = Path(shutil.copytree(CONFIG, tmp_path / "config")), fresh_cache(tmp_path / "c")
    more = ("--config", config)
    lock = run_ocelot("lock", "-d", "minimal", "-r", "sample", *more, cache=cache, cwd=tmp_path)
    done(lock)
    flipped = tmp_path / "collector-amd64-minimal.zip"
    shutil.copy(built.folder / flipped.name, flipped)
    binary = binary_of(flipped)
    at = len(binary) // 3
    repacked(flipped, {BINARY: binary[:at] + bytes([binary[at] ^ 0x80]) + binary[at + 1 :]})
    ran = run_ocelot(
        *("verify", built.folder / "manifest.json", flipped, *more), cache=cache, cwd=tmp_path
    )
    assert ran.code == 10
    assert ran.out.count("- same bytes: ") == 2
    assert f"1 byte differs of {len(binary):,}, the first at offset {at:#x} in section ." in ran.out


@dataclass(frozen=True, kw_only=True)
class Aws:
    """A stand-in for AWS on loopback."""

    env: Mapping[str, str]
    client: LambdaClient

    def publish(self, content: bytes, name: str = "otel-amd64-one-0_155_0-prod") -> str:
        """Publish a zip as a layer; its ARN."""
        answer = self.client.publish_layer_version(LayerName=name, Content={"ZipFile": content})
        return answer["LayerVersionArn"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Aws]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        # what is downloaded from AWS' own address is not to leave this machine
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    client: LambdaClient = boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "lambda",
        region_name=REGION,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    try:
        yield Aws(env=env, client=client)
    finally:
        server.stop()


def test_a_published_layer_is_verified_by_its_arn(place: Place, aws: Aws) -> None:
    arn = aws.publish((place.dist / ONE).read_bytes())
    ran = done(verify(place, arn, env=aws.env))
    assert f"- same bytes: {arn}" in ran.out


def test_a_published_layer_of_other_bytes_differs(place: Place, aws: Aws) -> None:
    arn = aws.publish((place.dist / "collector-amd64-two.zip").read_bytes())
    ran = verify(place, arn, env=aws.env)
    assert ran.code == 10
    assert f"- DIFFERENT: {arn}" in ran.out
    assert f"the zip of {arn}" in ran.out  # which the stand-in does not hand out


def test_a_layer_version_that_does_not_exist_is_told(place: Place, aws: Aws) -> None:
    arn = aws.publish((place.dist / ONE).read_bytes())
    ran = verify(place, f"{arn.rpartition(':')[0]}:777", env=aws.env)
    assert ran.code == 11
    assert "AWS gave no answer about" in ran.err
    assert "compile" not in ran.err


NONE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
ARN = f"arn:aws:lambda:{REGION}:123456789012:layer:otel-amd64-one-0_155_0-prod:1"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        (NONE, "credentials"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint"),
        ({"AWS_PROFILE": "no-such-profile"}, "no-such-profile"),
    ],
)
def test_an_aws_that_cannot_be_asked_is_told(
    env: Mapping[str, str], told: str, place: Place, aws: Aws
) -> None:
    ran = verify(place, ARN, env={**aws.env, **env})
    assert ran.code == 11
    assert told in ran.err
    assert "next: check " in ran.err


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        (ARN.replace("-one-", "-unheard-of-"), "does not tell its architecture and distribution"),
        (ARN.rpartition(":")[0], "is no ARN of a layer version"),
        ("arn:evil", "is no ARN of a layer version"),
    ],
)
def test_an_arn_that_tells_nothing_is_refused(arn: str, told: str, place: Place) -> None:
    ran = verify(place, arn)
    assert ran.code == 2
    assert told in ran.err


def test_a_zip_verified_against_a_lock_that_has_no_digests_yet(place: Place) -> None:
    text = place.lock_file.read_text()
    lines = [
        line for line in text.splitlines(keepends=True) if not line.startswith(("amd64", "arm64"))
    ]
    place.lock_file.write_text("".join(lines))
    assert place.entry().zips == {}
    done(verify(place, place.dist / ONE))
    assert place.entry().zips == {}
