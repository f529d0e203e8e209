"""Many layer versions are deleted at the pace that AWS allows."""

from __future__ import annotations

import pytest
from deleting import Reaper, all_deleted, approved, arns, history, quick, results
from publishing import IRELAND, Publishing, most_in_a_second, without_garbage_collection


def test_300_deletions_need_five_requests_each(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    publishing.regions = [IRELAND]
    history(publishing, 301, rows=False)
    reaper = Reaper(publishing=publishing, table=False)
    approval = approved(reaper.plan())
    publishing.aws.forget()
    done = results(reaper.reap(approval))
    assert done == all_deleted(arns(*range(1, 301)))
    calls = [call for call in publishing.aws.calls() if call.name.service == "lambda"]
    assert len(calls) <= 300 * 5 + 20


def test_a_region_gets_ten_requests_a_second_at_most(
    publishing: Publishing,
) -> None:
    publishing.regions = [IRELAND]
    history(publishing, 8, rows=False)
    reaper = Reaper(publishing=publishing)
    approval = approved(reaper.plan())
    reaper.publishing.aws.emulator.requests_per_second = 15
    reaper.publishing.aws.forget()
    with without_garbage_collection():
        reaper.reap(approval)
    calls = [call for call in reaper.publishing.aws.calls() if call.name.service == "lambda"]
    assert len(calls) > 20
    assert most_in_a_second(calls) <= 10
    assert {call.error for call in calls} == {"", "ResourceNotFoundException"}  # of policies
