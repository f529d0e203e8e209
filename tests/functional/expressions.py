"""GitHub's expressions, as far as our workflows use them; whatever else there is, is refused.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = str | bool | int | None
Contexts = Mapping[str, Any]

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<operator>&&|\|\||==|!=|!|,|\(|\))"
    r"|(?P<name>[a-z_][\w-]*(?:\.[\w-]+)*))",
    re.IGNORECASE,
)
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


class ExpressionError(Exception):
    """An expression that these few rules do not cover, or a name that is not there."""


def filled(text: str, contexts: Contexts) -> str:
    """A text with each `${{ … }}` in it replaced by its value."""
    return _EXPRESSION.sub(lambda found: said(value_of(found[1], contexts)), text)


def is_true(condition: str, contexts: Contexts) -> bool:
    """Whether an `if` holds; without braces, and with a status check where it has none."""
    found = _EXPRESSION.fullmatch(condition.strip())
    text = found[1] if found else condition
    if not re.search(r"\b(?:success|failure|always|cancelled)\(", text):
        text = f"success() && ({text})"
    return bool(value_of(text, contexts))


def said(value: Value) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def value_of(expression: str, contexts: Contexts) -> Value:
    """What an expression comes to.

    Args:
        expression: what stands between the braces.
        contexts: `inputs`, `github` and the like, and functions by their name with `()`.
    """
    reader = _Reader(contexts, _tokens(expression))
    value = reader.either()
    if reader.tokens:
        raise ExpressionError(f"{reader.tokens[0]!r} is not understood in {expression!r}")
    return value


def _tokens(expression: str) -> list[str]:
    tokens: list[str] = []
    at, text = 0, expression.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise ExpressionError(f"{text[at:]!r} is not understood")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


@dataclass
class _Reader:
    contexts: Contexts
    tokens: list[str] = field(default_factory=list[str])

    def either(self) -> Value:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Value:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Value:
        value = self.single()
        for operator, wanted in (("==", True), ("!=", False)):
            if self.take(operator):
                return _equal(value, self.single()) is wanted
        return value

    def single(self) -> Value:
        if self.take("!"):
            return not self.single()
        if self.take("("):
            value = self.either()
            self.expect(")")
            return value
        token = self.tokens.pop(0) if self.tokens else ""
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if token in _WORDS:
            return _WORDS[token]
        return self.called(token) if self.take("(") else self.found(token)

    def called(self, name: str) -> Value:
        function: Callable[..., Value] | None = self.contexts.get(f"{name}()")
        if function is None:
            raise ExpressionError(f"there is no function {name}")
        arguments: list[Value] = []
        while not self.take(")"):
            if arguments:
                self.expect(",")
            arguments.append(self.either())
        return function(*arguments)

    def found(self, name: str) -> Value:
        """A context's value: where a context may have any name, one that is not there is empty."""
        first, *parts = name.split(".")
        if first not in self.contexts:
            raise ExpressionError(f"there is no context {first!r}")
        value: Any = self.contexts[first]
        for part in parts:
            if not isinstance(value, Mapping):
                raise ExpressionError(f"{name} leads into a plain value")
            open_ended = first in ("secrets", "vars") or (part == parts[-1] and "outputs" in parts)
            if part not in value and not open_ended:
                raise ExpressionError(f"{name} is not there")
            value = value.get(part)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if isinstance(value, Mapping):
            raise ExpressionError(f"{name} is no value")
        return value  # pyright: ignore[reportUnknownVariableType]

    def take(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        self.tokens.pop(0)
        return True

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise ExpressionError(f"{token!r} is missing")


def _equal(one: Value, other: Value) -> bool:
    """Texts are compared without regard to case; other types as they are."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    return type(one) is type(other) and one == other
