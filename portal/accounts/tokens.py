"""Tokens for the JSON API."""

import hashlib
from dataclasses import replace

from django.utils import timezone

from portal.accounts.actors import Actor
from portal.accounts.models import ApiToken


def bearer(secret: str, *, address: str) -> Actor | None:
    """The person whose live token `secret` is; None for an unknown, expired or revoked one, or an inactive person."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user")
        .filter(digest=digest, expires_at__gt=now, revoked_at__isnull=True, user__is_active=True)
        .first()
    )
    if token is None:
        return None
    actor = Actor(label=token.user.username, via="token", user=token.user, address=address)
    return replace(actor, read_only=token.scope == ApiToken.Scope.READ)
