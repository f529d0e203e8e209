from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import BATCH, OTLP

from pipeline.errors import UsageError
from pipeline.naming import (
    ALL_TAG,
    CUSTOM_TAG,
    KINDS,
    PARTITIONS,
    Architecture,
    LayerNameParts,
    architecture_and_distribution,
    component_kind,
    component_name,
    is_selected,
    layer_arn,
    layer_name,
    layer_name_parts,
    version_in_name,
    zip_name,
    zip_parts,
)

ARCHITECTURES = st.sampled_from(Architecture)
WORDS = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True) | st.sampled_from(["amd64", "arm64"])
DISTRIBUTIONS = st.lists(WORDS, min_size=1, max_size=4).map("-".join)
# a layer's base and release group come from the user, its version from the collector's
BASES = st.lists(WORDS, min_size=1, max_size=3).map("-".join)
GROUPS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3}(_rc_[0-9])?", fullmatch=True)


@given(ARCHITECTURES, DISTRIBUTIONS)
def test_a_zips_name_is_parsed(architecture: Architecture, distribution: str) -> None:
    assert zip_name(architecture, distribution) == f"collector-{architecture}-{distribution}.zip"
    assert zip_parts(zip_name(architecture, distribution)) == (architecture, distribution)


@pytest.mark.parametrize(
    "name",
    [
        *("collector-minimal.zip", "collector-riscv64-minimal.zip", "collector-amd64-.zip", "x"),
        *(
            "collector-amd64-minimal.zip\n",
            "dist/collector-amd64-minimal.zip",
            "collector-amd64-A.zip",
        ),
        *("collector-amd64-minimal.zip.json", "my-collector-amd64-minimal.zip", ""),
    ],
)
def test_another_name_has_no_parts(name: str) -> None:
    assert zip_parts(name) is None


@given(
    st.sampled_from(PARTITIONS),
    st.sampled_from(["eu-west-1", "us-gov-east-1", "cn-north-1", "ap-southeast-5"]),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{1,140}", fullmatch=True),
    st.integers(1, 999_999_999),
)
def test_an_arn_taken_apart_and_put_together_is_the_same(
    partition: str, region: str, account: str, name: str, version: int
) -> None:
    text = f"arn:{partition}:lambda:{region}:{account}:layer:{name}:{version}"
    arn = layer_arn(text)
    assert str(arn) == text
    assert arn.layer == text.rpartition(":")[0]
    assert (arn.region, arn.name, arn.version) == (region, name, version)


GOOD = "arn:aws:lambda:eu-west-1:123456789012:layer:name:1"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.rpartition(":")[0],
        f"{GOOD}\n",
        f" {GOOD}",
        f"{GOOD}:1",
        GOOD.replace("123456789012", "12345678901"),
        GOOD.replace("123456789012", "١٢٣٤٥٦٧٨٩٠١٢"),
        GOOD.replace("layer:", "function:"),
        GOOD.replace("lambda", "s3"),
        GOOD.replace("eu-west-1", "evil.example.com/"),
        GOOD.replace("name", "n/../ame"),
        GOOD.replace(":1", ":$LATEST"),
        "arn:",
        "",
    ],
)
def test_a_text_that_is_no_arn_of_a_layer_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        layer_arn(text)
    assert "arn:aws:lambda:" in caught.value.hint


def test_a_refused_arn_is_shown_shortened_and_printable() -> None:
    with pytest.raises(UsageError) as caught:
        layer_arn("arn:\x1b[2J" + "x" * 10_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(BASES, ARCHITECTURES, DISTRIBUTIONS, VERSIONS, GROUPS)
def test_a_layers_name_is_parsed(
    base: str, architecture: Architecture, distribution: str, version: str, group: str
) -> None:
    name = f"{base}-{architecture}-{distribution}-{version}-{group}"
    others = [distribution[1:], distribution.rpartition("-")[2], "another"]
    assert architecture_and_distribution(name, [*others, distribution]) == (
        architecture,
        distribution,
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("amd64-minimal-0_155_0", (Architecture.AMD64, "minimal")),
        ("opentelemetry-collector-arm64-minimal-0_155_0-prod", (Architecture.ARM64, "minimal")),
        ("base-amd64-minimal-s3-1_2_3-beta-2", (Architecture.AMD64, "minimal-s3")),
        ("base-amd64-unheard-of-0_155_0-prod", None),
        ("base-riscv64-minimal-0_155_0-prod", None),
        ("base-amd64-minimal", None),
        ("minimal", None),
        ("", None),
    ],
)
def test_layers_names(name: str, parts: tuple[Architecture, str] | None) -> None:
    assert architecture_and_distribution(name, ["minimal", "minimal-s3"]) == parts


@given(st.text(max_size=60), st.lists(st.text(max_size=6)))
def test_a_name_never_has_an_unknown_distribution(name: str, known: list[str]) -> None:
    found = architecture_and_distribution(f"b-amd64-{name}-1_2_3", known)
    assert found is None or found[1] in known


@given(BASES, ARCHITECTURES, DISTRIBUTIONS, VERSIONS, GROUPS)
def test_a_layers_name_is_taken_apart_as_it_was_made(
    base: str, architecture: Architecture, distribution: str, version: str, group: str
) -> None:
    name = layer_name(base, architecture, distribution, f"v{version}", group)
    others = {distribution[1:], f"{distribution}-x", "another"} - {""}
    found = layer_name_parts(name, base, others | {distribution})
    assert found == LayerNameParts(
        architecture=architecture, distribution=distribution, version=version, release_group=group
    )
    assert layer_name_parts(name, base, others - {distribution}) is None


@pytest.mark.parametrize(
    "name",
    [
        "acme-amd64-minimal-0_158_0-beta",
        "ocel-acme-amd64-minimal-0_158_0-beta",
        "ocel-riscv64-minimal-0_158_0-beta",
        "ocel-amd64-minimal-0_158-beta",
        "ocel-amd64-minimal-0_158_0",
        "ocel-amd64-minimal-0_158_0-",
        "ocel-amd64-minimal-0_158_0-beta\n",
        "xocel-amd64-minimal-0_158_0-beta",
        "ocel",
        "",
    ],
)
def test_a_layers_name_of_another_form_has_no_parts(name: str) -> None:
    assert layer_name_parts(name, "ocel", ["minimal"]) is None


@pytest.mark.parametrize(
    ("version", "shown"),
    [("v0.158.0", "v0.158.0"), ("v1.2.3-rc.1", ""), ("v1.2.3+meta", ""), ("v1.2.3_4", "")],
)
def test_a_version_is_known_where_the_name_fits_no_other(version: str, shown: str) -> None:
    name = f"ocel-amd64-minimal-{version_in_name(version)}-beta"
    found = layer_name_parts(name, "ocel", ["minimal"])
    assert found is not None
    assert found.collector_version == shown


@pytest.mark.parametrize("kind", KINDS)
def test_a_tag_has_kind_and_name(kind: str) -> None:
    tag = f"lambdacomponents.{kind}.otlp"
    assert (component_kind(tag), component_name(tag)) == (kind, "otlp")


@pytest.mark.parametrize(
    "tag", [ALL_TAG, CUSTOM_TAG, "lambdacomponents.exporters.x", "exporter", "", f"x.{OTLP}"]
)
def test_a_tag_without_a_kind_has_none(tag: str) -> None:
    assert component_kind(tag) == ""


@pytest.mark.parametrize(
    "tags", [{OTLP}, {ALL_TAG}, {"lambdacomponents.exporter.all"}, {OTLP, BATCH}]
)
def test_a_component_is_chosen_by_its_tag_its_kind_or_all(tags: set[str]) -> None:
    assert is_selected(OTLP, frozenset(tags))


@pytest.mark.parametrize(
    "tags",
    [set[str](), {BATCH}, {CUSTOM_TAG}, {"lambdacomponents.processor.all"}, {f"{OTLP}http"}],
)
def test_a_component_is_not_chosen_by_the_tags_of_others(tags: set[str]) -> None:
    assert not is_selected(OTLP, frozenset(tags))
