"""Browsers that somebody has signed in with before: a signed cookie gives their person tries of their own.

Else a stranger who guesses at a name, or from the same address, keeps its owner out. The cookie opens nothing: with it
and the password one signs in, as without it. Whoever steals it has a few guesses at that one name. It ends with the
password that it was given for.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from portal.accounts.models import User

COOKIE = "known"
DAYS = 180
_SALT = "portal.accounts.browsers"


def token_of(request: HttpRequest) -> str:
    """What the browser says it is; not verified."""
    return request.COOKIES.get(COOKIE, "")


def known(unverified: str, person: User | None) -> str:
    """The name of the browser if this person has signed in with it before; else empty."""
    if person is None or not unverified:
        return ""
    try:
        key, name, password = signing.loads(unverified, salt=_SALT, max_age=DAYS * 86400)
    except (signing.BadSignature, TypeError, ValueError):
        return ""
    return str(name) if key == person.pk and constant_time_compare(password, _password_of(person)) else ""


def remember(response: HttpResponse, person: User, unverified: str) -> None:
    """Have the browser known from now on, under the name that it has, for as long as it comes back."""
    name = known(unverified, person) or secrets.token_hex(8)
    response.set_cookie(
        COOKIE,
        signing.dumps((person.pk, name, _password_of(person)), salt=_SALT),
        max_age=DAYS * 86400,
        httponly=True,
        samesite="Lax",
        secure=settings.HTTPS,
        path="/accounts/login/",
    )


def _password_of(person: User) -> str:
    """Another one for each password: of Django's keyed hash, which sessions end by, enough to tell them apart."""
    return person.get_session_auth_hash()[:32]
