"""`record()`: writes an audit entry in the transaction of what it records."""

from collections.abc import Mapping

from django.db import models, transaction
from django.utils import timezone

from portal.audit import refusal_counters
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.audit.targets import Target
from portal.core.actor import Actor, Via


def record(
    action: Action,
    *,
    actor: Actor,
    target: models.Model | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Write one entry; raises what the database raises, so that without it the action does not happen either.

    `detail` must be plain JSON and must not hold secrets. The vault that the entry belongs to is `target` itself or its
    `vault_id`, where it has one. A refusal must be written outside the transaction that it ends: use `refusal()`.
    """
    return _write(action, actor=actor, target=Target.of(target), detail=detail or {}, refused=False)


def refusal(
    action: Action,
    *,
    actor: Actor,
    target: models.Model | None = None,
    detail: Mapping[str, object] | None = None,
) -> AuditEvent | None:
    """Write that something was refused, in a transaction of its own.

    The same refusal of the same actor from the same address, about the same target and with the same `code` in the
    detail, is only counted within a minute, and None returned: the count becomes an entry when the minute is over. Call
    it where no transaction is open: raises RuntimeError otherwise, since the entry would vanish with the roll-back of
    what was refused.
    """
    about, known = Target.of(target), detail or {}
    with transaction.atomic(durable=True):
        _write_counts()
        if refusal_counters.is_repetition(action, actor=actor, target=about, code=str(known.get("code", ""))):
            return None
        return _write(action, actor=actor, target=about, detail=known, refused=True)


def record_transition(action: str, *, actor: Actor, target: models.Model, detail: Mapping[str, object]) -> None:
    """Write the entry of a change of state, whose action follows from the table of states: for `advance()` alone."""
    _write(action, actor=actor, target=Target.of(target), detail=detail, refused=False)


def write_refusal_counts() -> None:
    """Turn the counts of floods whose minute is over into entries. Refusals do so too; this is for when none come."""
    with transaction.atomic():
        _write_counts()


def _write_counts() -> None:
    for flood in refusal_counters.take_ended():
        actor = Actor(label=flood.actor_label, via=Via(flood.via), address=flood.address)
        detail = {"repeated": flood.repeated, "since": flood.since.isoformat(), "seconds": refusal_counters.SECONDS}
        if flood.code:
            detail["code"] = flood.code
        _write(flood.action, actor=actor, target=flood.target, detail=detail, refused=True)


def _write(action: str, *, actor: Actor, target: Target, detail: Mapping[str, object], refused: bool) -> AuditEvent:
    event = AuditEvent.of(action, at=timezone.now(), actor=actor, target=target, detail=detail, refused=refused)
    event.save()
    return event
