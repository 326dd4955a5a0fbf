"""Setup and the passphrase's file: where it must not lie, and what becomes of it."""

import os
from pathlib import Path

import pytest
from strongroom_agent.core.errors import AgentError
from strongroom_agent.setup import protect

from .peer import Problem
from .world import World

GENERATE = ("--generate-passphrase", "--save-passphrase-to")


def refusal(choice: protect.Choice, own: list[str], path: str) -> AgentError | None:
    try:
        protect.keep_out(choice, own, {"--passphrase-file": path, "--save-passphrase-to": None}, network=False)
    except AgentError as error:
        return error
    return None


def test_a_passphrase_is_not_locked_into_the_safe_that_it_opens(tmp_path: Path) -> None:
    for name in ("data/state", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "data" / "out").symlink_to("../elsewhere")
    choice = protect.choose([str(tmp_path / "data")])
    own = [f"{tmp_path}/data/state"]
    for inside in ("data/p", "link/p", "data/sub/../p", "elsewhere/../data/p"):
        error = refusal(choice, own, f"{tmp_path}/{inside}")
        assert error is not None
        assert error.code == "passphrase_protected"
        assert error.message.startswith(f"--passphrase-file {tmp_path}/{inside} lies inside {tmp_path}/data, which is")
        assert "Name a file outside of what is protected" in error.remedy
    for outside in ("p", "elsewhere/p", "data/out/p", "data/state/p", "database"):
        assert refusal(choice, own, f"{tmp_path}/{outside}") is None


def test_when_everything_is_protected_memory_is_still_a_place() -> None:
    choice = protect.choose(["/"])
    error = refusal(choice, [], "/root/passphrase")
    assert error is not None
    if os.path.isdir("/dev/shm"):
        assert "such as /dev/shm/strongroom-passphrase, which is in memory only" in error.remedy
        assert refusal(choice, [], "/dev/shm/strongroom-passphrase") is None


@pytest.mark.system
def test_setup_refuses_before_it_writes_anything(world: World) -> None:
    inside = world.source / "passphrase"
    ran = world.setup(*GENERATE, str(inside))
    assert (ran.status, ran.answer["code"]) == (1, "passphrase_protected")
    assert not inside.exists()
    assert not (world.home / "passphrase").exists()
    assert ("POST", "register") not in world.peer.requests


@pytest.mark.system
def test_a_refused_registration_leaves_no_passphrase_behind(world: World) -> None:
    saved = world.root / "saved"
    world.peer.faults.refuse["register"] = Problem("credential_used_up")
    assert world.setup(*GENERATE, str(saved)).answer["code"] == "credential_used_up"
    assert not saved.exists()
    assert not (world.home / "passphrase").exists()
    world.peer.faults.refuse.clear()
    world.peer.faults.silent = True
    assert world.setup(*GENERATE, str(saved)).status == 4
    kept = saved.read_text()
    world.peer.faults.silent = False
    ran = world.setup(*GENERATE, str(saved))
    assert ran.status == 0
    assert saved.read_text() == kept
    assert f"The passphrase was saved to {saved}: copy it to a place off this machine now" in ran.answer["message"]
    program = world.root / "program" / "strongroom-agent"
    assert f" {program} backup makes a backup." in ran.answer["message"]


@pytest.mark.system
def test_the_credential_file_is_left_out_of_the_backup(world: World) -> None:
    """It lies in what is protected where people download to: of no use after two days, and no reason to refuse."""
    path = world.source / "given.VaultCredentials"
    first = world.setup()
    assert first.status == 0
    path.write_text((world.root / "Payroll_Sun Nov 22 2026.VaultCredentials").read_text())
    ran = world.setup("--credentials", str(path))
    assert (ran.status, ran.answer["backup"]["files"]) == (0, first.answer["backup"]["files"])


@pytest.mark.system
def test_status_says_where_setup_saved_the_passphrase_and_whether_it_is_still_there(world: World) -> None:
    """The path alone; a later setup with another answer about the passphrase does not make it forget."""
    saved = world.root / "saved passphrase"
    assert world.setup(*GENERATE, str(saved)).status == 0
    told = world.run("status").answer
    assert (told["passphrase_file"], told["passphrase_saved_to"]) == (str(world.home / "passphrase"), str(saved))
    assert f"Setup saved the passphrase to {saved}." in told["message"]
    kept = saved.read_text().strip()
    assert kept not in str(told)

    taken = world.root / "taken along"
    saved.rename(taken)
    assert world.setup("--passphrase-file", str(taken)).status == 0
    told = world.run("status").answer
    assert told["passphrase_saved_to"] == str(saved)
    assert f"Setup saved the passphrase to {saved}, where it is not any more." in told["message"]
