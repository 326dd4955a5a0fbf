"""Typed views of requests: who acts, by which way, from where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, QueryDict
from django.utils.crypto import salted_hmac
from django_htmx.middleware import HtmxDetails

from portal.core.actor import Actor, Via

if TYPE_CHECKING:
    from portal.accounts.models import User


class SiteRequest(HttpRequest):
    """A request as our middleware leaves it, with or without somebody signed in."""

    user: User | AnonymousUser
    htmx: HtmxDetails


class PersonRequest(SiteRequest):
    """A request of somebody who is signed in."""

    user: User


class ApiRequest(SiteRequest):
    """A call of the JSON API by somebody who has shown who they are, by session or by token."""

    auth: Actor


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form sent, also when that is nothing at all; None when it is only asked for."""
    return request.POST if request.method == "POST" else None


def expected(request: HttpRequest) -> str:
    """What the form that was sent was made for; see `portal.core.expected`."""
    return str(request.POST.get("expected", ""))


def client_address(request: HttpRequest) -> str:
    """The peer's address as the edge tells it, in `X-Real-IP`, which the edge sets and strips from what clients send.

    Web processes listen on a unix socket behind the edge, so nobody else can set the header.
    """
    return str(request.META.get("HTTP_X_REAL_IP") or request.META.get("REMOTE_ADDR", ""))


def actor_of(request: HttpRequest, via: Via = Via.PAGE) -> Actor:
    """The person who is signed in, as an Actor; raises TypeError when nobody is."""
    user = request.user
    if isinstance(user, AnonymousUser):
        raise TypeError("Nobody is signed in.")
    return Actor(label=user.username, via=via, user=user, address=client_address(request), session=_session_of(request))


def key_in(text: str) -> int | None:
    """A row's key as an address gives it; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _session_of(request: HttpRequest) -> str:
    """A name of the session that nobody can use as its key."""
    key = request.session.session_key if hasattr(request, "session") else None
    return salted_hmac("portal.core.http.session", key).hexdigest()[:24] if key else ""
