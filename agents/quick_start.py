"""How far a vault has come on its way to a machine that is backed up and restored: what the Quick Start page shows."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from agents.models import Machine, Onboarding, RefusedRegistration, Run
from agents.monitoring import evidence, live_setup, quiet
from agents.monitoring.evidence import Proof
from agents.monitoring.live_setup import AT_WORK, LiveSetup
from agents.monitoring.quiet import Quiet
from agents.states import MachineState
from portal.accounts.models import User
from portal.templatetags.amounts import distance, duration, plural
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
LISTED = 6
"""So many setups that are under way are shown, the newest."""


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
    brief: str = ""  # what a step that is done came to, in a few words
    in_use: bool = False  # done, and still of use: it does not fold

    @property
    def folds(self) -> bool:
        """Whether it is shown in a line alone."""
        return self.done and not self.in_use

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
    one-time code that the person who looks was shown last. `rows`: how the machines shown came, and what they tell."""

    vault: Vault
    now: datetime
    credential_status: CredentialStatus
    machines: list[Machine]
    proof: Proof
    refusals: list[RefusedRegistration]
    failures: list[Run]
    needing_attention: int
    code: OneTimeCode | None = None
    rows: dict[UUID, Onboarding] = field(default_factory=dict)

    @property
    def setups(self) -> list[LiveSetup]:
        """The setups that are under way; first the one that came with the person's code, then the newest."""
        found = live_setup.under_way(self.machines, self.rows, self.now)
        return sorted(found, key=lambda setup: setup.machine != self.code_machine)[:LISTED]

    @property
    def quiet(self) -> list[Quiet]:
        """Where nothing was heard for two minutes, of what the person waits for: likely reasons."""
        found = [quiet.about_setup(setup, self.now) for setup in self.setups]
        return [*filter(None, [self._quiet_code(), self._quiet_file(), *found])]

    def _quiet_code(self) -> Quiet | None:
        code, state = self.code, self.code_state
        if code is None or self.code_machine is not None or not self.listening_at_all:
            return None
        if state == CodeState.WAITING:
            return quiet.about_code(self._sign_since(code.shown_at), self.now)
        if state == CodeState.EXPIRED:
            return quiet.about_expired(code.expires_at)
        if state == CodeState.REDEEMED and self.code_may_end and code.redeemed_at:
            return quiet.about_redeemed(self._sign_since(code.redeemed_at), self.now)
        return None

    def _quiet_file(self) -> Quiet | None:
        """While a code is waited for, the file is not what the person looks for."""
        credential = self.credential_status.credential
        if credential is None or not self.listening or credential.machines_used or self.waiting_for_code:
            return None
        issued = credential.issued_at
        return quiet.about_file(self._sign_since(issued), self.now) if issued > self.now - AT_WORK else None

    def _sign_since(self, moment: datetime) -> datetime:
        """Then, or when a machine was refused since: that is a sign of life, with its reason."""
        return max([moment, *(refusal.at for refusal in self.refusals if refusal.at > moment)])

    @property
    def from_paste(self) -> str:
        """How long the machine that proves this vault took from its code or file to its first proof; empty where that
        is not known."""
        row = self.rows.get(self.proof.machine.pk) if self.proof.machine else None
        return duration(row.proven_at - row.began_at) if row and row.proven_at else ""

    @property
    def came_by_code(self) -> bool:
        """Whether that machine came with a code."""
        row = self.rows.get(self.proof.machine.pk) if self.proof.machine else None
        return row is not None and row.by_code

    @property
    def code_address(self) -> str:
        """From where the machine of the code speaks."""
        row = self.rows.get(self.code_machine.pk) if self.code_machine else None
        return str(getattr(row, "address", ""))

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
    def listening_at_all(self) -> bool:
        """Whether the vault takes machines."""
        return self.vault.state == VaultState.ACTIVE

    @property
    def at_work(self) -> bool:
        """Whether a machine is in the middle of its setup."""
        lately = self.now - AT_WORK
        return bool(self.setups) or any(
            machine.state == MachineState.REGISTERED and machine.registered_at > lately for machine in self.machines
        )

    @property
    def final(self) -> bool:
        """Whether nothing on the page will change any more."""
        return self.vault.state in Vault.STATES.final

    @property
    def pause(self) -> int:
        """After how many seconds it is worth looking again: while something is expected, soon."""
        if self.at_work or self.waiting_for_code or (self.code_state == CodeState.REDEEMED and self.code_may_end):
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
            key: Step(
                number,
                name,
                done[key],
                active and key in current,
                brief=self._brief(key) if done[key] else "",
                in_use=key == "credentials" and self.listening,
            )
            for number, (key, name) in enumerate(STEPS, start=1)
        }

    def _brief(self, key: str) -> str:
        """What a step that is done came to: what is said of it while it is folded."""
        proof = self.proof
        match key:
            case "redundancy":
                return str(self.vault.get_redundancy_display())
            case "credentials" if self.credential_status.state == CredentialState.VALID:
                return "a file is valid"
            case "register":
                return self._who_came()
            case "backup" | "restore" if proof.machine:
                moment = proof.backed_up_at if key == "backup" else proof.restored_at
                return f"{proof.machine.name}, {distance(moment, self.now)}" if moment else ""
        return ""

    def _who_came(self) -> str:
        """The machine that registered last, and how many others there are."""
        if not self.machines:
            return plural(self.vault.machine_count, "machine")
        others = self.vault.machine_count - 1
        return f"{self.machines[0].name} and {others:,} more" if others > 0 else self.machines[0].name

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
    """Read it, with the code that `person` was shown last: at most eleven queries, however many machines there are."""
    now = timezone.now()
    needing_attention = evidence.machines_needing_attention(vault)
    machines = evidence.newest_machines(vault, needing_attention)
    proof = evidence.proof_of(vault, needing_attention)
    return Progress(
        vault=vault,
        now=now,
        credential_status=status_of(vault),
        machines=machines,
        proof=proof,
        refusals=evidence.refusals_of(vault, now),
        failures=evidence.failures_of(machines, now),
        needing_attention=len(needing_attention),
        code=newest_of(vault, person) if person else None,
        rows=live_setup.rows_of(machines, proof.machine),
    )
