from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.located_yaml import parse_document
from pipeline.trust.template import SHORT_FORMS, read_template, render


def value(node: str, **given: str) -> Any:  # noqa: ANN401
    """What a node of a template becomes."""
    text = dedent(
        """\
        Parameters:
          Name: {Type: String, Default: ocel, AllowedPattern: "[a-z*]+"}
          Kind: {Type: String, Default: a, AllowedValues: [a, b]}
        Conditions:
          IsA: !Equals [!Ref Kind, a]
          IsOcel: !And [!Condition IsA, !Not [!Equals [!Ref Name, other]]]
        Resources:
          Role: {Type: AWS::IAM::Role}
          Gone: {Type: AWS::IAM::Role, Condition: IsB}
          One:
            Type: Custom::One
            Properties:
              Value: NODE
        """
    ).replace("IsB", "IsA" if given.pop("gone", "") == "no" else "IsNotA")
    text = text.replace("Resources:", "  IsNotA: !Not [!Condition IsA]\nResources:")
    document = parse_document(text.replace("NODE", node).encode(), "t.yaml", SHORT_FORMS)
    assert document.problems == ()
    return render(document, given).properties("One").get("Value")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("!Ref Name", "ocel"),
        ("{Ref: Name}", "ocel"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Sub 'x-${Name}-${AWS::Partition}-${!Name}'", "x-ocel-aws-${Name}"),
        ("!Sub ['${A}-${Name}', {A: !Ref Kind}]", "a-ocel"),
        ("!Sub '${Role.Arn}'", "arn:aws:iam::123456789012:role/Role"),
        ("!GetAtt Role.Arn", "arn:aws:iam::123456789012:role/Role"),
        ("{Fn::GetAtt: [Role, Arn]}", "arn:aws:iam::123456789012:role/Role"),
        ("!Join ['*', !Split ['el', 'a-el-b']]", "a-*-b"),
        ("!If [IsA, yes please, no]", "yes please"),
        ("!If [IsNotA, 1, !Ref AWS::NoValue]", None),
        ("[1, !If [IsNotA, 2, !Ref AWS::NoValue], 3]", [1, 3]),
        ("{a: !If [IsOcel, 2, 3], b: !Ref AWS::NoValue}", {"a": 2}),
        ("true", True),
    ],
)
def test_functions_become_values(node: str, expected: object) -> None:
    assert value(node) == expected


@pytest.mark.parametrize(
    "node",
    [
        "!Ref Nobody",
        "!Ref Gone",
        "!Sub '${Nobody}'",
        "!GetAtt Role.RoleId",
        "!GetAtt One.Arn",
        "{Fn::Select: [0, [a]]}",
        "!If [Nobody, 1, 2]",
        "!If [IsA]",
        "!Join x",
    ],
)
def test_what_is_not_known_is_refused_and_never_guessed(node: str) -> None:
    with pytest.raises(UsageError, match="uses what is not known here"):
        value(node)


def test_a_condition_decides_which_resources_are_made() -> None:
    assert value("!GetAtt Gone.Arn", gone="no").endswith(":role/Gone")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Kind": "c"}, "Kind: 'c' is refused"),
        ({"Name": "A"}, "Name: 'A' is refused"),
        ({"Name": "a\n"}, "is refused"),
        ({"Nobody": "x"}, "Nobody: there is no such parameter"),
    ],
)
def test_a_parameter_against_its_constraints_is_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        value("x", **given)
    assert told in "\n".join(caught.value.details)


def test_all_that_is_wrong_with_the_parameters_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        value("x", Kind="c", Name="A", Nobody="x")
    assert len(caught.value.details) == 3


def test_a_constraint_that_is_not_known_is_told() -> None:
    raw = b"Parameters: {A: {Type: String, Default: x, MaxLength: 3}}"
    with pytest.raises(UsageError) as caught:
        render(parse_document(raw, "t.yaml"), {})
    assert caught.value.details == ("A: MaxLength is not known here",)


@pytest.mark.parametrize(
    "text", ["a: !Select [0, [a]]", "a: [", "- \xff", "a: !!python/name:os.x 1"]
)
def test_a_template_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="cannot be read") as caught:
        read_template(path)
    assert caught.value.details


def test_a_template_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_template(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "raw", [b"", b"[1]", b"Parameters: 3", b"Resources: {A: 3}", b"Rules: {A: {}}"]
)
def test_a_document_of_another_form_is_no_traceback(raw: bytes) -> None:
    document = parse_document(raw, "t.yaml", SHORT_FORMS)
    try:
        rendered = render(document, {})
    except UsageError:
        return
    assert rendered.resources == {}
