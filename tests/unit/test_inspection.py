from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_examples import shown as screen
from supply_examples import MAIN, OTEL, Binary, layer_zip

from pipeline import cli, paths
from pipeline.build import recipe
from pipeline.layer.inspection import Inspection, inspect_layer
from pipeline.layer.layerfile import open_layer
from pipeline.report.inspect import InspectOptions, inspection_data, inspection_reports
from pipeline.report.rendering import json_text

FOUND = inspect_layer(open_layer(layer_zip(), file="a.zip"))

Ran = Callable[..., tuple[object, str, str]]


@pytest.fixture
def inspect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Ran:
    """Run `ocelot inspect` beside the zips a.zip and b.zip."""
    monkeypatch.chdir(tmp_path)
    Path("a.zip").write_bytes(layer_zip())
    Path("b.zip").write_bytes(layer_zip(Binary(architecture="arm64").content()))

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["ocelot", "inspect", *arguments])
        code: object = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return code or 0, out, err

    return run


def shown(
    options: InspectOptions | None = None, found: Inspection = FOUND, width: int = 200
) -> str:
    return screen(*inspection_reports(found, options or InspectOptions()), width=width)


def json_of(ran: tuple[object, str, str]) -> dict[str, Any]:
    code, out, _ = ran
    assert code == 0
    return json.loads(out)


def test_the_summary_has_versions_files_and_components() -> None:
    text = shown()
    for word in ("a.zip", "v0.155.0", "go1.26.6", f"{MAIN}@(devel)", "CGO_ENABLED=0", "0755"):
        assert word in text
    assert f"{OTEL}/receiver/otlpreceiver@v0.155.0" in text
    assert "gopkg.in/yaml.v3" not in text


def test_the_modules_are_shown_if_requested() -> None:
    text = shown(InspectOptions(modules=True))
    for word in ("gopkg.in/yaml.v3", "v3.0.1", "./lambdacomponents@(devel)"):
        assert word in text


def test_the_sizes_are_shown_if_requested() -> None:
    text = shown(InspectOptions(sizes=True, top=0))
    assert ".rodata: constants and types" in text
    assert f"{FOUND.sizes.size:,}" in text


def test_the_smaller_rows_of_sizes_are_summed_up() -> None:
    sizes = FOUND.sizes
    left = len(sizes.modules) + len(sizes.rest) - 2
    assert f"{left} more" in shown(InspectOptions(sizes=True, top=2))


def test_a_long_path_is_folded_and_not_cut() -> None:
    assert "…" not in shown(InspectOptions(modules=True, sizes=True), width=80)


def test_texts_of_a_zip_are_no_markup_and_steer_no_terminal() -> None:
    strange = layer_zip(more={"[red]x[/y]": b"", "a\x1b[2J": b""})
    text = shown(found=inspect_layer(open_layer(strange, file="a.zip")))
    assert "[red]x[/y]" in text
    assert "\x1b" not in text


def test_json_has_the_requested_tables() -> None:
    plain = inspection_data(FOUND, InspectOptions())
    assert {"modules", "sizes"} & set(plain) == set()
    more = json.loads(
        json_text(inspection_data(FOUND, InspectOptions(modules=True, sizes=True, top=1)))
    )
    assert len(more["modules"]) == plain["module_count"] == 6
    sizes = more["sizes"]
    assert sum(each["size"] for each in (*sizes["modules"], *sizes["rest"])) == sizes["size"]


def test_inspect_shows_every_zip(inspect: Ran) -> None:
    code, out, err = inspect("a.zip", "b.zip", "--sizes")
    assert (code, err) == (0, "")
    assert out.count("components") >= 2
    assert "b.zip" in out
    assert "arm64" in out


def test_json_is_one_document_for_all_zips(inspect: Ran) -> None:
    layers = json_of(inspect("a.zip", "b.zip", "--json", "--modules"))["layers"]
    assert [each["file"] for each in layers] == ["a.zip", "b.zip"]
    assert [each["architecture"] for each in layers] == ["amd64", "arm64"]


def test_a_bill_of_materials_is_written(inspect: Ran) -> None:
    code, out, err = inspect("a.zip", "--sbom", "a.cdx.json")
    assert (code, out) == (0, "")
    assert err == "a.cdx.json: 6 modules, the licences of 0\n"
    assert json.loads(Path("a.cdx.json").read_bytes())["bomFormat"] == "CycloneDX"


def test_a_bill_of_materials_on_standard_output_is_alone_there(inspect: Ran) -> None:
    document = json_of(inspect("a.zip", "--sbom", "-"))
    assert document["metadata"]["component"]["name"] == "a"


def test_a_bill_of_materials_has_the_licences_of_the_module_cache(inspect: Ran) -> None:
    folder = paths.module_cache() / "gopkg.in/yaml.v3@v3.0.1"
    folder.mkdir(parents=True)
    (folder / "LICENSE").write_text((Path(__file__).parents[2] / "LICENSE").read_text())
    document = json_of(inspect("a.zip", "--sbom", "-"))
    licensed = [each["name"] for each in document["components"] if "licenses" in each]
    assert licensed == ["gopkg.in/yaml.v3"]


def test_a_bill_of_materials_goes_into_the_one_document(inspect: Ran) -> None:
    layer = json_of(inspect("a.zip", "--json", "--sbom", "-"))["layers"][0]
    assert layer["sbom"]["specVersion"] == "1.6"


def test_a_bill_of_materials_and_tables_go_together(inspect: Ran) -> None:
    code, out, _ = inspect("a.zip", "--sizes", "--sbom", "a.cdx.json")
    assert code == 0
    assert "sizes" in out
    assert Path("a.cdx.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.zip",), "none.zip cannot be read: No such file"),
        ((".",), ". cannot be read: Is a directory"),
        (("a.zip", "b.zip", "--sbom", "-"), "--sbom takes one zip at a time"),
        (("a.zip", "--sizes", "--sbom", "-"), "--sbom - cannot be combined with tables"),
        (("a.zip", "--top", "-1"), "--top"),
        ((), "Missing argument"),
    ],
)
def test_wrong_arguments_are_a_usage_error(
    inspect: Ran, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = inspect(*arguments)
    assert code == 2
    assert message in err


def test_a_broken_zip_is_reported_without_a_traceback(inspect: Ran) -> None:
    Path("c.zip").write_bytes(b"nothing")
    code, _, err = inspect("c.zip")
    assert code == 2
    assert err.startswith("error: c.zip is not a zip that can be read")
    assert "next: give a zip that `ocelot build` made" in err


def test_the_module_cache_is_where_builds_put_modules() -> None:
    assert paths.module_cache() == paths.cache_folder() / "go" / recipe.MODULES_CACHE
