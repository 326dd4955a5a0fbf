"""Regions on the admin site: their name and whether they take new vaults, through the audited functions."""

from typing import Any

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest

from portal.errors import Invalid
from portal.http import actor_of
from vaults import regions
from vaults.models import Region


@admin.register(Region)
class RegionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """No adding and no deleting: the regions file says which regions there are."""

    list_display = ("name", "slug", "enabled")
    fields = ("slug", "name", "enabled")
    readonly_fields = ("slug",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Region | None = None) -> bool:
        """Never."""
        return False

    def save_model(self, request: HttpRequest, obj: Region, form: ModelForm[Any], change: bool) -> None:
        """Rename and switch as the form says; what is refused is shown as an error."""
        actor = actor_of(request, via="admin")
        try:
            if "name" in form.changed_data:
                regions.rename(obj.pk, actor=actor, name=obj.name)
            if "enabled" in form.changed_data:
                regions.set_enabled(obj.pk, actor=actor, enabled=obj.enabled)
        except Invalid as error:
            for text in (message for found in error.errors.values() for message in found):
                self.message_user(request, text, messages.ERROR)
