"""Tokens for the JSON API: made, used, revoked. The secret is shown once; only its SHA-256 is stored."""

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.accounts.models import ApiToken, User
from portal.audit.record import record
from portal.errors import Invalid, NotFound

PREFIX = "strongroom_"
"""Lets scanners of source code recognise a token that was committed by mistake."""
LONGEST = 366
"""The most days that a token lives."""
NOTED_EVERY = timedelta(minutes=1)


def make(name: str, *, actor: Actor, scope: str, days: int) -> tuple[ApiToken, str]:
    """A new token of the actor, good for `days`, and its secret, which nobody can see again.

    Raises Invalid for a scope or a lifetime that there is not, and for an empty name.
    """
    _check(name, scope, days)
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=actor.person,
            name=name.strip(),
            digest=_digest(secret),
            scope=scope,
            expires_at=timezone.now() + timedelta(days=days),
        )
        record("token:make", actor=actor, target=token, detail={"scope": scope, "days": days})
    return token, secret


def revoke(token_id: UUID, *, actor: Actor) -> None:
    """End a token of the actor at once; one that has ended stays as it is. Raises NotFound for those of others."""
    token = ApiToken.objects.filter(pk=token_id, user=actor.person).first()
    if token is None:
        raise NotFound
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record("token:revoke", actor=actor, target=token)


def revoke_all(user: User) -> int:
    """End all tokens of a person who leaves; the number that were live. The caller audits it."""
    now = timezone.now()
    return _live(now).filter(user=user).update(revoked_at=now)


def bearer(secret: str, *, address: str) -> Actor | None:
    """The person whose live token `secret` is; None for one that is unknown, expired, revoked, or of somebody who left.

    Notes the use, at most once a minute.
    """
    now = timezone.now()
    live = _live(now).filter(digest=_digest(secret), user__is_active=True)
    token = live.select_related("user").first()
    if token is None:
        return None
    if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTED_EVERY)
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    actor = Actor(label=token.user.username, via="token", user=token.user, address=address)
    return replace(actor, read_only=token.scope == ApiToken.Scope.READ)


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """All tokens of the person, the newest first."""
    return ApiToken.objects.filter(user=user).order_by("-created_at")


def _live(now: datetime) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(expires_at__gt=now, revoked_at__isnull=True)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(name: str, scope: str, days: int) -> None:
    errors: dict[str, list[str]] = {}
    if not 0 < len(name.strip()) <= 80:
        errors["name"] = ["Give it a name of at most 80 characters that says what uses it."]
    if scope not in ApiToken.Scope.values:
        errors["scope"] = ["There is no such scope."]
    if not 1 <= days <= LONGEST:
        errors["days"] = [f"A token lives between 1 and {LONGEST} days."]
    if errors:
        raise Invalid(errors)
