"""Django's admin site as administrators of Strongroom get it: our sign-in, our audited functions, nothing in bulk.

Admin classes derive from AuditedAdmin and save through domain functions, which write the audit entries. Django's own
log of changes is off: it would tell the same story a second time, and could be altered.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator

from portal.core import texts
from portal.core.errors import DomainError


class AdministrationSite(AdminSite):
    """The admin site behind the portal's own sign-in."""

    site_header = site_title = "Strongroom administration"
    index_title = "Set up"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Administrators only."""
        return bool(request.user.is_active and getattr(request.user, "is_administrator", False))

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Strangers sign in as everywhere else; people without the role are told so."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))

    def logout(  # type: ignore[override]  # the stubs know of templates only
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one way to sign out, in the account menu."""
        return redirect("accounts:profile")

    def password_change(  # type: ignore[override]  # as above
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one page for it."""
        return redirect("accounts:profile")


class PlainTexts(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """A form whose texts read as they are; domain functions refuse others too, but not beside the field."""

    bound_field_class = forms.BoundField  # these pages have none of the site's scripts, which tell how much is left

    def clean(self) -> dict[str, Any]:
        """Refuse characters that cannot be seen, and a name that is nothing but such."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in list(values.items()):
            field = self.fields[name]
            if not isinstance(value, str) or isinstance(field.widget, forms.PasswordInput):
                continue
            if problem := texts.problem(value, required=field.required, lines=False):
                self.add_error(name, problem)
        return values


class AuditedAdmin(ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """No bulk actions, no deleting, no second log; refusals of domain functions are shown above the form."""

    actions = None
    show_full_result_count = False
    list_per_page = 50
    about = ""
    """What stands above the list: what can be done here, and where the rest is done."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's, with `about` above the list."""
        return super().changelist_view(request, {"about": self.about, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Questions in the address of a list go to what it shows or filters by: `?password__startswith=` would tell a
        hash letter by letter."""
        shown = {*self.get_list_display(request), *self.get_list_filter(request)}
        return lookup.split(LOOKUP_SEP)[0] in shown and super().lookup_allowed(lookup, value, request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted here: it is deactivated, disabled or withdrawn."""
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as Django's
        """Django's, which rolls back when a domain function refuses."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(request.get_full_path())

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:  # noqa: ANN401
        """What happened is in the audit log."""
        return redirect("audit:list")

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Nothing: the domain function wrote the entry."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Nothing: the domain function wrote the entry."""
