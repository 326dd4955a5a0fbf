"""A quota through the real edge: restic is told that there is no room, and restores all the same."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.e2e.wire import ask, request
from tests.portal_process import Portal

pytestmark = pytest.mark.system
NAME = "0123456789abcdef" * 4
_SET = """
from agents.storage_access import usage
from portal.core.actor import Actor, Via
from portal.accounts.models import User
from vaults.regions import catalog
from vaults.models import Region, Vault
admin = Actor(label="admin", via=Via.PAGE, user=User.objects.get(username="admin"), address="127.0.0.1")
region = Region.objects.get(slug="local-a")
catalog.set_quotas(region.pk, actor=admin, vault_bytes=None, machine_bytes={quota})
Vault.objects.update(used_measured_at=None)
usage.measure()
"""


@contextmanager
def quota(portal: Portal, machine_bytes: int) -> Iterator[None]:
    """Each machine of Local A may store this much, as measured now."""
    portal.manage("shell", "-v", "0", "-c", _SET.format(quota=machine_bytes))
    try:
        yield
    finally:
        portal.manage("shell", "-v", "0", "-c", _SET.format(quota=None))


@pytest.mark.long  # the same bound, in mid-transfer, is in test_edge_open_transfers.py
def test_a_machine_over_its_quota_restores_and_stores_nothing(portal: Portal, tmp_path: Path) -> None:
    """507, which the agent explains; locks and reading go on; with room again the backup goes through."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, f"Quota-{uuid4().hex[:6]}", "local")
        machine = make_machine(tmp_path, "hungry", files=3, megabytes=1)
        machine.setup(credentials(staff, vault, tmp_path))
        own = f"/local-a/{vault}/{machine_id(staff, vault, 'hungry')}"
    stored = portal.data / "storage" / own[1:]
    before = sorted(path for path in stored.rglob("*") if path.is_file() and path.parent.name != "locks")
    (machine.files / "more").write_bytes(uuid4().bytes * 10_000)
    with quota(portal, 1000):
        sent = request(f"POST {own}/data/{NAME}", "Connection: close", body=b"junk")
        assert ask(portal, certificate_of(machine), sent).status == 507
        assert machine.agent("backup", status=1)["code"] == "quota_full"
        machine.agent("restore", "--target", tmp_path / "back")
    assert sorted(path for path in stored.rglob("*") if path.is_file() and path.parent.name != "locks") == before
    machine.agent("backup")
    machine.agent("restore", "--target", tmp_path / "later")
    assert contents(restored(tmp_path / "later", machine.files)) == contents(machine.files)
