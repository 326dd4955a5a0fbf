"""Pages that say no: what happened, why, and the next step; whole, or as a fragment for htmx.

A fragment aims at `#refusals` by itself (HX-Retarget), so no form or poll need know where refusals go.
"""

import sys

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.views import defaults

from portal.accounts.forms import SignInForm
from portal.accounts.models import User
from portal.core.errors import DATABASE_AWAY, DomainError, NotAllowed, NotFound, Unavailable, unavailable
from portal.core.http import page_of_ours
from portal.web import kept_forms
from portal.web.kept_forms import KeptForm

TEMPLATES = {403: "errors/403.html", 404: "errors/404.html", 503: "errors/503.html"}
FORBIDDEN = DomainError(
    "You do not have permission to do this.",
    remedy="Ask an administrator if you need the role.",
)
NOTHING_HERE = NotFound("Not found, or you do not have access.")
OUTDATED = DomainError(
    "This form has expired, or your browser did not send its cookie. Nothing was changed.",
    remedy="Go back, reload the page, and try again.",
)
PASSWORD_FIRST = NotAllowed(
    "Your password was set by an administrator.", remedy="Change it on the Your account page to continue."
)
SIGN_IN_OUTDATED = DomainError("The sign-in page had expired, so you are not signed in yet.", remedy="Sign in again.")
SOMEBODY_ELSES = DomainError(
    "This form was opened by somebody else in this browser, so nothing was changed.",
    remedy="Open the page again and fill it in there.",
)
SIGNED_OUT = DomainError("You are signed out.", remedy="Sign in again; what you typed stays on this page.")


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
    """A form whose token is missing or wrong changes nothing: it comes back filled in (see kept_forms), or 403."""
    user = getattr(request, "user", None)  # whoever is refused before the session is read is a stranger
    if not kept_forms.from_our_pages(request) and request.path == reverse("login") and isinstance(user, User):
        return HttpResponseRedirect(_asked_for(request))  # without what came with it: another site may have made it
    if request.headers.get("HX-Request") or not kept_forms.from_our_pages(request):
        return _page(request, OUTDATED, 403, template="errors/refused.html")
    if request.path == reverse("login"):
        return resumed(request, user) if isinstance(user, User) else _sign_in_again(request)
    form = kept_forms.keep(request, kept_forms.OUTDATED if isinstance(user, User) else kept_forms.SIGNED_OUT)
    if form and not isinstance(user, User):
        return sign_in_first(request, form)
    if form and isinstance(user, User):
        if kept_forms.give_back(request, form, user):
            return HttpResponseRedirect(form.page)
        return _page(request, SOMEBODY_ELSES, 403, template="errors/refused.html")
    return _page(request, OUTDATED, 403, template="errors/refused.html")


def sign_in_first(request: HttpRequest, form: KeptForm) -> HttpResponse:
    """The sign-in page, which carries a form that could not be sent; 401."""
    return _sign_in(request, SignInForm(request), next=form.page, kept=kept_forms.sealed(form))  # type: ignore[arg-type]


def resumed(request: HttpRequest, user: User) -> HttpResponse:
    """Where to go after the sign-in: to the form that came with it, else to the page that was asked for."""
    form = kept_forms.unsealed(request.POST.get("kept", ""))
    if form and kept_forms.give_back(request, form, user):
        return HttpResponseRedirect(form.page)
    return HttpResponseRedirect(_asked_for(request))


def _asked_for(request: HttpRequest) -> str:
    """The page that led to the sign-in, if it is one of ours."""
    return page_of_ours(request, request.POST.get("next", "")) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _sign_in_again(request: HttpRequest) -> HttpResponse:
    """The sign-in page was too old: a fresh one, with what the old one carried."""
    form = SignInForm(request, initial={"username": request.POST.get("username", "")})  # type: ignore[arg-type]
    form.refusal = SIGN_IN_OUTDATED
    return _sign_in(request, form, next=request.POST.get("next", ""), kept=request.POST.get("kept", ""))


def _sign_in(request: HttpRequest, form: SignInForm, **context: str) -> HttpResponse:
    response = render(request, "accounts/login.html", {"form": form, **context}, status=401)
    response["Cache-Control"] = "no-store"
    return response


def signed_out(request: HttpRequest) -> HttpResponse:
    """401 for a fragment that somebody asks for who is no longer signed in; pages go to the sign-in instead."""
    return _page(request, SIGNED_OUT, 401)


def database_away(request: HttpRequest) -> HttpResponse:
    """503 while the database is away, locked or full. The page asks it nothing, not even who is signed in."""
    return _page(request, unavailable(), 503, frame="lone.html")


def password_first(request: HttpRequest) -> HttpResponse:
    """To the page on which somebody whose password another person has chosen changes it; a fragment says so."""
    if request.headers.get("HX-Request"):
        return _page(request, PASSWORD_FIRST, PASSWORD_FIRST.status)
    return redirect("accounts:profile")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our mistake. Rendered without the request, since whatever is broken may be broken here too.

    503 when what ended here is the database being away: sessions are read and written outside of any view.
    """
    if _is_away(sys.exc_info()[1]):
        return database_away(request)
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, without a page of ours: what comes here is no browser's doing. But for a session that cannot be saved, which
    Django takes for one that was deleted meanwhile."""
    return database_away(request) if _is_away(exception) else defaults.bad_request(request, exception)


def _is_away(error: BaseException | None) -> bool:
    """Whether the database being away is what is, or is behind, the error."""
    while error is not None and not isinstance(error, DATABASE_AWAY):
        error = error.__cause__ or error.__context__
    return error is not None


def _page(
    request: HttpRequest, error: DomainError, status: int, *, template: str = "", frame: str = ""
) -> HttpResponse:
    context: dict[str, object] = {"error": error, "status": status}
    if request.headers.get("HX-Request"):
        response = render(request, "errors/refused_fragment.html", context, status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#refusals", "innerHTML show:window:top"
    else:
        if status == Unavailable.status:
            context["again"] = kept_forms.again(request)
        context["frame"] = frame or _frame(request)
        template = template or TEMPLATES.get(status, "errors/refused.html")
        response = render(request, template, context, status=status)
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response


def _frame(request: HttpRequest) -> str:
    """Whoever is refused before the session is read is a stranger as far as the page is concerned."""
    return "base.html" if isinstance(getattr(request, "user", None), User) else "lone.html"
