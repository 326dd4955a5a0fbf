"""Updating: what is signed and staged is taken, as a whole or not at all; everything else is refused by name."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from strongroom_agent.state.home import Home

from deploy.update_key import keys

from .fleet import NEW, NEWER, OLD, Updating, stamp

pytestmark = pytest.mark.system


def refused(machine: Updating, code: str) -> str:
    """The message of an update that is refused with this code, and leaves everything as it was."""
    before = machine.program.read_bytes()
    status, answer = machine.run("update")
    assert (status, answer["code"]) == (1, code), answer
    assert (machine.program.read_bytes(), machine.version) == (before, OLD)
    assert answer["remedy"]
    message: str = answer["message"]
    return message


def test_from_one_version_to_the_next_and_to_the_one_after(machine: Updating) -> None:
    machine.publish(NEW)
    status, answer = machine.run("update", "--check")
    assert (status, answer["code"], answer["version"], answer["newest"]) == (0, "update_available", OLD, NEW)
    assert machine.version == OLD
    status, answer = machine.run("update")
    assert (status, answer["code"]) == (0, "updated"), answer
    assert machine.version == NEW
    assert machine.run("update")[1]["code"] == "up_to_date"
    # What setup had put there stays as the one previous version.
    assert (machine.place / "python").is_dir()
    machine.publish(NEWER)
    assert machine.run("update")[1]["code"] == "updated"
    assert machine.version == NEWER
    assert machine.versions == [NEW, NEWER]
    assert sorted(path.name for path in machine.place.iterdir()) == [
        ".strongroom-agent",
        ".strongroom-agent.previous",
        "strongroom-agent",
    ]
    assert list((machine.place / ".strongroom-agent").glob("*.part")) == []
    machine.run("status")
    told = machine.world.peer.heartbeats[-1]
    assert told["agent_version"] == NEWER
    assert told["update"] == {"state": "updated", "version": NEWER, "code": "", "came_from": NEW}


def test_either_key_signs_and_an_update_brings_another_pair(machine: Updating) -> None:
    """The first key was lost: the second signs the version whose agents know the second and a third."""
    third = Ed25519PrivateKey.generate()
    pair = keys.public([machine.signers.second, third])

    def exchange(tree: Path) -> None:
        (file,) = tree.glob("python/lib/*/site-packages/strongroom_agent/update/keys.json")
        file.write_text(pair)

    machine.publish(NEW, machine.signers.archive(NEW, "other keys", exchange), key=machine.signers.second)
    assert machine.run("update")[1]["code"] == "updated"
    machine.publish(NEWER, key=machine.signers.first)
    assert machine.run("update")[1]["code"] == "update_not_signed"
    said = machine.publish(NEWER, key=third)
    assert machine.run("update", "--check")[1]["code"] == "update_available"
    # The serials seen outlive the exchange.
    machine.publish(NEWER, key=third, serial=said["serial"] - 1)
    assert machine.run("update")[1]["code"] == "update_rolled_back"


class TestNotBelieved:
    def test_another_key(self, machine: Updating) -> None:
        machine.publish(key=Ed25519PrivateKey.generate())
        assert "does not know" in refused(machine, "update_not_signed")
        machine.world.run("status")
        assert machine.heard()[-1] == ("failed", "", "update_not_signed")

    def test_a_changed_manifest(self, machine: Updating) -> None:
        said = machine.publish()
        envelope = machine.signers.envelope(said)
        envelope["signed"] = envelope["signed"].replace(NEW, NEWER)
        machine.shows(envelope)
        assert "does not fit" in refused(machine, "update_not_signed")

    def test_an_older_manifest_than_one_seen(self, machine: Updating) -> None:
        said = machine.publish(take=False, why="step by step.")
        assert machine.run("update")[1]["code"] == "update_not_staged"
        machine.publish(serial=said["serial"] - 1)
        assert str(said["serial"]) in refused(machine, "update_rolled_back")

    def test_an_older_version_with_a_newer_serial(self, machine: Updating) -> None:
        machine.publish("0.9.9", b"never looked at")
        refused(machine, "update_rolled_back")

    def test_a_frozen_portal(self, machine: Updating) -> None:
        """It shows what was good once: the manifest ends, and says since when."""
        ended = datetime.now(UTC) - timedelta(days=12)
        machine.publish(issued=stamp(ended - timedelta(days=90)), expires=stamp(ended))
        message = refused(machine, "update_expired")
        assert "12 days ago" in message
        assert "keeping newer" in message

    def test_a_portal_that_shows_none_any_more(self, machine: Updating) -> None:
        machine.shows(None)
        assert machine.run("update")[1]["code"] == "no_release"
        machine.publish(take=False, why="step by step.")
        assert machine.run("update", "--check")[1]["code"] == "update_not_staged"
        machine.shows(None)
        refused(machine, "update_withheld")

    def test_of_another_platform_or_kind(self, machine: Updating) -> None:
        content = machine.signers.archive(NEW)
        for other in ({"platform": "windows"}, {"architecture": "riscv64"}, {"kind": "pex"}):
            machine.shows(machine.signers.envelope(machine.said(NEW, content, **other)))
            refused(machine, "update_not_for_this_machine")

    def test_files_that_were_mixed_up_or_changed(self, machine: Updating) -> None:
        said = machine.publish()
        name = said["files"][0]["name"]
        good = machine.world.peer.files[name]
        changed = bytearray(good)
        changed[len(good) // 2] ^= 1
        for content in (bytes(changed), good + b"\0", good[:-1]):
            machine.world.peer.files[name] = content
            refused(machine, "update_damaged")
            assert machine.versions == []

    def test_a_signed_file_of_another_kind_or_version(self, machine: Updating) -> None:
        machine.publish(NEW, b"#!/bin/sh\necho strongroom-agent 1.1.0\n")
        assert "no package of this kind" in refused(machine, "update_damaged")
        machine.publish(NEWER, machine.signers.archive(NEW))
        assert "does not say its version" in refused(machine, "update_broken")
        assert machine.versions == []

    def test_a_file_that_the_portal_does_not_have(self, machine: Updating) -> None:
        machine.publish()
        machine.world.peer.files.clear()
        refused(machine, "update_gone")


class TestNotHere:
    def test_no_update_keys(self, machine: Updating) -> None:
        (file,) = machine.place.glob("python/lib/*/site-packages/strongroom_agent/update/keys.json")
        file.unlink()
        machine.publish()
        assert "without update keys" in refused(machine, "no_update_keys")

    @pytest.mark.parametrize(("manager", "says"), [("apt", "apt install"), ("dnf", "dnf upgrade")])
    def test_apt_and_dnf_update_what_they_have_installed(self, machine: Updating, manager: str, says: str) -> None:
        about = machine.place / "about.json"
        about.write_text(json.dumps({**json.loads(about.read_text()), "installed_by": manager}))
        machine.publish()
        assert says in refused(machine, "update_by_package")
        assert ("POST", "update") not in machine.world.peer.requests

    def test_an_older_portal(self, machine: Updating) -> None:
        refused(machine, "portal_too_old")

    def test_a_copy_that_setup_did_not_install(self, machine: Updating) -> None:
        settings = machine.world.home / "settings.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "install_dir": "/nowhere"}))
        machine.publish()
        refused(machine, "not_updatable")

    def test_python_packages(self, machine: Updating) -> None:
        """As in development."""
        ran = machine.world.run("update")
        assert (ran.status, ran.answer["code"]) == (1, "not_updatable")


class TestStages:
    def test_a_machine_waits_until_it_is_its_turn(self, machine: Updating) -> None:
        machine.publish(take=False, why="machines get it step by step.")
        status, answer = machine.run("update")
        assert (status, answer["code"]) == (0, "update_not_staged")
        assert answer["message"].endswith("machines get it step by step.")
        assert machine.version == OLD

    def test_that_one_waits_is_told(self, machine: Updating) -> None:
        machine.publish()
        machine.run("update", "--check")
        machine.run("status")
        assert machine.heard()[-1] == ("waiting", NEW, "")


def test_not_in_the_middle_of_another_run(machine: Updating) -> None:
    machine.publish()
    with Home(machine.world.home).locked():
        status, answer = machine.run("update")
    assert (status, answer["code"], machine.version) == (1, "busy", OLD)


def test_a_second_machine_of_this_computer_waits_for_the_place(machine: Updating) -> None:
    """Two homes share one program: only one of them exchanges it at a time."""
    machine.publish()
    folder = machine.place / ".strongroom-agent"
    folder.mkdir()
    holder = subprocess.Popen(
        ["flock", str(folder / "lock"), "-c", "echo held; exec sleep 60"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        status, answer = machine.run("update")
        assert (status, answer["code"], machine.version) == (1, "busy", OLD)
    finally:
        holder.kill()
        holder.communicate()


def test_a_place_that_others_can_write_to(machine: Updating) -> None:
    machine.publish()
    machine.place.chmod(0o777)
    assert "Others could exchange the program" in refused(machine, "install_failed")
