"""Changes to people at the same moment, with real concurrency."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.test import Client

from portal.accounts import people
from portal.accounts.models import User
from portal.accounts.people import LastAdministrator, Roles
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.audit.record import record
from tests.at_once import at_once, on_postgresql, own_connection, waiting
from tests.factories import as_actor, person
from tests.portal.pages import inlines, window
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two() -> tuple[User, User]:
    """Two administrators, the first one first in the order of locks too."""
    return person("ada", is_administrator=True), person("bob", is_administrator=True)


def in_line(held: User, acts: list[Callable[[], object]]) -> list[object]:
    """What each gave or raised, when all wait for the row of `held`, one after the other, before any goes on."""
    with ThreadPoolExecutor(len(acts)) as threads:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=held.pk)
            futures = []
            for number, act in enumerate(acts, 1):
                futures.append(threads.submit(own_connection, act))
                wait_for(f"{number} in line", lambda number=number: waiting() == number)  # type: ignore[misc]
        return [future.result() for future in futures]


def test_two_administrators_who_remove_each_other(two: tuple[User, User]) -> None:
    ada, bob = two
    outcomes = at_once(
        [
            lambda: people.set_roles(as_actor(ada), bob, Roles()),
            lambda: people.set_active(as_actor(bob), ada, False),
        ]
    )
    assert sorted(str(type(one)) for one in outcomes) == sorted([str(type(None)), str(LastAdministrator)])
    assert User.objects.filter(is_administrator=True, is_active=True).count() == 1


@on_postgresql
def test_neither_of_them_waits_for_the_other(two: tuple[User, User]) -> None:
    """The first in line holds nothing that the second has, whoever of them is removed."""
    ada, bob = two
    removed, refused = in_line(
        ada,
        [
            lambda: people.set_active(as_actor(bob), ada, False),
            lambda: people.set_active(as_actor(ada), bob, False),
        ],
    )
    assert (removed, type(refused)) == (None, LastAdministrator)


@on_postgresql
def test_nor_on_the_admin_site(two: tuple[User, User]) -> None:
    """Where one form changes several things."""

    def save(client: Client, target: User) -> int:
        form = {"full_name": "Renamed", "email": "", "password": "", "is_active": "on", **inlines()}
        return client.post(f"/admin/accounts/user/{target.pk}/change/", form).status_code

    ada, bob = two
    of_ada, of_bob = window(ada), window(bob)
    assert in_line(ada, [lambda: save(of_bob, ada), lambda: save(of_ada, bob)]) == [302, 302]
    roles = list(AuditEvent.objects.filter(action="user:set-roles").values_list("target_label", flat=True))
    assert roles == ["ada"]


@on_postgresql
def test_an_entry_about_somebody_waits_for_no_change_of_them(two: tuple[User, User]) -> None:
    """Entries refer to people. Were that a reason to wait, each could wait for what the other holds."""
    ada, bob = two
    with transaction.atomic():
        people.set_roles(as_actor(ada), bob, Roles(is_administrator=True, is_auditor=True))
        with ThreadPoolExecutor(1) as thread:
            written = thread.submit(own_connection, lambda: record(Action.USER_DESCRIBE, actor=as_actor(ada)))
            assert isinstance(written.result(timeout=30), AuditEvent)
