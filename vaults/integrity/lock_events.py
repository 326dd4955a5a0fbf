"""What happens in regions with object lock: to the locks, and to objects behind the portal's back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from portal.audit.actions import Action
from portal.core.times import for_people
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from portal.templatetags.amounts import plural
from vaults.models import Region, Vault

State = Notification.State


@dataclass(frozen=True)
class LocksExtended(Event):
    """A walk over all versions in the region has come to its end."""

    region: Region
    counts: Mapping[str, int]

    def entry(self) -> Entry:
        """One for the whole walk: how many locks were extended, and which old versions erased."""
        detail = {
            "extended": self.counts["locks_extended"],
            "erased": self.counts["versions_erased"],
            "erased_bytes": self.counts["bytes_erased"],
        }
        return Entry(Action.REGION_LOCK, self.region, detail)


@dataclass(frozen=True)
class LocksLate(Event):
    """The locks in the region have not been extended for too long."""

    region: Region
    last: datetime | None
    trouble: str

    def notices(self) -> Iterator[Notice]:
        """For approvers, since it is about vaults of everybody."""
        since = f"since {for_people(self.last)}" if self.last else "so far"
        yield Notice(
            topic=Topic.OBJECT_LOCK,
            about=self.region.slug,
            state=State.ATTENTION,
            title=f"The object locks in {self.region} are not being extended.",
            step=f"They have not been {since}. {self.trouble} Tell an administrator: when the locks end, the store lets"
            " whoever holds its key delete what is there.",
            url=reverse("vaults:list"),
            for_approvers=True,
        )


@dataclass(frozen=True)
class LocksOnTime(Event):
    """They have been extended again."""

    region: Region

    def notices(self) -> Iterator[Withdrawal]:
        """There is nothing to do any more."""
        yield Withdrawal(Topic.OBJECT_LOCK, self.region.slug)


@dataclass(frozen=True)
class ObjectsHidden(Event):
    """Objects that should be there were deleted or replaced in the store, by somebody with the region's key.

    Their older versions are kept by their locks.
    """

    vault: Vault
    region: Region
    objects: int

    def entry(self) -> Entry:
        """How many."""
        detail = {"region": self.region.slug, "objects": self.objects}
        return Entry(Action.OBJECT_HIDDEN, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """What to do."""
        count = self.objects
        yield Notice(
            topic=Topic.HIDDEN,
            about=_place(self.vault, self.region),
            state=State.ATTENTION,
            title=f'Objects of vault "{self.vault.name}" were deleted or replaced in the store of {self.region}.',
            step=f"{plural(count, 'object')}, by somebody who has the region's key. Tell an administrator to change the"
            " key; then bring the backups back on the page of each machine. The store keeps what was there.",
            url=self.vault.get_absolute_url(),
            subscription=self.vault.subscription,
        )


@dataclass(frozen=True)
class ObjectsShown(Event):
    """All of them are in their places again."""

    vault: Vault
    region: Region

    def notices(self) -> Iterator[Withdrawal]:
        """There is nothing to do any more."""
        yield Withdrawal(Topic.HIDDEN, _place(self.vault, self.region))


def _place(vault: Vault, region: Region) -> str:
    return f"{vault.pk}:{region.slug}"
