"""What a search finds among vaults and requests."""

from collections.abc import Sequence

from django.urls import reverse

from portal.accounts.models import User
from portal.name_index import named_like
from portal.search import Hit, Hits
from vaults.models import Vault, VaultRequest
from vaults.queries import visible_requests, visible_vaults


def find(user: User, text: str, most: int) -> Sequence[Hits]:
    """Vaults and requests that the person sees and that have `text` in their name."""
    vaults = visible_vaults(user).filter(named_like(Vault, text)).select_related("subscription", "region")
    requests = (
        visible_requests(user).filter(named_like(VaultRequest, text)).select_related("subscription", "requested_by")
    )
    found_vaults = [
        Hit(one.name, f"{one.subscription.name} · {one.region.name}", reverse("vaults:vault", args=[one.pk]), one)
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
        Hits("Vaults", found_vaults[:most], len(found_vaults) > most),
        Hits("Requests", found_requests[:most], len(found_requests) > most),
    ]
