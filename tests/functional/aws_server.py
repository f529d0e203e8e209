"""moto, an AWS for tests: a process on loopback, for as long as its context lasts.

All regions and accounts exist from the start. The account of a call is the one in its
access key (`access_key("210987654321")`), for keys of an assumed role the role's.

    with MotoServer() as moto:          # answers at once: calls wait until moto has started
        client = boto_client("s3", "eu-west-1", moto.url)
        run_ocelot(..., env=environment(moto.url))
        moto.reset()                    # deletes everything

moto differs from AWS in places. Most tests use `faulty_proxy`, which corrects that.
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from functools import cache
from typing import Any, Self

ACCOUNT = "123456789012"  # moto's own, for keys that it does not know
_KEY = re.compile(r"AKIA(\d{12})")
_BACKLOG = 256


def access_key(account: str = ACCOUNT) -> str:
    """Return the access key of an account's user."""
    return f"AKIA{account}"


def account_of(key: str) -> str | None:
    """Return the account of such a key; None for another key."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def environment(url: str, *, account: str = ACCOUNT, region: str = "us-east-1") -> dict[str, str]:
    """Return the variables by which the command line uses this AWS.

    `runs.environment` removes the AWS variables of the test's own environment.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": access_key(account),
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def boto_client(
    service: Any,  # noqa: ANN401  a literal in boto3's stubs
    region: str,
    url: str,
    *,
    credentials: dict[str, str] | None = None,
    attempts: int = 1,
) -> Any:  # noqa: ANN401
    """Return a client of boto3, independent of the machine's settings.

    Args:
        service: as boto3 names it, "lambda".
        region: "eu-west-1".
        url: of moto or a proxy.
        credentials: AccessKeyId, SecretAccessKey and SessionToken, as STS gives them; without them
            the key of ACCOUNT. Empty ones sign nothing.
        attempts: at most; 1 for no retries.
    """
    from botocore import UNSIGNED  # noqa: PLC0415  the server's process does without
    from botocore.config import Config  # noqa: PLC0415

    given = {"AccessKeyId": access_key()} if credentials is None else credentials
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=60,  # urllib3 applies it to the upload, too
        read_timeout=60,
        signature_version=None if given else UNSIGNED,
    )
    return _session().client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=given.get("AccessKeyId"),
        aws_secret_access_key=given.get("SecretAccessKey", "secret"),
        aws_session_token=given.get("SessionToken"),
        config=config,
    )


@cache
def _session() -> Any:  # noqa: ANN401
    """Return the session of all clients, which reads each service's data only once."""
    import boto3  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    return boto3.Session(botocore_session=session)


class MotoServer:
    """The process; it ends when the test process ends.

    Attributes:
        host: address and port.
        url: "http://127.0.0.1:port".
    """

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
            self.host = f"127.0.0.1:{listening.getsockname()[1]}"
            self.url = f"http://{self.host}"
            # it inherits the socket, so that calls wait for it, and ends when its stdin ends
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
                env={k: v for k, v in os.environ.items() if not k.startswith(("MOTO_", "AWS_"))},
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(10)

    def reset(self) -> None:
        """Delete everything."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("POST", "/moto-api/reset")
        answer = connection.getresponse()
        connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"moto did not reset: {answer.status}")


def _serve(descriptor: int) -> None:
    """Run the server in its process."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  seconds, for the server alone
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=descriptor,
    ).serve_forever()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
