"""Taking the place of a machine: what a registration with a replacement credential does.

The machine keeps its identity, its name and its folder; all certificates that it had die in the same transaction.
"""

from django.db.models import F

from agents.enrolment import applicant
from agents.enrolment.applicant import Arrival
from agents.models import Machine, MachineCertificate, ReplacementRequest
from agents.protocol import certificates, errors
from agents.replacement.queries import name_taken_by_another
from agents.states import OUT, MachineState, ReplacementState
from portal.audit.transitions import advance
from portal.core.errors import Invalid
from portal.notifications.publish import withdraw
from portal.pki.crypto import keys
from vaults.models import Credential, Vault


def take_over(arrival: Arrival, credential: Credential, vault: Vault) -> tuple[Machine, MachineCertificate]:
    """Put the computer that has arrived into the place of the credential's machine.

    Call it with vault and credential locked and found good, in the transaction that acts. Raises CredentialRefused and
    MachineExists for another name than the machine's, or one that is no longer free, and Invalid for an old key.

    1. Lock the machine: a renewal with an old certificate comes before, and then dies with it, or is refused after.
    2. Check what others may have changed. 3. End the old certificates, then come back as Registered, with a new one.
    """
    agreement = ReplacementRequest.objects.select_related("machine").get(credential=credential)
    machine = Machine.objects.select_for_update(no_key=True).get(pk=agreement.machine_id)
    _require_its_name(arrival, machine, vault)
    _require_new_key(arrival, machine)
    certificates.revoke_all(machine, at=arrival.at)
    _count(machine, credential, vault, arrival)
    _come_back(machine, credential, arrival)
    advance(agreement, ReplacementState.USED, actor=arrival.actor, ended_at=arrival.at)
    _tell(machine, credential, vault, arrival)
    return machine, certificates.certify(machine, arrival.key, at=arrival.at)


def _require_its_name(arrival: Arrival, machine: Machine, vault: Vault) -> None:
    if arrival.name_key != machine.name_key:
        others = vault.machine_set.filter(name_key=arrival.name_key).exclude(state=MachineState.UNREGISTERED)
        raise errors.other_machine(arrival.details.name, machine, vault, exists=others.exists())
    if name_taken_by_another(machine):
        raise errors.name_taken_since(machine, vault)


def _require_new_key(arrival: Arrival, machine: Machine) -> None:
    """Whoever holds an old key may be whom the machine is being taken from."""
    if machine.certificates.filter(key_digest=keys.digest(arrival.key)).exists():
        raise Invalid({"csr": ["The machine has had this key before. A replacement needs a new one."]})


def _count(machine: Machine, credential: Credential, vault: Vault, arrival: Arrival) -> None:
    """The credential is used; the vault has a machine more if this one was not among its machines."""
    applicant.use(credential)
    if machine.state in OUT:
        Vault.objects.filter(pk=vault.pk).update(machines=F("machines") + 1, updated_at=arrival.at)


def _come_back(machine: Machine, credential: Credential, arrival: Arrival) -> None:
    """Registered, and no more: what was restored and compared was so on the computer that is gone."""
    advance(
        machine,
        MachineState.REGISTERED,
        actor=arrival.actor,
        action="machine:replace",
        detail={"credential": credential.serial, "issued_by": credential.issued_by.username},
        state_reason="",
        credential=credential,
        platform=arrival.details.platform.model_dump(),
        agent_version=arrival.details.agent_version,
        address=arrival.actor.address,
        replaced_at=arrival.at,
        last_seen_at=arrival.at,
        last_restore_check_at=None,
        concern="",
    )


def _tell(machine: Machine, credential: Credential, vault: Vault, arrival: Arrival) -> None:
    for key in ("machine-suspend", "machine-unregister", "machine-ready", "replacement-outcome"):
        withdraw(f"{key}:{machine.pk}")
    applicant.tell(
        arrival,
        machine,
        credential,
        vault,
        key="machine-replace",
        title=f'Another computer has taken the place of machine "{machine.name}" in vault "{vault.name}".',
        more=" All its earlier certificates have been revoked.",
    )
