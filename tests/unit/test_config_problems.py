from __future__ import annotations

from pathlib import Path

import pytest
from unit_examples import BATCH, MINE, OTLP, loaded, told, write_config

from pipeline.config import load_config
from pipeline.errors import ConfigError

ROOT = f"root: {{buildtags: [{OTLP}]}}\n"


def problems(folder: Path, distributions: str, components: str = "{}\n") -> list[str]:
    return told(write_config(folder, distributions, components))


def test_an_unknown_base_is_told_with_the_nearest(tmp_path: Path) -> None:
    assert problems(tmp_path, "minimal: {}\nother:\n  base: minmal\n") == [
        "distributions.yaml:3: other.base: no 'minmal'; perhaps you meant minimal?"
    ]


def test_a_base_that_is_itself_broken_is_not_told_as_unknown(tmp_path: Path) -> None:
    assert problems(tmp_path, "broken:\n  buildtags: 3\nchild:\n  base: broken\n") == [
        "distributions.yaml:2: broken.buildtags: Input should be a valid tuple"
    ]


def test_a_distribution_that_is_its_own_base_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, "self:\n  base: self\n") == [
        "distributions.yaml:2: self.base: the bases go in a circle: self -> self"
    ]


def test_a_cycle_of_bases_is_told_with_the_line_of_each_in_it(tmp_path: Path) -> None:
    text = """\
        outside:
          base: one
        one:
          base: two
        two:
          base: three
        three:
          base: one
        """
    assert problems(tmp_path, text) == [
        "distributions.yaml:4: one.base: the bases go in a circle: one -> two -> three -> one",
        "distributions.yaml:6: two.base: the bases go in a circle: two -> three -> one -> two",
        "distributions.yaml:8: three.base: the bases go in a circle: three -> one -> two -> three",
    ]


def test_tags_over_a_base_without_any_are_told(tmp_path: Path) -> None:
    (message,) = problems(
        tmp_path, f"default: {{}}\nchild:\n  base: default\n  buildtags: [{OTLP}]\n"
    )
    assert message.startswith("distributions.yaml:3: child.base: default has no build tags")


def test_tags_over_a_base_whose_own_base_has_some_are_fine(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{ROOT}a: {{base: root}}\nb: {{base: a, buildtags: [{BATCH}]}}\n")
    assert BATCH in config.tags("b")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("buildtag", "buildtags"),
        ("build-tags", "buildtags"),
        ("config_file", "config-file"),
        ("bsae", "base"),
        ("descripton", "description"),
    ],
)
def test_an_unknown_key_of_a_distribution_is_told_with_the_nearest(
    tmp_path: Path, key: str, meant: str
) -> None:
    assert problems(tmp_path, f"minimal:\n  {key}: x\n") == [
        f"distributions.yaml:2: minimal.{key}: unknown key; perhaps you meant {meant}?"
    ]


@pytest.mark.parametrize(
    ("key", "meant"), [("modul", "module"), ("imports", "import"), ("factori", "factory")]
)
def test_an_unknown_key_of_a_component_is_told_with_the_nearest(
    tmp_path: Path, key: str, meant: str
) -> None:
    components = f"{MINE}:\n  module: example.com/m\n  {key}: x\n"
    assert problems(tmp_path, ROOT, components) == [
        f"components.yaml:3: {MINE}.{key}: unknown key; perhaps you meant {meant}?"
    ]


def test_a_key_like_no_other_is_told_without_a_guess(tmp_path: Path) -> None:
    assert problems(tmp_path, "minimal:\n  zzz: 1\n") == [
        "distributions.yaml:2: minimal.zzz: unknown key"
    ]


def test_a_merge_key_is_told(tmp_path: Path) -> None:
    text = f"""\
        root: &root
          buildtags: [{OTLP}]
        child:
          <<: *root
        """
    assert problems(tmp_path, text) == ["distributions.yaml:4: child.<<: unknown key"]


@pytest.mark.parametrize(
    ("text", "line", "label"),
    [
        (f"a:\n  buildtags: {OTLP}\n", 2, "a.buildtags"),
        ("a:\n  buildtags: {x: y}\n", 2, "a.buildtags"),
        ("a:\n  buildtags: 3\n", 2, "a.buildtags"),
        ("a:\n  buildtags:\n", 2, "a.buildtags"),
        (f"a:\n  buildtags:\n    - {OTLP}\n    - 3\n", 4, "a.buildtags.1"),
        (f"a:\n  buildtags:\n    - {OTLP}\n    -\n", 4, "a.buildtags.1"),
        (f"a:\n  buildtags:\n    - [{OTLP}]\n", 3, "a.buildtags.0"),
        ("a:\n  buildtags:\n    - !!binary aGk=\n", 3, "a.buildtags.0"),
        ("a:\n  description: [one]\n", 2, "a.description"),
        ("a:\n  description: 3\n", 2, "a.description"),
        ("a:\n  description: 2024-01-01\n", 2, "a.description"),
        (f"a:\n  description: {'x' * 201}\n", 2, "a.description"),
        ("a:\n  base: 3\n", 2, "a.base"),
        ("a:\n  base: [root]\n", 2, "a.base"),
        ("a:\n  base: true\n", 2, "a.base"),
        ("a:\n  config-file: 3\n", 2, "a.config-file"),
        ("a:\n  config-file: [x.yaml]\n", 2, "a.config-file"),
        ("a: 3\n", 1, "a"),
        ("a: text\n", 1, "a"),
        ("a: [x]\n", 1, "a"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, label: str
) -> None:
    (message,) = problems(tmp_path, text)
    assert message.startswith(f"distributions.yaml:{line}: {label}: ")


@pytest.mark.parametrize(
    ("text", "line", "label"),
    [
        (f"{MINE}: 3\n", 1, MINE),
        (f"{MINE}: [example.com/m]\n", 1, MINE),
        (f"{MINE}:\n", 1, f"{MINE}.module"),
        (f"{MINE}: {{factory: NewFactory}}\n", 1, f"{MINE}.module"),
        (f"{MINE}:\n  module: 3\n", 2, f"{MINE}.module"),
        (f"{MINE}:\n  module: example.com/m\n  import: 3\n", 3, f"{MINE}.import"),
        (f"{MINE}:\n  module: example.com/m\n  factory: true\n", 3, f"{MINE}.factory"),
        (f"{MINE}:\n  module: example.com/m\n  factory:\n", 3, f"{MINE}.factory"),
    ],
)
def test_a_component_of_the_wrong_type_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, label: str
) -> None:
    (message,) = problems(tmp_path, ROOT, text)
    assert message.startswith(f"components.yaml:{line}: {label}: ")


@pytest.mark.parametrize("text", ["- a\n", "text\n", "3\n", "# nothing\n"])
def test_a_file_that_maps_nothing_is_told(tmp_path: Path, text: str) -> None:
    (message,) = problems(tmp_path, text)
    assert message.endswith("must map names to entries")


def test_an_import_outside_the_module_is_told(tmp_path: Path) -> None:
    components = f"{MINE}:\n  module: example.com/m@v1.0.0\n  import: example.com/more\n"
    assert problems(tmp_path, ROOT, components) == [
        f"components.yaml:1: {MINE}: import example.com/more is not inside the module example.com/m"
    ]


@pytest.mark.parametrize(("one", "two"), [("@v1.0.0", "@v1.0.1"), ("@v1.0.0", ""), ("", "@v1.0.0")])
def test_one_module_at_two_versions_is_told(tmp_path: Path, one: str, two: str) -> None:
    components = f"""\
        lambdacomponents.exporter.one:
          module: example.com/m{one}
        lambdacomponents.exporter.two:
          module: example.com/m{two}
        """
    (message,) = problems(tmp_path, ROOT, components)
    assert message.startswith("components.yaml:4: lambdacomponents.exporter.two: example.com/m at ")
    assert "lambdacomponents.exporter.one has it at " in message


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("lambdacomponents.exporters.otlp", "lambdacomponents.exporter.otlp"),
        ("lambdacomponent.exporter.otlp", "lambdacomponents.exporter.otlp"),
        ("lambdacomponents.exporter.OTLP", "lambdacomponents.exporter.otlp"),
        ("lambdacomponents.exporter.s3-export", "lambdacomponents.exporter.s3_export"),
    ],
)
def test_a_malformed_tag_is_told_with_what_was_perhaps_meant(
    tmp_path: Path, tag: str, meant: str
) -> None:
    (message,) = problems(tmp_path, f"a:\n  buildtags:\n    - {tag}\n")
    assert message.startswith("distributions.yaml:3: a.buildtags.0: ")
    assert message.endswith(f"perhaps you meant {meant}?")


def test_a_distributions_name_is_at_most_64_characters(tmp_path: Path) -> None:
    name = "x" * 65
    (message,) = problems(tmp_path, f"{name}: {{}}\n")
    assert message.startswith("distributions.yaml:1: ")


def test_a_config_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, "a:\n  config-file: absent.yaml\n") == [
        f"distributions.yaml:2: a.config-file: absent.yaml: there is no such file in {tmp_path}"
    ]


def test_a_folder_in_a_config_files_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (message,) = problems(tmp_path, "a:\n  config-file: folder.yaml\n")
    assert "there is no such file" in message


@pytest.mark.parametrize("relative", ["../outside.yaml", "collector/../../outside.yaml"])
def test_a_config_file_that_climbs_out_is_told(tmp_path: Path, relative: str) -> None:
    (tmp_path / "outside.yaml").write_text("receivers: {}\n")
    (tmp_path / "config" / "collector").mkdir(parents=True)
    assert problems(tmp_path / "config", f"a:\n  config-file: {relative}\n") == [
        f"distributions.yaml:2: a.config-file: {relative} leads out of the config folder"
    ]


def test_a_config_file_that_is_a_link_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("receivers: {}\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert problems(tmp_path / "config", "a:\n  config-file: link.yaml\n") == [
        "distributions.yaml:2: a.config-file: link.yaml leads out of the config folder"
    ]


def test_a_config_file_below_a_linked_folder_is_told(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text("receivers: {}\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "collector").symlink_to(outside)
    (message,) = problems(tmp_path / "config", "a:\n  config-file: collector/a.yaml\n")
    assert "leads out of the config folder" in message


def test_a_config_folder_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.yaml").write_text("receivers: {}\n")
    write_config(real, "a: {config-file: a.yaml}\n")
    (tmp_path / "link").symlink_to(real)
    assert load_config(tmp_path / "link").config_file("a") == tmp_path / "link" / "a.yaml"


def test_a_problem_inside_a_config_file_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("receivers: {}\nexporters: {}\nreceivers: {}\n")
    assert problems(tmp_path, "a:\n  config-file: own.yaml\n") == [
        "own.yaml:3: duplicate key 'receivers', already given in line 1"
    ]


def test_a_config_file_that_two_name_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("[\n")
    text = "a: {config-file: own.yaml}\nb: {config-file: own.yaml}\n"
    assert len(problems(tmp_path, text)) == 1


@pytest.mark.parametrize("content", ["", "- a list\n", "text\n"])
def test_a_config_file_that_is_no_mapping_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "own.yaml").write_text(content)
    assert problems(tmp_path, "a:\n  config-file: own.yaml\n") == [
        "distributions.yaml:2: a.config-file: own.yaml is no collector config"
    ]


def test_the_problem_of_a_bases_config_file_is_told_once_at_the_base(tmp_path: Path) -> None:
    text = "a:\n  config-file: absent.yaml\nb:\n  base: a\nc:\n  base: b\n"
    (message,) = problems(tmp_path, text)
    assert message.startswith("distributions.yaml:2: a.config-file: absent.yaml")


def test_both_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    assert told(tmp_path) == [
        "components.yaml: cannot be read: No such file or directory",
        "distributions.yaml: cannot be read: No such file or directory",
    ]


def test_every_problem_of_both_files_is_told_at_once(tmp_path: Path) -> None:
    distributions = f"""\
        Upper: {{}}
        one:
          base: absent
          buildtags: [{OTLP}, nonsense, 3]
        two:
          colour: red
          description: [x]
        one:
          base: two
        three:
          base: three
          config-file: absent.yaml
        """
    components = f"""\
        nonsense: example.com/m
        {MINE}:
          module: $(x)
          factory: lower
        {MINE}:
          module: example.com/m
        """
    messages = problems(tmp_path, distributions, components)
    assert [":".join(message.split(":")[:2]) for message in messages] == [
        "components.yaml:1",
        "components.yaml:3",
        "components.yaml:4",
        "components.yaml:5",
        "distributions.yaml:1",
        "distributions.yaml:4",
        "distributions.yaml:4",
        "distributions.yaml:6",
        "distributions.yaml:7",
        "distributions.yaml:8",
        "distributions.yaml:11",
        "distributions.yaml:12",
    ]


def test_one_broken_file_does_not_hide_the_other(tmp_path: Path) -> None:
    messages = problems(tmp_path, "[\n", "nonsense: example.com/m\n")
    assert [message.partition(":")[0] for message in messages] == [
        "components.yaml",
        "distributions.yaml",
    ]


def test_the_error_counts_its_problems(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, "a: {x: 1, y: 2}\n"))
    assert str(caught.value) == "2 problems in the configuration"
    assert "ocelot config check" in caught.value.hint


def test_files_below_here_are_named_relative_to_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_config(tmp_path / "config", "a: {x: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert caught.value.problems[0].file == "config/distributions.yaml"


def test_a_long_value_is_told_in_short(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, f"a:\n  buildtags: [{'x' * 5_000}]\n")
    assert len(message) < 500
