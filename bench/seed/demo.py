"""A demo estate: a team's vaults with a season of history, to look at every page with something on it.

The people are those of `manage.py demo_accounts`; what waits for a decision was asked for as people ask. What lies in
the past is written into the tables: the machines have no keys and nothing is stored, so no agent can go on from here.
"""

import random
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from agents.models import Machine, MachineCertificate, Run
from agents.replacement import replacements
from agents.states import Concern, MachineState, fades_from, late_from, unproven_from
from bench.seed import estate, machines, records, retained
from portal.accounts import subscriptions
from portal.accounts.models import Subscription, User
from portal.core.actor import Actor, Via
from vaults.models import NameReservation, Operation, PairedCopy, Redundancy, Region, StoredDay, Vault, VaultRequest
from vaults.requests import vault_requests
from vaults.states import OperationState, VaultState

DAYS = 120
HOURS = 24  # from one backup to the next
VAULTS = 24
AUDIT_ENTRIES = 3_000
TEAMS = ("Finance", "Human resources", "Web shop")
HOSTS = ("db", "app", "mail", "files", "build", "web", "print", "log")
FULL_DISK = "Local B has no space left. Press Retry once the cause is resolved, or tell an administrator."
GIB = 1 << 30


def main() -> int:
    """Prepare the data folder like `make run`, and fill it; gives the status for the shell."""
    if settings.PRODUCTION:
        print("This fills a database with invented history: not in production.", file=sys.stderr)
        return 2
    if Vault._meta.db_table in connection.introspection.table_names() and Vault.objects.exists():
        print(
            "There are vaults already, and nothing was added. Take an empty folder: STRONGROOM_DATA=… make seed",
            file=sys.stderr,
        )
        return 2
    call_command("prepare")
    with transaction.atomic():
        fill(random.Random(2016))
    print(f"Filled {settings.DATA}: {Vault.objects.count()} vaults, {Machine.objects.count()} machines.")
    print("Start it with make run; the sign-ins are in its demo-accounts.json.")
    return 0


def fill(dice: random.Random) -> None:
    """Add the estate to a prepared, empty database with the people of `demo_accounts`."""
    staff, approver = User.objects.get(username="staff"), User.objects.get(username="approver")
    owners, where = _subscriptions(staff), estate.regions()
    vaults = estate.vaults(VAULTS, owners, where, dice)
    vaults[1].state = VaultState.FAILED
    estate.requests(vaults, [staff], approver, waiting=0)
    _reserve_names()
    _say_why_some_failed(vaults)
    PairedCopy.objects.filter(vault=vaults[0]).delete()
    PairedCopy.objects.bulk_create(
        PairedCopy(vault=vault, region=_other(vault, where), complete_as_of=timezone.now())
        for vault in vaults
        if vault.redundancy == Redundancy.GEO
    )
    registered = [one for vault in vaults for one in _machines(vault, staff, dice)]
    records.audit(AUDIT_ENTRIES, vaults, [staff, approver, User.objects.get(username="admin")], dice)
    retained.fill(registered, Actor(staff.username, Via.PAGE, user=staff), dice)
    _ask(staff, owners, where, registered)


def _subscriptions(member: User) -> list[Subscription]:
    admin = Actor("admin", Via.COMMAND, user=User.objects.get(username="admin"))
    made = list(Subscription.objects.all())
    for name in TEAMS:
        made.append(subscriptions.create_subscription(admin, name))
        subscriptions.add_member(admin, member, made[-1])
    return made


def _reserve_names() -> None:
    NameReservation.objects.bulk_create(
        NameReservation(subscription_id=asked.subscription_id, name_key=asked.name.lower(), request=asked)
        for asked in VaultRequest.objects.exclude(vault__state=VaultState.REMOVED)
    )


def _say_why_some_failed(vaults: Sequence[Vault]) -> None:
    Vault.objects.filter(pk=vaults[1].pk).update(state=VaultState.FAILED)
    Vault.objects.filter(state=VaultState.FAILED).update(state_reason=FULL_DISK, activated_at=None)
    Operation.objects.filter(vault__state=VaultState.FAILED).update(state=OperationState.FAILED, reason=FULL_DISK)
    Vault.objects.update(machine_count=0, last_backup_at=None)
    for vault in vaults:
        vault.refresh_from_db()


def _other(vault: Vault, where: Sequence[Region]) -> Region:
    return where[1] if vault.region == where[0] else where[0]


def _machines(vault: Vault, issuer: User, dice: random.Random) -> list[Machine]:
    """Some machines, each with its history; none in a vault that is not Active, and in every eighth that is."""
    if vault.state != VaultState.ACTIVE or dice.randrange(8) == 0:
        return []
    now, number = timezone.now(), dice.randrange(1, 9)
    credential = machines.used_credential(vault, number, issuer, dice)
    made = [_machine(vault, f"{HOSTS[place]}-{dice.randrange(10, 99)}", dice) for place in range(number)]
    runs = {machine.pk: _history(machine, dice) for machine in made}
    for machine in made:
        machine.credential = credential
        _look_back(machine, runs[machine.pk])
    Machine.objects.bulk_create(made)
    MachineCertificate.objects.bulk_create(machines.certificate(machine, dice) for machine in made)
    Run.objects.bulk_create(run for history in runs.values() for run in history)
    _store(vault, made, dice)
    first = min(made, key=lambda machine: machine.registered_at)
    Vault.objects.filter(pk=vault.pk).update(
        machine_count=number,
        redundancy_confirmed_at=first.registered_at,
        redundancy_locked_at=first.registered_at,
        redundancy_locked_by=first.name,
        last_backup_at=_newest(one.last_backup_at for one in made),
        last_restore_check_at=_newest(one.last_restore_check_at for one in made),
        created_at=first.registered_at - timedelta(days=1),
        activated_at=first.registered_at - timedelta(days=1),
        used_bytes=sum(one.used_bytes or 0 for one in made),
        used_measured_at=now,
    )
    asked = first.registered_at - timedelta(days=2)
    VaultRequest.objects.filter(vault=vault).update(requested_at=asked, decided_at=asked + timedelta(hours=3))
    made_at = first.registered_at - timedelta(days=1)
    Operation.objects.filter(vault=vault).update(started_at=made_at, finished_at=made_at + timedelta(seconds=2))
    return made


def _newest(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at), default=None)


def _machine(vault: Vault, name: str, dice: random.Random) -> Machine:
    return Machine(
        vault=vault,
        name=name,
        name_key=name,
        state=MachineState.REGISTERED,
        platform={"os": "Linux", "arch": "x86_64", "release": "6.12"},
        agent_version="1.0.0",
        address=f"192.0.2.{dice.randrange(1, 255)}",
        registered_at=timezone.now() - timedelta(days=dice.randrange(2, DAYS)),
        used_bytes=dice.randrange(2, 400) * GIB,
    )


def _history(machine: Machine, dice: random.Random) -> list[Run]:
    """A backup each night and a restore check after it; one in forty fails, and one machine in ten has gone quiet."""
    quiet = timedelta(days=dice.randrange(3, 30) if dice.randrange(10) == 0 else 0)
    at, end = machine.registered_at + timedelta(hours=1), timezone.now() - quiet
    grown, runs = (machine.used_bytes or 0) * 0.7, []
    while at < end:
        grown *= 1 + dice.random() / 150
        runs.append(_run(machine, Run.Kind.BACKUP, at, round(grown), dice))
        runs.append(_run(machine, Run.Kind.RESTORE_CHECK, at + timedelta(minutes=30), round(grown), dice))
        at += timedelta(days=1, minutes=dice.randrange(-9, 10))
    return runs


def _run(machine: Machine, kind: Run.Kind, at: datetime, size: int, dice: random.Random) -> Run:
    failed = dice.randrange(40) == 0
    files = size // 50_000
    stored = {"files": files, "bytes": size, "bytes_added": size // 90}
    figures = (
        stored
        if kind == Run.Kind.BACKUP
        else {"total": files, **dict.fromkeys(("compared", "proven"), min(files, 2_000))}
    )
    return Run(
        id=uuid.UUID(int=dice.getrandbits(128), version=4),
        machine=machine,
        kind=kind,
        outcome=Run.Outcome.FAILED if failed else Run.Outcome.SUCCEEDED,
        code="storage_unavailable" if failed else "done",
        message="The region is not responding." if failed else "",
        started_at=at,
        finished_at=at + timedelta(minutes=dice.randrange(2, 20)),
        snapshot="" if failed else f"{dice.getrandbits(256):064x}",
        figures={} if failed else figures,
    )


def _look_back(machine: Machine, runs: Sequence[Run]) -> None:
    """The columns that follow from what it has reported."""
    done = [run for run in runs if run.outcome == Run.Outcome.SUCCEEDED]
    newest = {run.kind: run.finished_at for run in done}
    machine.last_backup_at = newest.get(Run.Kind.BACKUP)
    machine.last_restore_check_at = newest.get(Run.Kind.RESTORE_CHECK)
    machine.last_seen_at = runs[-1].finished_at if runs else machine.registered_at
    if machine.last_restore_check_at:
        machine.state = MachineState.READY
    _promise(machine, done)
    _age(machine)
    last = {run.kind: run.outcome for run in runs}
    if last.get(Run.Kind.RESTORE_CHECK) == Run.Outcome.FAILED:
        machine.concern = Concern.RESTORE_CHECK_FAILED
    if last.get(Run.Kind.BACKUP) == Run.Outcome.FAILED:
        machine.concern = Concern.BACKUP_FAILED


def _promise(machine: Machine, done: Sequence[Run]) -> None:
    """What its schedule promises, and what its newest proof is."""
    machine.backup_every_hours = HOURS
    if machine.last_backup_at:
        machine.late_from = late_from(machine.last_backup_at, HOURS)
    if machine.last_restore_check_at:
        newest = next(run for run in reversed(done) if run.kind == Run.Kind.RESTORE_CHECK)
        machine.proof = {name: newest.figures[name] for name in ("proven", "compared", "total")}


def _age(machine: Machine) -> None:
    """From when on that is old."""
    if machine.last_restore_check_at:
        every = machine.backup_every_hours
        machine.fades_from = fades_from(machine.last_restore_check_at, every)
        machine.unproven_from = unproven_from(machine.last_restore_check_at, every)


def _store(vault: Vault, made: Sequence[Machine], dice: random.Random) -> None:
    """What the vault had stored on each day."""
    today = timezone.now().date()
    size = float(sum(machine.used_bytes or 0 for machine in made))
    days = []
    for back in range((timezone.now() - min(machine.registered_at for machine in made)).days + 1):
        days.append(StoredDay(vault=vault, day=today - timedelta(days=back), size=round(size)))
        size *= 1 - dice.random() / 120
    StoredDay.objects.bulk_create(days)


def _ask(staff: User, owners: Sequence[Subscription], where: Sequence[Region], registered: Sequence[Machine]) -> None:
    """What waits for a decision: asked for through the same door as by people."""
    actor = Actor(staff.username, Via.PAGE, user=staff)
    wanted = (
        ("invoices", "geo", "Invoices must be kept for ten years."),
        ("scratch", "local", "Scratch space of the lab."),
    )
    for number, (name, redundancy, reason) in enumerate(wanted):
        vault_requests.submit(
            actor=actor, subscription=owners[number], name=name, region=where[0], redundancy=redundancy, reason=reason
        )
    ready = next(machine for machine in registered if machine.state == MachineState.READY)
    replacements.request(ready.pk, actor=actor, reason="The disk of this machine is broken.")
