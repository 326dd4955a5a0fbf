"""`advance()`: the one door through which a state changes, never without an audit entry."""

from collections.abc import Mapping

from django.db import models, transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record_transition
from portal.core.actor import Actor
from portal.core.errors import REVIEW_AGAIN, StaleState
from portal.core.states import StateTable


class IllegalTransition(Exception):
    """The table does not have the transition: a mistake in the program, not of a person."""


def advance(
    obj: models.Model,
    to: str,
    *,
    actor: Actor,
    action: Action | None = None,
    reason: str = "",
    detail: Mapping[str, object] | None = None,
    **changes: object,
) -> None:
    """Move `obj` from the state it was loaded with to `to`, together with `changes` to other columns.

    1. Refuse what the table does not have (IllegalTransition).
    2. Update the row on condition that its state is still the old one; raise StaleState when it is not. Nothing is
       changed then, neither in the database nor in `obj`.
    3. Write the audit entry `action` (default `<noun>:<new state, lower case>`) in the same transaction.
    """
    table: StateTable = type(obj).STATES  # type: ignore[attr-defined]
    old: str = obj.state  # type: ignore[attr-defined]
    if not table.allows(old, to):
        raise IllegalTransition(f"{table.noun}: {old} to {to}")
    if any(field.name == "updated_at" for field in obj._meta.concrete_fields):
        changes.setdefault("updated_at", timezone.now())
    with transaction.atomic():
        manager = type(obj)._default_manager
        if not manager.filter(pk=obj.pk, state=old).update(state=to, **changes):
            raise StaleState(
                f"This {table.noun.replace('-', ' ')} is no longer {table.looks[old].label}: it has changed meanwhile.",
                remedy=REVIEW_AGAIN,
            )
        record_transition(
            action or f"{table.noun}:{to.lower()}",
            actor=actor,
            target=obj,
            detail={"from": old, "to": to, **({"reason": reason} if reason else {}), **(detail or {})},
        )
    for name, value in {"state": to, **changes}.items():
        setattr(obj, name, value)
