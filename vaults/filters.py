"""The vault list: what can be asked of it, and the ways that find a page of it soonest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from portal.accounts.models import User
from portal.core.name_index import named_like
from portal.core.paging import Page, counted, page_of
from portal.core.sorting import Sorting, sorting
from vaults.models import Vault
from vaults.queries import FEW, sees_many, walked
from vaults.states import VaultState

LATE = timedelta(days=2)
"""A vault with machines and no backup for as long as this needs somebody to look."""


def is_late(vault: Vault) -> bool:
    """Whether machines of an Active vault should have backed up by now, and have not."""
    if vault.state != VaultState.ACTIVE or not vault.machines:
        return False
    return vault.last_backup_at is None or vault.last_backup_at < timezone.now() - LATE


def _late() -> Q:
    """As is_late(), as two stretches of an index."""
    at_work = Q(state=VaultState.ACTIVE, machines__gt=0)
    return Q(at_work, last_backup_at=None) | Q(at_work, last_backup_at__lt=timezone.now() - LATE)


def _late_by_key() -> Q:
    """The same, for a walk in the order of the list: no index offers itself for this column and state."""
    return Q(state=VaultState.ACTIVE, machines__gt=0, backup_key__lt=timezone.now() - LATE)


CHIPS: dict[str, tuple[str, Callable[[], Q]]] = {
    "": ("All", lambda: ~Q(state=VaultState.REMOVED)),
    "active": ("Active", lambda: Q(state=VaultState.ACTIVE)),
    "creating": ("Creating", lambda: Q(state=VaultState.CREATING)),
    "attention": ("Needs attention", lambda: Q(state=VaultState.FAILED) | _late()),
    "removed": ("Removed", lambda: Q(state=VaultState.REMOVED)),
}
"""The filters above the table: word in the address, label, condition."""

ORDERS = {
    "name": ("name_key", "id"),
    "status": ("state", "name_key", "id"),
    "machines": ("machines", "name_key", "id"),
    "backup": ("backup_key", "id"),
}
"""What the list is sorted by: word in the address, columns, each of them with an index."""

SHOWN = (
    "name",
    "state",
    "state_reason",
    "redundancy",
    "redundancy_locked_at",
    "machines",
    "last_backup_at",
    "last_restore_check_at",
    "name_key",
    "backup_key",
)
"""The columns of a row and of its order; more would be read fifty times for nothing."""


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
        """The vaults that the person sees and that match; unordered, in one query set."""
        return self._matching(user).filter(CHIPS[self.show][1]())

    def page(self, user: User, sorted_by: Sorting | None = None, after: str = "") -> tuple[Page[Vault], str]:
        """A page of what a row shows, and how many vaults match, as `counted()` says it.

        In place of region and subscription the rows have `region_name` and `subscription_name`. Some questions go
        before the one for the page, to choose the way: none of them looks further than FEW.
        """
        found, order = self._found(user), (sorted_by or sorting(ORDERS, "", "name")).order
        page = page_of(found, *order, after=after, full=_shown())
        return page, counted(found, page)

    def _found(self, user: User) -> Sequence[QuerySet[Vault]]:
        """The same vaults as rows() has, in parts that each have an index."""
        matching = self._matching(user)
        if self.show != "attention":
            return [matching.filter(CHIPS[self.show][1]())]
        late = Vault.objects.filter(_late()).values("pk")
        is_late = Q(pk__in=late) if late[:FEW].count() < FEW else _late_by_key()
        return [matching.filter(state=VaultState.FAILED), matching.filter(is_late)]

    def _matching(self, user: User) -> QuerySet[Vault]:
        # One subscription's vaults have an index of their own, which is the fastest of all.
        many = sees_many(user, Vault) if self.subscription is None else not user.sees_all
        vaults = walked(user, Vault) if many else Vault.objects.visible_to(user)
        if self.region is not None:
            vaults = vaults.filter(region_id=self.region)
        if self.subscription is not None:
            vaults = vaults.filter(subscription_id=self.subscription)
        return vaults.filter(named_like(Vault, self.text)) if self.text else vaults


def _shown() -> QuerySet[Vault]:
    names = {"region_name": F("region__name"), "subscription_name": F("subscription__name")}
    return Vault.objects.annotate(**names).only(*SHOWN)
