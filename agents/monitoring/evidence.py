"""Reading what proves that the machines of a vault are backed up, and what speaks against it: for Quick Start."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from agents.models import Machine, RefusedRegistration, Run
from agents.monitoring.concerns import needs_attention, with_damage
from agents.states import OUT, MachineState
from portal.core.prepared import prepared
from vaults.models import Vault

SHOWN = 6
"""So many machines, refusals and failures at most are told on the page; the others have pages of their own."""
MANY = 100
RECENT = timedelta(hours=48)
"""Refusals and failures older than this are no news: it is also how long a credential lives."""
_FACTS: dict[str, str] = {Run.Kind.BACKUP: "last_backup_at", Run.Kind.RESTORE_CHECK: "last_restore_check_at"}
"""What proves that a machine is ready; where machines note the last time that it went well."""
_COLUMNS = (
    "vault_id",
    "name",
    "state",
    "concern",
    "credential_id",
    "late_from",
    "backup_every_hours",
    "registered_at",
    "proof",
    "unproven_from",
    "restore_slow",
    *_FACTS.values(),
)


@dataclass(frozen=True)
class Proof:
    """The newest proof that one machine gives which is still here; its runs where they are still known."""

    machine: Machine | None = None
    backup: Run | None = None
    restore: Run | None = None

    @property
    def backed_up_at(self) -> datetime | None:
        """When the machine was last backed up."""
        return self.machine.last_backup_at if self.machine else None

    @property
    def restored_at(self) -> datetime | None:
        """When a restore of it was last proven."""
        return self.machine.last_restore_check_at if self.machine else None


def newest_machines(vault: Vault, known: Mapping[UUID, bool]) -> list[Machine]:
    """The last to register, the newest first, those that have left as well; each with its credential's `issued_at`.

    `known`: as machines_needing_attention() has it.
    """
    machines = _newest(vault.pk)
    for machine in machines:
        machine.damaged = known.get(machine.pk, False)  # type: ignore[attr-defined]  # as with_damage() adds it
    return machines


@prepared
def _newest(vault_id: UUID) -> QuerySet[Machine]:
    newest = Machine.objects.filter(vault=vault_id).only(*_COLUMNS).order_by("-registered_at", "-id")
    return newest.annotate(issued_at=F("credential__issued_at"))[:SHOWN]


def machines_needing_attention(vault: Vault) -> dict[UUID, bool]:
    """The machines of the vault that somebody must look at, up to MANY, each with whether what it stored is damaged."""
    if not vault.machine_count:
        return {}
    return dict(_need_attention(vault.pk))


@prepared
def _need_attention(vault_id: UUID) -> QuerySet[Machine, tuple[UUID, bool]]:
    machines = with_damage(Machine.objects.filter(vault=vault_id).order_by()).filter(needs_attention())
    return machines.values_list("pk", "damaged")[:MANY]  # type: ignore[misc]  # the plugin loses the annotation


def proof_of(vault: Vault, needing: Collection[UUID]) -> Proof:
    """Of the Ready machine that was restored last, if possible of one that nobody must look at; while none is Ready, of
    the one that was backed up last."""
    if not vault.machine_count or not (vault.last_backup_at or vault.last_restore_check_at):
        return Proof()
    machine = (
        (_restored().filter(vault=vault).exclude(pk__in=needing).first() if needing else None)
        or _restored_last.first(vault.pk)
        or _backed_up_last.first(vault.pk)
    )
    if machine is None:
        return Proof()
    moments = {kind: getattr(machine, fact) for kind, fact in _FACTS.items()}
    wanted = [moment for moment in moments.values() if moment]
    runs = _succeeded(machine.pk, wanted[0], wanted[-1]) if wanted else []
    found = {run.kind: run for run in runs if run.finished_at == moments[run.kind]}
    for run in found.values():
        run.machine = machine
    return Proof(machine, found.get(Run.Kind.BACKUP), found.get(Run.Kind.RESTORE_CHECK))


def _restored() -> QuerySet[Machine]:
    return Machine.objects.only(*_COLUMNS).filter(state=MachineState.READY).order_by("-last_restore_check_at")


@prepared
def _restored_last(vault_id: UUID) -> QuerySet[Machine]:
    return _restored().filter(vault=vault_id)[:1]


@prepared
def _backed_up_last(vault_id: UUID) -> QuerySet[Machine]:
    backed_up = Machine.objects.only(*_COLUMNS).exclude(state__in=OUT).exclude(last_backup_at=None)
    return backed_up.filter(vault=vault_id).order_by("-last_backup_at")[:1]


@prepared
def _succeeded(machine_id: UUID, one: datetime, other: datetime) -> QuerySet[Run]:
    then = Q(finished_at=one) | Q(finished_at=other)
    return Run.objects.filter(then, machine=machine_id, kind__in=_FACTS, outcome=Run.Outcome.SUCCEEDED)


def refusals_of(vault: Vault, now: datetime) -> list[RefusedRegistration]:
    """The latest refusals that are still news."""
    return _refusals(vault.pk, now - RECENT)


@prepared
def _refusals(vault_id: UUID, since: datetime) -> QuerySet[RefusedRegistration]:
    return RefusedRegistration.objects.filter(vault=vault_id, at__gt=since).order_by("-at")[:SHOWN]


def failures_of(machines: list[Machine], now: datetime) -> list[Run]:
    """Of the machines' last backups and restore checks those that failed, the newest first.

    Only failures are read: however many runs of other machines went well, they hide none.
    """
    known = {one.pk: one for one in machines if one.state == MachineState.REGISTERED or one.attention}
    if not known:
        return []
    failed = Run.objects.filter(machine_id__in=known, kind__in=_FACTS, outcome=Run.Outcome.FAILED)
    last: dict[tuple[UUID, str], Run] = {}
    for run in failed.filter(finished_at__gt=now - RECENT).order_by("-finished_at")[: SHOWN * 10]:
        run.machine = known[run.machine_id]
        proven: datetime | None = getattr(run.machine, _FACTS[run.kind])
        if proven is None or proven < run.finished_at:
            last.setdefault((run.machine_id, run.kind), run)
    return list(last.values())[:SHOWN]
