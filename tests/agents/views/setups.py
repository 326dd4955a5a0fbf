"""Machines whose setup is under way, and codes that were shown, for the pages that follow them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.models import Machine, Onboarding
from portal.accounts.models import User
from tests.agents.factories import machine_in
from tests.factories import as_actor
from vaults.credentials import one_time_codes
from vaults.models import Credential, OneTimeCode, Vault


def setting_up(vault: Vault, credential: Credential, name: str = "hr-db-02", **told: Any) -> Machine:
    """A machine that has registered a minute ago, and told this since."""
    now = timezone.now()
    machine = machine_in(vault, credential, name, registered_at=now - timedelta(seconds=60), address="192.0.2.9")
    values = {"last_sign_at": now, "setup_began_at": now, "step_state": "running", "step_since": now} if told else {}
    way = {"began_at": credential.issued_at, "by_code": False, "registered_at": machine.registered_at}
    Onboarding.objects.create(machine=machine, **way, **{**values, **told})
    return machine


def shown_code(vault: Vault, staff: User, *, ago: timedelta) -> OneTimeCode:
    """A code that was shown then."""
    code = one_time_codes.show(vault.pk, actor=as_actor(staff)).code
    then = timezone.now() - ago
    OneTimeCode.objects.filter(pk=code.pk).update(shown_at=then, expires_at=then + one_time_codes.LIFE)
    code.refresh_from_db()
    return code
