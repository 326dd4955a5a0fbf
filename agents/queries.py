"""Reading: machines as people see them, fetched with the check of access in one step.

An outsider gets NotFound, so that nobody learns what exists; a member without the right NotAllowed.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from agents.models import AgentRelease, Machine, MachineCertificate, Receipt, Run
from agents.monitoring.concerns import needs_attention, with_damage
from agents.protocol import entitlement
from agents.states import ALLOWED_IN, OUT, MachineState
from portal.accounts.rules import require_administrator
from portal.core.actor import Actor
from portal.core.errors import NotFound
from vaults.rules import require_member


def machine_seen_by(actor: Actor, machine_id: UUID) -> Machine:
    """The machine, with its vault, region, subscription and credential, and `with_damage()`; raises NotFound for
    outsiders."""
    machine = (
        with_damage(Machine.objects.visible_to(actor.person))
        .select_related("vault__region", "vault__subscription", "credential__issued_by")
        .filter(pk=machine_id)
        .first()
    )
    if machine is None:
        raise NotFound
    return machine


def release_for(actor: Actor, release_id: UUID) -> AgentRelease:
    """The release of the agent, for administrators alone; raises NotAllowed for others, and NotFound."""
    require_administrator(actor)
    release = AgentRelease.objects.filter(pk=release_id).first()
    if release is None:
        raise NotFound
    return release


def name_of(vault_id: UUID, machine_id: UUID) -> str:
    """What the vault's machine of that ID is called; empty when it has none."""
    return Machine.objects.filter(pk=machine_id, vault_id=vault_id).values_list("name", flat=True).first() or ""


def names_in(vault_id: UUID, most: int) -> dict[UUID, str]:
    """The machines that the vault counts, by name, at most so many: what each is called."""
    machines = Machine.objects.filter(vault_id=vault_id).exclude(state__in=OUT).order_by("name_key", "id")
    return dict(machines.values_list("pk", "name")[:most])


def machine_worked_on_by(actor: Actor, machine_id: UUID) -> Machine:
    """The machine, for somebody who wants to change it; raises NotFound for outsiders, NotAllowed for onlookers."""
    machine = machine_seen_by(actor, machine_id)
    require_member(actor, machine.vault.subscription)
    return machine


SHOWS: dict[str, Callable[[], Q]] = {
    "": lambda: ~Q(state=MachineState.UNREGISTERED),
    "attention": needs_attention,
    "left": lambda: Q(state=MachineState.UNREGISTERED),
}
"""Which machines of a vault somebody wants to see: those that have not left, unless they say otherwise."""


def machines_of(vault_id: UUID, show: str = "") -> QuerySet[Machine]:
    """The machines of a vault that the word of SHOWS stands for, `with_damage()` and each with `certificate_ends`: when
    the newest certificate ends that still lets it in, None when there is none."""
    usable = MachineCertificate.objects.filter(machine=OuterRef("pk"), revoked_at=None).order_by("-not_after")
    machines = with_damage(Machine.objects.filter(vault_id=vault_id)).filter(SHOWS[show]())
    return machines.annotate(certificate_ends=Subquery(usable.values("not_after")[:1]))


def machines_needing(issuer: str, ended: datetime) -> str:
    """How many machines have only a certificate by the CA `issuer` (PEM), and could renew it: `3 machines`, or nothing.

    `ended` is of no use here: the row has the chain.
    """
    since = timezone.now() - entitlement.renewable()
    newest = MachineCertificate.objects.filter(revoked_at=None, superseded_at=None, not_after__gt=since)
    count = newest.filter(machine__state__in=ALLOWED_IN, certificate__endswith=issuer).count()
    return f"{count} machine{'s' if count > 1 else ''}" if count else ""


def runs_of(machine: Machine) -> QuerySet[Run]:
    """All that the machine reported; unordered."""
    return machine.runs.all()


def with_receipts(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The runs, each with `receipt_by`: what the certificate counted for that signed its receipt; None without one."""
    return runs.annotate(receipt_by=Subquery(Receipt.objects.filter(run=OuterRef("pk")).values("signer")[:1]))


def last_backups(machine: Machine, most: int) -> list[Run]:
    """Its last backups, at most so many, the oldest first."""
    return list(machine.runs.filter(kind=Run.Kind.BACKUP).order_by("-finished_at", "-id")[:most])[::-1]


def proof_of(machine: Machine) -> Run | None:
    """The restore check that the machine's fact about it rests on."""
    if machine.last_restore_check_at is None:
        return None
    kind = Run.Kind.RESTORE_CHECK
    return machine.runs.filter(kind=kind, finished_at=machine.last_restore_check_at).order_by("id").first()
