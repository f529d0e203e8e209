"""A job in GitHub Actions: its repository, and the subjects that its OIDC token may have.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import process
from pipeline.errors import UsageError, quoted

HOST = "token.actions.githubusercontent.com"
_VARIABLE = "GITHUB_REPOSITORY"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)/([A-Za-z0-9._-]+)\Z")
_REMOTE = re.compile(
    r"(?:https://(?:[^/@]*@)?github\.com/|(?:ssh://)?git@github\.com[:/])"
    r"([^/]+/[^/]+?)(?:\.git)?/?\Z"
)
_ID = re.compile(r"[1-9][0-9]*\Z")
_WORKFLOW_FILE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+/\.github/workflows/[A-Za-z0-9._-]+\.ya?ml"
)
_WORKFLOW = re.compile(
    rf"{_WORKFLOW_FILE.pattern}@(?:refs/(?:heads|tags)/[A-Za-z0-9._/-]+|[0-9a-f]{{40}})"
)
# The claims of which GitHub makes a subject, unless an owner customises it.
DEFAULT_CLAIMS = ("repo", "context")


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubRepository:
    """A repository on GitHub.

    Attributes:
        owner_id: the owner's id; both ids are empty if they are not known.
        repository_id: the repository's id.
    """

    owner: str
    name: str
    owner_id: str = ""
    repository_id: str = ""

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def with_ids(self) -> str:
        """The repository as in a subject with ids; empty if they are not known."""
        known = self.owner_id and self.repository_id
        return f"{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}" if known else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job that requests a token.

    Attributes:
        environment: the job's environment on GitHub; empty for none.
        ref: full name of the branch or tag, such as refs/heads/main; `pull_request` for any pull
            request. The subject of a job with an environment does not contain it.
        claims: of which GitHub makes its subject.
        workflow: its job_workflow_ref: the workflow file that has the job, with its ref; empty if
            it is not known. For a reusable workflow that is not the workflow that calls it.
    """

    repository: GitHubRepository
    environment: str = ""
    ref: str = ""
    claims: tuple[str, ...] = DEFAULT_CLAIMS
    workflow: str = ""

    @property
    def context(self) -> str:
        """The last part of its subjects."""
        if self.environment:
            return f"environment:{_quoted(self.environment)}"
        return self.ref if self.ref == "pull_request" else f"ref:{self.ref}"

    @property
    def subjects(self) -> Mapping[str, str]:
        """The subjects that its token may have, by form: `names`, and `ids` if they are known.

        Repositories made, renamed or moved since 15 July 2026 have the form with ids, as have
        others that chose it. A subject of other claims than the default has one form; it is left
        out if one of its values is not known.
        """
        if self.claims != DEFAULT_CLAIMS:
            parts = [self._part(each) for each in self.claims]
            return {"customised claims": ":".join(parts)} if all(parts) else {}
        forms = {"names": str(self.repository), "ids": self.repository.with_ids}
        return {form: f"repo:{name}:{self.context}" for form, name in forms.items() if name}

    @property
    def unknown_claims(self) -> tuple[str, ...]:
        """The claims of its subject whose values are not known."""
        return tuple(each for each in self.claims if not self._part(each))

    def _part(self, claim: str) -> str:
        """Return a claim's part of a customised subject; empty if its value is not known."""
        owner, name = self.repository.owner, self.repository.name
        if claim in ("repo", "repository"):
            return f"{claim}:{owner}/{name}"
        if claim == "context":
            return self.context
        values = {
            "repository_owner": owner,
            "repository_id": self.repository.repository_id,
            "repository_owner_id": self.repository.owner_id,
            "environment": _quoted(self.environment),
            "ref": self.ref if self.ref.startswith("refs/") else "",
            "job_workflow_ref": _quoted(self.workflow),
        }
        value = values.get(claim, "")
        return f"{claim}:{value}" if value else ""


def _quoted(value: str) -> str:
    """Return a value as in a subject: a colon would begin the next part."""
    return value.replace(":", "%3A")


async def own_repository(
    given: str, owner_id: str, repository_id: str, environment: Mapping[str, str], folder: Path
) -> GitHubRepository:
    """Return the repository of the options, of GitHub Actions, or of git, in this order.

    GitHub Actions' ids are used only for the repository in whose job this runs.

    Args:
        given: owner/name; empty for none.
        owner_id: the owner's id; both ids are empty for none.
        repository_id: the repository's id.
        environment: the process's.
        folder: its git remote `origin` is read.

    Raises:
        UsageError: no repository is named, or its name or ids are not valid.
    """
    running = environment.get(_VARIABLE, "")
    name = given or running or remote_repository(await _origin(folder))
    if not name:
        raise UsageError("no repository is named", hint="name it: --repository owner/name")
    if name == running and not (owner_id or repository_id):
        owner_id = environment.get(f"{_VARIABLE}_OWNER_ID", "")
        repository_id = environment.get(f"{_VARIABLE}_ID", "")
    return github_repository(name, owner_id, repository_id)


async def _origin(folder: Path) -> str:
    """Return the URL of git's remote `origin`; empty if there is none."""
    try:
        code, output, _ = await process.read_output(
            ["git", "remote", "get-url", "origin"], cwd=folder
        )
    except OSError:
        return ""
    return "" if code else output.decode(errors="replace")


def github_repository(text: str, owner_id: str = "", repository_id: str = "") -> GitHubRepository:
    """Return the repository of an owner/name.

    Raises:
        UsageError: the name is not valid, an id is no number, or only one id is given.
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
            hint=f"gh api repos/{text} --jq '.owner.id, .id' shows them",
        )
    return GitHubRepository(
        owner=found[1], name=found[2], owner_id=owner_id, repository_id=repository_id
    )


def remote_repository(url: str) -> str:
    """Return the owner/name of a git URL on GitHub; empty for any other URL."""
    found = _REMOTE.match(url.strip())
    return found[1] if found and _NAME.match(found[1]) else ""


def workflow_ref(text: str) -> str:
    """Return a job_workflow_ref; empty for an empty text.

    Raises:
        UsageError: it is none.
    """
    if text and not _WORKFLOW.fullmatch(text):
        raise UsageError(
            f"{quoted(text)} is no workflow of a job",
            hint="give file and ref, as in --workflow "
            "acme/ocelot/.github/workflows/release-layers.yml@refs/heads/main; the ref is what "
            "`uses:` names: refs/heads/…, refs/tags/… or a full commit SHA",
        )
    return text


def workflow_file(text: str) -> str:
    """Return the file of a workflow with its repository; empty for an empty text.

    Raises:
        UsageError: it is none.
    """
    if text and not _WORKFLOW_FILE.fullmatch(text):
        raise UsageError(
            f"{quoted(text)} is no workflow on GitHub",
            hint="give it as owner/name/.github/workflows/FILE: --signer-workflow",
        )
    return text


def full_ref(ref: str) -> str:
    """Return a ref's full name: a bare name is a branch, any pull request is `pull_request`."""
    if ref.startswith("refs/pull/"):
        return "pull_request"
    return ref if ref in ("", "pull_request") or ref.startswith("refs/") else f"refs/heads/{ref}"
