"""What machines say again is answered as before, but not without end: each message leaves a row behind."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Machine, MachineCertificate, RefusedRegistration, Run, SpentToken
from agents.monitoring import heartbeats
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.peer import refused, register, renew, report, run_of, say
from tests.at_once import at_once
from vaults.models import Credential

MOST = heartbeats.MOST_IN_A_MINUTE
KINDS = ["register", "renew", "runs"]
VERSIONS = {"agent_version": "1.2.0", "engine_version": "0.18.1"}
Issue = Callable[..., dict[str, object]]


@pytest.fixture
def again(request: pytest.FixtureRequest, issue: Issue) -> Callable[[], Any]:
    """Says the same once more, in a fresh message; it has been said once."""
    document, machine = issue(), peer.Machine()
    assert register(document, machine).status_code == 201
    key, run = keys.new_key(), run_of()
    say_it: dict[str, Callable[[], Any]] = {
        "register": lambda: register(document, machine),
        "renew": lambda: renew(machine.holder, key),
        "runs": lambda: report(machine, run),
    }
    said = say_it[request.param]
    assert request.param == "register" or said().status_code == 200
    return said


def rows() -> tuple[int, int, int]:
    """What the messages left behind that is kept."""
    return (SpentToken.objects.count(), MachineCertificate.objects.count(), Run.objects.count())


@pytest.mark.parametrize("again", KINDS, indirect=True)
def test_a_flood_of_repetitions_is_told_to_wait(again: Callable[[], Any]) -> None:
    """As it was found: 300 times the same, 300 rows."""
    assert [again().status_code for _ in range(MOST)] == [200] * MOST
    before = rows()
    response = again()
    problem = refused(response, 429, "throttled", begins="This machine has sent 20 heartbeats or repeated messages")
    assert 0 < problem["retry_after"] <= 60
    assert response["Retry-After"] == str(problem["retry_after"])
    assert [again().status_code for _ in range(5)] == [429] * 5
    assert rows() == before
    assert Machine.objects.get().pulses == MOST
    Machine.objects.update(pulses_since=timezone.now() - timedelta(seconds=61))
    assert again().status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", KINDS, indirect=True)
def test_of_many_repetitions_at_once_the_bound_is_taken(again: Callable[[], Any]) -> None:
    Machine.objects.update(pulses=MOST - 2, pulses_since=timezone.now())
    answers = at_once([lambda: again().status_code for _ in range(6)])
    assert sorted(answers, key=str) == [200] * 2 + [429] * 4


def test_a_machine_that_must_wait_reports_what_is_new(machine: peer.Machine) -> None:
    """Reports that waited are sent one after the other, and none of them is a repetition."""
    told = run_of()
    report(machine, told)
    Machine.objects.update(pulses=MOST, pulses_since=timezone.now())
    assert report(machine, told).status_code == 429
    assert [report(machine, run_of()).status_code for _ in range(MOST + 5)] == [200] * (MOST + 5)
    assert renew(machine.holder, keys.new_key()).status_code == 200


def test_a_message_that_was_used_before_counts_for_nothing(machine: peer.Machine) -> None:
    """So that whoever has a copy of one keeps the machine from nothing."""
    body = machine.holder.sign(json.dumps(machine.holder.payload("runs", **run_of())).encode())
    assert peer.send("runs", body).status_code == 200
    for _ in range(MOST + 1):
        refused(peer.send("runs", body), 403, "not_allowed", holds="used before")
    assert Machine.objects.get().pulses == 0
    assert say(machine.holder, "heartbeat", **VERSIONS).status_code == 200


def test_repetitions_of_one_machine_keep_no_other_from_the_credential(issue: Issue) -> None:
    document, machine = issue(machines=2), peer.Machine()
    assert [register(document, machine).status_code for _ in range(MOST + 2)] == [201] + [200] * MOST + [429]
    assert register(document, peer.Machine("other")).status_code == 201
    assert Credential.objects.get().machines_used == 2
    assert list(RefusedRegistration.objects.values_list("code", flat=True)) == ["throttled"]
