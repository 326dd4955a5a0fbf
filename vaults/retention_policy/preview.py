"""What a retention policy would do to a vault's snapshots, before it is stored: from our rows alone, nothing is listed.

Two questions for all machines, and one for their names; however many there are, few of them are shown.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaults.extensions import machines_in
from vaults.models import RemovedObject, SeenObject, Vault
from vaults.retention_policy import buckets
from vaults.retention_policy.policy import RetentionPolicy

SHOWN = 50
MOST = 2000
"""Machines of a vault that are looked at, by name."""


@dataclass(frozen=True)
class MachinePreview:
    """How many snapshots of a machine would go, how many stay, and when the oldest of those was first seen."""

    machine_id: UUID
    name: str
    go: int
    stay: int
    oldest: datetime | None


@dataclass(frozen=True)
class Preview:
    """What would go of all machines, those with most to lose first; `more` when there are machines not looked at."""

    machines: list[MachinePreview]
    more: bool

    @property
    def losing(self) -> list[MachinePreview]:
        """The machines of which something would go."""
        return [machine for machine in self.machines if machine.go]

    @property
    def shown(self) -> list[MachinePreview]:
        """The first of them."""
        return self.losing[:SHOWN]

    @property
    def go(self) -> int:
        """Snapshots that would go."""
        return sum(machine.go for machine in self.machines)

    @property
    def stay(self) -> int:
        """Snapshots that would stay."""
        return sum(machine.stay for machine in self.machines)


def preview(vault: Vault, policy: RetentionPolicy, *, at: datetime) -> Preview:
    """What the next retain of each machine that is in the vault would take by this policy."""
    names: dict[UUID, str] = {}
    for find in machines_in:
        names |= find(vault.pk, MOST + 1)
    wanted = dict(list(names.items())[:MOST])
    seen = _seen(vault, list(wanted))
    found = []
    for machine_id, name in wanted.items():
        chosen = buckets.select(seen[machine_id], policy, at=at)
        oldest = seen[machine_id][chosen.keep[0]] if chosen.keep else None
        found.append(MachinePreview(machine_id, name, len(chosen.forget), len(chosen.keep), oldest))
    found.sort(key=lambda one: (-one.go, one.name.lower(), one.machine_id))
    return Preview(found, len(names) > MOST)


def purgeable_earlier(vault: Vault, soft_delete_days: int, *, at: datetime) -> int:
    """How many objects in the trash would be over their time at once if it were kept for so many days only."""
    before, after = timedelta(days=vault.soft_delete_days), timedelta(days=soft_delete_days)
    rows = RemovedObject.objects.filter(vault=vault, removed_at__gte=at - before, removed_at__lt=at - after)
    return rows.count() if after < before else 0


def _seen(vault: Vault, machines: list[UUID]) -> defaultdict[UUID, dict[str, datetime]]:
    """When the portal first saw each snapshot that is stored now."""
    removed = RemovedObject.objects.filter(vault=vault, live_again=False, path__contains="/snapshots/")
    gone = {(machine, path.rpartition("/")[2]) for machine, path in removed.values_list("machine_id", "path")}
    rows = SeenObject.objects.filter(machine_id__in=machines, vault=vault, kind="snapshots")
    seen: defaultdict[UUID, dict[str, datetime]] = defaultdict(dict)
    for machine, name, first in rows.values_list("machine_id", "name", "first_seen_at").iterator(chunk_size=5000):
        if (machine, name) not in gone:
            seen[machine][name] = first
    return seen
