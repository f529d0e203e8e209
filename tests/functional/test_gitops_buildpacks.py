"""The phases of the real buildpacks lifecycle, run as the plan says, against docker-registry."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from cnb import BuilderRoot, Ended, compiled_lifecycle, reason_to_skip
from registry_server import PASSWORD, USER, RegistryServer

from pipeline.errors import GitOpsError
from pipeline.files import write_tree
from pipeline.gitops.image.buildpacks import (
    BUILDER_METADATA,
    CREDENTIALS,
    INSECURE_FROM,
    PLATFORM_APIS,
    REPORT,
    BuilderImage,
    ImageTarget,
    builder,
    buildpacks_container,
    buildpacks_files,
    credentials_key,
)
from pipeline.gitops.image.reference import Origin, Reference, label_differences
from pipeline.gitops.image.registry import Image, RegistryAccess, registry_client
from pipeline.gitops.image.registry_auth import RegistryCredentials

pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())

SHOWN = """
cat /proc/$PPID/environ > "$CNB_LAYERS_DIR/greeting/parent"
"""
ORIGIN = Origin(
    repository="https://git.example/shop.git",
    commit="0123456789abcdef0123456789abcdef01234567",
    namespace="demo",
    project="shop",
    component="orders",
    build={"method": "buildpacks"},
)
MESSAGE = "a,b = c; $(id) 'q' \"d\"\nsecond line"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_lifecycle(tmp_path_factory.mktemp("lifecycle"))


@pytest.fixture(scope="module", params=["password", "tls"])
def registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[RegistryServer]:
    folder = tmp_path_factory.mktemp("registry")
    with RegistryServer(folder, password=True, tls=request.param == "tls") as started:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("base"))
        started.push("base/run", "1", layers=(layer.getvalue(),))
        yield started


def access(registry: RegistryServer) -> RegistryAccess:
    return RegistryAccess(
        host=registry.host,
        tls=registry.authority is not None,
        authority=registry.authority,
        credentials=RegistryCredentials(user=USER, password=PASSWORD),
    )


def looked_up(registry: RegistryServer, path: str, tag: str) -> Image:
    async def look() -> Image | None:
        async with registry_client(access(registry)) as client:
            return await client.image(Reference(host=registry.host, path=path, tag=tag))

    found = anyio.run(look)
    assert found
    return found


@dataclass
class Build:
    """A build on this machine.

    Attributes:
        ended: the phases that ran, by name.
    """

    ended: dict[str, Ended]
    digest: str
    failure: str


def built(
    registry: RegistryServer,
    root: BuilderRoot,
    plan: Path,
    *,
    password: str = PASSWORD,
    api: str = "",
) -> Build:
    """Run the phases of a plan until one fails, as the module does."""
    metadata = {"lifecycle": {"apis": {"platform": {"supported": list(PLATFORM_APIS)}}}}
    environment = {"CNB_USER_ID": "1000", "CNB_GROUP_ID": "1000"}
    labels = {BUILDER_METADATA: json.dumps(metadata)}
    registry.push("cnb/builder", "1", labels=labels, environment=environment)
    chosen = builder("any", looked_up(registry, "cnb/builder", "1"))
    if api:
        chosen = BuilderImage(image="any", user=chosen.user, platform_api=api)
    target = ImageTarget(
        image=f"{registry.host}/shop-orders-image:v1-01234567",
        host=registry.host,
        tls=registry.authority is not None,
        authority=registry.authority is not None,
        cache="c",
    )
    write_tree(plan, buildpacks_files((("MESSAGE", MESSAGE),), ORIGIN.labels()))
    if registry.authority:
        (plan / "authority").mkdir(exist_ok=True)
        shutil.copy(registry.authority, plan / "authority/authority.pem")
    container = buildpacks_container("source", chosen, target)
    root.prepare(container, plan)
    header = RegistryCredentials(user=USER, password=password).header
    credentials = {CREDENTIALS: json.dumps({credentials_key(registry.host): header})}
    done = Build({}, "", "")
    for command in container.commands:
        ended = done.ended[command.name] = root.run(container, command, credentials)
        if ended.code:
            done.failure = command.failures.get(ended.code, f"exit code {ended.code}")
            return done
    report = tomllib.loads((root.root / REPORT.lstrip("/")).read_text())
    done.digest = report["image"]["digest"]
    return done


@pytest.fixture
def root(registry: RegistryServer, programs: Path, tmp_path: Path) -> BuilderRoot:
    return BuilderRoot(tmp_path / "root", programs, f"{registry.host}/base/run:1")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    write_tree(tmp_path / "plan", {"source/index.html": b"<p>hello</p>"})
    return tmp_path / "plan"


def test_all_phases_make_an_image_with_our_labels_and_the_buildpacks_see_no_credentials(
    registry: RegistryServer, root: BuilderRoot, plan: Path
) -> None:
    script = root.root / "cnb/buildpacks/own.static/0.0.1/bin/build"
    script.write_text(script.read_text() + SHOWN)
    done = built(registry, root, plan)
    assert not done.failure, "\n".join(each.output for each in done.ended.values())
    image = looked_up(registry, "shop-orders-image", "v1-01234567")
    assert image.digest == done.digest
    assert label_differences(image.facts(), ORIGIN.labels()) == ()
    kept = root.root / "layers/own.static/greeting"
    assert (kept / "motd").read_text() == f"hello {MESSAGE}\n"
    parent = (kept / "parent").read_bytes()
    assert b"CNB_PLATFORM_API=" in parent
    assert b"CNB_REGISTRY_AUTH" not in parent
    assert {each.stat().st_uid for each in kept.iterdir()} == {1000}


def test_the_same_source_makes_the_same_image_with_the_cache_of_the_first_build(
    registry: RegistryServer, root: BuilderRoot, plan: Path
) -> None:
    first = built(registry, root, plan)
    shutil.rmtree(root.root / "layers")
    second = built(registry, root, plan)
    assert second.digest == first.digest != ""


def test_an_application_that_no_buildpack_fits_is_told(
    registry: RegistryServer, root: BuilderRoot, plan: Path
) -> None:
    (plan / "source/index.html").rename(plan / "source/main.xyz")
    done = built(registry, root, plan)
    assert done.ended["detector"].code == 20
    assert "no buildpack of the builder fits" in done.failure


def test_a_refused_password_is_told_by_the_first_phase(
    registry: RegistryServer, root: BuilderRoot, plan: Path
) -> None:
    done = built(registry, root, plan, password="wr0ng")
    assert list(done.ended) == ["folders", "analyzer"]
    assert "refuses the credentials" in done.failure, done.ended["analyzer"]
    assert "wr0ng" not in done.ended["analyzer"].output


def test_a_platform_api_that_the_lifecycle_does_not_know_is_told(
    registry: RegistryServer, root: BuilderRoot, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.gitops.image.buildpacks.PLATFORM_APIS", ("9.9", *PLATFORM_APIS))
    done = built(registry, root, plan, api="9.9")
    assert done.ended["analyzer"].code == 11
    assert "platform API" in done.failure


def test_a_buildpack_that_fails_is_told(
    registry: RegistryServer, root: BuilderRoot, plan: Path
) -> None:
    script = root.root / "cnb/buildpacks/own.static/0.0.1/bin/build"
    script.write_text("#!/bin/sh\necho no luck; exit 7\n")
    done = built(registry, root, plan)
    assert done.failure == "a buildpack failed"
    assert "no luck" in done.ended["builder"].output


@pytest.mark.parametrize("api", PLATFORM_APIS)
def test_every_platform_api_that_is_chosen_works(
    registry: RegistryServer, root: BuilderRoot, plan: Path, api: str
) -> None:
    is_old = PLATFORM_APIS.index(api) > PLATFORM_APIS.index(INSECURE_FROM)
    if registry.authority is None and is_old:
        with pytest.raises(GitOpsError, match="without TLS"):
            built(registry, root, plan, api=api)
        return
    stack = f'[run-image]\nimage = "{registry.host}/base/run:1"\n'
    (root.root / "cnb/stack.toml").write_text(stack)
    done = built(registry, root, plan, api=api)
    assert not done.failure, "\n".join(each.output for each in done.ended.values())
