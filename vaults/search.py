"""What a search finds among vaults, requests and credentials."""

import re
from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from portal.accounts.models import User
from portal.audit import names
from portal.core.digests import shortened
from portal.core.name_index import named_like
from portal.web.search import Hit, ResultGroup
from vaults.models import Credential, Vault, VaultRequest

SERIAL = 8
"""Fewer digits of a serial are not looked for: they may be a part of a name."""


def find(user: User, text: str, most: int) -> Sequence[ResultGroup]:
    """Vaults and requests that the person sees and that have `text` in their name, credentials by their serial."""
    vaults = Vault.objects.visible_to(user).filter(named_like(Vault, text)).select_related("subscription", "region")
    requests = VaultRequest.objects.visible_to(user).filter(named_like(VaultRequest, text))
    requests = requests.select_related("subscription", "requested_by")
    found_vaults = [
        Hit(one.name, f"{one.subscription.name} · {one.region.name}", one.get_absolute_url(), one)
        for one in vaults.order_by("name_key", "id")[: most + 1]
    ]
    found_requests = [
        Hit(
            one.name,
            f"{one.subscription.name} · requested by {one.requested_by.display_name}",
            reverse("vaults:request", args=[one.pk]),
            one,
        )
        for one in requests.order_by("-requested_at", "id")[: most + 1]
    ]
    return [
        *_credentials(user, text, most),
        ResultGroup("Vaults", found_vaults[:most], len(found_vaults) > most),
        ResultGroup("Requests", found_requests[:most], len(found_requests) > most),
    ]


def named(user: User, name_key: str) -> list[UUID]:
    """Vaults that the person sees and that have exactly this name."""
    rows = Vault.objects.visible_to(user).filter(name_key=name_key)
    return list(rows.values_list("pk", flat=True)[: names.MOST + 1])


def _credentials(user: User, text: str, most: int) -> list[ResultGroup]:
    """Credentials by how their serial begins: for auditors what the log has of them, for others their vault."""
    serial = text.lower().replace(":", "")
    if not re.fullmatch(f"[0-9a-f]{{{SERIAL},40}}", serial):
        return []
    vaults = Vault.objects.visible_to(user)
    rows = Credential.objects.filter(serial__gte=serial, serial__lt=f"{serial}~", vault__in=vaults)
    rows = rows.select_related("vault__subscription").order_by("serial")[: most + 1]
    found = [
        Hit(
            f"Credential {shortened(one.serial)}",
            f"{one.vault.subscription.name} · {one.vault.name}",
            f"{reverse('audit:list')}?credential={one.serial}"
            if user.is_auditor
            else reverse("vaults:vault", args=[one.vault_id]),
            one.vault,
        )
        for one in rows
    ]
    return [ResultGroup("Credentials", found[:most], len(found) > most)]
