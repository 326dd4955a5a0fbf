"""Who gets what from each page: outsiders 404, onlookers 403 for changes, members what they asked for."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import Membership, User
from tests.vaults.factories import Ask
from tests.vaults.pages import heading, poll, window
from vaults.models import Vault, VaultRequest
from vaults.states import VaultState

READING = {
    "dashboard": "/vaults/{vault}/",
    "configure": "/vaults/{vault}/configure/",
    "activity": "/vaults/{vault}/activity/",
    "request": "/requests/{request}/",
}
CHANGING = {"retry": "/vaults/{vault}/retry/", "configure": "/vaults/{vault}/configure/"}
PARTS = {"dashboard": "vault-dashboard", "request": "request-state"}


@pytest.fixture
def asked(ask: Ask) -> VaultRequest:
    return ask("Finance-Q4")


@pytest.fixture
def paths(vault: Vault, asked: VaultRequest) -> Callable[[str], str]:
    return lambda template: template.format(vault=vault.pk, request=asked.pk)


@pytest.mark.parametrize("name", READING)
def test_an_outsider_finds_nothing(name: str, paths: Callable[[str], str], outsider: User) -> None:
    response = window(outsider).get(paths(READING[name]))
    assert response.status_code == 404
    assert "Payroll" not in response.content.decode()
    assert "Finance-Q4" not in response.content.decode()


@pytest.mark.parametrize("name", PARTS)
def test_a_part_asked_for_directly_is_guarded_as_the_page(
    name: str, paths: Callable[[str], str], outsider: User
) -> None:
    response = poll(window(outsider), paths(READING[name]), PARTS[name])
    assert response.status_code == 404
    assert b"Payroll" not in response.content
    assert b"Finance-Q4" not in response.content


@pytest.mark.parametrize("name", CHANGING)
def test_an_outsider_changes_nothing(name: str, paths: Callable[[str], str], outsider: User, vault: Vault) -> None:
    response = window(outsider).post(paths(CHANGING[name]), {"redundancy": "local"})
    vault.refresh_from_db()
    assert (response.status_code, vault.redundancy) == (404, "geo")


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_members_and_those_who_see_all_may_read(
    name: str, who: str, paths: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    response = window(request.getfixturevalue(who)).get(paths(READING[name]))
    assert response.status_code == 200


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("who", ["approver", "auditor"])
def test_onlookers_change_nothing(
    name: str, who: str, paths: Callable[[str], str], request: pytest.FixtureRequest, vault: Vault
) -> None:
    Vault.objects.filter(pk=vault.pk).update(state=VaultState.FAILED)
    response = window(request.getfixturevalue(who)).post(paths(CHANGING[name]), {"redundancy": "local"})
    vault.refresh_from_db()
    assert (response.status_code, vault.redundancy, vault.state) == (403, "geo", "Failed")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
@pytest.mark.parametrize("who", ["staff", "auditor"])
def test_only_approvers_decide(verdict: str, who: str, asked: VaultRequest, request: pytest.FixtureRequest) -> None:
    body = {"verdict": verdict, "comment": "Why not", "digest": asked.digest}
    response = window(request.getfixturevalue(who)).post(f"/requests/{asked.pk}/", body)
    asked.refresh_from_db()
    assert (response.status_code, asked.state) == (403, "pending")


def test_an_approver_never_decides_on_their_own_request(asked: VaultRequest, staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(is_approver=True)
    client = window(staff)
    page = client.get(f"/requests/{asked.pk}/").content.decode()
    response = client.post(f"/requests/{asked.pk}/", {"verdict": "approve", "comment": "", "digest": asked.digest})
    asked.refresh_from_db()
    assert (response.status_code, asked.state) == (403, "pending")
    assert "You cannot decide on your own request" in page
    assert 'value="approve"' not in page


def test_an_outsider_cannot_decide(asked: VaultRequest, outsider: User) -> None:
    body = {"verdict": "cancel", "comment": "", "digest": asked.digest}
    assert window(outsider).post(f"/requests/{asked.pk}/", body).status_code == 404


def test_strangers_are_sent_to_the_sign_in(paths: Callable[[str], str]) -> None:
    for path in ["/vaults/", "/vaults/new/", "/requests/", "/search/", *map(paths, READING.values())]:
        response = Client().get(path)
        assert response.status_code == 302, path
        assert response["Location"].startswith("/accounts/login/"), path


def test_a_membership_that_is_taken_away_stops_working_at_the_next_request(vault: Vault, staff: User) -> None:
    client = window(staff)
    assert heading(client.get(f"/vaults/{vault.pk}/")) == "Payroll"
    Membership.objects.filter(user=staff).delete()
    assert poll(client, f"/vaults/{vault.pk}/", "vault-dashboard").status_code == 404


def test_changes_are_posts_with_the_csrf_token(vault: Vault, staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert client.post(f"/vaults/{vault.pk}/configure/", {"redundancy": "local"}).status_code == 403
    assert client.get(f"/vaults/{vault.pk}/retry/").status_code == 405
