"""What a machine may still do with the certificate that it holds."""

from datetime import datetime, timedelta
from math import ceil

from django.conf import settings

from agents.models import Machine, MachineCertificate
from agents.protocol import errors
from agents.states import ALLOWED_IN, MachineState
from portal.core.errors import Throttled
from portal.core.times import for_people
from portal.templatetags.amounts import plural
from vaults.models import Vault
from vaults.states import VaultState

_WHY_NOT = {
    MachineState.SUSPENDED: "It is suspended: two computers have used its identity.",
    MachineState.REVOKED: "A member of the vault revoked it.",
    MachineState.UNREGISTERED: "It has left the vault.",
}

_RENEW = "Renew it: strongroom-agent renew."
RENEWALS_A_DAY = 24
"""New certificates of one machine: the agent asks for one a day. Each is a row, good for storage for a week."""
DAY = timedelta(days=1)


def renewable() -> timedelta:
    """How long after its end a certificate may still be renewed, for machines that were switched off."""
    return timedelta(days=settings.RENEWABLE_DAYS)


def require_machine(machine: Machine, vault: Vault) -> None:
    """Raise NotAllowed unless the machine is in a state, and its vault too, in which it has something to do here."""
    if machine.state not in ALLOWED_IN:
        raise errors.not_entitled(f"{machine.name} is {machine.state}. {_WHY_NOT[MachineState(machine.state)]}")
    if vault.state != VaultState.ACTIVE:
        raise errors.not_entitled(f"The vault {vault.name} is {vault.state}.", "See the vault's page.")


def require_current(certificate: MachineCertificate, at: datetime) -> None:
    """Raise NotAllowed for a certificate that was revoked, has ended, or was renewed.

    One that was renewed is good for data alone: what it signs may be said by an old copy of the machine. To renew is
    how the machine itself goes on, also after an answer that was lost, and there two holders are told apart.
    """
    require_renewable(certificate, at)
    if at >= certificate.not_after:
        raise errors.not_entitled(f"This machine's certificate ended at {for_people(certificate.not_after)}.", _RENEW)
    if certificate.superseded_at is not None:
        raise errors.not_entitled(
            f"This machine's certificate was renewed at {for_people(certificate.superseded_at)}.", _RENEW
        )


def require_renewable(certificate: MachineCertificate, at: datetime) -> None:
    """Raise NotAllowed for a certificate that was revoked, or that ended too long ago to be renewed."""
    if certificate.revoked_at is not None:
        replaced_at = certificate.machine.replaced_at
        if replaced_at is not None and certificate.revoked_at <= replaced_at:
            raise errors.place_taken(replaced_at, certificate.revoked_at)
        raise errors.not_entitled(f"This machine's certificate was revoked at {for_people(certificate.revoked_at)}.")
    if at >= certificate.not_after + renewable():
        raise errors.not_entitled(
            f"This machine's certificate ended at {for_people(certificate.not_after)}, more than"
            f" {plural(renewable().days, 'day')} ago.",
            "Request a replacement credential on the machine's page in the portal.",
        )


def require_few_renewals(machine: Machine, at: datetime) -> None:
    """Raise Throttled when the machine, which is locked, has renewed as often as it may of late."""
    newest = machine.certificates.filter(superseded_at__gt=at - DAY).order_by("-superseded_at")
    first_of_many = newest.values_list("superseded_at", flat=True)[RENEWALS_A_DAY - 1 : RENEWALS_A_DAY].first()
    if first_of_many is not None:
        raise Throttled(
            f"This machine has renewed its certificate {RENEWALS_A_DAY} times within a day. The newest one is good.",
            retry_after=ceil((first_of_many + DAY - at).total_seconds()),
        )


def quota_reached(used: int | None, quota: int | None, *, more: int = 0) -> bool:
    """As last measured: what was stored since then, or never measured, is not held against anybody. With `more`, one
    part in so many of the quota may be stored above it."""
    return quota is not None and (used or 0) >= quota + (quota // more if more else 0)
