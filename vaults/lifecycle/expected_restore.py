"""The restore time that a vault's people expect: a plain setting, by which the portal measures what machines tell."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import REVIEW_AGAIN, Invalid, StaleState
from vaults.extensions import restore_expectations
from vaults.models import Vault
from vaults.queries import vault_worked_on_by
from vaults.states import VaultState

MOST_HOURS = 8760
"""A year; whoever can wait longer expects nothing."""
WRONG_HOURS = f"A whole number of hours from 1 to {MOST_HOURS:,}, or nothing."


def shown(vault: Vault) -> str:
    """The tag of what a page shows when it offers to change it."""
    return expected_state.tag_of(vault=vault.pk, expected_restore_hours=vault.expected_restore_hours)


def described(hours: int | None) -> str:
    """As people read it."""
    return "none" if hours is None else f"{hours:,} hour{'' if hours == 1 else 's'}"


def change(vault_id: UUID, *, actor: Actor, hours: int | None, expected: str = "") -> Vault:
    """Expect a machine of the vault back within so many hours, or within no time; what is set already changes nothing.

    `expected` is what `shown()` gave for the page. Raises NotFound, NotAllowed, Invalid, ContentChanged, and StaleState
    for a vault that is not Active. In one transaction: the setting, the entry, and which machines are too slow now.
    """
    vault_worked_on_by(actor, vault_id)
    if hours is not None and not 1 <= hours <= MOST_HOURS:
        raise Invalid({"hours": [WRONG_HOURS]})
    with transaction.atomic():
        vault = (
            Vault.objects.select_for_update(of=("self",), no_key=True).select_related("subscription").get(pk=vault_id)
        )
        before = vault.expected_restore_hours
        if before == hours:
            return vault
        if vault.state != VaultState.ACTIVE:
            message = f"{vault.name} is {vault.state}; what is expected of it can be changed only while it is Active."
            raise StaleState(message, remedy=REVIEW_AGAIN)
        now = f"The expected restore time of {vault.name} is {described(before)} now."
        expected_state.require(expected, now, vault=vault.pk, expected_restore_hours=before)
        Vault.objects.filter(pk=vault.pk).update(expected_restore_hours=hours, updated_at=timezone.now())
        vault.expected_restore_hours = hours
        for told in restore_expectations:
            told(vault.pk, hours)
        detail = {"from": described(before), "to": described(hours), "hours": hours}
        record(Action.VAULT_EXPECTED_RESTORE, actor=actor, target=vault, detail=detail)
    return vault
