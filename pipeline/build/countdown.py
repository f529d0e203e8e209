"""The packages that are still to be compiled: counted while `go build -v` names them.

`go list` knows which packages its cache does not have. `go build -v` names each of those when it
begins to compile it, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# An estimate that is made earlier is far off.
_FIRST_ESTIMATE = 0.05
_MINUTE = 60


@dataclass(kw_only=True)
class Countdown:
    """The packages of one compile step.

    Attributes:
        packages: those to compile, each with its number of Go files.
        clock: seconds.
    """

    packages: Mapping[str, int]
    clock: Callable[[], float] = time.monotonic
    _begun: set[str] = field(default_factory=set[str])
    _files: int = 0

    def __post_init__(self) -> None:
        self._start = self.clock()

    def line(self, text: str) -> str:
        """Return a line that Go printed; a package's name follows its number and the time left."""
        if text not in self.packages or text in self._begun:
            return text
        left = self._time_left()  # the package's own files are still to be compiled
        self._begun.add(text)
        self._files += self.packages[text]
        return f"{len(self._begun)} of {len(self.packages)} packages{left}: {text}"

    def _time_left(self) -> str:
        """How long the rest takes if its files take as long as those compiled so far."""
        total = sum(self.packages.values())
        if self._files < total * _FIRST_ESTIMATE:
            return ""
        seconds = (self.clock() - self._start) * (total - self._files) / self._files
        if seconds < _MINUTE:
            return f", about {seconds:.0f} s left"
        return f", about {seconds / _MINUTE:.0f} min left"
