"""How long it takes from the first step to a proven machine, and where people drop out.

A machine's own way is a row, written in the transactions that act: registration, and the first reports that went well.
It begins when the code was shown, or the file issued, that the machine came with.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from agents.models import Machine, Onboarding, RefusedRegistration
from agents.states import SetupStep
from vaults.models import Credential, OneTimeCode

LOOKED_BACK = timedelta(days=30)
MOST = 5_000
"""So many machines are measured, the newest ones."""
SETTLED = timedelta(hours=1)
"""What began less long ago may still come to its end: it has not dropped out."""


@dataclass(frozen=True)
class Way:
    """How the machines fared that came one way: how many began, and came so far, and how long the whole took."""

    name: str
    begun: int  # codes shown, or files issued
    begun_unused: int  # no machine came: the line was not run, or setup ended at its checks
    begun_refused: int  # of these: a machine came, and was refused
    registered: int
    backed_up: int
    proven: int
    median: timedelta | None
    percentile: timedelta | None  # the 95th
    stopped: tuple[tuple[str, int], ...] = ()  # the last step seen of machines that are not proven, and of how many

    @property
    def median_text(self) -> str:
        """As people say it."""
        return _words(self.median)

    @property
    def percentile_text(self) -> str:
        """The same of the 95th percentile."""
        return _words(self.percentile)

    @property
    def lost_before_backup(self) -> int:
        """Registered, and never backed up."""
        return self.registered - self.backed_up

    @property
    def lost_before_proof(self) -> int:
        """Backed up, and no restore proven."""
        return self.backed_up - self.proven


def begin(machine: Machine, credential: Credential, at: datetime) -> None:
    """Note where the machine's way began, in the transaction that registers it; another computer begins anew."""
    code = OneTimeCode.objects.filter(credential=credential).first() if credential.by_code else None
    way = {
        "began_at": code.shown_at if code else credential.issued_at,
        "by_code": code is not None,
        "registered_at": at,
        "backed_up_at": None,
        "proven_at": None,
        "setup_began_at": None,
        "number": 0,
        "last_sign_at": None,
        "step": "",
        "step_state": "",
        "step_since": None,
        "code": "",
        "figures": {},
        "checks": {},
    }
    if not Onboarding.objects.filter(machine=machine).update(**way):
        Onboarding.objects.create(machine=machine, **way)


def note_backup(machine: Machine, at: datetime) -> None:
    """The machine has reported a backup, for the first time or again, in the transaction of the report."""
    Onboarding.objects.filter(machine=machine, backed_up_at=None).update(backed_up_at=at)


def note_proof(machine: Machine, at: datetime) -> None:
    """The same of a restore that was proven."""
    Onboarding.objects.filter(machine=machine, proven_at=None).update(proven_at=at)


def ways(now: datetime | None = None) -> list[Way]:
    """By code and by file, of the last thirty days; in four queries, however many machines there are."""
    at = now or timezone.now()
    since, settled = at - LOOKED_BACK, at - SETTLED
    codes = OneTimeCode.objects.filter(shown_at__gt=since, shown_at__lt=settled)
    files = Credential.objects.filter(issued_at__gt=since, issued_at__lt=settled, purpose=Credential.Purpose.REGISTER)
    files = files.exclude(key_origin=Credential.KeyOrigin.MACHINE)
    shown = _begun(codes, Q(credential=None), "one_time_code")
    issued = _begun(files, Q(machines_used=0), "credential")
    return [_way("One-time code", True, shown, since, settled), _way("Credential file", False, issued, since, settled)]


def _begun(rows: QuerySet[Any], unused: Q, refused_by: str) -> dict[str, int]:
    was_refused = Exists(RefusedRegistration.objects.filter(**{refused_by: OuterRef("pk")}))
    found: dict[str, int] = rows.annotate(was_refused=was_refused).aggregate(
        begun=Count("pk"), unused=Count("pk", filter=unused), refused=Count("pk", filter=unused & Q(was_refused=True))
    )
    return found


def _way(name: str, by_code: bool, begun: dict[str, int], since: datetime, settled: datetime) -> Way:
    rows = Onboarding.objects.filter(by_code=by_code, began_at__gt=since, began_at__lt=settled).order_by("-began_at")
    found = list(rows.values_list("began_at", "backed_up_at", "proven_at", "step")[:MOST])
    times = sorted(proven - began for began, _, proven, _ in found if proven)
    steps = Counter(_last_step(step, backed_up) for _, backed_up, proven, step in found if not proven)
    return Way(
        name,
        begun["begun"],
        begun["unused"],
        begun["refused"],
        registered=len(found),
        backed_up=sum(1 for _, backed_up, proven, _ in found if backed_up or proven),
        proven=len(times),
        median=times[(len(times) - 1) // 2] if times else None,
        percentile=times[-(-len(times) * 95 // 100) - 1] if times else None,
        stopped=tuple((name, steps[name]) for name in _ORDER if name in steps),
    )


_UNTOLD = "Registered, and no step was told"
_ORDER = (_UNTOLD, *SetupStep.labels)


def _last_step(told: str, backed_up: datetime | None) -> str:
    """By what was told, unless a fact says more."""
    if backed_up and told not in (SetupStep.RESTORE, SetupStep.SCHEDULE):
        return SetupStep.RESTORE.label
    return SetupStep(told).label if told else _UNTOLD


def _words(length: timedelta | None) -> str:
    """`1 min 12 s`, `3 h 20 min`."""
    if length is None:
        return ""
    minutes, seconds = divmod(max(0, round(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
