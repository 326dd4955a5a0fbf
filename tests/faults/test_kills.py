"""`kill -9` of any part at a random moment of the flow: no vault stuck, none provisioned twice, no backup lost.

`make test` runs a seeded share; `make test-long` the full count. A failing round prints what was killed when.
"""

import json
import os
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, contents, make_machine, restored
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
ROUNDS = 100 if os.environ.get("STRONGROOM_LONG") else 7  # each part once
PARTS = ("worker", "valkey", "web", "gate", "gateway-local-a", "edge", "storage")
SEED = 20261122
PATIENCE = 120  # seconds until a vault must have come to rest, all restarts and back-offs included


@dataclass
class Round:
    """One walk through the flow, in which one part is killed at one moment."""

    number: int
    part: str
    delay: float  # seconds after the first request
    machine: bool  # whether a machine is set up as well

    def __str__(self) -> str:
        return f"round {self.number}: {self.part} killed after {self.delay:.2f} s, machine={self.machine}"


def rounds() -> list[Round]:
    """The rounds of this run; the first ones of the full count, so that a share finds what the whole would."""
    source = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    made = []
    for number in range(ROUNDS):
        machine = number % 5 == 4  # a walk with a machine takes longer, so its kill may come later
        delay = source.uniform(0, 6.0 if machine else 0.8)
        made.append(Round(number, PARTS[number % len(PARTS)], delay, machine))
    return made


def insist(call: Any, *arguments: Any) -> Any:
    """Repeat a call while the portal is away; anything but a refusal of connection or a 5xx is the answer."""

    def attempt() -> httpx.Response | None:
        try:
            answer = call(*arguments)
        except httpx.TransportError:
            return None
        return answer if answer.status_code < 500 else None

    return wait_for(f"an answer to {arguments}", attempt, seconds=PATIENCE, pause=0.2)


class Walk:
    """The flow as programs do it, carrying on through faults as a patient person would."""

    def __init__(self, staff: ApiPerson, approver: ApiPerson) -> None:
        self.staff = staff
        self.approver = approver

    def request(self, name: str) -> Any:
        """Ask for a vault; after a lost answer the request may exist already, which `name_taken` tells."""
        asked = {"subscription": "Default", "name": name, "region": "Local A", "redundancy": "geo", "reason": "Faults"}
        answer = insist(self.staff.call, "POST", "vault-requests", asked)
        if answer.status_code == 201:
            return answer.json()
        assert answer.json()["code"] == "name_taken", answer.text
        listed = insist(self.staff.call, "GET", "vault-requests?limit=500").json()["items"]
        return next(one for one in listed if one["name"] == name)

    def approve(self, request: Any) -> str:
        """Approve; after a lost answer it may be approved already, which `stale_state` tells."""
        path = f"vault-requests/{request['id']}"
        answer = insist(self.approver.call, "POST", f"{path}/approve", {"comment": "", "digest": request["digest"]})
        assert answer.status_code == 200 or answer.json()["code"] == "stale_state", answer.text
        decided = insist(self.approver.call, "GET", path).json()
        assert decided["state"] == "approved"
        vault_id: str = decided["vault_id"]
        return vault_id

    def at_rest(self, vault_id: str) -> str:
        """The state in which the vault comes to rest: Active, or Failed with a reason."""

        def rest() -> str | None:
            vault = insist(self.staff.call, "GET", f"vaults/{vault_id}").json()
            if vault["state"] == "Failed":
                assert vault["state_reason"]
            return vault["state"] if vault["state"] != "Creating" else None

        return wait_for(f"vault {vault_id} to come to rest", rest, seconds=PATIENCE)

    def credentials(self, vault_id: str, folder: Path) -> Path:
        """A credential file."""
        answer = insist(self.staff.call, "POST", f"vaults/{vault_id}/credentials", {})
        path = folder / "faults.VaultCredentials"
        path.write_text(json.dumps(answer.json()))
        return path


def set_up(machine: Machine, credentials: Path) -> None:
    """Repeat `setup` until it has gone through: a fault in between must not make it impossible."""

    def attempt() -> bool:
        try:
            machine.setup(credentials)
        except AssertionError:
            return False
        return True

    wait_for(f"{machine.name} to be set up", attempt, seconds=PATIENCE, pause=0.5)


def test_every_vault_comes_to_rest_and_no_backup_is_lost(portal: Portal, tmp_path: Path) -> None:
    """The rounds, one after the other on one portal, so that damage of an earlier one is found by a later one."""
    with (
        closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff,
        closing(ApiPerson(portal.portal_url, "approver", portal.accounts["approver"])) as approver,
    ):
        _rounds(portal, Walk(staff, approver), tmp_path)


def _rounds(portal: Portal, walk: Walk, tmp_path: Path) -> None:
    protected: list[tuple[Machine, dict[str, bytes | str]]] = []
    made: list[str] = []
    for one in rounds():
        print(one)  # noqa: T201 - shown when the round fails
        killer = threading.Thread(target=_kill, args=(portal, one))
        killer.start()
        vault_id = walk.approve(walk.request(f"Fault-{one.number}"))
        made.append(vault_id)
        state = walk.at_rest(vault_id)
        if one.machine and state == "Active":
            machine = make_machine(tmp_path, f"machine-{one.number}", files=30, megabytes=10, seed=one.number)
            set_up(machine, walk.credentials(vault_id, tmp_path))
            protected.append((machine, contents(machine.files)))
        killer.join()
        portal.wait_until_ready()

    assert protected
    for machine, before in protected:
        machine.agent("restore", "--target", machine.folder / "back")
        assert contents(restored(machine.folder / "back", machine.files)) == before
    _nothing_twice(portal, walk.staff, made)


def _kill(portal: Portal, one: Round) -> None:
    time.sleep(one.delay)  # the random moment itself, not a wait for something
    portal.kill(one.part)


def _nothing_twice(portal: Portal, staff: ApiPerson, made: list[str]) -> None:
    """One container for each Active vault in each of the two regions, in it its machines and no probe; activated once.

    A Failed one may have come to the point of having them, or not.
    """
    assert len(set(made)) == len(made)
    states = {vault_id: staff.get(f"vaults/{vault_id}")["state"] for vault_id in made}
    assert set(states.values()) <= {"Active", "Failed"}
    for region in ("local-a", "local-b"):
        storage = portal.data / "storage" / region
        found = {folder.name for folder in storage.iterdir()} & states.keys()
        assert {vault_id for vault_id in made if states[vault_id] == "Active"} <= found
        for vault_id in found:
            machines = {one["id"] for one in staff.get(f"vaults/{vault_id}/machines")["items"]}
            assert {folder.name for folder in (storage / vault_id).iterdir()} <= machines
    activated = portal.manage(
        *("shell", "-v", "0", "-c"),
        "from portal.audit.models import AuditEvent as E; from collections import Counter;"
        "print(max(Counter(E.objects.filter(action='vault:active').values_list('target_id', flat=True)).values()))",
    )
    assert activated.strip() == "1"
