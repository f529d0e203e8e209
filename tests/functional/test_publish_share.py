"""`--share`: layers that organisations and accounts may use."""

from __future__ import annotations

import json
from typing import Any

from aws_rules import Call, Rule
from publishing import FRANCE, IRELAND, LAYER, Publishing, json_targets, policy_of
from runs import run_ocelot
from syncing import nothing_to_do, synced

from pipeline.publish.plan import PublishStep

ORG, DEV, OLD = "org:o-a1b2c3d4e5", "account:210987654321", "account:111122223333"
OWN = {ORG: "share-org-o-a1b2c3d4e5", DEV: "share-account-210987654321"}
BY_HAND = {"Action": "lambda:GetLayerVersion", "Principal": "999999999999"}


def shares(*grantees: str) -> list[str]:
    return [f"--share={each}" for each in grantees]


def statements(publishing: Publishing, region: str = IRELAND, layer: str = LAYER) -> dict[str, Any]:
    """The statements of a layer's first version, by id."""
    text = policy_of(publishing.client(region), layer, 1)
    return {each["Sid"]: each for each in json.loads(text)["Statement"]} if text else {}


def add_by_hand(publishing: Publishing, sid: str, *, layer: str = LAYER, **more: str) -> None:
    publishing.client().add_layer_version_permission(
        LayerName=layer, VersionNumber=1, StatementId=sid, **{**BY_HAND, **more}
    )


def changes(publishing: Publishing) -> list[tuple[str, str]]:
    """The writing calls for a policy in Ireland, with the statement that each removes."""
    return [
        (call.operation.removesuffix("LayerVersionPermission"), call.name.statement)
        for call in publishing.writes()
        if call.operation.endswith("LayerVersionPermission") and call.region == IRELAND
    ]


def test_each_layer_is_shared_with_those_named_and_the_row_names_them(
    publishing: Publishing,
) -> None:
    ran = publishing.ocelot(*shares(ORG, DEV, ORG), "--json")
    assert ran.code == 0, ran.err
    for target in json_targets(ran).values():
        assert target["done"] == ["publish", "share", "record"]
        assert (target["public"], target["shared"]) == (False, [DEV, ORG])
    found = statements(publishing, FRANCE)
    assert set(found) == set(OWN.values())
    assert found[OWN[DEV]]["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    organisation = found[OWN[ORG]]
    assert organisation["Principal"] == "*"
    assert organisation["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    row = publishing.state(FRANCE, publishing.packages()[0]).row
    assert row is not None
    assert (row.public, row.shared_with) == (False, (DEV, ORG))
    publishing.aws.forget()
    again = publishing.ocelot(*shares(DEV, ORG), "--json")
    assert (again.code, publishing.writes()) == (0, [])
    assert nothing_to_do(publishing)


def test_missing_shares_are_added_own_stale_ones_removed_and_others_left_alone(
    publishing: Publishing,
) -> None:
    publishing.publish(public=True, share=(OLD, DEV))
    add_by_hand(publishing, "by-hand")
    publishing.aws.forget()
    ran = publishing.ocelot(*shares(DEV, ORG), "--json")
    assert ran.code == 0, ran.err
    assert set(statements(publishing)) == {"publish", "by-hand", *OWN.values()}
    done = changes(publishing)  # of two layers at once: each removes first
    assert sorted(done) == [("Add", "")] * 2 + [("Remove", "share-account-111122223333")] * 2
    assert (done[0][0], done[-1][0]) == ("Remove", "Add")
    target = json_targets(ran)[f"{IRELAND} amd64"]
    assert (target["action"], target["public"]) == ("reuse, share, record", True)
    assert target["shared"] == [DEV, "account:999999999999", ORG]
    (note,) = target["notes"]
    assert "`by-hand`" in note


def test_without_share_nothing_changes_and_none_removes_only_own_statements(
    publishing: Publishing,
) -> None:
    publishing.publish(public=None, share=(DEV, ORG))
    add_by_hand(publishing, "by-hand")
    publishing.publish(public=None)
    assert set(statements(publishing)) == {"by-hand", *OWN.values()}
    ran = publishing.ocelot("--share", "none", "--json")
    assert ran.code == 0, ran.err
    assert set(statements(publishing)) == {"by-hand"}
    row = publishing.state(IRELAND, publishing.packages()[0]).row
    assert row is not None
    assert row.shared_with == ("account:999999999999",)
    other = publishing.state(FRANCE, publishing.packages()[0]).row
    assert other is not None
    assert other.shared_with == ()
    assert nothing_to_do(publishing)


def test_making_private_keeps_the_shares(publishing: Publishing) -> None:
    publishing.publish(public=True, share=(DEV,))
    assert set(statements(publishing)) == {"publish", OWN[DEV]}
    publishing.publish(public=False)
    assert set(statements(publishing)) == {OWN[DEV]}


def test_a_dry_run_shows_what_would_change_and_writes_nothing(publishing: Publishing) -> None:
    publishing.publish(public=None, share=(OLD,))
    publishing.aws.forget()
    ran = publishing.ocelot(*shares(ORG), "--dry-run", "--json")
    assert publishing.writes() == []
    for target in json_targets(ran).values():
        assert target["steps"] == ["share", "record"]
        assert (target["public"], target["shared"]) == (False, [ORG])
    ran = publishing.ocelot(*shares(ORG), "--dry-run")
    assert "reuse, share, record" in ran.out
    assert f"share with {ORG}, no longer with {OLD}" in ran.out


def test_what_is_no_organisation_or_account_is_refused_before_any_call(
    publishing: Publishing,
) -> None:
    for wrong in (shares("o-a1b2c3d4e5"), shares("none", ORG), shares("")):
        ran = publishing.ocelot(*wrong)
        assert ran.code == 2
        assert "--share" in ran.err
    assert publishing.aws.calls() == []


def test_a_policy_that_is_too_long_says_so_and_fewer_shares_complete_the_run(
    publishing: Publishing,
) -> None:
    publishing.regions = [IRELAND]
    publishing.publish(public=None)
    by_hand = {f"share-by-hand-{number:012}" for number in range(80)}
    for layer in (LAYER, LAYER.replace("amd64", "arm64")):
        for sid in by_hand:
            add_by_hand(publishing, sid, layer=layer)
    many = [f"account:{number:012}" for number in range(20)]
    ran = publishing.ocelot(*shares(*many), "--json")
    assert ran.code == 12
    target = json_targets(ran)[f"{IRELAND} amd64"]
    assert target["done"] == []
    assert "PolicyLengthExceeded" in target["error"]
    assert "20 KB" in target["error"]
    assert len(statements(publishing)) > len(by_hand)
    again = publishing.ocelot(*shares(ORG), "--json")
    assert again.code == 0, again.err
    assert set(statements(publishing)) == {OWN[ORG], *by_hand}


def test_an_own_statement_that_somebody_changed_is_replaced(publishing: Publishing) -> None:
    publishing.publish(public=None)
    add_by_hand(publishing, OWN[DEV])
    done = publishing.publish(public=None, share=(DEV,))
    assert all(each.succeeded for each in done.outcomes)
    principal = statements(publishing)[OWN[DEV]]["Principal"]
    assert principal == {"AWS": "arn:aws:iam::210987654321:root"}


def test_another_publisher_may_have_added_the_same_statement(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]
    publishing.publish(public=None)
    package = publishing.packages()[0]

    def share_first(_: Call) -> None:
        add_by_hand(publishing, OWN[DEV], Principal="210987654321")

    publishing.aws.rules(Rule(operation="AddLayerVersionPermission", times=1, before=share_first))
    done = publishing.publish(public=None, share=(DEV,), packages=(package,))
    assert [each.error for each in done.outcomes] == [""]
    assert set(statements(publishing)) == {OWN[DEV]}


def test_a_share_that_another_publisher_takes_away_is_a_failure(publishing: Publishing) -> None:
    publishing.regions = [IRELAND]

    def take_away(_: Call) -> None:
        publishing.client().remove_layer_version_permission(
            LayerName=LAYER, VersionNumber=1, StatementId=OWN[DEV]
        )

    added = Rule(operation="AddLayerVersionPermission", times=1, after=take_away)
    publishing.aws.rules(added)
    package = publishing.packages()[0]
    (done,) = publishing.publish(public=None, share=(DEV,), packages=(package,)).outcomes
    assert done.done == (PublishStep.PUBLISH,)
    assert "is not shared as requested" in done.error
    assert done.shared_with == ()
    (done,) = publishing.publish(public=None, share=(DEV,), packages=(package,)).outcomes
    assert (done.error, done.shared_with) == ("", (DEV,))


def test_rows_follow_shares_that_were_changed_by_hand(publishing: Publishing) -> None:
    publishing.publish(public=None, share=(DEV, ORG))
    add_by_hand(publishing, "by-hand")
    publishing.client(FRANCE).remove_layer_version_permission(
        LayerName=LAYER, VersionNumber=1, StatementId=OWN[DEV]
    )
    done = synced(publishing)
    both = f"{DEV}, {ORG}"
    assert sorted(each.why for each in done.repairs) == sorted(
        [
            f"shared_with: {both} -> {ORG}",
            f"shared_with: {both} -> {DEV}, account:999999999999, {ORG}",
        ]
    )
    assert nothing_to_do(publishing)


def test_the_registrys_commands_show_who_may_use_a_layer(publishing: Publishing) -> None:
    publishing.publish(public=None, share=(DEV, ORG))

    def ocelot(*arguments: str) -> str:
        ran = run_ocelot(
            *("layers", *arguments),
            cache=publishing.folder / "cache",
            env=publishing.aws.environment(),
            cwd=publishing.folder,
        )
        assert ran.code == 0, ran.err
        return ran.out

    row = publishing.state(IRELAND, publishing.packages()[0]).row
    assert row is not None
    for command in (("list",), ("history", "-d", "minimal")):
        assert f"{DEV}, {ORG}" in ocelot(*command)
        assert json.loads(ocelot(*command, "--json"))[0]["shared_with"] == [DEV, ORG]
    assert f"{DEV}; {ORG}" in ocelot("show", str(row.arn))
