"""Tokens for the JSON API: made, used, revoked. The secret is shown once; only its SHA-256 is stored.

A token outlives the session that made it. So making one takes the password, and another password ends them all.
"""

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from portal.accounts import authentication
from portal.accounts.authentication import Answer
from portal.accounts.models import ApiToken, User
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core import texts
from portal.core.actor import Actor, Via
from portal.core.errors import Invalid, NotFound, StaleState

PREFIX = "strongroom_"
"""Lets scanners of source code recognise a token that was committed by mistake."""
LONGEST = 366
"""The most days that a token lives."""
MOST = 50
"""The most live tokens of a person."""
ENDED_SHOWN = 50
NOTED_EVERY = timedelta(minutes=1)


def make(name: str, *, actor: Actor, scope: str, days: int, answer: Answer) -> tuple[ApiToken, str]:
    """A new token of the actor, good for `days`, and its secret, which nobody can see again.

    `answer` shows once more who the actor is. Raises Invalid for a scope or a lifetime that there is not, for an empty
    name, for one token too many and for a wrong answer; Throttled for one guess too many.
    """
    _check(name, scope, days)
    authentication.reauthenticate(answer, actor=actor)
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        _lock(actor.person)
        if ApiToken.objects.filter(_valid(timezone.now()), user=actor.person).count() >= MOST:
            raise Invalid({"name": [f"You have {MOST} valid tokens, the maximum. Revoke one first."]})
        token = ApiToken.objects.create(
            user=actor.person,
            name=name.strip(),
            digest=_digest(secret),
            scope=scope,
            expires_at=timezone.now() + timedelta(days=days),
        )
        record(Action.TOKEN_MAKE, actor=actor, target=token, detail={"scope": scope, "days": days})
    return token, secret


def revoke(token_id: UUID, *, actor: Actor) -> None:
    """End a token of the actor at once; one that has ended stays as it is. Raises NotFound for those of others."""
    token = ApiToken.objects.filter(pk=token_id, user=actor.person).first()
    if token is None:
        raise NotFound
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            record(Action.TOKEN_REVOKE, actor=actor, target=token)


def revoke_all(user: User) -> int:
    """End all tokens of a person, who leaves or has another password; the number that were live. The caller audits it,
    in the transaction in which it has changed the person."""
    now = timezone.now()
    return ApiToken.objects.filter(_valid(now), user=user).update(revoked_at=now)


def bearer(secret: str, *, address: str) -> Actor | None:
    """The person whose live token `secret` is; None for one that is unknown, expired, revoked, or of somebody who left.

    Notes the use, at most once a minute.
    """
    now = timezone.now()
    live = ApiToken.objects.filter(_valid(now), digest=_digest(secret), user__is_active=True)
    token = live.select_related("user").first()
    if token is None:
        return None
    if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTED_EVERY)
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    actor = Actor(label=token.user.username, via=Via.TOKEN, user=token.user, address=address)
    return replace(actor, read_only=token.scope == ApiToken.Scope.READ)


def tokens_of(user: User) -> list[ApiToken]:
    """All live tokens of the person, then the last of those that have ended; both the newest first."""
    live, newest_first = _valid(timezone.now()), ApiToken.objects.filter(user=user).order_by("-created_at")
    return [*newest_first.filter(live), *newest_first.exclude(live)[:ENDED_SHOWN]]


def _lock(user: User) -> None:
    """Make whoever makes a token or changes the password of the same person wait, and see that it is still the password
    that was asked for: else a token could be made just after the others were revoked."""
    unchanged = User.objects.select_for_update(no_key=True).filter(pk=user.pk, password=user.password, is_active=True)
    if unchanged.first() is None:
        raise StaleState("Your password has just been changed.", remedy="Sign in again.")


def _valid(now: datetime) -> Q:
    return Q(expires_at__gt=now, revoked_at__isnull=True)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(name: str, scope: str, days: int) -> None:
    errors: dict[str, list[str]] = {}
    if texts.is_blank(name) or len(name.strip()) > 80:
        errors["name"] = ["Enter a name of at most 80 characters that says what uses the token."]
    elif problem := texts.problem(name.strip(), lines=False):
        errors["name"] = [problem]
    if scope not in ApiToken.Scope.values:
        errors["scope"] = ["Unknown scope."]
    if not 1 <= days <= LONGEST:
        errors["days"] = [f"Choose between 1 and {LONGEST} days."]
    if errors:
        raise Invalid(errors)
