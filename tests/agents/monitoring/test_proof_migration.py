"""Proofs from before fade and grow too old like new ones, and nothing is lost on the way back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import states
from agents.models import Machine
from agents.states import MachineState
from portal.accounts.models import User
from tests.agents.factories import credential_of, machine_in
from tests.migrating import migrated, newest_again, to_newest  # noqa: F401 - a fixture
from vaults.models import Vault

BEFORE = [("agents", "0016_package_kinds"), ("vaults", "0023_retention_changes")]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("newest_again")]


def test_there_and_back(vault: Vault, staff: User) -> None:
    credential, then = credential_of(vault, staff, machines=9), timezone.now() - timedelta(days=8)
    for name, every, proven in (("daily", 24, then), ("weekly", 168, then), ("none", None, then), ("new", 24, None)):
        machine_in(
            vault,
            credential,
            name,
            state=MachineState.READY if proven else MachineState.REGISTERED,
            backup_every_hours=every,
            last_restore_check_at=proven,
        )
    migrated(BEFORE)
    to_newest()
    for machine in Machine.objects.all():
        proven, every = machine.last_restore_check_at, machine.backup_every_hours
        wanted = (states.fades_from(proven, every), states.unproven_from(proven, every)) if proven else (None, None)
        assert (machine.fades_from, machine.unproven_from) == wanted
    looks = {one.name: (one.faded, one.unproven is not None) for one in Machine.objects.all()}
    assert looks == {"daily": (True, True), "weekly": (False, False), "none": (True, True), "new": (False, False)}
