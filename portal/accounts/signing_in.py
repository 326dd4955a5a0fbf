"""Showing who one is by password, throttled by name and by address, and what the audit log says about it.

Every try is written down before the password is looked at, so that many at once cannot slip past the count. A try that
is turned away for being one too many is taken out again: waiting ends even while somebody goes on knocking. Signing in
and confirming on a page share the tries, so a session that was stolen is no place to guess at leisure.
"""

import math
from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.accounts.models import SignInFailure, User
from portal.audit.record import record, refusal
from portal.errors import DomainError, Invalid, Throttled

WINDOW = timedelta(minutes=15)
TRIES_FOR_NAME = 8
TRIES_FROM_ADDRESS = 40
LONGEST_NAME = 150
SIGN_IN = "session:sign-in"
CONFIRM = "session:confirm"


class SignInRefused(DomainError):
    """Wrong name, wrong password, or somebody who left: the message does not say which."""

    code = "sign_in_refused"
    status = 403


def check(username: str, password: str, *, address: str) -> User:
    """The person whose password this is. Raises Throttled, with the time to wait, or SignInRefused.

    Unknown names cost what known ones do. Both refusals are audited.
    """
    name = User.normalize_username(username.strip())
    person = User.objects.named(name).first()
    # By the person and not by what was typed: no spelling of a name gets tries of its own.
    key = person.username if person else name.casefold()[:LONGEST_NAME]
    # Names that nobody has are left out once an address must wait: guesses of many are one flood, not as many entries.
    _take_a_try(key, actor=_coming(person, address, "unknown"), action=SIGN_IN)
    user = authenticate(username=name, password=password)
    if not isinstance(user, User):
        refusal(SIGN_IN, actor=_coming(person, address, f'unknown "{key}"'), detail={"code": "wrong"})
        raise SignInRefused(
            "This user name and password do not belong together.",
            remedy="Check both. Capital letters count in the password.",
        )
    _forget_tries(key, address)
    return user


def confirm(password: str, *, actor: Actor, field: str) -> None:
    """Have a person who is signed in show once more who they are, before what a stolen session must not do.

    Raises Throttled, or Invalid for `field`; both are audited. Call it where no transaction is open.
    """
    person = actor.person
    _take_a_try(person.username, actor=actor, action=CONFIRM)
    if not person.check_password(password):
        refusal(CONFIRM, actor=actor, detail={"code": "wrong"})
        raise Invalid({field: ["This is not your password."]})
    _forget_tries(person.username, actor.address)


def signed_in(*, actor: Actor) -> None:
    """Note in the audit log that a session began."""
    record(SIGN_IN, actor=actor)


def signed_out(*, actor: Actor) -> None:
    """Note in the audit log that a session was ended by its person."""
    record("session:sign-out", actor=actor)


def _take_a_try(key: str, *, actor: Actor, action: str) -> None:
    now = timezone.now()
    SignInFailure.objects.filter(at__lt=now - WINDOW).delete()
    attempt = SignInFailure.objects.create(username=key, address=actor.address, at=now)
    if seconds := _seconds_to_wait(attempt):
        attempt.delete()
        refusal(action, actor=actor, detail={"code": "throttled"})
        raise Throttled(f"Too many tries. Wait {_minutes(seconds)}, then try again.", retry_after=seconds)


def _forget_tries(key: str, address: str) -> None:
    SignInFailure.objects.filter(username=key, address=address).delete()


def _coming(person: User | None, address: str, otherwise: str) -> Actor:
    """Somebody who has not shown who they are, so not an actor with a person, but with that person's name."""
    return Actor(label=person.username if person else otherwise, via="page", address=address)


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
