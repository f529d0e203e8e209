from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_examples import SHIPPED, loaded, problems_of, write_config

from pipeline.aws.iam import REGIONS as IAM_REGIONS
from pipeline.aws.regions import RegionChoice, chosen_regions
from pipeline.aws.session import lambda_regions
from pipeline.config.folder import load_config
from pipeline.config.regions import ALL_REGIONS, REGION, Regions
from pipeline.errors import UsageError
from pipeline.naming import PARTITIONS, layer_arn, role_arn
from pipeline.options import PublishOptions

KNOWN = {
    "aws": ("eu-central-1", "eu-west-1", "me-south-1", "us-east-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
    "aws-eusc": ("eusc-de-east-1",),
}
TODAY = date(2027, 1, 31)
REGIONS = Regions.model_validate(
    {
        "sets": {
            "default": ["eu-west-1", "eu-central-1"],
            "europe": ["eu-central-1", "eu-west-1"],
            "china": ["cn-north-1"],
            "typo": ["eu-west-1", "eu-wset-1"],
        }
    }
)


def quarantined(region: str = "me-south-1", until: date = TODAY) -> Regions:
    entry = {"region": region, "until": until, "reason": "power\n failure"}
    return Regions.model_validate({"sets": REGIONS.sets, "quarantine": [entry]})


def chosen(requested: str, regions: Regions | None = REGIONS, today: date = TODAY) -> RegionChoice:
    return chosen_regions(regions, requested, known=KNOWN, today=today)


def refused(requested: str, regions: Regions | None = REGIONS) -> str:
    with pytest.raises(UsageError) as caught:
        chosen(requested, regions)
    return caught.value.text()


@pytest.mark.parametrize(
    ("requested", "regions"),
    [
        ("default", ("eu-west-1", "eu-central-1")),
        ("europe", ("eu-central-1", "eu-west-1")),
        ("us-east-1", ("us-east-1",)),
        ("us-east-1,eu-west-1", ("us-east-1", "eu-west-1")),
        (" us-east-1 , eu-west-1,", ("us-east-1", "eu-west-1")),
        ("eu-west-1,europe,eu-west-1", ("eu-west-1", "eu-central-1")),
        ("us-east-1,default", ("us-east-1", "eu-west-1", "eu-central-1")),
        ("us-east-1,all", ("us-east-1", "eu-central-1", "eu-west-1", "me-south-1")),
    ],
)
def test_regions_are_in_the_order_of_their_names(requested: str, regions: tuple[str, ...]) -> None:
    assert chosen(requested) == RegionChoice(partition="aws", regions=regions)


@pytest.mark.parametrize(("word", "partition"), ALL_REGIONS.items())
def test_all_is_every_region_of_a_partition(word: str, partition: str) -> None:
    assert chosen(word) == RegionChoice(partition=partition, regions=KNOWN[partition])


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_partition_has_a_region_for_lambda_and_one_for_iam(partition: str) -> None:
    regions = lambda_regions(partition)
    assert IAM_REGIONS[partition] in regions
    for region in regions:
        assert re.match(REGION, region)
        arn = f"arn:{partition}:lambda:{region}:123456789012:layer:ocel:1"
        assert str(layer_arn(arn)) == arn
    role = f"arn:{partition}:iam::123456789012:role/ocelot"
    assert role_arn(role).partition == partition


def test_without_a_file_regions_can_be_named() -> None:
    assert chosen("us-east-1", None).regions == ("us-east-1",)
    assert chosen("all-cn", None).regions == KNOWN["aws-cn"]


def test_without_a_file_there_is_no_default_set() -> None:
    assert "there is no regions.yaml in the config folder" in refused("default", None)


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (
            "eu-wst-1",
            "'eu-wst-1' is neither a region with AWS Lambda nor a set of regions; perhaps you",
        ),
        ("EU-WEST-1", "perhaps you meant eu-west-1?"),
        ("europa", "perhaps you meant europe?"),
        ("eu-west-1,defualt", "perhaps you meant default?"),
        ("typo", "regions.yaml: typo: eu-wset-1 is no region with AWS Lambda; perhaps you meant"),
        ("", "no region is named"),
        ("eu-west-1 us-east-1", "commas: …,us-east-1"),
        ("eu-west-1; us-east-1", "commas: …,us-east-1"),
        ("default,eu-west-1\nus-east-1", "commas: …,us-east-1"),
        (" , ", "no region is named"),
        ("x\x1b[31m", r"'x\x1b[31m' is neither a region"),
    ],
)
def test_an_unknown_name_is_an_error(requested: str, message: str) -> None:
    assert message in refused(requested)


@pytest.mark.parametrize("requested", ["eu-west-1,cn-north-1", "china,default", "all,all-us-gov"])
def test_regions_of_two_partitions_are_refused(requested: str) -> None:
    message = refused(requested)
    assert "these regions are of 2 partitions" in message
    assert "run the command once for each" in message


def test_the_message_names_a_region_of_each_partition() -> None:
    assert "eu-west-1 (aws) and cn-north-1 (aws-cn)" in refused("eu-west-1,us-east-1,china")


def test_a_partition_without_known_regions_is_refused() -> None:
    with pytest.raises(UsageError):
        chosen_regions(REGIONS, "all-cn", known={"aws": ("eu-west-1",)}, today=TODAY)


SKIPPED = (("me-south-1", "in quarantine until 2027-01-31: power failure"),)


@pytest.mark.parametrize("today", [date(2026, 12, 1), date(2027, 1, 30), date(2027, 1, 31)])
def test_a_region_in_quarantine_is_left_out_up_to_its_last_day(today: date) -> None:
    choice = chosen("all", quarantined(), today)
    assert choice.regions == ("eu-central-1", "eu-west-1", "us-east-1")
    assert choice.skipped == SKIPPED


def test_from_the_day_after_it_is_used_again() -> None:
    choice = chosen("all", quarantined(), date(2027, 2, 1))
    assert choice == RegionChoice(partition="aws", regions=KNOWN["aws"])


def test_a_region_that_is_named_by_itself_is_left_out_too() -> None:
    choice = chosen("me-south-1", quarantined())
    assert choice == RegionChoice(partition="aws", regions=(), skipped=SKIPPED)


def test_only_requested_regions_are_shown_as_skipped() -> None:
    assert chosen("default", quarantined()).skipped == ()


def test_a_quarantine_of_an_unknown_region_is_an_error() -> None:
    assert "me-suoth-1 is no region with AWS Lambda; perhaps you meant me-south-1?" in refused(
        "default", quarantined("me-suoth-1")
    )


def test_a_quarantine_that_is_over_has_no_effect() -> None:
    assert chosen("default", quarantined("me-suoth-1", date(2020, 1, 1))).regions


@given(st.lists(st.sampled_from([*KNOWN["aws"], "default", "europe", "all"]), min_size=1))
def test_no_region_comes_twice(words: list[str]) -> None:
    choice = chosen(",".join(words), quarantined())
    left_out = tuple(region for region, _ in choice.skipped)
    assert len({*choice.regions, *left_out}) == len(choice.regions) + len(left_out)
    assert {*choice.regions, *left_out} <= set(KNOWN["aws"])


def folder(root: Path, text: str) -> Path:
    write_config(root)
    (root / "regions.yaml").write_text(text, encoding="utf-8")
    return root


def test_a_folder_without_regions_has_none(tmp_path: Path) -> None:
    assert loaded(tmp_path).regions is None


def test_a_file_has_sets_and_quarantine(tmp_path: Path) -> None:
    text = "sets: {default: [eu-west-1]}\nquarantine:\n- {region: a-b-1, until: 2027-01-31, "
    regions = load_config(folder(tmp_path, f"{text.replace('a-b-1', 'me-south-1')}reason: x}}\n"))
    assert regions.regions == Regions.model_validate(
        {
            "sets": {"default": ["eu-west-1"]},
            "quarantine": [{"region": "me-south-1", "until": TODAY, "reason": "x"}],
        }
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sets:\n  default:\n  - eu-west-1\n  - euwest\n",
            "regions.yaml:4: sets.default.1: 'euwest' is no region such as eu-west-1",
        ),
        ("set: {}\n", "regions.yaml:1: set: unknown key; perhaps you meant sets?"),
        (
            "sets:\n  a: [eu-west-1]\n  all: [eu-west-1]\n",
            "regions.yaml:3: sets.all: 'all' cannot be the name of a set of regions",
        ),
        (
            "sets:\n  eu-west-1: [eu-west-1]\n",
            "regions.yaml:2: sets.eu-west-1: 'eu-west-1' cannot be the name of a set of regions",
        ),
        (
            "quarantine:\n- region: me-south-1\n  until: soon\n  reason: x\n",
            "regions.yaml:3: quarantine.0.until: must be a date such as 2027-01-31",
        ),
        (
            "quarantine:\n- region: me-south-1\n  until: 2027-01-31 10:00:00\n  reason: x\n",
            "regions.yaml:3: quarantine.0.until: must be a date such as 2027-01-31",
        ),
        (
            "quarantine:\n- region: me-south-1\n  until: '2027-02-30'\n  reason: x\n",
            "regions.yaml:3: quarantine.0.until: must be a date such as 2027-01-31",
        ),
        (
            "quarantine:\n- region: me-south-1\n  until: 2027-01-31\n",
            "regions.yaml:2: quarantine.0.reason: is required",
        ),
    ],
)
def test_a_problem_of_the_file_has_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert problems_of(folder(tmp_path, text)) == [message]


@pytest.mark.parametrize("text", ["[]\n", "sets: {a: []}\n", "sets: {a: eu-west-1}\n", "{\n"])
def test_a_file_of_another_shape_has_problems(tmp_path: Path, text: str) -> None:
    assert all(each.startswith("regions.yaml:") for each in problems_of(folder(tmp_path, text)))


def test_all_problems_of_the_file_are_found_at_once(tmp_path: Path) -> None:
    text = "sets:\n  all: [x]\n  b: [y]\nquarantine:\n- region: z\n  until: 1\n"
    assert len(problems_of(folder(tmp_path, text))) == 6


def test_the_shipped_sets_are_of_regions_that_have_lambda() -> None:
    regions = load_config(SHIPPED).regions
    assert regions
    known = {partition: lambda_regions(partition) for partition in ALL_REGIONS.values()}
    default = PublishOptions().regions or ""
    for name in (default, *regions.sets):
        choice = chosen_regions(regions, name, known=known, today=TODAY)
        assert (choice.regions, choice.skipped) == (regions.sets[name], ())
    assert len(regions.sets[default]) == 13
