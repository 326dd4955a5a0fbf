"""Recovery Services: the vaults that somebody sees."""

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from portal.accounts.models import User
from portal.http import PersonRequest
from portal.live import live
from portal.paging import page_of
from vaults.listing import CHIPS, VaultFilter
from vaults.models import Region, Vault, VaultRequest
from vaults.queries import failed_own, open_requests
from vaults.views.rows import table_rows

WAITING_SHOWN = 5
LONGEST_TEXT = 80


@require_safe
def vault_list(request: PersonRequest) -> HttpResponse:
    """The table, live: each second while something of what it shows is under way, else every thirty."""
    chosen = _chosen(request.GET)
    page = page_of(chosen.rows(request.user), "name", "id", after=request.GET.get("after", ""))
    waiting = _waiting(request.user, chosen) if page.first else []
    busy = any(vault.state in Vault.STATES.busy for vault in page.items)
    return live(
        request,
        "vaults/list.html",
        "vault-table",
        {
            "page": page,
            "rows": table_rows(page.items, failed_own(request.user, page.items)),
            "waiting": waiting[:WAITING_SHOWN],
            "waiting_more": len(waiting) > WAITING_SHOWN,
            "chosen": chosen,
            "chips": [(word, label) for word, (label, _) in CHIPS.items()],
            "regions": Region.objects.only("name"),
            "seconds": 1 if busy else 30,
        },
    )


def _chosen(query: QueryDict) -> VaultFilter:
    """The filter in the address: `show`, `region`, `subscription`, `q`. What means nothing counts as not there."""
    show = query.get("show", "")
    return VaultFilter(
        show=show if show in CHIPS else "",
        region=_key(query.get("region", "")),
        subscription=_key(query.get("subscription", "")),
        text=query.get("q", "").replace("\0", "").strip()[:LONGEST_TEXT],
    )


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _waiting(user: User, chosen: VaultFilter) -> list[VaultRequest]:
    """Requests that wait for a decision: above the table, unless it is filtered by what requests do not have."""
    if chosen.show or chosen.region or chosen.text:
        return []
    return list(open_requests(user, chosen.subscription)[: WAITING_SHOWN + 1])
