"""Typed views of requests: who acts, by which way, from where."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, QueryDict
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme
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


def page_of_ours(request: HttpRequest, address: str) -> str:
    """The path and question of a page of this site, from an address that somebody sent; empty for any other text.

    Only such a text may be the target of an HttpResponseRedirect. Never give `redirect()` a text from outside: it looks
    for a view of that name first, and fails for most.
    """
    hosts = {request.get_host()}
    if not url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure()):
        return ""
    there = urlsplit(address)
    page = f"{there.path}?{there.query}" if there.query else there.path
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, None) else ""


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
