"""Regions on the admin site."""

import re

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import sizes
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


def test_quotas_are_typed_and_shown_with_their_units(
    regions: tuple[Region, Region], administrator: User, client: Client
) -> None:
    client.force_login(administrator)
    url = f"/admin/vaults/region/{regions[0].pk}/change/"
    form = {"name": "Local A", "enabled": "on", "vault_quota_bytes": "1.5 TiB", "machine_quota_bytes": "500 gb"}
    assert client.post(url, form).status_code == 302
    regions[0].refresh_from_db()
    assert (regions[0].vault_quota_bytes, regions[0].machine_quota_bytes) == (1536 * 1024**3, 500 * 1024**3)
    assert 'value="1536 GiB"' in client.get(url).content.decode()
    page = client.get("/admin/vaults/region/").content.decode()
    assert all(words in page for words in ("1536 GiB", "500 GiB", "Open", "None"))
    assert "icon-yes" not in page
    for same in ("1536 GiB", "1.5 TiB"):
        client.post(url, {**form, "vault_quota_bytes": same})
    assert AuditEvent.objects.filter(action="region:quotas").count() == 1
    refused = client.post(url, {**form, "vault_quota_bytes": "a lot"})
    assert "Type a number with its unit, for example 500 GiB." in refused.content.decode()
    assert 'value="a lot"' in refused.content.decode()


@pytest.mark.parametrize(
    ("text", "number"),
    [("1024", 1024), ("1 KiB", 1024), ("2 t", 2 * 1024**4), ("1,024 MiB", 1024**3), ("0.5 GiB", 512 * 1024**2)],
)
def test_sizes(text: str, number: int) -> None:
    assert sizes.read(text) == number
    assert sizes.read(sizes.write(number)) == number


@pytest.mark.parametrize("text", ["", "GiB", "-1 GiB", "1e3", "9999999 PiB", "1.5.2 GiB", "٣ GiB", "1 EiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        sizes.read(text)
