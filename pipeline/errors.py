"""All errors of ocelot, each with its exit code: what is wrong, where, and what to do next.

Programs rely on the exit codes. `ocelot --help` and the README list them from `EXIT_CODES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

_LONGEST = 80

# Hint after a failure that may not happen the next time.
RUN_AGAIN = "run the same command again: finished work is not repeated"


class OcelotError(Exception):
    """A failure that is shown as a message, details and a hint, without a traceback.

    Attributes:
        exit_code: of the process that ends with this error.
        meaning: of the exit code, for `ocelot --help`.
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
        """Return a copy of this error with another message and other details."""
        other = type(self).__new__(type(self), message)
        other.__dict__.update({**self.__dict__, "details": details})
        return other

    def text(self) -> str:
        """Return message, details and hint as plain text."""
        lines = [str(self), *(f"  {line}" for line in self.details)]
        return "\n".join([*lines, f"next: {self.hint}"] if self.hint else lines)


class UsageError(OcelotError):
    """Error for an option or argument that cannot be used."""

    exit_code = 2
    meaning = "usage: an option or argument cannot be used"


def quoted(value: str) -> str:
    """Return a value from outside for a message: quoted, shortened, unprintable signs escaped."""
    return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 layer version`, `3 layer versions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
        location = f"{self.file}:{self.line}" if self.line else self.file
        return f"{location}: {self.message}"


class ConfigError(OcelotError):
    """Error for a configuration with problems: it has all of them."""

    exit_code = 3
    meaning = "config: a file under config/ has problems"

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        count = counted(len(problems), "problem")
        super().__init__(
            f"{count} in the configuration",
            hint=hint or "fix these lines, then run `ocelot config check`",
            details=tuple(str(problem) for problem in problems),
        )
        self.problems = problems


class UpstreamError(OcelotError):
    """Error for an upstream repository that cannot be found, fetched or used."""

    exit_code = 4
    meaning = "upstream: repository or ref cannot be reached, found or used"


class ToolchainError(OcelotError):
    """Error for a missing Go, git or Go module, or a Go of another version."""

    exit_code = 5
    meaning = "toolchain: Go, git or a Go module is missing"


class CompileError(OcelotError):
    """Error for a collector that does not compile."""

    exit_code = 6
    meaning = "compile: the Go compiler refused the collector"


class LimitError(OcelotError):
    """Error for a layer that is larger than AWS Lambda or its budget allows."""

    exit_code = 7
    meaning = "limits: a layer is larger than AWS Lambda or its budget allows"


class OutputError(OcelotError):
    """Error for a file that cannot be written: a full disk, a read-only folder."""

    exit_code = 8
    meaning = "output: a file cannot be written"


class LockError(OcelotError):
    """Error for a build that differs from its lock, or for an unusable lock or bundle."""

    exit_code = 9
    meaning = "lock: a build differs from its lock, or a lock or bundle cannot be used"


class VerifyError(OcelotError):
    """Error for a layer that differs from its rebuild, its manifest or its lock."""

    exit_code = 10
    meaning = "verify: a layer differs from its rebuild, its manifest or its lock"


class AwsError(OcelotError):
    """Error for a request that AWS does not answer or refuses."""

    exit_code = 11
    meaning = "aws: AWS does not answer, or refuses"


class PublishError(OcelotError):
    """Error for a run in which no target succeeded.

    Attributes:
        failures: each target or region that failed, with the reason; the details are made of them.
    """

    exit_code = 12
    meaning = "publish: no target succeeded"

    def __init__(self, message: str, *, hint: str, failures: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message, hint=hint, details=tuple(f"{a}: {why}" for a, why in failures))
        self.failures = failures


class PartlyPublishedError(PublishError):
    """Error for a run in which some targets succeeded and others failed."""

    exit_code = 13
    meaning = "publish: some targets succeeded, others failed"


class TrustError(OcelotError):
    """Error for a role or table that is not set up as publishing needs it."""

    exit_code = 14
    meaning = "oidc: a role or its table is not set up correctly"


class BenchError(OcelotError):
    """Error for a layer that fails on the bench or cannot be run there."""

    exit_code = 15
    meaning = "bench: a layer fails on the bench, or cannot be run there"


class GitHubError(OcelotError):
    """Error for a request that GitHub refuses, or a release there that is not as it should be."""

    exit_code = 16
    meaning = "github: GitHub refuses, or a release there differs"


class GitOpsError(OcelotError):
    """Error for a GitOps repository, or for an image or release of OpenChoreo's workflows."""

    exit_code = 17
    meaning = "gitops: a GitOps repository, image or release is not as it should be"


class ReapError(OcelotError):
    """Error for a plan to delete layer versions that does not hold, or for a tombstone."""

    exit_code = 18
    meaning = "reap: a plan does not hold any more, or a tombstone is missing or damaged"


class InterruptedBuildError(OcelotError):
    """Error for work that Ctrl-C or SIGTERM ended."""

    exit_code = 130
    meaning = "interrupted by Ctrl-C or SIGTERM"


EXIT_CODES: dict[int, str] = {
    0: "done",
    **{
        error.exit_code: error.meaning
        for error in list(globals().values())
        if isinstance(error, type) and issubclass(error, OcelotError)
    },
}


def publish_error(
    message: str, failures: Iterable[tuple[str, str]], *, failed: int, total: int
) -> PublishError:
    """Error for targets or regions that are not as they should be.

    Args:
        message: says how many.
        failures: each target or region that failed, with the reason.
        failed: number of targets or regions that failed.
        total: number of all of them; if some did not fail, the error is a `PartlyPublishedError`.
    """
    kind = PartlyPublishedError if failed < total else PublishError
    pairs = tuple(failures)
    helps = all(RUN_AGAIN in reason for _, reason in pairs)
    hint = RUN_AGAIN if helps else f"do what these lines say, then {RUN_AGAIN}"
    return kind(message, hint=hint, failures=pairs)


class Attempt:
    """Work for one region or target, as a context manager that turns an error into a line.

    Every error is caught, a bug in ocelot included, so that one region's failure stops no other.

        with Attempt() as attempt:
            ...
        return attempt.error

    Attributes:
        error: the error with its hint, in one line; empty if there was none.
    """

    error = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, OcelotError):
            self.error = f"{error}; {error.hint}" if error.hint else str(error)
        elif isinstance(error, Exception):
            self.error = f"unexpected {type(error).__name__}: {error}"
        return isinstance(error, Exception)
