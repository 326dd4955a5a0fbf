"""Regions on the admin site: their name, whether they take new vaults, and quotas, through the audited functions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.administration import AuditedAdmin
from portal.http import actor_of
from vaults import regions
from vaults.models import Region


@admin.register(Region)
class RegionAdmin(AuditedAdmin):
    """No adding: the regions file says which regions there are."""

    list_display = ("name", "slug", "enabled", "vault_quota_bytes", "machine_quota_bytes")
    fields = ("slug", "name", "enabled", "vault_quota_bytes", "machine_quota_bytes")
    readonly_fields = ("slug",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401 - as Django's
        """Rename, switch and limit as the form says."""
        actor = actor_of(request, via="admin")
        if "name" in form.changed_data:
            regions.rename(obj.pk, actor=actor, name=obj.name)
        if "enabled" in form.changed_data:
            regions.set_enabled(obj.pk, actor=actor, enabled=obj.enabled)
        if {"vault_quota_bytes", "machine_quota_bytes"} & set(form.changed_data):
            regions.set_quotas(
                obj.pk, actor=actor, vault_bytes=obj.vault_quota_bytes, machine_bytes=obj.machine_quota_bytes
            )
