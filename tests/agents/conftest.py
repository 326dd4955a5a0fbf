"""What the tests of machines share: a credential file, and machines that register with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from portal.accounts.models import User
from tests.agents import peer
from tests.conftest import as_actor
from vaults.credentials import vault_credentials
from vaults.models import PairedCopy, Region, Vault


@pytest.fixture
def copied(vault: Vault, regions: tuple[Region, Region]) -> PairedCopy:
    """The copy of `vault` in the paired region."""
    return PairedCopy.objects.create(vault=vault, region=regions[1])


@pytest.fixture
def issue(vault: Vault, staff: User) -> Callable[..., dict[str, object]]:
    """Issues a credential for `vault`: the document of its file."""
    return lambda machines=1: vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=machines).document


def say(holder: peer.Holder, what: str, **fields: object) -> Any:
    """Send a fresh message of the holder; the response."""
    return peer.send(what, holder.sign(json.dumps(holder.payload(what, **fields)).encode()))


def register(document: dict[str, object], machine: peer.Machine, **changes: object) -> Any:
    """Register the machine with a credential file; the response."""
    response = say(peer.Holder.of(document), "register", **machine.registration(**changes))
    if response.status_code in {200, 201}:
        machine.answer = response.json()
    return response


@pytest.fixture
def machine(issue: Callable[..., dict[str, object]]) -> peer.Machine:
    """A machine that has just registered."""
    machine = peer.Machine()
    assert register(issue(), machine).status_code == 201
    return machine
