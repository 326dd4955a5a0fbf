"""Floods of refusals from ever other addresses stay few entries, and take none from people and machines."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.protocol import errors, refusal_log
from portal.accounts.models import User
from portal.audit import refusal_counters
from portal.audit.actions import Action
from portal.audit.models import AuditEvent, RefusalCounter
from portal.audit.record import refusal, write_refusal_counts
from portal.core.actor import Actor, Via
from tests.agents.factories import credential_of
from tests.at_once import at_once
from tests.factories import as_actor
from tests.portal.pages import sign_in
from vaults.models import Vault

pytestmark = pytest.mark.django_db


def stranger(address: str) -> Actor:
    """Whoever is behind a message that nobody we know has signed."""
    return Actor(label="unknown", via=Via.AGENT, address=address)


def come(*addresses: str) -> None:
    """The same is refused to a stranger at each address."""
    for address in addresses:
        refusal(Action.AGENT_MESSAGE_REFUSE, actor=stranger(address))


def other_networks(count: int) -> list[str]:
    """An address of each of so many networks."""
    return [f"2001:db8:{number:x}::1" for number in range(count)]


def counts_after_the_minute() -> list[tuple[str, str, str, int]]:
    """What each count says that was written at its end: action, who, from where, how many."""
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=refusal_counters.SECONDS + 1))
    while RefusalCounter.objects.exists():
        write_refusal_counts()
    counts = AuditEvent.objects.filter(content__contains='"repeated":')
    return sorted((count.action, count.actor_label, count.address, count.detail["repeated"]) for count in counts)


def test_all_addresses_of_a_network_are_one_flood() -> None:
    """As it was found: an entry for each address. The first one says which it was, the count which network."""
    come(*[f"2001:db8:1:2::{number:x}" for number in range(1, 101)], "2001:db8:1:3::1", "192.0.2.1", "192.0.2.2")
    assert list(AuditEvent.objects.order_by("id").values_list("address", flat=True)) == [
        "2001:db8:1:2::1",
        "2001:db8:1:3::1",
        "192.0.2.1",
        "192.0.2.2",
    ]
    assert counts_after_the_minute() == [("agent-message:refuse", "unknown", "2001:db8:1:2::/64", 99)]


def test_so_they_are_at_the_sign_in(staff: User) -> None:
    for number in range(4):
        response = sign_in(Client(headers={"X-Real-IP": f"2001:db8::{number:x}:5"}), "staff", "guess")
        assert response.status_code == 200
    assert AuditEvent.objects.filter(action="session:sign-in").count() == 1
    assert counts_after_the_minute() == [("session:sign-in", "staff", "2001:db8::/64", 3)]


def test_ever_other_things_from_one_network_stay_few_entries() -> None:
    most = refusal_counters.MOST_FROM_NETWORK
    for number in range(most + 5):
        refusal(Action.AGENT_MESSAGE_REFUSE, actor=stranger(f"2001:db8::{number:x}"), detail={"code": f"code {number}"})
    assert AuditEvent.objects.count() == most
    assert counts_after_the_minute() == [("refusal:others", "unknown", "2001:db8::/64", 5)]


def test_strangers_from_ever_other_networks_stay_few_entries() -> None:
    most = refusal_counters.MOST_OF_STRANGERS
    come(*other_networks(most + 20))
    come(*other_networks(1))
    assert AuditEvent.objects.count() == most
    assert RefusalCounter.objects.count() == most + 1
    assert counts_after_the_minute() == [
        ("agent-message:refuse", "unknown", "2001:db8::/64", 1),
        ("refusal:others", "unknown", "", 20),
    ]
    come("192.0.2.1")
    assert AuditEvent.objects.latest("id").address == "192.0.2.1"


def test_a_flood_of_strangers_takes_no_entry_from_people_and_machines(staff: User, vault: Vault) -> None:
    """Neither one from everywhere, nor one from the network that they are in themselves."""
    credential, person = credential_of(vault, staff), as_actor(staff)
    here = refusal_counters.MOST_FROM_NETWORK
    for number in range(here + 1):
        refusal(Action.AGENT_MESSAGE_REFUSE, actor=stranger(person.address), detail={"code": f"code {number}"})
    come(*other_networks(refusal_counters.MOST_OF_STRANGERS))
    before = AuditEvent.objects.count()
    assert refusal(Action.VAULT_REQUEST_DECIDE, actor=person, target=vault) is not None
    assert refusal(Action.SESSION_CONFIRM, actor=person, detail={"code": "wrong"}) is not None
    refusal_log.note(credential, {}, errors.expired(credential), address=person.address, at=timezone.now())
    assert list(AuditEvent.objects.order_by("id")[before:].values_list("action", flat=True)) == [
        "vault-request:decide",
        "session:confirm",
        "machine:register",
    ]


def test_what_people_are_refused_leaves_strangers_their_entries(staff: User) -> None:
    for number in range(refusal_counters.MOST_FROM_NETWORK + 1):
        refusal(Action.VAULT_REDUNDANCY, actor=as_actor(staff), detail={"code": f"code {number}"})
    come(as_actor(staff).address)
    assert AuditEvent.objects.latest("id").action == "agent-message:refuse"


def test_refusals_cost_a_fixed_number_of_queries(staff: User) -> None:
    """However many floods there are, and whichever count goes up."""
    come(*other_networks(2))
    known = replace(as_actor(staff), address="192.0.2.66")
    few, few_known = cost(stranger("192.0.2.1")), cost(known)
    come(*other_networks(refusal_counters.MOST_OF_STRANGERS + 2))
    assert cost(stranger("192.0.2.2")) <= few + 1
    assert cost(replace(known, address="192.0.2.67")) == few_known


def cost(actor: Actor) -> int:
    """How many queries a refusal takes."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        refusal(Action.AGENT_MESSAGE_REFUSE, actor=actor)
    return len(queries)


@pytest.mark.django_db(transaction=True)
def test_of_many_in_one_network_at_once_one_is_an_entry() -> None:
    outcomes = at_once([lambda number=number: come(f"2001:db8::{number:x}") for number in range(6)])  # type: ignore[misc]
    assert outcomes == [None] * 6
    assert AuditEvent.objects.count() == 1
    assert counts_after_the_minute() == [("agent-message:refuse", "unknown", "2001:db8::/64", 5)]


@pytest.mark.django_db(transaction=True)
def test_of_many_beyond_the_bound_at_once_all_are_one_count() -> None:
    come(*other_networks(refusal_counters.MOST_OF_STRANGERS))
    outcomes = at_once([lambda number=number: come(f"192.0.2.{number}") for number in range(6)])  # type: ignore[misc]
    assert outcomes == [None] * 6
    assert AuditEvent.objects.count() == refusal_counters.MOST_OF_STRANGERS
    assert counts_after_the_minute() == [("refusal:others", "unknown", "", 6)]
