"""What machines report to have done, and what follows from it for the machine and its vault."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.models import Machine, Run
from agents.monitoring import concerns, heartbeats, onboarding, proof_age, schedules
from agents.monitoring.events import ConcernEnded, ConcernRaised, MachineReady, RunFailed
from agents.protocol import authentication, entitlement, errors, messages
from agents.protocol.authentication import Sender
from agents.protocol.messages import Report
from agents.receipts import receipts
from agents.receipts.receipts import VerifiedReceipt
from agents.states import Concern, MachineState
from portal.audit.actions import Action
from portal.audit.record import record
from portal.audit.transitions import advance
from portal.core.actor import Actor
from portal.core.errors import Invalid, Throttled
from portal.events.event import Event, happened
from vaults import copy_schedule
from vaults.integrity import losses, suspects
from vaults.models import Vault
from vaults.trash import repositories

MOST_IN_AN_HOUR = 240
"""New runs of one machine: each is kept for good, in the audit log too. The agent keeps what is not taken for later."""
HOUR = timedelta(hours=1)
ACTIONS: Mapping[str, Action] = {
    Run.Kind.BACKUP: Action.MACHINE_BACKUP,
    Run.Kind.RESTORE_CHECK: Action.MACHINE_RESTORE_CHECK,
    Run.Kind.RESTORE: Action.MACHINE_RESTORE,
    Run.Kind.CHECK: Action.MACHINE_CHECK,
    Run.Kind.REPAIR: Action.MACHINE_REPAIR,
    Run.Kind.RETAIN: Action.MACHINE_RETAIN,
}
"""What the report of a run of each kind is in the audit log."""


@dataclass(frozen=True)
class ReportAnswer:
    """What a machine is told for its report: its state after it, and whether its repository is known to be damaged."""

    state: str
    damaged: bool


def report(body: bytes, *, address: str) -> ReportAnswer:
    """Store what the machine reports; a run that is known changes nothing.

    Raises NotAllowed, ClockSkew, Invalid, Throttled. In one transaction: the run, the facts of machine and vault that
    rest on it, the audit entry, the notification; after a backup the copy in the paired region is due.
    """
    now = timezone.now()
    sender = authentication.sender_of(body, what="runs", address=address, at=now)
    entitlement.require_machine(sender.machine, sender.machine.vault)
    entitlement.require_current(sender.certificate, now)
    told = messages.parse(Report, sender.signed.fields)
    receipt = receipts.verified(sender, told, now)
    with transaction.atomic():
        return _store(sender, told, receipt, now)


def _store(sender: Sender, told: Report, receipt: VerifiedReceipt | None, at: datetime) -> ReportAnswer:
    # The vault first, then the machine: the order in which everybody locks them.
    vault = (
        Vault.objects.select_for_update(no_key=True, of=("self",))
        .select_related("subscription")
        .get(pk=sender.machine.vault_id)
    )
    machine = Machine.objects.select_for_update(no_key=True).get(pk=sender.machine.pk)
    machine.vault = vault
    entitlement.require_machine(machine, vault)
    sender.certificate.refresh_from_db(fields=["revoked_at", "superseded_at"])
    entitlement.require_current(sender.certificate, at)
    known = Run.objects.filter(pk=told.run).first()
    if known is not None and known.machine_id != machine.pk:
        raise Invalid({"run": ["This is the number of another run."]})
    if known is None:
        _require_few(machine, at)
    else:
        heartbeats.note_repetition(machine, at=at)
    authentication.spend(sender.signed, at=at, refuse=errors.not_entitled)
    Machine.objects.filter(pk=machine.pk).update(last_seen_at=at, address=sender.actor.address)
    if told.tells_of_schedule:
        schedules.note(machine, told.promised_hours, actor=sender.actor, at=at)
    if known is None:
        _apply(sender, machine, vault, told, receipt)
    return ReportAnswer(machine.state, losses.known_to_be_damaged(machine.pk))


def _require_few(machine: Machine, at: datetime) -> None:
    """Raise Throttled when the machine, which is locked, has reported as much as it may of late."""
    newest = machine.runs.order_by("-reported_at").values_list("reported_at", flat=True)
    first_of_many = newest[MOST_IN_AN_HOUR - 1 : MOST_IN_AN_HOUR].first()
    if first_of_many is not None and first_of_many > at - HOUR:
        seconds = ceil((first_of_many + HOUR - at).total_seconds())
        raise Throttled(
            f"This machine has reported {MOST_IN_AN_HOUR} runs within an hour. Report the next one later.",
            retry_after=seconds,
        )


def _apply(sender: Sender, machine: Machine, vault: Vault, told: Report, receipt: VerifiedReceipt | None) -> None:
    last, before = concerns.newest_of(machine, told.kind), concerns.current_concerns(machine)
    run = _create_run(machine, told)
    receipts.store(run, receipt)
    detail = _audited(run, len(told.damaged))
    record(ACTIONS[told.kind], actor=sender.actor, target=machine, detail=detail)
    if told.stores_backup:
        _note(machine, vault, "last_backup_at", run.finished_at)
        schedules.backed_up(machine, run.finished_at, actor=sender.actor)
        onboarding.note_backup(machine, timezone.now())
    suspects.compare_soon(vault, machine.pk, told.damaged, at=timezone.now())
    if told.stores_backup or run.failed or told.damaged:  # what fails may miss what the pair still has
        copy_schedule.schedule(vault.pk, machine.pk)
    if told.proves_restore:
        _note(machine, vault, "last_restore_check_at", run.finished_at)
        proof_age.note_proof(machine, told.figures, run.finished_at, actor=sender.actor)
        proof_age.note_rate(machine, told.figures, run.finished_at, vault.expected_restore_hours)
        onboarding.note_proof(machine, timezone.now())
    if told.misses_nothing:
        # By the slower of the two clocks: a check says nothing of what was found or deleted after it had begun.
        began = min(told.started_at, timezone.now() - (told.finished_at - told.started_at))
        losses.settle(machine.pk, before=began)
        repositories.note_whole(vault, machine.pk, as_of=began)
    if told.stores_backup or told.kind == "retain":
        repositories.want_look(vault, machine.pk)
    if machine.state == MachineState.REGISTERED and machine.last_backup_at and machine.last_restore_check_at:
        _ready(sender, machine, machine.last_restore_check_at)
    if last is None or last.finished_at <= run.finished_at:
        after = concerns.current_concerns(machine)
        Machine.objects.filter(pk=machine.pk).update(concern=concerns.worst(concern for concern, _ in after))
        _notify(machine, run, before, after, sender.actor)


def _create_run(machine: Machine, told: Report) -> Run:
    """No run ends after its report, whatever the machine's clock says: it would be the newest for some minutes, and
    hide what the next one finds."""
    ended = min(told.finished_at, timezone.now())
    return Run.objects.create(
        id=told.run,
        machine=machine,
        kind=told.kind,
        outcome=Run.Outcome.SUCCEEDED if told.succeeded else Run.Outcome.FAILED,
        code=told.code,
        started_at=min(told.started_at, ended),
        finished_at=ended,
        snapshot=told.snapshot,
        message=told.message,
        figures=told.figures,
    )


def _audited(run: Run, damaged: int) -> dict[str, object]:
    code = {"code": run.code} if run.code else {}
    named = {"damaged": damaged} if damaged else {}
    return {"run": str(run.pk), "outcome": run.outcome, **code, "snapshot": run.snapshot, **run.figures, **named}


def _note(machine: Machine, vault: Vault, fact: str, moment: datetime) -> None:
    """Set the fact of machine and vault to `moment`, unless a later report was here before this one."""
    for obj in (vault, machine):
        earlier = Q((f"{fact}__isnull", True)) | Q((f"{fact}__lt", moment))
        if type(obj)._default_manager.filter(earlier, pk=obj.pk).update(**{fact: moment}):
            setattr(obj, fact, moment)


Concerns = list[tuple[Concern, Run]]


def _ready(sender: Sender, machine: Machine, at: datetime) -> None:
    advance(machine, MachineState.READY, actor=sender.actor, action=Action.MACHINE_READY)
    happened(MachineReady(machine, at), actor=sender.actor)


def _notify(machine: Machine, run: Run, before: Concerns, after: Concerns, actor: Actor) -> None:
    """Tell what somebody must look at as long as it stands: once for each change, not for each run.

    Runs that are not judged, such as restores, are told when they fail, until one of their kind ends well.
    """
    was, now = _newest_by_kind(before), _newest_by_kind(after)
    for kind in was.keys() - now.keys():
        happened(ConcernEnded(machine, kind), actor=actor)
    for kind, (concern, about) in now.items():
        if kind not in was or (was[kind][0], was[kind][1].code) != (concern, about.code):
            happened(_found(machine, about, concern), actor=actor)
    if run.kind not in now:
        happened(RunFailed(machine, run) if run.failed else ConcernEnded(machine, run.kind), actor=actor)


def _found(machine: Machine, run: Run, concern: Concern) -> Event:
    return RunFailed(machine, run) if run.failed else ConcernRaised(machine, run, concern)


def _newest_by_kind(found: Concerns) -> dict[str, tuple[Concern, Run]]:
    return {run.kind: (concern, run) for concern, run in sorted(found, key=lambda pair: pair[1].finished_at)}
