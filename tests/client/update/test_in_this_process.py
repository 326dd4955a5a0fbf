"""The same update by the code of this process, as if it were the one that is installed."""

from pathlib import Path

import pytest
from strongroom_agent.core import packaged
from strongroom_agent.update import keys

from .fleet import NEW, NEWER, OLD, Updating

pytestmark = pytest.mark.system


@pytest.fixture
def here(backed_up: Updating, monkeypatch: pytest.MonkeyPatch) -> Updating:
    """Whoever asks this process takes it for the program in the machine's place."""
    monkeypatch.setattr(packaged, "folder", lambda: backed_up.place)
    monkeypatch.setattr(packaged, "installed_by", lambda *_: None)
    monkeypatch.setattr(keys, "built_in", lambda: keys.read(backed_up.signers.public))
    return backed_up


def breaks(folder: Path) -> None:
    """A program that says its version and nothing else."""
    (folder / packaged.PROGRAM).write_text(f"#!/bin/sh\n[ $1 = --version ] && echo strongroom-agent {NEWER}\nexit 1\n")


def code(machine: Updating, *more: str) -> str:
    """What an update ends with."""
    return str(machine.world.run("update", *more).answer["code"])


def test_it_is_taken_and_told(here: Updating) -> None:
    assert code(here) == "portal_too_old"
    here.shows(None)
    assert code(here) == "no_release"
    here.publish(take=False, why="Not yet.")
    assert code(here) == "update_not_staged"
    here.publish()
    assert code(here, "--check") == "update_available"
    assert here.version == OLD
    assert code(here) == "updated"
    assert here.version == NEW
    assert here.memory["state"] == "updated"


def test_a_broken_one_is_not(here: Updating) -> None:
    here.publish(NEWER, here.signers.archive(NEWER, "broken", breaks))
    assert code(here) == "update_broken"
    assert here.version == OLD
    here.publish(NEWER, b"no archive at all")
    assert code(here) == "update_damaged"
    assert here.version == OLD


def test_what_is_not_what_was_signed_is_not_taken(here: Updating) -> None:
    said = here.publish()
    name = said["files"][0]["name"]
    whole = here.world.peer.files[name]
    for other in (whole + b"x", b"\1" + whole[1:]):
        here.world.peer.files[name] = other
        assert code(here) == "update_damaged"
    del here.world.peer.files[name]
    assert code(here) == "update_gone"
    here.shows(None)
    assert code(here) == "update_withheld"
    here.publish(files=[{**said["files"][0], "architecture": "riscv64"}])
    assert code(here) == "update_not_for_this_machine"
    assert here.version == OLD
