"""A job in GitHub Actions as its OIDC token tells of it. Pure.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import UsageError, quoted

HOST = "token.actions.githubusercontent.com"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)/([A-Za-z0-9._-]+)\Z")
_REMOTE = re.compile(
    r"(?:https://(?:[^/@]*@)?github\.com/|(?:ssh://)?git@github\.com[:/])"
    r"([^/]+/[^/]+?)(?:\.git)?/?\Z"
)
_ID = re.compile(r"[1-9][0-9]*\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A repository on GitHub.

    Attributes:
        owner_id: the owner's; empty where it is not known, as is repository_id then.
        repository_id: its own.
    """

    owner: str
    name: str
    owner_id: str = ""
    repository_id: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def with_ids(self) -> str:
        """As subjects name it that bear ids; empty where they are not known."""
        known = self.owner_id and self.repository_id
        return f"{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}" if known else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job that asks for a token.

    Attributes:
        environment: the one that it names; empty for none.
        ref: full name of the branch or tag, such as refs/heads/main; `pull_request` for any.
            A job in an environment has a subject that does not tell it.
    """

    repository: Repository
    environment: str = ""
    ref: str = ""

    @property
    def context(self) -> str:
        """The end of its subjects."""
        if self.environment:
            # a colon would look like the next part of the subject: GitHub quotes it
            return f"environment:{self.environment.replace(':', '%3A')}"
        return self.ref if self.ref == "pull_request" else f"ref:{self.ref}"

    @property
    def subjects(self) -> Mapping[str, str]:
        """What its token's `sub` may be, by the form: `names`, and `ids` where they are known.

        Repositories that were made, renamed or moved since 15 July 2026 have the form with ids, as
        have others that chose it.
        """
        forms = {"names": str(self.repository), "ids": self.repository.with_ids}
        return {form: f"repo:{name}:{self.context}" for form, name in forms.items() if name}


def repository(text: str, owner_id: str = "", repository_id: str = "") -> Repository:
    """The repository that options name.

    Raises:
        UsageError: it cannot be the name of one, or the ids are none, or only one of them is given.
    """
    found = _NAME.match(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is no repository on GitHub", hint="name it as owner/name, --repository"
        )
    ids = (owner_id, repository_id)
    if any(ids) and not all(map(_ID.match, ids)):
        raise UsageError(
            "--owner-id and --repository-id are two numbers that go together",
            hint=f"gh api repos/{text} --jq '.owner.id, .id' tells them",
        )
    return Repository(owner=found[1], name=found[2], owner_id=owner_id, repository_id=repository_id)


def remote_repository(url: str) -> str:
    """Owner and name of the repository on GitHub that a git URL means; empty for any other."""
    found = _REMOTE.match(url.strip())
    return found[1] if found and _NAME.match(found[1]) else ""


def full_ref(ref: str) -> str:
    """A ref in full: a bare word is a branch, refs of pull requests are one and the same."""
    if ref.startswith("refs/pull/"):
        return "pull_request"
    return ref if ref in ("", "pull_request") or ref.startswith("refs/") else f"refs/heads/{ref}"
