"""From asking for a vault to the decision."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.approvals.models import Decision
from portal.approvals.policy import OPEN_FOR
from portal.approvals.states import RequestState
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.core.errors import (
    ContentChanged,
    DomainError,
    Invalid,
    NameTaken,
    NotAllowed,
    NotFound,
    OwnRequest,
    StaleState,
)
from portal.core.times import for_people
from portal.notifications.models import Notification
from tests.at_once import at_once
from tests.factories import as_actor, member_of, person
from tests.rows import now
from tests.vaults.factories import Ask
from tests.vaults.pages import text_of, window
from vaults.models import NameReservation, Operation, Region, Vault, VaultRequest
from vaults.requests import vault_requests
from vaults.states import VaultState

Decide = Callable[..., VaultRequest]
COMMENTS = ["x", "", "a\0b"]  # whoever may not decide does not learn what a comment has to be like
DECISIONS = [vault_requests.approve, vault_requests.reject, vault_requests.cancel]
Sent = list[tuple[str, tuple[Any, ...]]]


def entries() -> dict[str, str]:
    """Notifications by title, with their audience."""
    return {
        entry.title: "approvers" if entry.for_approvers else str(entry.subscription)
        for entry in Notification.objects.select_related("subscription")
    }


def test_an_approved_request_makes_a_vault(ask: Ask, decider: Actor) -> None:
    request = ask()
    approved = vault_requests.approve(request.pk, actor=decider, comment=" Fine ", digest=request.digest)
    vault = Vault.objects.get()
    assert (approved.state, approved.vault, now(request).vault) == (RequestState.APPROVED, vault, vault)
    assert (vault.state, vault.name, vault.region.slug, vault.redundancy) == (
        VaultState.CREATING,
        "Payroll",
        "local-a",
        "geo",
    )
    decision = Decision.objects.get()
    assert (decision.verdict, decision.by, decision.comment, decision.digest) == (
        "approve",
        decider.user,
        "Fine",
        request.digest,
    )
    assert list(AuditEvent.objects.exclude(action="region:add").order_by("id").values_list("action", flat=True)) == [
        "vault-request:submit",
        "vault-request:approved",
        "vault:create",
    ]


@pytest.mark.django_db(transaction=True)
def test_the_work_is_handed_over_with_the_approval(ask: Ask, decider: Actor, no_broker: Sent) -> None:
    request = ask()
    assert no_broker == []
    vault_requests.approve(request.pk, actor=decider, comment="", digest=request.digest)
    assert no_broker == [("vaults.run_operation", (str(Operation.objects.get().pk),))]


def test_the_name_stays_reserved_after_approval(ask: Ask, decider: Actor) -> None:
    request = ask()
    vault_requests.approve(request.pk, actor=decider, comment="", digest=request.digest)
    with pytest.raises(NameTaken):
        ask("PAYROLL", reason="Another one")


def test_people_are_told(ask: Ask, decider: Actor) -> None:
    first, second = ask(), ask("Archive")
    asked = 'staff requests vault "{}" in Default.'
    assert entries() == {asked.format("Payroll"): "approvers", asked.format("Archive"): "approvers"}
    vault_requests.approve(first.pk, actor=decider, comment="", digest=first.digest)
    vault_requests.reject(second.pk, actor=decider, comment="Too early", digest=second.digest)
    assert entries() == {
        'Creating vault "Payroll"': "Default",
        'The request for vault "Archive" was rejected.': "Default",
    }


@pytest.mark.parametrize("end", ["reject", "cancel", "expire"])
def test_the_name_is_free_again_after_a_no(ask: Ask, decider: Actor, requester: Actor, end: str) -> None:
    request = ask()
    if end == "reject":
        vault_requests.reject(request.pk, actor=decider, comment="No", digest=request.digest)
    elif end == "cancel":
        vault_requests.cancel(request.pk, actor=requester, comment="", digest=request.digest)
    else:
        VaultRequest.objects.update(requested_at=timezone.now() - OPEN_FOR - timedelta(seconds=1))
        assert vault_requests.expire(10) == 1
    assert NameReservation.objects.count() == 0
    assert ask("payroll").state == RequestState.PENDING


def test_requests_expire_when_nobody_decides(ask: Ask) -> None:
    old, young = ask(), ask("Young")
    VaultRequest.objects.filter(pk=old.pk).update(requested_at=timezone.now() - OPEN_FOR - timedelta(seconds=1))
    assert (vault_requests.expire(10), vault_requests.expire(10)) == (1, 0)
    assert (now(old).state, now(young).state) == (RequestState.EXPIRED, RequestState.PENDING)
    assert entries()['The request for vault "Payroll" has expired.'] == "Default"


@pytest.mark.parametrize("decide", DECISIONS)
def test_nothing_is_decided_after_its_time_even_before_the_sweep_comes(
    ask: Ask, approver: User, decide: Decide
) -> None:
    request = ask()
    actor = as_actor(approver) if decide != vault_requests.cancel else as_actor(request.requested_by)
    asked_at = timezone.now().replace(microsecond=0) - OPEN_FOR
    VaultRequest.objects.update(requested_at=asked_at)
    with pytest.raises(StaleState) as refused:
        decide(request.pk, actor=actor, comment="x", digest=request.digest)
    assert refused.value.message == (
        f"This request could be decided until {for_people(asked_at + OPEN_FOR)}; now it expires."
    )
    assert vault_requests.workflow.why_not(as_actor(approver), now(request)) == "Nobody decided in time."
    assert (now(request).state, Decision.objects.count(), Vault.objects.count()) == (RequestState.PENDING, 0, 0)


@pytest.mark.parametrize("decide", DECISIONS)
@pytest.mark.parametrize("state", [state for state in RequestState if state != RequestState.PENDING])
def test_what_is_decided_stays_decided(ask: Ask, approver: User, state: str, decide: Decide) -> None:
    request = ask()
    actor = as_actor(approver) if decide != vault_requests.cancel else as_actor(request.requested_by)
    VaultRequest.objects.update(state=state)
    with pytest.raises(StaleState):
        decide(request.pk, actor=actor, comment="x", digest=request.digest)
    assert (now(request).state, Decision.objects.count(), Vault.objects.count()) == (state, 0, 0)


@pytest.mark.parametrize("decide", [vault_requests.approve, vault_requests.reject])
def test_nobody_decides_on_their_own_request(ask: Ask, staff: User, decide: Decide) -> None:
    User.objects.update(is_approver=True)
    staff.refresh_from_db()
    request = ask()
    assert vault_requests.workflow.why_not(as_actor(staff), request) != ""
    VaultRequest.objects.filter(pk=request.pk).update(reason=request.reason)
    with pytest.raises(OwnRequest):
        decide(request.pk, actor=as_actor(staff), comment="x", digest=request.digest)
    assert now(request).state == RequestState.PENDING


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("decide", "who", "action"),
    [
        (vault_requests.approve, "staff", "vault-request:decide"),
        (vault_requests.cancel, "approver", "vault-request:cancel"),
    ],
)
def test_a_refusal_is_in_the_log(ask: Ask, staff: User, approver: User, decide: Decide, who: str, action: str) -> None:
    request = ask()
    person = {"staff": staff, "approver": approver}[who]
    with pytest.raises(NotAllowed):
        decide(request.pk, actor=as_actor(person), comment="", digest=request.digest)
    event = AuditEvent.objects.get(refused=True)
    assert (event.action, event.target_id, event.actor) == (action, str(request.pk), person)
    assert event.detail == {"code": "not_allowed"}


@pytest.mark.parametrize("decide", DECISIONS)
@pytest.mark.parametrize("comment", COMMENTS)
def test_outsiders_find_nothing(ask: Ask, outsider: User, decide: Decide, comment: str) -> None:
    request = ask()
    for pk in (request.pk, uuid4()):
        with pytest.raises(NotFound):
            decide(pk, actor=as_actor(outsider), comment=comment, digest=request.digest)


@pytest.mark.parametrize("decide", [vault_requests.approve, vault_requests.reject])
@pytest.mark.parametrize("comment", COMMENTS)
def test_only_approvers_decide(ask: Ask, auditor: User, administrator: User, decide: Decide, comment: str) -> None:
    request = ask()
    colleague = member_of(request.subscription)
    for user in (colleague, auditor):
        with pytest.raises(NotAllowed) as refused:
            decide(request.pk, actor=as_actor(user), comment=comment, digest=request.digest)
        assert not isinstance(refused.value, OwnRequest)
    with pytest.raises(NotFound):
        decide(request.pk, actor=as_actor(administrator), comment=comment, digest=request.digest)


def test_only_the_requester_cancels(ask: Ask, approver: User) -> None:
    request = ask()
    with pytest.raises(NotAllowed):
        vault_requests.cancel(request.pk, actor=as_actor(approver), comment="", digest=request.digest)


@pytest.mark.parametrize("decide", DECISIONS)
def test_tokens_that_may_read_decide_nothing(ask: Ask, approver: User, staff: User, decide: Decide) -> None:
    request = ask()
    user = staff if decide == vault_requests.cancel else approver
    reader = Actor(label=user.username, via=Via.TOKEN, user=user, read_only=True)
    with pytest.raises(NotAllowed):
        decide(request.pk, actor=reader, comment="x", digest=request.digest)


@pytest.mark.parametrize("decide", DECISIONS)
@pytest.mark.parametrize("digest", ["", "0" * 64, "ä", "\ud800"])
def test_a_decision_is_bound_to_what_was_seen(ask: Ask, approver: User, decide: Decide, digest: str) -> None:
    request = ask()
    actor = as_actor(approver) if decide != vault_requests.cancel else as_actor(request.requested_by)
    with pytest.raises(ContentChanged):
        decide(request.pk, actor=actor, comment="x", digest=digest)
    assert now(request).state == RequestState.PENDING


@pytest.mark.parametrize(("column", "value"), [("name", "Other"), ("redundancy", "local"), ("reason", "More")])
def test_a_change_behind_the_scenes_shows(ask: Ask, decider: Actor, column: str, value: str) -> None:
    request = ask()
    VaultRequest.objects.update(**{column: value})
    with pytest.raises(ContentChanged):
        vault_requests.approve(request.pk, actor=decider, comment="", digest=request.digest)


@pytest.mark.parametrize("comment", ["", "  ", "x" * 2001, "a\0b"])
def test_a_no_needs_a_comment_that_can_be_kept(ask: Ask, decider: Actor, comment: str) -> None:
    request = ask()
    with pytest.raises(Invalid) as refused:
        vault_requests.reject(request.pk, actor=decider, comment=comment, digest=request.digest)
    assert list(refused.value.errors) == ["comment"]


def test_a_region_that_was_closed_meanwhile_gets_no_vault(ask: Ask, decider: Actor) -> None:
    request = ask()
    Region.objects.update(enabled=False)
    with pytest.raises(StaleState):
        vault_requests.approve(request.pk, actor=decider, comment="", digest=request.digest)
    assert now(request).state == RequestState.PENDING


@pytest.fixture(params=["closed", "gone"])
def no_pair(ask: Ask, request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> VaultRequest:
    """A request for a geo-redundant vault, whose paired region was closed, or left the regions file, since."""
    asked = ask()
    if request.param == "closed":
        Region.objects.filter(slug="local-b").update(enabled=False)
    else:
        settings.REGIONS_FILE = tmp_path / "regions.toml"
        settings.REGIONS_FILE.write_text('[[region]]\nslug = "local-a"\nname = "Local A"\nremote = "/srv/a"\n')
    return asked


def test_a_pair_that_takes_no_copies_any_more_gets_none(no_pair: VaultRequest, decider: Actor, approver: User) -> None:
    with pytest.raises(StaleState, match="Local A has no open paired region"):
        vault_requests.approve(no_pair.pk, actor=decider, comment="", digest=no_pair.digest)
    assert (now(no_pair).state, Vault.objects.count(), Decision.objects.count()) == (RequestState.PENDING, 0, 0)
    body = {"verdict": "approve", "comment": "", "digest": no_pair.digest}
    response = window(approver).post(f"/requests/{no_pair.pk}/", body)
    assert response.status_code == 409
    assert "Local A has no open paired region" in text_of(response)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "x"}),
        ("redundancy", {"redundancy": "both"}),
        ("reason", {"reason": " "}),
        ("reason", {"reason": "x" * 2001}),
        ("reason", {"reason": "a\0b"}),
        ("reason", {"reason": "\ud800"}),
    ],
)
def test_what_cannot_be_asked_for(ask: Ask, field: str, changes: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        ask(**changes)
    assert list(refused.value.errors) == [field]
    assert VaultRequest.objects.count() == 0


def test_a_closed_region_takes_no_requests(ask: Ask, regions: tuple[Region, Region]) -> None:
    regions[0].enabled = False
    with pytest.raises(Invalid) as refused:
        ask()
    assert list(refused.value.errors) == ["region"]


def test_geo_redundancy_needs_an_open_pair(ask: Ask) -> None:
    Region.objects.filter(slug="local-b").update(enabled=False)
    with pytest.raises(Invalid) as refused:
        ask()
    assert list(refused.value.errors) == ["redundancy"]
    assert ask(redundancy="local").state == RequestState.PENDING


def test_outsiders_and_onlookers_ask_for_nothing(ask: Ask, outsider: User, approver: User) -> None:
    for user, error in ((outsider, NotFound), (approver, NotAllowed)):
        with pytest.raises(error):
            ask(actor=as_actor(user))


def test_the_same_twice_within_seconds_is_one_request(ask: Ask) -> None:
    assert ask().pk == ask().pk
    with pytest.raises(NameTaken):
        ask(reason="Something else")
    VaultRequest.objects.update(requested_at=timezone.now() - timedelta(minutes=1))
    with pytest.raises(NameTaken):
        ask()


def test_the_same_name_is_free_in_another_subscription(ask: Ask, staff: User) -> None:
    other = Subscription.objects.create(name="Other")
    Membership.objects.create(user=staff, subscription=other)
    assert ask().pk != ask(subscription=other).pk


def test_who_can_decide(ask: Ask, approver: User, staff: User) -> None:
    person("second", is_approver=True)
    person("gone", is_approver=True, is_active=False)
    User.objects.filter(pk=staff.pk).update(is_approver=True)
    assert [user.username for user in vault_requests.workflow.deciders(ask())] == ["approver", "second"]


@pytest.mark.django_db(transaction=True)
def test_of_two_approvers_at_once_one_wins(ask: Ask, approver: User) -> None:
    request, other = ask(), person("other", is_approver=True)
    outcomes = at_once(
        [
            lambda: vault_requests.approve(request.pk, actor=as_actor(approver), comment="", digest=request.digest),
            lambda: vault_requests.reject(request.pk, actor=as_actor(other), comment="No", digest=request.digest),
        ]
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, VaultRequest)]
    assert [type(outcome) for outcome in outcomes if outcome not in winners] == [StaleState]
    assert (now(request).state, Decision.objects.count()) == (winners[0].state, 1)
    assert Vault.objects.count() == (winners[0].state == RequestState.APPROVED)


@pytest.mark.django_db(transaction=True)
def test_of_many_approvals_at_once_one_vault_comes(ask: Ask, approver: User) -> None:
    request = ask()
    people = [person(f"approver-{number}", is_approver=True) for number in range(6)]

    def approval(user: User) -> Callable[[], VaultRequest]:
        return lambda: vault_requests.approve(request.pk, actor=as_actor(user), comment="", digest=request.digest)

    outcomes = at_once([approval(user) for user in people])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["StaleState"] * 5 + ["VaultRequest"]
    assert (Vault.objects.count(), Operation.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_for_one_name_at_once_one_gets_it(ask: Ask, subscription: Subscription, staff: User) -> None:
    people = [staff]
    for number in range(5):
        people.append(member_of(subscription, f"staff-{number}"))
    names = ["Payroll", "payroll", "PAYROLL", "PayRoll", "pAYROLL", "payrolL"]

    def asking(user: User, name: str) -> Callable[[], VaultRequest]:
        return lambda: ask(name, actor=as_actor(user))

    outcomes = at_once([asking(user, name) for user, name in zip(people, names, strict=True)])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken"] * 5 + ["VaultRequest"]
    assert (VaultRequest.objects.count(), NameReservation.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_request(ask: Ask) -> None:
    outcomes = at_once([lambda: ask().pk] * 4)
    assert VaultRequest.objects.count() == 1
    taken = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert all(isinstance(outcome, DomainError) for outcome in taken)
    assert {outcome for outcome in outcomes if outcome not in taken} == {VaultRequest.objects.get().pk}
