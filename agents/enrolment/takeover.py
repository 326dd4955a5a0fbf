"""Taking the place of a machine: what a registration with a replacement credential does.

The machine keeps its identity, its name and its folder; all certificates that it had die in the same transaction.
"""

from django.db.models import F

from agents.enrolment import registration_request
from agents.enrolment.events import PlaceTaken
from agents.enrolment.registration_request import RegistrationRequest
from agents.models import Machine, MachineCertificate, ReplacementRequest
from agents.monitoring import concerns, onboarding
from agents.protocol import certificates, errors
from agents.replacement.queries import name_taken_by_another
from agents.states import OUT, MachineState, ReplacementState
from portal.audit.actions import Action
from portal.audit.transitions import advance
from portal.core.errors import Invalid
from portal.events.event import happened
from portal.pki.crypto import keys
from vaults.models import Credential, Vault


def take_over(request: RegistrationRequest, credential: Credential, vault: Vault) -> tuple[Machine, MachineCertificate]:
    """Put the computer that has arrived into the place of the credential's machine.

    Call it with vault and credential locked and found good, in the transaction that acts. Raises CredentialRefused and
    MachineExists for another name than the machine's, or one that is no longer free, and Invalid for an old key.

    1. Lock the machine: a renewal with an old certificate comes before, and then dies with it, or is refused after.
    2. Check what others may have changed. 3. End the old certificates, then come back as Registered, with a new one.
    """
    agreement = ReplacementRequest.objects.select_related("machine").get(credential=credential)
    machine = Machine.objects.select_for_update(no_key=True).get(pk=agreement.machine_id)
    machine.vault = vault
    _require_its_name(request, machine, vault)
    _require_new_key(request, machine)
    certificates.revoke_all(machine, at=request.at)
    _count(machine, credential, vault, request)
    _come_back(machine, credential, request)
    onboarding.begin(machine, credential, request.at)
    advance(agreement, ReplacementState.USED, actor=request.actor, ended_at=request.at)
    happened(PlaceTaken(machine, credential, request.actor.address), actor=request.actor)
    return machine, certificates.certify(machine, request.key, at=request.at)


def _require_its_name(request: RegistrationRequest, machine: Machine, vault: Vault) -> None:
    if request.name_key != machine.name_key:
        others = vault.machines.filter(name_key=request.name_key).exclude(state=MachineState.UNREGISTERED)
        raise errors.other_machine(request.details.name, machine, vault, exists=others.exists())
    if name_taken_by_another(machine):
        raise errors.name_taken_since(machine, vault)


def _require_new_key(request: RegistrationRequest, machine: Machine) -> None:
    """Whoever holds an old key may be whom the machine is being taken from."""
    if machine.certificates.filter(key_digest=keys.digest(request.key)).exists():
        raise Invalid({"csr": ["The machine has had this key before. A replacement needs a new one."]})


def _count(machine: Machine, credential: Credential, vault: Vault, request: RegistrationRequest) -> None:
    """The credential is used; the vault has a machine more if this one was not among its machines."""
    registration_request.count_use(credential)
    if machine.state in OUT:
        Vault.objects.filter(pk=vault.pk).update(machine_count=F("machine_count") + 1, updated_at=request.at)


def _come_back(machine: Machine, credential: Credential, request: RegistrationRequest) -> None:
    """Registered, and no more: what was restored and compared was so on the computer that is gone.

    Of the reasons for attention those stay that lie in the repository, which is the same as before.
    """
    machine.replaced_at = request.at
    advance(
        machine,
        MachineState.REGISTERED,
        actor=request.actor,
        action=Action.MACHINE_REPLACE,
        detail={"credential": credential.serial, "issued_by": credential.issued_by.username},
        state_reason="",
        credential=credential,
        platform=request.details.platform.model_dump(),
        agent_version=request.details.agent_version,
        address=request.actor.address,
        replaced_at=request.at,
        last_seen_at=request.at,
        last_restore_check_at=None,
        proof={},
        fades_from=None,
        unproven_from=None,
        restore_seconds=None,
        restore_bytes=None,
        restore_measured_at=None,
        restore_slow=False,
        concern=concerns.of_reports(machine),
    )
