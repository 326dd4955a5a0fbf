"""Questions put into SQL once: they find what the query set finds, for each value, thread and person."""

import gc
import sys
import weakref
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.lookups import In
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Membership, Subscription, User
from portal.core.prepared import prepared, prepared_update
from portal.notifications.models import Notification
from tests.at_once import at_once


@prepared
def members(subscription_id: int) -> QuerySet[User]:
    """The people of a subscription."""
    return User.objects.filter(memberships__subscription=subscription_id).order_by("username")


@prepared
def memberships(user_id: int, subscription_id: int) -> QuerySet[Membership]:
    """With what they join, and an annotation with a value of its own."""
    here = Membership.objects.filter(user=OuterRef("user"), subscription=subscription_id)
    joined = Membership.objects.select_related("user", "subscription").annotate(here=Exists(here))
    return joined.filter(user=user_id).order_by("subscription__name")


@pytest.fixture
def subscriptions(db: None) -> list[Subscription]:
    """Two, with one and two members."""
    found = [Subscription.objects.create(name=name) for name in ("One", "Two")]
    people = [User.objects.create(username=name) for name in ("ann", "ben")]
    for subscription, some in zip(found, (people[:1], people), strict=True):
        for person in some:
            Membership.objects.create(user=person, subscription=subscription)
    return found


def test_each_value_finds_its_own(subscriptions: list[Subscription]) -> None:
    one, two = subscriptions
    for _ in range(2):
        assert [user.username for user in members(one.pk)] == ["ann"]
        assert [user.username for user in members(two.pk)] == ["ann", "ben"]
        assert members(two.pk + 1) == []


def test_the_first_or_none(subscriptions: list[Subscription]) -> None:
    _one, two = subscriptions
    assert members.first(two.pk) == User.objects.get(username="ann")
    assert members.first(two.pk + 1) is None


def test_count_reads_no_rows(
    subscriptions: list[Subscription], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    one, two = subscriptions
    with django_assert_num_queries(3):
        assert [members.count(key) for key in (one.pk, two.pk, two.pk + 1)] == [1, 2, 0]


def test_a_text_is_a_value(subscriptions: list[Subscription]) -> None:
    """And no part of the SQL."""

    @prepared
    def named(name: str) -> QuerySet[Subscription]:
        return Subscription.objects.filter(name__gt=name).order_by("name")

    assert named("O") == subscriptions
    assert named("One") == subscriptions[1:]
    assert named("' OR 1=1 --%s") == subscriptions


def test_rows_come_with_what_they_join(
    subscriptions: list[Subscription], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    one, two = subscriptions
    ann, ben = User.objects.order_by("username")
    with django_assert_num_queries(2):
        found = [[row.subscription.name for row in memberships(user.pk, one.pk)] for user in (ann, ben)]
        assert found == [["One", "Two"], ["Two"]]
    assert [row.here for row in memberships(ben.pk, one.pk)] == [False]  # type: ignore[attr-defined]  # annotated
    assert [row.here for row in memberships(ben.pk, two.pk)] == [True]  # type: ignore[attr-defined]  # annotated


def test_rows_are_new_ones_each_time(subscriptions: list[Subscription]) -> None:
    one, _ = subscriptions
    members(one.pk)[0].username = "changed"
    assert members(one.pk)[0].username == "ann"


def test_sql_is_made_once(subscriptions: list[Subscription], django_assert_num_queries: DjangoAssertNumQueries) -> None:
    made = []

    @prepared
    def counted(key: int) -> QuerySet[Subscription]:
        made.append(key)
        return Subscription.objects.filter(pk=key)

    with django_assert_num_queries(2):
        assert [counted(one.pk) for one in subscriptions] == [[one] for one in subscriptions]
    assert len(made) == 1


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_over_its_own_connection() -> None:
    one = Subscription.objects.create(name="One")
    Membership.objects.create(user=User.objects.create(username="ann"), subscription=one)
    assert len(members(one.pk)) == 1
    found: list[object] = []

    def ask() -> None:
        try:
            found.extend(user.username for user in members(one.pk))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            found.append(error)
        finally:
            connection.close()

    thread = Thread(target=ask)
    thread.start()
    thread.join(10)
    assert found == ["ann"]


@pytest.mark.django_db(transaction=True)
def test_threads_that_ask_together_get_their_own_rows() -> None:
    keys = []
    for name in ("ann", "ben", "cleo", "dan", "eve", "fay", "gus", "hal"):
        one = Subscription.objects.create(name=name)
        Membership.objects.create(user=User.objects.create(username=name), subscription=one)
        keys.append((one.pk, name))

    def ask(key: int, name: str) -> int:
        return sum([user.username for user in members(key)] != [name] for _ in range(300))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        wrong = at_once([partial(ask, key, name) for key, name in keys])
    finally:
        sys.setswitchinterval(usual)
    assert wrong == [0] * len(keys)


@pytest.mark.django_db(transaction=True)
def test_the_connection_of_the_thread_that_asked_first_is_not_kept() -> None:
    @prepared
    def found(key: int) -> QuerySet[Subscription]:
        return Subscription.objects.filter(pk=key)

    connections = []

    def ask() -> None:
        found(1)
        connections.append(weakref.ref(connection._connections[connection._alias]))  # type: ignore[attr-defined]

    at_once([ask])
    gc.collect()
    assert [one() for one in connections] == [None]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pk", UUID(int=7)),
        ("updated_at", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        ("updated_at__date", date(2026, 1, 2)),
        ("user_id", 7),
    ],
)
def test_values_stand_as_in_a_query_set(db: None, field: str, value: UUID | datetime | date | int) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    for number, name in ((7, "ann"), (8, "ben")):
        person = User.objects.create(pk=number, username=name)
        moment = at + timedelta(days=number - 7)
        Notification.objects.create(
            pk=UUID(int=number), user=person, key=name, title=name, started_at=at, updated_at=moment
        )

    @prepared
    def found(wanted: object) -> QuerySet[Notification]:
        return Notification.objects.filter(**{field: wanted})

    assert found(value) == list(Notification.objects.filter(**{field: value}))
    assert [row.title for row in found(value)] == ["ann"]


def test_values_of_other_types_are_refused(db: None) -> None:
    with pytest.raises(KeyError):
        members(None)  # type: ignore[arg-type]  # it would have to be IS NULL


def test_what_keywords_give_is_part_of_the_sql(subscriptions: list[Subscription]) -> None:
    @prepared
    def some(subscription_id: int, *, most: int, everybody: bool) -> QuerySet[User]:
        people = User.objects.order_by("username")
        return (people if everybody else people.filter(memberships__subscription=subscription_id))[:most]

    one, two = subscriptions
    for _ in range(2):
        assert [user.username for user in some(two.pk, most=5, everybody=False)] == ["ann", "ben"]
        assert [user.username for user in some(two.pk, most=1, everybody=False)] == ["ann"]
        assert [user.username for user in some(one.pk, most=5, everybody=True)] == ["ann", "ben"]
        assert [user.username for user in some(one.pk, most=5, everybody=False)] == ["ann"]


def test_as_many_values_as_are_given(subscriptions: list[Subscription]) -> None:
    @prepared
    def members_of(*keys: int) -> QuerySet[Membership]:
        return Membership.objects.filter(In(F("subscription_id"), keys)).order_by("pk")

    one, two = subscriptions
    everybody = list(Membership.objects.order_by("pk"))
    assert len(everybody) == 3
    assert members_of(two.pk, one.pk) == everybody
    assert members_of(two.pk) == everybody[1:]
    assert members_of(two.pk, two.pk) == everybody[1:]


@prepared_update
def renamed(
    least: int, name: str, *values: object, more: tuple[str, ...] = ()
) -> tuple[QuerySet[User], dict[str, Any]]:
    """People from a number on get another name, and whatever else is said."""
    return User.objects.filter(pk__gte=least), {"full_name": name, **dict(zip(more, values, strict=True))}


def test_a_change_is_made_in_one_statement_and_counted(
    subscriptions: list[Subscription], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ann, ben = User.objects.order_by("username")
    with django_assert_num_queries(3):
        assert [renamed(least, f"from {least}") for least in (ann.pk, ben.pk, ben.pk + 1)] == [2, 1, 0]
    found = dict(User.objects.values_list("username", "full_name"))
    assert found == {"ann": f"from {ann.pk}", "ben": f"from {ben.pk}"}


def test_a_change_with_other_columns_is_another_statement(subscriptions: list[Subscription]) -> None:
    ann, ben = User.objects.order_by("username")
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert renamed(ben.pk, "one' --%s", at, "two", more=("last_login", "email")) == 1
    assert renamed(ben.pk, "other") == 1
    rows = User.objects.order_by("username").values_list("full_name", "last_login", "email")
    assert list(rows) == [(ann.full_name, None, ann.email), ("other", at, "two")]


def test_a_change_to_nothing_is_refused(subscriptions: list[Subscription]) -> None:
    with pytest.raises(KeyError):
        renamed(1, None)  # type: ignore[arg-type]  # no type says what it would be in SQL
    assert set(User.objects.values_list("full_name", flat=True)) == {""}
