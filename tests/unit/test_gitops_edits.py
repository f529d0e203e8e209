"""One value of a YAML file is replaced, and every other byte stays."""

from __future__ import annotations

import pytest
import yaml
from gitops_examples import binding
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GitOpsError
from pipeline.gitops.edits import with_scalar
from pipeline.gitops.repository import documents

RELEASE = ("spec", "releaseName")
OLD, NEW = "catalog-11111111", "catalog-22222222"
COMMENTED = """\
# bound by hand
apiVersion: openchoreo.dev/v1alpha1   # the group
kind: ReleaseBinding
metadata: {name: catalog-development, labels: {team: shop}}
spec:
    environment: development

    releaseName: %s   # catalog-11111111 was the first
    componentTypeEnvironmentConfigs:
        replicas: 3   # for the load test
"""


def edited(text: str, keys: tuple[str | int, ...] = RELEASE, document: int = 0) -> str:
    return with_scalar(text.encode(), document, keys, NEW, file="dev.yaml").decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, NEW),
        (f"'{OLD}'", f"'{NEW}'"),
        (f'"{OLD}"', f'"{NEW}"'),
        ("catalog-\n        11111111", NEW),
    ],
)
def test_comments_order_and_quotes_stay(old: str, new: str) -> None:
    assert edited(COMMENTED % old) == COMMENTED % new


# A file with % in the value's place, its old text, and the new one.
WRITTEN = [
    ("spec: {a: [x, y], releaseName: %, b: 1}\n", "old", NEW),
    ("spec: {releaseName: %}", "old", NEW),
    ("spec: {releaseName: %}\n", "", NEW),
    ('{"spec": {"releaseName":%}}', '"old"', f'"{NEW}"'),
    ("spec:\n  releaseName:%\n  b: 1\n", "", f" {NEW}"),
    ("spec:\n  releaseName: % # none\n", "~", NEW),
    ("spec:\n  releaseName: %\n\n  # next\n  b: 1\n", ">-\n    old", NEW),
    ("spec:\n  releaseName: %", "|-\n    old", NEW),
    ("spec:\r\n  releaseName: %\r\n  b: 1 # é\r\n", "old", NEW),
    ("\ufeffé: 😀\nspec: {releaseName: %}\n", "old", NEW),
    ("a: &x {b: 1}\nspec: {releaseName: %}\nc: *x\n", "old", NEW),
    ("a: &x {b: 1}\nspec:\n  <<: *x\n  releaseName: %\n", "old", NEW),
]


@pytest.mark.parametrize(("text", "old", "new"), WRITTEN)
def test_any_way_to_write_it(text: str, old: str, new: str) -> None:
    assert edited(text.replace("%", old)) == text.replace("%", new)


def test_documents_are_counted_as_resources_are() -> None:
    text = "---\n# nothing\n---\na: 1\n---\n~\n---\nspec: {releaseName: old}\n...\n---\nb: 2\n"
    assert [data for _line, data in documents(text)][1] == {"spec": {"releaseName": "old"}}
    assert edited(text, document=1) == text.replace("old", NEW)


def test_an_item_of_a_list_has_an_index() -> None:
    text = "a:\n  - {b: x}\n  - {b: y}\n  - {b: x}\n"
    assert edited(text, ("a", 2, "b")) == f"a:\n  - {{b: x}}\n  - {{b: y}}\n  - {{b: {NEW}}}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x old\nspec:\n  releaseName: *x\n", 3),
        ("spec:\n  releaseName: &x old\nb: *x\n", 2),
        ("spec: &x\n  releaseName: old\nb: *x\n", 1),
        ("a: &x {releaseName: old}\nspec: *x\n", 2),
        ("a: &x {releaseName: old}\nspec:\n  <<: *x\n", 3),
        ("spec:\n  releaseName: !!str old\n", 2),
        ("spec:\n  releaseName: {a: b}\n", 2),
        ("spec:\n  releaseName: > # why\n    old\n", 2),
        ("spec:\n  other: old\n", 2),
        ("spec: []\n", 1),
    ],
)
def test_a_value_that_others_share_or_that_is_not_there_is_refused(text: str, line: int) -> None:
    with pytest.raises(GitOpsError, match=rf"^dev\.yaml:{line}: spec\.releaseName "):
        edited(text)


def test_a_document_that_is_not_there_is_refused() -> None:
    with pytest.raises(GitOpsError):
        edited("spec: {releaseName: old}\n", document=1)


@pytest.mark.parametrize("value", ["yes", "123", "0x1f", "1e3", "null", "a: b", "it's", "a #b", ""])
def test_a_text_that_yaml_reads_otherwise_gets_quotes(value: str) -> None:
    changed = with_scalar(b"spec: {releaseName: old}\n", 0, RELEASE, value, file="a.yaml")
    assert changed.startswith((b"spec: {releaseName: '", b'spec: {releaseName: "'))
    assert yaml.safe_load(changed) == {"spec": {"releaseName": value}}


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none()
KEYS = st.sampled_from(["a", "b", "image", "#", "é", "x y", "1"])
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def others(prefix: str) -> st.SearchStrategy[str]:
    """Return texts with other keys of the file, in block or flow style, and a comment."""

    def text(data: dict[str, object], *, flow: bool) -> str:
        named = {f"{prefix}{key}": value for key, value in data.items()}
        return yaml.dump(named, default_flow_style=flow, allow_unicode=True) + "# end\n"

    data = st.dictionaries(KEYS, DATA, min_size=1, max_size=3)
    return st.builds(text, data, flow=st.booleans())


RELEASES = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
OLDS = RELEASES | st.sampled_from(
    ["'it''s'", '"a\\tb"', "'#'", "1", "2026-01-02", "a b", "'a\n\n    b'", "~", "yes", "''"]
)


@given(before=others("x"), old=OLDS, after=others("z"), new=RELEASES | TEXTS, crlf=st.booleans())
def test_only_the_value_changes(before: str, old: str, after: str, new: str, *, crlf: bool) -> None:
    if before.startswith("{") or after.startswith("{"):  # one flow mapping is a whole document
        before, after = f"{before}---\n", f"---\n{after}"
    head, tail = f"{before}spec:\n  releaseName: ", f" # {old}\n".splitlines()[0] + f"\n{after}"
    if crlf:
        head, old, tail = (each.replace("\n", "\r\n") for each in (head, old, tail))
    document = 1 if before.endswith("---\n") else 0
    content = f"{head}{old}{tail}".encode()
    changed = with_scalar(content, document, RELEASE, new, file="a.yaml").decode()
    assert changed.startswith(head)
    assert changed.endswith(tail)
    assert yaml.safe_load(f"a: {changed[len(head) : len(changed) - len(tail)]}") == {"a": new}


def test_a_dumped_binding_is_edited() -> None:
    before = binding("catalog", "staging", OLD)
    changed = with_scalar(before, 0, RELEASE, NEW, file="a.yaml")
    assert changed == before.replace(OLD.encode(), NEW.encode())
