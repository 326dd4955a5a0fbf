"""`manage.py snapshots`: what an administrator types, right and wrong."""

import shlex
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from agents.models import Machine
from portal.audit.models import AuditEvent
from tests.agents import peer
from tests.vaults.stored import MachineFolder, digest

JUNK = b"no snapshot of restic's"
NAME = digest(JUNK)


@pytest.fixture
def folder(storage: Path, machine: peer.Machine) -> MachineFolder:
    """The folder of the registered machine, with a junk snapshot."""
    row = Machine.objects.get()
    folder = MachineFolder(storage / "local-a", row.vault_id, row.pk)
    folder.put("snapshots", JUNK)
    return folder


def say(*arguments: str) -> str:
    out = StringIO()
    call_command("snapshots", *arguments, stdout=out)
    return out.getvalue()


def test_listed_trashed_put_back(folder: MachineFolder) -> None:
    machine = Machine.objects.get()
    assert NAME[:16] in say("list", machine.name)
    assert "in the trash" not in say("list", machine.name)
    told = say("trash", machine.name.upper(), NAME[:8], "--reason", "A stolen key")
    assert "strongroom-agent check" in told
    assert "in the trash" in say("list", str(machine.pk))
    undo = told.partition("manage.py snapshots ")[2].partition("\n")[0]
    assert "is stored again" in say(*shlex.split(undo)[:-1], "A mistake")
    assert "in the trash" not in say("list", machine.name)
    reasons = AuditEvent.objects.filter(action__startswith="snapshot:").order_by("pk")
    assert [event.detail["reason"] for event in reasons] == ["A stolen key", "A mistake"]


def test_several_go_in_one_command_and_what_was_done_is_said_where_one_is_refused(folder: MachineFolder) -> None:
    machine, more = Machine.objects.get(), b"another"
    folder.put("snapshots", more)
    out = StringIO()
    with pytest.raises(CommandError, match="begins with 00000000"):
        call_command("snapshots", "trash", machine.name, NAME, "0" * 8, digest(more), "--reason", "x", stdout=out)
    assert f"Snapshot {NAME[:16]} of {machine} is in the trash." in out.getvalue()
    assert digest(more)[:16] not in out.getvalue()
    told = say("trash", machine.name, digest(more), "--reason", "x")
    assert told.count("is in the trash") == 1
    told = say("put-back", machine.name, NAME, digest(more), "--reason", "y")
    assert [line.split()[1] for line in told.splitlines()] == [NAME[:16], digest(more)[:16]]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["trash", "nobody", NAME, "--reason", "x"], 'There is no machine "nobody".'),
        (["trash", str(UUID(int=5)), NAME, "--reason", "x"], "There is no machine"),
        (["trash", "{name}", "0" * 8, "--reason", "x"], "begins with 00000000"),
        (["trash", "{name}", NAME, "--reason", "  "], "--reason: This field is required."),
        (["trash", "{name}", NAME, "--reason", "a\x1bb"], "invisible character"),
        (["trash", "{name}", NAME, "--reason", "a" * 501], "at most 500"),
        (["put-back", "{name}", NAME, "--reason", "x"], "in the trash"),
        (["trash", "{name}", NAME], "--reason"),
        (["away", "{name}"], "invalid choice"),
    ],
)
def test_wrong_input_is_named_and_changes_nothing(folder: MachineFolder, arguments: list[str], problem: str) -> None:
    name = Machine.objects.get().name
    with pytest.raises(CommandError, match=problem.replace(".", r"\.")):
        say(*(argument.format(name=name) for argument in arguments))
    assert not AuditEvent.objects.filter(action__startswith="snapshot:").exists()


def test_a_damaged_one_is_not_put_back(folder: MachineFolder) -> None:
    machine = Machine.objects.get()
    say("trash", machine.name, NAME, "--reason", "A stolen key")
    (folder.region / "trash" / folder.path / "snapshots" / NAME).write_bytes(b"rotten")
    with pytest.raises(CommandError, match=f"No region has snapshot {NAME[:16]} whole"):
        say("put-back", machine.name, NAME, "--reason", "A mistake")
    assert "in the trash" in say("list", machine.name)


def test_several_of_one_name_are_told_apart_by_their_ids(folder: MachineFolder) -> None:
    machine = Machine.objects.get()
    twin = Machine.objects.get()
    twin.pk, twin.state = uuid4(), "Unregistered"
    twin.save(force_insert=True)
    with pytest.raises(CommandError, match="2 machines are called") as refused:
        say("list", machine.name)
    assert {str(machine.pk), str(twin.pk)} <= set(str(refused.value).split())
    assert "no snapshot" in say("list", str(twin.pk))
