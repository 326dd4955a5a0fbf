"""Recovery Services: the vaults that somebody sees."""

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from portal.accounts.models import User
from portal.core.http import PersonRequest, key_in
from portal.core.paging import counted
from portal.core.sorting import sorting
from portal.web.polling import live
from vaults.filters import CHIPS, ORDERS, VaultFilter
from vaults.models import Vault, VaultRequest
from vaults.queries import failed_own, first_open_requests, open_requests, region_names
from vaults.views.rows import table_rows

WAITING_SHOWN = 4
LONGEST_TEXT = 80


@require_safe
def vault_list(request: PersonRequest) -> HttpResponse:
    """The table, live: each second while something of what it shows is under way, else every thirty."""
    chosen = _chosen(request.GET)
    sorted_by = sorting(ORDERS, request.GET.get("sort", ""), "name")
    page, number = chosen.page(request.user, sorted_by, request.GET.get("after", ""))
    waiting, waiting_number = _waiting(request.user, chosen) if page.first else ([], "0")
    busy = any(vault.state in Vault.STATES.busy for vault in page.items)
    return live(
        request,
        "vaults/list.html",
        "vault-table",
        {
            "page": page,
            "number": number,
            "sorting": sorted_by,
            "rows": table_rows(page.items, failed_own(request.user, page.items)),
            "waiting": waiting,
            "waiting_number": waiting_number,
            "chosen": chosen,
            "chips": [(word, label) for word, (label, _) in CHIPS.items()],
            "regions": region_names,
            "seconds": 1 if busy else 30,
        },
    )


def _chosen(query: QueryDict) -> VaultFilter:
    """The filter in the address: `show`, `region`, `subscription`, `q`. What means nothing counts as not there."""
    show = query.get("show", "")
    return VaultFilter(
        show=show if show in CHIPS else "",
        region=key_in(query.get("region", "")),
        subscription=key_in(query.get("subscription", "")),
        text=query.get("q", "").replace("\0", "").strip()[:LONGEST_TEXT],
    )


def _waiting(user: User, chosen: VaultFilter) -> tuple[list[VaultRequest], str]:
    """Pending requests and how many: above the table, unless it is filtered by what requests do not have."""
    if chosen.show or chosen.region or chosen.text:
        return [], "0"
    subscription = chosen.subscription
    limits = {"everybody": user.sees_all, "of_one": subscription is not None}
    found = first_open_requests(user.pk, subscription or 0, **limits, most=WAITING_SHOWN + 1)
    if len(found) <= WAITING_SHOWN:
        return found, str(len(found))
    return found[:WAITING_SHOWN], counted(open_requests(user, subscription))
