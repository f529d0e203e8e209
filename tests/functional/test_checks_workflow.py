"""The workflow of CI: it runs what a person runs."""

from __future__ import annotations

from pathlib import Path

from github import github


def test_ci_runs_the_projects_own_script_and_the_unit_tests_on_the_newest_python(
    tmp_path: Path,
) -> None:
    with github(tmp_path / "github", config={}, environment={}) as forge:
        jobs = forge.runner.run("ci.yml")
        assert {ran.result for ran in jobs.values()} == {"success"}, [*jobs.values()]
        calls = [" ".join(call) for call in forge.calls]
    assert [call for call in calls if call.startswith("uv ")] == [
        "uv sync --locked --quiet",
        "uv run --no-sync ruff format --check .",
        "uv run --no-sync ruff check .",
        "uv run --no-sync pyright",
        "uv run pytest",
        "uv run --locked --python 3.14 pytest tests/unit --no-cov",
    ]
    installed = [call for call in calls if call.startswith("pip ")]
    assert len(installed) == 2
    assert all(call.endswith("uv>=0.9,<1") for call in installed)
    used = [each for ran in jobs.values() for each in ran.used]
    pythons = [told["python-version"] for action, told in used if action.endswith("setup-python")]
    assert pythons == ["3.11", "3.14"]
