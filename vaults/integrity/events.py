"""What happens to stored objects and snapshots. What no region has is kept in vaults/integrity/losses.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from portal.audit.actions import Action
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from portal.templatetags.amounts import plural
from vaults.extensions import called
from vaults.models import Region, Vault
from vaults.regions.storage.layout import CONFIG, Stored

State = Notification.State
_DO = "Run `strongroom-agent check` on that machine, then a backup."
_LOST = "Without it the machine's backups in that region cannot be opened; tell an administrator."


@dataclass(frozen=True)
class ObjectLost(Event):
    """An object was set aside, and there is none to put in its place. Its entry was written when it was found."""

    vault: Vault
    region: Region
    item: Stored

    def notices(self) -> Iterator[Notice]:
        """What its people can do."""
        machine = _machine(self.item)
        what = f"An object of {called(self.vault.pk, machine)} in {self.region} did not match its name. {_DO}"
        if self.item.name == CONFIG:
            what = f"The `config` of {called(self.vault.pk, machine)} in {self.region} was cut off. {_LOST}"
        title = f'A damaged object of vault "{self.vault.name}" was set aside.'
        yield _notice(self.vault, Topic.QUARANTINE, _place(self.region, machine), title, what, State.ATTENTION)


@dataclass(frozen=True)
class LossesSettled(Event):
    """A check of the machine has missed nothing, so that what had been lost in the region no longer counts."""

    region: Region
    machine: UUID

    def notices(self) -> Iterator[Withdrawal]:
        """There is nothing to do any more."""
        yield Withdrawal(Topic.QUARANTINE, _place(self.region, self.machine))


@dataclass(frozen=True)
class ObjectRepaired(Event):
    """An object was set aside, and is there again, from the other region."""

    vault: Vault
    region: Region
    other: Region
    item: Stored

    def entry(self) -> Entry:
        """Which object, and where it came from."""
        detail = {"region": self.region.slug, "object": self.item.path, "from": self.other.slug}
        return Entry(Action.OBJECT_REPAIR, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """For information."""
        machine = _machine(self.item)
        yield _notice(
            self.vault,
            Topic.REPAIR,
            _place(self.region, machine),
            f'A damaged object of vault "{self.vault.name}" was replaced.',
            f"An object of {called(self.vault.pk, machine)} in {self.region} was not what its name says;"
            f" {self.other} had an intact copy.",
        )


@dataclass(frozen=True)
class ObjectsReturned(Event):
    """Objects of one machine that the vault's region had lost are there again, from the other one."""

    vault: Vault
    other: Region
    items: Sequence[Stored]

    def entry(self) -> Entry:
        """All of them."""
        detail = {
            "region": self.vault.region.slug,
            "from": self.other.slug,
            "objects": [item.path for item in self.items],
        }
        return Entry(Action.OBJECT_REPAIR, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """How many they were."""
        count, machine = len(self.items), UUID(_machine(self.items[0]))
        yield _notice(
            self.vault,
            Topic.RETURN,
            str(machine),
            f'Lost objects of vault "{self.vault.name}" were brought back.',
            f"{plural(count, 'object')} of {called(self.vault.pk, machine)} {'was' if count == 1 else 'were'} missing"
            f" in {self.vault.region}, and intact in {self.other}.",
        )


@dataclass(frozen=True)
class CopyDiffers(Event):
    """The two regions have different `config` objects, and nobody but the machine can tell which one is right."""

    vault: Vault
    region: Region
    other: Region
    item: Stored
    digests: Sequence[str | None]  # SHA-256, in the region and in the other

    def entry(self) -> Entry:
        """Which object, and what each region has."""
        detail = {
            "region": self.region.slug,
            "other": self.other.slug,
            "object": self.item.path,
            "sha256": list(self.digests),
        }
        return Entry(Action.OBJECT_DIFFERS, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """What its people can do."""
        machine = _machine(self.item)
        yield _notice(
            self.vault,
            Topic.DIFFERENCE,
            _place(self.region, machine),
            f'The copy of vault "{self.vault.name}" differs.',
            f"{self.region} and {self.other} have different `config` objects of"
            f" {called(self.vault.pk, machine)}. {_DO}",
            State.ATTENTION,
        )


@dataclass(frozen=True)
class SnapshotTrashed(Event):
    """An administrator has moved a snapshot to the trash."""

    vault: Vault
    machine: UUID
    snapshot: str
    reason: str

    def entry(self) -> Entry:
        """Which one, and why."""
        return Entry(Action.SNAPSHOT_TRASH, self.vault, _of_snapshot(self.machine, self.snapshot, self.reason))

    def notices(self) -> Iterator[Notice]:
        """Its people hear why."""
        yield _notice(
            self.vault,
            Topic.TRASH,
            f"{self.machine}:{self.snapshot}",
            f'A snapshot of vault "{self.vault.name}" was moved to the trash.',
            f"Snapshot {self.snapshot[:8]} of {called(self.vault.pk, self.machine)} is no longer listed or restored."
            f" The reason given: {self.reason}",
        )


@dataclass(frozen=True)
class SnapshotPutBack(Event):
    """An administrator has moved a snapshot back from the trash."""

    vault: Vault
    machine: UUID
    snapshot: str
    reason: str

    def entry(self) -> Entry:
        """Which one, and why."""
        return Entry(Action.SNAPSHOT_PUT_BACK, self.vault, _of_snapshot(self.machine, self.snapshot, self.reason))

    def notices(self) -> Iterator[Notice]:
        """This takes the place of what said that it is gone."""
        yield _notice(
            self.vault,
            Topic.TRASH,
            f"{self.machine}:{self.snapshot}",
            f'A snapshot of vault "{self.vault.name}" was put back from the trash.',
            f"Snapshot {self.snapshot[:8]} of {called(self.vault.pk, self.machine)} is listed and restored again."
            f" The reason given: {self.reason}",
        )


def _of_snapshot(machine: UUID, snapshot: str, reason: str) -> dict[str, object]:
    return {"machine": str(machine), "snapshot": snapshot, "reason": reason}


def _place(region: Region, machine: object) -> str:
    return f"{region.slug}:{machine}"


def _machine(item: Stored) -> str:
    return item.machine.rpartition("/")[2]


def _notice(
    vault: Vault, topic: Topic, about: str, title: str, step: str, state: Notification.State = State.INFO
) -> Notice:
    url = reverse("vaults:vault", args=[vault.pk])
    return Notice(
        topic=topic, about=about, state=state, title=title, step=step, url=url, subscription=vault.subscription
    )
