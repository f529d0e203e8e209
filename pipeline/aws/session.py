"""AWS sessions and clients: identity, time limits and retries.

botocore retries requests, with growing, jittered pauses; a request that must not be sent twice gets
a client with one attempt. Clients are made under a lock, since boto3's sessions are not
thread-safe; clients are.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
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

from pipeline.aws.credentials import refuse_malformed
from pipeline.aws.errors import EXPIRED, GIVE_CREDENTIALS, CredentialsError, aws_errors
from pipeline.aws.providers import check_credentials, check_settings, watch_providers
from pipeline.errors import AwsError, OcelotError, UsageError
from pipeline.threads import in_thread

# After this time the identity is requested from another region, too.
IDENTITY_SECONDS = 2.0
# A refusal within this time after new credentials were made is about the old ones.
FRESH_SECONDS = 2.0
# botocore waits a random part of 0.05, 0.1, 0.2 … seconds before a retry: nine attempts outlast an
# outage of about 6 seconds, half of that for DynamoDB. A retry takes 14 of the 500 tokens of a
# client's quota (5 if it was throttled), which successes give back: in an outage that is enough for
# 4 requests at once; of more, some give up sooner.
ATTEMPTS = 9
# Most connections of a client; they are opened as they are needed.
CONNECTIONS = 80

# With retries: for every request that may be done twice.
PATIENT = Config(
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
# Lambda answers requests about layers quickly, SSM those about parameters.
LAYERS = PATIENT.merge(Config(read_timeout=20))
# For large bodies: urllib3 limits the upload of a whole body by the connection's time.
UPLOAD = PATIENT.merge(Config(connect_timeout=300, read_timeout=300))
# Without retries: PublishLayerVersion stores the layer a second time when it is sent again.
PUBLISH = UPLOAD.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))


@dataclass(frozen=True)
class Aws:
    """One identity in AWS.

    Attributes:
        session: makes the clients.
        credentials: of an assumed role; None for the session's own.
    """

    session: boto3.Session
    credentials: RoleCredentials | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        refuse_malformed(self.session)

    def client(self, service: str, region: str, config: Config = PATIENT) -> Any:  # noqa: ANN401  boto3 makes clients at run time
        """Return a client of a service in a region; several threads may use it.

        Args:
            service: such as `lambda`.
            region: such as `eu-west-1`.
            config: its time limits and retries.

        Raises:
            CredentialsError: there are no credentials.
            AwsError: a setting of AWS cannot be used, such as AWS_ENDPOINT_URL.
        """
        # its stubs accept only a literal as the service
        make = cast("Any", self.session).client
        self.check()
        with self.lock, _setting_errors():
            made = make(service, region_name=region, config=config)
        if self.credentials:
            made.meta.events.register("needs-retry", self._retry_with_new_credentials)
        return made

    def check(self) -> None:
        """Check that there are credentials; a program that gives them runs once.

        Raises:
            CredentialsError: there are none.
        """
        with self.lock:
            check_credentials(self.session)

    def _retry_with_new_credentials(
        self, response: tuple[Any, dict[str, Any]] | None, attempts: int, **_: object
    ) -> float | None:
        """Return the seconds until botocore retries: 0 if the credentials have expired, else None.

        AWS has certainly not done such a request, so PublishLayerVersion is retried, too.
        """
        code = response[1].get("Error", {}).get("Code") if response else ""
        if self.credentials is None or code not in EXPIRED or attempts >= ATTEMPTS:
            return None
        self.credentials.expire()
        return 0.0


class RoleCredentials(RefreshableCredentials):
    """A role's credentials, renewed before they expire, and when AWS says that they have."""

    _expired_at = -FRESH_SECONDS
    _expiring = threading.Lock()

    def expire(self) -> None:
        """Have the credentials renewed before the next request.

        Many requests may be refused at once for the old ones: they are renewed once.
        """
        with self._expiring:
            now = time.monotonic()
            if now - self._expired_at >= FRESH_SECONDS:
                self._expired_at = now
                self._expiry_time = datetime.now(tz=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The account and the user or role that the credentials belong to."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """Such as `aws` or `aws-cn`."""
        return self.arn.split(":")[1]


def default_aws() -> Aws:
    """Return the identity of the environment, a profile, or the machine.

    Raises:
        AwsError: there is no such profile, or another setting cannot be used.
    """
    session = _session()
    watch_providers(session)
    return Aws(session)


def _session() -> boto3.Session:
    """Return a session by the environment's settings.

    Raises:
        AwsError: they cannot be used.
    """
    with _setting_errors():
        session = boto3.Session()
        check_settings(session)
    return session


@contextmanager
def _setting_errors() -> Generator[None]:
    hint = "check AWS_PROFILE and ~/.aws/config (aws configure list-profiles)"
    try:
        with aws_errors("AWS' settings cannot be used", hint):
            yield
    except ValueError as error:  # of an endpoint without https://, or a region with a blank
        raise AwsError(
            f"AWS' settings cannot be used: {error}",
            hint="set AWS_ENDPOINT_URL and the region right; an endpoint begins with https://",
        ) from error


def role_aws(role: str, token: Callable[[], str], region: str) -> Aws:
    """Return the identity of a role, assumed by an OIDC token.

    Args:
        role: its ARN.
        token: returns a fresh token; called each time that credentials are made.
        region: of the STS endpoint: opt-in regions accept no credentials of the global one.

    Raises:
        AwsError: STS refuses the token or the role.
    """
    make = cast("Any", _session()).client
    unsigned = PATIENT.merge(Config(signature_version=UNSIGNED))
    with _setting_errors():
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

    hint = f"check its trust policy, with your own credentials: ocelot oidc check --role-arn {role}"
    with aws_errors(f"the role {role} cannot be assumed", hint):
        credentials = RoleCredentials.create_from_metadata(
            metadata=made(), refresh_using=made, method="assume-role-with-web-identity"
        )
    session: Any = botocore.session.get_session()
    session._credentials = credentials  # noqa: SLF001  botocore has no public way to set them
    return Aws(boto3.Session(botocore_session=session), credentials)


def identity(aws: Aws, region: str) -> Identity:
    """Return the identity that STS in a region reports.

    Raises:
        AwsError: there are no credentials, or AWS refuses them.
    """
    with aws_errors("the AWS account cannot be read", GIVE_CREDENTIALS):
        answer = aws.client("sts", region).get_caller_identity()
    return Identity(account=answer["Account"], arn=answer["Arn"])


async def first_identity(aws: Aws, regions: Sequence[str]) -> Identity:
    """Return the identity, from the first region that answers: one may be down or not opted into.

    Raises:
        AwsError: there are no credentials, or no region accepts them.
    """
    await in_thread(aws.check)  # once, and not in each region
    found: list[Identity] = []
    errors: list[OcelotError] = []

    async with anyio.create_task_group() as tasks:

        async def request(region: str, answered: anyio.Event) -> None:
            try:
                found.append(await in_thread(partial(identity, aws, region)))
            except OcelotError as error:
                errors.append(error)
            answered.set()
            if found or isinstance(errors[-1], CredentialsError):
                tasks.cancel_scope.cancel()

        for region in regions:
            answered = anyio.Event()
            tasks.start_soon(request, region, answered)
            with anyio.move_on_after(IDENTITY_SECONDS):
                await answered.wait()
    if not found:
        raise errors[-1]
    return found[0]


def region_setting() -> str:
    """Return the region of the environment, or of the profile; empty for none.

    Raises:
        AwsError: the settings cannot be used.
    """
    # boto3 does not read AWS_REGION
    return os.environ.get("AWS_REGION") or default_aws().session.region_name or ""


def configured_region() -> str:
    """Return the region of the environment, or of the profile.

    Raises:
        AwsError: the settings cannot be used.
        UsageError: there is none.
    """
    if not (region := region_setting()):
        raise UsageError(
            "no region is configured", hint="set AWS_REGION, or name regions with --regions"
        )
    return region


def lambda_regions(partition: str = "aws") -> tuple[str, ...]:
    """Return the regions of a partition that have AWS Lambda, by botocore's data, sorted."""
    return tuple(sorted(boto3.Session().get_available_regions("lambda", partition)))


def region_names() -> Mapping[str, str]:
    """Return the display names of regions, such as `Europe (Ireland)`, by botocore's data."""
    data: Any = botocore.session.get_session().get_data("endpoints")
    return {
        region: each["description"]
        for partition in data["partitions"]
        for region, each in partition["regions"].items()
    }


async def identified(
    aws: Aws, regions: Sequence[str], partition: str, account: str | None
) -> Identity:
    """Return the identity, which must be of a partition and an account.

    Args:
        aws: makes the clients.
        regions: the first one that answers is used; at least one.
        partition: of the regions.
        account: the account that it must be; None for any.

    Raises:
        AwsError: no credentials, or another account.
        UsageError: the identity is of another partition.
    """
    found = await first_identity(aws, regions)
    if account is not None and found.account != account:
        raise AwsError(
            f"the credentials are of account {found.account}, not of {account}",
            hint="use credentials of the account that --account names",
        )
    if found.partition != partition:
        raise UsageError(
            f"the credentials are of partition {found.partition}, the regions of {partition}",
            hint="each partition has its own credentials: run the command once for each",
        )
    return found
