"""The options of `ocelot reap` as a request, and what is wrong with them."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reap_examples import NOW

from pipeline.config.folder import load_config
from pipeline.errors import UsageError
from pipeline.reap.request import (
    FORCEABLE,
    ReapRequest,
    Reason,
    age_limit,
    check_pattern,
    forced_reasons,
    reap_request,
)
from pipeline.reap_options import ReapOptions

CONFIG = load_config(Path(__file__).parents[2] / "config")


def request_of(pattern: str = "ocel-*", **options: Any) -> ReapRequest:  # noqa: ANN401
    given: dict[str, Any] = {"regions": "eu-west-1", **options}
    return reap_request(pattern, ReapOptions(**given), CONFIG, NOW)


def test_the_options_become_a_request() -> None:
    made = request_of(
        "ocel-*-beta",
        account="123456789012",
        distribution=["minimal", "full"],
        older_than="12w",
        force=["used", "used", "parameter"],
        ssm_prefix="/ocel",
        keep=5,
    )
    assert (made.pattern, made.base, made.keep) == ("ocel-*-beta", "ocel", 5)
    assert made.distributions == {"minimal", "full"}
    assert made.older_than == timedelta(days=84)
    assert made.forced == {Reason.USED, Reason.PARAMETER}
    assert made.choice.regions == ("eu-west-1",)
    defaults = request_of()
    assert (defaults.keep, defaults.older_than, defaults.forced) == (3, None, frozenset())


@pytest.mark.parametrize(
    "pattern",
    ["*", "ocel-*", "o*", "?cel-*", "[o]cel-*", "ocel*", "*-beta", "ocel-amd64-x-0_1_0-beta"],
)
def test_a_pattern_that_can_match_a_layer_is_accepted(pattern: str) -> None:
    check_pattern(pattern, "ocel")


@pytest.mark.parametrize(
    "pattern",
    ["", " ", "minimal*", "ocelot-*", "ocel", "oce", "ocel-*:3", "arn:aws:lambda:*", "Ocel-*", "x"],
)
def test_a_pattern_that_matches_no_layer_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_pattern(pattern, "ocel")
    assert "'ocel-*" in caught.value.hint


@given(st.text("ocel-x*?", max_size=8), st.text("abx_-09", min_size=1, max_size=4))
def test_no_refused_pattern_matches_a_layer(pattern: str, rest: str) -> None:
    try:
        check_pattern(pattern, "ocel")
    except UsageError:
        assert not fnmatchcase(f"ocel-{rest}", pattern)


@pytest.mark.parametrize(
    ("text", "limit"),
    [("36h", timedelta(hours=36)), ("90d", timedelta(days=90)), ("0d", timedelta())],
)
def test_an_age_has_a_unit(text: str, limit: timedelta) -> None:
    assert age_limit(text) == limit


@pytest.mark.parametrize("text", ["90", "d", "-1d", "1.5d", "90 d", "3m", "1y", "999999d", "90D"])
def test_another_text_is_no_age(text: str) -> None:
    with pytest.raises(UsageError):
        age_limit(text)


def test_every_forceable_reason_is_accepted() -> None:
    assert forced_reasons(FORCEABLE) == frozenset(FORCEABLE)


@pytest.mark.parametrize(
    ("name", "helps"),
    [
        ("use", "perhaps you meant used?"),
        ("Newest", "perhaps you meant newest?"),
        ("everything", "reasons: newest, used"),
        ("keep", "--keep"),
        ("older-than", "--older-than"),
        ("unreadable", "layers sync"),
    ],
)
def test_an_unknown_reason_is_refused_with_help(name: str, helps: str) -> None:
    with pytest.raises(UsageError) as caught:
        forced_reasons(["used", name])
    assert helps in caught.value.text()
