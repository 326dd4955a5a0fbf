"""How many passwords may be tried: for a name, from an address, from a browser that somebody has signed in with before.

Every try is written down before the password is looked at, so that many at once cannot slip past the count. A try that
is turned away for being one too many is taken out again: rejected attempts do not extend the lockout.

- A *name* has TRIES_FOR_NAME in a quarter of an hour, from wherever.
- An *address* (for IPv6 its /64, which one customer has) has TRIES_FROM_ADDRESS. Beyond these it is crowded: behind it
  may be a whole company, one of whom guesses. A name still has a few tries of its own there, and all names together
  A_MINUTE_WHEN_CROWDED: who knows their password gets in, who guesses is slowed down. Names that nobody has are treated
  alike, so waiting tells nobody which names there are.
- A *known browser* (`portal.accounts.browsers`) has TRIES_FOR_NAME for its person, whatever others do to the name or
  at the address. All browsers of a person have TRIES_IN_BROWSERS: whoever had the password once may have made many.
- A *session* has TRIES_FOR_NAME to confirm who is in it, whatever others do to the name. All sessions of a person have
  TRIES_IN_SESSIONS, so that stealing several is no way to guess faster.
"""

import math
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.models import SignInFailure
from portal.core.networks import network_of

WINDOW = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
TRIES_FOR_NAME = 8
TRIES_IN_SESSIONS = 24
TRIES_FROM_ADDRESS = 40
TRIES_WHEN_CROWDED = 3
A_MINUTE_WHEN_CROWDED = 60
TRIES_IN_BROWSERS = 24
IN_SESSION = "session "
IN_BROWSER = "browser "
NOBODY = " "  # no name begins with a space


def take_a_try(name: str, *, address: str, browser: str = "", session: str = "") -> int:
    """Note a try of `name`; zero, or the seconds to wait, and then nothing is noted."""
    now = timezone.now()
    SignInFailure.objects.filter(at__lt=now - WINDOW).delete()
    attempt = SignInFailure.objects.create(username=name, address=_source(address, browser, session), at=now)
    seconds = _seconds(attempt, browser, session)
    if seconds:
        attempt.delete()
    return seconds


def clear_attempts(name: str, *, address: str, browser: str = "", session: str = "") -> None:
    """The password was right: tries of this name from there count no more, nor do those that found no turn there, as
    when many of a company come at once."""
    source = _source(address, browser, session)
    SignInFailure.objects.filter(username__in=(name, NOBODY), address=source).delete()


def must_wait(name: str, *, address: str, browser: str = "", session: str = "") -> int:
    """Zero, or the seconds to wait, without noting a try: whoever has to wait anyhow takes no turn of others."""
    source = _source(address, browser, session)
    return _seconds(SignInFailure(username=name, address=source, at=timezone.now()), browser, session)


def found_no_turn(*, address: str, browser: str = "", session: str = "") -> None:
    """Others had all the turns, so that no password was looked at: no try of the name, but one from the address.

    Else whoever takes all the turns there would never have to wait.
    """
    if not browser and not session:
        SignInFailure.objects.create(username=NOBODY, address=network_of(address), at=timezone.now())


def _source(address: str, browser: str, session: str) -> str:
    if session:
        return f"{IN_SESSION}{session}"
    return f"{IN_BROWSER}{browser}" if browser else network_of(address)


def _seconds(attempt: SignInFailure, browser: str, session: str) -> int:
    if session:
        return _wait_of(attempt, IN_SESSION, TRIES_IN_SESSIONS)
    return _wait_of(attempt, IN_BROWSER, TRIES_IN_BROWSERS) if browser else _wait_of_unknown_browser(attempt)


def _wait_of(attempt: SignInFailure, kind: str, allowed: int) -> int:
    """Of one browser or session, and of all of the person's that are of its kind."""
    own = _before(attempt).filter(username=attempt.username, address=attempt.address)
    alike = _before(attempt).filter(username=attempt.username, address__startswith=kind)
    return max(_wait(own, TRIES_FOR_NAME, attempt.at), _wait(alike, allowed, attempt.at))


def _wait_of_unknown_browser(attempt: SignInFailure) -> int:
    of_name = _before(attempt).filter(username=attempt.username)
    here = _before(attempt).filter(address=attempt.address)
    wait = _wait(of_name, TRIES_FOR_NAME, attempt.at)
    if not _exceeds(here, TRIES_FROM_ADDRESS):
        return wait
    wait = max(wait, _wait(of_name.filter(address=attempt.address), TRIES_WHEN_CROWDED, attempt.at))
    if not _exceeds(here, TRIES_FROM_ADDRESS + A_MINUTE_WHEN_CROWDED):
        return wait
    last_minute = here.filter(at__gte=attempt.at - MINUTE)
    return max(wait, _wait(last_minute, A_MINUTE_WHEN_CROWDED, attempt.at, MINUTE))


def _before(attempt: SignInFailure) -> QuerySet[SignInFailure]:
    earlier = SignInFailure.objects.filter(at__gte=attempt.at - WINDOW).order_by("-at")
    return earlier.filter(pk__lt=attempt.pk) if attempt.pk else earlier


def _exceeds(tries: QuerySet[SignInFailure], allowed: int) -> bool:
    return tries[allowed - 1 : allowed].exists()


def _wait(tries: QuerySet[SignInFailure], allowed: int, now: datetime, window: timedelta = WINDOW) -> int:
    """Seconds until fewer than `allowed` of the tries are within the window."""
    blocking = tries[allowed - 1 : allowed].first()
    return 0 if blocking is None else math.ceil((blocking.at + window - now).total_seconds())
