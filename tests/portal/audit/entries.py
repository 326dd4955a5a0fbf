"""Entries of the audit log as tests want them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.targets import Target
from portal.core.actor import Actor, Via


def entry_of(
    action: str,
    who: str = "staff",
    *,
    at: datetime | None = None,
    actor: User | None = None,
    via: Via = Via.PAGE,
    address: str = "",
    refused: bool = False,
    target_type: str = "",
    target_id: str = "",
    target_label: str = "",
    vault_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
    number: int | None = None,
) -> AuditEvent:
    """An entry that is not stored, of now unless told otherwise; `number` for what looks stored."""
    event = AuditEvent.of(
        action,
        at=at or timezone.now(),
        actor=Actor(label=who, via=via, user=actor, address=address),
        target=Target(target_type, target_id, target_label, vault_id),
        detail=detail or {},
        refused=refused,
    )
    event.pk = number
    return event
