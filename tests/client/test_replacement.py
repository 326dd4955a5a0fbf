"""A new computer in the place of a machine, against a real restic, a real rclone and a test portal."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from strongroom_agent.core.times import people

from .authority import Authority
from .cheap_key import PASSPHRASE
from .serving import Storage, serving
from .world import World

pytestmark = pytest.mark.system
RESTIC = shutil.which("restic") or "restic"


@pytest.fixture(scope="module")
def old(authority: Authority, tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[World]:
    """The machine before, backed up."""
    folder = tmp_path_factory.mktemp("old")
    with serving(authority, folder, storage.rclone) as peer:
        machine = World(folder, peer)
        machine.fill()
        assert machine.setup().status == 0
        yield machine


@pytest.fixture
def new(old: World, tmp_path: Path) -> World:
    """Another computer, with a replacement credential for the machine, and some files of its own."""
    machine = World(tmp_path, old.peer)
    machine.fill(3)
    replaced = next(iter(old.peer.machines.values()))
    old.peer.replaced = replaced
    document = old.peer.credential(purpose="replace", machine={"id": replaced.id, "name": replaced.name})
    (tmp_path / "Payroll_Sun Nov 22 2026.VaultCredentials").write_text(json.dumps(document))
    return machine


def passphrase_file(machine: World, text: str) -> str:
    path = machine.root / "another-secret"
    path.write_text(text)
    return str(path)


def test_old_snapshots_are_listed_and_restored(old: World, new: World) -> None:
    before = {path.name: path.read_bytes() for path in old.source.rglob("*.bin")}
    ran = new.setup()
    assert ran.status == 0, ran
    assert ran.answer["machine"]["id"] == next(iter(old.peer.machines))
    earlier = [each["id"] for each in ran.answer["earlier_snapshots"]]
    assert f"restore --snapshot {earlier[-1][:8]} --target DIR" in ran.answer["message"]
    newest = people(ran.answer["earlier_snapshots"][-1]["time"])
    assert f"the newest is of {newest}: " in ran.answer["message"]
    assert newest.endswith(" UTC")
    listed = new.run("snapshots").answer["snapshots"]
    assert [each["id"] for each in listed] == [*earlier, ran.answer["backup"]["snapshot"]]
    assert new.run("restore", "--snapshot", earlier[0], "--target", str(new.root / "out")).status == 0
    assert {path.name: path.read_bytes() for path in (new.root / "out").rglob("*.bin")} == before
    told = old.run("backup")
    assert told.answer["code"] == "not_allowed"
    taken = "This computer's place was taken by another one on 22 Nov 2026, 17:40 UTC"
    assert told.answer["message"].startswith(taken)  # the portal's words, which say why
    for command in ("backup", "check", "snapshots", "unregister"):  # reports wait by now, for nothing
        told = old.run(command)
        assert told.answer["code"] == "not_allowed"
        assert "reports are kept" not in told.progress
        assert taken not in told.progress  # the answer says it, once
        assert told.answer["message"].count(taken) == 1
    assert "reports are kept" not in old.run("unregister", "--forget").progress
    for command in ("status", "backup", "unregister --forget"):
        told = old.run(*command.split())
        assert (told.status, told.answer["code"]) == (1, "not_registered")
        assert told.answer["message"].startswith(
            "This computer's place in vault Payroll, where it was hr-db-02, was taken by another one on 22 Nov 2026, "
            "17:40 UTC. What it has backed up is kept there. The passphrase is kept in "
        )
        assert told.answer["remedy"] == (
            "To back up this computer again, run strongroom-agent setup with new vault credentials and another --name."
        )


def test_a_wrong_passphrase_loses_nothing(new: World) -> None:
    ran = new.setup("--passphrase-file", passphrase_file(new, "not the one from before"))
    assert (ran.status, ran.answer["code"]) == (1, "passphrase_wrong")
    assert "run setup again" in ran.answer["remedy"]
    assert new.setup().status == 0


def test_a_passphrase_that_can_be_none_is_not_to_be_generated(new: World) -> None:
    ran = new.setup("--passphrase-file", passphrase_file(new, "short"))
    assert (ran.status, ran.answer["code"]) == (1, "passphrase_invalid")
    assert "--generate-passphrase" not in ran.answer["message"]
    assert "that the backups of the machine were made with" in ran.answer["remedy"]


def test_a_generated_passphrase_is_refused_before_anything_is_sent(new: World) -> None:
    new.peer.requests.clear()
    ran = new.setup("--generate-passphrase", "--save-passphrase-to", str(new.root / "generated"))
    assert (ran.status, ran.answer["code"]) == (1, "passphrase_needed")
    assert (new.peer.requests, (new.root / "generated").exists()) == ([], False)


def test_another_name_is_refused_before_anything_is_sent(new: World) -> None:
    new.peer.requests.clear()
    ran = new.setup(name="hr-db-03")
    assert (ran.status, ran.answer["code"]) == (3, "credential_invalid")
    assert ran.answer["message"].startswith("Invalid vault credentials provided. They are for the place of hr-db-02")
    assert new.peer.requests == []


def test_a_computer_that_is_another_machine_keeps_its_identity(new: World) -> None:
    machine = new.peer.replaced
    new.peer.replaced = None
    assert machine is not None
    document = json.loads((new.root / "Payroll_Sun Nov 22 2026.VaultCredentials").read_text())
    assert new.setup(credential=new.peer.credential(), name="hr-db-09").status == 0
    kept = (new.home / "identity.json").read_bytes()
    assert new.setup(credential=document).answer["code"] == "already_registered"
    assert (new.home / "identity.json").read_bytes() == kept


def test_in_its_own_place_it_keeps_its_passphrase(new: World) -> None:
    """As after a suspension: the same computer, with what it has kept."""
    assert new.setup().status == 0
    machine = next(iter(new.peer.machines.values()))
    again = new.peer.credential(purpose="replace", machine={"id": machine.id, "name": machine.name})
    new.peer.replaced = machine
    ran = new.setup("--passphrase-file", passphrase_file(new, "not the one from before"), credential=again)
    assert (ran.status, ran.answer["code"]) == (1, "passphrase_differs")
    assert (new.home / "passphrase").read_text() == PASSPHRASE + "\n"
    assert new.peer.replaced is machine
    assert new.setup().status == 0
    assert new.peer.replaced is None


def test_a_damaged_machine_is_found(new: World) -> None:
    for machine in ({"id": "x"}, "hr-db-02", None):
        document = new.peer.credential(purpose="replace", machine=machine)
        assert new.setup(credential=document).answer["code"] == "credential_invalid"
    assert new.setup(credential=new.peer.credential(purpose="borrow")).answer["code"] == "credential_invalid"


@pytest.mark.long
def test_changing_the_passphrase_leaves_the_old_one_good(new: World) -> None:
    """What docs/replacing-a-machine.md says about `restic key passwd`."""
    assert new.setup().status == 0
    settings = json.loads((new.home / "identity.json").read_text())
    url = settings["answer"]["repositories"][0]["url"]
    changed = passphrase_file(new, "a passphrase that is new")
    old = str(new.home / "passphrase")

    def restic(password: str, *command: str) -> subprocess.CompletedProcess[str]:
        options = ["--repo", f"rest:{url}", "--password-file", password, "--no-cache"]
        options += ["--cacert", str(new.home / "ca.pem"), "--tls-client-cert", str(new.home / "client.pem")]
        environment = {**os.environ, "HOME": str(new.root)}
        return subprocess.run(
            [RESTIC, *options, *command], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    attempt = restic(old, "key", "passwd", "--new-password-file", changed)
    assert attempt.returncode != 0, attempt
    for password in (old, changed):
        opened = restic(password, "cat", "config")
        assert opened.returncode == 0, (attempt, opened)
