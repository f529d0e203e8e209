"""Release notes as Markdown and as JSON. The Markdown's text stands in `notes.md.j2`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.github.plan import LONGEST_BODY
from pipeline.layer.limits import megabytes
from pipeline.naming import Architecture, zip_name, zip_parts
from pipeline.notes.difference import ModuleMove, ReleaseDifference
from pipeline.notes.facts import KnownVulnerability, LayerFigures, ReleaseFacts
from pipeline.notes.release import ReleaseNotes
from pipeline.publish.published import MissingTarget
from pipeline.registry.row import Row
from pipeline.report.arns import arns_markdown, folded
from pipeline.report.markdown import Markdown, code, escaped, table
from pipeline.report.rendering import json_text
from pipeline.report.snippets import snippets

# A release on GitHub has a comment behind its notes.
_COMMENT = 1_000
# What is shown at most, from all to little: Go modules, and names in any other list.
_SHORTENING = ((10_000, 10_000), (300, 10_000), (50, 1_000), (50, 100), (0, 20), (0, 5))
_LONGEST_TEXT = 1_000
_MODULES_SHOWN = 10
_NO_VERSION, _UNKNOWN = "none", "not known"
_GRANTEES = {"org": "AWS organisation", "account": "AWS account"}
_GITHUB = re.compile(
    r"(?:(?:https://|git@|ssh://git@)github\.com[/:])?([A-Za-z0-9][\w-]*/[\w.-]+?)(?:\.git)?/?",
    re.ASCII,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VERBATIM = re.compile(r"[A-Za-z0-9 ._:/@+=,$(){}\[\]\"!`-]*")


def notes_markdown(notes: ReleaseNotes, limit: int = LONGEST_BODY - _COMMENT) -> str:
    """Return release notes as Markdown.

    Args:
        notes: the notes.
        limit: of their length; long lists are shortened to keep it, Go modules first.
    """
    texts = (_rendered(notes, *most) for most in _SHORTENING)
    text = next(texts)
    while len(text.encode()) > limit and (shorter := next(texts, "")):
        text = shorter
    return text


def _rendered(notes: ReleaseNotes, most_modules: int, most: int) -> str:
    """Return the notes with lists of at most so many entries."""
    difference, rows = notes.difference, notes.rows
    own = [row for row in rows if row.architecture is notes.arns.architectures[0]]
    template = _environment().get_template("notes.md.j2")
    text = template.render(
        title=_title(notes),
        release=notes.release,
        made_of=_made_of(notes.release),
        arns=arns_markdown(notes.arns),
        missing=[_missing(each) for each in notes.missing],
        architectures=notes.arns.architectures,
        snippets=list(snippets(own, notes.parameters.get(str(own[0].arn), ()))),
        figures=_figures(notes),
        difference=difference,
        changes=list(_changes(notes, difference, most)) if difference else (),
        modules=_modules(difference.modules, most_modules) if difference else "",
        first_release=notes.compared and not notes.unknown,
        remarks=list(_remarks(notes)),
        contained=list(_contained(notes.release)),
        access=list(_access(rows)),
        first_arn=str(own[0].arn),
        repository=notes.repository,
        signer=notes.signer,
        zip=_zip_file(own[0]),
        most=most,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _environment() -> Environment:
    """Return the templates, in which every value is escaped for Markdown."""
    environment = Environment(  # noqa: S701  Markdown: `finalize` escapes it
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=escaped,
    )
    filters = cast("dict[str, Any]", environment.filters)  # pyright: ignore[reportUnknownMemberType]
    filters.update(names=_names, cut=_cut, verbatim=_verbatim)
    return environment


def _cut(text: str) -> str:
    """Return the beginning of a text that is very long."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _verbatim(text: str) -> Markdown:
    """Return a text for a block of code or a link.

    Raises:
        ValueError: it has signs that could end it.
    """
    if not _VERBATIM.fullmatch(text):
        raise ValueError(f"{text!r} cannot be in a block of code")
    return Markdown(text)


def _names(names: Iterable[object], most: int) -> Markdown:
    """Return names as code, at most so many of them, and the number of the others."""
    every = [code(_cut(str(each))) for each in names]
    left = f" and {len(every) - most} more" if len(every) > most else ""
    return Markdown(", ".join(every[:most]) + left)


def _title(notes: ReleaseNotes) -> str:
    group = f" ({notes.release_group})" if notes.release_group else ""
    return f"{notes.release.distribution} {notes.release.collector_version}{group}"


def _zip_file(row: Row) -> str:
    """Return the name of a layer's zip."""
    name = zip_name(row.architecture, row.distribution)
    return name if zip_parts(name) else "ZIP"


def _made_of(release: ReleaseFacts) -> Markdown:
    """Return a sentence that names what a release was built from."""
    source = f"{code(release.repository)} at {code(release.commit)}" if release.repository else ""
    go = f", built with Go {escaped(go)}" if (go := release.first.contents.go) else ""
    collector = f"OpenTelemetry Collector {escaped(release.collector_version)}"
    return Markdown(f"{collector} as a layer for AWS Lambda{source and f', of {source}'}{go}.")


def _missing(target: MissingTarget) -> str:
    """Return a region without a layer version, and why it has none."""
    of = f" {target.architecture.lambda_name}" if target.architecture else ""
    return f"{target.region}{of}: {_cut(target.reason or 'it could not be published there')}"


def _changes(
    notes: ReleaseNotes, difference: ReleaseDifference, most: int
) -> Iterator[tuple[str, Markdown]]:
    """Yield a title and a text for each difference except Go modules."""
    url = _compare_url(notes)
    link = f" ([compare]({url}))" if url else ""
    for title, move, more in (
        ("Collector", difference.collector, ""),
        ("Upstream's repository", difference.repository, ""),
        ("Upstream's commits", difference.commits, link),
        ("Go", difference.go, ""),
    ):
        if move:
            yield title, Markdown(f"{code(move.old)} → {code(move.new)}{more}")
    renamed = [f"{each.old} → {each.new}" for each in difference.components_renamed]
    for title, names in (
        ("Components added", difference.components_added),
        ("Components removed", difference.components_removed),
        ("Components renamed", renamed),
        ("Tunings added", difference.tunings.added),
        ("Tunings removed", difference.tunings.removed),
        ("Build tags added", difference.build_tags.added),
        ("Build tags removed", difference.build_tags.removed),
        ("Architectures added", difference.architectures.added),
        ("Architectures removed", difference.architectures.removed),
    ):
        if names:
            yield title, _names(names, most)
    yield from _vulnerabilities("Vulnerability fixed", difference.fixed, most)
    yield from _vulnerabilities("New vulnerability", difference.new, most)


def _vulnerabilities(
    title: str, found: Sequence[KnownVulnerability], most: int
) -> Iterator[tuple[str, Markdown]]:
    for each in found[:most]:
        summary = f": {escaped(_cut(each.summary))}" if each.summary else ""
        yield title, Markdown(f"{code(each.id)} in {code(each.module)}{summary}")
    if len(found) > most:
        yield title, escaped(f"{len(found) - most} more")


def _modules(modules: Sequence[ModuleMove], most: int) -> Markdown:
    """Return a table of the Go modules that moved, folded if it is long."""
    shown = modules[:most]
    left = len(modules) - len(shown)
    parts: list[str] = []
    if shown:
        rows = ((code(each.path), _version(each.old), _version(each.new)) for each in shown)
        parts.append(table(("Go module", "before", "now"), rows))
    if left:
        parts.append(
            f"{left} more Go modules have moved: compare the bills of materials (.cdx.json)."
        )
    text = Markdown("\n\n".join(parts))
    if len(modules) <= _MODULES_SHOWN:
        return text
    return folded(f"{len(modules)} Go modules have moved", text)


def _version(version: str) -> Markdown:
    return code(version) or Markdown(_NO_VERSION)


def _figures(notes: ReleaseNotes) -> Markdown:
    """Return a table of sizes and start figures: of this release, the last one and upstream."""
    rows = [
        (architecture.lambda_name, name, *_cells(figures[architecture]))
        for architecture in notes.release.layers
        for name, figures in _compared(notes)
        if architecture in figures
    ]
    headings = ("architecture", "layer", "zip", "unzipped", "CPU to ready", "memory when ready")
    return table(headings, rows)


def _compared(
    notes: ReleaseNotes,
) -> Iterator[tuple[str, Mapping[Architecture, LayerFigures]]]:
    """Yield names of releases with the figures of their layers."""
    yield "this release", _layer_figures(notes.release)
    if notes.last:
        yield f"last release, {notes.last.collector_version}", _layer_figures(notes.last)
    yield "upstream's own", notes.upstream


def _layer_figures(release: ReleaseFacts) -> Mapping[Architecture, LayerFigures]:
    return {architecture: each.figures for architecture, each in release.layers.items()}


def _cells(figures: LayerFigures) -> Iterator[str]:
    for size in (figures.size, figures.unzipped_size):
        yield megabytes(size) if size else _UNKNOWN
    for times in (figures.cpu_times, figures.memory_times):
        yield f"{times:.1f} times" if times else _UNKNOWN


def _compare_url(notes: ReleaseNotes) -> str:
    """Return the address of upstream's changes on GitHub; empty if it is elsewhere."""
    commits = notes.difference.commits if notes.difference else None
    found = _GITHUB.fullmatch(notes.release.repository)
    if commits is None or found is None or (notes.difference and notes.difference.repository):
        return ""
    if not (_COMMIT.fullmatch(commits.old) and _COMMIT.fullmatch(commits.new)):
        return ""
    return f"https://github.com/{found[1]}/compare/{commits.old}...{commits.new}"


def _remarks(notes: ReleaseNotes) -> Iterator[str]:
    """Yield sentences that say what is not compared."""
    if notes.unknown:
        yield notes.unknown
    elif difference := notes.difference:
        if not difference.components_known:
            yield "Components are not compared, since a release's zips are not there."
        if not difference.modules_known:
            yield "Go modules are not compared, since a release's bills of materials are not there."


def _contained(release: ReleaseFacts) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield titles and names of a release's components, tunings and build tags."""
    contents = release.first.contents
    for kind, found in groupby(contents.components or (), key=lambda each: each.kind):
        yield f"{kind}s", [each.name for each in found]
    for title, names in (("tunings", release.tunings), ("build tags", contents.build_tags)):
        if names:
            yield title, names
    if contents.vulnerabilities is not None:
        yield "known vulnerabilities", [str(len(contents.vulnerabilities))]


def _access(rows: Sequence[Row]) -> Iterator[str]:
    """Yield sentences that say who may use the layer versions."""
    public = [row for row in rows if row.public]
    if public:
        yield f"Every AWS account may use it{_except(rows, public)}."
    for each in sorted({grantee for row in rows for grantee in row.shared_with}):
        granted = [row for row in rows if each in row.shared_with]
        kind, _, name = each.partition(":")
        yield f"The {_GRANTEES.get(kind, kind)} {name} may use it{_except(rows, granted)}."
    if not any(row.public or row.shared_with for row in rows):
        yield "Only the AWS account that published it may use it."


def _except(rows: Sequence[Row], granted: Sequence[Row]) -> str:
    """Return the regions of rows that are not among others, in words."""
    left = sorted({row.region for row in rows} - {row.region for row in granted})
    return f", except in {', '.join(left)}" if left else ""


def notes_json(notes: ReleaseNotes) -> str:
    """Return release notes as JSON."""
    release = notes.release
    return json_text(
        {
            "distribution": release.distribution,
            "description": release.description,
            "release_group": notes.release_group,
            "collector_version": release.collector_version,
            "upstream": {"repository": release.repository, "commit": release.commit},
            "go": release.first.contents.go,
            "build_tags": release.first.contents.build_tags,
            "tunings": release.tunings,
            "components": release.first.contents.components,
            "vulnerabilities": release.first.contents.vulnerabilities,
            "layers": notes.layers.model_dump(mode="json")["layers"],
            "missing": notes.missing,
            "parameters": notes.parameters,
            "figures": {
                "this": _layer_figures(notes.release),
                "last": _layer_figures(notes.last) if notes.last else {},
                "upstream": notes.upstream,
            },
            "difference": notes.difference,
            "unknown": notes.unknown,
        }
    )
