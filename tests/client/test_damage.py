"""The agent's own files, damaged: each failure names a way out, and that way works."""

import json
import os
from pathlib import Path

import pytest

from .cheap_key import PASSPHRASE
from .world import World

pytestmark = pytest.mark.system
NO_TEXT = b"\xff\xfe\x00"


@pytest.fixture
def registered(world: World) -> World:
    """A machine that is registered, before its first backup."""
    world.register_only()
    return world


@pytest.mark.parametrize("content", [b"", b"{", b"[]", NO_TEXT, b"{}", b'{"answer": 1}', b'{"answer": {"machine": 5}}'])
def test_a_damaged_identity_can_be_forgotten_and_setup_goes_on(registered: World, content: bytes) -> None:
    (registered.home / "identity.json").write_bytes(content)
    for command in ("backup", "status", "unregister"):
        ran = registered.run(command)
        assert (ran.status, ran.answer["code"]) == (1, "state_damaged")
        assert "strongroom-agent unregister --forget" in ran.answer["remedy"]
    ran = registered.run("unregister", "--forget")
    assert (ran.status, ran.answer["told"]) == (0, False), ran
    assert Path(ran.answer["passphrase_kept"]).read_text() == PASSPHRASE + "\n"
    assert not (registered.home / "identity.json").exists()
    assert registered.setup().answer["code"] == "machine_exists"  # in the portal's words, with its remedy


def test_forgetting_twice_keeps_both_passphrases(registered: World) -> None:
    kept = []
    for word in ("first passphrase of all", "second passphrase here"):
        (registered.home / "identity.json").write_text("{")
        (registered.home / "passphrase").write_text(word)
        kept.append(registered.run("unregister", "--forget").answer["passphrase_kept"])
    assert [Path(each).read_text() for each in kept] == ["first passphrase of all", "second passphrase here"]


def test_a_damaged_registration_can_be_forgotten(registered: World) -> None:
    (registered.home / "identity.json").unlink()
    (registered.home / "registration.json").write_text("{")
    assert registered.setup().answer["code"] == "state_damaged"
    assert registered.run("unregister", "--forget").status == 0
    assert registered.run("unregister", "--forget").answer["code"] == "not_registered"


@pytest.mark.parametrize(
    "content", [b"{", NO_TEXT, b"{}", b'{"install_dir": "/i", "cache_dir": 1, "protect": ["/p"]}', b'{"color": "red"}']
)
def test_setup_mends_damaged_settings(registered: World, content: bytes) -> None:
    path = registered.home / "settings.json"
    good = json.loads(path.read_text())
    path.write_bytes(content)
    ran = registered.run("backup")
    assert (ran.status, ran.answer["code"]) == (1, "state_damaged")
    assert ran.answer["remedy"].startswith("Run setup again")
    other = registered.root / "other"
    other.write_text("quite another passphrase")
    assert registered.setup("--passphrase-file", str(other)).answer["code"] == "passphrase_differs"
    registered.register_only()
    assert json.loads(path.read_text()) == {**good, "opened": True}
    assert len(registered.peer.machines) == 1


@pytest.mark.parametrize("content", [b"short", NO_TEXT, b"two\nlines of a passphrase"])
def test_a_damaged_passphrase_is_to_be_put_back(ready: World, content: bytes) -> None:
    path = ready.home / "passphrase"
    path.write_bytes(content)
    ran = ready.run("backup")
    path.write_text(PASSPHRASE + "\n")
    assert (ran.status, ran.answer["code"]) == (1, "state_damaged")
    assert ran.answer["remedy"].startswith("Put the passphrase back")
    assert str(path) in ran.answer["message"]
    assert ready.run("backup").status == 0


@pytest.mark.parametrize("name", ["client.pem", "ca.pem", "last-runs.json", "renewal-key.pem"])
def test_what_can_be_made_again_is_made_again(ready: World, name: str) -> None:
    before = (ready.home / "client.pem").read_text()
    (ready.home / name).write_bytes(NO_TEXT)
    assert ready.run("renew").status == 0
    assert ready.run("backup").status == 0
    assert ready.run("status").answer["last_runs"]["backup"]["outcome"] == "succeeded"
    assert (ready.home / "client.pem").read_text() != before
    assert os.path.lexists(ready.home / "renewal-key.pem") is False
