"""`python -m bench.seed {full|quick} {large|small}`: fill the database of the environment for the bench.

Writes the handles to `handles.json` in the data folder. `python -m bench.seed demo` fills it to be looked at.
"""

import json
import random
import sys
from dataclasses import asdict

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from bench.handles import Handles, Signer, Storage
from bench.seed import demo, estate, machines, people, records, signers
from bench.sizes import FULL, QUICK, Sizes
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.paging import PAGE, page_of
from vaults.filters import VaultFilter
from vaults.models import Vault

MACHINES_EACH = 10
NOTIFICATIONS_EACH = 20
SIGNERS = 600


def main(sizes: Sizes, *, large: bool) -> Handles:
    """Migrate, fill, and say where things are."""
    for command in ("migrate", "prepare_pki", "sync_regions"):
        call_command(command, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    dice = random.Random(2016)
    with transaction.atomic():
        found, vaults, known = _fill(sizes, large, dice)
        speaking = signers.among(known, SIGNERS if large else 0, dice)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return _handles(found, vaults, known, speaking)


def _fill(sizes: Sizes, large: bool, dice: random.Random) -> tuple[dict[str, User], list[Vault], list[Storage]]:
    owners = people.subscriptions(sizes.subscriptions if large else sizes.few_subscriptions)
    found = people.people(owners, sizes.viewers)
    requesters = [user for name, user in found.items() if name.startswith("requester")]
    number = sizes.vaults if large else sizes.few_vaults
    vaults = estate.vaults(number, owners, estate.regions(), dice)
    estate.requests(vaults, requesters, found["auditor"])
    known = machines.fill(vaults[0], sizes.machines_in_vault, found["member"], dice)
    if large:
        known += machines.spread(vaults[1:], sizes.machines, MACHINES_EACH, found["member"], dice)
    records.audit(sizes.audit_entries if large else sizes.few_audit_entries, vaults, requesters, dice)
    records.notifications(owners, NOTIFICATIONS_EACH)
    return found, vaults, known


def _handles(found: dict[str, User], vaults: list[Vault], known: list[Storage], speaking: list[Signer]) -> Handles:
    auditor, central = found["auditor"], found["central"]
    last = VaultFilter().rows(auditor).order_by("-name_key", "-id")[0]
    person, action = "requester-07", records.ACTIONS[4]
    return Handles(
        member=_cookie(found["member"]),
        central=_cookie(central),
        auditor=_cookie(auditor),
        viewers=[_cookie(user) for name, user in found.items() if name.startswith("viewer")],
        edge_secret=settings.EDGE_SECRET,
        edge_url=settings.EDGE_URL,
        vault=str(vaults[0].pk),
        vault_name=vaults[0].name,
        last_name=last.name,
        last_page=_last_vaults(VaultFilter(), auditor),
        last_page_active=_last_vaults(VaultFilter(show="active"), auditor),
        central_last_page=_last_vaults(VaultFilter(), central),
        region=vaults[0].region_id,
        word=vaults[0].name.rpartition("-")[2][:5],
        audit_last_page=_last_entries({}),
        audit_last_page_filtered=_last_entries({"actor_label": person, "action": action}),
        audit_person=person,
        audit_action=action,
        storage=random.Random(7).sample(known, min(len(known), 1_000)),
        signers=speaking,
    )


def _cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    token = "b" * 32
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}; csrftoken={token}"


def _last_vaults(chosen: VaultFilter, user: User) -> str:
    """The cursor of the last whole page: of what follows the row before it."""
    rows = chosen.rows(user)
    before = rows.order_by("-name_key", "-id")[2 * PAGE - 1]
    return page_of(rows.filter(name_key__gte=before.name_key), "name_key", "id").next or ""


def _last_entries(chosen: dict[str, str]) -> str:
    rows = AuditEvent.objects.filter(**chosen)
    oldest = list(rows.order_by("id")[: 2 * PAGE])
    return page_of(rows.filter(id__lte=oldest[-1].pk), "-id").next or ""


SIZES = {each.name: each for each in (FULL, QUICK)}

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["demo"]:
            sys.exit(demo.main())
        case [size, ("large" | "small") as estate_name] if size in SIZES:
            handles = main(SIZES[size], large=estate_name == "large")
            (settings.DATA / "handles.json").write_text(json.dumps(asdict(handles)))
        case _:
            sys.exit(f"usage: python -m bench.seed demo | {{{'|'.join(SIZES)}}} {{large|small}}")
