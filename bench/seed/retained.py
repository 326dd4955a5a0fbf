"""What retention has left of the demo estate: snapshots that stay, the trash, a purge that is held, a bring back."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from agents.models import Machine, Run
from agents.states import MachineState
from portal.core.actor import SYSTEM, Actor
from portal.events.event import happened
from vaults.models import MachineRepository, Operation, RemovedObject, SeenObject, Vault
from vaults.recovery.events import BringBackAsked, BroughtBack
from vaults.retention_policy import changes
from vaults.retention_policy.policy import RetentionPolicy
from vaults.states import OperationState
from vaults.trash import holds

HELD = "It deleted a snapshot although no retain was announced."
THINNED = timedelta(days=30)  # older snapshots went with the last retain, as the policy at first says
LAST_RETAIN = timedelta(days=4)


def fill(machines: Sequence[Machine], asker: Actor, dice: random.Random) -> None:
    """Snapshots and trash of all machines; one of them needs a decision, one has been brought back, one vault is to
    keep less."""
    with transaction.atomic():
        for machine in machines:
            _repository(machine, dice)
        _special(machines, asker)
    _policies(machines, asker)


def _special(machines: Sequence[Machine], asker: Actor) -> None:
    ready = [machine for machine in machines if machine.state == MachineState.READY]
    with_trash = set(RemovedObject.objects.values_list("machine_id", flat=True))
    held = next(machine for machine in ready if machine.pk in with_trash)
    holds.hold(held.vault, held.pk, HELD, at=timezone.now() - LAST_RETAIN, actor=SYSTEM)
    _brought_back(next(machine for machine in ready if machine.vault_id != held.vault_id), asker)


def _repository(machine: Machine, dice: random.Random) -> None:
    """A backup is seen within minutes; what is too old for the policy went to the trash days ago."""
    now = timezone.now()
    done = Run.objects.filter(machine=machine, kind=Run.Kind.BACKUP, outcome=Run.Outcome.SUCCEEDED)
    snapshots = list(done.order_by("started_at").values_list("snapshot", "finished_at"))
    gone = [(name, at) for name, at in snapshots[:-1] if at and at < now - LAST_RETAIN - THINNED]
    of_late = gone[-7:]  # those before went with earlier retains, and have been purged
    stays = [each for each in snapshots if each not in gone]
    SeenObject.objects.bulk_create(_seen(machine, name, at) for name, at in [*of_late, *stays] if at)
    RemovedObject.objects.bulk_create(_removed(machine, name, now - LAST_RETAIN) for name, _ in of_late)
    MachineRepository.objects.create(
        machine_id=machine.pk,
        vault=machine.vault,
        looked_at=now,
        live_bytes=machine.used_bytes,
        trash_bytes=round((machine.used_bytes or 0) * dice.uniform(0.02, 0.2)) if of_late else 0,
        whole_as_of=machine.last_restore_check_at,
        deleted_at=now - LAST_RETAIN if of_late else None,
    )


def _seen(machine: Machine, name: str, at: datetime) -> SeenObject:
    return SeenObject(
        vault=machine.vault, machine_id=machine.pk, kind="snapshots", name=name, size=310, first_seen_at=at
    )


def _removed(machine: Machine, name: str, at: datetime) -> RemovedObject:
    path = f"{machine.vault_id}/{machine.pk}/snapshots/{name}"
    return RemovedObject(
        vault=machine.vault, machine_id=machine.pk, path=path, removed_at=at, moved_at=at, audited=True
    )


def _brought_back(machine: Machine, asker: Actor) -> None:
    ended, vault = timezone.now() - timedelta(hours=5), machine.vault
    as_of = ended - timedelta(days=2)
    Operation.objects.create(
        vault=vault,
        kind=Operation.Kind.BRING_BACK,
        state=OperationState.SUCCEEDED,
        steps_done=3,
        step=f"Bringing back what was deleted after {as_of:%d %b %Y}",
        started_at=ended - timedelta(minutes=2),
        finished_at=ended,
        subject={"machine": str(machine.pk), "as_of": as_of.isoformat()},
    )
    MachineRepository.objects.filter(pk=machine.pk).update(deleted_at=ended)  # a check since then is still to come
    happened(BringBackAsked(vault, machine.pk, as_of, "Ransomware on the machine."), actor=asker)
    happened(BroughtBack(vault, machine.pk, as_of, returned=214, set_aside=3, lost=0), actor=SYSTEM)


def _policies(machines: Sequence[Machine], asker: Actor) -> None:
    """One vault keeps more than at first, and a weaker policy of another waits for a second person."""
    first, second = list(dict.fromkeys(machine.vault_id for machine in machines))[:2]
    Vault.objects.filter(pk=first).update(
        keep_weekly_within_weeks=8, keep_monthly_within_months=12, keep_yearly_within_years=7, soft_delete_days=30
    )
    weaker = replace(RetentionPolicy.of(Vault.objects.get(pk=second)), keep_within_days=20)
    changes.change(second, actor=asker, policy=weaker, reason="The region is nearly full.")
