"""How far a vault has come on its way to a machine that is backed up and restored: what the Quick Start page shows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from agents.models import Machine, RefusedRegistration, Run
from agents.monitoring import evidence
from agents.monitoring.evidence import Proof
from agents.states import MachineState
from portal.accounts.models import User
from vaults.credentials.one_time_codes import CodeState, could_register, newest_of, state_of
from vaults.credentials.vault_credentials import CredentialState, CredentialStatus, status_of
from vaults.models import OneTimeCode, Vault
from vaults.states import VaultState

STEPS = (
    ("redundancy", "Configure storage redundancy"),
    ("credentials", "Download vault credentials"),
    ("agent", "Get the agent"),
    ("register", "Register your machine"),
    ("backup", "First backup"),
    ("restore", "Restore check"),
)
AT_WORK = timedelta(hours=1)
"""For so long after it registered a machine is taken to be in the middle of its setup."""


@dataclass(frozen=True)
class Step:
    """One step: its place in the order, its name by contract, whether it is done, and whether it is the one to do.

    `missing`: what it needs was taken away since, so nobody can do it now.
    """

    number: int
    name: str
    done: bool
    current: bool
    missing: bool = False

    @property
    def mark(self) -> tuple[str, str]:
        """The sign that stands for it, and the word."""
        if self.missing:
            return "wrong", "Not possible now"
        if self.done:
            return "done", "Done"
        return ("now", "To do now") if self.current else ("", "Later")


@dataclass(frozen=True)
class Progress:
    """What happened so far. `machines` are the last to register, the newest first; `used_by` those of them that came
    with the credential of `credential_status`, and `used_by_others` the number of its machines that are not shown.
    `proof`: of one machine that is still here. `needing_attention`: how many machines need it, up to MANY. `code`: the
    one-time code that the person who looks was shown last."""

    vault: Vault
    now: datetime
    credential_status: CredentialStatus
    machines: list[Machine]
    proof: Proof
    refusals: list[RefusedRegistration]
    failures: list[Run]
    needing_attention: int
    code: OneTimeCode | None = None

    @property
    def code_state(self) -> str:
        """What the code that the person was shown last is good for; empty where that is no news any more."""
        if self.code is None or self.code.shown_at < self.now - AT_WORK:
            return ""
        return state_of(self.code, self.now)

    @property
    def code_machine(self) -> Machine | None:
        """The machine that came with that code, once it has registered."""
        credential_id = self.code.credential_id if self.code else None
        return next((one for one in self.machines if credential_id and one.credential_id == credential_id), None)

    @property
    def code_may_end(self) -> bool:
        """Whether `End now` has anything to end."""
        return self.code is not None and could_register(self.code, self.now)

    @property
    def waiting_for_code(self) -> bool:
        """Whether a machine may come with that code any moment."""
        return self.vault.state == VaultState.ACTIVE and self.code_state == CodeState.WAITING

    @property
    def ready(self) -> bool:
        """Whether a machine that is still here was backed up, and a restore of it was proven."""
        return self.proof.machine is not None and self.proof.machine.state == MachineState.READY

    @property
    def news(self) -> list[RefusedRegistration]:
        """The refusals since the last machine registered."""
        return [
            refusal for refusal in self.refusals if not self.machines or refusal.at > self.machines[0].registered_at
        ]

    @property
    def old_news(self) -> list[RefusedRegistration]:
        """Those from before: somebody got through since."""
        return self.refusals[len(self.news) :]

    @property
    def used_by(self) -> list[Machine]:
        """The machines shown that registered with the credential at hand."""
        credential = self.credential_status.credential
        return [machine for machine in self.machines if credential and machine.credential_id == credential.pk]

    @property
    def used_by_others(self) -> int:
        """How many more machines registered with it."""
        credential = self.credential_status.credential
        return max(0, credential.machines_used - len(self.used_by)) if credential else 0

    @property
    def listening(self) -> bool:
        """Whether a machine could register just now."""
        return self.vault.state == VaultState.ACTIVE and self.credential_status.state == CredentialState.VALID

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
        if self.at_work or self.waiting_for_code:
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
        registered = self.vault.machine_count > 0
        return {
            "redundancy": self.vault.redundancy_locked or self.vault.redundancy_confirmed_at is not None,
            "credentials": registered
            or self.waiting_for_code
            or self.credential_status.state in {CredentialState.VALID, CredentialState.USED_UP},
            "agent": registered,
            "register": registered,
            "backup": self.proof.backed_up_at is not None,
            "restore": self.proof.restored_at is not None,
        }


def progress_of(vault: Vault, person: User | None = None) -> Progress:
    """Read it, with the code that `person` was shown last, in at most ten queries, however many machines there are."""
    now = timezone.now()
    needing_attention = evidence.machines_needing_attention(vault)
    machines = evidence.newest_machines(vault, needing_attention)
    return Progress(
        vault=vault,
        now=now,
        credential_status=status_of(vault),
        machines=machines,
        proof=evidence.proof_of(vault, needing_attention),
        refusals=evidence.refusals_of(vault, now),
        failures=evidence.failures_of(machines, now),
        needing_attention=len(needing_attention),
        code=newest_of(vault, person) if person else None,
    )
