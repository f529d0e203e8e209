"""The options that the command line and the Dagger module share, each declared once.

A group of options is a frozen dataclass. `spread` shows the groups of a function flat, as Typer and
the Dagger SDK expect them; `words` turns groups back into command-line words. A new option is one
line in its group. Importing this module costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

UPSTREAM_REPO = "open-telemetry/opentelemetry-lambda"
UPSTREAM_REF = "main"
TABLE = "PublishedCustomCollectorExtensionLayers"

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


class Architectures(StrEnum):
    """The architectures to build for."""

    ALL = "all"
    AMD64 = "amd64"
    ARM64 = "arm64"


class OneArchitecture(StrEnum):
    """The architecture to build for."""

    AMD64 = "amd64"
    ARM64 = "arm64"


@dataclass(frozen=True, kw_only=True)
class UpstreamOptions:
    """Which upstream collector."""

    upstream_repo: Annotated[
        str, Opt("Upstream: owner/name on GitHub, a git URL, a path, or `sample`.", "-r")
    ] = UPSTREAM_REPO
    upstream_ref: Annotated[str, Opt("Branch, tag, or full or short commit SHA.", "-b")] = (
        UPSTREAM_REF
    )


@dataclass(frozen=True, kw_only=True)
class DistributionOptions(UpstreamOptions):
    """Which distribution of which upstream."""

    distribution: Annotated[str, Opt("A name from distributions.yaml.", "-d")] = "default"


@dataclass(frozen=True, kw_only=True)
class CompileOptions(DistributionOptions):
    """What to compile, and how strictly."""

    locked: Annotated[bool, Opt("Refuse to build anything but what ocelot.lock says.")] = False
    no_tune: Annotated[bool, Opt("Leave upstream's files as they are: no tunings.")] = False


@dataclass(frozen=True, kw_only=True)
class LayerOptions(CompileOptions):
    """What to build for one architecture."""

    architecture: Annotated[OneArchitecture, Opt("What to build for.", "-a")] = (
        OneArchitecture.AMD64
    )


@dataclass(frozen=True, kw_only=True)
class BuildOptions(CompileOptions):
    """What to build for which architectures."""

    architecture: Annotated[Architectures, Opt("What to build for.", "-a")] = Architectures.ALL


@dataclass(frozen=True, kw_only=True)
class AwsOptions:
    """Which account of AWS."""

    account: Annotated[str, Opt("The account id that it must be.")] = ""
    role_arn: Annotated[str, Opt("A role to take on by an OIDC token.")] = ""


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Which registry."""

    table: Annotated[
        str,
        Opt("The registry's DynamoDB table; `none` for none.", variable="DYNAMODB_TABLE_NAME"),
    ] = TABLE
    table_region: Annotated[
        str, Opt("Where the table is; default: AWS_REGION, the profile's region, or us-east-1.")
    ] = ""


@dataclass(frozen=True, kw_only=True)
class LayerNameOptions(AwsOptions, TableOptions):
    """Which layers, in which registry."""

    layer_name: Annotated[str, Opt("What the layers' names begin with.", "-l")] = "ocel"
    regions: Annotated[str, Opt("A set of regions.yaml, `all`, or a list: a,b,c.")] = "default"


@dataclass(frozen=True, kw_only=True)
class SyncOptions(LayerNameOptions):
    """Which layers and rows to compare."""

    dry_run: Annotated[bool, Opt("Only show what would be done.")] = False


@dataclass(frozen=True, kw_only=True)
class ReleaseGroupOptions(LayerNameOptions):
    """What layers are published as."""

    release_group: Annotated[str, Opt("What the layers' names end with.")] = "beta"
    runtimes: Annotated[str, Opt("Lambda runtimes, a,b,c; default: all current ones.")] = ""
    public: Annotated[
        bool | None, Opt("Who may use the layers; default: as it is.", flags="--public/--private")
    ] = None
    bucket: Annotated[
        str, Opt("Bucket in each region for zips above 50 MB, such as NAME-{region}.")
    ] = ""
    no_bench: Annotated[
        bool, Opt("Run no layer before it is published.", flags="--no-bench/--bench")
    ] = False


@dataclass(frozen=True, kw_only=True)
class PublishOptions(ReleaseGroupOptions, SyncOptions):
    """What to publish where."""


@dataclass(frozen=True, kw_only=True)
class ReleaseOptions(BuildOptions, ReleaseGroupOptions):
    """What to build and to publish: for one architecture, in the configured region."""

    architecture: Annotated[Architectures, Opt("What to build for.", "-a")] = Architectures.AMD64
    regions: Annotated[str, Opt("Sets, `all`, or a,b,c; default: the configured region.")] = ""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """How often a layer is run."""

    starts: Annotated[int, Opt("Cold starts of each layer.", least=1)] = 5
    invocations: Annotated[int, Opt("Invocations in each cold start.", least=1)] = 10


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
