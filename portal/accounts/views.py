"""Signing in and out, one's own account, theme and tokens."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts import authentication, browsers, people, tokens
from portal.accounts.authentication import Password
from portal.accounts.forms import PasswordForm, ProvenForm, SignInForm, TokenForm
from portal.core.admission import Busy
from portal.core.errors import DomainError, Invalid, Throttled
from portal.core.http import PersonRequest, SiteRequest, actor_of, page_of_ours, sent
from portal.web import kept_forms
from portal.web.shell import THEMES


class SignIn(LoginView):
    """Django's sign-in with our form: it keeps `next` to this site, renews the session key and checks CSRF."""

    form_class = SignInForm  # type: ignore[assignment]
    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """The page that led here, if it is one of ours."""
        return page_of_ours(self.request, self.request.POST.get("next", self.request.GET.get("next", "")))

    def get_context_data(self, **values: object) -> dict[str, object]:
        """With the form that the page carries, when the password was wrong."""
        return super().get_context_data(**values) | {"kept": self.request.POST.get("kept", "")}

    def form_valid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]
        """Begin the session and audit it. A form that could not be sent before comes back (portal.web.kept_forms)."""
        response = super().form_valid(form)  # type: ignore[arg-type]
        authentication.signed_in(actor=actor_of(self.request))
        late = kept_forms.unsealed(self.request.POST.get("kept", ""))
        if late and kept_forms.give_back(self.request, late, form.get_user()):
            response = HttpResponseRedirect(late.page)
        browsers.remember(response, form.get_user(), browsers.token_of(self.request))
        return response

    def form_invalid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]
        """The form again, with the seconds to wait for one try too many, or for too many people at once."""
        later = form.refusal if form.refusal and form.refusal.retry_after else None
        return _told_to_wait(super().form_invalid(form), later)  # type: ignore[arg-type]


@login_not_required
@require_POST
def sign_out(request: SiteRequest) -> HttpResponse:
    """End the session; harmless when there is none any more."""
    if request.user.is_authenticated:
        authentication.signed_out(actor=actor_of(request))
    logout(request)
    return redirect("login")


@require_GET
def profile(request: PersonRequest) -> HttpResponse:
    """Who one is, what one may do, and where to change the password."""
    return _profile(request, PasswordForm(request.user))


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: PersonRequest) -> HttpResponse:
    """Change one's own password; all other sessions and all tokens end. The address alone leads to the form."""
    if request.method != "POST":
        return redirect("accounts:profile")
    form = PasswordForm(request.user, request.POST)
    if form.is_valid():
        old, new = form.cleaned_data["old"], form.cleaned_data["new"]
        try:
            revoked = people.change_own_password(old, new, actor=actor_of(request))
        except (Invalid, Throttled, Busy) as error:
            form.refuse(error)
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, _ended(revoked))
            response = redirect("accounts:profile")
            browsers.remember(response, request.user, "")  # the cookie from before ended with the password
            return response
    return _profile(request, form)


@login_not_required
@require_POST
def theme(request: SiteRequest) -> HttpResponse:
    """Light, dark or as the system has it; kept in a cookie, so that a page is right from its first byte."""
    chosen, back = request.POST.get("theme", ""), request.POST.get("next", "")
    response = HttpResponseRedirect(page_of_ours(request, back) or reverse("home"))
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=365 * 86400, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


@sensitive_post_parameters()
@never_cache
def own_tokens(request: PersonRequest) -> HttpResponse:
    """One's tokens, and a form for a new one, whose secret the answer shows once."""
    form, secret = TokenForm(sent(request), initial=kept_forms.refilled(request)), ""
    if form.is_valid():
        try:
            wanted = dict(form.cleaned_data)
            answer = Password(wanted.pop("password"))
            _, secret = tokens.make(actor=actor_of(request), answer=answer, **wanted)
            form = TokenForm()
        except (Invalid, Throttled, Busy) as error:
            form.refuse(error)
    context = {"form": form, "secret": secret, "tokens": tokens.tokens_of(request.user)}
    return _with_form(render(request, "accounts/tokens.html", context), form)


@require_POST
def revoke_token(request: PersonRequest, token_id: UUID) -> HttpResponse:
    """End one of one's tokens at once."""
    tokens.revoke(token_id, actor=actor_of(request))
    messages.success(request, "The token has been revoked.")
    return redirect("accounts:tokens")


def _profile(request: PersonRequest, form: PasswordForm) -> HttpResponse:
    memberships = request.user.memberships.select_related("subscription").order_by("subscription__name")
    return _with_form(render(request, "accounts/profile.html", {"memberships": memberships, "form": form}), form)


def _with_form(page: HttpResponse, form: ProvenForm) -> HttpResponse:
    if form.errors:
        page.status_code = Invalid.status
    return _told_to_wait(page, form.later)


def _told_to_wait(page: HttpResponse, refusal: DomainError | None) -> HttpResponse:
    if refusal:
        page.status_code = refusal.status
        page["Retry-After"] = str(refusal.retry_after)
    return page


def _ended(tokens_revoked: int) -> str:
    words = "Your password has been changed. Sessions on other devices have ended"
    if not tokens_revoked:
        return f"{words}."
    return f"{words}, and your API token{'s are' if tokens_revoked > 1 else ' is'} revoked."
