"""What measuring the storage of a vault brings to light."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from portal.events.event import Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from vaults.models import Vault


@dataclass(frozen=True)
class QuotaReached(Event):
    """The vault, or a machine of it, may store no more."""

    vault: Vault

    def notices(self) -> Iterator[Notice]:
        """What goes on, and who can help."""
        yield Notice(
            topic=Topic.QUOTA,
            about=self.vault.pk,
            state=Notification.State.ATTENTION,
            title=f'Vault "{self.vault.name}" has reached its quota.',
            step="New backups are refused until an administrator raises the quota. What is stored can be restored.",
            url=reverse("vaults:vault", args=[self.vault.pk]),
            subscription=self.vault.subscription,
        )


@dataclass(frozen=True)
class QuotaFree(Event):
    """The vault and all its machines may store more, as far as is known now."""

    vault: Vault

    def notices(self) -> Iterator[Withdrawal]:
        """The entry goes away with the reason for it."""
        yield Withdrawal(Topic.QUOTA, self.vault.pk)
