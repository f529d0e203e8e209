"""govulncheck's output, read as a `Scan`.

The output is a stream of JSON objects, one message each: the config first, then the binary's
modules, the advisories on them, and a finding for each advisory that applies to their versions.
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

# govulncheck writes this for a database without a time of its last change.
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_NEXT = re.compile(r"\S")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Vulnerability:
    """An advisory that applies to a module of a binary.

    Attributes:
        module: path of the Go module; `stdlib` for Go's own library.
        id: such as GO-2026-0001.
        aliases: ids in other databases, such as CVE-2026-0001.
        summary: one line; may be empty.
        found: the module's version in the binary.
        fixed: the version that fixes it; empty where there is none yet.
        level: what was found in the binary: the module, a vulnerable package or function.
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
    """The known vulnerabilities of one binary.

    Attributes:
        database: URL of the vulnerability database.
        modified: time of the database's last change.
        level: the finest level of the scan; `module` for a stripped binary.
        modules: the number of modules looked up, Go's standard library among them.
        advisories: the number of advisories on those modules, for any version.
        vulnerabilities: those of the versions in the binary, sorted.
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
    """One message of the stream; messages of progress have none of these fields."""

    config: _Config | None = None
    sbom: _Sbom | None = Field(default=None, alias="SBOM")
    osv: _Advisory | None = None
    finding: _Finding | None = None


def read_scan(output: bytes, *, database: str) -> Scan:
    """Read govulncheck's output.

    Raises:
        ToolchainError: it is incomplete, so that the vulnerabilities are not known.
    """
    try:
        lines = [_Line.model_validate(each) for each in _objects(output.decode())]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _unreadable(f"{field}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is cut off or no JSON: {error}") from error
    config = lines[0].config if lines else None
    sbom = next((each.sbom for each in lines if each.sbom), None)
    if config is None or sbom is None:
        raise _unreadable("it does not name the modules")
    if config.db_last_modified <= _NEVER:
        raise ToolchainError(
            f"{database} is no vulnerability database: it has no time of its last change",
            hint="name another, a URL or a folder, with --vuln-db",
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
    """Return one for each advisory and module, from the finding of the finest level."""
    known = {each.id: each for each in advisories}
    finest: dict[tuple[str, str], _Finding] = {}
    for finding in sorted(findings, key=lambda each: LEVELS.index(each.trace[0].level)):
        finest[finding.osv, finding.trace[0].module] = finding
    for finding in finest.values():
        if finding.osv not in known:
            raise _unreadable(f"it has a finding of {finding.osv!r} without that advisory")
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
    """Return a database's text on one line, without signs that a terminal would obey."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _unreadable(why: str) -> ToolchainError:
    return ToolchainError(
        f"govulncheck's output cannot be used: {why}",
        hint="the layer's vulnerabilities are not known: run the same command again",
    )
