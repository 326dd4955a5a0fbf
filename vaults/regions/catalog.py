"""Regions: what the file says, brought into the database, and what administrators may change."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotAllowed, NotFound
from vaults.models import Region
from vaults.regions import config_file
from vaults.regions.config_file import BadRegionsFile, Place


def rclone_config() -> Path:
    """Rclone's configuration, in which `<slug>:` is the root of each region; holds secrets, mode 0600."""
    return Path(settings.DATA / "rclone.conf")


def places() -> dict[str, Place]:
    """What the regions file says, by slug; read again when the file changes. Raises BadRegionsFile."""
    path = settings.REGIONS_FILE
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise BadRegionsFile(f"{path} cannot be read: {error.strerror}.") from error
    return _read(path, changed)


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> dict[str, Place]:
    return {place.slug: place for place in config_file.read(path)}


def pair_of(region: Region) -> Region | None:
    """The region that holds the copies of geo-redundant vaults; None when the file names none."""
    place = places().get(region.slug)
    return Region.objects.filter(slug=place.pair).first() if place and place.pair else None


def open_pair_of(region: Region) -> Region | None:
    """The same, as long as it takes new copies: what is kept there already goes on also when it is closed."""
    pair = pair_of(region)
    return pair if pair and pair.enabled else None


def with_open_pair(regions: Collection[Region]) -> set[str]:
    """The slugs of those among all `regions` that are enabled whose paired region is among them. No query."""
    enabled, known = {region.slug for region in regions}, places()
    return {slug for slug in enabled if (place := known.get(slug)) and place.pair in enabled}


def sync(actor: Actor) -> list[Region]:
    """Bring the database and rclone's configuration in line with the file, which is written first when there is none.

    New regions are made; the names of those that exist stay, since administrators may change them; regions that the
    file no longer has are switched off, never deleted. Folders of local regions are made. Raises BadRegionsFile.
    """
    config_file.write_default(settings.REGIONS_FILE, settings.DATA / "storage")
    known = places()
    for place in known.values():
        if place.is_folder:
            Path(place.remote).mkdir(mode=0o700, parents=True, exist_ok=True)
    config_file.write_rclone_config(rclone_config(), known.values())
    with transaction.atomic():
        regions = [_brought_in(place, actor) for place in known.values()]
        for gone in Region.objects.exclude(slug__in=known).filter(enabled=True):
            _switch(gone, False, actor, why="no longer in the regions file")
    return regions


def changed() -> list[str]:
    """The slugs of regions that the file has otherwise than what was applied last. Raises BadRegionsFile."""
    if not settings.REGIONS_FILE.exists():
        return []
    return config_file.changed(rclone_config(), places().values())


def rename(region_id: int, *, actor: Actor, name: str) -> Region:
    """Give the region another name; raises Invalid, NotAllowed, NotFound."""
    name = name.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise _wrong("name", "A name must have 1 to 80 printable characters.")
    with transaction.atomic():
        region = _for_administrator(region_id, actor)
        old = region.name
        if old == name:
            return region
        region.name = name
        try:
            with transaction.atomic():
                region.save(update_fields=["name"])
        except IntegrityError as error:
            raise _wrong("name", "Another region has this name.") from error
        record(Action.REGION_RENAME, actor=actor, target=region, detail={"from": old, "to": name})
    return region


def set_enabled(region_id: int, *, actor: Actor, enabled: bool) -> Region:
    """Open the region for new vaults, or close it; existing vaults go on. Raises Invalid, NotAllowed, NotFound."""
    with transaction.atomic():
        region = _for_administrator(region_id, actor)
        if enabled and region.slug not in places():
            raise _wrong("enabled", "The regions file does not have this region.")
        if region.enabled != enabled:
            _switch(region, enabled, actor)
    return region


def set_quotas(region_id: int, *, actor: Actor, vault_bytes: int | None, machine_bytes: int | None) -> Region:
    """Limit what each vault, and each machine, of the region may store; None for no limit.

    Holds from the next measurement on, within minutes: what is over it then stays, and nothing new is taken.
    Raises Invalid, NotAllowed, NotFound.
    """
    wanted = {"vault_quota_bytes": vault_bytes, "machine_quota_bytes": machine_bytes}
    for field, value in wanted.items():
        if value is not None and not 0 <= value < 2**63:
            raise _wrong(field, "A quota is a number of bytes, or nothing.")
    with transaction.atomic():
        region = _for_administrator(region_id, actor)
        before = {field: getattr(region, field) for field in wanted}
        if before != wanted:
            Region.objects.filter(pk=region.pk).update(**wanted)
            record(Action.REGION_QUOTAS, actor=actor, target=region, detail={"from": before, "to": wanted})
    region.refresh_from_db()
    return region


def _wrong(field: str, message: str) -> Invalid:
    return Invalid({field: [message]}, message)


def _for_administrator(region_id: int, actor: Actor) -> Region:
    if not actor.person.is_administrator or actor.read_only:
        raise NotAllowed("Only administrators can change regions.")
    region = Region.objects.select_for_update().filter(pk=region_id).first()
    if region is None:
        raise NotFound
    return region


def _brought_in(place: Place, actor: Actor) -> Region:
    region = Region.objects.filter(slug=place.slug).first()
    if region is not None:
        return region
    if Region.objects.filter(name__iexact=place.name).exists():
        raise BadRegionsFile(f"Region {place.slug}: another region is named {place.name} already.")
    region = Region.objects.create(slug=place.slug, name=place.name)
    record(Action.REGION_ADD, actor=actor, target=region, detail={"slug": place.slug})
    return region


def _switch(region: Region, enabled: bool, actor: Actor, why: str = "") -> None:
    region.enabled = enabled
    region.save(update_fields=["enabled"])
    action = Action.REGION_ENABLE if enabled else Action.REGION_DISABLE
    record(action, actor=actor, target=region, detail={"why": why} if why else {})
