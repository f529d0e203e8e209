"""`ocelot inspect` on real binaries, compared with Go's own tools."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from runs import Built, go, run_go, run_ocelot

from pipeline.layer.buildinfo import Module, read_build_info
from pipeline.layer.elf import read_elf
from pipeline.layer.functions import import_path, package_of, read_functions
from pipeline.layer.layerfile import open_layer
from pipeline.layer.sizes import STANDARD_LIBRARY, BinarySizes, read_sizes
from pipeline.layer.unused_methods import read_unused_methods

ARCHITECTURES = ("amd64", "arm64")


def zip_of(built: Built, architecture: str) -> Path:
    return built.folder / f"collector-{architecture}-minimal.zip"


def collector(built: Built, architecture: str) -> bytes:
    path = zip_of(built, architecture)
    return open_layer(path.read_bytes(), file=path.name).collector


def inspected(built: Built, architecture: str, *options: str) -> dict[str, Any]:
    path = zip_of(built, architecture)
    ran = run_ocelot("inspect", path, "--json", *options, cache=built.cache, cwd=built.folder)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)["layers"][0]


def as_go_prints(module: Module, key: str) -> list[str]:
    fields = [key, module.path, module.version]
    line = "\t".join([*fields, module.sum] if not module.replaced_by else fields)
    return [line, *(as_go_prints(module.replaced_by, "=>") if module.replaced_by else [])]


TYPE = """
type T struct{}

func (*T) Called() int { return len(os.Args) }
func (*T) Unused() int { println("unused"); return len(os.Args) }

var value = reflect.ValueOf(&T{})
"""

# Programs, and the function for which Go's linker keeps unused methods in each.
PROGRAMS = {
    "nothing": ("println(value.Kind())", ""),
    "constant": ('value.MethodByName("Called").Call(nil)', ""),
    "by name": ("value.MethodByName(os.Args[0]).Call(nil)", "main.main"),
    "by number": ("value.Method(len(os.Args)).Call(nil)", "main.main"),
    "name of reflect": ('println(value.MethodByName("Methods").IsValid())', "main.main"),
    "template": (
        'template.Must(template.New("").Parse("{{.Called}}")).Execute(os.Stdout, value)',
        "text/template.(*state).evalField",
    ),
    "by type": ("println(value.Type().Method(len(os.Args)).Name)", "?"),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_unused_methods_are_kept_where_the_linker_keeps_them(
    name: str, architecture: str, tmp_path: Path
) -> None:
    line, function = PROGRAMS[name]
    template = 'import "text/template"\n' if "template" in line else ""
    head = f'package main\n\nimport ("os"; "reflect")\n{template}{TYPE}'
    (tmp_path / "go.mod").write_text("module example.com/program\n\ngo 1.25\n")
    (tmp_path / "main.go").write_text(f"{head}\nfunc main() {{ _ = os.Args; {line} }}\n")
    target = {"GOOS": "linux", "GOARCH": architecture}
    flags = ("-trimpath", "-ldflags", "-s -w -dumpdep")
    dump = run_go("build", *flags, "-o", "program", ".", cwd=tmp_path, **target).err
    found = read_unused_methods(read_elf((tmp_path / "program").read_bytes()))
    assert found.dropped == ("<ReflectMethod>" not in dump) == (not function)
    assert found.kept_for == ((function,) if function not in ("", "?") else ())


def test_the_presets_unused_methods_are_dropped(built: Built) -> None:
    for architecture in ARCHITECTURES:
        assert inspected(built, architecture)["unused_methods"] == {"dropped": True, "kept_for": []}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_build_info_is_as_go_prints_it(built: Built, architecture: str, tmp_path: Path) -> None:
    binary = tmp_path / "collector"
    binary.write_bytes(collector(built, architecture))
    binary.chmod(0o755)
    first, *lines = go("version", "-m", binary, cwd=tmp_path).splitlines()
    info = read_build_info(read_elf(binary.read_bytes()))
    assert first.endswith(f": {info.go_version}")
    modules = [line for module in info.modules for line in as_go_prints(module, "dep")]
    expected = [f"path\t{info.path}", *as_go_prints(info.main, "mod"), *modules]
    expected += [f"build\t{name}={value}" for name, value in info.settings]
    assert [line.strip() for line in lines if line.strip()] == [line.strip() for line in expected]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_components_are_those_of_the_distribution(built: Built, architecture: str) -> None:
    found = inspected(built, architecture)["components"]
    tags = {
        f"lambdacomponents.{each['kind']}.{each['name']}"
        for each in found
        if each["kind"] != "provider"
    }
    layer = next(
        each for each in built.ran.manifest["layers"] if each["architecture"] == architecture
    )
    assert tags | {"lambdacomponents.custom"} == set(layer["build_tags"])
    assert all(each["size"] > 1_000 for each in found)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_sizes_add_up_and_have_the_sections_of_the_file(
    built: Built, architecture: str
) -> None:
    binary = collector(built, architecture)
    sizes = inspected(built, architecture, "--sizes")["sizes"]
    assert sum(each["size"] for each in (*sizes["modules"], *sizes["rest"])) == len(binary)
    rest = {each["name"]: each["size"] for each in sizes["rest"]}
    for section in read_elf(binary).sections:
        if section.name not in (".text", ".gopclntab"):
            assert rest[section.name] == section.size
    counted = sum(each["size"] for each in sizes["modules"])
    assert counted > 0.75 * len(binary)


def test_the_bill_of_materials_is_valid_and_the_same_each_time(
    built: Built, tmp_path: Path
) -> None:
    bills = [tmp_path / "one.json", tmp_path / "other.json"]
    for bill in bills:
        command = ("inspect", zip_of(built, "amd64"), "--sbom", bill)
        ran = run_ocelot(*command, cache=built.cache, cwd=tmp_path)
        assert ran.code == 0, ran.err
    first, second = (bill.read_text() for bill in bills)
    assert first == second
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(first) is None
    components = json.loads(first)["components"]
    published = [each for each in components if "version" in each]
    modules = [each for each in published if each.get("purl", "").startswith("pkg:golang/")]
    licensed = [each for each in modules if "licenses" in each]
    assert len(licensed) > 0.9 * len(modules)


PROGRAM = {
    "go.mod": "module example.com/tiny.v2\n\ngo 1.25\n",
    "main.go": """\
        package main

        import (
        \t"fmt"
        \t"net/http"
        \t"os"
        \t"slices"

        \t"example.com/tiny.v2/some/part.v3"
        )

        type pair struct{ a, b string }

        func main() {
        \tpairs := []pair{{"b", "a"}, {"a", "b"}}
        \tslices.SortFunc(pairs, func(x, y pair) int { return len(x.a) - len(y.b) })
        \thttp.DefaultClient.Get(os.Args[0])
        \tfmt.Println(part.Sum(map[part.Key]int{{Name: "x"}: 1}), pairs)
        }
        """,
    "some/part.v3/part.go": """\
        package part

        type Key struct {
        \tName string
        \tRank float64
        }

        type number interface{ ~int | ~float64 }

        //go:noinline
        func Sum[N number](all map[Key]N) (sum N) {
        \tfor key, each := range all {
        \t\tdefer func() { sum += N(len(key.Name)) }()
        \t\tsum += each
        \t}
        \treturn sum
        }
        """,
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small program, linked with and without its symbols."""
    folder = tmp_path_factory.mktemp("tiny")
    for name, text in PROGRAM.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    for architecture in ARCHITECTURES:
        settings = {"GOOS": "linux", "GOARCH": architecture}
        for suffix, flags in (("full", ""), ("bare", "-s -w")):
            output = folder / f"{architecture}-{suffix}"
            go("build", "-trimpath", f"-ldflags={flags}", "-o", output, cwd=folder, **settings)
    return folder


def code_by_symbols(folder: Path, architecture: str) -> dict[str, int]:
    """The code of each package, from one symbol of the unstripped program to the next."""
    listed = go("tool", "nm", "-size", "-n", folder / f"{architecture}-full", cwd=folder)
    lines = re.findall(r"^\s*([0-9a-f]+)\s+([1-9]\d*) [Tt] (.*)$", listed, re.MULTILINE)
    sizes: dict[str, int] = defaultdict(int)
    for (start, _, name), (end, *_) in pairwise(lines):
        sizes[import_path(package_of(name.encode()))] += int(end, 16) - int(start, 16)
    return sizes


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_code_is_counted_as_by_the_symbols_of_an_unstripped_binary(
    programs: Path, architecture: str
) -> None:
    elf = read_elf((programs / f"{architecture}-bare").read_bytes())
    found = {name: each.code for name, each in read_functions(elf).packages.items() if each.code}
    expected = code_by_symbols(programs, architecture)
    assert {"main", "example.com/tiny.v2/some/part.v3", "net/http", "slices"} <= set(expected)
    found[""] -= 1  # the mark at the end of all code, of no package
    assert found == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_symbols_themselves_do_not_matter(programs: Path, architecture: str) -> None:
    sizes: list[BinarySizes] = []
    for suffix in ("full", "bare"):
        elf = read_elf((programs / f"{architecture}-{suffix}").read_bytes())
        sizes.append(read_sizes(elf, read_build_info(elf), read_functions(elf)))
    full, bare = sizes
    assert {each.package: each.code for each in full.packages} == {
        each.package: each.code for each in bare.packages
    }
    assert [each.module for each in bare.modules] == [STANDARD_LIBRARY, "example.com/tiny.v2"]
