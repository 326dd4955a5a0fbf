"""Pages that say no: what happened, why, and the next step; whole, or as a fragment for htmx.

A fragment aims at `#refusals` by itself (HX-Retarget), so no form or poll need know where refusals go.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from portal.accounts.models import User
from portal.errors import DomainError, NotFound

TEMPLATES = {403: "errors/403.html", 404: "errors/404.html"}
FORBIDDEN = DomainError(
    "You may look at this, but not do what you asked for.",
    remedy="If that is part of your work, ask an administrator for the role.",
)
NOTHING_HERE = NotFound("There is nothing here that you can see.")
OUTDATED = DomainError(
    "This page was too old, or your browser did not send its cookie, so nothing was changed.",
    remedy="Go back, reload the page, and try again.",
)
SIGNED_OUT = DomainError("You are signed out.", remedy="Sign in again; what you typed stays on this page meanwhile.")


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A DomainError as a page, or as a fragment for htmx, with its status."""
    return _page(request, error, error.status)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: seen, but not allowed."""
    return _page(request, FORBIDDEN, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is nothing here that this person can see."""
    return _page(request, NOTHING_HERE, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or wrong."""
    return _page(request, OUTDATED, 403, template="errors/refused.html")


def signed_out(request: HttpRequest) -> HttpResponse:
    """401 for a fragment that somebody asks for who is no longer signed in; pages go to the sign-in instead."""
    return _page(request, SIGNED_OUT, 401)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our mistake. Rendered without the request, since whatever is broken may be broken here too."""
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def _page(request: HttpRequest, error: DomainError, status: int, template: str = "") -> HttpResponse:
    context: dict[str, object] = {"error": error, "status": status}
    if request.headers.get("HX-Request"):
        response = render(request, "errors/refused_fragment.html", context, status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#refusals", "innerHTML show:window:top"
        return response
    # Whoever is refused before the session is read is a stranger as far as the page is concerned.
    signed_in = isinstance(getattr(request, "user", None), User)
    context["frame"] = "base.html" if signed_in else "lone.html"
    template = template or TEMPLATES.get(status, "errors/refused.html")
    return render(request, template, context, status=status)
