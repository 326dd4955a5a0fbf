"""Password authentication, throttled by name and address (`throttle`), and what the audit log says about it.

Confirming on a page has tries of its session, so that nobody else's guesses keep a person from it; they are few, and
count at the sign-in too, so a session that was stolen is no place to guess at leisure.
"""

import dataclasses
import math
from typing import Protocol

from django.contrib.auth import authenticate

from portal.accounts import browsers
from portal.accounts.admission import admission, admission_of_known
from portal.accounts.models import User
from portal.accounts.throttle import clear_attempts, found_no_turn, must_wait, take_a_try
from portal.audit.actions import Action
from portal.audit.record import record, refusal
from portal.core.actor import Actor, Via
from portal.core.admission import Busy
from portal.core.errors import DomainError, Invalid, Throttled
from portal.core.texts import shown

LONGEST_NAME = 150
SIGN_IN = Action.SESSION_SIGN_IN
CONFIRM = Action.SESSION_CONFIRM


class SignInRefused(DomainError):
    """Wrong name, wrong password, or somebody who left: the message does not say which."""

    code = "sign_in_refused"
    status = 403


def check(username: str, password: str, *, address: str, browser: str = "") -> User:
    """The person whose password this is; `browser` is the cookie of a browser that may be known, not verified.

    Raises Throttled, with the time to wait, SignInRefused, and Busy. Unknown names cost what known ones do. The first
    two refusals are audited.
    """
    name = User.normalize_username(username.strip())
    person = User.objects.named(name).first()
    # By the person and not by what was typed: no spelling of a name gets tries of its own.
    key = person.username if person else shown(name.casefold())[:LONGEST_NAME]
    known = browsers.known(browser, person)
    # Names that nobody has are left out once an address must wait: guesses of many are one flood.
    coming = _coming(person, address, "unknown")
    _refuse_who_must_wait(must_wait(key, address=address, browser=known), coming, SIGN_IN)
    try:
        with admission_of_known() if known else admission():
            _refuse_who_must_wait(take_a_try(key, address=address, browser=known), coming, SIGN_IN)
            user = authenticate(username=name, password=password)
    except Busy:
        found_no_turn(address=address, browser=known)
        raise
    if not isinstance(user, User):
        refusal(SIGN_IN, actor=_coming(person, address, f'unknown "{key}"'), detail={"code": "wrong"})
        raise SignInRefused(
            "Incorrect user name or password.",
            remedy="Check both. Passwords are case-sensitive.",
        )
    clear_attempts(key, address=address, browser=known)
    return user


class Answer(Protocol):
    """What a person who is signed in gives to show once more who they are. Another way of signing in brings its own."""

    @property
    def field(self) -> str:
        """The field of the form that it came in, which a wrong one is told at."""

    @property
    def wrong(self) -> str:
        """What is said of a wrong one."""

    def is_of(self, person: User) -> bool:
        """Whether it is right; may take as long as checking a password does."""


@dataclasses.dataclass(frozen=True)
class Password:
    """The person's password once more."""

    text: str = dataclasses.field(repr=False)
    field: str = "password"
    wrong: str = "Incorrect password."

    def is_of(self, person: User) -> bool:
        """Whether it is theirs."""
        return person.check_password(self.text)


def reauthenticate(answer: Answer, *, actor: Actor) -> None:
    """Have a person who is signed in show once more who they are, before what a stolen session must not do.

    Raises Throttled, Busy, or Invalid for the answer's field; the first and the last are audited. Call it where no
    transaction is open.
    """
    person = actor.person
    where = {"address": actor.address, "session": actor.session}
    _refuse_who_must_wait(must_wait(person.username, **where), actor, CONFIRM)
    with admission_of_known():
        _refuse_who_must_wait(take_a_try(person.username, **where), actor, CONFIRM)
        right = answer.is_of(person)
    if not right:
        refusal(CONFIRM, actor=actor, detail={"code": "wrong"})
        raise Invalid({answer.field: [answer.wrong]})
    clear_attempts(person.username, address=actor.address, session=actor.session)


def signed_in(*, actor: Actor) -> None:
    """Note in the audit log that a session began."""
    record(SIGN_IN, actor=actor)


def signed_out(*, actor: Actor) -> None:
    """Note in the audit log that a session was ended by its person."""
    record(Action.SESSION_SIGN_OUT, actor=actor)


def _refuse_who_must_wait(seconds: int, actor: Actor, action: Action) -> None:
    if seconds:
        refusal(action, actor=actor, detail={"code": "throttled"})
        raise Throttled(f"Too many attempts. Wait {_time(seconds)}, then try again.", retry_after=seconds)


def _coming(person: User | None, address: str, otherwise: str) -> Actor:
    """Somebody who has not shown who they are, so not an actor with a person, but with that person's name."""
    return Actor(label=person.username if person else otherwise, via=Via.PAGE, address=address)


def _time(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = math.ceil(seconds / 60)
    return "one minute" if minutes == 1 else f"{minutes} minutes"
