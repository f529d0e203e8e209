"""The texts of a delivery: branch, commit message, pull request, and the marks of its origin.

A pull request and a commit of ocelot's say of what they are: the pull request in a comment that its
page does not show, the commit in trailers. A later run knows them again by these marks, also if a
run in between was killed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pipeline.gitops.manifests import Change
    from pipeline.gitops.objects import Commit
    from pipeline.gitops.remote import Remote

# Characters of a pull request's body: https://docs.github.com/en/rest/pulls/pulls
LONGEST_BODY = 65_536

_KEY = r"[a-z]+ [A-Za-z0-9._/-]+(?: [A-Za-z0-9._/-]+)?"
_SOURCE = r"(?P<sha>[0-9a-f]{40,64}) (?P<time>[0-9]{1,12})"
_MARKER = re.compile(rf"^<!-- ocelot: (?P<key>{_KEY})(?:; source {_SOURCE})? -->\s*$", re.MULTILINE)
_TRAILER = re.compile(r"^Ocelot-(?P<name>Release|Base|Source): (?P<value>.+)$", re.MULTILINE)
_SHORTENED = "… the rest is left out here: see the files of this pull request"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedCommit:
    """The commit of a source repository that is released.

    Attributes:
        time: of its committer, seconds since the epoch.
    """

    sha: str
    time: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """The mark by which a delivery is known again.

    Attributes:
        key: of the delivery; there is one open pull request of each.
        source: of what is released; None where nothing of a source is.
    """

    key: str
    source: ReleasedCommit | None = None

    @property
    def comment(self) -> str:
        """The mark in a pull request's body."""
        source = f"; source {self.source.sha} {self.source.time}" if self.source else ""
        return f"<!-- ocelot: {self.key}{source} -->"


def body_marker(body: str) -> Marker | None:
    """Return the mark of a pull request's body; None if it has none."""
    found = _MARKER.search(body.replace("\r", ""))
    return _marker(found["key"], found["sha"], found["time"]) if found else None


def commit_marker(commit: Commit) -> Marker | None:
    """Return the mark of a commit; None if it has none."""
    values = {each["name"]: each["value"] for each in _TRAILER.finditer(commit.message)}
    if "Release" not in values:
        return None
    source = re.fullmatch(_SOURCE, values.get("Source", ""))
    return _marker(
        values["Release"], *((source["sha"], source["time"]) if source else (None, None))
    )


def commit_base(commit: Commit) -> str:
    """Return the SHA of the base on which ocelot made a commit; empty if it did not make it."""
    values = {each["name"]: each["value"] for each in _TRAILER.finditer(commit.message)}
    return values.get("Base", "")


def _marker(key: str, sha: str | None, time: str | None) -> Marker:
    source = ReleasedCommit(sha=sha, time=int(time)) if sha and time else None
    return Marker(key=key, source=source)


def branch_name(prefix: str, now: datetime, taken: Collection[str] = ()) -> str:
    """Return the name of a new branch: the prefix with the time, or the next second not taken."""
    name = f"{prefix}{now.astimezone(UTC):%Y%m%d-%H%M%S}"
    return branch_name(prefix, now + timedelta(seconds=1), taken) if name in taken else name


def is_branch_of(prefix: str, name: str) -> bool:
    """Return True for a name that `branch_name` gave."""
    return re.fullmatch(rf"{re.escape(prefix)}[0-9]{{8}}-[0-9]{{6}}", name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryTexts:
    """The texts of a commit and its pull request.

    Attributes:
        subject: of the commit, and title of the pull request.
        facts: names and values that both list, such as Project and shop.
        summary: further Markdown for the pull request; empty for none.
        title: of the pull request, if it is not the subject.
    """

    subject: str
    facts: tuple[tuple[str, str], ...]
    summary: str = ""
    title: str = ""

    def message(self, marker: Marker, base: str) -> str:
        """Return the commit's message.

        Args:
            marker: the delivery's.
            base: SHA of the base's newest commit.
        """
        facts = [f"{name}: {_one_line(value)}" for name, value in self.facts]
        trailers = [f"Ocelot-Release: {marker.key}", f"Ocelot-Base: {base}"]
        if marker.source:
            trailers.append(f"Ocelot-Source: {marker.source.sha} {marker.source.time}")
        return "\n".join([_one_line(self.subject), "", *facts, "", *trailers, ""])

    def body(self, marker: Marker, changes: Sequence[Change]) -> str:
        """Return the pull request's body, with as much of the diff as GitHub takes."""
        facts = [f"- {name}: {code_span(value)}" for name, value in self.facts]
        head = [marker.comment, "", "## Summary", "", *facts]
        if self.summary:
            head += ["", self.summary]
        head += ["", "## Changes", "", *_change_lines(changes)]
        text = "\n".join(head)
        room = LONGEST_BODY - len(text.encode()) - 200
        return f"{text}\n\n{_fenced(diff_text(changes), room)}\n" if room > 0 else _cut(text)


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    shown = 50
    for each in changes[:shown]:
        verb = "added" if each.before is None else "removed" if each.after is None else "changed"
        yield f"- {code_span(each.path)} {verb}"
    if len(changes) > shown:
        yield f"- and {len(changes) - shown} more"


def diff_text(changes: Iterable[Change]) -> str:
    """Return a unified diff of changed files."""
    return "".join(line for each in changes for line in _diff(each))


def _diff(change: Change) -> Iterator[str]:
    before, after = (_lines(content) for content in (change.before, change.after))
    old = "/dev/null" if change.before is None else f"a/{change.path}"
    new = "/dev/null" if change.after is None else f"b/{change.path}"
    for line in difflib.unified_diff(before, after, old, new):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(content: bytes | None) -> list[str]:
    """Return the lines with their ends; only a line feed ends one, as for git."""
    text = (content or b"").decode(errors="replace")
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _fenced(text: str, room: int) -> str:
    """Return text as a code block of at most so many bytes, cut at a line's end."""
    kept: list[str] = []
    size = 0
    lines = text.splitlines(keepends=True)
    for line in lines:
        size += len(line.encode())
        if size > room:
            break
        kept.append(line)
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    rest = "" if len(kept) == len(lines) else f"\n\n{_SHORTENED}"
    return f"{fence}diff\n{''.join(kept)}{fence}{rest}"


def _cut(text: str) -> str:
    """Return Markdown that is too long, cut at a line's end."""
    return text.encode()[: LONGEST_BODY - 200].decode(errors="ignore").rpartition("\n")[0] + (
        f"\n\n{_SHORTENED}\n"
    )


def code_span(value: str) -> str:
    """Return a value as Markdown that shows it as code, whatever is in it."""
    text = _one_line(value)
    longest = max((len(each) for each in re.findall(r"`+", text)), default=0)
    if not longest:
        return f"`{text}`"
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}"


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def compare_url(remote: Remote, base: str, branch: str) -> str:
    """Return the address at which a host compares a branch; empty if the host is not known."""
    host = remote.host.lower()
    old, new = quote(base), quote(branch)
    if "gitlab" in host:
        values = (("source_branch", new), ("target_branch", old))
        query = "&".join(f"merge_request%5B{name}%5D={value}" for name, value in values)
        return f"{remote.page}/-/merge_requests/new?{query}"
    if "bitbucket" in host:
        return f"{remote.page}/pull-requests/new?source={new}&dest={old}"
    if "github" in host:
        return f"{remote.page}/compare/{old}...{new}?expand=1"
    if any(name in host for name in ("gitea", "forgejo", "codeberg")):
        return f"{remote.page}/compare/{old}...{new}"
    return ""
