"""Tunings in real builds: of the sample, and of a tiny collector that is linked in a second."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from extensions_api import extensions_api
from runs import CONFIG as SHIPPED
from runs import Built, go, run_ocelot
from test_build import module_info, runs_until_shutdown, start_collector, unpack
from tiny import COLLECTOR, MINE, Place, new_place
from unit_examples import sample_tunings

from pipeline import paths
from pipeline.build.lock import read_lock
from pipeline.build.tuning import tuning_tag
from pipeline.build.upstream import folder_source
from pipeline.config.folder import load_config

AMD64 = "collector-amd64-minimal.zip"
EXTENSION_LEVEL, COLLECTOR_LEVEL = "OPENTELEMETRY_EXTENSION_LOG_LEVEL", "OCELOT_LOG_LEVEL"
# A line that is logged at info, by the variable of its level.
OWN_LINES = {EXTENSION_LEVEL: "shutting down", COLLECTOR_LEVEL: "Starting HTTP server"}
LOUD = """\
loud:
  reason: it logs more
  edits:
    - file: main.go
      find: println(otelcol.Name
      put: println("tuned", strings.ToUpper("loud"), otelcol.Name
      imports: [strings]
"""

QUIET = "quiet:\n  reason: it logs less\n  tags: [quietcollector]\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = new_place(tmp_path)
    tune(made, LOUD)
    return made


def tune(place: Place, text: str, names: str = "loud") -> None:
    (place.config / "tuning.yaml").write_text(text)
    (place.config / "distributions.yaml").write_text(
        f"one:\n  buildtags: [lambdacomponents.exporter.one]\n  tunings: [{names}]\n"
    )


def says(place: Place, opt: Path, *more: str) -> str:
    """The output of the collector that is built here."""
    ran = place.build("-d", "one", *more)
    assert ran.code == 0, ran.err
    binary = unpack(place.dist / "collector-amd64-one.zip", opt) / "extensions" / "collector"
    return subprocess.run([binary], capture_output=True, text=True, check=True).stderr


def recorded(folder: Path) -> list[str]:
    layers = json.loads((folder / "manifest.json").read_text())["layers"]
    return [name for layer in layers for name in layer["tunings"]]


def test_the_presets_are_tuned_and_everything_says_so(built: Built, tmp_path: Path) -> None:
    names = sample_tunings(load_config(SHIPPED))
    for layer in built.ran.manifest["layers"]:
        assert layer["tunings"] == names
    binary = unpack(built.folder / AMD64, tmp_path) / "extensions" / "collector"
    info = module_info(binary)
    assert all(tuning_tag(name) in info for name in names)
    bill = json.loads((built.folder / AMD64.replace(".zip", ".cdx.json")).read_text())
    assert all(tuning_tag(name) in json.dumps(bill) for name in names)
    statement = json.loads((built.folder / AMD64.replace(".zip", ".intoto.json")).read_text())
    asked = statement["predicate"]["buildDefinition"]["externalParameters"]
    assert asked["tunings"] == names
    assert b"heldgc" in binary.read_bytes()
    assert "copystructure\tv1.2.0\n\t=>\t./internal/copystructure" in info


def test_the_log_is_one_line_that_says_what_runs(built: Built, tmp_path: Path) -> None:
    opt = unpack(built.folder / AMD64, tmp_path)
    (line,) = map(json.loads, runs_until_shutdown(opt).splitlines())
    (layer, *_others) = built.ran.manifest["layers"]
    assert (line["level"], line["distribution"]) == ("info", "minimal")
    assert line["version"] == layer["collector_version"]
    assert line["commit"] == layer["upstream"]["commit"]


@pytest.mark.parametrize("asked", [{EXTENSION_LEVEL}, {COLLECTOR_LEVEL}, {*OWN_LINES}])
def test_the_function_sets_the_levels_of_the_log(
    asked: set[str], built: Built, tmp_path: Path
) -> None:
    opt = unpack(built.folder / AMD64, tmp_path)
    output = runs_until_shutdown(opt, more=dict.fromkeys(asked, "info"))
    assert {level for level, line in OWN_LINES.items() if line in output} == asked


def test_a_level_above_info_is_for_the_first_line_too(built: Built, tmp_path: Path) -> None:
    opt = unpack(built.folder / AMD64, tmp_path)
    assert runs_until_shutdown(opt, more={EXTENSION_LEVEL: "error"}) == ""


def test_without_tunings_it_is_what_go_alone_makes_of_upstream(
    built: Built, tmp_path: Path
) -> None:
    ran = run_ocelot(
        *("build", "-d", "minimal", "-r", "sample", "-a", "amd64", "--no-tune", "-o", "plain"),
        "--explain-size",
        "--config",
        SHIPPED,
        cache=built.cache,
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    assert recorded(tmp_path / "plain") == []
    assert "golang.org/x/net/trace -> html/template -> text/template.(*state).evalField" in ran.err
    opt = unpack(tmp_path / "plain" / AMD64, tmp_path / "opt")
    assert (opt / "extensions" / "collector").read_bytes() == go_alone(tmp_path / "go")
    runs_until_shutdown(opt)


def go_alone(folder: Path) -> bytes:
    """The binary that Go makes of the sample by upstream's own command."""
    sample = paths.sample_upstream()
    commit = folder_source("sample", "main", sample).commit
    tree = Path(shutil.copytree(sample / "collector", folder / "collector"))
    config = load_config(SHIPPED)
    tags = ",".join(config.tags("minimal"))
    xray = "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/awsxrayexporter"
    flags = (
        f"-s -w -X main.GitHash={commit} -X main.Version=v0.155.0 "
        f"-X {xray}.collectorDistribution=opentelemetry-collector-lambda"
    )
    command = ["build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", flags]
    settings = {"GOOS": "linux", "GOARCH": "amd64", "GOPROXY": "off", "GOSUMDB": "off"}
    go(*command, "-o", "made", ".", cwd=tree, **settings)
    return (tree / "made").read_bytes()


def test_an_edit_is_in_the_binary_and_not_without_tunings(place: Place, tmp_path: Path) -> None:
    assert says(place, tmp_path / "tuned").startswith("tuned LOUD collector")
    assert recorded(place.dist) == ["loud"]
    assert says(place, tmp_path / "plain", "--no-tune").startswith("collector")
    assert recorded(place.dist) == []


def test_a_tuning_that_no_longer_fits_is_reported_and_left_out(
    place: Place, tmp_path: Path
) -> None:
    tune(place, LOUD.replace("println(otelcol.Name", "println(gone"))
    ran = place.build("-d", "one")
    assert "the tuning loud is left out: main.go: 'println(gone' is not there" in ran.err
    assert says(place, tmp_path / "opt").startswith("collector")
    assert recorded(place.dist) == []


def test_a_tuning_that_no_longer_fits_fails_under_locked(place: Place) -> None:
    assert place.on("lock").code == 0
    assert place.build("-d", "one", "--locked").code == 0
    tune(place, LOUD.replace("println(otelcol.Name", "println(gone"))
    assert place.on("lock").code == 0
    ran = place.build("-d", "one", "--locked")
    assert ran.code == 9
    assert "the tuning loud is left out" in ran.err


def test_the_lock_has_what_a_tuning_makes_of_its_files(place: Place) -> None:
    assert place.on("lock").code == 0
    (entry,) = read_lock(place.config).of("one")
    assert [each.split()[0] for each in entry.tunings] == ["loud"]
    tune(place, LOUD.replace("it logs more", "another reason"))
    assert place.on("lock", "--check").code == 0
    tune(place, LOUD.replace('"tuned"', '"other"'))
    ran = place.on("lock", "--check")
    assert ran.code == 9
    assert "tunings: locked but not here: loud" in ran.err


def has_a_tag(place: Place) -> None:
    """Have upstream's collector of another name under a build tag."""
    name = 'package otelcol\n\nvar Name = "{}"\n'
    files = {
        "stubs/otelcol/otelcol.go": f"//go:build !quietcollector\n\n{name.format('collector')}",
        "stubs/otelcol/quiet.go": f"//go:build quietcollector\n\n{name.format('quiet')}",
    }
    grown = {path: text.encode() for path, text in files.items()}
    place.grow({**COLLECTOR, **grown}, start="main", time=1_760_000_000)
    tune(place, QUIET, "quiet")


def test_a_build_tag_is_in_the_binary_and_everything_says_so(place: Place, tmp_path: Path) -> None:
    has_a_tag(place)
    assert says(place, tmp_path / "tuned").startswith("quiet")
    assert recorded(place.dist) == ["quiet"]
    layer = json.loads((place.dist / "manifest.json").read_text())["layers"][0]
    assert "quietcollector" in " ".join(layer["go"]["command"])
    for evidence in layer["evidence"]:
        assert "quietcollector" in (place.dist / evidence).read_text()
    ran = place.run("inspect", "--json", "dist/collector-amd64-one.zip")
    (found,) = json.loads(ran.out)["layers"]
    assert "quietcollector" in found["settings"]["-tags"].split(",")
    assert "quietcollector" not in json.dumps(found["components"])
    assert says(place, tmp_path / "plain", "--no-tune").startswith("collector")


def test_the_lock_has_the_build_tags_of_a_tuning(place: Place) -> None:
    has_a_tag(place)
    assert place.on("lock").code == 0
    assert place.build("-d", "one", "--locked").code == 0
    ran = place.run("verify", "--shared-cache", "dist/collector-amd64-one.zip")
    assert ran.code == 0, ran.err
    tune(place, QUIET.replace("[quietcollector]", "[quietcollector, othertag]"), "quiet")
    ran = place.on("lock", "--check")
    assert ran.code == 9
    assert "tunings: locked but not here: quiet" in ran.err


def test_a_build_tag_that_no_package_uses_is_reported_also_of_a_reused_layer(
    place: Place,
) -> None:
    tune(place, QUIET, "quiet")
    for cached in ("compiled", "reused"):
        ran = place.build("-d", "one")
        assert ran.code == 0, ran.err
        assert cached in ran.out
        assert "the tuning quiet does not fit" in ran.err
        assert "quietcollector" in ran.err


def test_a_build_tag_that_no_package_uses_fails_under_locked(place: Place) -> None:
    tune(place, QUIET, "quiet")
    assert place.on("lock").code == 0
    ran = place.build("-d", "one", "--locked")
    assert ran.code == 9
    assert "the tuning quiet does not fit" in ran.err
    assert not (place.dist / "collector-amd64-one.zip").exists()
    assert place.build("-d", "one").code == 0
    assert place.build("-d", "one", "--locked").code == 9


def test_an_edit_that_does_not_compile_is_named(place: Place) -> None:
    tune(place, LOUD.replace("strings.ToUpper", "strings.ToUproar"))
    ran = place.build("-d", "one")
    assert ran.code == 6
    assert "undefined: strings.ToUproar" in ran.err
    shown = " ".join(ran.err.split())
    assert "the file was changed by the tuning loud (main.go): build with --no-tune" in shown


def test_an_error_that_no_tuning_made_names_none(place: Place) -> None:
    source = b"package otelcol\n\nvar Name = nothing\n"
    place.grow({**COLLECTOR, "stubs/otelcol/otelcol.go": source}, start="main", time=1_760_000_000)
    ran = place.build("-d", "one")
    assert ran.code == 6
    assert "--no-tune" not in ran.err


def test_go_files_of_ours_come_with_a_tuning(place: Place, tmp_path: Path) -> None:
    folder = place.config / "tuning"
    folder.mkdir()
    (folder / "own.go").write_text('package own\n\nfunc Word() string { return "ours" }\n')
    files = "  files:\n    internal/own/own.go: own.go\n"
    text = LOUD.replace('strings.ToUpper("loud")', "own.Word()")
    tune(place, text.replace("[strings]", '["{module}/internal/own"]') + files)
    assert says(place, tmp_path / "opt").startswith("tuned ours collector")


def uses_theirs(place: Place) -> None:
    """Have upstream use a module from elsewhere, and have one of ours for it."""
    source = COLLECTOR["main.go"].decode()
    source = source.replace("import (", f'import (\n\ttheirs "{MINE}"')
    source = source.replace("println(otelcol.Name", "println(theirs.NewFactory(), otelcol.Name")
    go_mod = COLLECTOR["go.mod"] + f"\nrequire {MINE} v1.0.0\n".encode()
    grown = {**COLLECTOR, "main.go": source.encode(), "go.mod": go_mod}
    place.grow(grown, start="main", time=1_760_000_000)
    folder = place.config / "tuning" / "small"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text(f"module {MINE}\n\ngo 1.25\n")
    (folder / "small.go").write_text('package mine\n\nfunc NewFactory() string { return "ours" }\n')
    tune(place, f"small: {{reason: small, replaces: [{{module: {MINE}, by: small}}]}}\n", "small")


def test_a_module_of_ours_stands_in_for_one_of_upstreams(place: Place, tmp_path: Path) -> None:
    uses_theirs(place)
    assert place.on("lock").code == 0
    assert says(place, tmp_path / "tuned", "--locked").startswith("ours collector")
    assert recorded(place.dist) == ["small"]
    assert says(place, tmp_path / "plain", "--no-tune").startswith("mine collector")


def test_what_a_module_of_ours_lacks_is_named_with_the_tuning(place: Place) -> None:
    uses_theirs(place)
    (place.config / "tuning" / "small" / "small.go").write_text("package mine\n")
    ran = place.build("-d", "one")
    assert ran.code == 6
    assert "undefined: theirs.NewFactory" in ran.err
    shown = " ".join(ran.err.split())
    assert "It may be what a tuning replaces, small (example.com/mine): --no-tune" in shown


def test_a_tuned_build_is_built_again_from_its_bundle(place: Place) -> None:
    assert place.on("lock").code == 0
    assert place.build("-d", "one").code == 0
    first = (place.dist / "collector-amd64-one.zip").read_bytes()
    assert place.on("bundle", "-d", "one", "-o", "one.tar.zst").code == 0
    ran = place.run("build", "--bundle", "one.tar.zst", "-a", "amd64", "-o", "again")
    assert ran.code == 0, ran.err
    assert (place.root / "again" / "collector-amd64-one.zip").read_bytes() == first
    ran = place.run("verify", "--shared-cache", "dist/collector-amd64-one.zip")
    assert ran.code == 0, ran.err


def test_the_collector_config_that_is_bad_fails_as_upstreams_does(
    built: Built, tmp_path: Path
) -> None:
    """The tuned loop finds the error and reports it to Lambda."""
    opt = unpack(built.folder / AMD64, tmp_path / "opt")
    bad = tmp_path / "bad.yaml"
    bad.write_text("receivers: {nothing: }\nservice: {pipelines: {}}\n")
    with extensions_api() as api:
        collector = start_collector(opt, api.address, bad)
        try:
            api.received("register")
            _, body = api.received("init/error")
            output, _ = collector.communicate(timeout=20)
        finally:
            collector.kill()
            collector.wait()
    assert "nothing" in json.dumps(body)
    assert collector.returncode == 1, output
