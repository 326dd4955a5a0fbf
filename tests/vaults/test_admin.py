"""Regions on the admin site."""

from django.test import Client

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from vaults.models import Region


def test_the_admin_site_goes_through_the_audited_functions(
    regions: tuple[Region, Region], administrator: User, client: Client
) -> None:
    client.force_login(administrator)
    url = f"/admin/vaults/region/{regions[0].pk}/change/"
    assert client.post(url, {"name": "Frankfurt"}).status_code == 302
    assert list(AuditEvent.objects.filter(via="admin").values_list("action", flat=True).order_by("id")) == [
        "region:rename",
        "region:disable",
    ]
    assert client.get("/admin/vaults/region/add/").status_code == 403
    assert client.post(f"/admin/vaults/region/{regions[0].pk}/delete/", {"post": "yes"}).status_code == 403
    assert Region.objects.count() == 2
