"""`ocelot bench`: the sample's layer passes; layers broken on purpose fail, each for its reason."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import broken_layers as made
import pytest
from benching import OTHER, OURS, QUICK, fault_of, own_zip, run_bench
from runs import CONFIG, OCELOT, Built, Ocelot, Ran, environment, fresh_cache
from unit_examples import write_config

from pipeline import paths
from pipeline.bench.environment.machine import EMULATORS
from pipeline.bench.faults import Fault, FaultError
from pipeline.bench.preparation import Limits
from pipeline.bench.reference import compiled_reference
from pipeline.bench.result import Status, check_results
from pipeline.build.compile import Compiler
from pipeline.config.folder import Config, load_config
from pipeline.errors import BenchError, UsageError
from pipeline.layer.zip import ZipEntry
from pipeline.naming import Architecture

pytestmark = pytest.mark.skipif(not OURS, reason=f"no layer runs on {platform.machine()}")


def data(ran: Ran) -> Any:  # noqa: ANN401
    return json.loads(ran.out)


def test_the_sample_passes_and_is_measured(built: Built, ocelot: Ocelot) -> None:
    ran = ocelot("bench", own_zip(built), "--starts", "2", "--invocations", "3", "--json")
    assert ran.code == 0, ran.err
    (layer,) = data(ran)["layers"]
    assert (layer["status"], layer["fault"], layer["notes"]) == ("passed", None, [])
    assert (layer["architecture"], layer["emulated"]) == (OURS, False)
    assert layer["size"] == own_zip(built).stat().st_size
    figures = layer["figures"]
    assert (figures["starts"], figures["items"]) == (2, 2 * 3 * 10)
    names = ("cpu", "wall", "first_export", "rss", "peak", "invocation_cpu", "shutdown", "life_cpu")
    assert figures["delivered"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    for name in names:
        spread = figures[name]
        assert 0 < spread["least"] <= spread["median"] <= spread["most"], name
    assert figures["peak"]["median"] >= figures["rss"]["median"]
    by_size = {each["memory_mb"]: each["seconds"] for each in figures["init"]}
    assert by_size[1769] == figures["cpu"]["median"]
    assert by_size[128] == pytest.approx(by_size[1769] * 1769 / 128)


def test_figures_are_also_multiples_of_the_reference(built: Built, ocelot: Ocelot) -> None:
    ran = ocelot("bench", own_zip(built), "--starts", "3", "--invocations", "1")
    assert ran.code == 0, ran.err
    times = ("CPU to ready, times **", "memory, times **", "CPU of a life, times **")
    for text in (*times, "** relative to the reference"):
        assert text in ran.out
    ran = ocelot("bench", own_zip(built), "--starts", "3", "--invocations", "1", "--json")
    (layer,) = data(ran)["layers"]
    own, reference, start = (layer[name] for name in ("figures", "reference", "start"))
    assert reference["starts"] == 3
    for name in ("cpu", "life_cpu"):
        assert 0 < reference[name]["median"] < own[name]["median"]
    assert (start["starts"], start["cpu"]) == (3, own["cpu"]["median"])
    assert start["cpu_times"] == own["cpu"]["median"] / reference["cpu"]["median"]
    assert start["memory_times"] == own["rss"]["median"] / reference["rss"]["median"]


def limiting(folder: Path, budget: str) -> Config:
    """A config in which `minimal` has a budget."""
    write_config(folder, "minimal: {buildtags: [lambdacomponents.receiver.otlp]}\n")
    (folder / "budgets.yaml").write_text(f"minimal: {{{budget}}}\n", encoding="utf-8")
    return load_config(folder)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Path:
    """The compiled reference."""
    compiler = Compiler(caches=built.cache / "go")
    compiled = partial(compiled_reference, Architecture(OURS), compiler)
    path = tmp_path_factory.mktemp("reference") / "reference"
    path.write_bytes(anyio.run(compiled))
    return path


def test_a_layer_over_its_budget_fails_after_more_starts(
    built: Built, tmp_path: Path, reference: Path
) -> None:
    config = limiting(tmp_path, "cpu-to-ready: 1.5, memory-when-ready: 1.2")
    (result,) = run_bench(own_zip(built), config=config, reference=reference)
    assert result.fault is not None
    assert result.fault.fault is Fault.OVER_BUDGET
    assert "CPU to ready: " in result.fault.details[0]
    assert "over the budget of 1.5" in result.fault.details[0]
    assert "memory when ready: " in result.fault.details[1]
    assert "raise the budget" in result.fault.hint
    assert result.figures is not None
    assert result.figures.starts == 15


def test_a_layer_within_its_budget_passes_at_once(
    built: Built, tmp_path: Path, reference: Path
) -> None:
    config = limiting(tmp_path, "cpu-to-ready: 100, memory-when-ready: 100")
    (result,) = run_bench(own_zip(built), config=config, reference=reference)
    assert (result.status, result.notes) == (Status.PASSED, ())
    assert result.figures is not None
    assert result.figures.starts == 1


def test_a_budget_is_not_checked_without_a_reference(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        assert name == "go"

    config = limiting(tmp_path, "cpu-to-ready: 0.1")
    lacking = Compiler(caches=tmp_path / "caches")
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    for compiler in (None, lacking):
        (result,) = run_bench(own_zip(built), config=config, compiler=compiler)
        note = "its budget for the start was not checked: there is no reference"
        assert (result.status, result.notes) == (Status.PASSED, (note,))


def test_a_reference_that_does_not_run_is_an_error(built: Built, tmp_path: Path) -> None:
    broken = tmp_path / "reference"
    broken.write_bytes(made.EXITS_AT_ONCE)
    with pytest.raises(BenchError, match="reference: extensions/reference exits at once"):
        run_bench(own_zip(built), reference=broken)
    with pytest.raises(UsageError, match="cannot be read"):
        run_bench(own_zip(built), reference=tmp_path / "none")


def test_nothing_is_lost_in_200_invocations(built: Built) -> None:
    (result,) = run_bench(own_zip(built), invocations=200, limits=Limits(freeze=0.002))
    assert result.status is Status.PASSED, result.fault and result.fault.text()
    assert result.figures is not None
    assert result.figures.items == 200 * 10


def test_the_table_and_the_bars_show_both_layers(built: Built, ocelot: Ocelot) -> None:
    copy = shutil.copy(own_zip(built), built.folder.parent / f"other-{OURS}-copy.zip")
    command = ("bench", own_zip(built), "--against", copy, "--starts", "1", "--invocations", "2")
    ran = ocelot(*command)
    assert ran.code == 0, ran.err
    for text in ("CPU to ready", "SHUTDOWN to end", "init at 128 MB", "estimated", "times"):
        assert text in ran.out
    assert ran.out.count("█") >= 8
    ran = ocelot(*command, "--json")
    assert data(ran)["against"]["file"] == Path(copy).name
    assert len(data(ran)["layers"]) == 1


def test_a_layer_for_another_machine_is_skipped_with_the_reason(
    built: Built, ocelot: Ocelot, tmp_path: Path
) -> None:
    zipped = built.folder / f"collector-{OTHER}-minimal.zip"
    ran = ocelot("bench", zipped, env={"PATH": str(tmp_path)})  # no qemu there
    assert ran.code == 0, ran.err
    assert "qemu" in ran.out
    assert "was skipped" in ran.out


@pytest.mark.skipif(
    not any(map(shutil.which, EMULATORS[Architecture(OTHER)])), reason="qemu-user is not installed"
)
def test_a_layer_for_another_machine_runs_by_qemu(built: Built, ocelot: Ocelot) -> None:
    zipped = built.folder / f"collector-{OTHER}-minimal.zip"
    ran = ocelot("bench", zipped, "--starts", "1", "--invocations", "3", "--json")
    assert ran.code == 0, ran.err
    (layer,) = data(ran)["layers"]
    assert (layer["status"], layer["architecture"], layer["emulated"]) == ("passed", OTHER, True)
    assert layer["figures"]["items"] == 3 * 10
    assert (layer["start"], layer["reference"]) == (None, None)
    assert layer["notes"] == ["its budget for the start was not checked: it ran under qemu"]


def test_on_an_emulated_machine_nothing_is_compared_with_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_EMULATED", "1")
    config = limiting(tmp_path, "cpu-to-ready: 0.1")
    zipped = made.layer(tmp_path / f"collector-{OURS}-minimal.zip", made.WORKS)
    (result,) = run_bench(zipped, config=config, reference=zipped)
    assert (result.status, result.emulated) == (Status.PASSED, True)
    assert (result.start, result.reference) == (None, None)
    assert result.figures is not None
    assert len(result.notes) == 2


@pytest.mark.parametrize(
    ("content", "fault", "text"),
    [
        (made.NEVER_REGISTERS, Fault.NEVER_REGISTERS, ""),
        (made.EXITS_AT_ONCE, Fault.EXITS_AT_ONCE, "exit code 3\ncannot go on"),
        (made.HANGS_IN_INIT, Fault.HANGS_IN_INIT, ""),
        (made.PANICS, Fault.PANICS, "panic: runtime error"),
        (made.REPORTS_AN_ERROR, Fault.REFUSES_CONFIG, "it reported Collector.BadConfig"),
        (made.IGNORES_SHUTDOWN, Fault.IGNORES_SHUTDOWN, "after SHUTDOWN"),
        (made.HANGS_IN_INVOKE, Fault.HANGS_IN_INVOKE, "in invocation 1"),
        (made.EXITS_IN_INVOKE, Fault.EXITS_IN_INVOKE, "exit code 4 in invocation 1"),
        (made.WRITES_TO_LAYER, Fault.WRITES_TO_LAYER, "state"),
        (made.NO_INTERPRETER, Fault.NO_ELF, "No such file"),
        (b"no program at all", Fault.NO_ELF, "no progr"),
    ],
)
def test_a_broken_layer_fails_for_its_reason(
    content: bytes, fault: Fault, text: str, tmp_path: Path
) -> None:
    found = fault_of(made.layer(tmp_path / "broken.zip", content), limits=QUICK)
    assert found.fault is fault, found.text()
    assert text in "\n".join(found.details)
    assert "broken.zip" in str(found)
    assert found.hint


def test_a_machine_that_cannot_start_a_program_is_no_fault_of_the_layer(tmp_path: Path) -> None:
    zipped = made.layer(tmp_path / "works.zip", made.WORKS)
    too_long = {"BIG": "x" * 200_000}  # Linux takes 128 KiB in a variable
    with pytest.raises(BaseExceptionGroup) as caught:
        run_bench(zipped, environment=too_long)
    assert caught.group_contains(BenchError, match="cannot be started here: Argument list")
    assert not caught.group_contains(FaultError)


def test_a_script_that_works_passes(tmp_path: Path) -> None:
    (result,) = run_bench(made.layer(tmp_path / "works.zip", made.WORKS))
    assert result.status is Status.PASSED, result.fault


def test_a_file_that_is_not_executable_is_not_started(tmp_path: Path) -> None:
    found = fault_of(made.layer(tmp_path / "a.zip", made.WORKS, mode=0o644))
    assert (found.fault, found.details) == (Fault.NOT_EXECUTABLE, ("its mode in the zip is 0644",))


def test_a_binary_for_another_machine_than_the_layer_says(built: Built, tmp_path: Path) -> None:
    wrong = tmp_path / f"collector-{OURS}-minimal.zip"
    shutil.copy(built.folder / f"collector-{OTHER}-minimal.zip", wrong)
    found = fault_of(wrong)
    assert found.fault is Fault.WRONG_ARCHITECTURE
    assert found.details == (f"its machine is {OTHER}; the layer is for {OURS}",)


def test_a_failing_layer_is_reported_with_exit_code_15(tmp_path: Path, ocelot: Ocelot) -> None:
    zipped = made.layer(tmp_path / "broken.zip", made.EXITS_AT_ONCE)
    ran = ocelot("bench", zipped, "--json")
    assert ran.code == 15
    (layer,) = data(ran)["layers"]
    assert layer["status"] == "failed"
    assert layer["fault"]["kind"] == "exits at once"
    assert "cannot go on" in layer["fault"]["details"]
    assert "broken.zip: extensions/collector exits at once" in ran.err
    assert "next:" in ran.err


def test_layers_after_a_bad_one_are_run(tmp_path: Path) -> None:
    bad = made.layer(tmp_path / "bad.zip", made.EXITS_AT_ONCE)
    worse = made.layer(tmp_path / "worse.zip", b"nothing")
    good = made.layer(tmp_path / "good.zip", made.WORKS)
    results = run_bench(bad, worse, good)
    assert [each.status for each in results] == [Status.FAILED, Status.FAILED, Status.PASSED]
    with pytest.raises(BenchError, match="2 of 3 layers fail"):
        check_results(results)


def test_an_extension_has_lambdas_environment_and_none_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    monkeypatch.setenv("OCELOT_SECRET", "ours")
    content = made.script("print(json.dumps(dict(os.environ))); sys.exit(1)")
    found = fault_of(
        made.layer(tmp_path / "a.zip", content), environment={"LEVEL": "debug", "TZ": "Europe/Rome"}
    )
    env = json.loads(found.details[-1])
    assert "ours" not in env.values()
    assert (env["AWS_LAMBDA_FUNCTION_NAME"], env["LEVEL"]) == ("bench", "debug")
    assert env["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert not set(env) & {"HOME", "USER", "_HANDLER", "LAMBDA_TASK_ROOT", "OCELOT_SECRET"}


def test_cpu_time_does_not_include_waiting(tmp_path: Path) -> None:
    busy = made.script("while time.process_time() < 0.4: pass\nregister(); live()")
    idle = made.script("time.sleep(0.4); register(); live()")
    spent, waited = run_bench(
        made.layer(tmp_path / "busy.zip", busy), made.layer(tmp_path / "idle.zip", idle)
    )
    assert spent.figures is not None
    assert waited.figures is not None
    assert spent.figures.cpu.median >= 0.4
    assert waited.figures.wall.median >= 0.4
    assert waited.figures.cpu.median < spent.figures.cpu.median


def test_the_cpu_of_a_life_is_that_of_start_invocations_and_shutdown(tmp_path: Path) -> None:
    spends = """
        def spend(seconds):
            end = time.process_time() + seconds
            while time.process_time() < end: pass
        register()
        spend(0.1)
        while next_event()["eventType"] == "INVOKE":
            spend(0.05)
        spend(0.2)
    """
    idle, busy = run_bench(
        made.layer(tmp_path / "idle.zip", made.WORKS),
        made.layer(tmp_path / "busy.zip", made.script(spends)),
        invocations=4,
    )
    assert idle.figures is not None
    assert busy.figures is not None
    more = busy.figures.life_cpu.median - idle.figures.life_cpu.median
    assert more == pytest.approx(0.1 + 4 * 0.05 + 0.2, abs=0.1)


def test_every_extension_of_a_layer_is_started(tmp_path: Path) -> None:
    second = ZipEntry(name="extensions/second", content=made.EXITS_AT_ONCE, mode=0o755)
    found = fault_of(made.layer(tmp_path / "two.zip", made.WORKS, more=(second,)))
    assert str(found) == "two.zip: extensions/second exits at once"


def test_children_of_an_extension_end_with_it(tmp_path: Path) -> None:
    content = made.script("""
        import subprocess
        child = subprocess.Popen(["/bin/sleep", "600"], stdout=subprocess.DEVNULL)
        print(child.pid, flush=True)
        time.sleep(60)
    """)
    found = fault_of(made.layer(tmp_path / "a.zip", content), limits=QUICK)
    assert not runs(int(found.details[-1]))


def runs(pid: int) -> bool:
    """Return True if a process runs: it exists and is no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_ctrl_c_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    content = made.script(f"""
        register()
        next_event()
        with open({str(note)!r}, "w") as file:
            file.write(str(os.getpid()))
        os.rename({str(note)!r}, {str(note) + ".whole"!r})
        time.sleep(60)
    """)
    zipped = made.layer(tmp_path / "a.zip", content)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {**environment(fresh_cache(tmp_path / "cache")), "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [str(OCELOT), "bench", str(zipped), "--config", str(CONFIG)],
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        whole = note.with_suffix(".whole")
        for _ in range(600):
            if whole.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert whole.exists()
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, messages
    assert not runs(int(whole.read_text()))
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="session")
def edited(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Any:  # noqa: ANN401
    """A function that builds the sample with edits in a file, and returns this machine's layer."""

    def build(name: str, file: str, edits: dict[str, str], batch: str = "") -> Path:
        """Build with edits in a file and, if given, with a `batch` of these settings."""
        root = tmp_path_factory.mktemp(name)
        source = root / "upstream"
        shutil.copytree(paths.sample_upstream(), source)
        edit(source / "collector" / file, edits)
        config = shutil.copytree(CONFIG, root / "config")
        if batch:
            own = config / "collector/minimal.yaml"
            edit(own, {"\nprocessors:\n": f"\nprocessors:\n  batch: {{{batch}}}\n"})
            text = own.read_text(encoding="utf-8")
            own.write_text(text.replace("[decouple]", "[batch, decouple]"), encoding="utf-8")
        command = [OCELOT, "build", "-d", "minimal", "-a", OURS, "-r", source, "-o", root / "dist"]
        done = subprocess.run(
            [*map(str, command), "--config", str(config)],
            env=environment(built.cache),
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return root / "dist" / f"collector-{OURS}-minimal.zip"

    return build


def edit(path: Path, edits: dict[str, str]) -> None:
    """Replace texts that a file contains exactly once."""
    text = path.read_text(encoding="utf-8")
    for old, new in edits.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_a_collector_that_does_not_flush_loses_the_last_batch(edited: Any) -> None:  # noqa: ANN401
    ends = "\tlisteners.EnvironmentShutdown()\n"
    exits = {ends: f"\tif err == nil {{\n\t\tos.Exit(0)\n\t}}\n{ends}"}
    # with this batch size and timeout, only SHUTDOWN sends what the last invocation left
    zipped = edited("hasty", "main.go", exits, batch="send_batch_size: 8, timeout: 60s")
    found = fault_of(zipped, invocations=9)
    assert found.fault is Fault.LOSES_LAST_BATCH, found.text()
    assert "of traces by grpc" in found.text()


def test_a_collector_that_drops_something_in_between_loses_data(edited: Any) -> None:  # noqa: ANN401
    detached, deliver = "\tdetached := context.WithoutCancel(ctx)\n", "// deliver queues one"
    skip = "\tif skipped.CompareAndSwap(false, true) {\n\t\treturn nil\n\t}\n"
    zipped = edited(
        "careless",
        "processor/decoupleprocessor/processor.go",
        {
            detached: f"{detached}{skip}",
            deliver: f"var skipped atomic.Bool\n\n{deliver}",
            '\t"time"\n': '\t"sync/atomic"\n\t"time"\n',
        },
    )
    found = fault_of(zipped, invocations=10)
    assert found.fault is Fault.LOSES_DATA, found.text()


ACME = """\
receivers: {otlp: {protocols: {http: {endpoint: "localhost:4318"}}}}
processors: {acme_thing: {}}
exporters: {otlphttp: {endpoint: "http://127.0.0.1:9", timeout: 1s}}
service: {pipelines: {logs: {receivers: [otlp], processors: [acme_thing], exporters: [otlphttp]}}}
"""


def test_the_types_that_a_collector_registers_count_and_not_its_packages(
    edited: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    file = "processor/decoupleprocessor/factory.go"
    zipped = edited("acme", file, {'MustNewType("decouple")': 'MustNewType("acme_thing")'})
    config = tmp_path / "acme.yaml"
    config.write_text(ACME)
    (result,) = run_bench(zipped, collector_config=config)
    assert result.status is Status.PASSED, result.fault
    assert any("the layer has no processor decouple" in note for note in result.notes)
    assert "the config given is accepted" in result.notes
    config.write_text(ACME.replace("1s", "5parsecs"))
    found = fault_of(zipped, collector_config=config)
    assert found.fault is Fault.REFUSES_CONFIG
    assert "'timeout' time: unknown unit" in found.text()


def test_a_panic_before_any_config_is_read_is_not_the_configs(
    edited: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    file, factory = "processor/decoupleprocessor/factory.go", "\treturn processor.NewFactory(\n"
    panics = '\tif os.Getenv("HOME") == "" {\n\t\tpanic("no home")\n\t}\n'
    imports = '\t"errors"\n'
    edits = {factory: f"{panics}{factory}", imports: f'{imports}\t"os"\n'}
    zipped = edited("panicking", file, edits)
    config = tmp_path / "empty.yaml"
    config.write_text("")
    found = fault_of(zipped, collector_config=config)
    assert found.fault is Fault.PANICS
    assert "panic: no home" in found.text()
    assert "config" not in found.hint


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("extensions/collector", made.WORKS)
        zipped.writestr(name, b"evil")
    with pytest.raises(UsageError, match="leads out of the layer"):
        run_bench(path)


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("extensions/collector", made.WORKS)
        link = zipfile.ZipInfo("extensions/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(UsageError, match="is a link"):
        run_bench(path)


def test_a_folder_without_zips_is_an_error(tmp_path: Path, ocelot: Ocelot) -> None:
    (tmp_path / "empty").mkdir()
    ran = ocelot("bench", tmp_path / "empty")
    assert ran.code == 2
    assert "there is no zip" in ran.err


def test_the_users_otel_variables_have_no_effect(built: Built, ocelot: Ocelot) -> None:
    env = {
        "OTEL_SDK_DISABLED": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    ran = ocelot("bench", own_zip(built), "--starts", "1", "--json", env={**os.environ, **env})
    assert ran.code == 0, ran.err
    assert data(ran)["layers"][0]["figures"]["items"] == 100
