"""What a trust policy means for one job, and whom else it lets in. Pure.

Whatever cannot be told for certain is a problem, never an all-clear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.github.oidc import AUDIENCE
from pipeline.trust.conditions import FITS, Condition, Truth, has_wildcard, like
from pipeline.trust.job import HOST, Job, Token, strangers
from pipeline.trust.policy import Principal, Statement, lets_in

State = Literal["ok", "note", "problem"]

SUBJECT = f"{HOST}:sub"
_AUDIENCE = f"{HOST}:aud"
_TAKES_ON = tuple(f"sts:assumerole{how}" for how in ("", "withwebidentity", "withsaml"))
_AGAIN = "deploy oidc/cloudformation.yaml again, or mend the role's trust policy"


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
    let_in: Truth


def entries(policy: tuple[Statement, ...], job: Job) -> tuple[Entry, ...]:
    """Whether a job is let in, by each form that its subject may have."""
    return tuple(
        Entry(form=form, subject=each, let_in=lets_in(policy, Token(label="job", subject=each)))
        for form, each in job.subjects.items()
    )


def trust_findings(
    policy: tuple[Statement, ...], job: Job, account: str = ""
) -> tuple[Finding, ...]:
    """What there is to say of a trust policy.

    Args:
        policy: its statements.
        job: who is to be let in, and nobody else.
        account: the role's; empty where it is not known.
    """
    return (
        *_entry_findings(policy, job),
        *(each for one in policy if one.allows for each in _width(one, job, account)),
        _stranger_finding(policy, job),
    )


def providers(policy: tuple[Statement, ...], account: str) -> tuple[str, ...]:
    """The ARNs of an account's providers for GitHub that a trust policy names."""
    named = (each for one in policy for each in one.principals)
    return tuple(dict.fromkeys(each.name for each in named if each.account == account))


def provider_finding(arn: str, audiences: Collection[str] | None) -> Finding:
    """What there is to say of a provider.

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


def well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
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
                remedy=f"have {SUBJECT} and {_AUDIENCE} alone decide, by StringEquals",
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
    """What keeps a decision from being told."""
    reasons = [f"{one.place}: {each}" for one in policy for each in one.strange]
    reasons += [
        f"{one.place}: {each}"
        for one in policy
        for each in one.conditions
        if each.key not in (SUBJECT, _AUDIENCE) or not _is_understood(each)
    ]
    return "; ".join(reasons) or "the policy is not understood"


def _width(one: Statement, job: Job, account: str) -> Iterator[Finding]:
    """What makes a statement that allows too wide."""
    for each in one.strange:
        yield _problem(one, each, "write the statement with the elements that ocelot's has")
    if not any(like(each.lower(), way) for each in one.actions for way in _TAKES_ON):
        return
    for each in one.actions:
        if has_wildcard(each):
            yield _problem(one, f"the action {each} is a wildcard", "name the actions")
    for each in one.principals:
        yield from _principal_findings(one, each, account)
    if any(each.account for each in one.principals):
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
    exact = _exact(one, _AUDIENCE)
    if exact is None:
        yield _problem(
            one,
            _open(one, _AUDIENCE, "tokens that were made for others are let in"),
            f"add StringEquals {_AUDIENCE} {AUDIENCE}",
        )
        return
    for each in sorted(exact - {AUDIENCE}):
        yield _problem(one, f"tokens for {each} are let in", f"have {AUDIENCE} alone")


def _subject_findings(one: Statement, job: Job) -> Iterator[Finding]:
    exact = _exact(one, SUBJECT)
    if exact is None:
        yield _problem(
            one,
            _open(one, SUBJECT, "more than one exact subject is let in"),
            f"have StringEquals {SUBJECT} with exact subjects",
        )
        return
    for each in sorted(exact - set(job.subjects.values())):
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


def _exact(one: Statement, key: str) -> frozenset[str] | None:
    """The only values of a key with which a statement applies; None where there are others."""
    sets = [set(each.values) for each in one.conditions if each.key == key and _pins(each)]
    return frozenset(sets[0].intersection(*sets)) if sets else None


def _pins(condition: Condition) -> bool:
    """Whether a condition is met by its values alone, and never without the key."""
    return (
        not condition.if_exists
        and condition.quantifier != "ForAllValues"
        and not condition.has_variables
        and (
            condition.comparison == "StringEquals"
            or (
                condition.comparison == "StringLike"
                and not any(map(has_wildcard, condition.values))
            )
        )
    )


def _is_understood(condition: Condition) -> bool:
    return condition.comparison in FITS and not condition.has_variables


def _open(one: Statement, key: str, meaning: str) -> str:
    own = [str(each) for each in one.conditions if each.key == key]
    why = f"{'; '.join(own)} is no exact condition" if own else f"there is no condition on {key}"
    return f"{why}: {meaning}"


def _stranger_finding(policy: tuple[Statement, ...], job: Job) -> Finding:
    """What becomes of others' tokens that look much like the job's."""
    others = strangers(job)
    answers = {each: lets_in(policy, each) for each in others}
    let_in = dict.fromkeys(each.label for each, answer in answers.items() if answer)
    untold = dict.fromkeys(each.label for each, answer in answers.items() if answer is None)
    told = ""
    if let_in:
        told = f"these are let in, too: {', '.join(let_in)}"
    elif untold:
        told = f"whether these are let in cannot be told: {', '.join(untold)}"
    if told:
        return Finding(state="problem", place="others", found=told, remedy=_AGAIN)
    return Finding(
        state="ok", place="others", found=f"none of {len(others)} tokens of others is let in"
    )


def _problem(one: Statement, found: str, remedy: str) -> Finding:
    return Finding(state="problem", place=one.place, found=found, remedy=remedy)
