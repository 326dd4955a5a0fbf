"""How much a vault had stored day by day, for the picture on its Dashboard."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from portal.core.prepared import prepared
from vaults.models import StoredDay, Vault

KEPT = timedelta(days=400)


def note_stored(vault: Vault, size: int, at: datetime) -> None:
    """Note what was measured; the last measure of a day counts, and days older than KEPT are dropped."""
    day = at.astimezone(UTC).date()
    StoredDay.objects.update_or_create(vault=vault, day=day, defaults={"size": size})
    StoredDay.objects.filter(vault=vault, day__lt=day - KEPT).delete()


def stored_days(vault: Vault, now: datetime, most: int) -> list[StoredDay]:
    """The last `most` days up to `now` as far as they were measured, the oldest first; one query."""
    since = now.astimezone(UTC).date() - timedelta(days=most - 1)
    return _days(vault.pk, since)


@prepared
def _days(vault_id: UUID, since: date) -> QuerySet[StoredDay]:
    return StoredDay.objects.filter(vault=vault_id, day__gte=since).order_by("day")
