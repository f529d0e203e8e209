"""The plan of an image: an image that is there, or the steps that build it, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from image_examples import (
    BUILDER,
    BUILDPACKS,
    COMMIT,
    CREDENTIALS,
    DIGEST,
    NAME,
    REACT,
    SETTINGS,
    Registries,
    document,
    planned,
    request,
    there,
)

from pipeline.config.gitops import GitOps
from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops import installation
from pipeline.gitops.image.docker import DockerOptions
from pipeline.gitops.image.plan import PLAN, check_output, write_plan
from pipeline.gitops.image.registry import PROJECT_METADATA, Image, RegistryAccess
from pipeline.gitops.image.request import ImageRequest, image_origin, image_settings
from pipeline.gitops.parameters import (
    BuildpacksBuild,
    DockerBuild,
)


def test_an_image_that_is_there_is_used_again_and_nothing_is_checked_out(tmp_path: Path) -> None:
    registries = there(request())
    plan = planned(tmp_path, request(), registries)
    found = document(plan)
    assert (found["found"], found["build"]) == (f"{NAME}@{DIGEST}", None)
    assert found["image"] == f"{NAME}:v1-01234567"
    assert not (tmp_path / "source").exists()
    ((access, _, _),) = registries.asked
    assert access.credentials == CREDENTIALS


def test_a_buildpacks_image_is_recognised_by_its_project_metadata(tmp_path: Path) -> None:
    wanted = request(BUILDPACKS)
    labels = image_origin(wanted, SETTINGS).labels()
    metadata = json.dumps({"source": {"metadata": labels}})
    image = Image(digest=DIGEST, platforms=(), labels={PROJECT_METADATA: metadata}, environment={})
    registries = Registries({f"{NAME}:v1-01234567": image})
    assert planned(tmp_path, wanted, registries).found == f"{NAME}@{DIGEST}"


def test_an_image_of_another_component_is_not_used_and_its_tag_not_taken(tmp_path: Path) -> None:
    theirs = request(project="a-b", component="c")
    ours = request(project="a", component="b-c")
    name = "r.example:5000/a-b-c-image"
    image = replace(BUILDER, labels=image_origin(theirs, SETTINGS).labels())
    registries = Registries({f"{name}:v1-01234567": image})
    assert planned(tmp_path, theirs, registries).found == f"{name}@{DIGEST}"
    with pytest.raises(GitOpsError, match="another component") as caught:
        planned(tmp_path, ours, registries)
    assert len(caught.value.details) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        request(DockerBuild(context=".", dockerfile="Dockerfile")),
        request(docker=DockerOptions(target="test")),
        request(docker=DockerOptions(arguments=(("A", "1"),))),
        request(platforms=("linux/amd64",)),
    ],
)
def test_an_image_of_other_parameters_is_built_anew(tmp_path: Path, wanted: ImageRequest) -> None:
    plan = planned(tmp_path, wanted, there(request()))
    assert not plan.found
    assert plan.build


def test_an_image_without_labels_or_of_the_other_end_of_a_short_commit_is_built_anew(
    tmp_path: Path,
) -> None:
    revision = "org.opencontainers.image.revision"
    registries = there(request(), **{revision: COMMIT[:8] + "f" * 32})
    assert planned(tmp_path / "a", request(), registries).build
    bare = Registries({f"{NAME}:v1-01234567": replace(BUILDER, labels={})})
    assert planned(tmp_path / "b", request(), bare).build


def test_an_image_that_is_there_can_be_built_anew(tmp_path: Path) -> None:
    plan = planned(tmp_path, request(), there(request()), rebuild=True)
    assert plan.build
    assert not plan.found


def test_a_build_by_dockerfile_as_json(tmp_path: Path) -> None:
    options = DockerOptions(arguments=(("A", "1=2"),), target="t", secrets=("npm",))
    plan = planned(tmp_path, request(docker=options, platforms=("linux/arm64",)))
    assert document(plan)["build"] == {
        "method": "docker",
        "context": "source/app",
        "dockerfile": ".ocelot.Dockerfile",
        "arguments": [["A", "1=2"]],
        "target": "t",
        "secrets": ["npm"],
    }
    write_plan(plan, tmp_path)
    assert (tmp_path / "source/app/.ocelot.Dockerfile").read_text() == "FROM scratch\n"
    kept = json.loads((tmp_path / PLAN).read_text())
    assert kept["platforms"] == ["linux/arm64"]
    assert (
        kept["labels"]
        == image_origin(request(docker=options, platforms=("linux/arm64",)), SETTINGS).labels()
    )


def test_a_build_by_buildpacks_has_the_builder_by_digest_and_no_credentials_for_its_registry(
    tmp_path: Path,
) -> None:
    registries = Registries({"gcr.io/buildpacks/builder:v1": BUILDER})
    plan = planned(tmp_path, request(BUILDPACKS), registries)
    build = document(plan)["build"]
    assert build["container"]["image"] == f"gcr.io/buildpacks/builder@{DIGEST}"
    assert build["container"]["user"] == "1000:1001"
    assert build["credentials"] == {"variable": "CNB_REGISTRY_AUTH", "key": "r.example:5000"}
    access, _, platform = registries.asked[-1]
    assert (access, platform) == (RegistryAccess(host="gcr.io"), "linux/amd64")
    write_plan(plan, tmp_path)
    for each in build["container"]["folders"]:
        assert (tmp_path / each["source"]).is_dir()
    assert (tmp_path / "platform/env/A").read_text() == "1,2"
    assert {each["argv"][-1] for each in build["container"]["commands"]} >= {f"{NAME}:v1-01234567"}


def test_a_builder_in_the_own_registry_is_read_with_its_credentials(tmp_path: Path) -> None:
    build = BuildpacksBuild(builder_image="r.example:5000/builder:1", env=())
    registries = Registries({"r.example:5000/builder:1": BUILDER})
    planned(tmp_path, request(build), registries)
    assert registries.asked[-1][0].credentials == CREDENTIALS


def test_a_builder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GitOpsError, match="no builder image"):
        planned(tmp_path, request(BUILDPACKS))


def test_a_react_build_uses_the_configured_images_and_port(tmp_path: Path) -> None:
    image = f"mirror.example/node:18@{DIGEST}"
    changed = {
        "repository": "https://git.example/gitops",
        "registry": {"address": "r.example:5000", "ca": "ca.pem"},
        "nginx-port": 8080,
        "images": {"node": {"18": image}, "nginx": f"mirror.example/nginx@{DIGEST}"},
    }
    (tmp_path / "ca.pem").write_text("certificate")
    settings = image_settings(GitOps.model_validate(changed), tmp_path)
    plan = planned(tmp_path, request(REACT), settings=settings)
    found = document(plan)
    assert found["build"]["container"]["image"] == image
    assert found["build"]["server"]["image"] == f"mirror.example/nginx@{DIGEST}"
    assert (found["build"]["server"]["port"], found["build"]["server"]["user"]) == (8080, "101:101")
    assert found["registry"] == {"host": "r.example:5000", "tls": True, "authority": True}
    assert b"listen 8080;" in plan.files["nginx.conf"]


def test_the_own_certificates_are_part_of_a_buildpacks_plan(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("certificate")
    changed = {
        "repository": "https://git.example/gitops",
        "registry": {"address": "r.example:5000", "ca": "ca.pem"},
    }
    settings = image_settings(GitOps.model_validate(changed), tmp_path)
    registries = Registries({"gcr.io/buildpacks/builder:v1": BUILDER})
    plan = planned(tmp_path, request(BUILDPACKS), registries, settings=settings)
    assert plan.files["authority/registry.pem"] == b"certificate"


@pytest.mark.parametrize(
    "wanted",
    [
        request(platforms=("linux/s390x",)),
        request(BUILDPACKS, platforms=("linux/amd64", "linux/arm64")),
        request(BUILDPACKS, docker=DockerOptions(target="t")),
        request(REACT, docker=DockerOptions(arguments=(("A", "1"),))),
    ],
)
def test_options_that_do_not_fit_the_build_are_refused_before_anything_is_looked_up(
    tmp_path: Path, wanted: ImageRequest
) -> None:
    registries = Registries()
    with pytest.raises(UsageError):
        planned(tmp_path, wanted, registries)
    assert not registries.asked


def test_a_plan_has_no_password(tmp_path: Path) -> None:
    registries = Registries({"gcr.io/buildpacks/builder:v1": BUILDER})
    plan = planned(tmp_path, request(BUILDPACKS), registries)
    assert "s3cret" not in f"{plan.text()}{plan.files}{plan}"


def test_a_folder_with_files_is_not_written_to(tmp_path: Path) -> None:
    check_output(tmp_path)
    check_output(tmp_path / "new")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        check_output(tmp_path)


def test_reports_and_options_need_no_package_for_registries() -> None:
    shown = "import sys, pipeline.report.gitops, pipeline.cli.gitops; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert "httpx" not in done.stdout.split()


def test_a_missing_package_for_registries_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    installation.check_registry_package()
    monkeypatch.setattr(installation, "REGISTRY_PACKAGE", "no_such_package")
    with pytest.raises(GitOpsError, match="no_such_package"):
        installation.check_registry_package()
