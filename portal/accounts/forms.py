"""Forms of people: signing in, one's password, tokens."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from portal.accounts import authentication, browsers
from portal.accounts.models import ApiToken, User
from portal.accounts.passwords import HELP
from portal.core.admission import Busy
from portal.core.errors import DomainError, Invalid, Throttled
from portal.core.forms import show_refusal
from portal.core.http import SiteRequest, client_address


def _password(label: str, autocomplete: str = "current-password", help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=4096,
        strip=False,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )


class SignInForm(forms.Form):
    """User name and password. Valid only when they belong together and the throttle lets the try pass."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    password = _password("Password")

    def __init__(self, request: SiteRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.refusal: DomainError | None = None
        self.person: User | None = None

    def clean(self) -> dict[str, Any]:
        """Check the two together."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if {"username", "password"} <= values.keys():
            try:
                self.person = authentication.check(
                    values["username"],
                    values["password"],
                    address=client_address(self.request),
                    browser=browsers.token_of(self.request),
                )
            except DomainError as error:
                self.refusal = error
                raise ValidationError(error.detail, code=error.code) from error
        return values

    def get_user(self) -> User:
        """The person who signs in, as Django's view asks for it."""
        assert self.person is not None  # noqa: S101 - the view asks only valid forms
        return self.person


class ProvenForm(forms.Form):
    """A form that asks for one's password as well; `proof` is the field for it."""

    proof: str
    later: Throttled | Busy | None = None

    def refuse(self, error: Invalid | Throttled | Busy) -> None:
        """Show beside the fields why the domain refuses what they say."""
        if not isinstance(error, Invalid):
            self.later = error
        show_refusal(self, error, beside=self.proof)


class PasswordForm(ProvenForm):
    """The password one has and, twice, the one to have."""

    proof = "old"
    old = _password("Current password")
    new = _password("New password", "new-password", HELP)
    again = _password("Confirm new password", "new-password")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new(self) -> str:
        """Refuse weak ones, with the reason."""
        new: str = self.cleaned_data["new"]
        password_validation.validate_password(new, self.user)
        return new

    def clean(self) -> dict[str, Any]:
        """The two new ones must be equal."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "new" in values and values.get("again") not in {None, values["new"]}:
            self.add_error("again", "The two passwords are not the same.")
        return values


class TokenForm(ProvenForm):
    """A token to be made."""

    proof = "password"
    name = forms.CharField(
        label="Name", max_length=80, help_text="What will use it, for example: nightly report.", strip=True
    )
    scope = forms.ChoiceField(
        label="Scope",
        choices=[(ApiToken.Scope.READ, "Read only"), (ApiToken.Scope.FULL, "Full access")],
        initial=ApiToken.Scope.READ,
        widget=forms.RadioSelect,
    )
    days = forms.TypedChoiceField(
        label="Expires after",
        coerce=int,
        choices=[(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year")],
        initial=30,
    )
    password = _password("Your password", help_text="Required because a token outlives your session.")
