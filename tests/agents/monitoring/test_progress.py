"""What machines tell of their setup: who may, what counts, and what no message can do."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import assume, given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, Onboarding, SpentToken
from agents.monitoring import progress
from agents.monitoring.live_setup import LiveSetup
from agents.states import MachineState, SetupStep
from portal.core.times import rfc3339
from tests.agents import peer
from tests.agents.factories import Issue
from tests.agents.hostile import Count, at_least, changed_field
from tests.agents.peer import refused, register, report, run_of, say
from tests.at_once import at_once
from vaults.models import Vault

pytestmark = pytest.mark.django_db
BEGAN = datetime(2026, 11, 22, 17, 40, tzinfo=UTC)


@pytest.fixture
def machine(issue: Issue) -> peer.Machine:
    """A machine that has just registered."""
    found = peer.Machine()
    assert register(issue(), found).status_code == 201
    return found


def message(number: int = 1, **fields: Any) -> dict[str, object]:
    """What it tells, unless told otherwise."""
    return {"began_at": rfc3339(BEGAN), "number": number, "step": "backup", "state": "running", **fields}


def tell(machine: peer.Machine, number: int = 1, **fields: Any) -> Any:
    """Send it; the response."""
    return say(machine.holder, "progress", **message(number, **fields))


def noted(machine: peer.Machine, number: int = 1, **fields: Any) -> bool:
    """Whether it was taken."""
    response = tell(machine, number, **fields)
    assert response.status_code == 200, response.content
    answer: dict[str, bool] = response.json()
    assert answer["ok"] is True
    return answer["noted"]


def row() -> Onboarding:
    return Onboarding.objects.get()


def test_the_newest_takes_the_place_of_the_one_before(machine: peer.Machine) -> None:
    checks = [{"step": "cache", "free": 100, "needed": 5}, {"step": "proxy", "through_proxy": False}]
    assert noted(machine, 1, step="storage", checks=checks)
    assert row().checks == {"cache": {"free": 100, "needed": 5}, "proxy": {"through_proxy": 0}}
    since = row().step_since
    assert noted(machine, 2, bytes_done=3, bytes_total=10, rate=1, seconds_left=7)
    assert noted(machine, 3, bytes_done=5, bytes_total=10)
    found = row()
    assert (found.step, found.step_state, found.number, found.code) == ("backup", "running", 3, "")
    assert found.figures == {"bytes_done": 5, "bytes_total": 10}
    assert set(found.checks) == {"cache", "proxy"}
    assert since
    assert found.step_since
    assert found.step_since > since
    assert Onboarding.objects.count() == 1
    assert not SpentToken.objects.filter(at__gt=found.last_sign_at).exists()


def test_what_comes_late_or_twice_changes_nothing(machine: peer.Machine) -> None:
    body = machine.holder.sign(json.dumps(machine.holder.payload("progress", **message(2, step="storage"))).encode())
    assert peer.send("progress", body).json()["noted"] is True
    assert noted(machine, 5, step="restore")
    for late in (peer.send("progress", body), tell(machine, 4), tell(machine, 5)):
        assert late.json() == {"ok": True, "noted": False}
    assert (row().step, row().number) == ("restore", 5)


def test_another_start_of_setup_begins_anew(machine: peer.Machine) -> None:
    assert noted(machine, 9, state="failed", code="quota_full", checks=[{"step": "program"}])
    assert (row().step_state, row().code) == ("failed", "quota_full")
    again = rfc3339(BEGAN + timedelta(minutes=1))
    assert noted(machine, 1, step="storage", began_at=again)
    assert (row().step, row().step_state, row().code, row().checks) == ("storage", "running", "", {})
    assert not noted(machine, 10)  # of the first start


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_the_newest_stays(machine: peer.Machine) -> None:
    numbers = [7, 2, 12, 5, 1, 10, 3, 11, 8, 4, 9, 6]
    calls = [lambda number=number: tell(machine, number, files_done=number).status_code for number in numbers]
    assert at_once(calls) == [200] * 12
    assert (row().number, row().figures) == (12, {"files_done": 12})


def test_after_the_proof_nothing_is_noted(machine: peer.Machine) -> None:
    assert noted(machine, 1, step="restore", files_done=1, files_total=2)
    assert report(machine, run_of("backup")).status_code == 200
    assert report(machine, run_of("restore_check", compared=1, total=1, mismatched=0)).status_code == 200
    assert not noted(machine, 2, step="backup")
    assert row().step == "restore"
    assert Machine.objects.get().state == MachineState.READY


def test_another_computer_in_its_place_begins_anew(machine: peer.Machine, vault: Vault) -> None:
    from agents.monitoring import onboarding

    noted(machine, 7, state="failed", code="disk_full", checks=[{"step": "program"}])
    found = Machine.objects.get()
    onboarding.begin(found, found.credential, timezone.now())
    assert (row().step, row().number, row().checks, row().last_sign_at) == ("", 0, {}, None)
    assert noted(machine, 1, step="storage")


def test_a_machine_from_before_is_answered(machine: peer.Machine) -> None:
    Onboarding.objects.all().delete()
    assert not noted(machine)
    assert not Onboarding.objects.exists()


@pytest.mark.parametrize("state", [state for state in MachineState if state not in ("Registered", "Ready")])
def test_a_machine_that_is_locked_out_tells_nothing(machine: peer.Machine, state: MachineState) -> None:
    Machine.objects.update(state=state)
    refused(tell(machine), 403, "not_allowed")
    assert row().step == ""


def test_a_credential_tells_nothing(issue: Issue) -> None:
    response = say(peer.Holder.of(issue()), "progress", **message())
    refused(response, 403, "not_allowed")


def test_no_machine_tells_of_another(machine: peer.Machine, issue: Issue) -> None:
    other = peer.Machine("other")
    register(issue(), other)
    assert noted(other, 3, step="storage")
    told = Onboarding.objects.get(machine=UUID(machine.id))
    assert (told.step, told.last_sign_at) == ("", None)


def test_an_old_certificate_tells_nothing(machine: peer.Machine) -> None:
    from portal.pki.crypto import keys

    old = machine.holder
    peer.renew(old, keys.new_key())
    refused(say(old, "progress", **message()), 403, "not_allowed")


def test_too_many_are_told_to_wait(machine: peer.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_IN_A_MINUTE", 3)
    for number in (1, 2, 3):
        assert noted(machine, number)
    problem = refused(tell(machine, 4), 429, "throttled")
    assert 1 <= problem["retry_after"] <= 60
    assert row().number == 3
    Onboarding.objects.update(messages_since=timezone.now() - timedelta(seconds=61))
    assert noted(machine, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": "rm -rf"},
        {"step": "<script>"},
        {"state": "proven"},
        {"code": "Not A Code"},
        {"code": "a" * 41},
        {"number": 0},
        {"number": 10**9},
        {"number": True},
        {"number": "1"},
        {"bytes_done": -1},
        {"bytes_done": 1.5},
        {"bytes_done": 2**63},
        {"seconds_left": 10**12},
        {"began_at": "yesterday"},
        {"began_at": "1999-01-01T00:00:00Z"},
        {"began_at": "2999-01-01T00:00:00Z"},
        {"checks": [{"step": "program"}] * 10},
        {"checks": [{"step": "program", "files": "many"}]},
        {"checks": "all"},
    ],
)
def test_what_is_wrong_is_refused_whole(machine: peer.Machine, wrong: dict[str, Any]) -> None:
    response = tell(machine, **wrong)
    assert (response.status_code, response.json()["code"]) == (422, "invalid"), response.content
    assert row().last_sign_at is None


def test_texts_are_left_aside(machine: peer.Machine) -> None:
    """Nothing that a machine could write in words is kept."""
    secret = "/home/me/passwords"
    assert noted(machine, path=secret, checks=[{"step": "protected", "files": 1, "paths": [secret], "detail": secret}])
    assert secret not in repr(Onboarding.objects.values().get())


def test_changed_messages_never_break_anything(machine: peer.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused with a code, or taken as a message with other numbers: in both cases the page can be made of it."""
    # Refusals are written in a transaction of their own, which a case that rolls back has no room for.
    monkeypatch.setattr("agents.protocol.refusal_log.refusal", lambda *args, **kwargs: None)
    figures = {"files_done": 1, "files_total": 2, "bytes_done": 3, "bytes_total": 4, "rate": 5, "seconds_left": 6}
    fields = message(2, **figures, checks=[{"step": "cache", "free": 7, "needed": 8}], code="disk_full")
    original, count = json.dumps(fields), Count()

    @at_least(200)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        changed = changed_field(data, json.loads(original))
        assume(json.dumps(changed) != original)
        assume(not {"aud", "iat", "jti"} & changed.keys())
        count.add(changed)
        with transaction.atomic():
            response = peer.send(
                "progress", machine.holder.sign(json.dumps(machine.holder.payload("progress", **changed)).encode())
            )
            assert response.status_code in {200, 403, 422}, (changed, response.content)
            found = Onboarding.objects.select_related("machine").get()
            assert response.status_code == 200 or found.last_sign_at is None
            for step in LiveSetup(found.machine, found, "192.0.2.9", timezone.now()).steps:
                assert step.percent is None or 0 <= step.percent <= 100
                assert len(step.detail) < 200
            transaction.set_rollback(True)

    try_one()
    count.require(200)


def test_it_costs_a_fixed_number_of_queries(
    machine: peer.Machine, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    noted(machine, 1)
    with django_assert_num_queries(5):
        tell(machine, 2, bytes_done=1)


def test_steps_of_agent_and_portal_have_the_same_names() -> None:
    from strongroom_agent.core.step_names import TOLD

    assert [(step.value, step.label) for step in SetupStep] == list(TOLD.items())
