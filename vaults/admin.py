"""Regions on the admin site: their name, whether they take new vaults, and quotas, through the audited functions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.core import sizes
from portal.core.actor import Via
from portal.core.http import actor_of
from portal.core.sizes import SizeField
from portal.core.times import for_people
from portal.templatetags.amounts import plural, size
from portal.web.admin_site import AuditedAdmin, PlainTexts
from vaults.models import Region
from vaults.regions import catalog, object_lock


def _quota(label: str) -> SizeField:
    return SizeField(label=label, required=False, help_text="For example 500 GiB or 2 TiB. Empty for none.")


class RegionForm(PlainTexts):
    """A region; quotas with their units."""

    vault_quota_bytes = _quota("Quota of each vault")
    machine_quota_bytes = _quota("Quota of each machine")


@admin.register(Region)
class RegionAdmin(AuditedAdmin):
    """No adding: the regions file says which regions there are."""

    form = RegionForm
    about = (
        "Regions are listed in the regions file (REGIONS_FILE). To add one, put it there and run"
        " manage.py sync_regions; docs/regions.md describes both. Here regions are renamed, opened and closed for new"
        " vaults, and limited by quotas. Object lock is told of as it was last seen."
    )
    list_display = ("name", "slug", "new_vaults", "vault_quota", "machine_quota", "object_lock")
    list_select_related = ("lock_walk",)
    fields = ("slug", "name", "enabled", "vault_quota_bytes", "machine_quota_bytes", "object_lock")
    readonly_fields = ("slug", "object_lock")

    @admin.display(description="New vaults", ordering="enabled")
    def new_vaults(self, region: Region) -> str:
        """In words, not as a picture."""
        return "Open" if region.enabled else "Closed"

    @admin.display(description="Quota of each vault", ordering="vault_quota_bytes")
    def vault_quota(self, region: Region) -> str:
        """With its unit."""
        return _written(region.vault_quota_bytes)

    @admin.display(description="Quota of each machine", ordering="machine_quota_bytes")
    def machine_quota(self, region: Region) -> str:
        """With its unit."""
        return _written(region.machine_quota_bytes)

    @admin.display(description="Object lock")
    def object_lock(self, region: Region) -> str:
        """For how long, when it was last extended, what waits for its end, and what is wrong."""
        return object_lock_of(region)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401 - as Django's
        """Rename, switch and limit as the form says."""
        actor = actor_of(request, via=Via.ADMIN)
        if "name" in form.changed_data:
            catalog.rename(obj.pk, actor=actor, name=obj.name)
        if "enabled" in form.changed_data:
            catalog.set_enabled(obj.pk, actor=actor, enabled=obj.enabled)
        if {"vault_quota_bytes", "machine_quota_bytes"} & set(form.changed_data):
            catalog.set_quotas(
                obj.pk, actor=actor, vault_bytes=obj.vault_quota_bytes, machine_bytes=obj.machine_quota_bytes
            )


def object_lock_of(region: Region) -> str:
    """What is to be said of the region's object lock, in a line."""
    days, walk = object_lock.lock_days(region), getattr(region, "lock_walk", None)
    if not days:
        return "None"
    said = [f"{plural(days, 'day')}."]
    last = walk.finished_at if walk else None
    said.append(f"Extended {for_people(last)}." if last else "Not extended so far.")
    if walk and walk.bytes_waiting:
        said.append(f"{size(walk.bytes_waiting)} that nobody needs waits for its lock to end.")
    if walk and walk.hidden:
        said.append(f"{plural(sum(walk.hidden.values()), 'object')} deleted or replaced in the store itself.")
    return " ".join([*said, walk.trouble if walk else ""]).strip()


def _written(number: int | None) -> str:
    return "None" if number is None else sizes.write(number)
