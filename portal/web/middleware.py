"""What every answer goes through."""

import logging
from collections.abc import Callable
from contextlib import suppress

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from portal.accounts.models import User
from portal.core import texts
from portal.core.errors import DATABASE_AWAY, DomainError
from portal.web.error_pages import database_away, password_first, refused, sign_in_first, signed_out
from portal.web.kept_forms import SIGNED_OUT, forget, keep

_FIRST = frozenset({"accounts:profile", "accounts:password", "notifications:area"})
"""What somebody may do whose password another person has chosen; signing out and the theme need no sign-in."""
log = logging.getLogger(__name__)
View = Callable[[HttpRequest], HttpResponse]
_PIECE = 64 * 1024  # bytes

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def security_headers(get_response: View) -> View:
    """Set the Content-Security-Policy and keep pages of people out of shared caches."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return middleware


def hidden_characters(get_response: View) -> View:
    """Spell out, on every page, characters that cannot be seen or that turn the direction of what follows.

    Nobody can give such texts any more; this is for what was stored before, and for what is shown again to be mended.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            page = response.content.decode()
            if (spelt := texts.visible(page)) is not page:
                response.content = spelt.encode()
        return response

    return middleware


def whole_bodies(get_response: View) -> View:
    """Take in what a view has left of the request's body, which the edge bounds, before the answer goes out.

    The server hangs up on a client that it has answered early. The edge, still writing, may take that for a web that
    has died, and tell people so instead of what the answer says.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        with suppress(UnreadablePostError):  # the client has gone
            while request.read(_PIECE):
                pass
        return response

    return middleware


class DomainErrorMiddleware(MiddlewareMixin):
    """Show what a page view lets through as a page, or as a fragment for htmx: a DomainError, a database that is away.

    What other middleware meets ends in `portal.web.error_pages.server_error`.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Render it; other exceptions go their way."""
        if isinstance(exception, DATABASE_AWAY):
            log.warning("The database does not answer (%s): %s %r failed", exception, request.method, request.path)
            return database_away(request)
        return refused(request, exception) if isinstance(exception, DomainError) else None


def _must_change(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.must_change_password


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Pages need somebody who is signed in unless the view says otherwise.

    A fragment of an open page must not turn into the sign-in page: htmx gets 401 and a word with a link. A form that
    somebody has filled in comes with them (see `portal.web.kept_forms`).
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        """Django's, which asks who comes even where it does not matter: health is told when no session can be read."""
        if not getattr(view_func, "login_required", True):
            return None
        if refusal := super().process_view(request, view_func, view_args, view_kwargs):
            return refusal
        page = request.resolver_match.view_name if request.resolver_match else ""
        return password_first(request) if _must_change(request) and page not in _FIRST else None

    def handle_no_permission(  # type: ignore[override]  # Django's stubs know of the redirect only
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        """To the sign-in page, and from there back."""
        if request.headers.get("HX-Request"):
            return signed_out(request)
        if form := keep(request, SIGNED_OUT):
            return sign_in_first(request, form)
        return super().handle_no_permission(request, view_func)


class KeptFormsMiddleware(MiddlewareMixin):
    """Forget what was kept of a form once it is sent anew, by somebody and with a token that count."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> None:
        """Before the view, which may keep the next one. The session has been read by now, if the page needs one."""
        if request.method == "POST" and getattr(view_func, "login_required", True):
            forget(request)
