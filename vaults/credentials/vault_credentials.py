"""Vault credentials: issued for 48 hours, ended by the next one, and good for registering machines alone.

One kind registers new machines, the other lets a computer take the place of one machine that is there; each has its own
line of succession. Who holds the key is kept apart from issuing (`issuance`): `issue()` makes one here, in memory, and
hands it out once; `possession.issue()` takes the public half of one that was made elsewhere. A private key is never
stored, logged or cached.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from portal.accounts.models import Membership
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import Invalid, StaleState
from portal.core.prepared import prepared
from portal.core.times import for_people
from portal.pki.crypto import keys
from vaults.credentials import issuance
from vaults.credentials.issuance import Issued, Terms
from vaults.models import Credential, Vault
from vaults.queries import vault_worked_on_by
from vaults.rules import belongs_to

MOST_MACHINES = 500


class CredentialState(StrEnum):
    """What a credential is good for; for a vault, what its newest one is."""

    NONE = "none"
    VALID = "valid"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REPLACED = "replaced"
    ENDED = "ended"
    ISSUER_LEFT = "issuer_left"


@dataclass(frozen=True)
class CredentialStatus:
    """The newest credential of a vault, what it is good for, and for how many machines more."""

    state: CredentialState
    credential: Credential | None
    machines_left: int


def issue(vault_id: UUID, *, actor: Actor, machines: int = 1) -> Issued:
    """Issue a credential for `machines` new machines, with a key made here, in memory, which is in the document.

    Raises NotFound, NotAllowed, Invalid, and VaultNotActive.
    """
    vault = vault_worked_on_by(actor, vault_id)
    wanted, key = terms(machines, Credential.KeyOrigin.SERVER), keys.new_key()
    return issuance.issue(key.public_key(), vault, wanted, actor).with_private_key(key)


def terms(machines: int, key_origin: Credential.KeyOrigin) -> Terms:
    """Those of a credential for `machines` new machines; raises Invalid for a number that is not offered."""
    if not 1 <= machines <= MOST_MACHINES:
        raise Invalid({"machines": [f"Choose a number from 1 to {MOST_MACHINES}."]})
    return Terms(machines, key_origin)


def end_replacement(machine_id: UUID, *, actor: Actor) -> None:
    """End the unused replacement credential of the machine, where there is one, in the transaction that is open."""
    status_of = Credential.objects.filter(
        purpose=Credential.Purpose.REPLACE, machine_id=machine_id, ended_at__isnull=True, machines_used=0
    )
    for credential in status_of:
        Credential.objects.filter(pk=credential.pk).update(ended_at=timezone.now(), end=Credential.End.ENDED)
        record(Action.CREDENTIAL_END, actor=actor, target=credential, detail={"serial": credential.serial})


def shown(credential: Credential | None) -> str:
    """The tag of the credential that a page offers to end."""
    return expected_state.tag_of(credential=credential.pk if credential else "")


def end(vault_id: UUID, *, actor: Actor, expected: str = "") -> None:
    """End the vault's credential without issuing another. `expected` is what `shown()` gave for the page.

    Raises NotFound, NotAllowed, ContentChanged, and StaleState when there is none that could still be used.
    """
    vault = vault_worked_on_by(actor, vault_id)
    with transaction.atomic():
        Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        now = timezone.now()
        newest = _issued(vault.pk).first()
        if newest is None or state_of(newest, now) != CredentialState.VALID:
            raise StaleState("There is no credential that could still be used.", remedy="There is nothing to end.")
        known = f"{newest.issued_by.display_name} has downloaded a newer credential at {for_people(newest.issued_at)}."
        expected_state.require(expected, known, credential=newest.pk)
        Credential.objects.filter(pk=newest.pk).update(ended_at=now, end=Credential.End.ENDED)
        record(Action.CREDENTIAL_END, actor=actor, target=newest, detail={"serial": newest.serial})


def status_of(vault: Vault) -> CredentialStatus:
    """How the vault stands with credentials, in one query."""
    credential = _newest.first(vault.pk, vault.subscription_id)
    if credential is None:
        return CredentialStatus(CredentialState.NONE, None, 0)
    state = state_of(credential, timezone.now())
    issuer_here: bool = credential.issuer_here  # type: ignore[attr-defined]  # annotated
    if state == CredentialState.VALID and not (credential.issued_by.is_active and issuer_here):
        state = CredentialState.ISSUER_LEFT
    return CredentialStatus(state, credential, machines_left(credential))


@prepared
def _newest(vault_id: UUID, subscription_id: int) -> QuerySet[Credential]:
    here = Membership.objects.filter(user=OuterRef("issued_by"), subscription=subscription_id)
    return _issued(vault_id).annotate(issuer_here=Exists(here))[:1]


def issuer_left(credential: Credential, vault: Vault) -> bool:
    """Whether the person who issued it is shut out, or out of the subscription: their files register nobody."""
    return not (credential.issued_by.is_active and belongs_to(credential.issued_by, vault.subscription_id))


def state_of(credential: Credential, at: datetime) -> CredentialState:
    """What the credential itself is good for at that moment; who issued it is not looked at."""
    if at >= credential.expires_at:
        return CredentialState.EXPIRED
    if credential.ended_at is not None:
        replaced = credential.end == Credential.End.REPLACED
        return CredentialState.REPLACED if replaced else CredentialState.ENDED
    return CredentialState.VALID if machines_left(credential) else CredentialState.USED_UP


def machines_left(credential: Credential) -> int:
    """How many more machines may register with it, as far as its number goes."""
    return credential.machines_limit - credential.machines_used


def _issued(vault_id: UUID) -> QuerySet[Credential]:
    """Those for new machines that were downloaded, the newest first, with the person who issued each."""
    issued = issuance.downloaded(Credential.objects.filter(vault=vault_id, purpose=Credential.Purpose.REGISTER))
    return issued.select_related("issued_by").order_by("-issued_at")
