"""Setup against a real restic, a real rclone and a test portal, also when it is interrupted."""

import json
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from strongroom_agent.core import times
from strongroom_agent.portal import client, clock

from .peer import Problem
from .serving import Storage
from .world import World

pytestmark = pytest.mark.system


def test_setup_backs_up_restores_compares_and_reports(ready: World) -> None:
    ran = ready.setup()
    assert ran.status == 0, ran
    assert ran.answer["restore_check"] | {"snapshot": "", "restore_ms": 0} == {
        "snapshot": "",
        "proven": 12,
        "compared": 12,
        "compared_bytes": 33066,
        "total": 12,
        "changed": 0,
        "mismatched": 0,
        "total_bytes": 33066,
        "lately": 12,
        "lately_bytes": 33066,
        "named": 0,
        "named_missing": 0,
        "restored": 12,
        "restored_bytes": 33066,
        "restore_ms": 0,
    }
    assert ran.answer["reported"] is True
    assert f"The program is {ready.root / 'program' / 'strongroom-agent'}." in ran.answer["message"]
    backup, check = ready.peer.runs.values()
    assert (backup["kind"], backup["outcome"], backup["files"], backup["bytes"]) == ("backup", "succeeded", 12, 33066)
    assert (check["kind"], check["outcome"], check["compared"]) == ("restore_check", "succeeded", 12)
    assert backup["snapshot"] == check["snapshot"] == ran.answer["backup"]["snapshot"]
    assert len(backup["snapshot"]) == 64


def test_the_command_for_backups_carries_the_folder_of_state(blank: World) -> None:
    (blank.source / "file").write_bytes(b"content")
    folder = blank.home.rename(blank.root / "a home")
    ran = blank.setup(STRONGROOM_AGENT_HOME=str(folder))
    folder.rename(blank.home)
    assert ran.status == 0, ran
    program = blank.root / "program" / "strongroom-agent"
    command = f"STRONGROOM_AGENT_HOME='{folder}' {program} backup"
    assert f"From now on, as this user, {command} makes a backup." in ran.answer["message"]


def test_what_setup_no_longer_protects_is_told(blank: World) -> None:
    for name in ("a", "b", "c/d"):
        (blank.root / "more" / name).mkdir(parents=True)
    (blank.source / "file").write_bytes(b"content")
    more = [word for name in ("a", "b", "c/d") for word in ("--protect", str(blank.root / "more" / name))]
    ran = blank.setup(*more)
    assert (ran.status, ran.answer["no_longer_protected"]) == (0, [])
    assert "No longer protected" not in ran.answer["message"] + ran.progress
    ran = blank.setup("--protect", str(blank.root / "more" / "c"))
    gone = [str(blank.root / "more" / name) for name in ("a", "b")]
    assert (ran.status, ran.answer["no_longer_protected"]) == (0, gone)
    said = f"No longer protected: {', '.join(gone)}. Their backups stay."
    assert said in ran.answer["message"]
    assert f"note: {said}" in ran.progress.splitlines()
    assert blank.setup().answer["no_longer_protected"] == [str(blank.root / "more" / "c")]


def test_repeating_setup_gives_the_same_machine(ready: World) -> None:
    assert ready.setup().status == 0
    assert len(ready.peer.machines) == 1
    assert ("POST", "register") not in ready.peer.requests
    status = ready.run("status")
    assert list(ready.peer.machines) == [status.answer["machine"]["id"]]


def test_all_that_is_kept_is_for_the_owner_only(ready: World) -> None:
    kept = [path for path in ready.home.rglob("*") if path.is_file() and path.name != "lock"]
    assert {path.name for path in kept} >= {"identity.json", "client.pem", "passphrase", "settings.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_the_installed_program_runs(ready: World) -> None:
    program = ready.root / "program" / "strongroom-agent"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "strongroom-agent 1.0.0\n"


def test_the_installed_program_runs_nothing_from_the_current_folder(ready: World, tmp_path: Path) -> None:
    """It is root's in many places, and the folder may be anybody's."""
    for planted in ("strongroom_agent/__main__.py", "strongroom_agent/__init__.py", "json.py", "httpx.py"):
        (tmp_path / planted).parent.mkdir(exist_ok=True)
        (tmp_path / planted).write_text("print('planted')\n")
    program = ready.root / "program" / "strongroom-agent"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "strongroom-agent 1.0.0\n"


def test_another_vault_is_refused_while_registered(ready: World) -> None:
    vault = {**ready.peer.vault, "id": "00000000-0000-4000-8000-000000000000"}
    ran = ready.setup(credential=ready.peer.credential(vault=vault))
    ready.setup(credential=ready.peer.credential(), name="")  # puts a good file back
    assert (ran.status, ran.answer["code"]) == (1, "already_registered")
    assert ready.setup(name="another").answer["code"] == "already_registered"


def test_a_lost_answer_is_asked_for_again_also_when_the_file_has_expired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key that is kept for it; elsewhere the same file is no good any more."""
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    world.peer.faults.lost_answers.add("register")
    assert world.setup().status == 4
    later = times.now() + timedelta(hours=49)
    monkeypatch.setattr(times, "now", lambda: later)
    world.peer.faults.storage["local-a"] = 507  # as far as the registration
    assert world.setup().answer["code"] == "quota_full"
    assert len(world.peer.machines) == 1
    assert world.run("unregister", "--forget").status == 0
    assert world.setup().answer["code"] == "clock_skew"
    monkeypatch.setattr(clock, "of_portal", lambda *_: later)
    assert world.setup().answer["code"] == "credential_expired"


def test_a_lost_answer_costs_neither_a_machine_nor_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    world.peer.faults.lost_answers.add("register")
    assert world.setup().status == 4
    assert not (world.home / "identity.json").exists()
    world.register_only()
    assert list(world.peer.machines) == [world.run("status").answer["machine"]["id"]]


@pytest.mark.parametrize("code", ["machine_exists", "credential_used_up", "vault_not_active", "credential_superseded"])
def test_refusals_of_the_portal_keep_its_words(world: World, code: str) -> None:
    world.peer.faults.refuse["register"] = Problem(code, "In the portal's words.", "And its remedy.")
    ran = world.setup()
    assert (ran.status, ran.answer["code"]) == (3, code)
    assert (ran.answer["message"], ran.answer["remedy"]) == (
        "In the portal's words. And its remedy.",
        "And its remedy.",
    )


def test_a_skewed_clock_is_told_with_the_figure(world: World) -> None:
    problem = Problem("clock_skew")
    problem.body["skew_seconds"] = 400  # type: ignore[assignment]
    world.peer.faults.refuse["register"] = problem
    ran = world.setup()
    assert (ran.status, ran.answer["skew_seconds"]) == (3, 400)


def test_an_interrupted_init_is_made_good(world: World, storage: Storage) -> None:
    world.register_only()
    dying = world.root / "dying"  # dies between key and config
    config = f"{storage.folder}/*/{world.peer.vault['id']}/*/config"
    dying.write_text(f'#!/bin/sh\nrestic "$@" || exit\ncase "$*" in *" init"*) rm {config}; exit 9; esac')
    dying.chmod(0o700)
    assert world.setup(RESTIC=str(dying)).status == 1
    assert world.setup().status == 0
    machine = next(iter(world.peer.machines))
    assert len(list((storage.folder / "local-a" / world.peer.vault["id"] / machine / "keys").iterdir())) == 2
    assert world.run("restore", "--target", str(world.root / "out")).answer["files"] == 12
    assert json.loads((world.home / "settings.json").read_text())["key_hint"]


def test_a_restore_that_alters_a_byte_is_found(ready: World, tmp_path: Path) -> None:
    """An engine that spoils what it restores: the check must see it, whatever the engine says."""
    spoiler = tmp_path / "restic"
    spoiler.write_text(SPOILER)
    spoiler.chmod(0o700)
    ran = ready.run("check", RESTIC=str(spoiler))
    assert (ran.status, ran.answer["code"], ran.answer["mismatched"]) == (1, "restore_check_failed", 2)
    assert sorted(Path(path).name for path in ran.answer["mismatched_first"]) == ["file-10.bin", "file-11.bin"]
    reported = [run for run in ready.peer.runs.values() if run["kind"] == "restore_check"]
    assert [(run["outcome"], run["mismatched"]) for run in reported] == [("failed", 2)]


SPOILER = """#!/bin/sh
restic "$@"
status=$?
for word in "$@"; do
  if [ "$previous" = --target ]; then
    find "$word" -name file-10.bin | while read -r path; do printf X | dd of="$path" bs=1 seek=3 conv=notrunc; done
    find "$word" -name file-11.bin -delete
  fi
  previous=$word
done 2>/dev/null
exit $status
"""


def test_a_renewal_that_is_due_comes_first(world: World) -> None:
    world.peer.faults.renew_after = -world.peer.faults.renew_after
    world.register_only()
    assert ("POST", "renew") in world.peer.requests
    assert [len(machine.public_keys) for machine in world.peer.machines.values()] == [2]
