"""What a search finds among machines."""

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from agents.models import Machine
from portal.accounts.models import User
from portal.audit import names
from portal.core.name_index import named_like
from portal.web.search import Hit, ResultGroup


def find(user: User, text: str, most: int) -> Sequence[ResultGroup]:
    """Machines that the person sees and that have `text` in their name."""
    machines = Machine.objects.visible_to(user).filter(named_like(Machine, text)).select_related("vault__subscription")
    found = [
        Hit(
            one.name,
            f"{one.vault.subscription.name} · {one.vault.name}",
            reverse("agents:machine", args=[one.pk]),
            one,
        )
        for one in machines.order_by("name_key", "id")[: most + 1]
    ]
    return [ResultGroup("Machines", found[:most], len(found) > most)]


def named(user: User, name_key: str) -> list[UUID]:
    """Machines that the person sees and that have exactly this name."""
    rows = Machine.objects.visible_to(user).filter(name_key=name_key)
    return list(rows.values_list("pk", flat=True)[: names.MOST + 1])
