"""Signing in with a password, throttled by name and by address, and what the audit log says about it.

Every try is written down before the password is looked at, so that many at once cannot slip past the count. A try that
is turned away for being one too many is taken out again: waiting ends even while somebody goes on knocking.
"""

import math
from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.accounts.models import SignInFailure, User
from portal.audit.record import record, refusal
from portal.errors import DomainError, Throttled

WINDOW = timedelta(minutes=15)
TRIES_FOR_NAME = 8
TRIES_FROM_ADDRESS = 40


class SignInRefused(DomainError):
    """Wrong name, wrong password, or somebody who left: the message does not say which."""

    code = "sign_in_refused"
    status = 403


def check(username: str, password: str, *, address: str) -> User:
    """The person whose password this is. Raises Throttled, with the time to wait, or SignInRefused.

    Unknown names cost what known ones do. Both refusals are audited.
    """
    now = timezone.now()
    name = username.strip().lower()[:150]
    SignInFailure.objects.filter(at__lt=now - WINDOW).delete()
    attempt = SignInFailure.objects.create(username=name, address=address, at=now)
    if seconds := _seconds_to_wait(attempt):
        attempt.delete()
        _refused(name if _known(name) else "unknown", address, "throttled")
        raise Throttled(
            f"Too many tries. Wait {_minutes(seconds)}, then try again.",
            retry_after=seconds,
        )
    user = authenticate(username=username.strip(), password=password)
    if not isinstance(user, User):
        _refused(name if _known(name) else f'unknown "{name}"', address, "wrong")
        raise SignInRefused(
            "This user name and password do not belong together.",
            remedy="Check both. Capital letters count in the password.",
        )
    SignInFailure.objects.filter(username=name, address=address).delete()
    return user


def signed_in(*, actor: Actor) -> None:
    """Note in the audit log that a session began."""
    record("session:sign-in", actor=actor)


def signed_out(*, actor: Actor) -> None:
    """Note in the audit log that a session was ended by its person."""
    record("session:sign-out", actor=actor)


def _seconds_to_wait(attempt: SignInFailure) -> int:
    """Zero when this try is within the limits, else until enough of the earlier ones have left the window."""
    earlier = SignInFailure.objects.filter(pk__lt=attempt.pk, at__gte=attempt.at - WINDOW).order_by("-at")
    return max(
        _wait(earlier.filter(username=attempt.username), TRIES_FOR_NAME, attempt.at),
        _wait(earlier.filter(address=attempt.address), TRIES_FROM_ADDRESS, attempt.at),
    )


def _wait(earlier: QuerySet[SignInFailure], allowed: int, now: datetime) -> int:
    blocking = earlier[allowed - 1 : allowed].first()
    return 0 if blocking is None else math.ceil((blocking.at + WINDOW - now).total_seconds())


def _minutes(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return "one minute" if minutes == 1 else f"{minutes} minutes"


def _known(name: str) -> bool:
    return User.objects.filter(username__iexact=name).exists()


def _refused(label: str, address: str, why: str) -> None:
    """Audit it. Names that nobody has are marked, so that they aren't taken for people.

    Once an address is throttled they are left out: guesses of many names are then one flood, not as many entries.
    """
    refusal("session:sign-in", actor=Actor(label=label, via="page", address=address), detail={"why": why})
