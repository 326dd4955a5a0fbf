"""How much machines have stored, as the worker measures it, and the quotas that it is held against."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Machine
from agents.storage_access import usage
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import SYSTEM
from portal.core.errors import Invalid, NotAllowed
from portal.notifications.models import Notification
from tests.agents.factories import credential_of, machine_in
from tests.factories import as_actor
from tests.vaults.stored import MachineFolder
from vaults.models import Region, StoredDay, Vault
from vaults.regions import catalog as regions
from vaults.regions.storage.base import StorageUnavailable
from vaults.trash import removals

Join = Callable[[str], Machine]


@pytest.fixture
def join(vault: Vault, staff: User) -> Join:
    """Adds a machine to `vault`."""
    credential = credential_of(vault, staff, machines=5)
    return lambda name: machine_in(vault, credential, name)


def limit(region: Region, administrator: User, vault: int | None, machine: int | None) -> None:
    regions.set_quotas(region.pk, actor=as_actor(administrator), vault_bytes=vault, machine_bytes=machine)


def used() -> tuple[int | None, dict[str, int | None]]:
    """By the vault, and by each machine."""
    machines = dict(Machine.objects.values_list("name", "used_bytes"))
    return Vault.objects.values_list("used_bytes", flat=True).get(), machines


def test_what_each_machine_and_the_vault_have_stored(storage: Path, vault: Vault, join: Join) -> None:
    for name, size in (("one", 30), ("two", 70)):
        folder = MachineFolder(storage / "local-a", vault.pk, join(name).pk)
        folder.put("data", b"x" * size)
        folder.put("index", b"y" * 5)
        folder.put_at("elsewhere/file", b"z" * 1000)
    MachineFolder(storage / "local-a", uuid4(), uuid4()).put("data", b"of another vault")
    join("none")
    Region.objects.update(vault_quota_bytes=1000)
    usage.measure()
    assert used() == (110, {"one": 35, "two": 75, "none": 0})
    assert Notification.objects.count() == 0


class TestTrash:
    @pytest.mark.parametrize(
        ("quotas", "counted"),
        [
            ({"vault_quota_bytes": 1000, "machine_quota_bytes": 1000}, (0, 0)),
            ({"vault_quota_bytes": 30}, (0, 0)),
            ({"vault_quota_bytes": 20}, (10, 0)),
            ({"machine_quota_bytes": 20}, (10, 10)),
        ],
    )
    def test_counts_above_the_quota(
        self, storage: Path, vault: Vault, join: Join, quotas: dict[str, int], counted: tuple[int, int]
    ) -> None:
        """Whoever deletes makes room; but a machine cannot fill the region by storing objects and removing them."""
        machine = join("one")
        folder = MachineFolder(storage / "local-a", vault.pk, machine.pk)
        path = folder.put("index", b"x" * 30)
        removals.remove(vault, machine.pk, "index", Path(path).name, actor=SYSTEM)
        Region.objects.update(**quotas)
        usage.measure()
        assert used() == (counted[0], {"one": counted[1]})


def test_without_quotas_what_was_used_is_measured_now_and_then(storage: Path, vault: Vault, join: Join) -> None:
    folder = MachineFolder(storage / "local-a", vault.pk, join("one").pk)
    folder.put("data", b"x")
    Vault.objects.update(redundancy_locked_at=None)
    usage.measure()
    assert used() == (None, {"one": None})
    Vault.objects.update(redundancy_locked_at=timezone.now())
    usage.measure()
    assert used() == (1, {"one": 1})
    folder.put("data", b"yz")
    Vault.objects.update(used_measured_at=timezone.now() - usage.UNLIMITED_EVERY + timedelta(minutes=1))
    usage.measure()
    assert used() == (1, {"one": 1})
    Vault.objects.update(used_measured_at=timezone.now() - usage.UNLIMITED_EVERY - timedelta(seconds=1))
    usage.measure()
    assert used() == (3, {"one": 3})
    assert [day.size for day in StoredDay.objects.all()] == [3]


def test_a_vault_is_measured_again_after_a_while(storage: Path, vault: Vault, join: Join) -> None:
    Region.objects.update(machine_quota_bytes=1000)
    folder = MachineFolder(storage / "local-a", vault.pk, join("one").pk)
    usage.measure()
    folder.put("data", b"12345")
    usage.measure()
    assert used() == (0, {"one": 0})
    Vault.objects.update(used_measured_at=timezone.now() - usage.EVERY - timedelta(seconds=1))
    usage.measure()
    assert used() == (5, {"one": 5})


def test_a_storage_that_does_not_answer_leaves_the_last_figures(
    vault: Vault, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(region: Region) -> None:
        raise StorageUnavailable(f"{region} does not answer.")

    join("one")
    Region.objects.update(vault_quota_bytes=1)
    Vault.objects.update(used_bytes=7)
    Machine.objects.update(used_bytes=7)
    monkeypatch.setattr(usage, "region_storage", silent)
    usage.measure()
    assert used() == (7, {"one": 7})


@pytest.mark.parametrize(("vault_quota", "machine_quota"), [(10, None), (None, 10)])
def test_people_are_told_of_a_quota_while_it_is_reached(
    storage: Path,
    vault: Vault,
    join: Join,
    administrator: User,
    vault_quota: int | None,
    machine_quota: int | None,
) -> None:
    MachineFolder(storage / "local-a", vault.pk, join("one").pk).put("data", b"x" * 10)
    limit(vault.region, administrator, vault_quota, machine_quota)
    usage.measure()
    entry = Notification.objects.get()
    assert (entry.title, entry.subscription) == ('Vault "Payroll" has reached its quota.', vault.subscription)
    limit(vault.region, administrator, 1000, 1000)
    Vault.objects.update(used_measured_at=None)
    usage.measure()
    assert Notification.objects.count() == 0


def test_administrators_set_quotas_on_the_admin_site(
    regions: tuple[Region, Region], administrator: User, client: Client
) -> None:
    client.force_login(administrator)
    url = f"/admin/vaults/region/{regions[0].pk}/change/"
    form = {"name": regions[0].name, "enabled": "on", "vault_quota_bytes": "1000", "machine_quota_bytes": ""}
    assert client.post(url, form).status_code == 302
    assert Region.objects.values_list("vault_quota_bytes", "machine_quota_bytes").get(pk=regions[0].pk) == (1000, None)
    event = AuditEvent.objects.get(action="region:quotas")
    assert event.detail["to"] == {"vault_quota_bytes": 1000, "machine_quota_bytes": None}
    assert client.post(url, {**form, "vault_quota_bytes": "-1"}).status_code == 200
    assert Region.objects.get(pk=regions[0].pk).vault_quota_bytes == 1000


def test_nobody_else_sets_quotas(regions: tuple[Region, Region], staff: User, administrator: User) -> None:
    with pytest.raises(NotAllowed):
        limit(regions[0], staff, 1, 1)
    with pytest.raises(Invalid):
        limit(regions[0], administrator, -1, None)
    assert AuditEvent.objects.filter(action="region:quotas").count() == 0
