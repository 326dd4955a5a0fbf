"""The vault list: what can be asked of it, and the ways that find a page of it soonest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from portal.accounts.models import User
from portal.core.name_index import named_like
from portal.core.paging import COUNTED, PAGE, Page, as_counted, counted, from_position, page_at, page_of, position_of
from portal.core.prepared import prepared
from portal.core.sorting import Sorting, sorting
from vaults.models import Vault
from vaults.queries import FEW, sees_many, walked
from vaults.states import VaultState

LATE = timedelta(days=2)
"""A vault with machines and no backup for as long as this needs somebody to look."""


def is_late(vault: Vault) -> bool:
    """Whether machines of an Active vault should have backed up by now, and have not."""
    if vault.state != VaultState.ACTIVE or not vault.machine_count:
        return False
    return vault.last_backup_at is None or vault.last_backup_at < timezone.now() - LATE


def _late(since: datetime) -> Q:
    """As is_late(), as two stretches of an index."""
    at_work = Q(state=VaultState.ACTIVE, machine_count__gt=0)
    return Q(at_work, last_backup_at=None) | Q(at_work, last_backup_at__lt=since)


CHIPS: dict[str, tuple[str, Callable[[datetime], Q]]] = {
    "": ("All", lambda _: ~Q(in_state=VaultState.REMOVED)),
    "active": ("Active", lambda _: Q(in_state=VaultState.ACTIVE)),
    "creating": ("Creating", lambda _: Q(in_state=VaultState.CREATING)),
    "attention": ("Needs attention", lambda since: Q(in_state=VaultState.FAILED) | _late(since)),
    "removed": ("Removed", lambda _: Q(in_state=VaultState.REMOVED)),
}
"""The filters above the table: word in the address, label, condition on what _seen() gives, for which a backup before
`since` is late."""

PARTS: dict[str, Callable[[datetime], Q]] = {
    **{word: condition for word, (_, condition) in CHIPS.items() if word != "attention"},
    "failed": lambda _: Q(in_state=VaultState.FAILED),
    "late": lambda since: Q(pk__in=Vault.objects.filter(_late(since)).values("pk")),
    # For a walk in the order of the list: no index offers itself for this column and state.
    "late, of many": lambda since: Q(in_state=VaultState.ACTIVE, machine_count__gt=0, backup_key__lt=since),
}
"""What a page is asked for, each by an index: the filters, and in place of *Needs attention* what it is made of."""

ORDERS = {
    "name": ("name_key", "id"),
    "status": ("state", "name_key", "id"),
    "machines": ("machine_count", "name_key", "id"),
    "backup": ("backup_key", "id"),
}
"""What the list is sorted by: word in the address, columns, each of them with an index."""

SHOWN = (
    "name",
    "state",
    "state_reason",
    "redundancy",
    "redundancy_locked_at",
    "machine_count",
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
        every, (_, condition) = _seen(*self._values(user), **self._kind(user)), CHIPS[self.show]
        return every.filter(condition(_since()), self._named())

    def page(
        self, user: User, sorted_by: Sorting | None = None, after: str = "", limit: int = PAGE
    ) -> tuple[Page[Vault], str]:
        """A page of what a row shows, and how many vaults match, as `counted()` says it.

        In place of region and subscription the rows have `region_name` and `subscription_name`. Some questions go
        before the one for the page, to choose the way: none of them looks further than FEW.
        """
        order = (sorted_by or sorting(ORDERS, "", "name")).order
        since, values, kind = _since(), self._values(user), self._kind(user)
        parts = self._parts(since)
        if self.text:  # its SQL is made each time, since its way depends on how many have that name
            every = _seen(*values, **kind).filter(self._named())
            rows = [every.filter(PARTS[part](since)) for part in parts]
            page = page_of(rows, *order, after=after, limit=limit, full=_shown())
            return page, counted(rows, page)
        position = position_of(Vault, *order, after=after)
        found = [
            _rows(since, *values, *position.values, part=part, way=position.way, limit=limit, **kind) for part in parts
        ]
        page = page_at(position, found, limit)
        if page.whole:
            return page, as_counted(len(page.items))
        return page, as_counted(sum(_counted.count(since, *values, part=part, **kind) for part in parts))

    def _parts(self, since: datetime) -> Sequence[str]:
        """The PARTS whose vaults match, none of them in two."""
        if self.show != "attention":
            return [self.show]
        return ["failed", "late, of many" if _as_many_late(since, number=FEW) else "late"]

    def _values(self, user: User) -> tuple[int, int, int]:
        return user.pk, self.region or 0, self.subscription or 0

    def _kind(self, user: User) -> "_Kind":
        """How the vaults are found that the person sees, before it is asked which of them match."""
        of_one = self.subscription is not None
        # One subscription's vaults have an index of their own, which is the fastest of all.
        many = not user.sees_all if of_one else sees_many(user, Vault)
        return {"everybody": user.sees_all, "many": many, "of_region": self.region is not None, "of_one": of_one}

    def _named(self) -> Q:
        return named_like(Vault, self.text) if self.text else Q()


class _Kind(TypedDict):
    """Which of the values of _seen() count."""

    everybody: bool
    many: bool
    of_region: bool
    of_one: bool


def _seen(
    user_id: int, region_id: int, subscription_id: int, *, everybody: bool, many: bool, of_region: bool, of_one: bool
) -> QuerySet[Vault]:
    """The vaults that the person sees, of that region and subscription where it is `of_region` and `of_one`, with what
    filters go by: `in_state`.

    Where these are few, or those of one subscription, what else is asked about goes by an expression: without one the
    database would choose the index of a state or region, and read all vaults that are in it.
    """
    vaults: QuerySet[Vault] = Vault.objects.all()
    if not everybody:
        vaults = walked(user_id, Vault) if many else vaults.filter(subscription__memberships__user=user_id)
    if of_one or not (everybody or many):
        vaults = vaults.alias(in_state=Concat("state", Value("")), in_region=F("region_id") + 0)
    else:
        vaults = vaults.alias(in_state=F("state"), in_region=F("region_id"))
    if of_region:
        vaults = vaults.filter(in_region=region_id)
    return vaults.filter(subscription_id=subscription_id) if of_one else vaults


@prepared
def _rows(
    since: datetime,
    user_id: int,
    region_id: int,
    subscription_id: int,
    *position: Any,
    part: str,
    way: tuple[str, ...],
    limit: int,
    **kind: Unpack[_Kind],
) -> QuerySet[Vault]:
    """A page of those of a part, from the position with these values, and one more."""
    seen = _seen(user_id, region_id, subscription_id, **kind).filter(PARTS[part](since))
    return from_position(seen, way, position, limit, _shown())


@prepared
def _counted(
    since: datetime, user_id: int, region_id: int, subscription_id: int, *, part: str, **kind: Unpack[_Kind]
) -> QuerySet[Vault, int]:
    """Those of a part, up to COUNTED + 1: a one for each in place of columns, so that an index alone is read."""
    seen = _seen(user_id, region_id, subscription_id, **kind).filter(PARTS[part](since))
    return seen.order_by().annotate(one=Value(1)).values_list("one", flat=True)[: COUNTED + 1]


@prepared
def _as_many_late(since: datetime, *, number: int) -> QuerySet[Vault, int]:
    """A row if so many vaults are late."""
    late = Vault.objects.filter(_late(since)).order_by()
    return late.values_list("subscription_id", flat=True)[number - 1 : number]


def _since() -> datetime:
    return timezone.now() - LATE


def _shown() -> QuerySet[Vault]:
    names = {"region_name": F("region__name"), "subscription_name": F("subscription__name")}
    return Vault.objects.annotate(**names).only(*SHOWN)
