"""`record()`: writes an audit entry in the transaction of what it records."""

from collections.abc import Mapping
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.audit import floods
from portal.audit.models import AuditEvent


def record(
    action: str,
    *,
    actor: Actor,
    target: models.Model | None = None,
    detail: Mapping[str, object] | None = None,
    refused: bool = False,
) -> AuditEvent:
    """Write one entry; raises what the database raises, so that without it the action does not happen either.

    `action` is `<noun>:<verb>`. `detail` must be plain JSON and must not hold secrets. The vault that the entry belongs
    to is `target` itself or its `vault_id`, where it has one. A refusal must be written outside the transaction that it
    ends: use `refusal()`.
    """
    return AuditEvent.objects.create(
        at=timezone.now(),
        actor=actor.user,
        actor_label=actor.label[:200],
        via=actor.via,
        address=actor.address,
        action=action,
        refused=refused,
        target_type=target._meta.model_name or "" if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_label=str(target)[:200] if target is not None else "",
        vault_id=_vault_id(target),
        detail=dict(detail or {}),
    )


def refusal(
    action: str,
    *,
    actor: Actor,
    target: models.Model | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditEvent | None:
    """Write that something was refused, in a transaction of its own.

    The same refusal of the same actor from the same address within a minute is only counted, and None returned: the
    count becomes an entry when the minute is over. Call it where no transaction is open: raises RuntimeError otherwise,
    since the entry would vanish with the roll-back of what was refused.
    """
    with transaction.atomic(durable=True):
        _write_counts()
        if floods.is_repetition(action, actor=actor):
            return None
        return record(action, actor=actor, target=target, detail=detail, refused=True)


def write_refusal_counts() -> None:
    """Turn the counts of floods whose minute is over into entries. Refusals do so too; this is for when none come."""
    with transaction.atomic():
        _write_counts()


def _write_counts() -> None:
    for flood in floods.take_ended():
        actor = Actor(label=flood.actor_label, via=flood.via, address=flood.address)
        detail = {"repeated": flood.repeated, "since": flood.since.isoformat(), "seconds": floods.SECONDS}
        record(flood.action, actor=actor, detail=detail, refused=True)


def _vault_id(target: models.Model | None) -> UUID | None:
    if target is None:
        return None
    if target._meta.label == "vaults.Vault":
        return target.pk  # type: ignore[no-any-return]
    return getattr(target, "vault_id", None)
