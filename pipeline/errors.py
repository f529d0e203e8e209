"""Every error a user can cause: what is wrong, where, and what to do next.

The exit codes are part of the command line's contract; `EXIT_CODES` feeds `ocelot --help`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

_LONGEST = 80


class OcelotError(Exception):
    """A failure that is told as a message, its details and a hint, never as a traceback.

    Attributes:
        hint: what the user can do next; may be empty.
        details: lines of evidence, such as the output of `go` or `git`, oldest first.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "unexpected failure, a bug in ocelot"

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.details = details

    def with_message(self, message: str, details: tuple[str, ...]) -> Self:
        """The same error, with another message and other details."""
        other = type(self).__new__(type(self), message)
        other.__dict__.update({**self.__dict__, "details": details})
        return other

    def text(self) -> str:
        """All of it as plain text: message, details, hint."""
        lines = [str(self), *(f"  {line}" for line in self.details)]
        return "\n".join([*lines, f"next: {self.hint}"] if self.hint else lines)


class UsageError(OcelotError):
    """An option or argument that cannot be used."""

    exit_code = 2
    meaning = "usage: an option or argument cannot be used"


def quoted(value: str) -> str:
    """A user's own words for a message: in quotes, in short, with nothing that does not print."""
    return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong in one file.

    Attributes:
        file: path as the user knows it, for example `config/distributions.yaml`.
        line: line in the file, counted from 1; 0 where the whole file is meant.
    """

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class ConfigError(OcelotError):
    """The configuration has problems; all of them are told at once."""

    exit_code = 3
    meaning = "config: a file under config/ has problems"

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{count} in the configuration",
            hint=hint or "mend the lines named, then try `ocelot config check`",
            details=tuple(str(problem) for problem in problems),
        )
        self.problems = problems


class UpstreamError(OcelotError):
    """The upstream collector cannot be found, fetched or used."""

    exit_code = 4
    meaning = "upstream: repository or ref cannot be reached, found or used"


class ToolchainError(OcelotError):
    """Go is missing or of another version, or a Go module cannot be had."""

    exit_code = 5
    meaning = "toolchain: Go, git or a Go module cannot be had"


class CompileError(OcelotError):
    """The Go compiler refused the collector."""

    exit_code = 6
    meaning = "compile: the Go compiler refused the collector"


class LimitError(OcelotError):
    """A layer is larger than AWS Lambda takes."""

    exit_code = 7
    meaning = "limits: a layer is larger than AWS Lambda takes"


class OutputError(OcelotError):
    """A file cannot be written: a full disk, a read-only folder."""

    exit_code = 8
    meaning = "output: a file cannot be written"


class LockError(OcelotError):
    """What is to be built is not what was locked, or a lock or bundle cannot be trusted."""

    exit_code = 9
    meaning = "lock: not as locked, or a lock or bundle cannot be used"


class VerifyError(OcelotError):
    """What was published is not what a rebuild gives."""

    exit_code = 10
    meaning = "verify: a layer is not what a rebuild gives"


class AwsError(OcelotError):
    """AWS does not answer, or refuses."""

    exit_code = 11
    meaning = "aws: AWS does not answer, or refuses"


class PublishError(OcelotError):
    """No target was published as it should be."""

    exit_code = 12
    meaning = "publish: nothing is published as it should be"


class PartlyPublishedError(PublishError):
    """Some targets were published, others not."""

    exit_code = 13
    meaning = "publish: some regions are as they should be, others are not"


class TrustError(OcelotError):
    """A role lets in others than it should, or not whom it should."""

    exit_code = 14
    meaning = "oidc: a role or its table is not as it should be"


class BenchError(OcelotError):
    """A layer does not run as it should, or cannot be tried."""

    exit_code = 15
    meaning = "bench: a layer does not run as it should, or cannot be tried"


class InterruptedBuildError(OcelotError):
    """Ctrl-C or SIGTERM ended the work."""

    exit_code = 130
    meaning = "interrupted by Ctrl-C or SIGTERM"


EXIT_CODES: dict[int, str] = {
    0: "done",
    **{
        kind.exit_code: kind.meaning
        for kind in (
            OcelotError,
            UsageError,
            ConfigError,
            UpstreamError,
            ToolchainError,
            CompileError,
            LimitError,
            OutputError,
            LockError,
            VerifyError,
            AwsError,
            PublishError,
            PartlyPublishedError,
            TrustError,
            BenchError,
            InterruptedBuildError,
        )
    },
}


def error_line(error: Exception) -> str:
    """Return an error in a line."""
    if isinstance(error, OcelotError):
        return f"{error}; {error.hint}" if error.hint else str(error)
    return f"unexpected {type(error).__name__}: {error}"
