"""Builds of images as plans: by Dockerfile, by buildpacks, by Node.js."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.image.buildpacks import (
    BUILDER_METADATA,
    LIFECYCLE_APIS,
    BuilderImage,
    ImageTarget,
    builder,
    buildpacks_container,
    buildpacks_files,
    credentials_key,
)
from pipeline.gitops.image.docker import DockerOptions, docker_options, docker_steps
from pipeline.gitops.image.folders import SourceFolder
from pipeline.gitops.image.react import (
    NODE_IMAGES,
    Application,
    Server,
    nginx_config,
    packages,
    react_steps,
)
from pipeline.gitops.image.registry import Image

NO_OPTIONS = DockerOptions()


def written(root: Path, files: dict[str, str]) -> SourceFolder:
    """Return a checkout with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourceFolder(root)


@pytest.mark.parametrize(
    ("context", "dockerfile", "inside"),
    [
        (".", "Dockerfile", "Dockerfile"),
        (".", "app/build/Dockerfile", "app/build/Dockerfile"),
        ("app", "app/build/Dockerfile", "build/Dockerfile"),
        ("app/build", "app/build/Dockerfile", "Dockerfile"),
    ],
)
def test_a_dockerfile_in_its_context_is_used_where_it_is(
    tmp_path: Path, context: str, dockerfile: str, inside: str
) -> None:
    folder = written(tmp_path, {"Dockerfile": "", "app/build/Dockerfile": ""})
    steps = docker_steps(folder, context, dockerfile, NO_OPTIONS)
    assert (steps.context, steps.dockerfile, steps.files) == (context, inside, {})
    assert steps.document("source")["context"] == str(Path("source", context))


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({}, ""),
        ({"app/.dockerignore": "*.log"}, "*.log\n"),
        ({"build/Dockerfile.dockerignore": "*\n!src\n"}, "*\n!src\n"),
        ({"build/Dockerfile.dockerignore": "*\n!src\n", "app/.dockerignore": "no"}, "*\n!src\n"),
        ({"build/Dockerfile.dockerignore": "", "app/.dockerignore": "*.log\n"}, "*.log\n"),
    ],
)
def test_a_dockerfile_outside_is_laid_in_with_the_rules_that_count_for_it(
    tmp_path: Path, files: dict[str, str], rules: str
) -> None:
    every = {"app/main.c": "", "build/Dockerfile": "FROM scratch\n", ".dockerignore": "x", **files}
    steps = docker_steps(written(tmp_path, every), "app", "build/Dockerfile", NO_OPTIONS)
    name = steps.dockerfile
    assert steps.files == {
        f"app/{name}": b"FROM scratch\n",
        f"app/{name}.dockerignore": f"{rules}/{name}\n/{name}.dockerignore\n".encode(),
    }


def test_a_name_of_the_source_is_not_overwritten(tmp_path: Path) -> None:
    taken = {"app/.ocelot.Dockerfile": "", "app/.ocelot.Dockerfile-2.dockerignore": ""}
    folder = written(tmp_path, {"Dockerfile": "", **taken})
    steps = docker_steps(folder, "app", "Dockerfile", NO_OPTIONS)
    assert steps.dockerfile == ".ocelot.Dockerfile-3"


@pytest.mark.parametrize(
    ("context", "dockerfile"),
    [("no", "Dockerfile"), ("Dockerfile", "Dockerfile"), (".", "no"), (".", "app"), ("out", "x")],
)
def test_a_missing_context_or_dockerfile_is_an_error(
    tmp_path: Path, context: str, dockerfile: str
) -> None:
    folder = written(tmp_path / "source", {"Dockerfile": "", "app/x": ""})
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "source/link").symlink_to(tmp_path / "secret")
    (tmp_path / "source/out").symlink_to(tmp_path)
    (tmp_path / "source/loop").symlink_to("loop")
    with pytest.raises(GitOpsError):
        docker_steps(folder, context, dockerfile, NO_OPTIONS)
    for each in ("link", "loop", "out/secret"):
        with pytest.raises(GitOpsError):
            docker_steps(folder, ".", each, NO_OPTIONS)


def test_options_of_a_build_by_dockerfile() -> None:
    found = docker_options(["A=1", "B=x=y, z"], "test", ["npm", "npm"])
    assert found == DockerOptions(
        arguments=(("A", "1"), ("B", "x=y, z")), target="test", secrets=("npm",)
    )


@pytest.mark.parametrize(
    ("arguments", "secrets"),
    [(["A"], []), (["=1"], []), (["a b=1"], []), ([], ["a,b"]), ([], [""])],
)
def test_options_that_cannot_be_used_are_refused(arguments: list[str], secrets: list[str]) -> None:
    with pytest.raises(UsageError):
        docker_options(arguments, "", secrets)


def builder_image(
    supported: list[str] | None = None, *, uid: str = "1001", labels: dict[str, str] | None = None
) -> Image:
    metadata = {"lifecycle": {"apis": {"platform": {"supported": supported or ["0.12", "0.14"]}}}}
    return Image(
        digest="sha256:" + "b" * 64,
        platforms=("linux/amd64",),
        labels=labels if labels is not None else {BUILDER_METADATA: json.dumps(metadata)},
        environment={"CNB_USER_ID": uid, "CNB_GROUP_ID": "33"},
    )


@pytest.mark.parametrize(
    ("image", "api"),
    [
        (builder_image(), "0.14"),
        (builder_image(["0.9", "0.10"]), "0.10"),
        (builder_image(["0.14", "0.99", "1.0"]), "0.14"),
        (builder_image(labels={LIFECYCLE_APIS: '{"platform": {"supported": ["0.13"]}}'}), "0.13"),
        (
            builder_image(labels={BUILDER_METADATA: '{"lifecycle":{"api":{"platform":"0.8"}}}'}),
            "0.8",
        ),
    ],
)
def test_the_newest_platform_api_of_both_is_used(image: Image, api: str) -> None:
    assert builder("r.example/b@sha256:1", image) == BuilderImage(
        image="r.example/b@sha256:1", user="1001:33", platform_api=api
    )


@pytest.mark.parametrize(
    "image",
    [
        builder_image(["0.3"]),
        builder_image(labels={}),
        builder_image(labels={BUILDER_METADATA: "no JSON", LIFECYCLE_APIS: "[]"}),
        builder_image(labels={BUILDER_METADATA: '{"lifecycle": {"apis": []}}'}),
        builder_image(uid="0"),
        builder_image(uid=""),
        builder_image(uid="cnb"),
    ],
)
def test_an_image_that_is_no_builder_or_too_old_is_an_error(image: Image) -> None:
    with pytest.raises(GitOpsError):
        builder("r.example/b@sha256:1", image)


BUILDER = BuilderImage(image="r.example/b@sha256:1", user="1001:33", platform_api="0.14")


def target(*, tls: bool = True, authority: bool = False) -> ImageTarget:
    return ImageTarget(
        image="r.example:5000/a:v1-1",
        host="r.example:5000",
        tls=tls,
        authority=authority,
        cache="c",
    )


def test_only_the_phases_that_need_the_registry_see_its_credentials() -> None:
    container = buildpacks_container("source/app", BUILDER, target())
    assert [(each.name, each.credentials) for each in container.commands] == [
        ("folders", False),
        ("analyzer", True),
        ("detector", False),
        ("restorer", True),
        ("builder", False),
        ("exporter", True),
    ]
    assert [each.name for each in container.commands if each.root] == ["folders"]
    assert "CNB_REGISTRY_AUTH" not in str(container)


def test_each_phase_has_the_flags_of_its_program() -> None:
    container = buildpacks_container("source/app", BUILDER, target())
    lines = {each.name: " ".join(each.argv) for each in container.commands}
    assert lines == {
        "folders": "chown 1001:33 /workspace /layers /cnb-cache",
        "analyzer": "/cnb/lifecycle/analyzer -layers=/layers -uid=1001 -gid=33 "
        "r.example:5000/a:v1-1",
        "detector": "/cnb/lifecycle/detector -app=/workspace -layers=/layers -platform=/platform",
        "restorer": "/cnb/lifecycle/restorer -layers=/layers -cache-dir=/cnb-cache -uid=1001 "
        "-gid=33",
        "builder": "/cnb/lifecycle/builder -app=/workspace -layers=/layers -platform=/platform",
        "exporter": "/cnb/lifecycle/exporter -app=/workspace -layers=/layers "
        "-cache-dir=/cnb-cache -project-metadata=/ocelot/project-metadata.toml "
        "-report=/layers/report.toml -uid=1001 -gid=33 r.example:5000/a:v1-1",
    }
    assert container.environment["CNB_PLATFORM_API"] == "0.14"
    assert container.user == "1001:33"


def test_exit_codes_of_the_lifecycle_are_explained() -> None:
    container = buildpacks_container("source/app", BUILDER, target())
    phases = {each.name: each.failures for each in container.commands if not each.root}
    assert "no buildpack" in phases["detector"][20]
    assert {name for name, codes in phases.items() if "credentials" in codes.get(3, "")} == {
        *("analyzer", "restorer", "exporter")
    }
    assert all("platform API" in codes[11] for codes in phases.values())


def test_a_registry_without_tls_and_one_with_its_own_authority() -> None:
    plain = buildpacks_container("source", BUILDER, target(tls=False))
    assert plain.registry_environment == {"CNB_INSECURE_REGISTRIES": "r.example:5000"}
    own = buildpacks_container("source", BUILDER, target(authority=True))
    (directory,) = own.registry_environment.values()
    assert directory.split(":") == ["/ocelot/authority", "/etc/ssl/certs"]
    assert "authority" in [each.source for each in own.folders]
    old = BuilderImage(image="b", user="1:1", platform_api="0.12")
    with pytest.raises(GitOpsError, match="without TLS"):
        buildpacks_container("source", old, target(tls=False))


def test_variables_are_files_and_facts_are_project_metadata() -> None:
    labels = {
        "org.opencontainers.image.revision": "0" * 40,
        "org.opencontainers.image.source": "https://git.example/shop.git",
        "ocelot.gitops.project": 'sh"op',
    }
    variables = (("GOFLAGS", "-tags=a,b c=d"), ("EMPTY", ""))
    files = dict(buildpacks_files(variables, labels))
    project = tomllib.loads(files.pop("project/project-metadata.toml").decode())
    assert project["source"]["version"] == {"commit": "0" * 40}
    assert project["source"]["metadata"].items() >= labels.items()
    assert files == {"platform/env/GOFLAGS": b"-tags=a,b c=d", "platform/env/EMPTY": b""}


def test_docker_hub_has_a_name_of_its_own_in_credentials() -> None:
    assert credentials_key("docker.io") == "index.docker.io"
    assert credentials_key("r.example:5000") == "r.example:5000"


CLASSIC = "# yarn lockfile v1\n"
PACKAGE = '{"name": "web"}'


@pytest.mark.parametrize(
    ("files", "manager", "install"),
    [
        ({"package-lock.json": "{}"}, "", "npm ci"),
        ({"npm-shrinkwrap.json": "{}"}, "", "npm ci"),
        ({"package-lock.json": "{}", "yarn.lock": CLASSIC}, "", "npm ci"),
        ({}, "", "npm install"),
        ({"yarn.lock": CLASSIC}, "yarn@1.22.22", "yarn install --frozen-lockfile"),
        (
            {"yarn.lock": "__metadata:\n  version: 8\n"},
            "@yarnpkg/cli-dist@4.12",
            "yarn install --immutable",
        ),
        (
            {
                "yarn.lock": "__metadata:\n  version: 6\n",
                "package.json": '{"packageManager": "yarn@3.8.7"}',
            },
            "@yarnpkg/cli-dist@3.8.7",
            "yarn install --immutable",
        ),
        (
            {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"},
            "pnpm@9",
            "pnpm install --frozen-lockfile",
        ),
        ({"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm@7", "pnpm install --frozen-lockfile"),
        (
            {
                "pnpm-lock.yaml": "lockfileVersion: '99'\n",
                "package.json": '{"packageManager": "pnpm@9.1.0+sha512.aa"}',
            },
            "pnpm@9.1.0",
            "pnpm install --frozen-lockfile",
        ),
        (
            {"yarn.lock": CLASSIC, "package.json": '{"packageManager": "yarn@--prefix=/"}'},
            "yarn@1.22.22",
            "yarn install --frozen-lockfile",
        ),
        ({"yarn.lock": CLASSIC, "package.json": "[]"}, "yarn@1.22.22", None),
        ({"yarn.lock": CLASSIC, "package.json": "no JSON"}, "yarn@1.22.22", None),
    ],
)
def test_packages_are_installed_by_the_lock_file_that_is_there(
    tmp_path: Path, files: dict[str, str], manager: str, install: str | None
) -> None:
    every = {f"web/{name}": text for name, text in {"package.json": PACKAGE, **files}.items()}
    found = packages(written(tmp_path, every), "web")
    assert found.manager == manager
    assert install is None or " ".join(found.install) == install


@pytest.mark.parametrize(
    "files", [{"yarn.lock": "__metadata:\n  version: 99\n"}, {"pnpm-lock.yaml": "x: 1\n"}]
)
def test_a_lock_file_of_an_unknown_version_is_an_error(
    tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(GitOpsError, match="not known"):
        packages(written(tmp_path, {"package.json": PACKAGE, **files}), ".")
    with pytest.raises(GitOpsError, match=r"package\.json"):
        packages(written(tmp_path, files), "web")


def steps(root: Path, port: int = 80, command: str = "npm run build") -> dict[str, Any]:
    folder = written(root, {"web/package.json": PACKAGE, "web/yarn.lock": CLASSIC})
    application = Application(folder="web", build_command=command, output_dir="build")
    server = Server(image="nginx@sha256:1", port=port)
    return react_steps(folder, application, NODE_IMAGES["18"], server).document()


def test_a_react_build_runs_as_node_and_only_its_package_manager_is_installed_as_root(
    tmp_path: Path,
) -> None:
    found = steps(tmp_path, command="npm run build; $(id)")
    container = found["container"]
    assert [(each["argv"], each["root"]) for each in container["commands"]] == [
        (["npm", "install", "--global", "--force", "yarn@1.22.22"], True),
        (["yarn", "install", "--frozen-lockfile"], False),
        (["sh", "-c", "npm run build; $(id)"], False),
        (["test", "-f", "/source/web/build/index.html"], False),
    ]
    assert (container["user"], container["workdir"]) == ("node", "/source/web")
    assert found["result"] == "/source/web/build"


@pytest.mark.parametrize(
    ("port", "user"), [(80, "0:0"), (1023, "0:0"), (1024, "101:101"), (8080, "101:101")]
)
def test_nginx_is_not_root_where_the_port_allows(port: int, user: str) -> None:
    assert Server(image="nginx", port=port).user == user
    assert f"listen {port};" in nginx_config(port)
    assert ("user nginx;" in nginx_config(port)) == (user == "0:0")


def test_images_of_tools_are_named_by_digest() -> None:
    assert set(NODE_IMAGES) == {"16", "18", "20", "22"}
    for version, image in NODE_IMAGES.items():
        assert re.fullmatch(rf"node:{version}-alpine@sha256:[0-9a-f]{{64}}", image)
