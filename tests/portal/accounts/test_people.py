"""Changes to people, subscriptions and memberships: who may, what is refused, and that each is audited."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.accounts import people, subscriptions, tokens
from portal.accounts.authentication import Password
from portal.accounts.models import Membership, Subscription, User
from portal.accounts.people import LastAdministrator, Roles
from portal.audit.models import AuditEvent
from portal.core.actor import SYSTEM, Actor, Via
from portal.core.errors import Invalid, NotAllowed, StaleState
from tests.factories import PASSWORD, as_actor, person

GOOD = "a long enough sentence"


def told() -> list[tuple[str, str, dict[str, Any]]]:
    return [(event.action, event.target_label, event.detail) for event in AuditEvent.objects.order_by("id")]


def rows() -> tuple[list[tuple[Any, ...]], int, int]:
    return list(User.objects.order_by("pk").values_list()), Subscription.objects.count(), Membership.objects.count()


CHANGES: list[Callable[[Actor, User, Subscription], object]] = [
    lambda actor, user, subscription: people.create_user(actor, "new", GOOD),
    lambda actor, user, subscription: people.describe_user(actor, user, full_name="X", email=""),
    lambda actor, user, subscription: people.set_roles(actor, user, Roles(is_administrator=True)),
    lambda actor, user, subscription: people.set_active(actor, user, False),
    lambda actor, user, subscription: people.set_password(actor, user, GOOD),
    lambda actor, user, subscription: subscriptions.create_subscription(actor, "New"),
    lambda actor, user, subscription: subscriptions.rename_subscription(actor, subscription, "New"),
    lambda actor, user, subscription: subscriptions.add_member(actor, user, subscription),
    lambda actor, user, subscription: subscriptions.remove_member(actor, user, subscription),
]


@pytest.mark.parametrize("change", CHANGES)
def test_only_administrators_may(
    change: Callable[[Actor, User, Subscription], object],
    staff: User,
    approver: User,
    auditor: User,
    administrator: User,
    subscription: Subscription,
) -> None:
    reader = Actor(label="admin", via=Via.TOKEN, user=administrator, read_only=True)
    before = rows()
    for actor in (as_actor(staff), as_actor(approver), as_actor(auditor), reader):
        with pytest.raises(NotAllowed):
            change(actor, staff, subscription)
    assert rows() == before
    assert told() == []
    change(as_actor(administrator), staff, subscription)


def test_a_new_person_can_sign_in_and_has_the_roles(administrator: User) -> None:
    made = people.create_user(as_actor(administrator, Via.ADMIN), " nora ", GOOD, full_name="Nora", is_auditor=True)
    made.refresh_from_db()
    assert (made.username, made.full_name, Roles.of(made)) == ("nora", "Nora", Roles(is_auditor=True))
    assert made.check_password(GOOD)
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.via, event.target_id) == (
        "user:create",
        administrator,
        "admin",
        str(made.pk),
    )
    assert event.detail == {"roles": ["auditor"]}


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("STAFF", GOOD, "__all__"),
        ("", GOOD, "username"),
        ("with space", GOOD, "username"),
        ("nora", "short", "password"),
        ("nora", "", "password"),
        ("noranoranora", "noranoranora", "password"),
    ],
)
def test_a_person_that_cannot_be(username: str, password: str, field: str, staff: User) -> None:
    with pytest.raises(Invalid) as refused:
        people.create_user(SYSTEM, username, password)
    assert list(refused.value.errors) == [field]
    assert list(User.objects.values_list("username", flat=True)) == ["staff"]
    assert told() == []


def test_roles_change_once_and_are_told_from_and_to(staff: User) -> None:
    people.set_roles(SYSTEM, staff, Roles(is_approver=True))
    people.set_roles(SYSTEM, staff, Roles(is_approver=True))
    staff.refresh_from_db()
    assert Roles.of(staff) == Roles(is_approver=True)
    assert told() == [("user:set-roles", "staff", {"from": [], "to": ["approver"]})]


def test_an_administrator_remains(administrator: User) -> None:
    with pytest.raises(LastAdministrator):
        people.set_roles(SYSTEM, administrator, Roles())
    with pytest.raises(LastAdministrator):
        people.set_active(SYSTEM, administrator, False)
    person("idle", is_administrator=True, is_active=False)
    with pytest.raises(LastAdministrator):
        people.set_active(SYSTEM, administrator, False)
    person("second", is_administrator=True)
    people.set_active(SYSTEM, administrator, False)
    administrator.refresh_from_db()
    assert not administrator.is_active


def test_who_is_shut_out_loses_tokens(staff: User) -> None:
    _, secret = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    people.set_active(SYSTEM, staff, False)
    people.set_active(SYSTEM, staff, True)
    assert tokens.bearer(secret, address="") is None
    assert [(action, detail) for action, _, detail in told()[1:]] == [
        ("user:deactivate", {"tokens_revoked": 1}),
        ("user:activate", {}),
    ]


def test_a_password_is_set_and_never_told(staff: User) -> None:
    people.set_password(SYSTEM, staff, GOOD)
    staff.refresh_from_db()
    assert (staff.check_password(GOOD), staff.check_password(PASSWORD)) == (True, False)
    assert told() == [("user:set-password", "staff", {"tokens_revoked": 0})]
    with pytest.raises(Invalid):
        people.set_password(SYSTEM, staff, "short")


@pytest.mark.parametrize("whose", ["own", "administrator's"])
def test_another_password_ends_the_tokens(whose: str, staff: User, approver: User) -> None:
    """They may be a thief's, who had the old one."""
    _, secret = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    _, others = tokens.make("a", actor=as_actor(approver), scope="full", days=1, answer=Password(PASSWORD))
    if whose == "own":
        assert people.change_own_password(PASSWORD, GOOD, actor=as_actor(staff)) == 1
    else:
        people.set_password(SYSTEM, staff, GOOD)
    assert tokens.bearer(secret, address="") is None
    assert tokens.bearer(others, address="") is not None
    assert [detail for *_, detail in told()][-1] == {"tokens_revoked": 1}


def test_of_two_changes_of_a_password_the_second_is_refused(staff: User) -> None:
    late = as_actor(User.objects.get())
    people.set_password(SYSTEM, staff, GOOD)
    with pytest.raises(StaleState):
        people.change_own_password(PASSWORD, "the one of a thief", actor=late)
    staff.refresh_from_db()
    assert staff.check_password(GOOD)


@pytest.mark.parametrize("name", ["DEFAULT", "", " ", "x" * 81])
def test_a_subscription_that_cannot_be(name: str, subscription: Subscription) -> None:
    other = subscriptions.create_subscription(SYSTEM, "Other")
    with pytest.raises(Invalid):
        subscriptions.create_subscription(SYSTEM, name)
    with pytest.raises(Invalid):
        subscriptions.rename_subscription(SYSTEM, other, name)
    assert list(Subscription.objects.values_list("name", flat=True)) == ["Default", "Other"]


def test_renaming_keeps_the_description_unless_told(subscription: Subscription) -> None:
    subscriptions.rename_subscription(SYSTEM, subscription, "Payroll", description="HR servers")
    subscriptions.rename_subscription(SYSTEM, subscription, "Pay")
    subscription.refresh_from_db()
    assert (subscription.name, subscription.description) == ("Pay", "HR servers")
    assert [detail for *_, detail in told()] == [{"from": "Default", "to": "Payroll"}, {"from": "Payroll", "to": "Pay"}]


def test_membership_is_given_and_taken_once(approver: User, subscription: Subscription) -> None:
    for _ in range(2):
        subscriptions.add_member(SYSTEM, approver, subscription)
    for _ in range(2):
        subscriptions.remove_member(SYSTEM, approver, subscription)
    assert not Membership.objects.exists()
    assert told() == [
        ("membership:add", "Default", {"person": "approver"}),
        ("membership:remove", "Default", {"person": "approver"}),
    ]


def test_without_an_entry_nothing_happens(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr("portal.accounts.people.record", broken)
    with pytest.raises(RuntimeError):
        people.set_roles(SYSTEM, staff, Roles(is_administrator=True))
    staff.refresh_from_db()
    assert Roles.of(staff) == Roles()
