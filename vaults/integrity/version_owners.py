"""Whose the versions in a store are: what the portal knows of the objects at their paths."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaults.models import MachineRepository, RemovedObject, SeenObject, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.versions import Version
from vaults.trash import removals

KEPT = frozenset({*layout.KINDS, layout.CONFIG}) - {layout.LOCKS}
BATCH = 500  # names of one question to the database


@dataclass(frozen=True)
class Owned:
    """An object that is, or was, a machine's: `size` in bytes, 0 where it is not known.

    `in_place` is whether it has to be at this path: there it is live, or lies in the trash.
    `removed_at` is when it went to the trash, from where it may be purged one day; None where it has to stay.
    """

    vault: str
    soft_delete: timedelta
    size: int
    in_place: bool
    removed_at: datetime | None

    def other_size(self, version: Version) -> bool:
        """Whether the version cannot be the object."""
        return bool(self.size) and version.size != self.size


def owners(versions: Iterable[Version]) -> dict[str, Owned]:
    """The owner of each path that has one. What the portal has not seen yet has none, nor have locks.

    Read the versions before: a removal is noted before the store hears of it.
    """
    paths = {each.path for each in versions}
    places = {path: place for path in paths if (place := _Place.of(path))}
    machines = {place.machine for place in places.values()}
    repositories = {row.pk: row for row in MachineRepository.objects.filter(pk__in=machines).select_related("vault")}
    sizes, removed = _sizes(places.values(), machines), _removed(places.values())
    found = {}
    for path, place in places.items():
        row = repositories.get(place.machine)
        size = 0 if place.kind == layout.CONFIG else sizes.get((place.machine, place.kind, place.name))
        if row is not None and size is not None:
            owner = _owned(row.vault, size, place, removed.get(place.stored), held=row.held_at is not None)
            found.update({path: owner} if owner else {})
    return found


def _owned(vault: Vault, size: int, place: "_Place", row: RemovedObject | None, *, held: bool) -> Owned | None:
    away = row is not None and not row.live_again
    if place.trashed and (row is None or row.purging_at is not None):
        return None
    leaves = (away or place.trashed) and not held
    moved = row is not None and away and row.moved_at is not None
    return Owned(
        vault=str(vault.pk),
        soft_delete=timedelta(days=vault.soft_delete_days),
        size=size,
        in_place=moved if place.trashed else not away,
        removed_at=row.removed_at if row is not None and leaves else None,
    )


@dataclass(frozen=True)
class _Place:
    """A path, read: `stored` is where the object was stored, which `trashed` ones are no longer."""

    stored: str
    trashed: bool
    machine: UUID
    kind: str
    name: str

    @classmethod
    def of(cls, path: str) -> "_Place | None":
        """None for what is no machine's, or a lock."""
        trashed = path.startswith(f"{removals.AREA}/")
        parts = path.removeprefix(f"{removals.AREA}/").split("/")
        name = removals.stored_name(parts[-1]) if trashed else parts[-1]
        kind = parts[2] if len(parts) > 3 else layout.CONFIG if parts[2:] == [layout.CONFIG] else ""
        named = layout.DIGEST.fullmatch(name) or kind == layout.CONFIG
        if not named or kind not in KEPT or not all(layout.UUID.fullmatch(part) for part in parts[:2]):
            return None
        return cls("/".join([*parts[:-1], name]), trashed, UUID(parts[1]), kind, name)


def _sizes(places: Iterable[_Place], machines: Iterable[UUID]) -> dict[tuple[UUID, str, str], int]:
    found: dict[tuple[UUID, str, str], int] = {}
    for batch in _batches({place.name for place in places}):
        rows = SeenObject.objects.filter(machine_id__in=machines, name__in=batch)
        found |= {(row.machine_id, row.kind, row.name): row.size for row in rows}
    return found


def _removed(places: Iterable[_Place]) -> dict[str, RemovedObject]:
    found: dict[str, RemovedObject] = {}
    for batch in _batches({place.stored for place in places}):
        found |= {row.path: row for row in RemovedObject.objects.filter(path__in=batch)}
    return found


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    all_of_them = sorted(values)
    for start in range(0, len(all_of_them), BATCH):
        yield all_of_them[start : start + BATCH]
