"""The vault list: what can be asked of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.models import User
from vaults.models import Vault
from vaults.queries import visible_vaults
from vaults.states import VaultState

LATE = timedelta(days=2)
"""A vault with machines and no backup for as long as this needs somebody to look."""


def is_late(vault: Vault) -> bool:
    """Whether machines of an Active vault should have backed up by now, and have not."""
    if vault.state != VaultState.ACTIVE or not vault.machines:
        return False
    return vault.last_backup_at is None or vault.last_backup_at < timezone.now() - LATE


def _needs_attention() -> Q:
    overdue = Q(last_backup_at=None) | Q(last_backup_at__lt=timezone.now() - LATE)
    return Q(state=VaultState.FAILED) | Q(overdue, state=VaultState.ACTIVE, machines__gt=0)


CHIPS: dict[str, tuple[str, Callable[[], Q]]] = {
    "": ("All", lambda: ~Q(state=VaultState.REMOVED)),
    "active": ("Active", lambda: Q(state=VaultState.ACTIVE)),
    "creating": ("Creating", lambda: Q(state=VaultState.CREATING)),
    "attention": ("Needs attention", _needs_attention),
    "removed": ("Removed", lambda: Q(state=VaultState.REMOVED)),
}
"""The filters above the table: word in the address, label, condition."""


SHOWN = (
    *("name", "state", "region__name", "subscription__name", "redundancy", "redundancy_locked_at"),
    *("machines", "last_backup_at"),
)
"""The columns of a row; more would be read fifty times for nothing."""


@dataclass(frozen=True)
class VaultFilter:
    """What somebody wants to see of the vault list; `show` is a word of CHIPS, the others are keys and a text."""

    show: str = ""
    region: int | None = None
    subscription: int | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return self != VaultFilter()

    def rows(self, user: User) -> QuerySet[Vault]:
        """The vaults that the person sees and that match, with what a row shows; unordered."""
        condition = CHIPS[self.show][1]()
        if self.region is not None:
            condition &= Q(region_id=self.region)
        if self.subscription is not None:
            condition &= Q(subscription_id=self.subscription)
        if self.text:
            condition &= Q(name__icontains=self.text)
        return visible_vaults(user).filter(condition).select_related("region", "subscription").only(*SHOWN)
