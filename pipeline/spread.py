"""Groups of options as the parameters of a function, and as command-line arguments.

A group is a frozen dataclass whose fields are `Annotated[type, Opt(...)]` with a default. A command
takes groups; Typer and the Dagger SDK see a parameter for each option. Importing this module is
quick. A group is quickest in a file without `from __future__ import annotations`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast, dataclass_transform, get_type_hints

from pipeline.errors import UsageError

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
Function = TypeVar("Function", bound=Callable[..., Any])
Group = TypeVar("Group")


@dataclass(frozen=True)
class Opt:
    """The help and flags of an option.

    Attributes:
        help: one sentence.
        short: short flag on the command line, such as `-d`.
        flags: long flag if it is not the field's name; `--public/--private` for true and false.
        variable: environment variable that sets it on the command line.
        minimum: the smallest number allowed.
        metavar: placeholder of its value in the command line's help; empty for its type's name.
    """

    help: str
    short: str = ""
    flags: str = ""
    variable: str = ""
    minimum: int | None = None
    metavar: str = ""


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
def option_group(group: type[Group]) -> type[Group]:
    """Return the class as a group of options: a frozen dataclass, without methods to save time."""
    return dataclass(frozen=True, kw_only=True, eq=False, repr=False)(group)


def spread(annotate: Callable[[str, Opt], object]) -> Callable[[Function], Function]:
    """Return a decorator that replaces each group parameter by a parameter for each of its options.

    Typer and the Dagger SDK read `__signature__` and `__annotations__` of the decorated function.
    All parameters except `self` become keyword-only. The decorated function raises a `UsageError`
    for an option of a group with an empty value.

    Args:
        annotate: returns the framework's annotation of an option, given its name and `Opt`.
    """
    flat = functools.cache(functools.partial(_parameters, annotate=annotate))

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
        shown: Any = _regrouped(function, groups)
        shown.__signature__ = signature.replace(parameters=parameters)
        shown.__annotations__ = {
            each.name: each.annotation for each in parameters if each.name != "self"
        } | {"return": signature.return_annotation}
        return shown

    return decorate


def arguments(*groups: object) -> list[str]:
    """Return the command-line arguments of all options that do not have their default."""
    result: list[str] = []
    for group in groups:
        for name, _, opt, default in _options(type(group)):
            value = getattr(group, name)
            if value != default:
                result += _arguments(name, opt, value)
    return result


def subgroup(kind: type[Group], options: object) -> Group:
    """Return a group with the values of other options; options missing there get their defaults."""
    names = (each.name for each in dataclasses.fields(kind))  # pyright: ignore[reportArgumentType]
    return kind(**{name: getattr(options, name) for name in names if hasattr(options, name)})


def empty_value(option: str) -> UsageError:
    """Error for an option with an empty value, such as that of a variable that is not set."""
    return UsageError(
        f"{option} has an empty value",
        hint="give it a value or leave it out; if the value is a variable's, set the variable",
    )


def _check_values(options: dict[str, Any]) -> None:
    """Refuse an empty value: it must not mean that the option was not given."""
    for name, value in options.items():
        texts = cast("list[object]", value if isinstance(value, list) else [value])
        if any(isinstance(each, str) and not each.strip() for each in texts):
            raise empty_value(_flag(name))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _arguments(name: str, opt: Opt, value: object) -> list[str]:
    flag, _, other = (opt.flags or _flag(name)).partition("/")
    if isinstance(value, bool):
        return [flag if value else other]
    if isinstance(value, (list, tuple)):
        return [f"{flag}={each}" for each in value]  # pyright: ignore[reportUnknownVariableType]
    return [f"{flag}={value}"]


def _parameters(group: type, *, annotate: Callable[[str, Opt], object]) -> list[inspect.Parameter]:
    """Return a parameter for each option of a group, with the framework's annotation."""
    return [
        inspect.Parameter(
            name, _KEYWORD, default=default, annotation=Annotated[kind, annotate(name, opt)]
        )
        for name, kind, opt, default in _options(group)
    ]


@functools.cache
def _options(group: type) -> tuple[tuple[str, Any, Opt, object], ...]:
    """Return the name, type, `Opt` and default of each option of a group."""
    fields = dataclasses.fields(group)
    hints: dict[str, Any] = {each.name: each.type for each in fields}
    if any(isinstance(hint, str) for hint in hints.values()):
        hints = get_type_hints(group, include_extras=True)
    return tuple(
        (each.name, hints[each.name].__origin__, *hints[each.name].__metadata__, each.default)
        for each in fields
    )


def _regrouped(function: Function, groups: dict[str, type]) -> Function:
    """Return a function that takes single options and calls the given one with their groups."""

    def grouped(options: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}  # apart, since a group may have the name of an option
        for name, group in groups.items():
            values = {each.name: options.pop(each.name) for each in dataclasses.fields(group)}
            _check_values(values)
            made[name] = group(**values)
        return {**options, **made}

    # the Dagger SDK tests for a coroutine function
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: object, **options: object) -> object:
            return await function(*args, **grouped(options))

        return waiting  # pyright: ignore[reportReturnType]

    @functools.wraps(function)
    def call(*args: object, **options: object) -> object:
        return function(*args, **grouped(options))

    return call  # pyright: ignore[reportReturnType]
