"""Machines, their credentials and certificates, and what they reported."""

import random
import uuid
from datetime import timedelta

from django.utils import timezone

from agents.models import Machine, MachineCertificate, Run
from agents.states import MachineState
from bench.handles import Storage
from portal.accounts.models import User
from vaults.models import Credential, Vault
from vaults.states import VaultState

BATCH = 2_000
RUNS_EACH = 4
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n" + "\n".join(["A" * 64] * 14) + "\n-----END CERTIFICATE-----\n"


def fill(vault: Vault, number: int, issuer: User, dice: random.Random) -> list[Storage]:
    """Register `number` machines in the vault, all of them Ready."""
    credential = used_credential(vault, number, issuer, dice)
    now = timezone.now()
    machines = [
        Machine(
            vault=vault,
            name=f"host-{index:05d}",
            name_key=f"host-{index:05d}",
            state=MachineState.READY,
            credential=credential,
            platform={"os": "linux", "arch": "x86_64", "release": "6.1"},
            agent_version="1.0.0",
            address="192.0.2.20",
            registered_at=now - timedelta(days=30, minutes=index),
            last_seen_at=now,
            last_backup_at=now,
            last_restore_check_at=now,
        )
        for index in range(number)
    ]
    Machine.objects.bulk_create(machines, batch_size=BATCH)
    certificates = [certificate(machine, dice) for machine in machines]
    MachineCertificate.objects.bulk_create(certificates, batch_size=BATCH)
    Run.objects.bulk_create((run for machine in machines for run in _runs(machine)), batch_size=BATCH)
    Vault.objects.filter(pk=vault.pk).update(
        machine_count=number,
        redundancy_locked_at=now,
        redundancy_locked_by=machines[0].name,
        last_backup_at=now,
        last_restore_check_at=now,
    )
    return [_storage(vault, certificate) for certificate in certificates]


def spread(vaults: list[Vault], number: int, each: int, issuer: User, dice: random.Random) -> list[Storage]:
    """`number` machines, `each` to a vault, in Active vaults."""
    active = [vault for vault in vaults if vault.state == VaultState.ACTIVE]
    return [known for vault in active[: number // each] for known in fill(vault, each, issuer, dice)]


def used_credential(vault: Vault, number: int, issuer: User, dice: random.Random) -> Credential:
    """The one that `number` machines have registered with, a month ago."""
    now = timezone.now()
    return Credential.objects.create(
        vault=vault,
        serial=f"{dice.getrandbits(152):x}",
        fingerprint=f"{dice.getrandbits(256):064x}",
        certificate=CERTIFICATE,
        key_origin=Credential.KeyOrigin.SERVER,
        machines_limit=number,
        machines_used=number,
        issued_by=issuer,
        issued_at=now - timedelta(days=31),
        expires_at=now - timedelta(days=29),
    )


def certificate(machine: Machine, dice: random.Random) -> MachineCertificate:
    """One that is good for a week from now. It opens nothing: nobody has a key for it."""
    now = timezone.now()
    return MachineCertificate(
        machine=machine,
        serial=f"{dice.getrandbits(152):x}",
        fingerprint=f"{dice.getrandbits(256):064x}",
        key_digest=f"{dice.getrandbits(256):064x}",
        certificate=CERTIFICATE,
        not_before=now - timedelta(minutes=10),
        not_after=now + timedelta(days=7),
    )


def _runs(machine: Machine) -> list[Run]:
    now = timezone.now()
    return [
        Run(
            id=uuid.uuid4(),
            machine=machine,
            kind=Run.Kind.RESTORE_CHECK if index % 2 else Run.Kind.BACKUP,
            outcome=Run.Outcome.SUCCEEDED,
            started_at=now - timedelta(days=index, minutes=4),
            finished_at=now - timedelta(days=index),
            snapshot=f"{index:064x}",
            figures={"files": 20_000, "bytes": 10**9, "bytes_added": 10**7},
        )
        for index in range(RUNS_EACH)
    ]


def _storage(vault: Vault, certificate: MachineCertificate) -> Storage:
    data = f"/{vault.region.slug}/{vault.pk}/{certificate.machine_id}/data/{'ab' * 32}"
    return Storage(certificate.serial, certificate.fingerprint, data)
