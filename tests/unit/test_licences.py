from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identify.vendor.licenses import LICENSES

from pipeline.layer.buildinfo import Module
from pipeline.supply.licences import licences, module_folder, recognise

TEXTS = dict(LICENSES)
# licences whose texts differ in name alone
TWINS = {"GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0", "CC-BY-4.0", "CC-BY-SA-4.0"}

MIT = (
    TEXTS["MIT"]
    .replace("MIT License", "The MIT License (MIT)")
    .replace("[year] [fullname]", "2014-2025 Jane Doe <jane@example.com> and others")
)
BSD_3 = (
    TEXTS["BSD-3-Clause"]
    .replace("BSD 3-Clause License", "")
    .replace("[year], [fullname]", "2009 The Authors.")
    .replace("the copyright holder nor", "Example Inc. nor")
    .replace("1. Redis", "   * Redis")
    .replace("2. Redis", "   * Redis")
    .replace("3. Neither", "   * Neither")
)
RULE = "\n" + "-" * 80 + "\n\n"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "modules"
    folder.mkdir()
    return folder


def kept(cache: Path, name: str, **files: str) -> Module:
    """A module in the cache; `LICENSE_txt` stands for LICENSE.txt."""
    escaped = "".join(f"!{each.lower()}" if each.isupper() else each for each in name)
    folder = cache / escaped
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file.replace("_", ".")).write_text(text, encoding="utf-8")
    path, _, version = name.partition("@")
    return Module(path=path, version=version)


@pytest.mark.parametrize("name", sorted({*TEXTS} - TWINS))
def test_every_known_text_is_recognised(name: str) -> None:
    assert name in recognise(TEXTS[name].encode())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (MIT, ("MIT",)),
        (MIT.upper(), ("MIT",)),
        (" ".join(MIT.split("\n\n")[2:]), ("MIT",)),
        (BSD_3, ("BSD-3-Clause",)),
        (TEXTS["Apache-2.0"], ("Apache-2.0",)),
        (TEXTS["Apache-2.0"].partition("END OF TERMS")[0], ("Apache-2.0",)),
        (TEXTS["Apache-2.0"].replace("[yyyy] [name", "2020 [name"), ("Apache-2.0",)),
        (f"{TEXTS['Apache-2.0']}{RULE}{BSD_3}", ("Apache-2.0", "BSD-3-Clause")),
        (f"Files in b/ are licensed so:\n\n{BSD_3}{RULE}{MIT}", ("BSD-3-Clause", "MIT")),
    ],
)
def test_a_licence_is_recognised_with_other_names_and_rules(
    text: str, names: tuple[str, ...]
) -> None:
    assert recognise(text.encode()) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "All rights reserved. Ask us before you use it.",
        "proprietary " * 200,
        MIT.replace("THE SOFTWARE IS", "Not for commercial use.\n\nTHE SOFTWARE IS"),
        f"{MIT}\nNot for commercial use.\n",
        MIT.replace("use, copy, modify, merge, publish, distribute,", "use,"),
        MIT.replace("without restriction", "without any harm to a cat, a dog, or a tortoise"),
        f"{MIT}{RULE}{'Some other terms that no list of licences has apply as well. ' * 10}",
        BSD_3.replace("Neither the name", "").partition("THIS SOFTWARE")[0],
    ],
)
def test_what_is_not_quite_a_known_licence_has_no_name(text: str) -> None:
    assert recognise(text.encode()) == ()


def test_two_clauses_are_not_three() -> None:
    assert recognise(TEXTS["BSD-2-Clause"].encode()) == ("BSD-2-Clause",)


def test_a_modules_licence_is_that_of_its_folder(cache: Path) -> None:
    module = kept(cache, "github.com/BurntSushi/toml@v1.5.0", COPYING=MIT, README_md="hello")
    assert licences([module], cache) == {("github.com/BurntSushi/toml", "v1.5.0"): ("MIT",)}
    assert (cache / "github.com/!burnt!sushi/toml@v1.5.0").is_dir()


def test_several_licence_files_give_several_names(cache: Path) -> None:
    module = kept(cache, "a.example/b@v1.0.0", LICENSE=BSD_3, LICENCE_libyaml=MIT)
    assert licences([module], cache) == {("a.example/b", "v1.0.0"): ("BSD-3-Clause", "MIT")}


def test_the_licence_of_what_replaced_a_module_counts(cache: Path) -> None:
    fork = kept(cache, "a.example/fork@v2.0.0", LICENSE_txt=MIT)
    module = Module(path="a.example/b", version="v1.0.0", replaced_by=fork)
    assert licences([module], cache) == {("a.example/fork", "v2.0.0"): ("MIT",)}


def test_code_is_no_licence(cache: Path) -> None:
    assert licences([kept(cache, "a.example/b@v1.0.0", LICENSE_go=MIT)], cache) == {}


def test_a_module_that_is_not_in_the_cache_has_none(cache: Path) -> None:
    assert licences([Module(path="a.example/b", version="v1.0.0")], cache) == {}


def test_without_a_cache_nothing_is_known(tmp_path: Path) -> None:
    assert licences([Module(path="a.example/b", version="v1.0.0")], tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("../outside", "v1.0.0"),
        ("a/../../outside", "v1.0.0"),
        ("{outside}", "v1.0.0"),
        ("./outside", "(devel)"),
        ("a\0b", "v1.0.0"),
        ("a", "v1/../../outside@v1.0.0"),
        ("a.example/b", ""),
    ],
)
def test_no_path_leads_out_of_the_cache(cache: Path, path: str, version: str) -> None:
    outside = kept(cache.parent, "outside@v1.0.0", LICENSE=MIT)
    assert outside.version
    module = Module(path=path.format(outside=cache.parent / "outside"), version=version)
    assert module_folder(module, cache) is None
    assert licences([module], cache) == {}


def test_links_out_of_the_cache_are_not_followed(cache: Path) -> None:
    kept(cache.parent, "outside@v1.0.0", LICENSE=MIT)
    (cache / "linked@v1.0.0").symlink_to(cache.parent / "outside@v1.0.0")
    module = kept(cache, "a.example/b@v1.0.0")
    (cache / "a.example/b@v1.0.0/LICENSE").symlink_to(cache.parent / "outside@v1.0.0/LICENSE")
    assert licences([Module(path="linked", version="v1.0.0"), module], cache) == {}


@given(st.binary(max_size=400))
def test_no_file_is_an_error(content: bytes) -> None:
    assert recognise(content) == ()


@given(st.text(max_size=40), st.text(max_size=20))
def test_no_module_is_an_error(path: str, version: str) -> None:
    assert module_folder(Module(path=path, version=version), Path("/nowhere")) is None
