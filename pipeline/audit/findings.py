"""What govulncheck answered, as values. Pure.

Its answer is a stream of JSON objects, one message each: the config first, then what the binary
is made of, the advisories on those modules, and a finding for each that concerns them.
https://pkg.go.dev/golang.org/x/vuln/internal/govulncheck
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import ToolchainError

Level = Literal["module", "package", "symbol"]
LEVELS: tuple[Level, ...] = get_args(Level)

# What govulncheck writes for a database that does not say when it was last changed.
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_NEXT = re.compile(r"\S")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Vulnerability:
    """One advisory that concerns a module of a binary.

    Attributes:
        module: path of the Go module; `stdlib` for Go's own library.
        id: such as GO-2026-0001.
        aliases: other databases' ids, such as CVE-2026-0001.
        summary: one line; may be empty.
        found: the module's version in the binary.
        fixed: the version that mends it; empty where there is none yet.
        level: how much of it was found: the module, a vulnerable package, a vulnerable function.
    """

    module: str
    id: str
    aliases: tuple[str, ...]
    summary: str
    found: str
    fixed: str
    level: Level


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What is known against one binary.

    Attributes:
        database: its URL.
        modified: when the database last changed.
        level: the most that the scan could tell; `module` for a stripped binary.
        modules: the number of modules looked at, Go's own library among them.
        advisories: the number of advisories on those modules, at whatever version.
        vulnerabilities: those that concern the versions in the binary, sorted.
    """

    database: str
    modified: datetime
    level: Level
    modules: int
    advisories: int
    vulnerabilities: tuple[Vulnerability, ...]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Config(_Message):
    protocol_version: str = Field(pattern=r"^v1\.")
    scan_level: Level
    scan_mode: Literal["binary"]
    db_last_modified: datetime = _NEVER


class _Module(_Message):
    path: str


class _Sbom(_Message):
    modules: tuple[_Module, ...] = Field(min_length=1)


class _Advisory(_Message):
    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""


class _Frame(_Message):
    module: str
    version: str = ""
    package: str = ""
    function: str = ""

    @property
    def level(self) -> Level:
        return "symbol" if self.function else "package" if self.package else "module"


class _Finding(_Message):
    osv: str
    fixed_version: str = ""
    trace: tuple[_Frame, ...] = Field(min_length=1)


class _Line(_Message):
    """One message of the stream; progress is left out."""

    config: _Config | None = None
    sbom: _Sbom | None = Field(default=None, alias="SBOM")
    osv: _Advisory | None = None
    finding: _Finding | None = None


def read_answer(output: bytes, *, database: str) -> Scan:
    """The scan that an answer stands for.

    Raises:
        ToolchainError: it is not whole, so that nothing can be said of the binary.
    """
    try:
        lines = [_Line.model_validate(each) for each in _objects(output.decode())]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _unreadable(f"{place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is cut off or no JSON: {error}") from error
    config = lines[0].config if lines else None
    sbom = next((each.sbom for each in lines if each.sbom), None)
    if config is None or sbom is None:
        raise _unreadable("it does not say what was looked at")
    if config.db_last_modified <= _NEVER:
        raise ToolchainError(
            f"{database} does not say when it was last changed: it is no vulnerability database",
            hint="name another, a URL or a folder of the same layout, with --vuln-db",
        )
    advisories = {each.osv.id: each.osv for each in lines if each.osv}
    findings = [each.finding for each in lines if each.finding]
    return Scan(
        database=database,
        modified=config.db_last_modified,
        level=config.scan_level,
        modules=len({each.path for each in sbom.modules}),
        advisories=len(advisories),
        vulnerabilities=tuple(sorted(_vulnerabilities(findings, advisories.values()))),
    )


def _objects(text: str) -> Iterator[object]:
    decoder, at = json.JSONDecoder(), 0
    while start := _NEXT.search(text, at):
        value, at = decoder.raw_decode(text, start.start())
        yield value


def _vulnerabilities(
    findings: Sequence[_Finding], advisories: Iterable[_Advisory]
) -> Iterator[Vulnerability]:
    """One for each advisory and module, from the finding that says most."""
    known = {each.id: each for each in advisories}
    most: dict[tuple[str, str], _Finding] = {}
    for finding in sorted(findings, key=lambda each: LEVELS.index(each.trace[0].level)):
        most[finding.osv, finding.trace[0].module] = finding
    for finding in most.values():
        if finding.osv not in known:
            raise _unreadable(f"it finds {finding.osv!r} without saying what that is")
        advisory, frame = known[finding.osv], finding.trace[0]
        yield Vulnerability(
            module=_line(frame.module),
            id=_line(advisory.id),
            aliases=tuple(_line(each) for each in advisory.aliases),
            summary=_line(advisory.summary),
            found=_line(frame.version),
            fixed=_line(finding.fixed_version),
            level=frame.level,
        )


def _line(text: str) -> str:
    """A database's words as one line that can do nothing to a terminal."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _unreadable(why: str) -> ToolchainError:
    return ToolchainError(
        f"govulncheck's answer cannot be used: {why}",
        hint="nothing is known of the layer's vulnerabilities; run the same command again",
    )
