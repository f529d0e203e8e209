from __future__ import annotations

import pytest

from pipeline.errors import LimitError
from pipeline.layer.limits import check_limits, megabytes

MIB = 1024**2


@pytest.mark.parametrize(("size", "unzipped"), [(14, 43), (1, 250), (50, 100)])
def test_up_to_50_mib_zipped_and_250_unzipped_there_is_no_note(size: int, unzipped: int) -> None:
    assert check_limits("a.zip", size=size * MIB, unzipped=unzipped * MIB) == ()


def test_a_byte_above_250_mib_unzipped_is_refused() -> None:
    with pytest.raises(LimitError, match=r"a\.zip is 250\.0 MiB unzipped") as caught:
        check_limits("a.zip", size=MIB, unzipped=250 * MIB + 1)
    assert caught.value.hint


def test_a_byte_above_50_mib_zipped_is_noted() -> None:
    (note,) = check_limits("a.zip", size=50 * MIB + 1, unzipped=100 * MIB)
    assert note == "a.zip is 50.0 MiB: above 50.0 MiB a layer has to be uploaded to S3"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 MiB"), (MIB, "1.0 MiB"), (14_001_428, "13.4 MiB")]
)
def test_sizes_for_people_are_in_mib(size: int, text: str) -> None:
    assert megabytes(size) == text
