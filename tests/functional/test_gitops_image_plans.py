"""`ocelot gitops plan --output` with real git repositories and Debian's docker-registry."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cnb import BuilderRoot, compiled_lifecycle, reason_to_skip
from gitops import INPUTS
from gitserver import commit, git, new_repository
from registry_server import PASSWORD, PROGRAM, USER, RegistryServer
from runs import CONFIG, Ran, fresh_cache, run_ocelot

from pipeline.files import read_tree
from pipeline.gitops.image.buildpacks import BUILDER_METADATA, PLATFORM_APIS
from pipeline.gitops.image.registry_auth import RegistryCredentials
from pipeline.gitops.image.steps import BuildContainer, Command, Mount

pytestmark = pytest.mark.skipif(not PROGRAM, reason="docker-registry is not installed")


@dataclass(frozen=True)
class Place:
    """Repositories and a registry.

    Attributes:
        folder: of the test.
        registry: with a password, without TLS.
        sources: checkout of each source repository, by name.
    """

    folder: Path
    registry: RegistryServer
    sources: dict[str, Path]

    def plan(self, component: str, *options: str, source: str = "shop", **env: str) -> Ran:
        """Run the command; its folder is `plan`, which is removed before."""
        shutil.rmtree(self.folder / "plan", ignore_errors=True)
        line = ["gitops", "plan", component, "--json", f"--source={self.sources[source]}"]
        line.append("--output=plan")
        where = [f"--config={self.folder / 'config'}", f"--repository={self.folder / 'gitops'}"]
        credentials = {"OCELOT_REGISTRY_USER": USER, "OCELOT_REGISTRY_PASSWORD": PASSWORD}
        return run_ocelot(
            *(*line, *where, *options),
            cache=self.folder / "cache",
            cwd=self.folder,
            env={**credentials, **env},
        )

    def planned(self, component: str, *options: str, **given: str) -> dict[str, Any]:
        """Return plan.json."""
        ran = self.plan(component, *options, **given)
        assert ran.code == 0, ran.err
        kept = json.loads((self.folder / "plan/plan.json").read_text())
        shown = json.loads(ran.out)
        assert [shown[key] for key in ("image", "found", "commit")] == [
            kept[key] for key in ("image", "found", "commit")
        ]
        return kept


def checkout(folder: Path, files: dict[str, bytes]) -> Path:
    made = new_repository(folder)
    commit(made, files)
    git(made, "reset", "--quiet", "--hard", "main")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    checkout(tmp_path / "gitops", read_tree(INPUTS / "repository"))
    fresh_cache(tmp_path / "cache")
    sources = {
        name: checkout(tmp_path / name, read_tree(INPUTS / "sources" / name))
        for name in ("shop", "storefront")
    }
    with RegistryServer(tmp_path / "registry", password=True) as registry:
        shutil.copytree(CONFIG, tmp_path / "config", ignore=shutil.ignore_patterns("gitops.yaml"))
        settings = {
            "repository": "https://git.example.test/acme/gitops.git",
            "namespace": "demo",
            "registry": {"address": registry.host, "tls": False},
        }
        (tmp_path / "config/gitops.yaml").write_text(yaml.safe_dump(settings))
        yield Place(tmp_path, registry, sources)


def test_a_component_is_enough_for_a_build_by_dockerfile(place: Place) -> None:
    found = place.planned("shop/catalog")
    sha = git(place.sources["shop"], "rev-parse", "main")
    assert found["commit"] == sha
    assert found["image"] == f"{place.registry.host}/shop-catalog-image:v1-{sha[:8]}"
    assert (found["found"], found["build"]["method"]) == ("", "docker")
    context = place.folder / "plan" / found["build"]["context"]
    assert (context / found["build"]["dockerfile"]).read_bytes().startswith(b"FROM")


def test_the_image_of_the_plan_is_found_once_it_is_pushed(place: Place) -> None:
    first = place.planned("shop/catalog")
    tag = first["image"].rpartition(":")[2]
    digest = place.registry.push("shop-catalog-image", tag, labels=first["labels"])
    second = place.planned("shop/catalog")
    assert second["found"] == f"{place.registry.host}/shop-catalog-image@{digest}"
    assert second["build"] is None
    assert [each.name for each in (place.folder / "plan").iterdir()] == ["plan.json"]
    assert place.planned("shop/catalog", "--rebuild")["build"]
    assert place.planned("shop/catalog", "--target=test")["build"]


def test_a_tag_of_another_component_is_not_taken(place: Place) -> None:
    first = place.planned("shop/catalog")
    labels = {**first["labels"], "ocelot.gitops.project": "shop-catalog"}
    place.registry.push("shop-catalog-image", first["image"].rpartition(":")[2], labels=labels)
    ran = place.plan("shop/catalog")
    assert ran.code == 17
    assert "image-name" in ran.err


def test_a_build_by_buildpacks_reads_the_builder_from_its_registry(place: Place) -> None:
    metadata = {"lifecycle": {"apis": {"platform": {"supported": ["0.13"]}}}}
    digest = place.registry.push(
        "builder",
        "1",
        labels={BUILDER_METADATA: json.dumps(metadata)},
        environment={"CNB_USER_ID": "1001", "CNB_GROUP_ID": "1000"},
    )
    builder = f"{place.registry.host}/builder"
    found = place.planned("shop/orders", f"--builder-image={builder}:1", "--build-env=A=1, 2=3")
    container = found["build"]["container"]
    assert container["image"] == f"{builder}@{digest}"
    assert container["registry_environment"] == {"CNB_INSECURE_REGISTRIES": place.registry.host}
    assert (place.folder / "plan/source/orders/go.mod").is_file()
    assert (place.folder / "plan/platform/env/A").read_text() == "1, 2=3"


def test_a_react_build(place: Place) -> None:
    found = place.planned("shop/storefront", source="storefront")
    assert found["build"]["container"]["image"].startswith("node:20-alpine@sha256:")
    assert found["build"]["result"] == "/source/dist"
    assert "listen 80;" in (place.folder / "plan/nginx.conf").read_text()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--dockerfile=no/Dockerfile",), 17),
        (("--docker-context=no",), 17),
        (("--platform=linux/s390x",), 2),
        (("--build-arg=novalue",), 2),
        (("--commit=0123456789",), 2),
        (("--registry-password=env:NONE",), 2),
    ],
)
def test_what_cannot_be_built_is_an_error_and_leaves_no_plan(
    place: Place, options: tuple[str, ...], code: int
) -> None:
    assert place.plan("shop/catalog", *options).code == code
    assert not (place.folder / "plan/plan.json").exists()


def test_a_wrong_password_is_told_and_shown_nowhere(place: Place) -> None:
    ran = place.plan("shop/catalog", OCELOT_REGISTRY_PASSWORD="wr0ng")
    assert ran.code == 17
    assert "wr0ng" not in f"{ran.out}{ran.err}"


def test_a_folder_with_files_and_a_config_without_gitops_are_refused(place: Place) -> None:
    assert place.plan("shop/catalog", "--output=shop").code == 2
    (place.folder / "config/gitops.yaml").unlink()
    assert place.plan("shop/catalog").code == 2


def test_signs_of_a_shell_reach_none(place: Place) -> None:
    value = "$(touch pwned)`touch pwned`;touch pwned"
    for option in ("target", "dockerfile", "docker-context", "app-path", "build-arg=A"):
        place.plan("shop/catalog", f"--{option}={value}")
    place.plan("shop/storefront", f"--build-command={value}", source="storefront")
    assert not list(place.folder.rglob("pwned"))


def container_of(document: dict[str, Any]) -> BuildContainer:
    """Return the container that plan.json describes."""
    mounts = tuple(Mount(**each) for each in document["folders"])
    steps: list[dict[str, Any]] = document["commands"]
    lines: list[dict[str, Any]] = [{**each, "argv": tuple(each["argv"])} for each in steps]
    commands = tuple(Command(**each) for each in lines)
    values: dict[str, Any] = {**document, "folders": mounts, "commands": commands}
    return BuildContainer(**values)


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_the_steps_of_a_plan_make_the_image_that_the_next_plan_finds(place: Place) -> None:
    shop, host = place.sources["shop"], place.registry.host
    commit(shop, {"orders/index.html": b"<p>orders"}, start=git(shop, "rev-parse", "main"))
    git(shop, "reset", "--quiet", "--hard", "main")
    metadata = {"lifecycle": {"apis": {"platform": {"supported": list(PLATFORM_APIS)}}}}
    place.registry.push(
        "builder",
        "1",
        labels={BUILDER_METADATA: json.dumps(metadata)},
        environment={"CNB_USER_ID": "1000", "CNB_GROUP_ID": "1000"},
    )
    place.registry.push("base/run", "1", layers=(b"\0" * 1024,))
    options = (f"--builder-image={host}/builder:1", "--build-env=MESSAGE=from, the=plan")
    build = place.planned("shop/orders", *options)["build"]
    container = container_of(build["container"])
    programs = place.folder / "programs"
    programs.mkdir()
    root = BuilderRoot(place.folder / "root", compiled_lifecycle(programs), f"{host}/base/run:1")
    root.prepare(container, place.folder / "plan")
    header = RegistryCredentials(user=USER, password=PASSWORD).header
    kept = {build["credentials"]["variable"]: json.dumps({build["credentials"]["key"]: header})}
    for command in container.commands:
        ended = root.run(container, command, kept)
        assert ended.code == 0, ended.output
    report = tomllib.loads((root.root / build["report"].lstrip("/")).read_text())
    assert (root.root / "layers/own.static/greeting/motd").read_text() == "hello from, the=plan\n"
    found = place.planned("shop/orders", *options)["found"]
    assert found == f"{host}/shop-orders-image@{report['image']['digest']}"
