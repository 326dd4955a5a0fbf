"""Agent packages on the admin site: they are looked at, and withdrawn."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agents.models import AgentPackage
from agents.packages import withdraw
from portal.administration import AuditedAdmin
from portal.http import actor_of
from portal.templatetags.amounts import binary

FACTS = ("file_name", "platform", "architecture", "version", "file_size", "sha256", "published_at", "withdrawn_at")


class PackageForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """One thing can be done with a package."""

    withdraw = forms.BooleanField(
        required=False,
        label="Withdraw it",
        help_text="It leaves the Agents page and cannot be downloaded any more. Machines that have it go on with it."
        " It stays withdrawn, also when the portal starts again, until manage.py publish_agent --again publishes it.",
    )

    class Meta:
        model = AgentPackage
        fields: tuple[str, ...] = ()


@admin.register(AgentPackage)
class PackageAdmin(AuditedAdmin):
    """Packages are published with `manage.py publish_agent`, never made up here."""

    form = PackageForm
    list_display = ("file_name", "platform", "architecture", "version", "file_size", "published_at", "withdrawn_at")
    list_filter = ("platform", "version")
    ordering = ("-published_at",)
    readonly_fields = FACTS

    @admin.display(description="Size", ordering="size")
    def file_size(self, package: AgentPackage) -> str:
        """As people read it."""
        return binary(package.size)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No: a row alone has no file that could be downloaded."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - as Django's
        """What is withdrawn cannot be withdrawn again."""
        return FACTS if obj and obj.withdrawn_at else (*FACTS, "withdraw")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401
        """Through the function that audits it."""
        if form.cleaned_data.get("withdraw"):
            withdraw(obj.pk, actor=actor_of(request, via="admin"))
