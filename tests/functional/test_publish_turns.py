"""Publishers and reapers on one machine take turns, by locks in the user cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from aws_server import ACCOUNT
from publishing import IRELAND, LAYER, Publishing

from pipeline import progress
from pipeline.publish.turns import MOST_LOCKS, LayerWork, layer_turn

MANY = [f"layer-{number}" for number in range(MOST_LOCKS + 1)]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes for the user, with a user cache of the test's own."""
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    shown: list[str] = []
    monkeypatch.setattr(progress, "note", shown.append)
    return shown


async def waits(first: Sequence[str], second: Sequence[str]) -> bool:
    """Return True if a publisher of the second layers waits for a reaper of the first ones."""
    entered, waited = anyio.Event(), False

    async def publish() -> None:
        async with layer_turn(ACCOUNT, second, LayerWork.PUBLISH):
            entered.set()

    async with anyio.create_task_group() as tasks:
        async with layer_turn(ACCOUNT, first, LayerWork.REAP):
            tasks.start_soon(publish)
            with anyio.move_on_after(0.5):
                await entered.wait()
            waited = not entered.is_set()
        with anyio.fail_after(10):
            await entered.wait()
    return waited


@pytest.mark.parametrize(
    ("first", "second", "waited"),
    [
        (["a"], ["a"], True),
        (["b", "a"], ["c", "b"], True),
        (["a"], ["b"], False),
        (MANY, ["b"], True),
        (["b"], MANY, True),
        (MANY, MANY, True),
        (MANY, [], False),
        ([], ["a"], False),
    ],
)
def test_work_on_the_same_layers_is_waited_for(
    notes: list[str],
    first: list[str],
    second: list[str],
    waited: bool,  # noqa: FBT001
) -> None:
    assert anyio.run(waits, first, second) == waited
    assert len(notes) == waited
    assert all("deleting" in each for each in notes)


def test_another_account_is_not_waited_for(notes: list[str]) -> None:
    async def both() -> None:
        async with layer_turn(ACCOUNT, ["a"], LayerWork.REAP):
            with anyio.fail_after(10):
                async with layer_turn("210987654321", ["a"], LayerWork.REAP):
                    pass

    anyio.run(both)
    assert notes == []


def test_a_lock_with_another_text_is_waited_for(notes: list[str], tmp_path: Path) -> None:
    lock = tmp_path / "cache" / "publishing" / ACCOUNT / "a"

    async def both() -> None:
        async with layer_turn(ACCOUNT, ["a"], LayerWork.REAP):
            lock.write_bytes(b"\x1b[31m\xff" * 100)
            with anyio.move_on_after(0.5):
                async with layer_turn(ACCOUNT, ["a"], LayerWork.REAP):
                    raise AssertionError("both work at once")

    anyio.run(both)
    assert len(notes) == 1
    assert "\x1b" not in notes[0]


def test_a_publisher_waits_for_a_reaper_and_says_so(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]

    async def reap() -> str:
        async with layer_turn(ACCOUNT, [LAYER], LayerWork.REAP):
            process = publishing.start()
            assert process.stderr
            stderr = process.stderr
            line = await anyio.to_thread.run_sync(
                lambda: next(line for line in stderr if "waiting" in line)
            )
            assert publishing.aws.calls("PublishLayerVersion") == []
        assert await anyio.to_thread.run_sync(process.wait, 60) == 0
        return line

    assert f"deleting versions of {LAYER}" in anyio.run(reap)
    publishing.check_every_target_exists_once()
