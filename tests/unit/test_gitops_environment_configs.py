from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import GitOpsError, UsageError
from pipeline.gitops.environment_configs import Setting, read_settings, with_settings
from pipeline.gitops.repository import documents

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "minimum": 0},
        "ratio": {"type": "number"},
        "debug": {"type": "boolean"},
        "level": {"type": "string", "enum": ["info", "12", "true"]},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "resources": {
            "type": "object",
            "properties": {
                "limits": {"type": "object", "additionalProperties": {"type": "string"}}
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("replicas=3", 3),
        ("ratio=0.5", 0.5),
        ("ratio=2", 2),
        ("debug=true", True),
        ("level=12", "12"),
        ("level=true", "true"),
        ("hosts=[a, b]", ["a", "b"]),
        ("resources.limits.cpu=500m", "500m"),
        ("resources.limits={cpu: 1=2}", None),
        ("resources={limits: {cpu: a=b}}", {"limits": {"cpu": "a=b"}}),
        ("free.any.thing=1", 1),
    ],
)
def test_a_value_has_the_type_of_its_schema(given: str, value: object) -> None:
    if value is None:
        value = {"cpu": "1=2"}
    (setting,) = read_settings([given], SCHEMA)
    assert setting.keys == tuple(given.partition("=")[0].split("."))
    assert (setting.value, type(setting.value)) == (value, type(value))


@pytest.mark.parametrize(
    "given",
    [
        "replicas",
        "=3",
        "replicas=three",
        "replicas=-1",
        "replicas=1.5",
        "replicas=",
        "debug=yes",
        "level=$(id)",
        "hosts=a",
        "hosts=[1]",
        "hosts={",
        "resources.limits=1",
        "resources.limits.cpu.more=1",
        "a..b=1",
    ],
)
def test_another_value_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings([given], SCHEMA)
    assert caught.value.hint


def test_an_unknown_key_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="replicas"):
        read_settings(["replica=3"], SCHEMA)
    with pytest.raises(UsageError):
        read_settings(["replicas=1", "replicas=2"], SCHEMA)


BINDING = """\
# of the shop
kind: ReleaseBinding
spec:   # all of it
  environment: staging
  releaseName: 'a-1'  # promoted
{configs}
  # the end
"""


def edited(configs: str, *settings: tuple[str, object], text: str = BINDING) -> str:
    content = text.replace("{configs}\n", configs)
    made = with_settings(
        content.encode(),
        0,
        [Setting(keys=tuple(keys.split(".")), value=value) for keys, value in settings],
        file="b.yaml",
    )
    return made.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "  componentTypeEnvironmentConfigs:\n    replicas: 3\n"),
        (
            "  componentTypeEnvironmentConfigs:\n    replicas: 1  # few\n    level: info\n",
            "  componentTypeEnvironmentConfigs:\n    replicas: 3  # few\n    level: info\n",
        ),
        (
            "  componentTypeEnvironmentConfigs:\n    level: info # why\n  state: Active\n",
            "  componentTypeEnvironmentConfigs:\n    level: info # why\n    replicas: 3\n"
            "  state: Active\n",
        ),
        (
            "  componentTypeEnvironmentConfigs: {level: info}\n",
            "  componentTypeEnvironmentConfigs: {level: info, replicas: 3}\n",
        ),
        (
            "  componentTypeEnvironmentConfigs: {}\n",
            "  componentTypeEnvironmentConfigs: {replicas: 3}\n",
        ),
        (
            "  componentTypeEnvironmentConfigs:\n  state: Active\n",
            '  componentTypeEnvironmentConfigs: {"replicas": 3}\n  state: Active\n',
        ),
        (
            "  componentTypeEnvironmentConfigs:\n    note: |\n      a\n      b\n  state: Active\n",
            "  componentTypeEnvironmentConfigs:\n    note: |\n      a\n      b\n    replicas: 3\n"
            "  state: Active\n",
        ),
    ],
)
def test_all_other_text_stays(before: str, after: str) -> None:
    assert edited(before, ("replicas", 3)) == BINDING.replace("{configs}\n", after)


def test_what_is_set_already_is_not_written_again() -> None:
    text = "  componentTypeEnvironmentConfigs: { replicas:   3 }\n"
    assert edited(text, ("replicas", 3)) == BINDING.replace("{configs}\n", text)


def test_several_values_deep_ones_and_lists() -> None:
    made = edited(
        "  componentTypeEnvironmentConfigs:\n    hosts:\n    - a\n    # b is gone\n",
        ("hosts", ["b", "c: d"]),
        ("resources.limits.cpu", "500m"),
        ("level", "true"),
    )
    ((_line, data),) = documents(made)
    assert data["spec"]["componentTypeEnvironmentConfigs"] == {  # pyright: ignore[reportIndexIssue]
        "hosts": ["b", "c: d"],
        "resources": {"limits": {"cpu": "500m"}},
        "level": "true",
    }
    assert made.startswith("# of the shop\n")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_stay(end: str) -> None:
    line = end or "\n"
    text = f"\ufeffkind: ReleaseBinding{line}spec:{line}  environment: x{end}"
    made = edited("", ("replicas", 3), text=text)
    assert made.startswith(f"\ufeffkind: ReleaseBinding{line}spec:{line}  environment: x{line}")
    assert made.count("\r") == (made.count("\n") if end == "\r\n" else 0)


@pytest.mark.parametrize(
    "text",
    [
        "a: &same {replicas: 1}\nspec:\n  componentTypeEnvironmentConfigs: *same\n",
        "spec:\n  componentTypeEnvironmentConfigs: text\n",
        "spec:\n  componentTypeEnvironmentConfigs: &x\n    replicas: 1\nb: *x\n",
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text: str) -> None:
    with pytest.raises(GitOpsError) as caught:
        edited("", ("replicas", 3), text=text)
    assert caught.value.hint
