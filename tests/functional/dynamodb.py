"""A DynamoDB on loopback, by moto; what it holds is gone with it."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import boto3
from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]
    DomainDispatcherApplication,
    create_backend_app,
)
from werkzeug.serving import make_server

from pipeline.options import TABLE
from pipeline.publish.aws.registry import Registry
from pipeline.publish.aws.session import Aws
from pipeline.publish.table import definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

REGION = "eu-west-1"


@dataclass(frozen=True)
class DynamoDb:
    """A server that answers for AWS.

    Attributes:
        address: its URL.
    """

    address: str

    @property
    def environment(self) -> dict[str, str]:
        """What points a command line to it, with credentials that open nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    @cached_property
    def aws(self) -> Aws:
        """One identity for all tests: botocore reads its own data once a session."""
        return Aws(boto3.Session("testing", "testing"))

    @cached_property
    def client(self) -> DynamoDBClient:
        return self.aws.client("dynamodb", REGION)

    def clear(self) -> None:
        """Forget every table."""
        address = f"{self.address}/moto-api/reset"
        with urllib.request.urlopen(address, data=b""):  # noqa: S310  loopback
            pass

    def make_table(self, name: str = TABLE, **changed: Any) -> Registry:  # noqa: ANN401  CreateTable's own words
        """A table as it should be, but for what is changed; None leaves a key out."""
        wanted = {**definition(name), **changed}
        present = {key: value for key, value in wanted.items() if value is not None}
        self.client.create_table(**cast("Any", present))
        return self.registry(name)

    def registry(self, name: str = TABLE) -> Registry:
        """A table that there may not be."""
        return Registry(self.aws, name, REGION)

    def store(self, item: Mapping[str, Any], table: str = TABLE) -> None:
        """An item as another tool would write it."""
        self.client.put_item(TableName=table, Item=cast("Any", item))


@contextmanager
def served_dynamodb() -> Generator[DynamoDb]:
    """A server on loopback; it does one thing at a time, as DynamoDB does with an item."""
    app = cast("Any", DomainDispatcherApplication)(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield DynamoDb(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
