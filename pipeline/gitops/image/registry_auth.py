"""Authentication with a registry: by password, or by a token that is fetched with it.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from pipeline.errors import GitOpsError, UsageError, quoted
from pipeline.files import read_file

# One challenge of WWW-Authenticate: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
_CHALLENGE = re.compile(r'(?i)\b(basic|bearer)\s+((?:[a-z_]+\s*=\s*(?:"[^"]*"|[^\s,"]+)\s*,?\s*)+)')
_PARAMETER = re.compile(r'(?i)([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


@dataclass(frozen=True, kw_only=True)
class RegistryCredentials:
    """A user's name and password for one registry."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the header Authorization."""
        joined = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"Basic {joined}"


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A way to authenticate that a registry names.

    Attributes:
        scheme: `basic` or `bearer`.
        parameters: realm, service and scope.
    """

    scheme: str
    parameters: dict[str, str]

    def token_address(self, registry: httpx.URL) -> httpx.URL:
        """Return where a token is to be had, service and scope included.

        Raises:
            GitOpsError: a password would be sent there unencrypted.
        """
        realm = self.parameters.get("realm", "")
        try:
            url = httpx.URL(realm)
        except httpx.InvalidURL:
            url = httpx.URL()
        is_own = registry.scheme == "http" and (url.scheme, url.host) == ("http", registry.host)
        if not (url.scheme == "https" and url.host) and not is_own:
            raise GitOpsError(
                f"the registry {registry.host} wants a token of {quoted(realm)}, and a password "
                "is not sent there",
                hint="check registry.address in config/gitops.yaml",
            )
        names = ("service", "scope")
        query = {name: self.parameters[name] for name in names if name in self.parameters}
        return url.copy_merge_params(query)


def challenges(response: httpx.Response) -> Iterator[Challenge]:
    """Yield the challenges of a response, the most secure first."""
    header = ", ".join(response.headers.get_list("www-authenticate"))
    found = [
        Challenge(
            scheme=each[1].lower(),
            parameters={name.lower(): a or b for name, a, b in _PARAMETER.findall(each[2])},
        )
        for each in _CHALLENGE.finditer(header)
    ]
    yield from sorted(found, key=lambda each: each.scheme != "bearer")


def read_credentials(
    user: str | None, source: str, environment: Mapping[str, str]
) -> RegistryCredentials | None:
    """Return the credentials for the registry; None without a user.

    Args:
        user: name.
        source: of the password: `env:NAME` or `file:PATH`.
        environment: the process's.

    Raises:
        UsageError: there is no password.
    """
    if user is None:
        return None
    kind, _, name = source.partition(":")
    hint = "--registry-password is env:NAME or file:PATH"
    password = ""
    if kind == "env":
        password = environment.get(name, "")
    elif kind == "file":
        password = read_file(Path(name), hint).decode(errors="replace").rstrip("\r\n")
    if kind not in ("env", "file"):
        raise UsageError("--registry-password names no source of a password", hint=hint)
    if not password:
        raise UsageError(f"{source} holds no password for the registry", hint=hint)
    if ":" in user:
        raise UsageError("--registry-user has a colon", hint="give the name alone")
    return RegistryCredentials(user=user, password=password)
