"""Measuring what is stored while machines report: who holds the vault goes on, and nobody waits in a circle."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from agents.models import Machine
from agents.storage_access import usage
from tests.agents import peer
from tests.at_once import on_postgresql, own_connection, waiting
from tests.waiting import wait_for
from vaults.models import Region, Vault
from vaults.regions.storage import layout
from vaults.trash import removals

pytestmark = pytest.mark.django_db(transaction=True)


@on_postgresql
def test_measuring_waits_for_the_vault_before_it_has_a_machine(
    machine: peer.Machine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As reports, revocations and replacements do; they lock the machine next."""
    Region.objects.update(vault_quota_bytes=1000)
    monkeypatch.setattr(layout, "folders", lambda storage, vault: [machine.id])
    monkeypatch.setattr(layout, "flat", lambda storage, folder, kind: [])
    monkeypatch.setattr(removals, "size", lambda storage, folder: 0)
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
            measured = thread.submit(own_connection, usage.measure)
            wait_for("measuring is in line", lambda: waiting() == 1)
            Machine.objects.select_for_update(no_key=True, nowait=True).get(pk=machine.id)
        assert measured.result() is None
    assert Machine.objects.get().used_bytes == 0
