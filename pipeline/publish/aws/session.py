"""Sessions and clients of AWS: who we are, where, and how patiently we ask.

A client is made under a lock, since boto3's sessions are not safe among threads; clients are.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import AwsError

CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 6
# Of connections to one region; more than both architectures ever need at once.
CONNECTIONS = 8

# Asked again, with jittered and growing pauses: whatever does the same when it is done twice.
PATIENT = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
# Asked once: what must not be done twice.
ONCE = PATIENT.merge(
    Config(read_timeout=300, retries={"mode": "standard", "total_max_attempts": 1})
)


@dataclass(frozen=True)
class Aws:
    """One identity in AWS.

    Attributes:
        session: its credentials; refreshed by themselves where they can be.
    """

    session: boto3.Session
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str, *, once: bool = False) -> Any:  # noqa: ANN401  boto3 makes clients at run time
        """A client of a service in a region, which may be used by several threads.

        Args:
            service: such as `lambda`.
            region: such as `eu-west-1`.
            once: never ask twice by itself.
        """
        # its stubs know a service by a literal alone
        make = cast("Any", self.session).client
        with self.lock:
            return make(service, region_name=region, config=ONCE if once else PATIENT)


def default_aws() -> Aws:
    """The identity of the environment, of a profile, or of the machine.

    Raises:
        AwsError: there is no such profile.
    """
    try:
        return Aws(boto3.Session())
    except BotoCoreError as error:
        hint = "check AWS_PROFILE and ~/.aws/config (aws configure list-profiles)"
        raise aws_error(error, "AWS' settings cannot be used", hint) from error


def lambda_regions(partition: str = "aws") -> tuple[str, ...]:
    """The regions of a partition that have AWS Lambda, by botocore's data, sorted."""
    return tuple(sorted(boto3.Session().get_available_regions("lambda", partition)))


def aws_error(error: BotoCoreError | ClientError, what: str, hint: str) -> AwsError:
    """A user's error for what AWS, or the way to it, did not do.

    boto's messages name operations and codes; they hold no secrets.
    """
    return AwsError(f"{what}: {error}", hint=hint)
