"""How far the setup of a machine is, as it tells itself meanwhile: for the Quick Start page.

One row for each machine, in which the newest message takes the place of the one before. Nothing rests on it: what is
proven is what `runs` has been told.
"""

from datetime import datetime, timedelta
from math import ceil

from django.db import transaction
from django.utils import timezone

from agents.models import Onboarding
from agents.protocol import authentication, entitlement, messages
from agents.protocol.messages import SetupProgress
from portal.core.errors import Throttled

MOST_IN_A_MINUTE = 60
"""Messages of one machine. The agent sends one in two seconds at most."""
MINUTE = timedelta(minutes=1)
TOLD = (
    "setup_began_at",
    "number",
    "last_sign_at",
    "step",
    "step_state",
    "step_since",
    "code",
    "figures",
    "checks",
    "messages_since",
    "messages",
)
"""The columns that are told; the others are facts."""


def note(body: bytes, *, address: str) -> bool:
    """Take the message in the place of an older one; False where there is a newer one, or setup is over.

    Raises NotAllowed, ClockSkew, Invalid, Throttled. No `jti` is kept: a message that comes twice is not newer.
    """
    now = timezone.now()
    sender = authentication.sender_of(body, what="progress", address=address, at=now)
    entitlement.require_machine(sender.machine, sender.machine.vault)
    entitlement.require_current(sender.certificate, now)
    told = messages.parse(SetupProgress, sender.signed.fields)
    with transaction.atomic():
        row = Onboarding.objects.select_for_update(no_key=True).filter(machine=sender.machine).first()
        return row is not None and _take(row, told, now)


def _take(row: Onboarding, told: SetupProgress, at: datetime) -> bool:
    _count(row, at)
    newer = row.setup_began_at is None or (told.began_at, told.number) > (row.setup_began_at, row.number)
    if newer and row.proven_at is None:
        _apply(row, told, at)
    row.save(update_fields=TOLD)
    return newer and row.proven_at is None


def _count(row: Onboarding, at: datetime) -> None:
    """Raise Throttled for one message too many."""
    if row.messages_since is None or row.messages_since <= at - MINUTE:
        row.messages_since, row.messages = at, 0
    if row.messages >= MOST_IN_A_MINUTE:
        raise Throttled(
            f"This machine has told {MOST_IN_A_MINUTE} times within a minute how far its setup is.",
            retry_after=max(1, ceil((row.messages_since + MINUTE - at).total_seconds())),
        )
    row.messages += 1


def _apply(row: Onboarding, told: SetupProgress, at: datetime) -> None:
    again = row.setup_began_at != told.began_at
    if again or row.step != told.step:
        row.step_since = at
    if again or told.checks:
        row.checks = {check.step: check.figures for check in told.checks}
    row.setup_began_at, row.number, row.last_sign_at = told.began_at, told.number, at
    row.step, row.step_state = told.step, told.state
    row.code = told.code if told.state == "failed" else ""
    row.figures = told.figures
