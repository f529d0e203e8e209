"""Texts and JSON of a promotion."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from markdown_it import MarkdownIt

from pipeline.gitops.promote import promotion_texts
from pipeline.gitops.promotion import LeftOut, Promotion, PromotionPlan
from pipeline.report.promotion import promotion_json

PLAN = PromotionPlan(
    pipeline="standard",
    environment="staging",
    previous="development",
    promotions=(
        Promotion(project="shop", component="catalog", before="a|b `c`", after="catalog-2"),
        Promotion(project="shop", component="orders", before="", after="orders-1"),
    ),
    unchanged=(Promotion(project="shop", component="tax", before="tax-1", after="tax-1"),),
    missing=(LeftOut(project="shop", component="storefront", reason="<b>none</b>"),),
    other_projects=(LeftOut(project="garden", reason="it uses pipeline short"),),
)


def cells(markdown: str) -> list[str]:
    """The texts of the cells of a table on GitHub."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    inside = [token for before, token in pairwise(tokens) if before.type in ("th_open", "td_open")]
    return ["".join(child.content for child in each.children or ()) for each in inside]


def test_the_table_has_a_row_for_each_component_whatever_its_release_is_called() -> None:
    assert cells(promotion_texts(PLAN, "shop", "demo").summary) == [
        *("Component", "Old release", "New release"),
        *("shop/catalog", "a|b `c`", "catalog-2"),
        *("shop/orders", "none", "orders-1"),
    ]


def test_what_is_left_out_is_a_list_without_markup() -> None:
    html = (
        MarkdownIt("commonmark").enable("table").render(promotion_texts(PLAN, "", "demo").summary)
    )
    assert "<li><code>shop/storefront: &lt;b&gt;none&lt;/b&gt;</code></li>" in html
    assert "<li><code>project garden: it uses pipeline short</code></li>" in html


def test_the_titles_are_those_of_openchoreos_workflow() -> None:
    one, every = (promotion_texts(PLAN, name, "demo") for name in ("shop", ""))
    assert (one.subject, one.title) == (
        "Bulk release for project shop",
        "Bulk Release: project shop",
    )
    assert (every.subject, every.title) == (
        "Bulk release for all projects",
        "Bulk Release: all projects",
    )


def test_without_promotions_there_is_no_table() -> None:
    assert cells(promotion_texts(replace(PLAN, promotions=()), "shop", "demo").summary) == []


def test_the_json_has_old_and_new_releases_and_reasons() -> None:
    found = promotion_json(PLAN, "demo")
    assert found["promotions"][1] == {
        "project": "shop",
        "component": "orders",
        "before": None,
        "after": "orders-1",
    }
    assert [(each["project"], each["component"]) for each in found["left_out"]] == [
        ("shop", "storefront"),
        ("garden", None),
    ]
    assert (found["promoted_from"], len(found["unchanged"])) == ("development", 1)
    assert promotion_json(replace(PLAN, previous=""), "demo")["promoted_from"] is None
