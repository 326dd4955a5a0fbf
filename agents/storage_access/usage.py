"""How much machines have stored: measured now and then where a region has quotas, never while anybody waits for it."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.models import Machine
from agents.protocol.entitlement import quota_reached
from agents.storage_access.events import QuotaFree, QuotaReached
from portal.core.actor import SYSTEM
from portal.events.event import Event, happened
from vaults.models import Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.rclone import region_storage
from vaults.states import VaultState
from vaults.trash import repositories
from vaults.usage import history

log = logging.getLogger(__name__)
EVERY = timedelta(minutes=10)
UNLIMITED_EVERY = timedelta(hours=6)
"""Where there is no quota, the figure is for the Dashboard alone."""
LONGEST = 30  # seconds of one call; what it does not reach comes first in the next


def measure() -> None:
    """Look at repositories that have changed, then note what is stored by the machines of Active vaults, longest
    unmeasured first: often where regions have quotas.

    A storage that does not answer leaves the last figures.
    """
    ends = time.monotonic() + LONGEST
    repositories.look_where_wanted(until=ends)
    limited = Q(region__vault_quota_bytes__isnull=False) | Q(region__machine_quota_bytes__isnull=False)
    now = timezone.now()
    never, used = Q(used_measured_at__isnull=True), Q(redundancy_locked_at__isnull=False)  # some machine came
    due = limited & (never | Q(used_measured_at__lt=now - EVERY))
    due |= used & (never | Q(used_measured_at__lt=now - UNLIMITED_EVERY))
    vaults = Vault.objects.filter(due, state=VaultState.ACTIVE).select_related("region", "subscription")
    for vault in vaults.order_by(F("used_measured_at").asc(nulls_first=True))[:500]:
        if time.monotonic() > ends:
            return
        try:
            _measure(vault)
        except StorageError as error:
            log.warning("What vault %s uses cannot be measured: %s", vault.pk, error)


def _measure(vault: Vault) -> None:
    region, used = vault.region, dict[str, int]()
    trashed = 0
    for machine in layout.folders(region_storage(region), str(vault.pk)):
        seen = repositories.look(vault, UUID(machine))
        used[machine] = (seen.live_bytes or 0) + _above(seen.trash_bytes or 0, region.machine_quota_bytes)
        trashed += seen.trash_bytes or 0
    with transaction.atomic():
        # The vault first, then the machines: the order in which everybody locks them.
        Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        for number, size in used.items():
            Machine.objects.filter(pk=number, vault=vault).update(used_bytes=size)
        Machine.objects.filter(vault=vault).exclude(pk__in=used).update(used_bytes=0)
        total, now = sum(used.values()) + _above(trashed, region.vault_quota_bytes), timezone.now()
        Vault.objects.filter(pk=vault.pk).update(used_bytes=total, used_measured_at=now)
        history.note_stored(vault, total, now)
        happened(_reached(vault, total, max(used.values(), default=0)), actor=SYSTEM)


def _above(trashed: int, quota: int | None) -> int:
    """What counts of the trash: nothing of as much as the quota, or else nobody could delete to make room; the rest
    does, or a machine could fill the region by storing and deleting."""
    return max(0, trashed - quota) if quota is not None else 0


def _reached(vault: Vault, total: int, most: int) -> Event:
    region = vault.region
    full = quota_reached(total, region.vault_quota_bytes) or quota_reached(most, region.machine_quota_bytes)
    return QuotaReached(vault) if full else QuotaFree(vault)
