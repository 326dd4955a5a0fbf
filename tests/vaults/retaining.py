"""What the tests of retention make: snapshots that were seen, what was deleted, requests for weaker policies."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from portal.accounts.models import User
from tests.factories import as_actor
from vaults.models import MachineRepository, RemovedObject, RetentionChange, SeenObject, Vault
from vaults.retention_policy import changes
from vaults.retention_policy.policy import RetentionPolicy

DAY = timedelta(days=1)
digest_of = changes.workflow.digest_of


def repository_of(vault: Vault, machine_id: UUID, **columns: object) -> MachineRepository:
    """The row of what the portal knows of the machine's repository."""
    return MachineRepository.objects.update_or_create(machine_id=machine_id, defaults={"vault": vault, **columns})[0]


def seen(vault: Vault, machine_id: UUID, at: datetime, *, kind: str = "snapshots", size: int = 300) -> SeenObject:
    """An object of the machine's that the portal first saw then."""
    name = hashlib.sha256(f"{machine_id}{kind}{SeenObject.objects.count()}".encode()).hexdigest()
    return SeenObject.objects.create(
        vault=vault, machine_id=machine_id, kind=kind, name=name, size=size, first_seen_at=at
    )


def removed(one: SeenObject, at: datetime, *, live_again: bool = False) -> RemovedObject:
    """The object, deleted then."""
    place = f"{one.name[:2]}/{one.name}" if one.kind == "data" else one.name
    return RemovedObject.objects.create(
        vault=one.vault,
        machine_id=one.machine_id,
        path=f"{one.vault_id}/{one.machine_id}/{one.kind}/{place}",
        removed_at=at,
        moved_at=at,
        live_again=live_again,
    )


def policy(vault: Vault, **numbers: int | None) -> RetentionPolicy:
    """The vault's policy with other numbers."""
    return replace(RetentionPolicy.of(vault), **numbers)  # type: ignore[arg-type]


def ask_weaker(user: User, vault: Vault, reason: str = "Too much is kept.", **numbers: int | None) -> RetentionChange:
    """The request for a weaker policy: 20 days instead of 30 unless told otherwise."""
    wanted = policy(vault, **(numbers or {"keep_within_days": 20}))
    asked = changes.change(vault.pk, actor=as_actor(user), policy=wanted, reason=reason)
    assert asked is not None
    return asked


def agree(user: User, asked: RetentionChange) -> RetentionChange:
    """Agree to the request."""
    return changes.approve(asked.pk, actor=as_actor(user), comment="Agreed.", digest=digest_of(asked))


def days_ago(days: float) -> datetime:
    """So many days before now."""
    return timezone.now() - days * DAY
