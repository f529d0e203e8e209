"""botocore's providers of credentials: their errors, and the programs that they start.

A provider may read files, request a token, run the program that a profile names as its
`credential_process`, or ask for the code of an MFA device. Whatever goes wrong there is a
`CredentialsError`.
"""

from __future__ import annotations

import atexit
import getpass
import subprocess
import sys
import termios
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from boto3 import Session
from botocore.credentials import AssumeRoleProvider, ProcessProvider
from botocore.exceptions import ClientError

from pipeline import progress
from pipeline.aws.errors import (
    BOTO_ERRORS,
    GIVE_CREDENTIALS,
    CredentialsError,
    error_text,
    general_hint,
)
from pipeline.errors import AwsError, OcelotError

# After this time a note says which program is waited for.
HELPER_SECONDS = 5.0
_END_SECONDS = 2.0
_CHECK_PROFILE = (
    "check the profile in ~/.aws/config: aws sts get-caller-identity should work with it; the "
    "program of a credential_process prints one JSON object with Version 1"
)
_CHECK_ROLE = "check the role that is assumed, and its trust policy (ocelot oidc check)"
_CHECK_PATH = "check that path, in ~/.aws/config or in the variable that names it"


def watch_providers(session: Session) -> None:
    """Have the programs that a session's providers start watched; prompts need a terminal."""
    providers: list[Any] = _botocore(session).get_component("credential_provider").providers
    for each in providers:
        if each.METHOD == ProcessProvider.METHOD:
            each._popen = _Helper  # noqa: SLF001  botocore has no public way to set it
        if each.METHOD == AssumeRoleProvider.METHOD:
            each._prompter = _mfa_code  # noqa: SLF001  as above
            source_profiles = each._profile_provider_builder  # noqa: SLF001
            source_profiles._create_process_provider = partial(_process_provider, session)  # noqa: SLF001


def _process_provider(session: Session, profile_name: str) -> ProcessProvider:
    botocore = _botocore(session)
    return ProcessProvider(profile_name, lambda: botocore.full_config, popen=_Helper)


@contextmanager
def provider_errors(session: Session) -> Generator[None]:
    """Turn every error of a provider into a `CredentialsError`: botocore lets many through."""
    try:
        yield
    except OcelotError:
        raise
    except Exception as error:
        label = (
            "" if session.profile_name == "default" else f" of the profile {session.profile_name}"
        )
        message = f"no credentials{label}: {_reason(error)}"
        raise CredentialsError(message, hint=_hint(error)) from error


def check_credentials(session: Session) -> None:
    """Check that a session has credentials, which are made or renewed for it if need be.

    Raises:
        CredentialsError: it has none.
    """
    with provider_errors(session):
        found: Any = _botocore(session).get_credentials()
        if found is not None:
            found.get_frozen_credentials()
    if found is None:
        raise CredentialsError("there are no AWS credentials", hint=GIVE_CREDENTIALS)


def check_settings(session: Session) -> None:
    """Check settings that boto3 would report only as a failed connection, or not at all.

    Raises:
        AwsError: the file of certificates does not exist.
    """
    bundle: str | None = _botocore(session).get_config_variable("ca_bundle")
    if bundle and not Path(bundle).exists():
        raise AwsError(
            f"there is no file of certificates {bundle}",
            hint="set AWS_CA_BUNDLE or the profile's ca_bundle to a file that exists, or unset it",
        )


def _botocore(session: Session) -> Any:  # noqa: ANN401  botocore has no types
    return session._session  # noqa: SLF001  boto3 has no public way to it


def _reason(error: Exception) -> str:
    if isinstance(error, BOTO_ERRORS):
        return error_text(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, (JSONDecodeError, UnicodeDecodeError)):
        return f"what a program or file gives is no JSON ({error})"
    if isinstance(error, (OSError, RuntimeError, ValueError)):
        return str(error).partition("\n")[0]
    return f"what was read has an unexpected form ({type(error).__name__})"


def _hint(error: Exception) -> str:
    if isinstance(error, ClientError):
        return general_hint(error) or _CHECK_ROLE
    return general_hint(error) or (_CHECK_PATH if isinstance(error, OSError) else _CHECK_PROFILE)


def _mfa_code(prompt: str) -> str:
    """Ask for the code of an MFA device.

    Raises:
        CredentialsError: there is no terminal.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        device = prompt.removeprefix("Enter MFA code for ").strip(" :")
        raise CredentialsError(
            f"the code of the MFA device {device} is needed, and there is no terminal",
            hint="run the command in a terminal, or give credentials that need no code",
        )
    # getpass switches the echo off; an end in the meantime would leave it off
    settings = termios.tcgetattr(sys.stdin)
    atexit.register(termios.tcsetattr, sys.stdin, termios.TCSANOW, settings)
    return getpass.getpass(prompt)


class _Helper(subprocess.Popen[bytes]):
    """A program that prints credentials: it is named when it takes long, and ends with ocelot.

    It stays in ocelot's process group, so that it may use the terminal.
    """

    started: list[_Helper] = []  # noqa: RUF012  shared by all

    def __init__(self, arguments: Sequence[str], **more: Any) -> None:  # noqa: ANN401  of Popen
        super().__init__(arguments, **more)
        self._name = Path(arguments[0]).name
        self.started.append(self)

    def communicate(
        self,
        input: Any = None,  # noqa: A002, ANN401  of Popen
        timeout: float | None = None,
    ) -> tuple[Any, Any]:
        """Return what the program prints; after some seconds a note says that it is waited for."""
        try:
            return super().communicate(input, timeout or HELPER_SECONDS)
        except subprocess.TimeoutExpired:
            progress.note(f"waiting for AWS credentials from the program {self._name}")
            return super().communicate()


@atexit.register
def _end_helpers() -> None:
    for each in _Helper.started:
        if each.poll() is None:
            each.terminate()
            try:
                each.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                each.kill()
