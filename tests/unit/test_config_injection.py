"""Values in config/ reach build tags, Go files and paths: none may carry syntax into them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from unit_examples import MINE, OTLP, problems_of, write_config

from pipeline.build.components import wrapper, wrapper_path
from pipeline.config.components import Component
from pipeline.config.folder import load_config
from pipeline.errors import ConfigError

ROOT = f"root: {{buildtags: [{OTLP}]}}\n"
MODULE = "example.com/mine"

# By field: a valid value, its file, and an entry with a value, one of several.
Entry = Callable[[int, str], dict[str, object]]
FIELDS: dict[str, tuple[str, str, Entry]] = {
    "name": ("minimal", "distributions", lambda _at, text: {text: {}}),
    "base": ("root", "distributions", lambda at, text: {f"d{at}": {"base": text}}),
    "buildtags": (OTLP, "distributions", lambda at, text: {f"d{at}": {"buildtags": [text]}}),
    "config-file": (
        "own.yaml",
        "distributions",
        lambda at, text: {f"d{at}": {"config-file": text}},
    ),
    "tag": (MINE, "components", lambda _at, text: {text: {"module": MODULE}}),
    "module": (MODULE, "components", lambda at, text: {f"{MINE}{at}": {"module": text}}),
    "module alone": (MODULE, "components", lambda at, text: {f"{MINE}{at}": text}),
    "version": (
        "v1.2.3",
        "components",
        lambda at, text: {f"{MINE}{at}": {"module": f"{MODULE}{at}@{text}"}},
    ),
    "import": (
        f"{MODULE}/package",
        "components",
        lambda at, text: {f"{MINE}{at}": {"module": MODULE, "import": text}},
    ),
    "factory": (
        "NewFactory",
        "components",
        lambda at, text: {f"{MINE}{at}": {"module": MODULE, "factory": text}},
    ),
}

SYNTAX = {
    "command": "$(touch x)",
    "variable": "${HOME}",
    "backticks": "`touch x`",
    "semicolon": ";touch x",
    "pipe": "|sh",
    "and": "&&sh",
    "redirection": ">x",
    "newline": "\n",
    "newline and code": '\n)\nvar _ = "x"',
    "carriage return": "\r",
    "line separator": "\u2028",
    "next line": "\x85",
    "tab": "\t",
    "space": " ",
    "double quote": '"',
    "quoted code": '"; import "os"; var _ = "',
    "single quote": "'",
    "backslash": "\\",
    "nul": "\0",
    "escape": "\x1b[31m",
    "comment": "/*x*/",
    "comma": ",lambdacomponents.all",
    "call": "()",
    "equals": "=x",
    "at": "@@",
    "percent": "%0A",
    "umlaut": "ä",
    "fullwidth": "\uff41",
}


def config_with(folder: Path, field: str, *values: str) -> Path:
    """A config folder with an entry for each value, each on its line."""
    _valid, file, entry = FIELDS[field]
    entries = {
        key: value for at, text in enumerate(values) for key, value in entry(at, text).items()
    }
    dumped = yaml.safe_dump(entries, sort_keys=False, width=10_000)
    (folder / "own.yaml").write_text("receivers: {}\n")
    if file == "components":
        return write_config(folder, ROOT, dumped)
    return write_config(folder, ROOT + dumped)


def refused_lines(messages: list[str]) -> set[str]:
    return {message.split(":")[1] for message in messages}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("syntax", SYNTAX)
def test_syntax_is_refused_in_every_field(tmp_path: Path, field: str, syntax: str) -> None:
    valid, extra = FIELDS[field][0], SYNTAX[syntax]
    half = len(valid) // 2
    values = (extra, valid + extra, extra + valid, valid[:half] + extra + valid[half:])
    messages = problems_of(config_with(tmp_path, field, *values))
    assert len(refused_lines(messages)) == len(values)
    assert [message for message in messages if not message.isprintable()] == []


@pytest.mark.parametrize("field", FIELDS)
def test_a_flag_or_a_path_elsewhere_is_refused_in_every_field(tmp_path: Path, field: str) -> None:
    values = ("", "-flag", "--", "../up", "/etc/passwd", "..", ".", "~/x", "*", "a/../b")
    messages = problems_of(config_with(tmp_path, field, *values))
    assert len(refused_lines(messages)) == len(values)


@pytest.mark.parametrize("field", FIELDS)
def test_the_values_that_the_syntax_is_put_into_are_fine(tmp_path: Path, field: str) -> None:
    config = load_config(config_with(tmp_path, field, FIELDS[field][0]))
    assert len(config.distributions) + len(config.components) == 2


@pytest.mark.parametrize("key", ["x\ny", "x\n::error::y", "\x1b[31mred", "x\r"])
def test_an_unknown_key_is_reported_on_one_printable_line(tmp_path: Path, key: str) -> None:
    (message,) = problems_of(write_config(tmp_path, yaml.safe_dump({"a": {key: 1}})))
    assert message.isprintable()


def _nearly(pattern: str) -> st.SearchStrategy[str]:
    """Texts of a form, such with a character too many, and any text at all."""
    formed = st.from_regex(pattern)
    characters = st.sampled_from("\n\r\0\"'`\\$ ;/.@-") | st.characters()
    return st.one_of(formed, st.tuples(formed, characters).map("".join), st.text())


TAGS = _nearly(r"\Alambdacomponents\.(receiver|connector)\.[a-z0-9_]{1,8}")
MODULES = _nearly(r"\A[a-z]{1,4}\.com(/[A-Za-z0-9._~-]{1,5}){0,2}(@v[0-9]\.[0-9]\.[0-9])?")
INSIDE = st.none() | _nearly(r"\A/[A-Za-z0-9._~-]{1,5}")
FACTORIES = st.none() | _nearly(r"\A[A-Z][A-Za-z0-9_]{0,5}")


@st.composite
def component_entries(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Tag and entry of a component, mostly an acceptable one."""
    module = draw(MODULES)
    entry = {"module": module}
    if inside := draw(INSIDE):
        entry["import"] = module.partition("@")[0] + inside
    if factory := draw(FACTORIES):
        entry["factory"] = factory
    return draw(TAGS), entry


@given(component_entries())
@example((f"{MINE}\n", {"module": MODULE}))
@example((MINE, {"module": f"{MODULE}\n"}))
@example((MINE, {"module": MODULE, "import": f"{MODULE}/x\n"}))
@example((MINE, {"module": MODULE, "factory": "NewFactory\n"}))
def test_a_component_is_refused_or_makes_harmless_go(
    component: tuple[str, dict[str, str]],
) -> None:
    tag, entry = component
    with TemporaryDirectory() as folder:
        try:
            config = load_config(write_config(Path(folder), ROOT, yaml.safe_dump({tag: entry})))
        except ConfigError:
            return
    text = wrapper(tag, config.components[tag])
    package = config.components[tag].package
    plain = wrapper(MINE, Component(module=MODULE))
    assert text.count("\n") == plain.count("\n")
    assert text.count('"') == plain.count('"')
    assert re.findall(r'^\tcomponent "([^"]*)"$', text, re.MULTILINE) == [package]
    assert re.fullmatch(r"[A-Za-z0-9._~/-]+", package)
    assert re.fullmatch(r"[\x20-\x7e\t\n]+", text)


@given(TAGS)
def test_a_tag_is_refused_or_names_one_file_of_its_kind(tag: str) -> None:
    with TemporaryDirectory() as folder:
        try:
            load_config(write_config(Path(folder), ROOT, yaml.safe_dump({tag: MODULE})))
        except ConfigError:
            return
    assert re.fullmatch(
        r"lambdacomponents/(receiver|connector)/ocelot_[a-z0-9_]+_component\.go", wrapper_path(tag)
    )


@given(_nearly(r"\A[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}"))
@example("minimal\n")
def test_a_distributions_name_is_refused_or_fits_a_file_name(name: str) -> None:
    with TemporaryDirectory() as folder:
        try:
            load_config(write_config(Path(folder), yaml.safe_dump({name: {}})))
        except ConfigError:
            return
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
