"""The commands of a registered machine, against a real restic, a real rclone and a test portal."""

import filecmp
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from strongroom_agent.portal import client
from strongroom_agent.proof import restore_check, sampling

from tests.waiting import wait_for

from .serving import Storage
from .world import World

pytestmark = pytest.mark.system


def assert_same_tree(left: Path, right: Path) -> None:
    """Two folders hold the same names and bytes."""
    compared = filecmp.dircmp(left, right)
    assert (compared.left_only, compared.right_only, compared.funny_files) == ([], [], [])
    _, wrong, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    assert (wrong, errors) == ([], [])
    for name in compared.common_dirs:
        assert_same_tree(left / name, right / name)


def test_backup_then_restore_gives_every_byte_back(ready: World, tmp_path: Path) -> None:
    saved = ready.run("backup")
    assert (saved.status, saved.answer["files"], saved.answer["unreadable"]) == (0, 12, 0)
    ran = ready.run("restore", "--target", str(tmp_path / "out"), "--snapshot", saved.answer["snapshot"][:10])
    assert (ran.status, ran.answer["files"], ran.answer["bytes"], ran.answer["region"]) == (0, 12, 33066, "Local A")
    assert_same_tree(ready.source, Path(f"{tmp_path}/out{ready.source}"))
    assert ready.told == [("backup", "succeeded"), ("restore", "succeeded")]


def test_odd_names_links_pipes_and_closed_files_come_through(world: World, tmp_path: Path) -> None:
    (world.source / "br[ack]*?\\").write_text("1")
    (world.source / "new\nline \ufffd").write_text("2")
    Path(os.fsdecode(os.fsencode(world.source) + b"/bad\xff\xe2\x82")).write_text("3")
    (world.source / "closed").write_text("4")
    (world.source / "closed").chmod(0)
    (world.source / "closed folder").mkdir()
    (world.source / "closed folder" / "inside").write_text("5")
    (world.source / "closed folder").chmod(0)
    (world.source / "link").symlink_to("closed")
    (world.source / "dangling").symlink_to("nowhere")
    os.mkfifo(world.source / "pipe")
    os.link(world.source / "sub" / "file-2.bin", world.source / "hard")
    ran = world.setup()
    assert ran.status == 0, ran
    assert (ran.answer["restore_check"]["compared"], ran.answer["restore_check"]["total"]) == (18, 18)
    assert {each.name for each in (world.root / "cache").iterdir()} == {"restic", "tmp"}
    assert list((world.root / "cache" / "tmp").iterdir()) == []
    one = world.run("restore", "--target", str(tmp_path / "one"), "--include", str(world.source / "br[ack]*?\\"))
    assert (one.status, one.answer["files"]) == (0, 1)


def test_snapshots_are_listed_oldest_first(ready: World) -> None:
    ready.run("backup")
    found = ready.run("snapshots").answer["snapshots"]
    assert found == sorted(found, key=lambda each: str(each["time"]))
    assert {each["hostname"] for each in found} == {"hr-db-02"}
    assert found[-1]["paths"] == [str(ready.source)]


@pytest.mark.parametrize("status", [404, 503])
def test_the_paired_region_gives_everything_when_the_first_is_gone(
    ready: World, storage: Storage, tmp_path: Path, status: int
) -> None:
    shutil.copytree(storage.folder / "local-a", storage.folder / "local-b", dirs_exist_ok=True)
    ready.peer.faults.storage["local-a"] = status
    ran = ready.run("restore", "--target", str(tmp_path / "out"))
    assert (ran.status, ran.answer["region"], ran.answer["from_copy"]) == (0, "Local B", True)
    assert ran.answer["note"].endswith("Reading from the copy in region Local B instead.")
    assert "Reading from the copy in region Local B" in ran.progress
    assert_same_tree(ready.source, Path(f"{tmp_path}/out{ready.source}"))
    assert not [path for method, path in ready.peer.requests if method == "POST" and "/local-b/" in path]
    assert ready.run("snapshots").answer["region"] == "Local B"
    assert ready.run("backup").status == 1


def test_a_region_can_be_asked_for_by_name(ready: World, tmp_path: Path) -> None:
    ran = ready.run("restore", "--target", str(tmp_path), "--region", "Local C")
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert "Local A, Local B" in ran.answer["message"]
    assert ready.run("snapshots", "--region", "local a").answer["region"] == "Local A"


def test_a_revoked_machine_is_told_so_and_does_not_try_the_pair(ready: World) -> None:
    machine = next(iter(ready.peer.machines.values()))
    machine.state = "Revoked"
    try:
        for command in ("backup", "snapshots", "check", "status", "unregister"):
            ran = ready.run(command)
            assert (ran.status, ran.answer["code"]) == (1, "not_allowed")
            assert all("unregister --forget" in ran.answer[part] for part in ("message", "remedy")) is (
                command == "unregister"
            )
            assert (f"Protected: {ready.source}." in ran.answer["message"]) is (command == "status")
            assert ("last_runs" in ran.answer) is (command == "status")
    finally:
        machine.state = "Registered"
    assert not [path for _, path in ready.peer.requests if "/local-b/" in path]
    assert ready.run("backup").status == 0


@pytest.mark.parametrize("content", [b"403", b"<html>", b"[1]", b'[{"size": 1}]'])
def test_a_storage_that_answers_nonsense_is_not_believed(ready: World, content: bytes) -> None:
    ready.peer.faults.storage_content = content
    ran = ready.run("backup")
    assert (ran.status, ran.answer["code"]) == (1, "unavailable")


def test_a_full_quota_is_told(ready: World) -> None:
    (ready.source / "file-1.bin").write_bytes(os.urandom(501))
    ready.peer.faults.upload = 507
    ran = ready.run("backup")
    assert (ran.status, ran.answer["code"]) == (1, "quota_full")
    assert ready.told == [("backup", "failed")]


def test_losing_access_in_mid_backup_ends_it_at_once(ready: World) -> None:
    (ready.source / "file-1.bin").write_bytes(os.urandom(501))
    ready.peer.faults.upload = 403
    assert ready.run("backup").answer["code"] == "not_allowed"
    ready.peer.faults.upload = 0
    assert ready.run("backup").status == 0


def test_the_wrong_passphrase_opens_nothing(ready: World) -> None:
    kept = ready.home / "passphrase"
    right = kept.read_text()
    try:
        kept.write_text("another passphrase altogether\n")
        ran = ready.run("backup")
        assert ran.answer["code"] == "passphrase_wrong"
        assert "strongroom-agent status names the file" in ran.answer["remedy"]
        assert f"Passphrase: in {kept}." in ready.run("status").answer["message"]
        given = ready.root / "given"
        given.write_text(right)
        ran = ready.setup("--passphrase-file", str(given))
        assert ran.answer["code"] == "passphrase_differs"
        assert "put the right one into that file first" in ran.answer["remedy"]
        kept.unlink()
        assert ready.run("backup").answer["code"] == "passphrase_missing"
    finally:
        kept.write_text(right)


def test_little_room_means_batches_and_large_files_are_streamed(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ready.run("backup")
    monkeypatch.setattr(restore_check, "_room", lambda cache: 5400)
    monkeypatch.setattr(
        sampling,
        "draw",
        lambda files, *_: sampling.Sample(sorted(files, key=lambda each: int(each.size))[8:]),
    )
    ran = ready.run("check")
    assert (ran.status, ran.answer["compared"], ran.answer["total"]) == (0, 4, 12)
    assert ran.answer["compared_bytes"] == 4008 + 4509 + 5010 + 5511


def test_a_file_that_the_snapshot_overlooked_is_found(ready: World, tmp_path: Path) -> None:
    blind = tmp_path / "restic"
    blind.write_text(
        '#!/bin/sh\ncase "$*" in *" backup "*) exec restic --exclude=file-7.bin "$@" ;; esac\nexec restic "$@"\n'
    )
    blind.chmod(0o700)
    assert ready.run("backup", RESTIC=str(blind)).answer["files"] == 11
    ran = ready.run("check")
    assert (ran.status, ran.answer["mismatched_first"]) == (1, [str(ready.source / "file-7.bin")])
    ready.run("backup")


def test_files_that_change_meanwhile_are_counted_apart(ready: World) -> None:
    ready.run("backup")
    (ready.source / "file-3.bin").write_bytes(b"new")
    (ready.source / "file-5.bin").unlink()
    ran = ready.run("check")
    ready.fill()
    assert (ran.status, ran.answer["compared"], ran.answer["changed"], ran.answer["mismatched"]) == (0, 10, 2, 0)


def test_the_lock_of_a_run_that_died_is_removed(ready: World, storage: Storage) -> None:
    folder = next((storage.folder / "local-a" / ready.peer.vault["id"]).iterdir())
    home = ready.home
    machine = ready.run("status").answer["repositories"][0]["url"]
    command = ["restic", "-r", f"rest:{machine}", "--password-file", str(home / "passphrase"), "--no-cache"]
    command += ["--cacert", str(home / "ca.pem"), "--tls-client-cert", str(home / "client.pem"), "backup", "--stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_for("its lock", lambda: list((folder / "locks").iterdir()))
        process.kill()
    assert ready.run("check").status == 0  # wants the repository for itself
    assert list((folder / "locks").iterdir()) == []


def test_a_stopped_run_removes_its_lock_and_is_told_later(ready: World, storage: Storage) -> None:
    folder = next((storage.folder / "local-a" / ready.peer.vault["id"]).iterdir())
    (ready.source / "file-1.bin").write_bytes(os.urandom(501))
    ready.peer.faults.storage_pause = threading.Event()
    command = [sys.executable, "-m", "strongroom_agent", "backup", "--json"]
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(ready.home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert ready.peer.uploading.wait(60)
        process.terminate()
        out, _ = process.communicate(timeout=60)
    ready.peer.faults.storage_pause.set()
    assert (process.returncode, json.loads(out)["code"]) == (1, "interrupted")
    assert list((folder / "locks").iterdir()) == []
    assert ready.told == []
    assert ready.run("backup").status == 0
    assert ready.told == [("backup", "failed"), ("backup", "succeeded")]


def test_renewal_changes_key_and_certificate_and_survives_a_lost_answer(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads((ready.home / "identity.json").read_text())
    machine = next(iter(ready.peer.machines.values()))
    count = len(machine.public_keys)
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    ready.peer.faults.lost_answers.add("renew")
    assert ready.run("renew").status == 4
    assert json.loads((ready.home / "identity.json").read_text()) == before
    assert ready.run("renew").status == 0
    after = json.loads((ready.home / "identity.json").read_text())
    assert after["private_key"] != before["private_key"]
    assert len(machine.public_keys) == count + 1
    assert ready.run("snapshots").status == 0


def test_unregistering_deletes_the_keys_and_keeps_the_passphrase(world: World) -> None:
    world.register_only()
    machine = next(iter(world.peer.machines.values()))
    ran = world.run("unregister")
    assert (ran.status, ran.answer["told"], machine.state) == (0, True, "Unregistered")
    assert Path(ran.answer["passphrase_kept"]).read_text() == "correct horse battery staple\n"
    assert not {"identity.json", "client.pem", "registration.json"} & {path.name for path in world.home.iterdir()}
    for command in ("unregister", "status", "backup"):
        told = world.run(command)
        assert (told.status, told.answer["code"]) == (1, "not_registered")
        assert told.answer["message"].startswith("This machine has left vault Payroll, where it was hr-db-02, on ")
        assert f"The passphrase is kept in {ran.answer['passphrase_kept']}. To back it up" in told.answer["message"]


def test_a_machine_leaves_after_a_renewal_whose_answer_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.register_only()
    machine = next(iter(world.peer.machines.values()))
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    world.peer.faults.lost_answers.add("renew")
    assert world.run("renew").status == 4
    assert (world.run("unregister").status, machine.state) == (0, "Unregistered")
    assert len(machine.public_keys) == 2


def test_reports_after_a_renewal_whose_answer_was_lost_arrive(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    ready.peer.faults.lost_answers.add("renew")
    assert ready.run("renew").status == 4
    assert ready.run("backup").status == 0
    assert ready.told == [("backup", "succeeded")]


def test_a_machine_can_forget_a_portal_that_refuses_it(world: World) -> None:
    world.register_only()
    world.peer.faults.silent = True
    assert world.run("unregister").status == 4
    ran = world.run("unregister", "--forget")
    assert (ran.status, ran.answer["told"]) == (0, False)
