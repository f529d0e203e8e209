"""Configs on the bench: the collector judges the very bytes that a user or a layer gives."""

from __future__ import annotations

import shutil
import socket
import subprocess
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import broken_layers as made
import pytest
from benching import OURS, fault_of, own_zip, run_bench
from runs import CONFIG, Built, Ocelot

from pipeline.bench.faults import Fault
from pipeline.bench.result import Status, spread
from pipeline.config.folder import load_config
from pipeline.layer.zip import ZipEntry

pytestmark = pytest.mark.skipif(not OURS, reason="no layer runs here")

COLLECTOR = """\
receivers: {otlp: {protocols: {http: {endpoint: "localhost:4318"}}}}
exporters: {EXPORTER: {}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [EXPORTER]}}}
"""


def written(folder: Path, exporter: str, settings: str = "{}", *, text: str = COLLECTOR) -> Path:
    """A config with one exporter."""
    path = folder / "collector.yaml"
    path.write_text(
        text.replace("EXPORTER: {}", f"{exporter}: {settings}").replace("EXPORTER", exporter)
    )
    return path


def with_own_config(built: Built, folder: Path, config: bytes, file: str = "a.zip") -> Path:
    """The sample's layer with another config in it."""
    with zipfile.ZipFile(own_zip(built)) as whole:
        binary = whole.read("extensions/collector")
    more = (ZipEntry(name="collector-config/config.yaml", content=config),)
    return made.layer(folder / file, binary, more=more)


def batching(built: Built, folder: Path, file: str = "a.zip") -> Path:
    """The sample's layer with `batch` in the pipelines of its config."""
    config = (CONFIG / "collector/minimal.yaml").read_text(encoding="utf-8")
    assert config.count("processors: [decouple]") == 3
    config = config.replace("processors: [decouple]", "processors: [batch, decouple]")
    config = config.replace("\nprocessors:\n", "\nprocessors:\n  batch:\n")
    return with_own_config(built, folder, config.encode(), file)


def test_the_presets_config_delivers_all_in_its_own_invocation_and_a_batch_does_not(
    built: Built, tmp_path: Path
) -> None:
    preset, batch = run_bench(own_zip(built), batching(built, tmp_path), starts=3, invocations=4)
    assert (preset.status, batch.status) == (Status.PASSED, Status.PASSED)
    assert preset.figures is not None
    assert batch.figures is not None
    assert preset.figures.delivered == spread([1.0])
    assert batch.figures.delivered is not None
    assert batch.figures.delivered.most < 0.9


def test_a_layer_that_delivers_later_than_its_budget_says_fails(
    built: Built, tmp_path: Path
) -> None:
    found = fault_of(batching(built, tmp_path, f"collector-{OURS}-minimal.zip"))
    assert found.fault is Fault.DELIVERS_LATE
    assert "delivered: " in found.details[0]
    assert "the budget is 1" in found.details[0]
    assert "`batch`" in found.hint


# YAML 1.1 reads these as booleans and numbers of base 60, the collector as texts.
HEADERS = "headers: {a: on, b: no, c: 12:30:45}"


def test_a_users_config_is_accepted_if_the_layer_starts_with_it(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    config = written(tmp_path, "otlphttp", f'{{endpoint: "${{env:WHERE}}", {HEADERS}}}')
    ran = ocelot(
        *("bench", own_zip(built), "--starts", "1", "--collector-config", config),
        *("--env", "WHERE=http://127.0.0.1:9"),
    )
    assert ran.code == 0, ran.err
    assert "the config given is accepted" in ran.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (COLLECTOR + "exporters: {otlphttp: {}}\n", 'mapping key "exporters" already defined'),
        ("a: b: c\n", "mapping values are not allowed"),
        ("", "empty configuration file"),
        (COLLECTOR.replace("{}", "{speed: 3}"), "has invalid keys: speed"),
        (COLLECTOR.replace("{}", '{endpoint: "${vault:y}"}'), 'scheme "vault" is not supported'),
    ],
)
def test_what_the_collector_refuses_is_refused_in_its_words(
    text: str, words: str, built: Built, tmp_path: Path
) -> None:
    found = fault_of(own_zip(built), collector_config=written(tmp_path, "otlphttp", text=text))
    assert found.fault is Fault.REFUSES_CONFIG
    assert words in found.text()


def test_components_missing_for_a_users_config_are_named_with_their_distributions(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    def errors(exporter: str) -> str:
        config = written(tmp_path, exporter)
        ran = ocelot("bench", own_zip(built), "--starts", "1", "--collector-config", config)
        assert ran.code == 15
        return ran.err

    assert "exporter awss3: in full, minimal-s3export\n" in errors("awss3")
    assert "exporter debug: in default, full\n" in errors("debug")
    assert "exporter jaeger: in no distribution of this upstream" in errors("jaeger")
    assert 'unknown type: "jaeger"' in errors("jaeger")
    assert "has been deprecated, use the debug exporter" in errors("logging")


def test_settings_that_a_tuned_layer_ignores_are_a_fault_and_its_collector_names_them(
    built: Built, tmp_path: Path
) -> None:
    telemetry = "telemetry: {metrics: {readers: [{periodic: {exporter: {console: {}}}}]}}"
    text = COLLECTOR.replace("service: {", f"service: {{{telemetry}, ")
    given = written(tmp_path, "otlphttp", '{endpoint: "http://127.0.0.1:9"}', text=text)
    found = fault_of(own_zip(built), collector_config=given)
    assert found.fault is Fault.IGNORES_SETTINGS
    assert found.details == (
        "service::telemetry::metrics::readers has no effect with the tuning logs-only-telemetry: "
        "remove it",
    )


def test_without_a_manifest_it_is_said_that_upstream_is_not_known(
    built: Built, tmp_path: Path
) -> None:
    zipped = with_own_config(built, tmp_path, b"")
    found = fault_of(zipped, collector_config=written(tmp_path, "awss3"))
    assert found.fault is Fault.MISSING_COMPONENTS
    assert "minimal-s3export" in found.details[0]
    assert "no manifest" in found.details[0]


def test_an_overlay_that_cannot_be_read_is_the_reason_why_nothing_is_known(
    built: Built, tmp_path: Path
) -> None:
    config = shutil.copytree(CONFIG, tmp_path / "config")
    (config / "overlay" / "link").symlink_to("/etc/passwd")
    given = written(tmp_path, "awss3")
    found = fault_of(own_zip(built), collector_config=given, config=load_config(config))
    assert found.fault is Fault.MISSING_COMPONENTS
    assert "minimal-s3export" in found.details[0]
    assert "is a link out of" in found.details[0]


@contextmanager
def taken_port() -> Generator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_an_otlp_port_that_is_taken_here_is_another_in_the_trial(
    built: Built, tmp_path: Path
) -> None:
    with taken_port() as port:
        text = COLLECTOR.replace("localhost:4318", f"127.0.0.1:{port}")
        config = written(tmp_path, "otlphttp", f'{{endpoint: "http://a", {HEADERS}}}', text=text)
        (result,) = run_bench(own_zip(built), collector_config=config)
    assert "the config given is accepted" in result.notes


def test_a_port_that_is_taken_and_cannot_be_changed_is_told_as_that(
    built: Built, tmp_path: Path
) -> None:
    with taken_port() as port:
        text = COLLECTOR.replace('"localhost:4318"', f'&here "127.0.0.1:{port}"')
        config = written(
            tmp_path, "otlphttp", '{endpoint: "http://a", headers: {x: *here}}', text=text
        )
        found = fault_of(own_zip(built), collector_config=config)
    assert found.fault is Fault.PORT_TAKEN
    assert f"127.0.0.1:{port}" in found.text()


def test_a_layers_own_config_is_tried_as_it_is(built: Built, tmp_path: Path) -> None:
    with taken_port() as port:
        text = COLLECTOR.replace("localhost:4318", f"127.0.0.1:{port}")
        own = written(tmp_path, "otlphttp", f'{{endpoint: "http://a", {HEADERS}}}', text=text)
        (result,) = run_bench(with_own_config(built, tmp_path, own.read_bytes()))
    assert (result.status, result.notes) == (Status.PASSED, ())


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (COLLECTOR.replace("EXPORTER", "debug"), "the layer has no exporter debug"),
        (COLLECTOR.replace("EXPORTER", "debug"), 'unknown type: "debug"'),
        (COLLECTOR + "exporters: {}\n", 'mapping key "exporters" already defined'),
        ("a: [", "contents are not valid YAML"),
    ],
)
def test_an_own_config_that_does_not_start_is_a_note(
    own: str, words: str, built: Built, tmp_path: Path
) -> None:
    """A function may bring another config."""
    (result,) = run_bench(with_own_config(built, tmp_path, own.encode()))
    assert result.status is Status.PASSED
    (note,) = result.notes
    assert words in note


FETCHES = "exporters: {otlphttp: {endpoint: '${secretsmanager:name#endpoint}'}}\n"


def test_a_config_that_takes_credentials_is_tried_only_with_some(tmp_path: Path) -> None:
    zipped = made.layer(tmp_path / "works.zip", made.WORKS)
    config = tmp_path / "collector.yaml"
    config.write_text(FETCHES)
    (result,) = run_bench(zipped, collector_config=config)
    assert result.status is Status.PASSED
    assert any("${secretsmanager:…} takes credentials" in note for note in result.notes)
    assert "the config given is accepted" not in result.notes
    given = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    (result,) = run_bench(zipped, collector_config=config, environment=given)
    assert "the config given is accepted" in result.notes


def test_a_layer_that_can_only_run_with_credentials_is_skipped(tmp_path: Path) -> None:
    more = (ZipEntry(name="collector-config/config.yaml", content=FETCHES.encode()),)
    (result,) = run_bench(made.layer(tmp_path / "works.zip", made.WORKS, more=more))
    assert result.status is Status.SKIPPED
    assert "${secretsmanager:…}" in result.reason


@pytest.fixture
def noexec(tmp_path: Path) -> Generator[Path]:
    """A folder in which no program can be started; skips where this user may not mount one."""
    folder = tmp_path / "noexec"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "noexec", "ocelot-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting needs root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_temporary_folder_without_programs_is_told_as_that(
    noexec: Path, ocelot: Ocelot, tmp_path: Path
) -> None:
    zipped = made.layer(tmp_path / "works.zip", made.WORKS)
    ran = ocelot("bench", zipped, "--starts", "1", env={"TMPDIR": str(noexec)})
    assert ran.code == 15
    assert "mounted noexec" in ran.err
    assert "works.zip" not in ran.err.splitlines()[-2]
