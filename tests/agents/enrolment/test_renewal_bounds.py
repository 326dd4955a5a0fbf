"""What machines do again and again: written down, bounded, and in the end forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from agents.models import Machine, MachineCertificate, SpentToken
from agents.monitoring import heartbeats
from agents.protocol import certificates, entitlement
from portal.audit.models import AuditEvent
from portal.core.times import rfc3339
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.peer import refused, renew, say
from tests.at_once import at_once
from vaults.models import Vault

VERSIONS = {"agent_version": "1.2.0", "engine_version": "0.18.1"}


def renewed(holder: peer.Holder) -> peer.Holder:
    key = keys.new_key()
    return peer.Holder(key, renew(holder, key).json()["certificate"])


def test_each_renewal_is_in_the_audit_log(machine: peer.Machine, vault: Vault) -> None:
    key = keys.new_key()
    for _ in range(3):  # an answer that was lost is asked for again, which issues nothing
        assert renew(machine.holder, key).status_code == 200
    old, new = MachineCertificate.objects.order_by("pk")
    entry = AuditEvent.objects.get(action="machine:renew")
    assert (entry.actor_label, entry.via, entry.address) == ("machine hr-db-02", "agent", "192.0.2.9")
    assert (entry.target_id, entry.vault_id) == (machine.id, vault.pk)
    assert entry.detail == {"from": old.serial, "to": new.serial, "valid_until": rfc3339(new.not_after)}


def test_a_stolen_key_gets_no_certificates_without_end(machine: peer.Machine) -> None:
    holder = machine.holder
    for _ in range(entitlement.RENEWALS_A_DAY):
        holder = renewed(holder)
    response = renew(holder, keys.new_key())
    problem = refused(response, 429, "throttled", begins="This machine has renewed its certificate 24 times")
    assert 86000 < problem["retry_after"] <= 86400
    assert response["Retry-After"] == str(problem["retry_after"])
    assert MachineCertificate.objects.count() == entitlement.RENEWALS_A_DAY + 1
    assert AuditEvent.objects.filter(action="machine:renew").count() == entitlement.RENEWALS_A_DAY
    assert say(holder, "heartbeat", **VERSIONS).status_code == 200
    MachineCertificate.objects.exclude(superseded_at=None).update(superseded_at=timezone.now() - timedelta(days=1))
    assert renew(holder, keys.new_key()).status_code == 200


def test_a_second_holder_is_noticed_also_by_one_who_must_wait(machine: peer.Machine) -> None:
    first = renewed(machine.holder)
    holder = first
    for _ in range(entitlement.RENEWALS_A_DAY - 1):
        holder = renewed(holder)
    refused(renew(first, keys.new_key()), 403, "not_allowed", holds="two holders of its identity")
    assert Machine.objects.get().state == "Suspended"


def test_a_flood_of_heartbeats_is_told_to_wait(machine: peer.Machine) -> None:
    for _ in range(heartbeats.MOST_IN_A_MINUTE):
        assert say(machine.holder, "heartbeat", **VERSIONS).status_code == 200
    spent = SpentToken.objects.count()
    response = say(machine.holder, "heartbeat", **VERSIONS)
    problem = refused(response, 429, "throttled", begins="This machine has sent 20 heartbeats")
    assert 0 < problem["retry_after"] <= 60
    assert SpentToken.objects.count() == spent
    Machine.objects.update(pulses_since=timezone.now() - timedelta(seconds=61))
    assert say(machine.holder, "heartbeat", **VERSIONS).status_code == 200
    assert Machine.objects.get().pulses == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_heartbeats_at_once_the_bound_is_taken(machine: peer.Machine) -> None:
    for _ in range(heartbeats.MOST_IN_A_MINUTE - 2):
        say(machine.holder, "heartbeat", **VERSIONS)
    answers = at_once([lambda: say(machine.holder, "heartbeat", **VERSIONS).status_code for _ in range(6)])
    assert sorted(answers, key=str) == [200] * 2 + [429] * 4


def test_certificates_are_forgotten_when_nobody_can_renew_with_them(machine: peer.Machine, settings: Settings) -> None:
    holder = machine.holder
    for _ in range(3):
        holder = renewed(holder)
    rows = list(MachineCertificate.objects.order_by("pk"))
    now = timezone.now()
    gone = timedelta(days=settings.RENEWABLE_DAYS) + certificates.LIFE
    ages = [gone + timedelta(days=2), gone + timedelta(days=1), gone - timedelta(days=1), gone + timedelta(days=3)]
    for row, age in zip(rows, ages, strict=True):
        MachineCertificate.objects.filter(pk=row.pk).update(not_after=now - age)
    assert certificates.forget_old(now, 1) == 1
    assert certificates.forget_old(now, 10) == 1
    # The one that may still be renewed from, and the newest one, which the machine's page tells of.
    assert list(MachineCertificate.objects.order_by("pk")) == [rows[2], rows[3]]
    refused(renew(machine.holder, keys.new_key()), 403, "not_allowed")
    assert Machine.objects.get().state == "Registered"
