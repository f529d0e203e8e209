"""Hints for AWS' refusals, and rows that the command line leaves out."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline.aws.errors import region_error
from pipeline.cli.layers.rows import name_left_out
from pipeline.errors import RUN_AGAIN, publish_error
from pipeline.registry.row import ForeignRow


def hint(code: str, status: int = 400) -> str:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return region_error(ClientError(answer, "X"), "publish", "eu-west-1").hint  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("InvalidParameterValueException", "change"),
        ("ValidationException", "change"),
        ("PolicyLengthExceededException", "--share"),
        ("RequestEntityTooLargeException", "--bucket"),
        ("CodeStorageExceededException", "delete"),
        ("InvalidSignatureException", "clock"),
        ("SignatureDoesNotMatch", "clock"),
        ("RequestTimeTooSkewed", "clock"),
        ("AccessDeniedException", "permission"),
        ("UnrecognizedClientException", "eu-west-1"),
    ],
)
def test_after_a_permanent_refusal_the_same_command_is_not_advised(code: str, word: str) -> None:
    assert word in hint(code)
    assert RUN_AGAIN not in hint(code)


@pytest.mark.parametrize(
    ("code", "status"),
    [("TooManyRequestsException", 429), ("ServiceException", 500), ("", 503)],
)
def test_after_a_passing_failure_the_same_command_is_advised(code: str, status: int) -> None:
    assert hint(code, status) == RUN_AGAIN


def test_without_an_answer_the_same_command_is_advised() -> None:
    error = EndpointConnectionError(endpoint_url="https://lambda.example")
    assert region_error(error, "publish", "eu-west-1").hint == RUN_AGAIN


@pytest.mark.parametrize(("others", "alone"), [((), True), ((hint("ValidationException"),), False)])
def test_the_same_command_is_advised_alone_only_if_it_helps_everywhere(
    others: tuple[str, ...], *, alone: bool
) -> None:
    lines = (RUN_AGAIN, *others)
    error = publish_error("2 of 3 targets", (("x", each) for each in lines), failed=2, total=3)
    assert (error.hint == RUN_AGAIN) is alone


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_rows_that_are_left_out_are_one_line(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name_left_out(ForeignRow(key=f"row {at}", reason="it is empty") for at in range(count))
    err = capsys.readouterr().err
    assert err.count("\n") == min(count, 1)
    assert ("2999 more" in err) is (count == 3000)
