"""The request to publish that the user's options make."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from unit_examples import CHECKOUT

from pipeline.config.folder import load_config
from pipeline.errors import UsageError
from pipeline.options import PublishOptions
from pipeline.publish.request import chosen_grantees, chosen_release_group, publish_request


@pytest.mark.parametrize(
    ("environment", "group"),
    [
        ({}, "local"),
        ({"CI": ""}, "local"),
        ({"CI": "0"}, "local"),
        ({"CI": "False "}, "local"),
        ({"GITHUB_ACTIONS": "true"}, "local"),
        ({"CI": "true"}, "beta"),
        ({"CI": "1"}, "beta"),
        ({"CI": "woodpecker"}, "beta"),
    ],
)
def test_only_ci_publishes_to_its_release_group_by_default(
    environment: Mapping[str, str], group: str
) -> None:
    chosen, (note,) = chosen_release_group(None, environment)
    assert chosen == group
    assert f"`{group}`" in note
    assert chosen_release_group("prod", environment) == ("prod", ())


def test_a_request_has_the_release_group_and_says_so_unless_it_was_named() -> None:
    config = load_config(CHECKOUT / "config")
    default = publish_request(PublishOptions(), (), config, {})
    assert (default.release_group, len(default.warnings)) == ("local", 1)
    named = publish_request(PublishOptions(release_group="prod"), (), config, {"CI": "true"})
    assert (named.release_group, named.warnings) == ("prod", ())


ORG, ACCOUNT = "org:o-a1b2c3d4e5", "account:210987654321"


@pytest.mark.parametrize(
    ("named", "chosen"),
    [
        (None, None),
        (["none"], ()),
        (["none", "none"], ()),
        ([ORG], (ORG,)),
        ([ORG, ACCOUNT, ORG], (ACCOUNT, ORG)),
        ([f"{ORG}, {ACCOUNT}"], (ACCOUNT, ORG)),
    ],
)
def test_grantees_are_sorted_and_each_is_named_once(
    named: list[str] | None, chosen: tuple[str, ...] | None
) -> None:
    assert chosen_grantees(named) == chosen
    request = publish_request(PublishOptions(share=named), (), load_config(CHECKOUT / "config"), {})
    assert request.share == chosen


@pytest.mark.parametrize(
    "named",
    [["none", ORG], [ORG, "none"], [ORG, "o-a1b2c3d4e5"], ["None"], [f"none,{ORG}"], [f"{ORG},"]],
)
def test_what_is_no_grantee_and_none_beside_others_are_refused(named: list[str]) -> None:
    with pytest.raises(UsageError, match=r"--share none|neither an organisation") as caught:
        chosen_grantees(named)
    assert "--share" in caught.value.hint
