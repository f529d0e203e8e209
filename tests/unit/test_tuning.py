"""Tunings: applied whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from unit_examples import CHECKOUT

from pipeline import paths
from pipeline.build.tuning import TunedFiles, tuned_files
from pipeline.config.folder import load_config
from pipeline.config.tuning import Edit, Tuning
from pipeline.files import read_tree

START = "internal/collector/collector.go"
SOURCE = """\
// Package collector runs it.
package collector

import (
	"context"
)

func wait() {
	for {
		switch state() {
		case starting:
		case running:
			return
		}
	}
}
"""
TREE = {"go.mod": b"module example.com/fork/collector\n\ngo 1.26\n", START: SOURCE.encode()}


def edit(find: str, put: str, **more: object) -> Edit:
    return Edit.model_validate({"file": START, "find": find, "put": put, **more})


def tuning(*edits: Edit, **files: str) -> Tuning:
    named = {path.replace("__", "/") + ".go": own + ".go" for path, own in files.items()}
    return Tuning(reason="it pays", edits=edits, files=named)


PAUSE = edit("case starting:", "case starting:\n\t\t\ttime.Sleep(1)", imports=["time"])


def after(done: TunedFiles) -> str:
    return done.files[START].decode()


def left_out(done: TunedFiles) -> str:
    ((_, why),) = done.left_out
    return why


def test_an_edit_that_fits_is_made_with_its_import() -> None:
    done = tuned_files(TREE, {"pause": tuning(PAUSE)}, {})
    assert done.applied == ("pause",)
    assert done.touched == {"pause": (START,)}
    assert after(done) == SOURCE.replace(
        "case starting:", "case starting:\n\t\t\ttime.Sleep(1)"
    ).replace("import (\n", 'import (\n\t"time"\n')


def test_a_tuning_of_build_tags_needs_no_file() -> None:
    tags = {"no-trace": Tuning(reason="it pays", tags=("notrace",)), "pause": tuning(PAUSE)}
    done = tuned_files(TREE, tags, {})
    assert done.applied == ("no-trace", "pause")
    assert done.build_tags == ("notrace", "ocelot.tuning.no_trace", "ocelot.tuning.pause")


def test_a_build_tag_of_two_tunings_is_given_once() -> None:
    tags = {
        "one": Tuning(reason="it pays", tags=("a", "b")),
        "two": Tuning(reason="it pays", tags=("b", "c")),
    }
    assert tuned_files(TREE, tags, {}).build_tags[:3] == ("a", "b", "c")


def test_the_build_tags_of_a_tuning_that_does_not_fit_are_not_given() -> None:
    misfit = Tuning(reason="it pays", edits=(edit("not there", ""),), tags=("notrace",))
    done = tuned_files(TREE, {"misfit": misfit}, {})
    assert (done.build_tags, done.tags) == ((), {})


def test_a_build_tag_without_effect_is_told_with_its_tuning() -> None:
    tags = {
        "one": Tuning(reason="it pays", tags=("a", "gone")),
        "two": Tuning(reason="it pays", tags=("b",)),
    }
    done = tuned_files(TREE, tags, {})
    (sentence,) = done.without_effect(["gone", "elsewhere"])
    assert "one" in sentence
    assert "gone" in sentence


@pytest.mark.parametrize(
    "tag", ["lambdacomponents.custom", "ocelot.tuning.x", "a,b", "-x", "", "A b"]
)
def test_a_tuning_has_no_build_tags_of_components_and_tunings(tag: str) -> None:
    with pytest.raises(ValidationError):
        Tuning(reason="it pays", tags=(tag,))


def test_an_import_that_is_there_is_not_made_twice() -> None:
    there = {**TREE, START: SOURCE.replace('"context"', '"context"\n\t"time"').encode()}
    assert after(tuned_files(there, {"pause": tuning(PAUSE)}, {})).count('"time"') == 1
    twice = {
        "pause": tuning(PAUSE),
        "more": tuning(edit("for {", "for range 9 {", imports=["time"])),
    }
    assert after(tuned_files(TREE, twice, {})).count('"time"') == 1


def test_a_tuning_fits_a_file_with_crlf() -> None:
    crlf = {name: content.replace(b"\n", b"\r\n") for name, content in TREE.items()}
    two_lines = {"two": tuning(edit("case starting:\n\t\tcase", "case", imports=["time"]))}
    done = tuned_files(crlf, two_lines, {})
    assert done.files == tuned_files(TREE, two_lines, {}).files
    assert done.applied == ("two",)


def test_a_file_without_an_import_block_gets_an_import_of_its_own() -> None:
    plain = {**TREE, START: b"package collector\n\nfunc wait() {}\n"}
    done = tuned_files(
        plain, {"pause": tuning(edit("{}", "{ time.Sleep(1) }", imports=["time"]))}, {}
    )
    assert after(done) == 'package collector\n\nimport "time"\n\nfunc wait() { time.Sleep(1) }\n'


def test_a_go_file_of_ours_is_brought_and_imported_by_upstreams_own_module() -> None:
    release = edit("case running:", "case running:\n\t\t\theld.Release()")
    release = release.model_copy(update={"imports": ("{module}/internal/held",)})
    held = tuning(release, internal__held__held="held")
    done = tuned_files(TREE, {"held": held}, {"held.go": b"package held\n"})
    assert done.files["internal/held/held.go"] == b"package held\n"
    assert '\t"example.com/fork/collector/internal/held"\n' in after(done)
    assert done.touched == {"held": (START, "internal/held/held.go")}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (edit("case gone:", ""), "'case gone:' is not there, instead of 1"),
        (edit("case", "x"), "'case' is 2 times, instead of 1"),
        (edit("for {", "x", times=2), "'for {' is 1 times, instead of 2"),
        (PAUSE.model_copy(update={"file": "main.go"}), "upstream has no file main.go"),
    ],
    ids=["no longer there", "there twice", "there once", "file gone"],
)
def test_a_tuning_that_does_not_fit_is_left_out_whole(change: Edit, why: str) -> None:
    done = tuned_files(
        TREE, {"bad": tuning(PAUSE, change), "good": tuning(edit("for {", "for 1 {"))}, {}
    )
    assert why in left_out(done)
    assert done.applied == ("good",)
    assert after(done) == SOURCE.replace("for {", "for 1 {")


def test_edits_of_one_place_overlap() -> None:
    other = edit("starting:\n\t\tcase running:", "both:")
    done = tuned_files(TREE, {"pause": tuning(PAUSE), "both": tuning(other)}, {})
    assert done.applied == ("pause",)
    assert "is changed by another edit, too" in left_out(done)
    alone = tuned_files(TREE, {"both": tuning(PAUSE, other)}, {})
    assert (alone.applied, alone.files) == ((), {})


def test_edits_are_of_upstreams_words_not_of_each_others() -> None:
    first, second = edit("starting:", "running:"), edit("running:", "starting:")
    done = tuned_files(TREE, {"first": tuning(first), "second": tuning(second)}, {})
    assert after(done) == SOURCE.replace("starting:", "%").replace("running:", "starting:").replace(
        "%", "running:"
    )


def test_a_string_that_is_there_as_often_as_is_said_is_changed_everywhere() -> None:
    done = tuned_files(TREE, {"all": tuning(edit("case ", "case  ", times=2))}, {})
    assert after(done) == SOURCE.replace("case ", "case  ")


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({}, "there is no file held.go in config/tuning"),
        ({"held.go": b""}, "upstream has a file internal/held.go of its own"),
    ],
)
def test_a_file_that_cannot_be_brought_leaves_the_tuning_out(
    own: dict[str, bytes], why: str
) -> None:
    tree = {**TREE, **({"internal/held.go": b""} if own else {})}
    done = tuned_files(tree, {"held": tuning(PAUSE, internal__held="held")}, own)
    assert left_out(done) == why
    assert done.files == {}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6))
def test_what_is_applied_is_what_was_requested_whatever_overlaps(
    parts: list[tuple[int, int]],
) -> None:
    text = "".join(chr(0x4E00 + at) for at in range(70))
    tree = {"a.go": text.encode()}
    edits = {
        f"t{n}": Tuning(
            reason="x", edits=(Edit(file="a.go", find=text[at : at + size], put=f"<{n}>"),)
        )
        for n, (at, size) in enumerate(parts)
    }
    done = tuned_files(tree, edits, {})
    assert {*done.applied, *(name for name, _ in done.left_out)} == set(edits)
    result = done.files.get("a.go", text.encode()).decode()
    for name in done.applied:
        assert result.count(f"<{name[1:]}>") == 1
        result = result.replace(f"<{name[1:]}>", edits[name].edits[0].find)
    assert result == text


# It takes something away, and from the sample there is nothing to take.
WITHOUT_AWS = "no-aws-config"


def test_the_presets_tunings_fit_the_sample() -> None:
    config = load_config(CHECKOUT / "config")
    tree = read_tree(paths.sample_upstream() / "collector")
    done = tuned_files(tree, config.tunings, read_tree(config.tuning_files))
    assert [name for name, _why in done.left_out] == [WITHOUT_AWS]
    not_needed = {"no-kubernetes", "no-metric-expressions"}
    assert {*config.tunings} - {*done.applied} == {WITHOUT_AWS, *not_needed}


def test_a_new_text_may_have_the_distributions_name() -> None:
    config = load_config(CHECKOUT / "config")
    for name in ("minimal", "minimal-forwarder"):
        puts = [each.put for each in config.tunings_of(name)["quiet-logs"].edits]
        assert f'logging.Launched(Version, GitHash, "{name}")' in puts


def test_the_presets_have_all_that_take_nothing_away() -> None:
    config = load_config(CHECKOUT / "config")
    losses = {each: {"tiny"} for each in ("no-aws-config", "no-http2", "small-globs")}
    losses["no-metric-expressions"] = set()
    losses["logs-only-telemetry"] = {*config.distributions} - {"default", "full"}
    for name in config.distributions:
        missing = {each for each, users in losses.items() if name not in users}
        assert {*config.tunings} - {*config.tunings_of(name)} == missing, name


PROVIDERS = """\
package collector

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/confmap/provider/s3provider"
	"github.com/open-telemetry/opentelemetry-collector-contrib/confmap/provider/secretsmanagerprovider"
	"go.opentelemetry.io/collector/confmap"
)

var all = []any{confmap.NewFactory(), s3provider.NewFactory(), secretsmanagerprovider.NewFactory()}
"""


def test_a_config_from_aws_is_taken_out_with_its_imports() -> None:
    shipped = load_config(CHECKOUT / "config").tunings[WITHOUT_AWS]
    file = "internal/collector/collector.go"
    done = tuned_files({file: PROVIDERS.encode()}, {WITHOUT_AWS: shipped}, {})
    assert done.left_out == ()
    left = done.files[file].decode()
    assert "s3provider" not in left
    assert "secretsmanager" not in left
    assert 'import (\n\t"go.opentelemetry.io/collector/confmap"\n)' in left
    assert "[]any{confmap.NewFactory()}" in left


MODULE = "example.com/their/thing/v2"
OURS = {"thing/go.mod": b"module them", "thing/thing.go": b"package thing"}


def replacing(version: str = "", **more: object) -> dict[str, Tuning]:
    replaces = {"module": MODULE, "version": version, "by": "thing"}
    return {"ours": Tuning.model_validate({"reason": "x", "replaces": [replaces], **more})}


def with_module(lines: str) -> dict[str, bytes]:
    return {**TREE, "go.mod": TREE["go.mod"] + lines.encode()}


def test_a_module_is_replaced_by_a_folder_of_ours() -> None:
    tree = with_module(f"\nrequire (\n\t{MODULE} v2.3.4 // indirect\n)\n")
    for version in ("", "v2.3.4"):
        done = tuned_files(tree, replacing(version), OURS)
        line = f"\nreplace {MODULE} => ./internal/thing\n"
        assert done.files == {
            "go.mod": tree["go.mod"] + line.encode(),
            "internal/thing/go.mod": b"module them",
            "internal/thing/thing.go": b"package thing",
        }
        assert done.touched == {"ours": tuple(sorted(done.files))}
        assert done.replaced == {"ours": (MODULE,)}


@pytest.mark.parametrize(
    ("module", "applied", "why"),
    [
        ("example.com/b", ("ours", "other"), []),
        (MODULE, ("ours",), [f"{MODULE} is replaced already"]),
    ],
)
def test_two_modules_can_be_replaced_each_once(
    module: str, applied: tuple[str, ...], why: list[str]
) -> None:
    tree = with_module(f"\nrequire {MODULE} v2.3.4\nrequire example.com/b v1.0.0\n")
    other = {"module": module, "by": "b"}
    both = {**replacing(), "other": Tuning.model_validate({"reason": "x", "replaces": [other]})}
    done = tuned_files(tree, both, {**OURS, "b/go.mod": b""})
    assert (done.applied, [each for _, each in done.left_out]) == (applied, why)
    assert done.files["go.mod"].count(b"\nreplace ") == len(applied)


def test_a_module_that_upstream_does_not_have_needs_no_replacement() -> None:
    for lines in ("", f"\nrequire {MODULE}/more v2.3.4\n", f"\nexclude {MODULE} v2.3.4\n"):
        done = tuned_files(with_module(lines), {**replacing(), "pause": tuning(PAUSE)}, OURS)
        assert (done.applied, done.left_out, done.replaced) == (("pause",), (), {})


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (f"require {MODULE} v2.3.5", f"upstream has {MODULE} v2.3.5, the tuning is for v2.3.4"),
        (f"require {MODULE} v2.3.4\nreplace {MODULE} => ../fork", "is replaced already"),
        (
            f"require {MODULE} v2.3.4\nreplace (\n\t{MODULE} v2.3.4 => a.b/c v1.0.0\n)",
            "is replaced already",
        ),
    ],
)
def test_a_module_that_is_another_than_ours_stands_in_for_is_reported(lines: str, why: str) -> None:
    done = tuned_files(with_module(f"\n{lines}\n"), replacing("v2.3.4"), OURS)
    assert left_out(done).endswith(why)
    assert done.files == {}


def test_quick_config_copies_are_for_the_version_that_they_come_to_the_same_as() -> None:
    config = load_config(CHECKOUT / "config")
    tree = read_tree(paths.sample_upstream() / "collector")
    one = {"quick-config-copies": config.tunings["quick-config-copies"]}
    newer = tree["go.mod"].replace(b"copystructure v1.2.0", b"copystructure v1.3.0")
    assert "the tuning is for v1.2.0" in left_out(tuned_files({**tree, "go.mod": newer}, one, {}))
