"""The check of recent objects after an unclean stop."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.vaults.rclone_process import NO_SOCKET
from tests.vaults.stored import CONFIG, MachineFolder, files
from vaults.management.commands import check_recent_objects
from vaults.models import Region, Vault

KINDS = ("data", "index", "keys", "snapshots", "locks")
JUNK = "cd" * 32


@pytest.fixture
def machine(storage: Path, vault: Vault, regions: tuple[Region, Region]) -> MachineFolder:
    return MachineFolder(storage / "local-a", vault.pk, uuid4())


def check(*options: str, region: str = "local-a") -> str:
    out = StringIO()
    call_command("check_recent_objects", "--region", region, *options, stdout=out)
    return out.getvalue()


def an_hour_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("kind", KINDS)
def test_junk_of_each_kind_is_set_aside_and_the_rest_stays(machine: MachineFolder, vault: Vault, kind: str) -> None:
    good = {machine.put(each, each.encode(), age=1): each.encode() for each in KINDS}
    good[machine.put_at("config", CONFIG, age=1)] = CONFIG
    junk = machine.put(kind, b"half an obj", name=JUNK, age=1)
    check("--since", an_hour_ago())
    left = {f"{machine.path}/{path}": data for path, data in files(machine.region / machine.path).items()}
    assert left == good
    event = AuditEvent.objects.get(action="object:quarantine")
    assert (event.vault_id, event.detail["object"], event.detail["region"]) == (vault.pk, junk, "local-a")
    assert (machine.region / str(event.detail["moved_to"])).read_bytes() == b"half an obj"
    assert Notification.objects.get().subscription == vault.subscription


def test_half_a_config_is_set_aside(machine: MachineFolder) -> None:
    half = machine.put_at("config", CONFIG[:60], age=1)
    check("--since", an_hour_ago())
    assert not (machine.region / half).exists()
    assert AuditEvent.objects.get(action="object:quarantine").detail["object"] == half


def test_what_did_not_change_since_is_not_looked_at(machine: MachineFolder) -> None:
    junk = machine.put("data", b"old junk", name=JUNK, age=7200)
    check("--since", an_hour_ago())
    assert (machine.region / junk).exists()
    check("--all")
    assert not (machine.region / junk).exists()


def test_junk_of_an_unknown_vault_is_set_aside_too(storage: Path, regions: tuple[Region, Region]) -> None:
    stranger = MachineFolder(storage / "local-a", uuid4(), uuid4())
    stranger.put("data", b"junk", name=JUNK)
    check("--all")
    assert AuditEvent.objects.get(action="object:quarantine").vault_id is None
    assert files(stranger.region / stranger.path) == {}


def test_without_the_entry_in_the_log_nothing_is_moved(machine: MachineFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    junk = machine.put("data", b"junk", name=JUNK)

    def broken(*args: object, **options: object) -> None:
        raise OSError("the log is away")

    monkeypatch.setattr("vaults.integrity.verify.record", broken)
    with pytest.raises(OSError, match="the log is away"):
        check("--all")
    assert (machine.region / junk).exists()


def test_setting_aside_the_same_name_again_keeps_both(machine: MachineFolder) -> None:
    for content in (b"first", b"second"):
        machine.put("data", content, name=JUNK)
        check("--all")
    kept = [event.detail["moved_to"] for event in AuditEvent.objects.filter(action="object:quarantine").order_by("id")]
    assert [(machine.region / str(path)).read_bytes() for path in kept] == [b"first", b"second"]


def test_it_says_what_it_did(machine: MachineFolder, storage: Path) -> None:
    machine.put("data", b"good", age=-30)
    machine.put("data", b"junk", name=JUNK, age=-30)
    since = (datetime.now(UTC) + timedelta(seconds=15)).isoformat()
    assert check("--since", since) == "Local A: compared 2 objects with their names, set aside 1.\n"


def test_many_objects_are_compared_in_batches(machine: MachineFolder) -> None:
    for number in range(70):
        machine.put("data", str(number).encode(), age=1)
    junk = machine.put("data", b"junk", name=JUNK, age=1)
    check("--since", an_hour_ago())
    assert len(files(machine.region / machine.path)) == 70
    assert not (machine.region / junk).exists()


@pytest.mark.parametrize(
    ("region", "options", "complaint"),
    [
        ("nowhere", ["--all"], "no region nowhere"),
        ("local-a", ["--since", "2026-11-22T10:00:00"], "time zone"),
        ("local-a", ["--since", "yesterday"], "invalid fromisoformat value"),
        ("local-a", [], "required"),
        ("local-a", ["--all", "--since", "2026-11-22T10:00:00+00:00"], "not allowed with"),
    ],
)
def test_wrong_use_is_refused(regions: tuple[Region, Region], region: str, options: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        check(*options, region=region)


@NO_SOCKET
def test_storage_that_does_not_come_up_is_a_loud_failure(
    regions: tuple[Region, Region], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STORAGE_SOCKET = str(tmp_path / "nobody")
    monkeypatch.setattr(check_recent_objects, "WAIT", 0.2)
    with pytest.raises(CommandError, match="Local A is not responding"):
        check("--all")
