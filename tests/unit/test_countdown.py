from __future__ import annotations

from collections.abc import Iterator

from pipeline.build.countdown import Countdown

PACKAGES = {"internal/cpu": 1, "runtime": 9, "net/http": 10, "example.com/main": 20}


def counted(*lines: str, seconds: Iterator[int]) -> list[str]:
    countdown = Countdown(packages=PACKAGES, clock=lambda: next(seconds))
    return [countdown.line(line) for line in lines]


def test_each_package_is_counted_and_the_time_left_is_estimated_by_files() -> None:
    shown = counted(*PACKAGES, seconds=iter((0, 10, 600)))
    assert shown == [
        "1 of 4 packages: internal/cpu",  # nothing is known of the speed yet
        "2 of 4 packages: runtime",  # one file of forty is too little to tell
        "3 of 4 packages, about 30 s left: net/http",  # ten files of forty in ten seconds
        "4 of 4 packages, about 10 min left: example.com/main",  # twenty of forty in ten minutes
    ]


def test_any_other_line_is_shown_as_it_is() -> None:
    lines = ("# example.com/main", "./main.go:1:2: undefined: x", "example.com/other", "")
    assert counted(*lines, seconds=iter((0,))) == list(lines)


def test_a_package_counts_once() -> None:
    shown = counted("internal/cpu", "internal/cpu", "runtime", seconds=iter((0, 1, 2)))
    assert [line.split()[0] for line in shown] == ["1", "internal/cpu", "2"]
