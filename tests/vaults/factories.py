"""What the tests of vaults make: paired regions, requests, operations."""

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.core.actor import Actor
from vaults.models import Operation, Redundancy, Region, Vault, VaultRequest
from vaults.requests import vault_requests

Ask = Callable[..., VaultRequest]


def paired_regions() -> tuple[Region, Region]:
    """`Local A` and `Local B`, paired, from the default regions file."""
    call_command("sync_regions", stdout=StringIO())
    return Region.objects.get(slug="local-a"), Region.objects.get(slug="local-b")


def asking(actor: Actor, subscription: Subscription, region: Region) -> Ask:
    """Asks for a vault: Payroll, geo-redundant, unless told otherwise."""

    def submit(name: str = "Payroll", **changes: object) -> VaultRequest:
        wanted: dict[str, object] = {
            "actor": actor,
            "subscription": subscription,
            "region": region,
            "redundancy": "geo",
            "reason": "Pay slips",
            **changes,
        }
        return vault_requests.submit(name=name, **wanted)  # type: ignore[arg-type]

    return submit


def request_of(user: User, subscription: Subscription, region: Region, name: str) -> VaultRequest:
    """A request that waits for a decision; the row only, as if nobody had been told of it."""
    return VaultRequest.objects.create(
        subscription=subscription,
        name=name,
        region=region,
        redundancy=Redundancy.LOCAL,
        reason="Quarter-end",
        requested_by=user,
        requested_at=timezone.now(),
        digest="0" * 64,
    )


def operation_of(vault: Vault, kind: str = Operation.Kind.CREATE, **columns: Any) -> Operation:
    """Work on the vault that has begun; the row only, due when told so."""
    return Operation.objects.create(vault=vault, kind=kind, **{"started_at": timezone.now(), **columns})


def vault_of(operation: Operation) -> Vault:
    """The operation's vault as it is now."""
    return Vault.objects.get(pk=operation.vault_id)


def again(operation_id: UUID) -> Operation:
    """The operation as it is now."""
    return Operation.objects.select_related("vault").get(pk=operation_id)
