"""What happens when a repository is brought back as of an earlier time. The work itself is told as an operation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from portal.audit.actions import Action
from portal.core.times import for_people, rfc3339
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic
from portal.templatetags.amounts import plural
from vaults.extensions import called
from vaults.models import Vault


@dataclass(frozen=True)
class BringBackAsked(Event):
    """Somebody wants a machine's backups as they were at that time."""

    vault: Vault
    machine: UUID
    as_of: datetime
    reason: str

    def entry(self) -> Entry:
        """Which machine's, as of when, and why."""
        detail = {"machine": str(self.machine), "as_of": rfc3339(self.as_of), "reason": self.reason}
        return Entry(Action.REPOSITORY_BRING_BACK, self.vault, detail)


@dataclass(frozen=True)
class BroughtBack(Event):
    """What was deleted since then is in its place again, and what came since then is in the trash."""

    vault: Vault
    machine: UUID
    as_of: datetime
    returned: int
    set_aside: int
    lost: int

    def entry(self) -> Entry:
        """How much."""
        detail = {
            "machine": str(self.machine),
            "as_of": rfc3339(self.as_of),
            "returned": self.returned,
            "set_aside": self.set_aside,
            "lost": self.lost,
        }
        return Entry(Action.REPOSITORY_BROUGHT_BACK, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """What the machine has to do now."""
        missing = f" {plural(self.lost, 'object')} could be found whole in no region." if self.lost else ""
        yield Notice(
            topic=Topic.BRING_BACK,
            about=self.machine,
            state=Notification.State.ATTENTION,
            title=f'The backups of {called(self.vault.pk, self.machine)} of vault "{self.vault.name}" are as of'
            f" {for_people(self.as_of)} again.",
            step=f"{plural(self.returned, 'object')} returned, {plural(self.set_aside, 'object')} set aside.{missing}"
            " Run `strongroom-agent check` on that machine.",
            url=reverse("agents:machine", args=[self.machine]),
            subscription=self.vault.subscription,
        )
