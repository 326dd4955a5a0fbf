"""How much machines have stored: measured now and then where a region has quotas, never while anybody waits for it."""

import logging
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.models import Machine
from agents.protocol.entitlement import quota_reached
from agents.storage_access.events import QuotaFree, QuotaReached
from portal.core.actor import SYSTEM
from portal.events.event import Event, happened
from vaults.integrity import removals
from vaults.models import Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.rclone import region_storage
from vaults.states import VaultState
from vaults.usage import history

log = logging.getLogger(__name__)
EVERY = timedelta(minutes=10)
UNLIMITED_EVERY = timedelta(hours=6)
"""Where there is no quota, the figure is for the Dashboard alone."""
LONGEST = 30  # seconds of one call; what it does not reach comes first in the next


def measure() -> None:
    """Note what is stored by the machines of Active vaults, longest unmeasured first: often where regions have quotas.

    A storage that does not answer leaves the last figures.
    """
    ends = time.monotonic() + LONGEST
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
    storage, used = region_storage(vault.region), dict[str, int]()
    for machine in layout.folders(storage, str(vault.pk)):
        folder = f"{vault.pk}/{machine}"
        live = (item for kind in layout.KINDS for item in layout.flat(storage, folder, kind))
        used[machine] = sum(item.size for item in live) + removals.size(storage, folder)
    with transaction.atomic():
        # The vault first, then the machines: the order in which everybody locks them.
        Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        for number, size in used.items():
            Machine.objects.filter(pk=number, vault=vault).update(used_bytes=size)
        Machine.objects.filter(vault=vault).exclude(pk__in=used).update(used_bytes=0)
        total, now = sum(used.values()), timezone.now()
        Vault.objects.filter(pk=vault.pk).update(used_bytes=total, used_measured_at=now)
        history.note_stored(vault, total, now)
        happened(_reached(vault, total, max(used.values(), default=0)), actor=SYSTEM)


def _reached(vault: Vault, total: int, most: int) -> Event:
    region = vault.region
    full = quota_reached(total, region.vault_quota_bytes) or quota_reached(most, region.machine_quota_bytes)
    return QuotaReached(vault) if full else QuotaFree(vault)
