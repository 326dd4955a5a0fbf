"""Somebody with a machine's key, root on it and its passphrase: what was restorable comes back, byte for byte."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stolen import Stolen, stolen_machine
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
_FACTS = """
import json
from vaults.models import MachineRepository
row = MachineRepository.objects.get(pk="{machine}")
print(json.dumps([row.held_reason, row.whole_as_of is not None and row.whole_as_of > row.deleted_at]))
"""


@pytest.fixture
def stolen(portal: Portal, tmp_path: Path) -> Iterator[Stolen]:
    with stolen_machine(portal, tmp_path) as found:
        yield found


def test_packs_deleted_with_their_index_left_in_place(stolen: Stolen, tmp_path: Path) -> None:
    """restic believes its index, so the machine's next backup rests on nothing, and ends well."""
    assert stolen.delete("data") == {200}
    assert stolen.delete("keys") == {403}
    held, _ = json.loads(stolen.manage(_FACTS))
    assert held == "It deleted backup data although no retain was announced."
    stolen.bring_back()
    stolen.all_restorable(tmp_path)
    held, proven = json.loads(stolen.manage(_FACTS))
    assert (held, proven) == ("It deleted backup data although no retain was announced.", True)


def test_all_that_a_thief_can_do(stolen: Stolen, tmp_path: Path) -> None:
    """Forged and backdated snapshots, another key, everything old forgotten and pruned, the index deleted."""
    other = tmp_path / "other passphrase"
    other.write_text("the thief's own passphrase")
    added = [stolen.restic("key", "add", "--new-password-file", str(other)).returncode for _ in range(2)]
    assert added[0] == 0
    assert added[1] != 0, "a third key was taken"
    for when in ("2001-01-01 00:00:00", "2038-01-01 00:00:00"):
        assert stolen.restic("backup", "--time", when, str(other)).returncode == 0
    for snapshot, _ in stolen.generations:
        stolen.restic("forget", snapshot)
    stolen.restic("prune", "--max-unused", "0")
    assert stolen.delete("index") <= {200}
    genuine = {snapshot for snapshot, _ in stolen.generations}
    assert not genuine & stolen.stored("snapshots")
    stolen.bring_back()
    assert stolen.stored("snapshots") == genuine
    wait_for("the pair to follow", lambda: stolen.stored("snapshots", "local-b") == genuine)
    stolen.all_restorable(tmp_path)


def test_what_is_young_cannot_be_deleted_at_all(stolen: Stolen) -> None:
    (stolen.machine.files / "young.bin").write_bytes(os.urandom(500_000))
    young = stolen.machine.agent("backup")["snapshot"]
    stolen.look()
    stolen.restic("forget", young)
    assert young in stolen.stored("snapshots")
    assert stolen.delete("snapshots") == {200, 403}
    assert stolen.stored("snapshots") == {young}
