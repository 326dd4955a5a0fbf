"""What the pictures on a machine's page show."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.safestring import SafeString

from agents.models import MachineCertificate, Run
from portal.core.times import for_people
from portal.templatetags.amounts import binary
from portal.web.bars import FULL, Bar, drawing


def backup_bars(runs: Sequence[Run], *, places: int) -> SafeString:
    """A bar for each of the backups, the oldest first, in a picture with room for `places`; empty without any.

    It is as high as much data was protected, and a full red one for a failure.
    """
    if not runs:
        return SafeString("")
    label = f"The last backups, {len(runs)} of them, as high as much data was protected"
    return drawing([_bar(run) for run in runs], label, places=places)


def per_cent_left(certificate: MachineCertificate, now: datetime) -> int:
    """How much of the certificate's life is left at `now`, from 0 to 100."""
    life = (certificate.not_after - certificate.not_before).total_seconds()
    left = (certificate.not_after - now).total_seconds()
    return round(100 * min(1.0, max(0.0, left / life))) if life > 0 else 0


def _bar(run: Run) -> Bar:
    when = for_people(run.finished_at)
    if run.outcome == Run.Outcome.FAILED:
        return Bar(f"{when}: failed", (("failed", FULL),))
    size = run.figures.get("bytes")
    if not isinstance(size, int):
        return Bar(f"{when}: no size was reported", (("protected", 1),))
    return Bar(f"{when}: {binary(size)}", (("protected", max(size, 1)),))
