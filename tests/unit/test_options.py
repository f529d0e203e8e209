"""Options that are declared once and shown by Typer and by the Dagger SDK."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import pytest
import typer
from dagger import Doc
from typer.testing import CliRunner

from pipeline import options
from pipeline.cli.options import shared
from pipeline.errors import UsageError
from pipeline.options import BuildOptions, ReleaseOptions
from pipeline.spread import Opt, arguments, spread

GROUPS = [
    each
    for each in vars(options).values()
    if isinstance(each, type) and dataclasses.is_dataclass(each) and each is not Opt
]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A group with an option of each kind."""

    name: Annotated[str, Opt("A name.", "-n")] = "one"
    count: Annotated[int, Opt("A number.", minimum=1)] = 1
    public: Annotated[bool | None, Opt("Public.", flags="--public/--private")] = None
    locked: Annotated[bool, Opt("Strict.")] = False
    each: Annotated[list[str] | None, Opt("Many.")] = None
    architecture: Annotated[options.Architectures, Opt("For.")] = options.Architectures.ALL


def app_of(group: type, got: list[Any]) -> typer.Typer:
    """A command line whose one command takes a group of options."""
    app = typer.Typer(rich_markup_mode=None)

    def command(options: object) -> None:
        got.append(options)

    command.__annotations__["options"] = group
    app.command()(shared(command))
    return app


def parsed(arguments: list[str], group: type = Example) -> Any:  # noqa: ANN401
    got: list[Any] = []
    done = CliRunner().invoke(app_of(group, got), arguments)
    assert done.exit_code == 0, done.output
    return got[0]


@pytest.mark.parametrize(
    "example",
    [
        Example(),
        Example(name="a b; $(c)", count=3, public=True, locked=True, each=["a", "b"]),
        Example(public=False, architecture=options.Architectures.ARM64),
    ],
)
def test_options_turned_into_arguments_are_parsed_back_to_themselves(example: Example) -> None:
    back = parsed(arguments(example))
    assert dataclasses.replace(back, each=back.each or None) == example


def test_options_with_their_default_need_no_arguments() -> None:
    assert arguments(Example(), ReleaseOptions()) == []


@pytest.mark.parametrize("value", ["", " ", "\n"])
@pytest.mark.parametrize("option", ["name", "each"])
def test_an_empty_value_is_not_taken_for_none(option: str, value: str) -> None:
    @spread(lambda name, opt: Doc(f"{name}: {opt.help}"))
    def function(example: Example) -> str:
        return f"{example}"

    shown: Any = function
    given = {each.name: each.default for each in dataclasses.fields(Example)}
    with pytest.raises(UsageError, match=f"^--{option} "):
        shown(**{**given, option: [value] if option == "each" else value})


def test_an_option_without_a_value_is_none_and_not_empty() -> None:
    for group in GROUPS:
        assert "" not in [each.default for each in dataclasses.fields(group)]


def test_a_group_becomes_a_parameter_for_each_option_with_its_annotation() -> None:
    @spread(lambda name, opt: Doc(f"{name}: {opt.help}"))
    async def function(self: object, example: Example, other: int = 1) -> str:
        return f"{self} {example} {other}"

    hints: dict[str, Any] = get_type_hints(function, include_extras=True)
    assert list(hints) == [*(each.name for each in dataclasses.fields(Example)), "other", "return"]
    assert hints["name"] == Annotated[str, Doc("name: A name.")]
    assert hints["return"] is str


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_option_has_a_default_and_one_sentence_of_help(group: type) -> None:
    hints = get_type_hints(group, include_extras=True)
    for each in dataclasses.fields(group):
        (opt,) = hints[each.name].__metadata__
        assert opt.help.endswith(".")
        assert each.default is not dataclasses.MISSING


def test_importing_the_options_imports_nothing_slow() -> None:
    shown = "import sys, pipeline.options; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"typer", "dagger", "pydantic", "boto3", "rich", "anyio"}
    assert {each for each in loaded if each.startswith("pipeline")} == {
        "pipeline",
        "pipeline.errors",
        "pipeline.options",
        "pipeline.spread",
    }


def test_a_new_option_is_one_line() -> None:
    field = (
        "colour",
        Annotated[str, Opt("The colour.", "-c")],
        dataclasses.field(default=""),
    )
    group = dataclasses.make_dataclass(
        "More", [field], bases=(BuildOptions,), frozen=True, kw_only=True
    )
    help_text = CliRunner().invoke(app_of(group, []), ["--help"]).output
    assert re.search(r"-c, --colour <str>\s+The colour\.", help_text)
    given = arguments(group(colour="blue", locked=True))
    assert given == ["--locked", "--colour=blue"]
    assert parsed(given, group).colour == "blue"

    async def function(self: object, options: object) -> str:
        return f"{self} {options}"

    function.__annotations__["options"] = group
    shown = spread(lambda _, opt: Doc(opt.help))(function)
    parameter = inspect.signature(shown).parameters["colour"]
    assert parameter.annotation == Annotated[str, Doc("The colour.")]
    assert get_type_hints(shown)["colour"] is str


@dataclass(frozen=True, kw_only=True)
class Other:
    """A second group."""

    size: Annotated[int, Opt("A size.")] = 1


def test_a_group_may_have_the_name_of_another_groups_option() -> None:
    @spread(lambda _, opt: Doc(opt.help))
    def function(*, name: Other, options: Example) -> tuple[int, str]:
        return name.size, options.name

    given: Any = {**dataclasses.asdict(Example(name="two")), "size": 3}
    assert function(**given) == (3, "two")
