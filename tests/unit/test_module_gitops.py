"""The module's steps for an image: those of the plan, with secrets where they are needed alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dagger
import gql
import pytest
from dagger import dag
from dagger._exceptions import QueryErrorValue
from image_examples import (
    BUILDER,
    BUILDPACKS,
    DIGEST,
    NAME,
    REACT,
    Registries,
    planned,
    request,
    there,
)
from module_chain import Chain, Engine, awaited

from pipeline.gitops.image.docker import DockerOptions
from pipeline.gitops.image.plan import ImagePlan
from pipeline.gitops_options import ImageOptions
from pipeline.module.gitops import ADDRESS, ImageAccess, ImageSteps, Plan, by_digest
from pipeline.module.steps import Steps

SECRET = dag.set_secret("name", "plain")
SERVICE = dag.container().as_service()
TAGGED = f"{NAME}:v1-01234567"


def engine(**answers: Any) -> Engine:  # noqa: ANN401  answers of different types
    report = f'[image]\ndigest = "{DIGEST}"\n'
    defaults = {"contents": report, "plaintext": "s3cret", "publish": f"{TAGGED}@{DIGEST}"}
    return Engine({**defaults, **answers})


ACCESS = ImageAccess(registry_password=SECRET)


def made(
    plan: ImagePlan, given: Engine, user: str | None = "me", access: ImageAccess = ACCESS
) -> str:
    """Return the image that the module makes of a plan."""
    steps = Steps(dag.directory(), ImageAccess())
    work = ImageSteps(steps, access, ImageOptions(registry_user=user))
    value = Plan(dag.directory(), json.loads(plan.text()))
    return str(awaited(given, partial(work.image, value)))


def published(given: Engine) -> Chain:
    (found,) = [each for each in given.awaited if each.fields[-1].name == "publish"]
    return found


@pytest.fixture
def buildpacks(tmp_path: Path) -> ImagePlan:
    registries = Registries({"gcr.io/buildpacks/builder:v1": BUILDER})
    return planned(tmp_path, request(BUILDPACKS), registries)


def test_an_image_that_is_there_runs_nothing(tmp_path: Path) -> None:
    given = engine()
    plan = planned(tmp_path, request(), there(request()))
    assert made(plan, given) == f"{NAME}@{DIGEST}"
    assert not given.awaited


def test_a_dockerfile_is_built_with_its_options_and_published_with_labels(tmp_path: Path) -> None:
    options = DockerOptions(arguments=(("A", "1=2"),), target="t", secrets=("npm",))
    plan = planned(tmp_path, request(docker=options))
    given = engine()
    assert made(plan, given, access=replace(ACCESS, build_secret=[SECRET])) == f"{NAME}@{DIGEST}"
    chain = published(given)
    assert chain.calls("directory")[-1] == {"path": "source/app"}
    (build,) = chain.calls("dockerBuild")
    assert build["dockerfile"] == ".ocelot.Dockerfile"
    assert build["target"] == "t"
    assert build["buildArgs"] == [{"name": "A", "value": "1=2"}]
    (secret,) = build["secrets"]
    assert given.chain(secret).fields[-1].args == {"name": "npm", "plaintext": "s3cret"}
    labels = {each["name"]: each["value"] for each in chain.calls("withLabel")}
    assert labels == plan.labels
    (auth,) = chain.calls("withRegistryAuth")
    assert (auth["address"], auth["username"]) == ("r.example:5000", "me")
    assert chain.fields[-1].args["address"] == TAGGED


@pytest.mark.parametrize("secrets", [[], [SECRET, SECRET]])
def test_each_secret_of_a_build_needs_its_id(tmp_path: Path, secrets: list[dagger.Secret]) -> None:
    plan = planned(tmp_path, request(docker=DockerOptions(secrets=("npm",))))
    with pytest.raises(ValueError, match="--build-secret-id"):
        made(plan, engine(), access=replace(ACCESS, build_secret=secrets))


def test_each_platform_is_built_and_published_under_one_name(tmp_path: Path) -> None:
    plan = planned(tmp_path, request(platforms=("linux/amd64", "linux/arm64")))
    given = engine()
    made(plan, given)
    chain = published(given)
    (other,) = chain.fields[-1].args["platformVariants"]
    chains = (chain, given.chain(other))
    platforms = [each.calls("dockerBuild")[0]["platform"] for each in chains]
    assert platforms == ["linux/amd64", "linux/arm64"]
    assert all(len(each.calls("withLabel")) == len(plan.labels) for each in chains)


def test_without_a_user_nobody_signs_in(tmp_path: Path, buildpacks: ImagePlan) -> None:
    given = engine()
    made(planned(tmp_path / "docker", request()), given, user=None)
    assert not published(given).calls("withRegistryAuth")
    made(buildpacks, given, access=ImageAccess())
    assert not any(each.secrets for each in given.awaited)


def phases(given: Engine) -> dict[str, Chain]:
    """Return the chain up to each phase of the lifecycle."""
    ran = [each for each in given.awaited if each.calls("withExec")]
    chains = [each for each in ran if each.fields[-1].name == "sync"]
    return {each.calls("withExec")[-1]["args"][0].rpartition("/")[2]: each for each in chains}


def live(chain: Chain, variable: str) -> bool:
    """Return True if a variable is set at the end of a chain."""
    names = ("withSecretVariable", "withEnvVariable")
    ends = ("withoutSecretVariable", "withoutEnvVariable")
    found = [each.name for each in chain.fields if each.args.get("name") == variable]
    known = [each for each in found if each in (*names, *ends)]
    return bool(known) and known[-1] in names


def test_the_phases_run_as_the_builders_user_and_only_three_see_the_credentials(
    buildpacks: ImagePlan,
) -> None:
    given = engine()
    assert made(buildpacks, given) == f"{NAME}@{DIGEST}"
    ran = phases(given)
    assert list(ran) == ["chown", "analyzer", "detector", "restorer", "builder", "exporter"]
    seen = [name for name, chain in ran.items() if live(chain, "CNB_REGISTRY_AUTH")]
    assert seen == ["analyzer", "restorer", "exporter"]
    for name, chain in ran.items():
        assert chain.calls("withUser")[-1]["name"] == ("root" if name == "chown" else "1000:1001")
        assert "OCELOT_CALL" in chain.variables
    commands = [each["args"] for each in ran["exporter"].calls("withExec")]
    assert buildpacks.build
    expected = json.loads(buildpacks.text())["build"]["container"]["commands"]
    assert commands == [each["argv"] for each in expected]


def test_the_lifecycle_gets_the_credentials_as_it_reads_them(buildpacks: ImagePlan) -> None:
    given = engine()
    made(buildpacks, given)
    (set_first, *_) = phases(given)["analyzer"].calls("withSecretVariable")
    secret = given.chain(set_first["secret"]).fields[-1].args
    header = json.loads(secret["plaintext"])["r.example:5000"]
    assert base64.b64decode(header.removeprefix("Basic ")) == b"me:s3cret"


def test_folders_and_caches_belong_to_the_builders_user(buildpacks: ImagePlan) -> None:
    given = engine()
    made(buildpacks, given)
    chain = phases(given)["exporter"]
    owners = {each["path"]: each["owner"] for each in chain.calls("withDirectory")}
    assert owners == dict.fromkeys(("/workspace", "/platform", "/ocelot", "/layers"), "1000:1001")
    (cache,) = chain.calls("withMountedCache")
    assert (cache["path"], cache["owner"]) == ("/cnb-cache", "1000:1001")


def test_a_registry_that_is_a_service_is_bound_and_published_to(
    tmp_path: Path, buildpacks: ImagePlan
) -> None:
    given = engine()
    made(buildpacks, given, access=replace(ACCESS, registry_service=SERVICE))
    (bound,) = phases(given)["exporter"].calls("withServiceBinding")
    assert bound["alias"] == "r.example"
    made(
        planned(tmp_path / "docker", request()),
        given,
        access=replace(ACCESS, registry_service=SERVICE),
    )
    assert published(given).fields[-1].args["registryService"]


def exec_error(code: int) -> dagger.ExecError:
    extensions: dict[str, Any] = {
        "_type": "EXEC_ERROR",
        "exitCode": code,
        "stdout": "",
        "stderr": "",
        "cmd": [],
    }
    value = QueryErrorValue(f"exit code: {code}", extensions=extensions)
    error = dagger.QueryError([value], gql.gql("{ container { sync } }"))
    assert isinstance(error, dagger.ExecError)
    return error


def failing(program: str, code: int) -> Callable[[Chain], object]:
    """Return the engine's answer that has a program fail."""

    def answer(chain: Chain) -> object:
        lines = chain.calls("withExec")
        return exec_error(code) if lines and lines[-1]["args"][0].endswith(program) else None

    return answer


@pytest.mark.parametrize(
    ("program", "code", "meaning"),
    [
        ("detector", 20, "detector: no buildpack of the builder fits"),
        ("analyzer", 11, "platform API"),
        ("exporter", 3, "refuses the credentials"),
        ("builder", 51, "a buildpack failed"),
    ],
)
def test_an_exit_code_of_the_lifecycle_is_explained(
    buildpacks: ImagePlan, program: str, code: int, meaning: str
) -> None:
    with pytest.raises(ValueError, match=meaning) as caught:
        made(buildpacks, engine(sync=failing(program, code)))
    assert isinstance(caught.value.__cause__, dagger.ExecError)


def test_an_exit_code_that_is_not_known_is_the_engines_error(buildpacks: ImagePlan) -> None:
    with pytest.raises(dagger.ExecError):
        made(buildpacks, engine(sync=failing("builder", 99)))


def test_a_react_application_is_built_by_node_and_served_by_nginx(tmp_path: Path) -> None:
    (tmp_path / "source/app").mkdir(parents=True)
    (tmp_path / "source/app/yarn.lock").write_text("# yarn lockfile v1\n")
    plan = planned(tmp_path, request(REACT))
    given = engine()
    assert made(plan, given) == f"{NAME}@{DIGEST}"
    chain = published(given)
    assert [each["name"] for each in chain.calls("withUser")] == ["0:0"]
    assert chain.calls("withExposedPort")[0]["port"] == 80
    config = chain.calls("withFile")[0]
    assert config["path"] == "/etc/nginx/nginx.conf"
    pages = chain.source("/usr/share/nginx/html")
    assert pages.fields[-1].args == {"path": "/source/app/build"}
    ran = [each["args"] for each in pages.calls("withExec")]
    assert [each[0] for each in ran] == ["npm", "yarn", "sh", "test"]
    users = [each["name"] for each in pages.calls("withUser")]
    assert users == ["node", "root", "node"]
    assert not pages.secrets


def query_error(*_: object) -> dagger.QueryError:
    return dagger.QueryError([QueryErrorValue("http: server gave HTTP response")], gql.gql("{ a }"))


def test_a_registry_without_tls_that_the_engine_does_not_push_to_is_told(tmp_path: Path) -> None:
    plan = planned(tmp_path, request())
    given = engine(publish=query_error())
    with pytest.raises(dagger.QueryError):
        made(plan, given)
    document = json.loads(plan.text())
    document["registry"]["tls"] = False
    steps = ImageSteps(Steps(dag.directory(), ImageAccess()), ImageAccess(), ImageOptions())
    work = partial(steps.image, Plan(dag.directory(), document))
    with pytest.raises(ValueError, match="--registry-service"):
        awaited(given, work)


def test_the_registrys_password_is_plain_nowhere(tmp_path: Path, buildpacks: ImagePlan) -> None:
    given = engine()
    made(buildpacks, given)
    made(planned(tmp_path / "docker", request()), given)
    for chain in (inner for each in given.awaited for inner in each.all_chains()):
        shown = str([each.args for each in chain.fields if each.name != "setSecret"])
        assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("registry:\n  address: r.example:5000/acme\n", "r.example:5000"),
        ("registry:\n    address: 'localhost:1'  # local\n", "localhost:1"),
        ("# address: old\nregistry: {address: r.example, tls: false}\n", "r.example"),
    ],
)
def test_the_registrys_host_is_read_from_the_config(text: str, host: str) -> None:
    found = ADDRESS.search(text)
    assert found
    assert found[1] == host


@pytest.mark.parametrize("reference", [f"{TAGGED}@{DIGEST}", f"{NAME}@{DIGEST}"])
def test_an_image_is_named_by_its_digest_alone(reference: str) -> None:
    assert by_digest(reference) == f"{NAME}@{DIGEST}"
