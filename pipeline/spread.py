"""Groups of options, shown flat by Typer and by the Dagger SDK, and turned back into words.

A group is a frozen dataclass whose fields are `Annotated[type, Opt(...)]` with a default. Importing
this module costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Opt:
    """How an option is shown.

    Attributes:
        help: one sentence.
        short: its short form on the command line, such as `-d`.
        flags: its long form where that is not its name; `--public/--private` for two sides.
        variable: the environment variable that gives it on the command line.
        least: the smallest number that it takes.
    """

    help: str
    short: str = ""
    flags: str = ""
    variable: str = ""
    least: int | None = None


def spread(note: Callable[[str, Opt], object]) -> Callable[[Function], Function]:
    """A decorator that shows a function's groups of options flat, each option by its own name.

    Typer and the Dagger SDK read `__signature__` and `__annotations__` of what it returns. All
    parameters but `self` and Typer's context become keyword-only.

    Args:
        note: makes what the framework reads of an option, of its name and its `Opt`.
    """

    def decorate(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        groups = {
            name: hint
            for name, hint in hints.items()
            if isinstance(hint, type) and dataclasses.is_dataclass(hint) and name != "return"
        }
        parameters: list[inspect.Parameter] = []
        for name, parameter in inspect.signature(function).parameters.items():
            if name in groups:
                parameters += _flat(groups[name], note)
            elif name == "self":
                parameters.append(parameter)
            else:
                parameters.append(parameter.replace(annotation=hints[name], kind=_KEYWORD))
        call = _grouping(function, groups)
        returned = hints.get("return", inspect.Signature.empty)
        shown: Any = call
        shown.__signature__ = inspect.Signature(parameters, return_annotation=returned)
        shown.__annotations__ = {
            each.name: each.annotation for each in parameters if each.name != "self"
        } | {"return": returned}
        return call

    return decorate


def words(*groups: object) -> list[str]:
    """Options as the command line takes them; those that are as by default are left out."""
    found: list[str] = []
    for group in groups:
        assert dataclasses.is_dataclass(group)  # noqa: S101  a caller's mistake, not a user's
        for each in dataclasses.fields(group):
            value = getattr(group, each.name)
            if value != each.default:
                found += _words(each.name, _opt(type(group), each.name), value)
    return found


def _words(name: str, opt: Opt, value: object) -> list[str]:
    flag, _, other = (opt.flags or f"--{name.replace('_', '-')}").partition("/")
    if isinstance(value, bool):
        return [flag if value else other]
    if isinstance(value, (list, tuple)):
        return [f"{flag}={each}" for each in value]  # pyright: ignore[reportUnknownVariableType]
    return [f"{flag}={value}"]


def _flat(group: type, note: Callable[[str, Opt], object]) -> list[inspect.Parameter]:
    """A group's options as parameters, with what the framework reads of each."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            _KEYWORD,
            default=each.default,
            annotation=Annotated[
                hints[each.name].__origin__, note(each.name, _opt(group, each.name))
            ],
        )
        for each in dataclasses.fields(group)
    ]


def _opt(group: type, name: str) -> Opt:
    (found,) = get_type_hints(group, include_extras=True)[name].__metadata__
    return found


def _grouping(function: Function, groups: dict[str, type]) -> Function:
    """The function, called with flat options: they come to it in their groups."""

    def grouped(options: dict[str, Any]) -> dict[str, Any]:
        for name, group in groups.items():
            own = {each.name: options.pop(each.name) for each in dataclasses.fields(group)}
            options[name] = group(**own)
        return options

    # the Dagger SDK looks whether a function is a coroutine function
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: object, **options: object) -> object:
            return await function(*args, **grouped(options))

        return waiting  # pyright: ignore[reportReturnType]

    @functools.wraps(function)
    def call(*args: object, **options: object) -> object:
        return function(*args, **grouped(options))

    return call  # pyright: ignore[reportReturnType]
