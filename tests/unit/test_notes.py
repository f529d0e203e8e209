"""Release notes in all shapes, read by a parser of Markdown and as snapshots."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_reader import markup, tables
from notes_examples import (
    AMD64,
    ARM64,
    CONTENTS,
    FIGURES,
    LAST,
    NAMES,
    OTEL,
    component,
    facts,
    layer_facts,
    notes,
    rows,
)
from syrupy.assertion import SnapshotAssertion
from test_markdown import HOSTILE, LINE_ENDS, expected

from pipeline.github.plan import LONGEST_BODY
from pipeline.notes.facts import KnownVulnerability, LayerFigures
from pipeline.notes.release import ReleaseNotes
from pipeline.publish.published import MissingTarget
from pipeline.registry.arns import arn_table
from pipeline.registry.history import newest_releases
from pipeline.report.arns import arns_markdown, releases_markdown
from pipeline.report.notes import notes_json, notes_markdown

UPSTREAM = {AMD64: LayerFigures(size=14 << 20, unzipped_size=60 << 20, cpu_times=15.2)}
PRIVATE = [replace(each, public=False) for each in rows()]
MANY = rows(*(f"xx-west-{at}" for at in range(34)))
FAILED = (
    MissingTarget(region="eu-west-3", distribution="minimal", architecture=ARM64),
    MissingTarget(region="me-south-1", reason="in quarantine until 2027-01-31: power failure"),
)
FEWER = {**(CONTENTS.modules or {}), f"{OTEL}/otelcol": "v0.157.0"}
RENAMED = (component("exporter", "otlp_http"), *(CONTENTS.components or ())[1:])
BROKEN = KnownVulnerability(id="GO-2026-0003", module="stdlib", summary="a loop")

SHAPES: dict[str, ReleaseNotes] = {
    "first release": notes(),
    "nothing changed": notes(last=facts()),
    "other zips, the same facts": notes(last=facts(b"old")),
    "everything changed": notes(
        facts(changed={"vulnerabilities": (BROKEN,)}),
        last=LAST,
        upstream=UPSTREAM,
        repository="me/layers",
    ),
    "one module moved": notes(last=facts(b"old", changed={"modules": FEWER})),
    "a component renamed": notes(last=facts(b"old", changed={"components": RENAMED})),
    "a region failed": notes(of=rows("eu-west-1"), missing=FAILED),
    "34 regions": notes(of=MANY),
    "one architecture": notes(facts(architectures=[AMD64]), rows(architectures=[AMD64])),
    "an architecture added": notes(last=facts(architectures=[AMD64])),
    "private": notes(of=PRIVATE),
    "public in some regions": notes(of=[*rows("eu-west-1"), *PRIVATE[2:]]),
    "shared": notes(
        of=[
            *(replace(each, shared_with=("account:210987654321",)) for each in PRIVATE[:2]),
            *(replace(each, shared_with=("org:o-a1b2c3d4e5",)) for each in PRIVATE[2:]),
        ]
    ),
    "parameters in SSM": notes(
        parameters={
            str(rows()[0].arn): ("/ocel/minimal/amd64/latest", "/ocel/minimal/amd64/v0.158.0")
        }
    ),
    "other version numbers": notes(of=[*rows("eu-west-1"), *rows("us-east-1", version=3)]),
    "the last release is not known": notes(unknown="The last release is not known."),
    "no comparison": notes(compared=False),
    "only its manifest": notes(
        last=facts(b"old", changed={"components": None, "modules": None, "build_tags": None})
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_notes_of_a_shape(shape: str, snapshot: SnapshotAssertion) -> None:
    assert notes_markdown(SHAPES[shape]) == snapshot


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_table_has_the_arns_and_agrees_with_the_list(shape: str) -> None:
    made = SHAPES[shape]
    text = notes_markdown(made)
    assert tables(text)[0][1:] == [[each.label, *each.arns] for each in made.arns.regions]
    (listed,) = newest_releases(made.rows)
    assert arns_markdown(arn_table(listed, NAMES)) in text
    assert arns_markdown(made.arns) in releases_markdown([listed], NAMES)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_json_has_the_same_layers(shape: str) -> None:
    made = SHAPES[shape]
    data = json.loads(notes_json(made))
    assert [each["arn"] for each in data["layers"]] == [str(each.arn) for each in made.rows]
    assert (data["difference"] is None) == (made.difference is None)


def test_forty_modules_are_a_folded_table_of_forty_rows() -> None:
    text = notes_markdown(SHAPES["everything changed"])
    assert [len(each) for each in tables(text)] == [3, 6, 41]
    assert markup(text) >= {"<details>", "<summary>", "</details>"}


def test_only_a_renamed_component_is_one_line() -> None:
    difference = SHAPES["a component renamed"].difference
    assert difference
    assert [(each.old.name, each.new.name) for each in difference.components_renamed] == [
        ("otlp_http", "otlphttp")
    ]
    assert (difference.components_added, difference.components_removed) == ((), ())


@pytest.mark.parametrize(
    ("repository", "linked"),
    [
        ("owner/name", "owner/name"),
        ("https://github.com/owner/name.git", "owner/name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("https://git.example/owner/name", ""),
        ("./owner/name", ""),
        ("./name", ""),
        ("owner/name](https://x.example)", ""),
        ("https://github.com/owner/name/../../x", ""),
    ],
)
def test_commits_on_github_are_linked(repository: str, linked: str) -> None:
    new, old = facts(repository=repository), replace(LAST, repository=repository)
    text = notes_markdown(notes(new, last=old))
    assert (f"https://github.com/{linked}/compare/{old.commit}...{new.commit}" in text) == bool(
        linked
    )
    assert ("[compare]" in text) == bool(linked)


def hostile_notes(text: str) -> ReleaseNotes:
    """Notes with that text wherever a text is."""
    named = component("exporter", text, text)
    contents: dict[str, Any] = {
        "modules": {text: text},
        "components": (named,),
        "go": text,
        "build_tags": (text,),
        "vulnerabilities": (KnownVulnerability(id=text, module=text, summary=text),),
    }
    same: dict[str, Any] = {"description": text, "distribution": text, "tunings": (text,)}
    last: dict[str, Any] = {**same, "commit": f"old{text}", "collector_version": f"old{text}"}
    new: dict[str, Any] = {**same, "commit": text, "collector_version": text, "repository": text}
    return notes(
        facts(changed=contents, **new),
        [replace(each, distribution=text, shared_with=(text,)) for each in rows()],
        last=facts(b"old", changed={"vulnerabilities": ()}, **last),
        missing=(MissingTarget(region=text, reason=text),),
        repository="me/layers",
    )


PLAIN = markup(notes_markdown(hostile_notes("plain")))


def test_a_zip_that_another_repositorys_workflow_attested_is_checked_for_that_workflow() -> None:
    signer = "acme/ocelot/.github/workflows/release-layers.yml"
    made = notes_markdown(notes(repository="me/layers", signer=signer))
    line = "gh attestation verify collector-amd64-minimal.zip --repo me/layers --signer-workflow"
    assert f"```sh\n{line} {signer}\n```" in made


@pytest.mark.parametrize("text", [*HOSTILE, *LINE_ENDS])
def test_no_text_breaks_the_markdown(text: str) -> None:
    made = notes_markdown(hostile_notes(text))
    assert markup(made) <= {*PLAIN, "<code>", "</code>", "<!-- -->", "code_inline"}
    arns, figures, modules = tables(made)
    assert arns[1:] == [[each.label, *each.arns] for each in hostile_notes(text).arns.regions]
    assert [len(each) for each in figures] == [6] * 5
    assert [expected(text), "none", expected(text)] in modules


@given(st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_text_at_all_breaks_the_markdown(text: str) -> None:
    made = notes_markdown(hostile_notes(f"x{text}"))
    assert len(tables(made)) == 3
    assert markup(made) <= {*PLAIN, "<code>", "</code>", "<!-- -->", "code_inline"}


@pytest.mark.parametrize(
    "huge",
    [
        {"modules": {f"example.com/{at:05}{'x' * 50}": "v1.0.0" for at in range(5_000)}},
        {"components": tuple(component("exporter", f"c{at}") for at in range(20_000))},
        {"build_tags": tuple(f"tag{at:06}" for at in range(30_000))},
        {
            "vulnerabilities": tuple(
                KnownVulnerability(id=f"GO-{at}", module="stdlib", summary="x" * 5_000)
                for at in range(2_000)
            )
        },
    ],
)
def test_long_lists_are_shortened_to_githubs_limit(huge: dict[str, Any]) -> None:
    last = facts(b"old", changed={"vulnerabilities": ()})
    made = notes(facts(changed={"vulnerabilities": (), **huge}), MANY, last=last)
    text = notes_markdown(made)
    assert len(text) <= len(text.encode()) <= LONGEST_BODY
    assert len(notes_markdown(made, limit=10**9)) > LONGEST_BODY
    assert " more" in text
    assert len(tables(text)[0]) == 35


def test_a_long_description_is_cut() -> None:
    assert len(notes_markdown(notes(facts(description="x" * 10**6)))) < 10_000


def test_figures_that_are_not_known_are_named_so() -> None:
    last = facts(
        b"old",
        layers={AMD64: replace(layer_facts(AMD64, b"old"), figures=LayerFigures(size=1 << 20))},
    )
    figures = tables(notes_markdown(notes(last=last)))[1]
    assert figures[2] == ["x86_64", "last release, v0.158.0", "1.0 MiB", *["not known"] * 3]
    assert FIGURES.cpu_times == 4.8
    assert figures[1][4] == "4.8 times"
