"""The problems of a config folder: all of them are in one error, with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from unit_examples import BATCH, MINE, OTLP, loaded, problems_of, write_config

from pipeline.config.folder import load_config
from pipeline.errors import ConfigError

ROOT = f"root: {{buildtags: [{OTLP}]}}\n"
M = "module: example.com/m"

# Values of the wrong type or length, by key.
WRONG = {
    "buildtags": (OTLP, "{x: y}", "3", ""),
    "description": ("[one]", "3", "2024-01-01", "x" * 201),
    "base": ("3", "[root]", "true"),
    "config-file": ("3", "[x.yaml]"),
}

# By a name: the text of a file, and the line and key of each problem in it.
Cases = Mapping[str, tuple[str, list[str]]]
DISTRIBUTIONS: Cases = {
    "an unknown tuning": ("a:\n  tunings: [lout]\n", ["2: a.tunings"]),
    "an unknown base": ("minimal: {}\nother:\n  base: minmal\n", ["3: other.base"]),
    "a base that is itself broken": (
        "broken:\n  buildtags: 3\nchild:\n  base: broken\n",
        ["2: broken.buildtags"],
    ),
    "its own base": ("self:\n  base: self\n", ["2: self.base"]),
    "a circle of bases": (
        "outside:\n  base: one\none:\n  base: two\ntwo:\n  base: three\nthree:\n  base: one\n",
        ["4: one.base", "6: two.base", "8: three.base"],
    ),
    "tags over a base without any": (
        f"default: {{}}\nchild:\n  base: default\n  buildtags: [{OTLP}]\n",
        ["3: child.base"],
    ),
    "unknown keys": (
        "a:\n  buildtag: x\n  build-tags: x\n  config_file: x\n  bsae: x\n  descripton: x\n",
        ["2: a.buildtag", "3: a.build-tags", "4: a.config_file", "5: a.bsae", "6: a.descripton"],
    ),
    "a key like no other": ("minimal:\n  zzz: 1\n", ["2: minimal.zzz"]),
    "a merge key": (f"a: &a\n  buildtags: [{OTLP}]\nb:\n  <<: *a\n", ["4: b.<<"]),
    "tags that are no texts": (
        f"a:\n  buildtags:\n    - {OTLP}\n    - 3\n    -\n    - [{OTLP}]\n    - !!binary aGk=\n",
        ["4: a.buildtags.1", "5: a.buildtags.2", "6: a.buildtags.3", "7: a.buildtags.4"],
    ),
    "tags of another form": (
        "a:\n  buildtags:\n    - lambdacomponents.exporters.otlp\n"
        "    - lambdacomponent.exporter.otlp\n    - lambdacomponents.exporter.OTLP\n"
        "    - lambdacomponents.exporter.s3-export\n",
        ["3: a.buildtags.0", "4: a.buildtags.1", "5: a.buildtags.2", "6: a.buildtags.3"],
    ),
    "distributions that are no mappings": ("a: 3\nb: text\nc: [x]\n", ["1: a", "2: b", "3: c"]),
    "a root key": (
        f"distributions:\n  a:\n    buildtags: [{OTLP}]\n  b: {{}}\n",
        ["1: distributions"],
    ),
    "a list below a root key": ("distributions:\n  - name: a\n", ["1: distributions"]),
    "values that YAML reads otherwise": (
        "a:\n  description: no\nb:\n  description: 12:30:45\nc:\n  description: 1.10\n",
        ["2: a.description", "4: b.description", "6: c.description"],
    ),
    "a long name": (f"{'x' * 65}: {{}}\n", ["1: '" + "x" * 65]),
    **{f"a file that is {text!r}": (text, [""]) for text in ("- a", "text", "3", "# nothing")},
    **{
        f"a {key} that is {value[:9]!r}": (f"a:\n  {key}: {value}\n", [f"2: a.{key}"])
        for key, values in WRONG.items()
        for value in values
    },
    "a missing config file": (
        "a:\n  config-file: no.yaml\n",
        ["2: a.config-file: no.yaml"],
    ),
    "a folder in a config file's place": ("a:\n  config-file: folder.yaml\n", ["2: a.config-file"]),
    "a bases config file": (
        "a:\n  config-file: no.yaml\nb:\n  base: a\nc:\n  base: b\n",
        ["2: a.config-file: no.yaml"],
    ),
    "a config file that climbs out": (
        "a:\n  config-file: ../out.yaml\nb:\n  config-file: folder.yaml/../../out.yaml\n",
        ["2: a.config-file", "4: b.config-file"],
    ),
    "a config file that is a link out": ("a:\n  config-file: link.yaml\n", ["2: a.config-file"]),
    "a config file below a linked folder": (
        "a:\n  config-file: linked/out.yaml\n",
        ["2: a.config-file"],
    ),
    "config files that map nothing": (
        "a: {config-file: empty.yaml}\nb: {config-file: list.yaml}\nc: {config-file: text.yaml}\n",
        ["1: a.config-file", "2: b.config-file", "3: c.config-file"],
    ),
}

COMPONENTS: Cases = {
    "unknown keys": (
        f"{MINE}:\n  {M}\n  modul: x\n  imports: x\n  factori: x\n",
        [f"3: {MINE}.modul", f"4: {MINE}.imports", f"5: {MINE}.factori"],
    ),
    "a number": (f"{MINE}: 3\n", [f"1: {MINE}"]),
    "a list": (f"{MINE}: [example.com/m]\n", [f"1: {MINE}"]),
    "nothing": (f"{MINE}:\n", [f"1: {MINE}.module"]),
    "no module": (f"{MINE}: {{factory: NewFactory}}\n", [f"1: {MINE}.module"]),
    "a module that is a number": (f"{MINE}:\n  module: 3\n", [f"2: {MINE}.module"]),
    "an import that is a number": (f"{MINE}:\n  {M}\n  import: 3\n", [f"3: {MINE}.import"]),
    "a factory that is a boolean": (f"{MINE}:\n  {M}\n  factory: true\n", [f"3: {MINE}.factory"]),
    "a factory that is nothing": (f"{MINE}:\n  {M}\n  factory:\n", [f"3: {MINE}.factory"]),
    "an import outside the module": (
        f"{MINE}:\n  {M}@v1.0.0\n  import: example.com/more\n",
        [f"1: {MINE}: import example.com/more"],
    ),
    **{
        f"a module at two versions, {one or 'none'} and {two or 'none'}": (
            f"{MINE}1:\n  {M}{one}\n{MINE}2:\n  {M}{two}\n",
            [f"4: {MINE}2: example.com/m at "],
        )
        for one, two in (("@v1.0.0", "@v1.0.1"), ("@v1.0.0", ""), ("", "@v1.0.0"))
    },
}


BUDGETS: Cases = {
    "an unknown distribution": ("\nminimall:\n  zip: 1\n", ["2: minimall"]),
    "an unknown key": ("minimal:\n  zip: 1\n  unziped: 1\n", ["3: minimal.unziped"]),
    "a size of another form": ("minimal:\n  modules: 1\n  zip: 14 MiBs\n", ["3: minimal.zip"]),
    "no limit": ("minimal:\n", ["1: minimal"]),
    "no time": ("minimal:\n  cpu-to-ready: 0\n", ["2: minimal.cpu-to-ready"]),
    "no end": ("minimal:\n  memory-when-ready: .inf\n", ["2: minimal.memory-when-ready"]),
    "less than nothing": ("minimal:\n  modules: -1\n", ["2: minimal.modules"]),
    "a list": ("[]\n", ["1"]),
    "a name of another form": ("'a b': {zip: 1}\n", ["1: 'a b'"]),
    "no YAML": ("minimal: {\n", ["2: not YAML"]),
}

EDIT = "loud: {reason: x, edits: [{file: main.go, find: a, put: b}]}\n"
TUNING: Cases = {
    "a missing file": (
        EDIT.replace("]}", "], files: {a.go: b.go}}"),
        ["1: loud.files"],
    ),
    "a file that leads out": (EDIT.replace("main.go", "../main.go"), ["1: loud.edits.0.file"]),
    "nothing to do": ("loud:\n  reason: none\n", ["1: loud"]),
    "a missing module": (
        "loud: {reason: x, replaces: [{module: example.com/mine, by: small}]}\n",
        ["1: loud.replaces"],
    ),
    "a module that leads out": (
        "loud: {reason: x, replaces: [{module: example.com/mine, by: ../..}]}\n",
        ["1: loud.replaces.0.by"],
    ),
    "an unknown key": (EDIT.replace("put:", "import: [a], put:"), ["1: loud.edits.0.import"]),
}

REPOSITORY = "repository: https://github.com/acme/gitops\n"
GITOPS = f"{REPOSITORY}registry: {{address: ghcr.io/acme}}\n"
GITOPS_FILE: Cases = {
    "nothing": ("", [""]),
    "no registry": (REPOSITORY, ["1: registry"]),
    "a registry with a scheme": (
        f"{REPOSITORY}registry:\n  address: https://ghcr.io\n",
        ["3: registry.address"],
    ),
    "unknown keys": (
        f"{GITOPS}registri: x\nplatform:\n  uri: x\n",
        ["3: registri", "4: platform.url", "5: platform.uri"],
    ),
    "a port that is text": (f'{GITOPS}nginx-port: "80"\n', ["3: nginx-port"]),
    "a port out of range": (f"{GITOPS}nginx-port: 65536\n", ["3: nginx-port"]),
    "a tag prefix that is a number": (f"{GITOPS}tag-prefix: 1.10\n", ["3: tag-prefix"]),
    "a namespace of another form": (f"{GITOPS}namespace: Demo\n", ["3: namespace"]),
    "an image name without component": (f'{GITOPS}image-name: "{{project}}"\n', ["3: image-name"]),
    "an image name of another form": (
        f'{GITOPS}image-name: "-{{component}}"\n',
        ["3: image-name"],
    ),
    "an unknown name in an image name": (
        f'{GITOPS}image-name: "{{component}}-{{user}}"\n',
        ["3: image-name"],
    ),
    "a version of another form": (f"{GITOPS}occ-version: 1.2.3\n", ["3: occ-version"]),
    "a branch of another form": (f"{GITOPS}branch: a..b\n", ["3: branch"]),
    "an image without digest": (
        f"{GITOPS}images:\n  nginx: nginx:alpine\n  node:\n    '22': node:22\n",
        ["4: images.nginx", "6: images.node.22"],
    ),
    "texts of other forms": (
        f"{GITOPS}commit:\n  name: a <b\n  email: x\n"
        "pull-request:\n  labels: ['']\n  reviewers: [a b]\n",
        ["4: commit.name", "5: commit.email", "7: pull-request.labels.0", "8: pull-request.review"],
    ),
    "a certificate that is missing": (
        f"{REPOSITORY}registry:\n  address: ghcr.io\n  ca: no.pem\n",
        ["4: registry.ca: 'no.pem'"],
    ),
    "a certificate elsewhere": (
        f"{REPOSITORY}registry:\n  address: ghcr.io\n  ca: ../out.yaml\n",
        ["4: registry.ca"],
    ),
    "a certificate behind a link": (
        f"{REPOSITORY}registry:\n  address: ghcr.io\n  ca: link.yaml\n",
        ["4: registry.ca"],
    ),
    "a certificate that is none": (
        f"{REPOSITORY}registry:\n  address: ghcr.io\n  ca: text.yaml\n",
        ["4: registry.ca"],
    ),
    "a certificate without TLS": (
        f"{REPOSITORY}registry:\n  address: ghcr.io\n  tls: false\n  ca: text.yaml\n",
        ["2: registry"],
    ),
    **{
        f"the URL {url}": (
            f"repository: {url}\nregistry: {{address: ghcr.io}}\n",
            ["1: repository: must"],
        )
        for url in (
            "acme/gitops",
            "http://git.example.com/gitops",
            "https://user:secret@github.com/acme/gitops",
            "https://ghp_secret@github.com/acme/gitops",
            "https://github.com/acme/gitops?token=secret",
            "ssh://git:secret@github.com/acme/gitops",
            "git:secret@github.com:acme/gitops",
            "ssh://-oProxyCommand=secret/acme",
            "ext::sh -c secret",
        )
    },
}

FILES: Mapping[str, Cases] = {
    "gitops": GITOPS_FILE,
    "distributions": DISTRIBUTIONS,
    "components": COMPONENTS,
    "budgets": BUDGETS,
    "tuning": TUNING,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config folder with files that cannot be a collector's config, and links out of it."""
    (tmp_path / "out.yaml").write_text("receivers: {}\n")
    made = tmp_path / "config"
    (made / "folder.yaml").mkdir(parents=True)
    (made / "link.yaml").symlink_to(tmp_path / "out.yaml")
    (made / "linked").symlink_to(tmp_path)
    for name, content in (("empty", ""), ("list", "- a list\n"), ("text", "text\n")):
        (made / f"{name}.yaml").write_text(content)
    return made


def problems(folder: Path, distributions: str, components: str = "{}\n") -> list[str]:
    """The problems of a config folder with these files."""
    return problems_of(write_config(folder, distributions, components))


def problems_in(folder: Path, file: str, text: str) -> list[str]:
    """The problems of a config folder with this text in one file."""
    write_config(folder, "minimal: {}\n")
    (folder / "tuning.yaml").write_text(EDIT)
    (folder / f"{file}.yaml").write_text(text)
    found = [each.replace(str(folder), "FOLDER") for each in problems_of(folder)]
    (folder / f"{file}.yaml").unlink()
    return found


def test_a_secret_in_a_url_is_not_shown(folder: Path) -> None:
    secrets = [text for text, _ in GITOPS_FILE.values() if "secret" in text]
    assert len(secrets) > 5
    messages = [each for text in secrets for each in problems_in(folder, "gitops", text)]
    assert not [each for each in messages if "secret" in each]


@pytest.mark.parametrize(("file", "case"), [(file, case) for file in FILES for case in FILES[file]])
def test_a_problem_has_its_line_and_key(folder: Path, file: str, case: str) -> None:
    text, locations = FILES[file][case]
    messages = problems_in(folder, file, text)
    assert len(messages) == len(locations)
    for message, location in zip(messages, locations, strict=True):
        assert message.startswith(f"{file}.yaml:{location}")


def test_the_words_of_every_problem(folder: Path, snapshot: SnapshotAssertion) -> None:
    assert {
        file: {case: problems_in(folder, file, text) for case, (text, _) in cases.items()}
        for file, cases in FILES.items()
    } == snapshot


def test_tags_over_a_base_whose_own_base_has_some_are_fine(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{ROOT}a: {{base: root}}\nb: {{base: a, buildtags: [{BATCH}]}}\n")
    assert BATCH in config.tags("b")


def test_a_config_folder_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    real = write_config(tmp_path / "real", "a: {config-file: a.yaml}\n")
    (real / "a.yaml").write_text("receivers: {}\n")
    (tmp_path / "link").symlink_to(real)
    assert load_config(tmp_path / "link").config_file("a") == tmp_path / "link" / "a.yaml"


def test_a_setting_that_a_tuning_cannot_serve_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "tuning.yaml").write_text(
        "small:\n  reason: x\n  tags: [small]\n"
        "  refuses: {'service::telemetry::level': [none], 'service::readers': []}\n"
    )
    one = "one: {config-file: one.yaml, buildtags: [lambdacomponents.all]}\n"
    write_config(tmp_path, f"{one}two: {{base: one, tunings: [small]}}\n")
    given = tmp_path / "one.yaml"
    for served in ("level: none", "level: None", "level:", "other: 1"):
        given.write_text(f"service:\n  readers: []\n  telemetry:\n    {served}\n")
        assert load_config(tmp_path).tunings_of("two")
    given.write_text("service:\n  telemetry:\n    level: basic\n  readers: [{pull: {}}]\n")
    assert [each.partition(" has no effect")[0] for each in problems_of(tmp_path)] == [
        "one.yaml:3: service::telemetry::level",
        "one.yaml:4: service::readers",
    ]


def test_a_problem_inside_a_config_file_is_reported_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("receivers: {}\nexporters: {}\nreceivers: {}\n")
    text = "a: {config-file: own.yaml}\nb: {config-file: own.yaml}\n"
    (message,) = problems(tmp_path, text)
    assert message.startswith("own.yaml:3: duplicate key 'receivers'")


def test_both_missing_files_are_reported(tmp_path: Path) -> None:
    assert [each.partition(":")[0] for each in problems_of(tmp_path)] == [
        "components.yaml",
        "distributions.yaml",
    ]


def test_every_problem_of_both_files_is_reported_at_once(tmp_path: Path) -> None:
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
        *(f"components.yaml:{line}" for line in (1, 3, 4, 5)),
        *(f"distributions.yaml:{line}" for line in (1, 4, 4, 6, 7, 8, 11, 12)),
    ]


def test_one_broken_file_does_not_hide_the_other(tmp_path: Path) -> None:
    messages = problems(tmp_path, "[\n", "nonsense: example.com/m\n")
    assert [message.partition(":")[0] for message in messages] == [
        "components.yaml",
        "distributions.yaml",
    ]


def test_the_error_counts_its_problems_and_names_files_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path / "config", "a: {x: 1, y: 2}\n"))
    assert str(caught.value) == "2 problems in the configuration"
    assert "ocelot config check" in caught.value.hint
    assert {each.file for each in caught.value.problems} == {"config/distributions.yaml"}


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, f"a:\n  buildtags: [{'x' * 5_000}]\n")
    assert len(message) < 500
