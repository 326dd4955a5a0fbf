"""How far a vault has come on its way to a machine that is backed up and restored: what the Quick Start page shows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from agents.models import Machine, RefusedRegistration, Run
from agents.states import MachineState
from vaults.credentials import CredentialState, Standing, standing
from vaults.models import Vault
from vaults.states import VaultState

STEPS = (
    ("redundancy", "Configure storage redundancy"),
    ("credentials", "Download vault credentials"),
    ("agent", "Get the agent"),
    ("register", "Register your machine"),
    ("backup", "First backup"),
    ("restore", "Restore check"),
)
SHOWN = 6
"""So many machines, refusals and failures at most are told on the page; the others have pages of their own."""
RECENT = timedelta(hours=48)
"""Refusals and failures older than this are no news: it is also how long a credential lives."""
AT_WORK = timedelta(hours=1)
"""For so long after it registered a machine is taken to be in the middle of its setup."""
_UNSEEN = ("platform", "credential__certificate")  # of a machine: not on this page
_FACTS: dict[str, str] = {Run.Kind.BACKUP: "last_backup_at", Run.Kind.RESTORE_CHECK: "last_restore_check_at"}
"""What proves that a machine is ready; where vaults and machines note the last time that it went well."""


@dataclass(frozen=True)
class Step:
    """One step: its place in the order, its name by contract, whether it is done, and whether it is the one to do."""

    number: int
    name: str
    done: bool
    current: bool


@dataclass(frozen=True)
class Progress:
    """What happened so far. `machines` are the last to register, the newest first; `used_by` those of them that came
    with the credential that `standing` is about, and `used_by_others` the number of its machines that are not shown.
    `ready`: some machine that is still here was backed up, and a restore of it was compared."""

    vault: Vault
    now: datetime
    standing: Standing
    machines: list[Machine]
    ready: bool
    refusals: list[RefusedRegistration]
    failures: list[Run]
    backup: Run | None
    restore: Run | None

    @property
    def used_by(self) -> list[Machine]:
        """The machines shown that registered with the credential at hand."""
        credential = self.standing.credential
        return [machine for machine in self.machines if credential and machine.credential_id == credential.pk]

    @property
    def used_by_others(self) -> int:
        """How many more machines registered with it."""
        credential = self.standing.credential
        return max(0, credential.machines_used - len(self.used_by)) if credential else 0

    @property
    def listening(self) -> bool:
        """Whether a machine could register just now."""
        return self.vault.state == VaultState.ACTIVE and self.standing.state == CredentialState.VALID

    @property
    def at_work(self) -> bool:
        """Whether a machine registered lately and is not done with its first backup and restore."""
        return any(
            machine.state == MachineState.REGISTERED and machine.registered_at > self.now - AT_WORK
            for machine in self.machines
        )

    @property
    def final(self) -> bool:
        """Whether nothing on the page will change any more."""
        return self.vault.state in Vault.STATES.final

    @property
    def pause(self) -> int:
        """After how many seconds it is worth looking again: while something is expected, soon."""
        if self.at_work:
            return 1
        return 2 if self.listening or self.vault.state in Vault.STATES.busy else 5

    @property
    def steps(self) -> dict[str, Step]:
        """The steps by key, in order; the first that is not done is the current one, in an Active vault."""
        done = self._done()
        first_open = next((key for key, _ in STEPS if not done[key]), "")
        # Getting the agent leaves no trace here: it is done when a machine registers, so both are to be done at once.
        current = {"agent", "register"} if first_open == "agent" else {first_open}
        active = self.vault.state == VaultState.ACTIVE
        return {
            key: Step(number, name, done[key], active and key in current)
            for number, (key, name) in enumerate(STEPS, start=1)
        }

    def _done(self) -> dict[str, bool]:
        registered = bool(self.machines)
        return {
            "redundancy": self.vault.redundancy_locked or self.vault.redundancy_confirmed_at is not None,
            "credentials": registered or self.standing.state in {CredentialState.VALID, CredentialState.USED_UP},
            "agent": registered,
            "register": registered,
            "backup": self.vault.last_backup_at is not None,
            "restore": self.vault.last_restore_check_at is not None,
        }


def progress_of(vault: Vault) -> Progress:
    """Read it, in at most six queries, however many machines there are."""
    now = timezone.now()
    machines = list(
        vault.machine_set.select_related("credential").defer(*_UNSEEN).order_by("-registered_at", "-id")[:SHOWN]
    )
    refusals = vault.refused_registrations.filter(at__gt=now - RECENT).order_by("-at")
    proofs = _proofs(vault)
    return Progress(
        vault=vault,
        now=now,
        standing=standing(vault),
        machines=machines,
        ready=_ready(vault, machines),
        refusals=list(refusals[:SHOWN]),
        failures=_failures(machines, now),
        backup=proofs.get(Run.Kind.BACKUP),
        restore=proofs.get(Run.Kind.RESTORE_CHECK),
    )


def _ready(vault: Vault, machines: list[Machine]) -> bool:
    """Whether a machine was backed up and restored that is still good for it; those shown mostly tell."""
    if not (vault.last_backup_at and vault.last_restore_check_at):
        return False
    shown = any(machine.state == MachineState.READY for machine in machines)
    return shown or vault.machine_set.filter(state=MachineState.READY).exists()


def _failures(machines: list[Machine], now: datetime) -> list[Run]:
    """Of the machines' last backups and restore checks those that failed, the newest first.

    Only failures are read: however many runs of other machines went well, they hide none.
    """
    known = {machine.pk: machine for machine in machines}
    failed = Run.objects.filter(machine_id__in=known, kind__in=_FACTS, outcome=Run.Outcome.FAILED)
    last: dict[tuple[UUID, str], Run] = {}
    for run in failed.filter(finished_at__gt=now - RECENT).order_by("-finished_at")[: SHOWN * 10]:
        run.machine = known[run.machine_id]
        proven: datetime | None = getattr(run.machine, _FACTS[run.kind])
        if proven is None or proven < run.finished_at:
            last.setdefault((run.machine_id, run.kind), run)
    return list(last.values())[:SHOWN]


def _proofs(vault: Vault) -> dict[str, Run]:
    """The runs that the vault's facts rest on, by kind: each is at the same moment as its fact."""
    facts: dict[str, datetime | None] = {kind: getattr(vault, fact) for kind, fact in _FACTS.items()}
    moments = [moment for moment in facts.values() if moment]
    if not moments:
        return {}
    runs = Run.objects.filter(machine__vault=vault, finished_at__in=moments, outcome=Run.Outcome.SUCCEEDED)
    return {run.kind: run for run in runs.select_related("machine") if run.finished_at == facts.get(run.kind)}
