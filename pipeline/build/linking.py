"""Why the linker keeps unused methods: chains from main to the functions that call for it.

With `-dumpdep` Go's linker prints a line for each symbol that it reaches: the symbol that led to
it, an arrow, and the symbol. `<ReflectMethod>` marks a function that calls methods by a name or
number known only at run time. Once one is reached, all exported methods are kept, and further such
functions are reached only because of that; these are not named. Functions of package reflect are
reached by a call of theirs by name, which has no line; the binary shows who makes it.
https://github.com/golang/go/blob/go1.26.6/src/cmd/link/internal/ld/deadcode.go
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.build.packages import Imports
from pipeline.layer.functions import import_path, package_of

_ARROW = " -> "
_START = "_"
_CALLS_METHODS = "<ReflectMethod>"
_MARKS = re.compile(r" (<\w+>)+$")
_TYPE = "type:"
# Symbols that a type needs even if its methods are dropped.
_NO_METHODS = (_TYPE, "go:", "runtime.")
# Symbols that need no others.
_LEAVES = ("go:string.", "gclocals", "type:.namedata.", "runtime.gcbits.", "go:info.")
# The initialisers of all packages are run, whether or not main calls anything of the package.
_INITIALISERS = "go:main.inittasks"
_MAIN = "main"
_REFLECT = b"reflect"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """Why a function is in a binary.

    Attributes:
        function: its name, with its package's path.
        packages: those that lead to it, from `main` on; of a module the last one.
    """

    function: str
    packages: tuple[str, ...]

    def text(self) -> str:
        """Return the chain on one line."""
        return _ARROW.join((*self.packages, self.function))


@dataclass(kw_only=True)
class LinkedSymbols:
    """The symbols that the linker reached, read line by line.

    Attributes:
        reached_from: the symbol that led to each symbol, by name.
        preventing: the functions for which all exported methods are kept.
    """

    reached_from: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    preventing: list[str] = field(default_factory=list[str])
    _consequences: set[str] = field(default_factory=set[str], repr=False)

    def take(self, line: str) -> bool:
        """Read a line that Go printed; returns True if it is the linker's."""
        start, arrow, end = line.partition(_ARROW)
        if not arrow or (not self.reached_from and start != _START):
            return False
        source, symbol = _MARKS.sub("", start), _MARKS.sub("", end)
        if symbol in self.reached_from or symbol.startswith(_LEAVES):
            return True
        is_method = source.startswith(_TYPE) and not symbol.startswith(_NO_METHODS)
        if source in self._consequences or (self.preventing and is_method):
            self._consequences.add(symbol)
            return True
        self.reached_from[symbol] = source
        if end.endswith(_CALLS_METHODS):
            self.preventing.append(symbol)
        return True

    def path(self, symbol: str) -> list[str]:
        """Return the symbols from the linker's start to a symbol, with it."""
        path = [symbol]
        while (above := self.reached_from.get(path[-1], _START)) != _START:
            path.append(above)
        return path[::-1]


def chains(
    symbols: LinkedSymbols, imports: Imports, callers: Collection[str] = ()
) -> tuple[Chain, ...]:
    """Return a chain for each function that keeps the linker from dropping unused methods.

    Args:
        symbols: those that the linker reached.
        imports: among the packages of the build.
        callers: the functions of the binary that call methods by reflection, which stand for those
            of package reflect.
    """
    own = {each for each in symbols.preventing if package_of(each.encode()) == _REFLECT}
    found = set(symbols.preventing) - own
    if own:
        reached = {each for each in symbols.reached_from if import_path(each.encode()) in callers}
        found = found | reached or own
    return tuple(
        Chain(
            function=import_path(each.encode()),
            packages=tuple(_packages(symbols.path(each), imports)),
        )
        for each in sorted(found)
    )


def _packages(path: list[str], imports: Imports) -> Iterator[str]:
    """Return the packages on a path of symbols, without that of the last symbol."""
    found = [import_path(package_of(each.encode())) for each in path]
    if path[0] == _INITIALISERS and len(found) > 1:
        _main, *imported = imports.chain(found[1]) or ("",)
        found = [_MAIN, *imported, *found[2:]]
    elif _MAIN in found:
        found = found[found.index(_MAIN) :]
    modules = imports.modules
    own = modules.get(imports.main, imports.main)
    others = [each for each in found if each and modules.get(each) != own]
    for package, following in pairwise(others):
        if modules.get(package, package) != modules.get(following, following):
            yield package


def explanations(found: Mapping[str, Iterable[Chain]]) -> tuple[str, ...]:
    """Return a sentence for each chain, or for each zip of which the linker drops unused methods.

    Args:
        found: the chains by the zip's name.
    """
    files: dict[str, list[str]] = defaultdict(list)
    for file, every in found.items():
        for sentence in [_sentence(each) for each in every] or [_DROPPED]:
            files[sentence].append(file)
    return tuple(f"{', '.join(those)}: {sentence}" for sentence, those in files.items())


_DROPPED = "the linker drops unused methods"


def _sentence(chain: Chain) -> str:
    return f"unused methods are kept for {chain.function}: {chain.text()}"
