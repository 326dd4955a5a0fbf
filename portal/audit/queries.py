"""Reading the audit log: who may, which entries, and how many on each day.

Everything here stays cheap on a log of a million entries: keyset pages over indexes, no exact counts, and days that are
over are counted once in the life of a process, since their entries cannot change.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import NotAllowed, NotFound

OVERLAP = 10_000
"""Entries of transactions that overlap in time may have numbers in another order, but never this far apart."""
DAYS = 30
TODAY_FOR = 60
"""Seconds for which today's number is good enough."""


@dataclass(frozen=True)
class Filter:
    """Which entries somebody wants; empty means all. Days are in UTC and both included."""

    person: str = ""
    action: str = ""
    vaults: tuple[UUID, ...] | None = None
    machines: tuple[UUID, ...] | None = None
    credential: str = ""  # the serial, or how it begins
    since: date | None = None
    until: date | None = None
    refused: bool = False

    @property
    def words(self) -> dict[str, object]:
        """As the audit log notes what was read."""
        parts: dict[str, object] = {
            "person": self.person,
            "action": self.action,
            "vaults": sorted(str(vault) for vault in self.vaults or ()),
            "machines": sorted(str(machine) for machine in self.machines or ()),
            "credential": self.credential,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "refused": self.refused,
        }
        return {name: value for name, value in parts.items() if value}


@dataclass(frozen=True)
class Day:
    """How many entries a day has."""

    day: date
    entries: int
    refused: int


def require_auditor(actor: Actor) -> None:
    """Raise NotAllowed unless the person is an auditor."""
    if not actor.person.is_auditor:
        raise NotAllowed("Only auditors can read the audit log.", remedy="Ask an administrator if you need the role.")


def events(chosen: Filter) -> QuerySet[AuditEvent]:
    """The entries that the filter asks for; unordered, for pages by `-id`."""
    rows = AuditEvent.objects.filter(_between(chosen.since, chosen.until))
    if chosen.person:
        rows = rows.filter(actor_label=chosen.person)
    if chosen.action:
        rows = rows.filter(action=chosen.action)
    if chosen.vaults is not None:
        rows = rows.filter(vault_id__in=chosen.vaults)
    if chosen.machines is not None:
        rows = rows.filter(target_type="machine", target_id__in=[str(machine) for machine in chosen.machines])
    if chosen.credential:
        serial = chosen.credential.lower()
        rows = rows.filter(serial__gt="", serial__gte=serial, serial__lt=f"{serial}~")  # all that begin with it
    return rows.filter(refused=True) if chosen.refused else rows


def event_seen_by(actor: Actor, number: int) -> AuditEvent:
    """The entry of that number; raises NotAllowed for those who are no auditors, and NotFound."""
    require_auditor(actor)
    event = AuditEvent.objects.filter(pk=number).first()
    if event is None:
        raise NotFound
    return event


def actions() -> list[str]:
    """All actions that the log has, by name: found by hopping from one to the next in the index, now and then."""
    known: list[str] | None = cache.get("audit:actions")
    if known is None:
        known = []
        rows = AuditEvent.objects.order_by("action").values_list("action", flat=True)
        while (action := rows.filter(action__gt=known[-1] if known else "").first()) is not None:
            known.append(action)
        cache.set("audit:actions", known, 600)
    return known


def activity(today: date) -> list[Day]:
    """The last thirty days, the oldest first."""
    begin = today - timedelta(days=DAYS - 1)
    past = cache.get(f"audit:days:{today}")
    if past is None:
        past = _count(begin, today)
        cache.set(f"audit:days:{today}", past, 86400)
    now = cache.get(f"audit:today:{today}")
    if now is None:
        now = _count(today, today + timedelta(days=1))
        cache.set(f"audit:today:{today}", now, TODAY_FOR)
    numbers = {**past, **now}
    days = [begin + timedelta(days=number) for number in range(DAYS)]
    return [Day(day, *numbers[day]) for day in days]


def read_lately(actor: Actor, words: dict[str, object]) -> bool:
    """Whether the person's reading of the same was noted within the last ten minutes."""
    lately = AuditEvent.objects.filter(
        actor_label=actor.label, action=Action.AUDIT_READ, at__gte=timezone.now() - timedelta(minutes=10)
    )
    return any(event.detail == words for event in lately.order_by("-id").only("content")[:200])


def _count(begin: date, end: date) -> dict[date, tuple[int, int]]:
    """Numbers of the days from `begin` to before `end`: each day by its own stretch of the index, which no grouping of
    times by their dates can use."""
    numbers: dict[date, tuple[int, int]] = {}
    while begin < end:
        rows = AuditEvent.objects.filter(at__gte=_midnight(begin), at__lt=_midnight(begin + timedelta(days=1)))
        found = rows.aggregate(entries=Count("at"), refused=Count("at", filter=Q(refused=True)))
        numbers[begin] = (found["entries"], found["refused"])
        begin += timedelta(days=1)
    return numbers


def _between(since: date | None, until: date | None) -> Q:
    """The days by their times, and by entry numbers as well, so that pages by number need not look for them."""
    condition = Q()
    if since is not None:
        condition &= Q(at__gte=_midnight(since))
        if (first := _number_at(since)) is not None:
            condition &= Q(id__gte=first - OVERLAP)
    if until is not None and until < date.max:
        after = until + timedelta(days=1)
        condition &= Q(at__lt=_midnight(after))
        if (last := _number_at(after)) is not None:
            condition &= Q(id__lte=last + OVERLAP)
    return condition


def _number_at(day: date) -> int | None:
    """The number of the first entry of the day or later; None when there is none."""
    later = AuditEvent.objects.filter(at__gte=_midnight(day)).order_by("at")
    return later.values_list("id", flat=True).first()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
