"""Agent packages on the admin site: they are looked at, and withdrawn."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agents.models import AgentPackage
from agents.packages.publish import withdraw
from portal.core.actor import Via
from portal.core.http import actor_of
from portal.core.times import for_people
from portal.templatetags.amounts import binary
from portal.web.admin_site import AuditedAdmin

FACTS = ("file_name", "platform", "architecture", "version", "bytes", "sha256", "published", "withdrawn")


class PackageForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """One thing can be done with a package."""

    withdraw = forms.BooleanField(
        required=False,
        label="Withdraw it",
        help_text="It is removed from the Agents page and can no longer be downloaded. Machines that have it keep"
        " working. It stays withdrawn, even after a restart of the portal, until manage.py publish_agent --again"
        " publishes it.",
    )

    class Meta:
        model = AgentPackage
        fields: tuple[str, ...] = ()


@admin.register(AgentPackage)
class PackageAdmin(AuditedAdmin):
    """Packages are published with `manage.py publish_agent`, never made up here."""

    form = PackageForm
    about = (
        "Packages are published with manage.py publish_agent, which the portal also runs when it starts;"
        " docs/operations/agent-packages.md describes it. Here packages are withdrawn."
    )
    list_display = ("file_name", "platform", "architecture", "version", "bytes", "published", "withdrawn")
    list_filter = ("platform", "version")
    ordering = ("-published_at",)
    readonly_fields = FACTS

    @admin.display(description="Size", ordering="size")
    def bytes(self, package: AgentPackage) -> str:
        """With its unit, and to the byte."""
        return f"{binary(package.size)} ({package.size:,} bytes)"

    @admin.display(description="Published", ordering="published_at")
    def published(self, package: AgentPackage) -> str:
        """In UTC, as everywhere."""
        return for_people(package.published_at)

    @admin.display(description="Withdrawn", ordering="withdrawn_at", empty_value="No")
    def withdrawn(self, package: AgentPackage) -> str | None:
        """When, in UTC."""
        return for_people(package.withdrawn_at) if package.withdrawn_at else None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No: a row alone has no file that could be downloaded."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - as Django's
        """What is withdrawn cannot be withdrawn again."""
        return FACTS if obj and obj.withdrawn_at else (*FACTS, "withdraw")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401
        """Through the function that audits it."""
        if form.cleaned_data.get("withdraw"):
            withdraw(obj.pk, actor=actor_of(request, via=Via.ADMIN))
