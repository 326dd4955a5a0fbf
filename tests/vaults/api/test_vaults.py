"""The JSON API of vaults: the contract's shapes, codes and rights."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.accounts.models import User
from tests.vaults.factories import Ask
from tests.vaults.pages import call, refused, window
from vaults.models import Credential, Operation, Region, Vault
from vaults.requests import vault_requests

FIELDS = {
    *("id", "name", "state", "state_reason", "subscription", "region", "redundancy", "redundancy_locked"),
    *("machines", "last_backup_at", "created_at"),
}
CHANGES = [("PATCH", "", {"redundancy": "local"}), ("POST", "/retry", {}), ("POST", "/credentials", {})]


def test_a_vault_as_the_contract_has_it(make_vault: Callable[..., Vault], staff: User) -> None:
    at = timezone.now() - timedelta(hours=1)
    vault = make_vault(
        machine_count=2, redundancy_locked_at=at, redundancy_locked_by="m", last_backup_at=at, state_reason="Why"
    )
    one = call(window(staff), "GET", f"vaults/{vault.pk}").json()
    assert set(one) == FIELDS
    assert (one["name"], one["state"], one["state_reason"]) == ("Payroll", "Active", "Why")
    assert (one["subscription"], one["region"], one["redundancy"]) == ("Default", "Local A", "geo")
    assert (one["redundancy_locked"], one["machines"]) == (True, 2)
    assert one["last_backup_at"].replace("Z", "+00:00")[:19] == at.isoformat()[:19]


@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_reading(who: str, vault: Vault, request: pytest.FixtureRequest) -> None:
    client = window(request.getfixturevalue(who))
    one = call(client, "GET", f"vaults/{vault.pk}").json()
    assert call(client, "GET", "vaults").json() == {"items": [one], "next": None}


def test_an_outsider_reads_nothing(vault: Vault, outsider: User) -> None:
    refused(call(window(outsider), "GET", f"vaults/{vault.pk}"), 404, "not_found")
    assert call(window(outsider), "GET", "vaults").json() == {"items": [], "next": None}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403)])
def test_only_members_change(
    method: str, path: str, body: object, who: str, status: int, vault: Vault, request: pytest.FixtureRequest
) -> None:
    client = window(request.getfixturevalue(who))
    code = {404: "not_found", 403: "not_allowed"}[status]
    refused(call(client, method, f"vaults/{vault.pk}{path}", body), status, code)
    vault.refresh_from_db()
    assert vault.redundancy == "geo"
    assert not Credential.objects.exists()


def test_the_redundancy_is_changed(vault: Vault, staff: User) -> None:
    response = call(window(staff), "PATCH", f"vaults/{vault.pk}", {"redundancy": "local"})
    assert (response.status_code, response.json()["redundancy"]) == (200, "local")
    assert Operation.objects.get().kind == "end-copy"


def test_a_locked_redundancy_is_refused(vault: Vault, staff: User) -> None:
    Vault.objects.update(redundancy_locked_at=timezone.now(), redundancy_locked_by="hr-db-02")
    problem = refused(
        call(window(staff), "PATCH", f"vaults/{vault.pk}", {"redundancy": "local"}), 409, "redundancy_locked"
    )
    assert "hr-db-02" in problem["detail"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    "body", [{}, {"redundancy": "triple"}, {"redundancy": None}, {"redundancy": "geo", "name": "x"}]
)
def test_other_changes_are_refused(body: object, vault: Vault, staff: User) -> None:
    refused(call(window(staff), "PATCH", f"vaults/{vault.pk}", body), 422, "invalid")


def test_a_failed_vault_is_tried_again(ask: Ask, decider: Any, staff: User) -> None:
    asked = ask()
    vault = vault_requests.approve(asked.pk, actor=decider, comment="", digest=asked.digest).vault
    assert vault is not None
    Operation.objects.update(state="failed", due_at=None)
    Vault.objects.update(state="Failed", state_reason="No answer.")
    client = window(staff)
    again = call(client, "POST", f"vaults/{vault.pk}/retry")
    assert (again.status_code, again.json()["state"], again.json()["state_reason"]) == (200, "Creating", "")
    refused(call(client, "POST", f"vaults/{vault.pk}/retry"), 409, "stale_state")


@pytest.mark.parametrize(("body", "machines"), [({}, 1), ({"machines": 3}, 3)])
def test_a_credential_is_in_the_answer_and_nowhere_else(body: object, machines: int, vault: Vault, staff: User) -> None:
    response = call(window(staff), "POST", f"vaults/{vault.pk}/credentials", body)
    document = response.json()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert document["format"] == "strongroom-vault-credentials/1"
    assert document["vault"]["id"] == str(vault.pk)
    assert "PRIVATE KEY" in document["private_key"]
    kept = Credential.objects.get()
    assert (kept.machines_limit, kept.issued_by) == (machines, staff)
    assert document["private_key"] not in str(vars(kept))


@pytest.mark.parametrize("machines", [0, -1, 501, "x", None, 1.5, 10**30])
def test_a_credential_is_for_one_to_500_machines(machines: object, vault: Vault, staff: User) -> None:
    problem = refused(
        call(window(staff), "POST", f"vaults/{vault.pk}/credentials", {"machines": machines}), 422, "invalid"
    )
    assert list(problem["errors"]) == ["machines"]


def test_a_vault_that_is_not_active_hands_out_nothing(make_vault: Callable[..., Vault], staff: User) -> None:
    vault = make_vault(state="Failed")
    response = call(window(staff), "POST", f"vaults/{vault.pk}/credentials", {})
    refused(response, 409, "vault_not_active")


def test_the_list_goes_on_where_it_stopped(make_vault: Callable[..., Vault], staff: User) -> None:
    expected = [f"Vault-{number}" for number in range(5)]
    for name in reversed(expected):
        make_vault(name)
    client, names, after = window(staff), [], ""
    while after is not None:
        page = call(client, "GET", f"vaults?limit=2&after={after}").json()
        names += [one["name"] for one in page["items"]]
        after = page["next"]
    assert names == expected


def test_a_cursor_of_the_requests_is_none_of_the_vaults(
    make_vault: Callable[..., Vault], ask: Ask, staff: User, regions: tuple[Region, Region]
) -> None:
    ask("One")
    ask("Two")
    client = window(staff)
    cursor = call(client, "GET", "vault-requests?limit=1").json()["next"]
    refused(call(client, "GET", f"vaults?after={cursor}"), 422, "invalid")


def test_the_queries_of_the_list_do_not_grow(
    make_vault: Callable[..., Vault], staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        make_vault(f"Vault-{number:02}")
    client = window(staff)
    with django_assert_num_queries(3):  # session, person, rows
        assert len(call(client, "GET", "vaults").json()["items"]) == 20
