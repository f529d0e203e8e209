"""`ocelot gitops deploy` with the real occ: promotion, rollback and settings of one component."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
import yaml
from github_server import TOKEN
from gitops import COMPONENTS, NAMESPACE
from gitops_releasing import Shop, shop

from pipeline.build.git import CREDENTIAL_VARIABLE
from pipeline.errors import GitOpsError, OcelotError, UsageError
from pipeline.gitops.delivery import Delivered, Outcome
from pipeline.gitops.deploy import Deployment, DeployRequest, deploy
from pipeline.gitops.occ import Occ
from pipeline.gitops.parameters import component_ref
from pipeline.gitops.reading import GitOpsAddress

STAGING = f"{COMPONENTS}/catalog/release-bindings/catalog-staging.yaml"
DEVELOPMENT = f"{COMPONENTS}/catalog/release-bindings/catalog-development.yaml"


@pytest.fixture
def made(tmp_path: Path, occ: Occ, monkeypatch: pytest.MonkeyPatch) -> Generator[Shop]:
    """A shop whose catalog is released to development."""
    monkeypatch.setenv(CREDENTIAL_VARIABLE, TOKEN)
    monkeypatch.setenv("PATH", str(occ.program.parent), prepend=":")
    with shop(tmp_path, occ) as there:
        there.release()
        there.place.merge(there.place.pulls.items[0])
        yield there


def deployed(
    made: Shop, environment: str, *settings: str, release: str = "", name: str = "shop/catalog"
) -> Delivered[Deployment]:
    request = DeployRequest(
        name=component_ref(name, NAMESPACE),
        environment=environment,
        release=release,
        settings=settings,
        cache=made.folder / "cache",
        occ_version=made.occ.version,
    )
    target = made.place.target()
    address = GitOpsAddress(origin=target.remote, branch="main", namespace=NAMESPACE)
    return anyio.run(deploy, request, address, target)


def merge(made: Shop) -> None:
    made.place.merge(made.place.pulls.open[0])


def spec(made: Shop, path: str, branch: str = "main") -> dict[str, object]:
    return yaml.safe_load(made.place.text(path, branch))["spec"]


def first_release(made: Shop) -> str:
    return f"catalog-{made.commits[0][:8]}"


def test_the_previous_environments_release_is_promoted(made: Shop) -> None:
    result = deployed(made, "staging")
    assert result.outcome is Outcome.OPENED
    assert [each.path for each in result.proposal.changes] == [STAGING]
    assert spec(made, STAGING, result.branch)["releaseName"] == first_release(made)
    assert made.place.pulls.open[0].title == f"Deploy catalog to staging ({first_release(made)})"
    assert deployed(made, "staging").outcome is Outcome.UNCHANGED
    merge(made)
    assert deployed(made, "staging").branch == ""
    with pytest.raises(GitOpsError):
        deployed(made, "production", release="catalog-0")
    assert deployed(made, "production").outcome is Outcome.OPENED


def test_a_rollback_names_the_release(made: Shop) -> None:
    made.grow({"catalog/motd.txt": b"second\n"})
    made.release(at=1)
    merge(made)
    result = deployed(made, "development", release=first_release(made))
    assert (result.outcome, result.proposal.result.previous) == (
        Outcome.OPENED,
        f"catalog-{made.commits[1][:8]}",
    )
    assert spec(made, DEVELOPMENT, result.branch)["releaseName"] == first_release(made)


def test_settings_alone_keep_the_release_and_the_files_text(made: Shop) -> None:
    deployed(made, "staging")
    merge(made)
    text = "# staging of the catalog\n" + made.place.text(STAGING, "main") + "\n"
    made.place.add({STAGING: text.encode()})
    made.grow({"catalog/motd.txt": b"second\n"})
    made.release(at=1)
    merge(made)
    result = deployed(made, "staging", "replicas=3")
    assert result.outcome is Outcome.OPENED
    expected = f"{text}  componentTypeEnvironmentConfigs:\n    replicas: 3"
    assert made.place.text(STAGING, result.branch) == expected
    assert "replicas=3" in made.place.pulls.open[0].body


def test_settings_with_a_first_promotion(made: Shop) -> None:
    result = deployed(made, "staging", "replicas=2")
    found = spec(made, STAGING, result.branch)
    assert found["releaseName"] == first_release(made)
    assert found["componentTypeEnvironmentConfigs"] == {"replicas": 2}


@pytest.mark.parametrize("setting", ["replica=3", "replicas=many", "replicas", "replicas=$(id)"])
def test_a_setting_that_the_type_lacks_is_refused(made: Shop, setting: str) -> None:
    with pytest.raises(UsageError):
        deployed(made, "staging", setting)
    assert made.place.branches == [made.place.pulls.items[0].head]


@pytest.mark.parametrize(
    ("environment", "release", "kind"),
    [
        ("stagign", "", UsageError),
        ("development", "", UsageError),
        ("production", "", GitOpsError),
        ("staging", "catalog-12345678", GitOpsError),
        ("$(id)", "", OcelotError),
        ("staging", "../../x", OcelotError),
    ],
)
def test_what_cannot_be_deployed_is_told(
    made: Shop, environment: str, release: str, kind: type[OcelotError]
) -> None:
    with pytest.raises(kind) as caught:
        deployed(made, environment, release=release)
    assert caught.value.hint
    assert len(made.place.branches) == 1


def test_the_command(made: Shop) -> None:
    found = made.json("deploy", "shop/catalog", "--environment", "staging", "--set", "replicas=4")
    assert {key: found[key] for key in ("outcome", "environment", "release", "settings")} == {
        "outcome": "opened",
        "environment": "staging",
        "release": first_release(made),
        "settings": {"replicas": 4},
    }
    ran = made.command(
        "deploy", "shop/catalog", "--environment", "staging", "--set", "replicas=5", "--dry-run"
    )
    assert (ran.code, "+    replicas: 5\n" in ran.out) == (0, True)
    assert made.command("deploy", "shop/catalog", "--environment", "nowhere").code == 2
