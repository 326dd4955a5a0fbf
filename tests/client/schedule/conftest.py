"""A scheduler that only remembers, in the place of this computer's own."""

import pytest
from strongroom_agent.schedule import installation

from .recorder import Recorder


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(installation, "schedulers", lambda: [found])
    return found
