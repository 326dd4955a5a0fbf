"""People and subscriptions on the admin site. Every change goes through `portal.accounts.people`."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth import password_validation
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import Group
from django.http import HttpRequest

from portal.accounts import people, subscriptions
from portal.accounts.models import Membership, Subscription, User
from portal.core.actor import Via
from portal.core.http import actor_of
from portal.core.times import for_people
from portal.web.admin_site import AuditedAdmin, PlainTexts

ROLES = ("is_approver", "is_auditor", "is_administrator")


class PersonForm(PlainTexts):
    """A person; the password is set here and never shown."""

    password = forms.CharField(
        label="New password",
        required=False,
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=(
            "At least 12 characters, not easy to guess. Leave empty to keep the current one. A new "
            "password ends all sessions, revokes all tokens, and must be changed at the next sign-in."
        ),
    )

    class Meta:
        model = User
        fields = ("username", "full_name", "email", "is_active", *ROLES)
        field_classes: ClassVar[dict[str, type[forms.Field]]] = {"username": UsernameField}

    def clean_password(self) -> str:
        """A new person needs one; a weak one is refused."""
        password: str = self.cleaned_data["password"]
        if password:
            password_validation.validate_password(password, self.instance)
        elif self.instance.pk is None:
            raise forms.ValidationError("A new account needs a password.")
        return password


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # as above
    """Who belongs to a subscription, or where a person belongs."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user", "subscription")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - as Django's
        """A membership is given or taken, not rewritten."""
        return False


class WithMemberships(AuditedAdmin):
    """Saves the memberships below the form."""

    inlines = (MembershipInline,)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: ANN401
        """Each one through the function that audits it."""
        actor = actor_of(request, via=Via.ADMIN)
        added = formset.save(commit=False)
        for membership in formset.deleted_objects:
            subscriptions.remove_member(actor, membership.user, membership.subscription)
        for membership in added:
            subscriptions.add_member(actor, membership.user, membership.subscription)


@admin.register(User)
class PersonAdmin(WithMemberships):
    """People: made, described, given roles, deactivated."""

    form = PersonForm
    list_display = ("username", "full_name", "roles", "may_sign_in")
    list_filter = (*ROLES, "is_active")
    search_fields = ("username", "full_name", "email")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "full_name", "email", "password", "is_active")}),
        ("Roles", {"fields": ROLES, "description": "Members of a subscription are IT staff in it."}),
    )

    @admin.display(description="Roles")
    def roles(self, person: User) -> str:
        """In words, not as pictures."""
        return ", ".join(people.Roles.of(person).names).capitalize() or "–"

    @admin.display(description="May sign in", ordering="is_active")
    def may_sign_in(self, person: User) -> str:
        """Likewise."""
        return "Yes" if person.is_active else "No"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401
        """The user name stays, since the audit log calls people by it."""
        return ("username",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401
        """Through the functions that audit what changed."""
        actor, values = actor_of(request, via=Via.ADMIN), form.cleaned_data
        roles = people.Roles(**{name: values[name] for name in ROLES})
        if not change:
            described = {"full_name": values["full_name"], "email": values["email"]}
            made = people.create_user(actor, values["username"], values["password"], **described, **vars(roles))
            obj.pk, obj._state.adding = made.pk, False
        else:
            people.set_roles(actor, obj, roles)  # the first, since it locks more people than this one, in an order
            if {"full_name", "email"} & set(form.changed_data):
                people.describe_user(actor, obj, full_name=values["full_name"], email=values["email"])
            if values["password"]:
                people.set_password(actor, obj, values["password"])
        people.set_active(actor, obj, values["is_active"])


@admin.register(Subscription)
class SubscriptionAdmin(WithMemberships):
    """Subscriptions: made, renamed, their members."""

    form = PlainTexts
    list_display = ("name", "description", "made")
    search_fields = ("name",)
    fields = ("name", "description")

    @admin.display(description="Made", ordering="created_at")
    def made(self, subscription: Subscription) -> str:
        """In UTC, as everywhere."""
        return for_people(subscription.created_at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401
        """Through the functions that audit it."""
        actor, values = actor_of(request, via=Via.ADMIN), form.cleaned_data
        if not change:
            made = subscriptions.create_subscription(actor, values["name"], description=values["description"])
            obj.pk, obj._state.adding = made.pk, False
        elif form.has_changed():
            subscriptions.rename_subscription(actor, obj, values["name"], description=values["description"])


# Django's own admin of groups: we have none, and its changes would pass by the audit log.
admin.site.unregister(Group)
