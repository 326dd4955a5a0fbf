"""What the tests of machines make: rows of machines and of what belongs to them, and credential files."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from agents.models import AgentPackage, AgentRelease, Machine, MachineCertificate, Receipt, Run
from agents.states import MachineState
from portal.accounts.models import User
from portal.core.actor import Actor, Via
from tests.factories import as_actor
from vaults.credentials import vault_credentials
from vaults.integrity import losses
from vaults.models import Credential, Vault
from vaults.regions.storage.layout import Stored

Issue = Callable[..., dict[str, object]]
COMMAND = Actor(label="publish_agent", via=Via.COMMAND)


def credential_file(vault: Vault, user: User, machines: int = 1) -> dict[str, object]:
    """The document of the file of a new credential of the vault."""
    return vault_credentials.issue(vault.pk, actor=as_actor(user), machines=machines).document


def credential_of(vault: Vault, user: User, **columns: Any) -> Credential:
    """A real credential of the vault, with `columns` changed afterwards, as time and registrations would."""
    credential = vault_credentials.issue(vault.pk, actor=as_actor(user), machines=columns.pop("machines", 1)).credential
    Credential.objects.filter(pk=credential.pk).update(**columns)
    credential.refresh_from_db()
    return credential


def machine_in(vault: Vault, credential: Credential, name: str = "hr-db-02", **columns: Any) -> Machine:
    """A machine that registered just now; the vault counts it, as registration does."""
    Vault.objects.filter(pk=vault.pk).update(machine_count=F("machine_count") + 1)
    values = {"name": name, "name_key": name.lower(), "registered_at": timezone.now(), **columns}
    return Machine.objects.create(vault=vault, credential=credential, **values)


def certificate_of(machine: Machine, ends: datetime | None = None, **columns: Any) -> MachineCertificate:
    """A certificate of the machine, good for five more days of seven unless told otherwise."""
    ends = ends or timezone.now() + timedelta(days=5)
    names = {name: uuid.uuid4().hex for name in ("serial", "fingerprint", "key_digest")}
    return MachineCertificate.objects.create(
        machine=machine, **names, certificate="", not_before=ends - timedelta(days=7), not_after=ends, **columns
    )


def run_of(machine: Machine, kind: Run.Kind = Run.Kind.BACKUP, ago: timedelta = timedelta(), **columns: Any) -> Run:
    """A run that the machine reported; succeeded unless told otherwise."""
    at = timezone.now() - ago
    values = {"outcome": Run.Outcome.SUCCEEDED, "started_at": at - timedelta(seconds=9), "finished_at": at, **columns}
    return Run.objects.create(id=uuid.uuid4(), machine=machine, kind=kind, **values)


def well_run(machine: Machine, kind: Run.Kind = Run.Kind.BACKUP, **columns: Any) -> Run:
    """A run that went well just now and that machine and vault note as a fact, as the report of one does."""
    run = run_of(machine, kind, **columns)
    fact = {"last_backup_at" if kind == Run.Kind.BACKUP else "last_restore_check_at": run.finished_at}
    Machine.objects.filter(pk=machine.pk).update(**fact)
    Vault.objects.filter(pk=machine.vault_id).update(**fact)
    machine.refresh_from_db()
    if machine.last_backup_at and machine.last_restore_check_at:
        Machine.objects.filter(pk=machine.pk).update(state=MachineState.READY)
    return run


def lost_of(machine: Machine) -> Machine:
    """The machine, after an object of it was set aside that no region has whole."""
    path = f"{machine.vault_id}/{machine.pk}/data/{uuid.uuid4().hex * 2}"
    losses.note(machine.vault, machine.vault.region, Stored(path, 1, timezone.now()))
    return machine


def package(platform: str = "linux", architecture: str = "x86_64", **columns: object) -> AgentPackage:
    """A package that people can download; the row only, no file."""
    values = {
        "version": "1.0.0",
        "file_name": f"strongroom-agent-{platform}-{architecture}-{AgentPackage.objects.count()}.pex",
        "size": 25_165_824,
        "sha256": "9f2c" * 16,
        "published_at": timezone.now(),
        **columns,
    }
    return AgentPackage.objects.create(platform=platform, architecture=architecture, **values)


def receipt_of(machine: Machine) -> Receipt:
    """A receipt that the machine has given for a backup; its text is none that anybody has signed."""
    return Receipt.objects.create(run=run_of(machine), compact="a.b.c", signer=Receipt.Signer.NEWEST)


def release_of(version: str) -> AgentRelease:
    """A release that is offered, without files."""
    now = timezone.now()
    return AgentRelease.objects.create(
        version=version, serial=1, expires_at=now + timedelta(days=90), manifest={}, files=[], published_at=now
    )
