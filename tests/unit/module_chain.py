"""The chains of steps that the Dagger module's functions build, read without an engine.

The SDK keeps what a function selects; where a function awaits a value, `Engine` answers instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import dagger
import pytest
from dagger.client._core import Context, Field

from pipeline.module import Ocelot

IMAGE = "golang:1.26.6-bookworm@sha256:" + "a" * 64
COMMIT = "c" * 40


@dataclass(frozen=True)
class Chain:
    """A chain of steps: the fields that were selected, oldest first."""

    fields: tuple[Field, ...]
    engine: Engine

    def calls(self, name: str) -> list[Mapping[str, Any]]:
        """The arguments of each step of that name."""
        return [each.args for each in self.fields if each.name == name]

    @property
    def commands(self) -> list[list[str]]:
        """What ocelot runs with in the container, oldest first, without its name."""
        found: list[list[str]] = [each["args"] for each in self.calls("withExec")]
        return [each[1:] for each in found if each[0] == "ocelot"]

    @property
    def variables(self) -> dict[str, str]:
        """The container's environment variables that are no secrets."""
        return {each["name"]: each["value"] for each in self.calls("withEnvVariable")}

    @property
    def secrets(self) -> set[str]:
        """The names of the secret variables."""
        return {each["name"] for each in self.calls("withSecretVariable")}

    def given(self, path: str) -> Chain:
        """The chain of the file or directory that was last put at a path."""
        steps = ("withDirectory", "withFile", "withMountedDirectory", "withMountedFile")
        found = [each.args for each in self.fields if each.name in steps]
        return self.engine.chain([each for each in found if each["path"] == path][-1]["source"])

    def everything(self) -> Iterator[Chain]:
        """This chain and all chains that go into it."""
        yield self
        for each in self.fields:
            for value in each.args.values():
                if hasattr(value, "_ctx"):
                    yield from self.engine.chain(value).everything()


@dataclass
class Engine:
    """Answers in the place of an engine.

    Attributes:
        answers: by the field that is awaited, a value, a function of its chain, or an error.
        awaited: each chain whose value was awaited, in order.
    """

    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    awaited: list[Chain] = field(default_factory=list[Chain])
    _known: dict[str, Chain] = field(default_factory=dict[str, Chain])

    def chain(self, value: object) -> Chain:
        """The chain of one of Dagger's objects; an awaited one stands for what led to it."""
        context: Context = getattr(value, "_ctx")  # noqa: B009  the SDK keeps it to itself
        return self._chain(context)

    def _chain(self, context: Context) -> Chain:
        first, *rest = context.selections
        if first.name == "node" and first.args["id"] in self._known:
            return Chain((*self._known[first.args["id"]].fields, *rest), self)
        return Chain((first, *rest), self)

    async def execute(self, context: Context, kind: object = None) -> object:
        """Answer a query; takes the place of the SDK's own method."""
        chain = self._chain(context)
        self.awaited.append(chain)
        name = chain.fields[-1].name
        own = {
            "contents": f"go: {IMAGE}\n",
            "defaultPlatform": "linux/amd64",
            "stdout": f"{COMMIT}\n",
            "sync": None,
            "id": "an id",
        }
        value = (own | self.answers)[name]
        value = value(chain) if callable(value) else value
        if isinstance(value, Exception):
            raise value
        if name == "sync":
            self._known[key := f"id {len(self._known)}"] = Chain(chain.fields[:-1], self)
            return key
        return cast("Any", kind)(value) if inspect.isclass(kind) else value


def called(engine: Engine, name: str, **options: object) -> object:
    """What a function of the module gives, called with flat options."""
    module = Ocelot(config=dagger.dag.directory())
    method = getattr(module, name)
    every = inspect.signature(method).parameters.values()
    defaults = {each.name: each.default for each in every if each.default is not each.empty}
    return awaited(engine, lambda: method(**{**defaults, **options}))


def awaited(engine: Engine, work: Callable[[], Awaitable[object]]) -> object:
    """What asynchronous work gives where this engine answers."""

    async def execute(context: Context, kind: object = None) -> object:
        return await engine.execute(context, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "execute", execute)
        return anyio.run(work)
