"""What `status` tells people: last runs, what is protected, and each trouble that is known."""

import os

import pytest

from .world import World

pytestmark = pytest.mark.system


def told(machine: World) -> list[str]:
    """The lines of `status`, which ends well."""
    ran = machine.run("status")
    assert (ran.status, ran.answer["code"]) == (0, "done")
    return str(ran.answer["message"]).splitlines()


def test_last_runs_and_what_is_protected_are_told(ready: World) -> None:
    snapshot = ready.run("backup").answer["snapshot"]
    first, backup, restore_check, newest, protected = told(ready)
    assert first.startswith("hr-db-02 in vault Payroll: the portal says ")
    assert backup.startswith("Last backup: ")
    assert backup.endswith(" UTC: done.")
    assert restore_check.startswith("Last restore check: ")
    assert newest.startswith(f"Newest snapshot: {snapshot[:8]} of ")
    assert protected == f"Protected: {ready.source}."


def test_each_trouble_is_told(ready: World) -> None:
    secret = ready.home / "passphrase"
    text = secret.read_text()
    secret.write_text("another passphrase\n")
    assert ready.run("backup").answer["code"] == "passphrase_wrong"
    assert ": failed, passphrase wrong." in "\n".join(told(ready))
    secret.write_text("short\n")
    assert told(ready)[-1].startswith(f"What is in {secret} is not the passphrase any more. Put the passphrase back")
    assert ready.run("status").answer["passphrase"] == "unusable"
    os.rename(secret, ready.root / "away")
    assert told(ready)[-1].startswith(f"The passphrase is no longer in {secret}.")
    secret.write_text(text)
    (ready.home / "damage.json").write_text('{"reason": "A pack is gone.", "since": "2026-11-22T17:40:00Z"}')
    assert told(ready)[-1].startswith("Damage is known since 22 Nov 2026, 17:40:00 UTC: A pack is gone. Run strong")
    assert ready.run("status").answer["damage"]["reason"] == "A pack is gone."
    (ready.home / "damage.json").unlink()
    assert ready.run("backup").status == 0
    assert told(ready)[-1] == f"Protected: {ready.source}."
