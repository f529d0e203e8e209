"""Groups of options, shown flat by Typer and by the Dagger SDK, and turned back into words.

A group is a frozen dataclass whose fields are `Annotated[type, Opt(...)]` with a default. Importing
this module costs nothing; a group costs least as an `option_group` in a module whose annotations
are no text (`from __future__ import annotations`).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
Function = TypeVar("Function", bound=Callable[..., Any])
Group = TypeVar("Group")


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


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
def option_group(group: type[Group]) -> type[Group]:
    """A class as a group of options: a frozen dataclass.

    It has neither equality nor a representation, since each takes time at every start.
    """
    return dataclass(frozen=True, kw_only=True, eq=False, repr=False)(group)


def spread(note: Callable[[str, Opt], object]) -> Callable[[Function], Function]:
    """A decorator that shows a function's groups of options flat, each option by its own name.

    Typer and the Dagger SDK read `__signature__` and `__annotations__` of what it returns. All
    parameters but `self` and Typer's context become keyword-only.

    Args:
        note: makes what the framework reads of an option, of its name and its `Opt`.
    """
    flat = functools.cache(functools.partial(_flat, note=note))

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        groups: dict[str, type] = {}
        parameters: list[inspect.Parameter] = []
        for name, parameter in signature.parameters.items():
            hint = parameter.annotation
            if isinstance(hint, type) and dataclasses.is_dataclass(hint):
                groups[name] = hint
                parameters += flat(hint)
            else:
                kind = parameter.kind if name == "self" else _KEYWORD
                parameters.append(parameter.replace(kind=kind))
        shown: Any = _grouping(function, groups)
        shown.__signature__ = signature.replace(parameters=parameters)
        shown.__annotations__ = {
            each.name: each.annotation for each in parameters if each.name != "self"
        } | {"return": signature.return_annotation}
        return shown

    return decorate


def words(*groups: object) -> list[str]:
    """Options as the command line takes them; those that are as by default are left out."""
    found: list[str] = []
    for group in groups:
        for name, _, opt, default in _options(type(group)):
            value = getattr(group, name)
            if value != default:
                found += _words(name, opt, value)
    return found


def _words(name: str, opt: Opt, value: object) -> list[str]:
    flag, _, other = (opt.flags or f"--{name.replace('_', '-')}").partition("/")
    if isinstance(value, bool):
        return [flag if value else other]
    if isinstance(value, (list, tuple)):
        return [f"{flag}={each}" for each in value]  # pyright: ignore[reportUnknownVariableType]
    return [f"{flag}={value}"]


def _flat(group: type, *, note: Callable[[str, Opt], object]) -> list[inspect.Parameter]:
    """A group's options as parameters, with what the framework reads of each."""
    return [
        inspect.Parameter(
            name, _KEYWORD, default=default, annotation=Annotated[kind, note(name, opt)]
        )
        for name, kind, opt, default in _options(group)
    ]


@functools.cache
def _options(group: type) -> tuple[tuple[str, Any, Opt, object], ...]:
    """The name, type, `Opt` and default of each option of a group."""
    fields = dataclasses.fields(group)
    hints: dict[str, Any] = {each.name: each.type for each in fields}
    if any(isinstance(hint, str) for hint in hints.values()):
        hints = get_type_hints(group, include_extras=True)
    return tuple(
        (each.name, hints[each.name].__origin__, *hints[each.name].__metadata__, each.default)
        for each in fields
    )


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
