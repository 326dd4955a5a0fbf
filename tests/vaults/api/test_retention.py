"""The JSON API of retention policies: the contract's fields, 200 or 202, and rights."""

import pytest

from portal.accounts.models import User
from tests.rows import now
from tests.vaults.pages import call, refused, window
from tests.vaults.retaining import ask_weaker
from vaults.models import RetentionChange, Vault
from vaults.retention_policy.policy import RetentionPolicy


@pytest.fixture
def path(vault: Vault) -> str:
    return f"vaults/{vault.pk}/retention"


@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_reading(request: pytest.FixtureRequest, path: str, who: str) -> None:
    assert call(window(request.getfixturevalue(who)), "GET", path).json() == {
        "keep_within_days": 30,
        "keep_weekly_within_weeks": None,
        "keep_monthly_within_months": None,
        "keep_yearly_within_years": None,
        "minimum_retention_days": 14,
        "soft_delete_days": 14,
    }


def test_stronger_is_stored_and_what_is_left_out_stays(vault: Vault, path: str, staff: User) -> None:
    client = window(staff)
    first = call(client, "PATCH", path, {"keep_weekly_within_weeks": 8})
    assert (first.status_code, first.json()["keep_weekly_within_weeks"]) == (200, 8)
    second = call(client, "PATCH", path, {"soft_delete_days": 30})
    assert second.status_code == 200
    assert second.json() == call(client, "GET", path).json()
    assert RetentionPolicy.of(now(vault)) == RetentionPolicy(keep_weekly_within_weeks=8, soft_delete_days=30)
    assert call(client, "PATCH", path, {}).status_code == 200


def test_weaker_is_accepted_as_a_request(vault: Vault, path: str, staff: User) -> None:
    Vault.objects.update(keep_weekly_within_weeks=8)
    client = window(staff)
    answer = call(client, "PATCH", path, {"keep_weekly_within_weeks": None, "reason": "Too much."})
    asked, told = RetentionChange.objects.get(), answer.json()
    assert (answer.status_code, told["id"], told["kind"], told["state"]) == (202, str(asked.pk), "retention", "pending")
    assert (told["vault_id"], told["requested_by"], told["reason"]) == (str(vault.pk), "staff", "Too much.")
    assert (told["policy_before"]["keep_weekly_within_weeks"], told["policy_wanted"]["keep_weekly_within_weeks"]) == (
        8,
        None,
    )
    assert len(told["digest"]) == 64
    assert now(vault).keep_weekly_within_weeks == 8
    again = call(client, "PATCH", path, {"keep_weekly_within_weeks": None, "reason": "Too much."})
    assert (again.status_code, again.json()["id"]) == (202, told["id"])


def test_weaker_without_a_reason_is_refused(path: str, staff: User) -> None:
    problem = refused(call(window(staff), "PATCH", path, {"keep_within_days": 20}), 422, "invalid")
    assert list(problem["errors"]) == ["reason"]


def test_while_another_one_waits(vault: Vault, path: str, staff: User) -> None:
    ask_weaker(staff, vault)
    body = {"keep_within_days": 15, "reason": "x"}
    refused(call(window(staff), "PATCH", path, body), 409, "stale_state")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"keep_within_days": None}, ["keep_within_days"]),
        ({"keep_within_days": 0, "soft_delete_days": 181}, ["keep_within_days", "soft_delete_days"]),
        ({"keep_within_days": "60"}, ["keep_within_days"]),
        ({"keep_within_days": True}, ["keep_within_days"]),
        ({"keep_within_days": 10**30}, ["keep_within_days"]),
        ({"keep_weekly_within_weeks": 1.5}, ["keep_weekly_within_weeks"]),
        ({"minimum_retention_days": 20}, ["soft_delete_days"]),
        ({"keep_forever": True}, ["keep_forever"]),
    ],
)
def test_what_is_malformed(vault: Vault, path: str, staff: User, body: object, fields: list[str]) -> None:
    problem = refused(call(window(staff), "PATCH", path, body), 422, "invalid")
    assert list(problem["errors"]) == fields
    assert RetentionPolicy.of(now(vault)) == RetentionPolicy()


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("outsider", 404, "not_found"), ("approver", 403, "not_allowed"), ("auditor", 403, "not_allowed")],
)
@pytest.mark.parametrize("days", [20, 60])
def test_only_members_change(
    request: pytest.FixtureRequest, vault: Vault, path: str, who: str, status: int, code: str, days: int
) -> None:
    client = window(request.getfixturevalue(who))
    refused(call(client, "PATCH", path, {"keep_within_days": days, "reason": "x"}), status, code)
    assert RetentionPolicy.of(now(vault)) == RetentionPolicy()
    assert not RetentionChange.objects.exists()


def test_an_outsider_reads_nothing(path: str, outsider: User) -> None:
    refused(call(window(outsider), "GET", path), 404, "not_found")
