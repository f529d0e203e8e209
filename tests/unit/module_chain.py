"""Chains of container steps that the Dagger module's functions build, read without an engine.

The SDK records the fields that a function selects. `Engine` answers when a function awaits a value.
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
from dagger_schema import check_fields

from pipeline.module import Ocelot

IMAGE = "golang:1.26.6-bookworm@sha256:" + "a" * 64
COMMIT = "c" * 40


@dataclass(frozen=True)
class Chain:
    """The selected fields, oldest first."""

    fields: tuple[Field, ...]
    engine: Engine

    def calls(self, name: str) -> list[Mapping[str, Any]]:
        """Return the arguments of each step with that name."""
        return [each.args for each in self.fields if each.name == name]

    @property
    def commands(self) -> list[list[str]]:
        """The ocelot commands in the container, oldest first, each without `ocelot`."""
        found: list[list[str]] = [each["args"] for each in self.calls("withExec")]
        return [each[1:] for each in found if each[0] == "ocelot"]

    @property
    def variables(self) -> dict[str, str]:
        """The container's environment variables without the secrets."""
        return {each["name"]: each["value"] for each in self.calls("withEnvVariable")}

    @property
    def secrets(self) -> set[str]:
        """The names of the secret variables."""
        return {each["name"] for each in self.calls("withSecretVariable")}

    def source(self, path: str) -> Chain:
        """Return the chain of the file or directory that was last put at a path."""
        steps = ("withDirectory", "withFile", "withMountedDirectory", "withMountedFile")
        found = [each.args for each in self.fields if each.name in steps]
        return self.engine.chain([each for each in found if each["path"] == path][-1]["source"])

    def all_chains(self) -> Iterator[Chain]:
        """Yield this chain and all chains that are its arguments."""
        yield self
        for each in self.fields:
            for value in each.args.values():
                if hasattr(value, "_ctx"):
                    yield from self.engine.chain(value).all_chains()


@dataclass
class Engine:
    """An engine that answers from a table.

    Attributes:
        answers: for each awaited field a value, a function of its chain, or an error.
        awaited: the chains whose values were awaited, in order.
    """

    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    awaited: list[Chain] = field(default_factory=list[Chain])
    _known: dict[str, Chain] = field(default_factory=dict[str, Chain])

    def chain(self, value: object) -> Chain:
        """Return the chain of a Dagger object; if it was awaited, with the chain that led to it."""
        context: Context = getattr(value, "_ctx")  # noqa: B009  it is private in the SDK
        return self._chain(context)

    def _chain(self, context: Context) -> Chain:
        first, *rest = context.selections
        if first.name == "node" and first.args["id"] in self._known:
            return Chain((*self._known[first.args["id"]].fields, *rest), self)
        return Chain((first, *rest), self)

    async def execute(self, context: Context, kind: object = None) -> object:
        """Answer a query, instead of the SDK's own method."""
        chain = self._chain(context)
        for each in chain.all_chains():
            check_fields(each.fields)
        self.awaited.append(chain)
        name = chain.fields[-1].name
        defaults = {
            "contents": f"go: {IMAGE}\n",
            "defaultPlatform": "linux/amd64",
            "stdout": f"{COMMIT}\n",
            "sync": None,
            "id": "an id",
        }
        value = (defaults | self.answers)[name]
        value = value(chain) if callable(value) else value
        if isinstance(value, Exception):
            raise value
        if name == "sync":
            self._known[key := f"id {len(self._known)}"] = Chain(chain.fields[:-1], self)
            return key
        return cast("Any", kind)(value) if inspect.isclass(kind) else value


def called(engine: Engine, name: str, **options: object) -> object:
    """Return the result of a function of the module."""
    module = Ocelot(config=dagger.dag.directory())
    method = getattr(module, name)
    every = inspect.signature(method).parameters.values()
    defaults = {each.name: each.default for each in every if each.default is not each.empty}
    return awaited(engine, lambda: method(**{**defaults, **options}))


def awaited(engine: Engine, work: Callable[[], Awaitable[object]]) -> object:
    """Return the result of asynchronous work for which this engine answers."""

    async def execute(context: Context, kind: object = None) -> object:
        return await engine.execute(context, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "execute", execute)
        return anyio.run(work)
