from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import BATCH, MINE, OTLP, SHIPPED, loaded, write_config

from pipeline.build.catalog import offered_tags
from pipeline.config import load_config, tag_problems
from pipeline.errors import UsageError
from pipeline.files import read_tree
from pipeline.model import CUSTOM_TAG
from pipeline.project import config_folder, sample_upstream

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


def test_the_shipped_config_has_every_preset() -> None:
    assert set(load_config(SHIPPED).distributions) >= PRESETS


def test_the_shipped_presets_are_all_described() -> None:
    distributions = load_config(SHIPPED).distributions
    assert [name for name, each in distributions.items() if not each.description] == []


def test_the_shipped_default_is_upstreams_own_set() -> None:
    assert load_config(SHIPPED).tags("default") == ()


def test_the_shipped_full_set_is_everything() -> None:
    assert load_config(SHIPPED).tags("full") == ("lambdacomponents.all", CUSTOM_TAG)


def test_the_shipped_minimal_set_is_four_components() -> None:
    assert load_config(SHIPPED).tags("minimal") == (
        "lambdacomponents.custom",
        "lambdacomponents.exporter.otlphttp",
        "lambdacomponents.processor.batch",
        "lambdacomponents.processor.decouple",
        "lambdacomponents.receiver.otlp",
    )


@pytest.mark.parametrize("name", sorted(PRESETS - {"default", "full", "minimal"}))
def test_a_shipped_preset_of_minimal_adds_to_it(name: str) -> None:
    config = load_config(SHIPPED)
    assert set(config.tags(name)) > set(config.tags("minimal"))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_shipped_tags_are_offered_by_the_sample_or_by_components(name: str) -> None:
    offered = offered_tags(read_tree(sample_upstream() / "collector"))
    assert tag_problems(load_config(SHIPPED), offered, name) == ()


@pytest.mark.parametrize("name", ["minimal-s3export", "minimal-forwarder"])
def test_a_shipped_config_file_is_there(name: str) -> None:
    path = load_config(SHIPPED).config_file(name)
    assert path
    assert path.is_file()


def test_lineage_is_the_bases_nearest_first(generations: Path) -> None:
    config = load_config(generations)
    assert config.lineage("youngest") == ("youngest", "third", "second", "eldest")


def test_tags_of_all_generations_are_sorted_and_unique(generations: Path) -> None:
    assert load_config(generations).tags("youngest") == (
        CUSTOM_TAG,
        OTLP,
        "lambdacomponents.extension.youngest",
        BATCH,
        "lambdacomponents.receiver.third",
    )


def test_a_distribution_without_tags_of_its_own_has_its_bases(generations: Path) -> None:
    config = load_config(generations)
    assert config.tags("second") == config.tags("eldest")


def test_the_switch_for_a_selection_comes_of_itself(tmp_path: Path) -> None:
    assert loaded(tmp_path).tags("minimal") == (CUSTOM_TAG, OTLP)


def test_the_switch_may_be_named_too(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"named:\n  buildtags: [{OTLP}, {CUSTOM_TAG}, {OTLP}]\n")
    assert config.tags("named") == (CUSTOM_TAG, OTLP)


@pytest.mark.parametrize("entry", ["{}", "", "{buildtags: []}", "{description: nothing}"])
def test_a_distribution_without_tags_is_upstreams_default(tmp_path: Path, entry: str) -> None:
    assert loaded(tmp_path, f"default: {entry}\n").tags("default") == ()


def test_a_base_may_stand_below_its_child(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        f"child: {{base: parent, buildtags: [{BATCH}]}}\nparent: {{buildtags: [{OTLP}]}}\n",
    )
    assert config.tags("child") == (CUSTOM_TAG, OTLP, BATCH)


def test_a_child_of_the_default_set_without_tags_is_the_default_set(tmp_path: Path) -> None:
    assert loaded(tmp_path, "default: {}\nchild: {base: default}\n").tags("child") == ()


def test_the_config_file_is_the_nearest_bases(generations: Path) -> None:
    assert load_config(generations).config_file("youngest") == generations / "eldest.yaml"


def test_a_config_file_of_ones_own_takes_the_place_of_the_bases(generations: Path) -> None:
    (generations / "own.yaml").write_text("exporters: {}\n")
    text = FOUR_GENERATIONS.replace("youngest:\n", "youngest:\n      config-file: own.yaml\n")
    assert load_config(write_config(generations, text)).config_file("youngest") == (
        generations / "own.yaml"
    )


def test_without_a_config_file_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path).config_file("minimal") is None


def test_a_config_file_may_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    (tmp_path / "collector" / "a.yml").write_text("exporters: {}\n")
    config = loaded(tmp_path, "default: {config-file: collector/a.yml}\n")
    assert config.config_file("default") == tmp_path / "collector" / "a.yml"


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


def test_a_known_distribution_is_given(tmp_path: Path) -> None:
    assert loaded(tmp_path).distribution("minimal").buildtags == (OTLP,)


def test_an_unknown_distribution_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="perhaps you meant minimal") as caught:
        loaded(tmp_path).distribution("minmal")
    assert "minimal" in caught.value.hint


def test_a_word_like_no_distribution_is_told_without_a_guess(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path).distribution("zzz")
    assert str(caught.value) == "there is no distribution 'zzz'"


def test_a_tag_that_nobody_offers_is_told_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """\
        minimal:
          buildtags:
            - lambdacomponents.exporter.otlp
            - lambdacomponents.exporter.otlphtpp
        """,
    )
    offered = [OTLP, "lambdacomponents.exporter.otlphttp"]
    (problem,) = tag_problems(config, offered, "minimal")
    assert problem.line == 4
    assert "perhaps you meant lambdacomponents.exporter.otlphttp?" in problem.message


def test_a_tag_of_components_yaml_is_offered(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"a: {{buildtags: [{MINE}]}}\n", f"{MINE}: example.com/mine\n")
    assert tag_problems(config, [], "a") == ()


@pytest.mark.parametrize(
    "tag", ["lambdacomponents.all", "lambdacomponents.exporter.all", CUSTOM_TAG]
)
def test_a_tag_for_many_needs_nobody_to_offer_it(tmp_path: Path, tag: str) -> None:
    assert tag_problems(loaded(tmp_path, f"a: {{buildtags: [{tag}]}}\n"), [], "a") == ()


def test_the_overlay_lies_in_the_config_folder(tmp_path: Path) -> None:
    assert loaded(tmp_path).overlay == tmp_path / "overlay"


def test_the_config_folder_is_found_from_a_folder_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path / "config")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert config_folder(None) == tmp_path / "config"


def test_the_config_folder_given_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    assert config_folder(tmp_path / "other") == tmp_path / "other"


def test_far_from_any_config_ocelots_own_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_folder(None) == SHIPPED


TAG_NAMES = st.integers(0, 9).map("lambdacomponents.exporter.e{}".format)


@st.composite
def families(draw: st.DrawFn) -> dict[str, tuple[str | None, frozenset[str]]]:
    """Base and own tags by name, in any order; whoever has no base has a tag."""
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
        wanted = {CUSTOM_TAG}
        current: str | None = name
        while current:
            current, tags = family[current]
            wanted |= tags
        assert config.tags(name) == tuple(sorted(wanted))
