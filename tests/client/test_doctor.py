"""The command `doctor`: what is wrong is found where it is, and what goes to support holds no secret."""

import base64
import json
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from strongroom_agent.commands import doctor
from strongroom_agent.core import times
from strongroom_agent.state import settings
from strongroom_agent.state.home import Home

from agents.quick_start import STEPS

from .cheap_key import PASSPHRASE
from .peer import Problem
from .world import Ran, World

pytestmark = pytest.mark.system


def steps(ran: Ran) -> dict[str, Any]:
    """What was found, by the names of the steps."""
    return {each["name"]: each["ok"] for each in ran.answer["steps"]}


def first_wrong(ran: Ran) -> tuple[str, str]:
    """The first step that is wrong, and the code of the answer."""
    assert ran.status != 0
    wrong = next(each for each in ran.answer["steps"] if each["ok"] is False)
    assert wrong["remedy"] == ran.answer["remedy"]
    assert wrong["detail"] in ran.answer["message"]
    return wrong["name"], ran.answer["code"]


def test_all_is_well(machine: World) -> None:
    ran = machine.run("doctor")
    assert ran.status == 0, ran
    assert set(steps(ran).values()) == {True}
    assert ran.answer["message"].endswith("Nothing stands between this machine and a backup.")
    assert {name for _, name in STEPS} & set(steps(ran)) == {
        "Get the agent",
        "Register your machine",
        "First backup",
        "Restore check",
    }


def test_before_setup(world: World) -> None:
    ran = world.run("doctor")
    assert first_wrong(ran) == ("State folder", "not_registered")
    assert (steps(ran)["Portal"], steps(ran)["Get the agent"]) == (None, True)


def test_nobody_answers(machine: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _redirect(machine, f"https://127.0.0.1:{port}")
    ran = machine.run("doctor")
    assert first_wrong(ran) == ("Connection", "network")
    assert ran.status == 4
    assert (steps(ran)["Portal"], steps(ran)["Storage"], steps(ran)["First backup"]) == (None, None, True)


def test_a_silent_server_takes_no_more_than_ten_seconds(machine: World) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(9)
        _redirect(machine, f"https://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        ran = machine.run("doctor")
    assert time.monotonic() - began < doctor.SECONDS + 1
    assert first_wrong(ran) == ("Encrypted connection", "network")


def test_a_name_without_an_address(machine: World) -> None:
    _redirect(machine, "https://no-such-host.invalid:8443")
    assert first_wrong(machine.run("doctor")) == ("Name resolution", "network")


def test_the_portal_refuses(machine: World) -> None:
    machine.peer.faults.refuse["heartbeat"] = Problem("not_allowed", "This machine was revoked.")
    ran = machine.run("doctor")
    assert first_wrong(ran) == ("Portal", "not_allowed")
    assert "This machine was revoked." in ran.answer["message"]


def test_the_storage_refuses(machine: World) -> None:
    machine.peer.faults.storage["local-a"] = 403
    assert first_wrong(machine.run("doctor")) == ("Storage", "not_allowed")


def test_the_clock_is_off(machine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = times.now()
    monkeypatch.setattr(times, "now", lambda: real.replace(year=real.year - 1))
    ran = machine.run("doctor")
    assert first_wrong(ran) == ("Clock", "clock_skew")
    assert ran.status == 3


def test_what_is_wrong_on_the_machine(machine: World) -> None:
    (machine.home).chmod(0o750)
    assert first_wrong(machine.run("doctor")) == ("State folder", "home_unusable")
    machine.home.chmod(0o700)
    kept = machine.home / "passphrase"
    kept.rename(machine.root / "aside")
    assert first_wrong(machine.run("doctor")) == ("Register your machine", "passphrase_missing")
    (machine.root / "aside").rename(kept)
    machine.source.rename(machine.root / "elsewhere")
    assert first_wrong(machine.run("doctor")) == ("Protected folders", "protect_missing")
    (machine.root / "elsewhere").rename(machine.source)
    (machine.home / "last-runs.json").write_text(
        json.dumps({"backup": {"outcome": "failed", "code": "disk_full", "finished_at": "2026-11-22T10:00:00Z"}})
    )
    assert first_wrong(machine.run("doctor")) == ("First backup", "backup_failed")
    (machine.home / "last-runs.json").unlink()
    assert first_wrong(machine.run("doctor")) == ("First backup", "no_backup")


def test_no_secret_is_in_what_goes_to_support(machine: World) -> None:
    proxy_password, before, after = "MARKED-proxy-pass", "MARKED-before --password=x1y2z3", "MARKED-after tok"
    home = Home(machine.home)
    assert machine.run("schedule", "--before", before, "--after", after).status == 0
    settings.keep_proxy_password(home, proxy_password)
    home.write_text(
        "renewal-key.pem", "-----BEGIN PRIVATE KEY-----\nTUFSS0VELXJlbmV3YWwta2V5\n-----END PRIVATE KEY-----\n"
    )
    target = machine.root / "support" / "bundle.zip"
    lost = machine.run("doctor", "--bundle", str(target))
    assert (lost.status, lost.answer["code"], target.parent.exists()) == (1, "bundle_failed", False)
    target.parent.mkdir()
    ran = machine.run("doctor", "--bundle", str(target))
    assert ran.answer["bundle"] == str(target), ran
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    assert set(parts) == {"doctor.json", "machine.json", "mounts.json", "runs.json", "schedule.json"} | {
        "settings.json",
        "state-folder.json",
        "versions.json",
    }
    assert json.loads(parts["machine.json"])["name"] == "hr-db-02"
    assert json.loads(parts["settings.json"])["protect"] == [str(machine.source)]
    assert json.loads(parts["settings.json"])["options"]["before"] is True
    identity = json.loads((machine.home / "identity.json").read_text())
    credential = json.loads(next(machine.root.glob("*.VaultCredentials")).read_text())
    keys = [line for text in (identity["private_key"], credential["private_key"]) for line in text.split("\n")[1:-2]]
    secrets = [PASSPHRASE, proxy_password, before, after, "TUFSS0VELXJlbmV3YWwta2V5", *keys]
    everything = b"\n".join([target.read_bytes(), *parts.values()])
    for secret in secrets:
        assert len(secret) > 5
        for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="), secret.encode().hex().encode()):
            assert form not in everything
    assert "MARKED" not in everything.decode("latin-1")
    again = machine.run("doctor", "--bundle", str(target))
    assert (again.status, again.answer["code"]) == (1, "bundle_failed")


def test_a_secret_that_would_be_in_it_is_found(machine: World) -> None:
    chosen = settings.load(Home(machine.home))
    assert chosen
    settings.save(Home(machine.home), settings.Settings(**{**vars(chosen), "install_dir": f"/opt/{PASSPHRASE}"}))
    ran = machine.run("doctor", "--bundle", str(machine.root / "bundle.zip"))
    assert (ran.status, ran.answer["code"]) == (1, "bundle_failed")
    assert PASSPHRASE not in ran.answer["message"]
    assert not (machine.root / "bundle.zip").exists()


def test_a_bundle_is_written_where_nothing_works(world: World) -> None:
    world.home.mkdir(mode=0o700)
    (world.home / "settings.json").write_text("{")
    target = world.root / "bundle.zip"
    ran = world.run("doctor", "--bundle", str(target))
    assert ran.status == 1
    with zipfile.ZipFile(target) as file:
        assert "not_known" in json.loads(file.read("settings.json"))


def _redirect(machine: World, url: str) -> None:
    path: Path = machine.home / "identity.json"
    stored = json.loads(path.read_text())
    stored["edge_url"] = url
    path.write_text(json.dumps(stored))
