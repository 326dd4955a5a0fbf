"""Agent packages on the admin site: they are looked at, withdrawn, and others than our own are added."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agents.models import AgentPackage
from agents.packages import own
from agents.packages.publish import PLATFORMS, withdraw
from portal.core.actor import Via
from portal.core.http import actor_of
from portal.core.times import for_people
from portal.templatetags.amounts import binary
from portal.web.admin_site import AuditedAdmin, PlainTexts

FACTS = (
    "file_name",
    "platform",
    "architecture",
    "kind",
    "version",
    "notes",
    "bytes",
    "sha256",
    "published",
    "withdrawn",
)


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


class OwnPackageForm(PlainTexts):
    """A file of the incoming folder, and what is said of it."""

    file = forms.ChoiceField(choices=list)
    platform = forms.ChoiceField(choices=[(key, name) for key, name in PLATFORMS.items()])
    architecture = forms.CharField(max_length=16, initial="x86_64")
    version = forms.CharField(max_length=16)
    notes = forms.CharField(
        max_length=500,
        required=False,
        help_text="For people who see it on the Agents page: what it is, and which machines it is for.",
    )

    class Meta:
        model = AgentPackage
        fields = ("platform", "architecture", "version", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        file = self.fields["file"]
        file.choices = [(name, name) for name in own.waiting()]  # type: ignore[attr-defined]  # it is a ChoiceField
        file.help_text = (
            f"The files that lie in {own.incoming()} on the portal's host. Copy yours there first, under the name that"
            " people know it by, and then load this page again. It is taken out of there when it is published."
        )


@admin.register(AgentPackage)
class PackageAdmin(AuditedAdmin):
    """Our builds are published with `manage.py publish_agent`; files of others are added here."""

    form = PackageForm
    about = (
        "Strongroom's packages are published with manage.py publish_agent, which the portal also runs when it starts;"
        " docs/operations/agent-packages.md describes it. Here packages are withdrawn, and files of your own are added:"
        " one of the same name takes the place of an older one."
    )
    list_display = ("file_name", "platform", "architecture", "kind", "version", "bytes", "published", "withdrawn")
    list_filter = ("platform", "kind", "version")
    ordering = ("-published_at",)

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

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: ANN401
        """A new one is a file that waits."""
        return super().get_form(request, obj, change, **kwargs, **({} if obj else {"form": OwnPackageForm}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401
        """What a package is does not change."""
        return FACTS if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - as Django's
        """What is withdrawn cannot be withdrawn again."""
        if obj is None:
            return ("file", "platform", "architecture", "version", "notes")
        return FACTS if obj and obj.withdrawn_at else (*FACTS, "withdraw")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401
        """Through the functions that audit it."""
        actor = actor_of(request, via=Via.ADMIN)
        if not change:
            about = {name: form.cleaned_data[name] for name in ("platform", "architecture", "version", "notes")}
            obj.pk = own.add(form.cleaned_data["file"], about, actor=actor).pk
        elif form.cleaned_data.get("withdraw"):
            withdraw(obj.pk, actor=actor)
