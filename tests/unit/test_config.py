from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import BATCH, MINE, OTLP, SHIPPED, loaded, write_config

from pipeline.config.folder import load_config, tag_problems
from pipeline.config.gitops import GitOps
from pipeline.errors import UsageError
from pipeline.naming import CUSTOM_TAG
from pipeline.paths import config_folder

PRESETS = {
    "default",
    "full",
    "minimal",
    "minimal-asmauth",
    "minimal-clickhouse",
    "minimal-forwarder",
    "minimal-s3export",
    "minimal-signaltometrics",
    "minimal-spaneventtolog",
}

FOUR_GENERATIONS = f"""\
    eldest:
      config-file: eldest.yaml
      buildtags: [{OTLP}, {BATCH}]
    second:
      base: eldest
    third:
      base: second
      buildtags: [lambdacomponents.receiver.third, {OTLP}]
    youngest:
      base: third
      buildtags: [lambdacomponents.extension.youngest]
    """


@pytest.fixture
def generations(tmp_path: Path) -> Path:
    (tmp_path / "eldest.yaml").write_text("receivers: {}\n")
    return write_config(tmp_path, FOUR_GENERATIONS)


def test_the_shipped_config_has_every_preset_with_a_description() -> None:
    distributions = load_config(SHIPPED).distributions
    assert set(distributions) >= PRESETS
    assert [name for name, each in distributions.items() if not each.description] == []


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("default", ()),  # upstream's default set
        ("full", ("lambdacomponents.all", CUSTOM_TAG)),
        (
            "minimal",
            (
                CUSTOM_TAG,
                "lambdacomponents.exporter.otlphttp",
                BATCH,
                "lambdacomponents.processor.decouple",
                "lambdacomponents.receiver.otlp",
            ),
        ),
    ],
)
def test_the_shipped_sets(name: str, tags: tuple[str, ...]) -> None:
    assert load_config(SHIPPED).tags(name) == tags


@pytest.mark.parametrize("name", sorted(PRESETS - {"default", "full", "minimal"}))
def test_a_shipped_preset_of_minimal_adds_to_it(name: str) -> None:
    config = load_config(SHIPPED)
    assert set(config.tags(name)) > set(config.tags("minimal"))


def test_tags_of_all_generations_are_sorted_and_unique(generations: Path) -> None:
    config = load_config(generations)
    assert config.lineage("youngest") == ("youngest", "third", "second", "eldest")
    assert config.tags("second") == config.tags("eldest")
    assert config.tags("youngest") == (
        CUSTOM_TAG,
        OTLP,
        "lambdacomponents.extension.youngest",
        BATCH,
        "lambdacomponents.receiver.third",
    )


@pytest.mark.parametrize("tags", [OTLP, f"{OTLP}, {CUSTOM_TAG}, {OTLP}"])
def test_the_switch_for_a_selection_comes_of_itself_and_may_be_named(
    tmp_path: Path, tags: str
) -> None:
    assert loaded(tmp_path, f"a: {{buildtags: [{tags}]}}\n").tags("a") == (CUSTOM_TAG, OTLP)


@pytest.mark.parametrize("entry", ["{}", "", "{buildtags: []}", "{description: nothing}"])
def test_a_distribution_without_tags_is_upstreams_default(tmp_path: Path, entry: str) -> None:
    config = loaded(tmp_path, f"default: {entry}\nchild: {{base: default}}\n")
    assert (config.tags("default"), config.tags("child")) == ((), ())


def test_the_config_file_is_the_nearest_one(generations: Path) -> None:
    assert load_config(generations).config_file("youngest") == generations / "eldest.yaml"
    nearest = generations / "collector" / "nearest.yaml"
    nearest.parent.mkdir()
    nearest.write_text("exporters: {}\n")
    line = "youngest:\n      config-file: collector/nearest.yaml\n"
    config = load_config(write_config(generations, FOUR_GENERATIONS.replace("youngest:\n", line)))
    assert config.config_file("youngest") == nearest


def test_without_a_config_file_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path).config_file("minimal") is None


def test_a_module_alone_is_a_component(tmp_path: Path) -> None:
    short = loaded(tmp_path / "short", components=f"{MINE}: example.com/mine@v1.2.3\n")
    long = loaded(tmp_path / "long", components=f"{MINE}:\n  module: example.com/mine@v1.2.3\n")
    assert short.components == long.components


def test_two_components_of_one_module_at_one_version_are_fine(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        components="""\
            lambdacomponents.exporter.one: {module: example.com/m@v1.0.0, import: example.com/m/one}
            lambdacomponents.exporter.two: {module: example.com/m@v1.0.0, import: example.com/m/two}
            """,
    )
    assert [each.package for each in config.components.values()] == [
        "example.com/m/one",
        "example.com/m/two",
    ]


@pytest.mark.parametrize(("name", "guess"), [("minmal", "minimal"), ("zzz", "")])
def test_an_unknown_distribution_is_an_error_with_the_nearest_name(
    tmp_path: Path, name: str, guess: str
) -> None:
    config = loaded(tmp_path)
    assert config.distribution("minimal").buildtags == (OTLP,)
    with pytest.raises(UsageError, match=name) as caught:
        config.distribution(name)
    assert ("perhaps" in str(caught.value)) is bool(guess)
    assert guess in str(caught.value)
    assert "minimal" in caught.value.hint


@pytest.mark.parametrize(
    "tag", ["lambdacomponents.all", "lambdacomponents.exporter.all", CUSTOM_TAG, MINE]
)
def test_a_tag_for_many_or_of_components_yaml_needs_no_upstream_to_offer_it(
    tmp_path: Path, tag: str
) -> None:
    config = loaded(tmp_path, f"a: {{buildtags: [{tag}]}}\n", f"{MINE}: example.com/mine\n")
    assert tag_problems(config, [], "a") == ()


def test_the_config_folder_is_the_one_given_or_found_above_or_ocelots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path / "checkout" / "config")
    below = tmp_path / "checkout" / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert config_folder(None) == tmp_path / "checkout" / "config"
    assert config_folder(tmp_path / "other") == tmp_path / "other"
    monkeypatch.chdir(tmp_path)
    assert config_folder(None) == SHIPPED


TAG_NAMES = st.integers(0, 9).map("lambdacomponents.exporter.e{}".format)


@st.composite
def families(draw: st.DrawFn) -> dict[str, tuple[str | None, frozenset[str]]]:
    """Bases and tags by name, in any order; a distribution without a base has a tag."""
    count = draw(st.integers(1, 8))
    family: dict[str, tuple[str | None, frozenset[str]]] = {}
    for name in (f"d{at}" for at in range(count)):
        base = draw(st.none() | st.sampled_from(sorted(family))) if family else None
        family[name] = base, draw(st.frozensets(TAG_NAMES, min_size=0 if base else 1, max_size=4))
    return {name: family[name] for name in draw(st.permutations(sorted(family)))}


@given(families())
def test_tags_are_the_union_along_the_lineage(
    family: dict[str, tuple[str | None, frozenset[str]]],
) -> None:
    text = yaml.safe_dump(
        {name: {"base": base, "buildtags": list(tags)} for name, (base, tags) in family.items()},
        sort_keys=False,
    )
    with TemporaryDirectory() as folder:
        config = loaded(Path(folder), text)
    for name in family:
        expected = {CUSTOM_TAG}
        current: str | None = name
        while current:
            current, tags = family[current]
            expected |= tags
        assert config.tags(name) == tuple(sorted(expected))


def test_the_shipped_gitops_file_has_the_samples_values() -> None:
    gitops = load_config(SHIPPED).gitops
    assert gitops is not None
    assert gitops.repository == "https://github.com/openchoreo/sample-gitops"
    assert (gitops.branch, gitops.namespace) == ("main", "default")
    assert (gitops.registry.address, gitops.registry.tls) == ("host.k3d.internal:10082", False)
    assert (gitops.image_name, gitops.tag_prefix) == ("{project}-{component}-image", "v1")
    assert f"{gitops.commit.name} <{gitops.commit.email}>" == (
        "OpenChoreo GitOps <gitops@openchoreo.dev>"
    )
    # What the file spells out is also the default.
    short = GitOps(repository=gitops.repository, registry=gitops.registry)
    assert short == gitops


def test_the_certificate_authority_of_a_registry_is_a_file_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "gitops.yaml").write_text(
        "repository: git@github.com:acme/gitops.git\nregistry: {address: ghcr.io, ca: ca.pem}\n"
    )
    gitops = loaded(tmp_path).gitops
    assert gitops is not None
    assert gitops.registry.ca == "ca.pem"


def test_a_folder_without_gitops_file_has_none(tmp_path: Path) -> None:
    assert loaded(tmp_path).gitops is None
