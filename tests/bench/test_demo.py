"""The demo estate of `make seed` fits together, can be looked at, and goes through the migrations both ways."""

import random
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command

from agents.models import Machine, ReplacementRequest, Run
from agents.states import MachineState
from bench.seed import demo, retained
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.factories import as_actor
from tests.migrating import migrated, newest_again, to_newest  # noqa: F401 - a fixture
from tests.portal.pages import window
from vaults.models import MachineRepository, Operation, RetentionChange, Vault, VaultRequest
from vaults.requests import vault_requests

LABELS = {"accounts", "approvals", "audit", "notifications", "portal", "vaults", "agents"}
EARLIER = [("vaults", "0017_suspects"), ("audit", "0007_person_and_action"), ("agents", "0008_newest_proof")]


@pytest.fixture
def no_younger_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estate of which nothing is in tables and columns that are younger than EARLIER: those go with them."""
    monkeypatch.setattr(retained, "fill", lambda *_: None)
    monkeypatch.setattr(demo, "_promise", lambda *_: None)


@pytest.fixture
def estate(db: None) -> None:
    for command in ("sync_regions", "demo_accounts"):
        call_command(command, stdout=StringIO())
    demo.fill(random.Random(2016))  # noqa: S311 - the same each time


@pytest.mark.usefixtures("estate")
def test_what_is_said_of_machines_follows_from_their_runs() -> None:
    assert Machine.objects.count() > 40
    for machine in Machine.objects.all():
        done = machine.runs.filter(outcome=Run.Outcome.SUCCEEDED)
        backup, check = (
            done.filter(kind=kind).order_by("-finished_at").values_list("finished_at", flat=True).first()
            for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK)
        )
        assert (machine.last_backup_at, machine.last_restore_check_at) == (backup, check)
        assert machine.state == (MachineState.READY if check else MachineState.REGISTERED)
    for vault in Vault.objects.all():
        assert vault.machine_count == vault.machines.count()
        assert (vault.redundancy_locked_at is not None) == (vault.machine_count > 0)


@pytest.mark.usefixtures("estate")
def test_every_page_can_be_looked_at() -> None:
    staff, auditor = window(User.objects.get(username="staff")), window(User.objects.get(username="auditor"))
    for path in ("/", "/vaults/", "/vaults/?show=attention", "/requests/", "/notifications/"):
        assert staff.get(path, follow=True).status_code == 200
    for vault in Vault.objects.all():
        assert staff.get(f"/vaults/{vault.pk}/").status_code == 200
    assert auditor.get("/audit/").status_code == 200
    machine = Machine.objects.exclude(last_backup_at=None).order_by("name_key")[0]
    assert "The last backups" in staff.get(f"/machines/{machine.pk}/").content.decode()
    held = MachineRepository.objects.exclude(held_at=None).get()
    assert retained.HELD in staff.get(f"/machines/{held.pk}/").content.decode()
    assert "The region is nearly full." in staff.get(f"/requests/{RetentionChange.objects.get().pk}/").content.decode()
    assert Operation.objects.filter(kind=Operation.Kind.BRING_BACK).count() == 1
    assert "214 objects returned, 3 objects set aside." in staff.get("/notifications/").content.decode()


@pytest.mark.usefixtures("estate")
def test_what_waits_can_be_decided() -> None:
    assert ReplacementRequest.objects.filter(state="pending").count() == 1
    waiting = VaultRequest.objects.get(state="pending", name="scratch")
    approver = as_actor(User.objects.get(username="approver"))
    approved = vault_requests.approve(waiting.pk, actor=approver, comment="", digest=waiting.digest)
    assert approved.vault is not None


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("newest_again", "no_younger_tables", "estate")
def test_the_migrations_lose_nothing_of_it_both_ways() -> None:
    before = contents()
    assert AuditEvent.objects.count() > 3_000
    migrated(EARLIER)
    to_newest()
    assert contents() == before


def contents() -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables of ours."""
    ours = [model for model in apps.get_models() if model._meta.app_label in LABELS]
    return {model._meta.label: list(model._base_manager.order_by("pk").values_list()) for model in ours}
