"""What is said of a storage that does not answer: what is really away."""

import pytest
from strongroom_agent.portal import client

from .world import World

pytestmark = pytest.mark.system


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_dead_storage_is_not_a_dead_portal(ready: World, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    ready.peer.faults.storage["local-a"] = status
    ran = ready.run("backup")
    assert (ran.status, ran.answer["code"]) == (1, "unavailable")
    start = f"The storage of region local-a gives no usable answer (HTTP {status}); Strongroom itself was reached."
    assert ran.answer["message"].startswith(start)


def test_a_dead_edge_is_told_as_that(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: then it is Strongroom that cannot be reached."""
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    identity = ready.home / "identity.json"
    good = identity.read_text()
    identity.write_text(good.replace(ready.peer.url, "https://127.0.0.1:1"))
    ran = ready.run("backup")
    identity.write_text(good)
    assert (ran.status, ran.answer["code"]) == (4, "network")
    assert "Strongroom cannot be reached at 127.0.0.1:1" in ran.answer["message"]
