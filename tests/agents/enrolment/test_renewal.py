"""Renewing: overlap, repetition, what expires, and two holders of one identity."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from agents.models import Machine, MachineCertificate, SpentToken
from agents.protocol import authentication, errors
from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from portal.pki.crypto import certificates, keys
from tests.agents import peer
from tests.agents.peer import refused, renew
from tests.at_once import at_once
from vaults.models import Vault


def test_new_key_gets_a_certificate_and_the_old_one_stays_good_for_data(machine: peer.Machine) -> None:
    key = keys.new_key()
    answer = renew(machine.holder, key).json()
    assert answer["machine"] == machine.answer["machine"]
    assert answer["repositories"] == machine.answer["repositories"]
    leaf = certificates.read_chain(answer["certificate"])[0]
    assert keys.digest(certificates.public_key(leaf)) == keys.digest(key.public_key())
    old, new = MachineCertificate.objects.order_by("pk")
    assert old.superseded_at is not None
    assert (old.revoked_at, new.superseded_at, new.fingerprint) == (None, None, certificates.fingerprint(leaf))
    assert new.not_after - timezone.now() > timedelta(days=6, hours=23)


def test_new_certificate_renews_in_turn(machine: peer.Machine) -> None:
    first, second = keys.new_key(), keys.new_key()
    holder = peer.Holder(first, renew(machine.holder, first).json()["certificate"])
    assert renew(holder, second).status_code == 200
    assert MachineCertificate.objects.filter(superseded_at=None).count() == 1


def test_same_new_key_gets_the_same_certificate(machine: peer.Machine) -> None:
    key = keys.new_key()
    answers = [renew(machine.holder, key).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert MachineCertificate.objects.count() == 2
    assert Machine.objects.get().state == "Registered"


def test_own_key_is_not_a_new_one(machine: peer.Machine) -> None:
    assert refused(renew(machine.holder, machine.key), 422, "invalid")["errors"].keys() == {"csr"}


def test_superseded_certificate_with_another_key_suspends_the_machine(machine: peer.Machine, vault: Vault) -> None:
    assert renew(machine.holder, keys.new_key()).status_code == 200
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds="two holders of its identity")
    row = Machine.objects.get()
    assert row.state == "Suspended"
    assert MachineCertificate.objects.count() == 2
    entry = AuditEvent.objects.get(action="machine:suspend")
    assert (entry.actor_label, entry.vault_id) == ("machine hr-db-02", vault.pk)
    told = Notification.objects.get(key=f"machine-suspend:{row.pk}")
    assert (told.state, told.title) == ("attention", 'Machine "hr-db-02" of vault "Payroll" is suspended.')
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds="Suspended")


@pytest.mark.django_db(transaction=True)
def test_two_holders_at_once_suspend_the_machine(machine: peer.Machine) -> None:
    statuses = at_once([lambda: renew(machine.holder, keys.new_key()).status_code for _ in range(2)])
    assert sorted(statuses, key=str) == [200, 403]
    assert Machine.objects.get().state == "Suspended"


@pytest.mark.parametrize(("days", "status"), [(1, 200), (89, 200), (90, 403)])
def test_expired_certificate_renews_for_ninety_days(machine: peer.Machine, days: int, status: int) -> None:
    MachineCertificate.objects.update(not_after=timezone.now() - timedelta(days=days))
    assert renew(machine.holder, keys.new_key()).status_code == status


@pytest.mark.parametrize(("days", "status"), [(0, 200), (13, 200), (14, 403), (89, 403)])
def test_window_is_set_by_administrators(machine: peer.Machine, settings: Settings, days: int, status: int) -> None:
    settings.RENEWABLE_DAYS = 14
    MachineCertificate.objects.update(not_after=timezone.now() - timedelta(days=days))
    response = renew(machine.holder, keys.new_key())
    assert response.status_code == status
    assert status == 200 or "more than 14 days ago. Request a replacement" in response.json()["detail"]


def test_window_of_no_days_is_none(machine: peer.Machine, settings: Settings) -> None:
    settings.RENEWABLE_DAYS = 0
    MachineCertificate.objects.update(not_after=timezone.now())
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds="more than 0 days ago")


@pytest.mark.parametrize("ended", [timedelta(days=-6), timedelta(days=1)])
def test_revoked_certificate_never_renews_however_long_the_window(
    machine: peer.Machine, settings: Settings, ended: timedelta
) -> None:
    settings.RENEWABLE_DAYS = 36500
    MachineCertificate.objects.update(revoked_at=timezone.now(), not_after=timezone.now() - ended)
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds="was revoked at")
    assert MachineCertificate.objects.count() == 1


def test_certificate_that_has_really_ended_still_proves_who_asks(machine: peer.Machine) -> None:
    """The chain is checked as of a moment when the leaf was valid; whether it may renew rests on the row."""
    holder, later = machine.holder, timezone.now() + timedelta(days=30)
    body = holder.sign(json.dumps(holder.payload("renew")).encode())
    signed = authentication.read(body, what="renew", at=later, refuse=errors.not_entitled)
    assert signed.certificate.not_valid_after_utc < later
    assert str(signed.profile.id) == machine.id


def test_revoked_certificate_renews_nothing(machine: peer.Machine) -> None:
    MachineCertificate.objects.update(revoked_at=timezone.now())
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds="was revoked at")


@pytest.mark.parametrize("state", ["Suspended", "Revoked", "Unregistered"])
def test_machine_that_is_out_renews_nothing(machine: peer.Machine, state: str) -> None:
    Machine.objects.update(state=state)
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed", holds=f"hr-db-02 is {state}.")


def test_message_renews_once(machine: peer.Machine) -> None:
    holder = machine.holder
    body = holder.sign(json.dumps(holder.payload("renew", csr=peer.request_for(keys.new_key()))).encode())
    assert peer.send("renew", body).status_code == 200
    refused(peer.send("renew", body), 403, "not_allowed", holds="used before")
    assert SpentToken.objects.count() == 2


def test_clock_that_is_off(machine: peer.Machine) -> None:
    holder = machine.holder
    payload = holder.payload("renew", csr=peer.request_for(keys.new_key()))
    payload["iat"] = int(str(payload["iat"])) - 3600
    problem = refused(peer.send("renew", holder.sign(json.dumps(payload).encode())), 400, "clock_skew")
    assert abs(problem["skew_seconds"] + 3600) <= 30
