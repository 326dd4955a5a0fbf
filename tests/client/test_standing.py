"""What `status` tells people: last runs, what is protected, and each trouble that is known."""

import os

import pytest
from strongroom_agent.schedule import installation

from .world import World

pytestmark = pytest.mark.system


def told(machine: World) -> list[str]:
    """The lines of `status`, which ends well."""
    ran = machine.run("status")
    assert (ran.status, ran.answer["code"]) == (0, "done")
    return str(ran.answer["message"]).splitlines()


def test_last_runs_and_what_is_protected_are_told(blank: World) -> None:
    (blank.source / "file").write_bytes(b"content")
    snapshot = blank.run("backup").answer["snapshot"]
    first, backup, restore_check, newest, passphrase, schedule, protected = told(blank)
    assert passphrase == f"Passphrase: in {blank.home / 'passphrase'}."
    assert schedule == installation.OFF
    assert first.startswith("hr-db-02 in vault Payroll: the portal says ")
    assert backup.startswith("Last backup: ")
    assert backup.endswith(" UTC: done.")
    assert restore_check.startswith("Last restore check: ")
    assert newest.startswith(f"Newest snapshot: {snapshot[:8]} of ")
    assert protected == f"Protected: {blank.source}."


def test_a_computer_without_a_backup_speaks_of_itself_alone(world: World) -> None:
    """It may be in the place of a machine that has some."""
    world.register_only()
    assert told(world)[1] == "No backup has been made by this computer yet."


def test_each_trouble_is_told(blank: World) -> None:
    (blank.source / "file").write_bytes(b"content")
    secret = blank.home / "passphrase"
    text = secret.read_text()
    secret.write_text("another passphrase\n")
    assert blank.run("backup").answer["code"] == "passphrase_wrong"
    assert ": failed, passphrase wrong." in "\n".join(told(blank))
    secret.write_text("short\n")
    assert told(blank)[-1].startswith(f"What is in {secret} is not the passphrase any more. Put the passphrase back")
    assert blank.run("status").answer["passphrase"] == "unusable"
    os.rename(secret, blank.root / "away")
    assert told(blank)[-1].startswith(f"The passphrase is no longer in {secret}.")
    secret.write_text(text)
    (blank.home / "damage.json").write_text('{"reason": "A pack is gone.", "since": "2026-11-22T17:40:00Z"}')
    assert told(blank)[-1].startswith(
        "Damage is known since 22 Nov 2026, 17:40:00 UTC: A pack is gone. strongroom-agent check says what"
    )
    assert blank.run("status").answer["damage"]["reason"] == "A pack is gone."
    (blank.home / "damage.json").unlink()
    assert blank.run("backup").status == 0
    assert told(blank)[-1] == f"Protected: {blank.source}."


def test_the_list_of_snapshots_says_how_much_is_in_each(blank: World) -> None:
    """So that the one before a loss is found."""
    for name in ("a", "b"):
        (blank.source / name).write_bytes(b"x" * 1536)
    before = blank.run("backup").answer["snapshot"]
    (blank.source / "b").unlink()
    after = blank.run("backup").answer["snapshot"]
    ran = blank.run("snapshots")
    shown = {each["id"]: (each["files"], each["bytes"]) for each in ran.answer["snapshots"]}
    assert (shown[before], shown[after]) == ((2, 3072), (1, 1536))
    lines = ran.answer["message"].splitlines()[-2:]
    assert [line.partition(" UTC  ")[2] for line in lines] == [
        f"2 files, 3.0 KiB  {blank.source}",
        f"1 file, 1.5 KiB  {blank.source}",
    ]
