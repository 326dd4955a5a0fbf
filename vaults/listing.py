"""The vault list: what can be asked of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from portal.accounts.models import Membership, User
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
    """Failed or late, as three stretches of one index: nested otherwise, SQLite would look at every vault."""
    failed = Q(state=VaultState.FAILED)
    at_work = Q(state=VaultState.ACTIVE, machines__gt=0)
    return failed | Q(at_work, last_backup_at=None) | Q(at_work, last_backup_at__lt=timezone.now() - LATE)


CHIPS: dict[str, tuple[str, Callable[[], Q]]] = {
    "": ("All", lambda: ~Q(state=VaultState.REMOVED)),
    "active": ("Active", lambda: Q(state=VaultState.ACTIVE)),
    "creating": ("Creating", lambda: Q(state=VaultState.CREATING)),
    "attention": ("Needs attention", _needs_attention),
    "removed": ("Removed", lambda: Q(state=VaultState.REMOVED)),
}
"""The filters above the table: word in the address, label, condition."""


SHOWN = (
    "name",
    "state",
    "state_reason",
    "redundancy",
    "redundancy_locked_at",
    "machines",
    "last_backup_at",
    "last_restore_check_at",
)
"""The columns of a row; more would be read fifty times for nothing."""
FEW = 2_000
"""So many vaults are gathered and sorted faster than found on a walk through all vaults in the order of the list."""


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
        """The vaults that the person sees and that match, with what a row shows; unordered.

        In place of region and subscription they have `region_name` and `subscription_name`. One query, and for somebody
        who does not see all another to count that person's vaults, no further than FEW.
        """
        condition = CHIPS[self.show][1]()
        if self.region is not None:
            condition &= Q(region_id=self.region)
        if self.subscription is not None:
            condition &= Q(subscription_id=self.subscription)
        if self.text:
            condition &= Q(name__icontains=self.text)
        names = {"region_name": F("region__name"), "subscription_name": F("subscription__name")}
        return self._seen_by(user).filter(condition).annotate(**names).only(*SHOWN)

    def _seen_by(self, user: User) -> QuerySet[Vault]:
        """The same vaults as `visible_vaults()` has, in the way that finds the first fifty soonest.

        A database without statistics would always go from the person's subscriptions to their vaults and sort them. For
        somebody with many, it is faster to walk in the order of the list and to ask of each vault whether it is theirs.
        """
        gathered = visible_vaults(user)
        if user.sees_all or (self.subscription is None and gathered[:FEW].count() < FEW):
            return gathered
        theirs = Membership.objects.filter(user=user, subscription=OuterRef("subscription_id"))
        return Vault.objects.filter(Exists(theirs))
