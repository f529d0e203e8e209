"""What a trust policy means for one job, and whom else it lets in. Pure.

The subjects and audiences that a policy names are compared with the job's as sets. Any other
condition is a problem that names it, never an all-clear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.registry.table import TableFault
from pipeline.trust.job import Job
from pipeline.trust.policy import (
    AUDIENCE_KEY,
    SUBJECT_KEY,
    Principal,
    Statement,
    has_wildcard,
    lets_in,
)
from pipeline.trust.token import AUDIENCE

State = Literal["ok", "note", "problem"]

_AGAIN = "deploy oidc/cloudformation.yaml again, or fix the role's trust policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        place: where: a statement, a condition, the table.
        found: what is there, or what is wrong with it.
        remedy: what to do next; empty where nothing is.
    """

    state: State
    place: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Whether one form of a job's subject is let in.

    Attributes:
        form: `names`, or `ids`.
        let_in: None where it cannot be told.
    """

    form: str
    subject: str
    let_in: bool | None


def entries(policy: tuple[Statement, ...], job: Job) -> tuple[Entry, ...]:
    """Whether a job is let in, by each form that its subject may have."""
    return tuple(
        Entry(form=form, subject=each, let_in=lets_in(policy, each))
        for form, each in job.subjects.items()
    )


def trust_findings(
    policy: tuple[Statement, ...], job: Job, account: str = ""
) -> tuple[Finding, ...]:
    """What is right and what is wrong with a trust policy.

    Args:
        policy: its statements.
        job: the one job that is to be let in.
        account: the role's; empty where it is not known.
    """
    return (
        *_entry_findings(policy, job),
        *(each for one in policy if one.effect != "Deny" for each in _width(one, job, account)),
    )


def providers(policy: tuple[Statement, ...], account: str) -> tuple[str, ...]:
    """The ARNs of an account's providers for GitHub that a trust policy names."""
    named = (each for one in policy for each in one.principals)
    return tuple(dict.fromkeys(each.name for each in named if each.account == account))


def provider_finding(arn: str, audiences: Collection[str] | None) -> Finding:
    """Whether a provider is there and takes the tokens that jobs have for AWS.

    Args:
        arn: its ARN.
        audiences: the client ids that it has; None where there is no such provider.
    """
    if audiences is None:
        return Finding(
            state="problem",
            place="provider",
            found=f"there is no provider {arn}",
            remedy="deploy oidc/cloudformation.yaml without ProviderArn, which makes it",
        )
    if AUDIENCE not in audiences:
        return Finding(
            state="problem",
            place="provider",
            found=f"{arn} takes no tokens for {AUDIENCE}",
            remedy="aws iam add-client-id-to-open-id-connect-provider "
            f"--open-id-connect-provider-arn {arn} --client-id {AUDIENCE}",
        )
    return Finding(state="ok", place="provider", found=f"{arn} takes tokens for {AUDIENCE}")


def table_findings(name: str, faults: Iterable[TableFault]) -> tuple[Finding, ...]:
    """What is wrong with the registry's table, or that it is as it should be."""
    return tuple(
        Finding(state="problem", place="table", found=each.message, remedy=each.hint)
        for each in faults
    ) or (Finding(state="ok", place="table", found=f"{name} is as the registry needs it"),)


def is_right(findings: Iterable[Finding]) -> bool:
    """Whether there is no problem among findings."""
    return all(each.state != "problem" for each in findings)


def _entry_findings(policy: tuple[Statement, ...], job: Job) -> Iterator[Finding]:
    found = entries(policy, job)
    any_is = any(each.let_in for each in found)
    repository = job.repository
    which = f"gh api repos/{repository}/actions/oidc/customization/sub tells which form GitHub uses"
    for each in found:
        place = f"subject with {each.form}"
        if each.let_in:
            yield Finding(state="ok", place=place, found=f"{each.subject} is let in")
        elif each.let_in is None:
            yield Finding(
                state="problem",
                place=place,
                found=f"whether {each.subject} is let in cannot be told: {_untold(policy)}",
                remedy=f"have {SUBJECT_KEY} and {AUDIENCE_KEY} alone decide, by StringEquals",
            )
        elif any_is:
            found_text = f"{each.subject} is not let in"
            yield Finding(state="note", place=place, found=found_text, remedy=which)
        else:
            yield Finding(
                state="problem",
                place=place,
                found=f"{each.subject} is not let in",
                remedy="check owner, name, environment and ref, in their exact case; "
                f"if they are right, {_AGAIN}",
            )
    if not repository.with_ids:
        yield Finding(
            state="note",
            place="subject with ids",
            found="is not checked, since the ids are not given; repositories made, renamed or "
            "moved since 15 July 2026 have no other",
            remedy=f"give --owner-id and --repository-id; {which}",
        )


def _untold(policy: tuple[Statement, ...]) -> str:
    """Every element and condition that keeps a decision from being made."""
    return "; ".join(
        f"{one.place}: {each}" for one in policy for each in (*one.strange, *one.inexact)
    )


def _width(one: Statement, job: Job, account: str) -> Iterator[Finding]:
    """What lets in more than the job."""
    for each in one.strange:
        yield _problem(one, each, "write the statement with the elements that ocelot's has")
    if not one.assumes:
        return
    for each in one.actions:
        if has_wildcard(each):
            yield _problem(one, f"the action {each} is a wildcard", "name the actions")
    for each in one.principals:
        yield from _principal_findings(one, each, account)
    if any(each.account for each in one.principals):
        for each in one.inexact:
            yield _problem(
                one,
                f"{each} is no exact condition",
                f"have {SUBJECT_KEY} and {AUDIENCE_KEY} alone, by StringEquals, without wildcards",
            )
        yield from _audience_findings(one)
        yield from _subject_findings(one, job)


def _principal_findings(one: Statement, principal: Principal, account: str) -> Iterator[Finding]:
    if principal.is_anybody:
        yield _problem(one, "everybody is a principal", f"name GitHub's provider alone; {_AGAIN}")
    elif not principal.account:
        yield _problem(
            one,
            f"the principal {principal} is not GitHub's provider",
            "take it out, unless it is meant to take on the role, too",
        )
    elif account and principal.account != account:
        yield _problem(
            one,
            f"the provider is of account {principal.account}, the role of {account}",
            "name the provider of the role's own account",
        )


def _audience_findings(one: Statement) -> Iterator[Finding]:
    yield from _missing(one, AUDIENCE_KEY, f"add StringEquals {AUDIENCE_KEY} {AUDIENCE}")
    for each in sorted((one.values(AUDIENCE_KEY) or frozenset()) - {AUDIENCE}):
        yield _problem(one, f"tokens for {each} are let in", f"have {AUDIENCE} alone")


def _missing(one: Statement, key: str, remedy: str) -> Iterator[Finding]:
    """The problem that no condition is on a key."""
    if all(each.key != key for each in one.conditions):
        yield _problem(one, f"there is no condition on {key}: any value is let in", remedy)


def _subject_findings(one: Statement, job: Job) -> Iterator[Finding]:
    yield from _missing(one, SUBJECT_KEY, f"have StringEquals {SUBJECT_KEY} with exact subjects")
    for each in sorted((one.values(SUBJECT_KEY) or frozenset()) - set(job.subjects.values())):
        if not job.repository.with_ids and _may_be(each, job):
            yield _problem(
                one,
                f"{each} is let in, whose ids are not known",
                "give --owner-id and --repository-id to have them checked",
            )
        else:
            yield _problem(
                one,
                f"{each} is let in, too",
                "take it out, or check for whom it is meant with --repository, --environment, "
                "--ref",
            )


def _may_be(subject: str, job: Job) -> bool:
    """Whether a subject is a job's, if its ids are the repository's."""
    own = job.repository
    _, _, rest = subject.partition("repo:")
    name, _, context = rest.partition(":")
    owner, _, repository = name.partition("/")
    return (owner.partition("@")[0], repository.partition("@")[0], context) == (
        own.owner,
        own.name,
        job.context,
    )


def _problem(one: Statement, found: str, remedy: str) -> Finding:
    return Finding(state="problem", place=one.place, found=found, remedy=remedy)
