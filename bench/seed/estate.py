"""Regions, requests, vaults, and the work that made them."""

import random
from datetime import timedelta

from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.approvals.models import Decision
from portal.approvals.states import RequestState
from vaults.models import Operation, PairedCopy, Redundancy, Region, Vault, VaultRequest
from vaults.states import OperationState, VaultState

BATCH = 2_000
PENDING = 100
WORDS = ("payroll", "billing", "archive", "mail", "web", "lab", "shop", "fleet")
STATES = [VaultState.ACTIVE] * 94 + [VaultState.FAILED] * 3 + [VaultState.REMOVED] * 3


def regions() -> list[Region]:
    """`Local A` and `Local B`, as on a first start."""
    return [
        Region.objects.get_or_create(slug=slug, defaults={"name": name})[0]
        for slug, name in (("local-a", "Local A"), ("local-b", "Local B"))
    ]


def vaults(number: int, owners: list[Subscription], where: list[Region], dice: random.Random) -> list[Vault]:
    """`number` vaults, the same number in each subscription; their names come in no order. The first one is Active."""
    now = timezone.now()
    places = list(range(number))
    dice.shuffle(places)
    made = [_vault(index, places[index], owners, where, dice) for index in range(number)]
    for vault in made:
        vault.activated_at = vault.last_backup_at = now - timedelta(hours=dice.randrange(2, 40))
    made[0].state, made[0].redundancy = VaultState.ACTIVE, Redundancy.GEO
    Vault.objects.bulk_create(made, batch_size=BATCH)
    PairedCopy.objects.create(vault=made[0], region=where[1], complete_as_of=now)
    return made


def _vault(index: int, place: int, owners: list[Subscription], where: list[Region], dice: random.Random) -> Vault:
    return Vault(
        subscription=owners[index % len(owners)],
        name=f"{WORDS[place % len(WORDS)]}-{place:06d}",
        region=where[index % len(where)],
        redundancy=dice.choice(Redundancy.values),
        state=STATES[dice.randrange(100)],
        machine_count=dice.randrange(3),
    )


def requests(made: list[Vault], requesters: list[User], approver: User, *, waiting: int = PENDING) -> None:
    """The approved request, its decision and the finished operation of each vault, and requests that are `waiting`."""
    now = timezone.now()
    asked = [Vault(name=f"new-{index:03d}") for index in range(waiting)]
    for index, vault in enumerate(asked):
        like = made[index % len(made)]
        vault.subscription, vault.region, vault.redundancy = like.subscription, like.region, like.redundancy
    rows = [
        VaultRequest(
            subscription=vault.subscription,
            name=vault.name,
            region=vault.region,
            redundancy=vault.redundancy,
            reason="A place for the nightly backups of this service.",
            state=RequestState.APPROVED if index < len(made) else RequestState.PENDING,
            requested_by=requesters[index % len(requesters)],
            requested_at=now - timedelta(minutes=index),
            decided_at=now if index < len(made) else None,
            digest=f"{index:064x}",
            vault=vault if index < len(made) else None,
        )
        for index, vault in enumerate([*made, *asked])
    ]
    VaultRequest.objects.bulk_create(rows, batch_size=BATCH)
    kind = ContentType.objects.get_for_model(VaultRequest)
    Decision.objects.bulk_create(
        (
            Decision(
                content_type=kind,
                request_id=row.pk,
                verdict=Decision.Verdict.APPROVE,
                by=approver,
                requested_by_id=row.requested_by_id,
                at=now,
                digest=row.digest,
            )
            for row in rows[: len(made)]
        ),
        batch_size=BATCH,
    )
    Operation.objects.bulk_create(
        (
            Operation(
                vault=vault,
                kind=Operation.Kind.CREATE,
                state=OperationState.SUCCEEDED,
                steps_done=4,
                timings={},
                started_at=now,
                finished_at=now,
            )
            for vault in made
        ),
        batch_size=BATCH,
    )
