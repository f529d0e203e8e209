"""Compare a trust policy with the one job that it should accept. Pure.

Subjects and audiences are compared as sets. Any other condition is reported as a problem that names
it: the check never passes on something that it does not understand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.registry.table import TableFault
from pipeline.trust.job import DEFAULT_CLAIMS, GitHubRepository, Job
from pipeline.trust.policy import (
    AUDIENCE_KEY,
    SUBJECT_KEY,
    WORKFLOW_KEY,
    Principal,
    Statement,
    accepts,
    has_wildcard,
    visible,
)
from pipeline.trust.token import AUDIENCE

State = Literal["ok", "note", "problem"]

_AGAIN = "deploy oidc/cloudformation.yaml again, or fix the role's trust policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustFinding:
    """The result of one check.

    Attributes:
        place: a statement, a form of the subject, the provider or the table.
        found: a sentence on what is right or wrong there.
        remedy: what to do next; empty for nothing.
    """

    state: State
    place: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectDecision:
    """The policy's decision on one form of a job's subject.

    Attributes:
        form: `names` or `ids`.
        let_in: True if it is accepted; None if it is undecided.
    """

    form: str
    subject: str
    let_in: bool | None


def subject_decisions(policy: tuple[Statement, ...], job: Job) -> tuple[SubjectDecision, ...]:
    """Return the policy's decision on each form of the job's subject."""
    return tuple(
        SubjectDecision(form=form, subject=each, let_in=accepts(policy, each, job.workflow))
        for form, each in job.subjects.items()
    )


def trust_findings(
    policy: tuple[Statement, ...], job: Job, account: str = ""
) -> tuple[TrustFinding, ...]:
    """Return what is right and what is wrong with a trust policy.

    Args:
        policy: its statements.
        job: the only job that the policy should accept.
        account: the role's; empty if it is not known.
    """
    return (
        *_job_findings(policy, job),
        *(each for one in policy if one.effect != "Deny" for each in _excess(one, job, account)),
    )


def providers(policy: tuple[Statement, ...], account: str) -> tuple[str, ...]:
    """Return the ARNs of an account's OIDC providers for GitHub that a trust policy names."""
    named = (each for one in policy for each in one.principals)
    return tuple(dict.fromkeys(each.name for each in named if each.account == account))


def provider_finding(arn: str, audiences: Collection[str] | None) -> TrustFinding:
    """Return the finding on a provider, which must exist and accept tokens for AWS.

    Args:
        arn: its ARN.
        audiences: that it accepts; None if there is no such provider.
    """
    if audiences is None:
        return TrustFinding(
            state="problem",
            place="provider",
            found=f"there is no provider {arn}",
            remedy="deploy oidc/cloudformation.yaml without ProviderArn, which makes it",
        )
    if AUDIENCE not in audiences:
        return TrustFinding(
            state="problem",
            place="provider",
            found=f"{arn} accepts no tokens for {AUDIENCE}",
            remedy="aws iam add-client-id-to-open-id-connect-provider "
            f"--open-id-connect-provider-arn {arn} --client-id {AUDIENCE}",
        )
    return TrustFinding(state="ok", place="provider", found=f"{arn} accepts tokens for {AUDIENCE}")


def table_findings(name: str, faults: Iterable[TableFault]) -> tuple[TrustFinding, ...]:
    """Return the findings on the registry's table: its faults, or that it has none."""
    return tuple(
        TrustFinding(state="problem", place="table", found=each.message, remedy=each.hint)
        for each in faults
    ) or (TrustFinding(state="ok", place="table", found=f"{name} has the expected shape"),)


def is_right(findings: Iterable[TrustFinding]) -> bool:
    """True if no finding is a problem."""
    return all(each.state != "problem" for each in findings)


def _job_findings(policy: tuple[Statement, ...], job: Job) -> Iterator[TrustFinding]:
    """Yield the findings on the job itself."""
    found = subject_decisions(policy, job)
    one_is_accepted = any(each.let_in for each in found)
    repository = job.repository
    which = f"gh api repos/{repository}/actions/oidc/customization/sub shows the form GitHub uses"
    for each in found:
        place, subject = f"subject with {each.form}", visible(each.subject)
        not_accepted = f"{subject} is not accepted"
        if each.let_in:
            yield TrustFinding(state="ok", place=place, found=f"{subject} is accepted")
        elif each.let_in is None:
            yield TrustFinding(
                state="problem",
                place=place,
                found=f"no decision on {subject}: {_undecided(policy, job)}",
                remedy=_decide(policy),
            )
        elif one_is_accepted:
            yield TrustFinding(state="note", place=place, found=not_accepted, remedy=which)
        else:
            yield TrustFinding(
                state="problem",
                place=place,
                found=not_accepted,
                remedy="check owner, name, environment, ref and workflow, in their exact case; "
                f"if they are right, {_AGAIN}",
            )
    if job.claims != DEFAULT_CLAIMS:
        yield from _template_findings(job)
    elif not repository.with_ids:
        yield TrustFinding(
            state="note",
            place="subject with ids",
            found="is not checked, since the ids are not given; repositories made, renamed or "
            "moved since 15 July 2026 have no other form",
            remedy=f"give --owner-id and --repository-id; {which}",
        )


def _template_findings(job: Job) -> Iterator[TrustFinding]:
    """Yield the findings on a subject that is made of other claims than GitHub's default."""
    claims = ", ".join(map(visible, job.claims))
    if not job.unknown_claims:
        yield TrustFinding(
            state="note",
            place="template",
            found=f"GitHub makes this repository's subjects of the claims {claims}",
        )
        return
    yield TrustFinding(
        state="problem",
        place="template",
        found=f"GitHub makes this repository's subjects of the claims {claims}; the values of "
        f"{', '.join(map(visible, job.unknown_claims))} are not known, so they cannot be checked",
        remedy="give the ids with --owner-id and --repository-id if they are meant; other claims "
        "are not supported: return to the default by gh api -X PUT "
        f"repos/{job.repository}/actions/oidc/customization/sub -F use_default=true",
    )


def unknown_template(repository: GitHubRepository) -> TrustFinding:
    """Return the finding that it is not known of which claims GitHub makes the subjects."""
    return TrustFinding(
        state="note",
        place="template",
        found="gh cannot read of which claims GitHub makes this repository's subjects; its default "
        "is assumed",
        remedy="install gh and log in, or have them shown where it is: "
        f"gh api repos/{repository}/actions/oidc/customization/sub",
    )


def _undecided(policy: tuple[Statement, ...], job: Job) -> str:
    """Return everything that leaves the decision open, as one text."""
    open_ = [f"{one.place}: {each}" for one in policy for each in (*one.unsupported, *one.inexact)]
    if not job.workflow:
        open_ += [
            f"{one.place} is about jobs of {', '.join(map(visible, sorted(named)))}"
            for one in policy
            if (named := one.values(WORKFLOW_KEY)) is not None
        ]
    return "; ".join(open_)


def _decide(policy: tuple[Statement, ...]) -> str:
    """Return the remedy where there is no decision."""
    if any(one.unsupported or one.inexact for one in policy):
        return (
            f"use conditions on {SUBJECT_KEY}, {AUDIENCE_KEY} and {WORKFLOW_KEY} only, by "
            "StringEquals"
        )
    return "give the workflow that has the job: --workflow"


def _excess(one: Statement, job: Job, account: str) -> Iterator[TrustFinding]:
    """Yield the problems of a statement that may accept more than the job."""
    for each in one.unsupported:
        yield _problem(one, each, "use only the elements of the statement in oidc/")
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
                f"use {SUBJECT_KEY}, {AUDIENCE_KEY} and {WORKFLOW_KEY} only, by StringEquals, "
                "without wildcards",
            )
        yield from _audience_findings(one)
        yield from _subject_findings(one, job)
        yield from _workflow_findings(one, job)


def _principal_findings(
    one: Statement, principal: Principal, account: str
) -> Iterator[TrustFinding]:
    if principal.is_everyone:
        yield _problem(one, "the principal is *", f"name only GitHub's provider; {_AGAIN}")
    elif not principal.account:
        yield _problem(
            one,
            f"the principal {principal} is not GitHub's provider",
            "remove it, unless it should be able to assume the role, too",
        )
    elif account and principal.account != account:
        yield _problem(
            one,
            f"the provider is of account {principal.account}, the role of {account}",
            "name the provider of the role's account",
        )


def _audience_findings(one: Statement) -> Iterator[TrustFinding]:
    yield from _missing(one, AUDIENCE_KEY, f"add StringEquals {AUDIENCE_KEY} {AUDIENCE}")
    for each in sorted((one.values(AUDIENCE_KEY) or frozenset()) - {AUDIENCE}):
        yield _problem(one, f"tokens for {visible(each)} are accepted", f"accept {AUDIENCE} only")


def _missing(one: Statement, key: str, remedy: str) -> Iterator[TrustFinding]:
    """Yield a problem if no condition is on a key."""
    if all(each.key != key for each in one.conditions):
        yield _problem(one, f"there is no condition on {key}: any value is accepted", remedy)


def _subject_findings(one: Statement, job: Job) -> Iterator[TrustFinding]:
    yield from _missing(one, SUBJECT_KEY, f"add StringEquals {SUBJECT_KEY} with exact subjects")
    for each in sorted((one.values(SUBJECT_KEY) or frozenset()) - set(job.subjects.values())):
        if has_wildcard(each):
            yield TrustFinding(
                state="note",
                place=one.place,
                found=f"{visible(each)} lets no job in: StringEquals takes * and ? literally",
                remedy="name each subject in full",
            )
        elif each.strip() in job.subjects.values():
            yield _problem(
                one,
                f"{visible(each)} lets no job in: it begins or ends with a blank",
                "remove the blank",
            )
        elif not job.repository.with_ids and _may_be(each, job):
            yield _problem(
                one,
                f"{visible(each)} is accepted, but its ids are not known",
                "give --owner-id and --repository-id to have them checked",
            )
        else:
            yield _problem(
                one,
                f"{visible(each)} is accepted, too",
                "remove it, or check its job with --repository, --environment, --ref",
            )


def _workflow_findings(one: Statement, job: Job) -> Iterator[TrustFinding]:
    """Yield notes on the workflows whose jobs are accepted; the subject limits them already."""
    named = one.values(WORKFLOW_KEY)
    if named is None and job.workflow:
        yield TrustFinding(
            state="note",
            place=one.place,
            found="any workflow with such a job is accepted",
            remedy=f"to accept {visible(job.workflow)} only, give it as WorkflowRefs to "
            "oidc/cloudformation.yaml",
        )
    for each in sorted((named or frozenset()) - {job.workflow}):
        if job.workflow:
            yield TrustFinding(
                state="note",
                place=one.place,
                found=f"jobs of {visible(each)} are accepted, too",
                remedy="remove it from WorkflowRefs when nothing calls it any more",
            )


def _may_be(subject: str, job: Job) -> bool:
    """True if a subject is the job's, whatever the ids in it."""
    _, _, rest = subject.partition("repo:")
    name, _, context = rest.partition(":")
    without_ids = "/".join(part.partition("@")[0] for part in name.split("/"))
    return (without_ids, context) == (str(job.repository), job.context)


def _problem(one: Statement, found: str, remedy: str) -> TrustFinding:
    return TrustFinding(state="problem", place=one.place, found=found, remedy=remedy)
