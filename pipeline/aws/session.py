"""Sessions and clients of AWS: identity, time limits and retries.

botocore sends a request again where that is of use, with growing, jittered pauses; whatever must
not be sent twice gets a client with one attempt. A client is made under a lock, since boto3's
sessions are not safe among threads; clients are.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import anyio
import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import NoCredentialsError

from pipeline.aws.errors import EXPIRED, GIVE_CREDENTIALS, aws_errors
from pipeline.errors import AwsError, OcelotError, UsageError
from pipeline.threads import in_thread

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")

# After so long another region is asked, too, who we are.
IDENTITY_SECONDS = 2.0
# Within this time after new credentials were made, a refusal is about the old ones.
FRESH_SECONDS = 2.0
# botocore waits a random part of 0.05, 0.1, 0.2 … seconds before it sends a request again: nine
# attempts outlast an outage of some 6 seconds, half of that for DynamoDB. Each retry takes 14 of a
# client's quota of 500 (5 if it is throttled), which its successes give back: in an outage that is
# enough for 4 requests at once, more of them give up sooner.
ATTEMPTS = 9
# Most connections that are kept for a service in a region; they are made as they are needed.
CONNECTIONS = 80

# Sent again: everything that does the same when it is done twice.
PATIENT = Config(
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
# Lambda answers requests about layers within moments.
LAYERS = PATIENT.merge(Config(read_timeout=20))
# For large bodies: urllib3 gives all of a body the time that a connection may take.
UPLOAD = PATIENT.merge(Config(connect_timeout=300, read_timeout=300))
# For PublishLayerVersion, which stores a layer twice when it is sent twice.
PUBLISH = UPLOAD.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))


@dataclass(frozen=True)
class Aws:
    """One identity in AWS.

    Attributes:
        session: gives clients.
        credentials: those of a role that was taken on; None for the session's own.
    """

    session: boto3.Session
    credentials: RoleCredentials | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str, config: Config = PATIENT) -> Any:  # noqa: ANN401  boto3 makes clients at run time
        """A client of a service in a region, which may be used by several threads.

        Args:
            service: such as `lambda`.
            region: such as `eu-west-1`.
            config: how patient it is.
        """
        # its stubs know a service by a literal alone
        make = cast("Any", self.session).client
        with self.lock:
            made = make(service, region_name=region, config=config)
        if self.credentials:
            made.meta.events.register("needs-retry", self._retry_with_new_credentials)
        return made

    def _retry_with_new_credentials(
        self, response: tuple[Any, dict[str, Any]] | None, attempts: int, **_: object
    ) -> float | None:
        """Seconds until botocore sends a request again whose credentials have expired; else None.

        AWS certainly did not do it, so that this is right for PublishLayerVersion, too.
        """
        code = response[1].get("Error", {}).get("Code") if response else ""
        if self.credentials is None or code not in EXPIRED or attempts >= ATTEMPTS:
            return None
        self.credentials.expire()
        return 0.0


class RoleCredentials(RefreshableCredentials):
    """A role's credentials, made anew before they expire, or when AWS says that they have."""

    _expired_at = -FRESH_SECONDS
    _expiring = threading.Lock()

    def expire(self) -> None:
        """Make new ones for the next request.

        Many requests may learn at once that the old ones have expired: one of them counts.
        """
        with self._expiring:
            now = time.monotonic()
            if now - self._expired_at >= FRESH_SECONDS:
                self._expired_at = now
                self._expiry_time = datetime.now(tz=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who AWS says that we are."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """Such as `aws` or `aws-cn`."""
        return self.arn.split(":")[1]


def default_aws() -> Aws:
    """The identity of the environment, of a profile, or of the machine.

    Raises:
        AwsError: there is no such profile.
    """
    hint = "check AWS_PROFILE and ~/.aws/config (aws configure list-profiles)"
    with aws_errors("AWS' settings cannot be used", hint):
        return Aws(boto3.Session())


def role_aws(role: str, token: Callable[[], str], region: str) -> Aws:
    """The identity of a role that is taken on by an OIDC token.

    Args:
        role: its ARN.
        token: gives a token that is fresh; asked each time that credentials are made.
        region: whose STS is asked: opt-in regions take no credentials of the global one.

    Raises:
        AwsError: STS refuses the token or the role.
    """
    make = cast("Any", boto3.Session()).client
    unsigned = PATIENT.merge(Config(signature_version=UNSIGNED))
    sts = make("sts", region_name=region, config=unsigned)

    def made() -> dict[str, Any]:
        answer = sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="ocelot", WebIdentityToken=token()
        )
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    hint = f"see whom it trusts, with credentials of your own: ocelot oidc check --role-arn {role}"
    with aws_errors(f"the role {role} cannot be taken on", hint):
        credentials = RoleCredentials.create_from_metadata(
            metadata=made(), refresh_using=made, method="assume-role-with-web-identity"
        )
    session: Any = botocore.session.get_session()
    session._credentials = credentials  # noqa: SLF001  botocore has no other way to give a session its own
    return Aws(boto3.Session(botocore_session=session), credentials)


def identity(aws: Aws, region: str) -> Identity:
    """Return who AWS says that we are.

    Raises:
        AwsError: there are no credentials, or AWS refuses them.
    """
    with aws_errors("AWS does not know who we are", GIVE_CREDENTIALS):
        answer = aws.client("sts", region).get_caller_identity()
    return Identity(account=answer["Account"], arn=answer["Arn"])


async def first_identity(aws: Aws, regions: Sequence[str]) -> Identity:
    """Who we are, from the first region that answers: one may be down or not opted into.

    Raises:
        AwsError: there are no credentials, or no region takes them.
    """
    found: list[Identity] = []
    errors: list[OcelotError] = []

    async with anyio.create_task_group() as tasks:

        async def ask(region: str, answered: anyio.Event) -> None:
            try:
                found.append(await in_thread(partial(identity, aws, region)))
            except OcelotError as error:
                errors.append(error)
            answered.set()
            if found or isinstance(errors[-1].__cause__, NoCredentialsError):
                tasks.cancel_scope.cancel()

        for region in regions:
            answered = anyio.Event()
            tasks.start_soon(ask, region, answered)
            with anyio.move_on_after(IDENTITY_SECONDS):
                await answered.wait()
    if not found:
        raise errors[-1]
    return found[0]


def configured_region() -> str:
    """The region of the environment, or of the profile.

    Raises:
        UsageError: there is none.
    """
    region = (
        os.environ.get("AWS_REGION") or default_aws().session.region_name
    )  # boto3: not AWS_REGION
    if not region:
        raise UsageError(
            "no region is configured", hint="set AWS_REGION, or name regions with --regions"
        )
    return region


def lambda_regions(partition: str = "aws") -> tuple[str, ...]:
    """The regions of a partition that have AWS Lambda, by botocore's data, sorted."""
    return tuple(sorted(boto3.Session().get_available_regions("lambda", partition)))


async def identified(aws: Aws, regions: Sequence[str], partition: str, account: str) -> Identity:
    """Return who we are, which must be an identity of a partition and an account.

    Args:
        aws: whose identity.
        regions: the first of them that answers is asked; one at least.
        partition: of the regions.
        account: the account that it must be; empty for whichever it is.

    Raises:
        AwsError: no credentials, or another account.
        UsageError: the identity is of another partition.
    """
    who = await first_identity(aws, regions)
    if account and who.account != account:
        raise AwsError(
            f"the credentials are of account {who.account}, not of {account}",
            hint="take those of the account that --account names",
        )
    if who.partition != partition:
        raise UsageError(
            f"the credentials are of partition {who.partition}, the regions of {partition}",
            hint="each partition has credentials of its own: run the command once for each",
        )
    return who
