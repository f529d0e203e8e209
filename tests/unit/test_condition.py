from __future__ import annotations

import re

import pytest
from registry_examples import old_item, row

from pipeline.publish.aws.registry import ABSENT, Condition, unchanged
from pipeline.publish.row import Item


@pytest.mark.parametrize("item", [row().item(), old_item(row()), {}], ids=["ours", "old", "empty"])
def test_every_placeholder_stands_for_something_and_is_used(item: Item) -> None:
    condition = unchanged(item)
    used = set(re.findall(r"[#:]\w+", condition.text))
    assert used == {*condition.names, *condition.values}


def test_what_was_there_is_compared_and_what_was_not_must_not_be() -> None:
    condition = unchanged(row().item())
    assert "#was_public = :was_public" in condition.text
    assert condition.values[":was_public"] == {"BOOL": True}
    assert "attribute_not_exists(#was_base_layer_arn)" in condition.text
    assert condition.text.startswith("attribute_exists(#key) AND ")


def test_absence_is_told_by_the_key() -> None:
    assert (
        Condition(text="attribute_not_exists(#key)", names={"#key": "layer_arn"}, values={})
        == ABSENT
    )
