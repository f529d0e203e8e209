from __future__ import annotations

from pathlib import Path

import pytest
from unit_examples import COMMIT, OTLP

from pipeline.build.failure import error_lines, merged_error, step_error, with_tuning_blame
from pipeline.build.recipe import GoStep, collector_step, modules_step, require_steps
from pipeline.build.tuning import TunedFiles
from pipeline.errors import CompileError, LimitError, OcelotError, OutputError, ToolchainError
from pipeline.naming import CUSTOM_TAG, Architecture

(REQUIRE,) = require_steps(["example.com/mine@v1.2.3"])
MODULES = modules_step(Architecture.AMD64, (CUSTOM_TAG, OTLP), locked=False)
COMPILE = collector_step(Architecture.AMD64, (CUSTOM_TAG, OTLP), version="v0.155.0", commit=COMMIT)

PROXY = "https://proxy.golang.org/example.com/mine/@v/v1.2.3.mod"
UNKNOWN = "server response: not found: example.com/mine@v1.2.3: invalid version: unknown revision"
MISMATCH = (
    "verifying example.com/mine@v1.2.3: checksum mismatch",
    "\tdownloaded: h1:AAAA=",
    "\tgo.sum:     h1:BBBB=",
    "",
    "SECURITY ERROR",
    "This download does NOT match an earlier download recorded in go.sum.",
)
UNDEFINED = ("# example.com/mine", "./mine.go:12:3: undefined: NewFactory")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (f"go: example.com/mine@v1.2.3: reading {PROXY}: 403 Forbidden", "does not serve"),
        (f"go: example.com/mine@v1.2.3: reading {PROXY}: 410 Gone", "does not serve"),
        (f"go: example.com/mine@v1.2.3: reading {PROXY}: 401 Unauthorized", "does not serve"),
        (f"go: reading {PROXY}: 404 Not Found", "does not serve"),
        (f"go: reading {PROXY}: 404 Not Found\n\t{UNKNOWN} v1.2.3", "does not serve"),
        (f'Get "{PROXY}": dial tcp 127.0.0.1:9: connect: connection refused', "did not answer"),
        (f'Get "{PROXY}": proxyconnect tcp: dial tcp: i/o timeout', "did not answer"),
        (f'Get "{PROXY}": dial tcp: lookup proxy.golang.org: no such host', "did not answer"),
        (f'Get "{PROXY}": read: connection reset by peer', "did not answer"),
        (f'Get "{PROXY}": net/http: TLS handshake timeout', "did not answer"),
        (f'Get "{PROXY}": tls: failed to verify certificate: x509: unknown', "did not answer"),
        (f"reading {PROXY}: 502 Bad Gateway", "did not answer"),
        (f"reading {PROXY}: 503 Service Unavailable", "did not answer"),
        ("\n".join(MISMATCH), "not what go.sum says"),
        ("go: finding module for package example.com/mine/x", "name the module"),
    ],
)
def test_a_module_that_cannot_be_had_is_reported_with_what_to_do(line: str, hint: str) -> None:
    error = step_error(MODULES, line.splitlines())
    assert type(error) is ToolchainError
    assert str(error) == "modules: modules for amd64 failed: a Go module cannot be downloaded"
    assert hint in error.hint


@pytest.mark.parametrize(
    "line",
    [
        "write /tmp/go-build1/b001/_pkg_.a: no space left on device",
        "open /cache/go/build/trim.txt: read-only file system",
        "mkdir /cache/go/build/00: disk quota exceeded",
    ],
)
@pytest.mark.parametrize("step", [MODULES, COMPILE], ids=["modules", "compile"])
def test_a_disk_that_takes_nothing_is_reported_as_such(step: GoStep, line: str) -> None:
    error = step_error(step, [line])
    assert type(error) is OutputError
    assert {"TMPDIR", "OCELOT_CACHE"} <= set(error.hint.replace("(", " ").replace(")", " ").split())
    assert line in error.details


@pytest.mark.parametrize(
    "line",
    [
        "could not import internal/goarch (can't find export data (bufio: buffer full))",
        "/cache/go/build/00/00-d: malformed archive",
    ],
)
def test_a_damaged_compiled_package_names_the_folder_to_delete(line: str) -> None:
    error = step_error(COMPILE, [line], build_cache=Path("/cache/go/build"))
    assert type(error) is ToolchainError
    assert "/cache/go/build" in error.hint
    assert line in error.details


def test_a_compile_error_has_the_step_the_command_and_gos_lines() -> None:
    error = step_error(COMPILE, UNDEFINED)
    assert type(error) is CompileError
    assert str(error) == "amd64: compile failed"
    assert error.details[0].startswith("$ go build -v -trimpath")
    assert error.details[1:] == UNDEFINED
    assert "--keep-temp" in error.hint


def test_the_command_is_quoted_for_a_shell() -> None:
    command = step_error(COMPILE, UNDEFINED).details[0]
    assert f"-ldflags '-s -w -X main.GitHash={COMMIT} " in command


def test_what_only_sounds_like_a_network_does_not_mislead_a_compile_error() -> None:
    error = step_error(COMPILE, ["# x", 'x.go:1:1: undefined: "connection refused"'])
    assert type(error) is CompileError


def test_a_step_that_only_edits_fails_as_the_toolchain() -> None:
    error = step_error(REQUIRE, ["go: errors parsing go.mod:", "go.mod:3: unknown directive: x"])
    assert type(error) is ToolchainError
    assert error.details[1:] == ("go: errors parsing go.mod:", "go.mod:3: unknown directive: x")


def test_a_modules_step_that_fails_for_another_reason_is_reported_by_gos_lines() -> None:
    error = step_error(MODULES, ["lambdacomponents/connector/mine.go:3:1: expected 'package'"])
    assert type(error) is ToolchainError
    assert "overlay/" in error.hint


def test_packages_that_got_done_are_left_out() -> None:
    lines = ("internal/goarch", "github.com/a-b/c.d/v2", "gopkg.in/yaml.v3", *UNDEFINED)
    assert error_lines(lines) == UNDEFINED


def test_downloads_are_left_out() -> None:
    assert error_lines(("go: downloading example.com/mine v1.2.3", *UNDEFINED)) == UNDEFINED


def test_empty_lines_are_left_out() -> None:
    assert error_lines(("", "  ", *UNDEFINED)) == UNDEFINED


@pytest.mark.parametrize(
    "line",
    [
        "# example.com/mine",
        "./mine.go:12:3: undefined: x",
        "go: go.mod requires go >= 1.27",
        "\thave ()",
        "note: module requires Go 1.27",
        "imports example.com/mine: import cycle not allowed",
        "/usr/bin/ld: cannot find -lx",
    ],
)
def test_lines_of_the_compiler_are_kept(line: str) -> None:
    assert error_lines(("internal/goarch", "internal/goarch\t12\tfalse\t", line)) == (line,)


def test_where_there_is_nothing_but_packages_they_are_kept() -> None:
    assert error_lines(("internal/goarch", "internal/cpu")) == ("internal/goarch", "internal/cpu")


def test_one_error_together_is_itself() -> None:
    error = step_error(COMPILE, UNDEFINED)
    joined = merged_error([error])
    assert (type(joined), str(joined)) == (CompileError, str(error))
    assert (joined.details, joined.hint) == (error.details, error.hint)


def test_errors_together_lose_nothing() -> None:
    first = CompileError("amd64: compile failed", hint="fix it", details=("$ one", "shared", "a"))
    second = OutputError("arm64: no space", hint="free some", details=("$ two", "shared", "b"))
    third = LimitError("too large", hint="name fewer", details=("c",))
    joined = merged_error([first, second, third])
    said = "\n".join((str(joined), joined.hint, *joined.details))
    for error in (first, second, third):
        assert [part for part in (str(error), error.hint, *error.details) if part not in said] == []


def test_errors_together_are_of_the_firsts_class() -> None:
    errors: list[OcelotError] = [CompileError("one"), OutputError("two")]
    assert merged_error(errors).exit_code == CompileError.exit_code


def test_lines_of_both_errors_are_reported_once() -> None:
    joined = merged_error(
        [CompileError("amd64", details=UNDEFINED), CompileError("arm64", details=UNDEFINED)]
    )
    assert [joined.details.count(line) for line in UNDEFINED] == [1, 1]


TUNED = TunedFiles(
    files={
        "go.mod": b"",
        "main.go": b"package main\n",
        "internal/small/go.mod": b"",
        "internal/small/config.go": b"// A comment.\npackage config\n",
    },
    applied=("loud", "small"),
    touched={"loud": ("main.go",), "small": ("go.mod", "internal/small/config.go")},
    replaced={"small": ("example.com/aws/config",)},
)
TREE = {
    **TUNED.files,
    "exporter/own.go": b'package exporter\n\nimport "example.com/mine/config"\n',
    "exporter/plain.go": b'package exporter\n\nimport "example.com/aws/config"\n',
    "exporter/other.go": b'package exporter\n\nimport (\n\tours "example.com/aws/config/v2"\n)\n',
}


@pytest.mark.parametrize(
    ("lines", "tunings"),
    [
        (["./main.go:3:1: undefined: x"], {"loud"}),
        (["main.go:3:1: syntax error"], {"loud"}),
        (["other/main.go:3:1: undefined: x"], set[str]()),
        (["exporter/own.go:3:1: undefined: x"], set[str]()),
        (["exporter/own.go:3:1: undefined: config.X"], set[str]()),
        (["exporter/plain.go:3:1: undefined: config.X"], {"small"}),
        (["exporter/plain.go:3:1: undefined: main.X"], set[str]()),
        (["exporter/other.go:3:1: undefined: ours.X"], {"small"}),
        (["exporter/other.go:3:1: undefined: config.X"], set[str]()),
        (["../mod/a.example/b@v1.0.0/b.go:3:1: undefined: config.X"], {"small"}),
        (["../mod/a.example/b@v1.0.0/b.go:3:1: undefined: X"], set[str]()),
        (["../mod/b.go:3:1: a.B undefined (type *config.T has no field or method B)"], {"small"}),
        (["../mod/b.go:3:1: config.B undefined (type *a.T has no field or method B)"], set[str]()),
        (["# example.com/aws/config/v2", "internal/small/v2/a.go:1:1: undefined: X"], {"small"}),
        (["# example.com/aws/configs", "a.go:1:1: undefined: X"], set[str]()),
    ],
)
def test_a_tuning_is_blamed_for_what_it_touched_alone(lines: list[str], tunings: set[str]) -> None:
    error = CompileError("amd64: compile failed", hint="fix it", details=("$ go build", *lines))
    blamed = with_tuning_blame(error, TUNED, TREE)
    assert {name for name in TUNED.applied if f"{name} (" in blamed.hint} == tunings
    assert ("--no-tune" in blamed.hint) is bool(tunings)
    assert blamed.details == error.details
