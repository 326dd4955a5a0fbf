"""The pages of one vault."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import SYSTEM, Actor
from portal.core.times import for_people
from tests.factories import as_actor
from tests.vaults.factories import Ask, operation_of
from tests.vaults.pages import poll, text_of, window
from vaults.lifecycle import redundancy
from vaults.models import Operation, PairedCopy, Region, Vault
from vaults.requests import vault_requests

TABS = ["Quick Start", "Dashboard", "Registered machines", "Configure", "Activity"]


@pytest.fixture
def created(ask: Ask, decider: Actor) -> Vault:
    """A vault that is being created, and nobody works on it."""
    asked = ask("Finance-Q4")
    vault = vault_requests.approve(asked.pk, actor=decider, comment="", digest=asked.digest).vault
    assert vault is not None
    return vault


def test_the_tabs_stand_in_the_order_of_the_contract(vault: Vault, staff: User) -> None:
    page = window(staff).get(f"/vaults/{vault.pk}/").content.decode()
    places = [page.index(f"{label}</a>") for label in TABS]
    assert places == sorted(places)


def test_creating_shows_each_step(created: Vault, staff: User) -> None:
    waiting = text_of(window(staff).get(f"/vaults/{created.pk}/"))
    assert "Waiting for a worker Making the container in Local A Storing" in waiting
    Operation.objects.update(steps_done=1, step="Storing a probe in Local A and reading it back")
    text = text_of(window(staff).get(f"/vaults/{created.pk}/"))
    assert "Making the container in Local A (done) Storing a probe in Local A and reading it back (now)" in text
    assert "approved by approver" in text


def test_the_dashboard_polls_quickly_while_work_runs_and_brings_the_state_along(created: Vault, staff: User) -> None:
    client, path = window(staff), f"/vaults/{created.pk}/"
    part = poll(client, path, "vault-dashboard").content.decode()
    assert 'hx-trigger="every 1s' in part
    assert 'id="vault-state" hx-swap-oob="true"' in part
    Vault.objects.update(state="Active")
    Operation.objects.update(state="succeeded", finished_at=timezone.now())
    part = poll(client, path, "vault-dashboard").content.decode()
    assert 'hx-trigger="every 30s' in part


def test_a_failed_vault_says_why_and_can_be_tried_again(created: Vault, staff: User) -> None:
    Operation.objects.update(state="failed", reason="Local A did not answer.", due_at=None)
    Vault.objects.update(state="Failed", state_reason="Local A did not answer. Press Retry.")
    client, path = window(staff), f"/vaults/{created.pk}/"
    page = client.get(path)
    assert "Local A did not answer. Press Retry." in text_of(page)
    assert b"Retry</button>" in page.content
    response = client.post(f"{path}retry/")
    created.refresh_from_db()
    assert (response.status_code, response["Location"], created.state) == (302, path, "Creating")
    assert client.post(f"{path}retry/").status_code == 409


def test_onlookers_see_no_retry(created: Vault, approver: User) -> None:
    Vault.objects.update(state="Failed", state_reason="No.")
    assert b"Retry</button>" not in window(approver).get(f"/vaults/{created.pk}/").content


def test_a_polled_part_with_a_form_is_still_known(created: Vault, staff: User) -> None:
    Operation.objects.update(state="failed", due_at=None, finished_at=timezone.now())
    Vault.objects.update(state="Failed", state_reason="No.")
    client, path = window(staff), f"/vaults/{created.pk}/"
    first = poll(client, path, "vault-dashboard")
    assert b"csrfmiddlewaretoken" in first.content
    assert poll(client, path, "vault-dashboard", first["ETag"]).status_code == 304


@pytest.fixture
def not_copied(vault: Vault, regions: tuple[Region, Region]) -> Vault:
    """An Active, geo-redundant vault whose copy could not be made, locked since."""
    PairedCopy.objects.create(vault=vault, region=regions[1])
    operation_of(vault, "make-copy", state="failed", reason="Local B is full.")
    Vault.objects.update(redundancy_locked_at=timezone.now(), redundancy_locked_by="hr-db-02")
    return vault


def test_work_on_the_copy_that_failed_can_be_tried_again_where_it_is_told(not_copied: Vault, staff: User) -> None:
    client, path = window(staff), f"/vaults/{not_copied.pk}/"
    page = client.get(path)
    assert "Local B is full. Retry" in text_of(page)
    assert page.content.count(b"Retry</button>") == 1
    response = client.post(f"{path}retry/")
    assert (response.status_code, response["Location"]) == (302, path)
    assert Operation.objects.get().state == "running"
    assert b"Retry</button>" not in client.get(path).content


def test_onlookers_are_told_who_can_try_the_copy_again(not_copied: Vault, approver: User, outsider: User) -> None:
    client, path = window(approver), f"/vaults/{not_copied.pk}/"
    page = client.get(path)
    assert "Local B is full. A member of Default can try again." in text_of(page)
    assert b"Retry</button>" not in page.content
    assert client.post(f"{path}retry/").status_code == 403
    assert window(outsider).post(f"{path}retry/").status_code == 404
    assert Operation.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("redundancy", "kind", "state", "words"),
    [
        ("geo", "make-copy", "running", "being made"),
        ("geo", "make-copy", "failed", "could not be made"),
        ("local", "end-copy", "running", "being ended"),
        ("local", "end-copy", "failed", "could not be ended"),
    ],
)
def test_the_pages_say_what_is_true_of_the_copy(
    redundancy: str, kind: str, state: str, words: str, not_copied: Vault, staff: User
) -> None:
    Vault.objects.update(redundancy=redundancy)
    Operation.objects.update(kind=kind, state=state)
    if redundancy == "local":
        PairedCopy.objects.update(complete_as_of=timezone.now(), trouble="Local B does not answer.")
    client, path = window(staff), f"/vaults/{not_copied.pk}/"
    assert f"Copy in Local B {words} Created" in text_of(client.get(path))
    configure = text_of(client.get(f"{path}configure/"))
    ends = "Data is no longer copied there." if redundancy == "local" else "What machines store is copied there."
    assert f"{ends} Copy {words} Progress is shown on the Dashboard" in configure


def test_the_copy_is_shown_with_its_lag(vault: Vault, regions: tuple[Region, Region], staff: User) -> None:
    copy = PairedCopy.objects.create(vault=vault, region=regions[1])
    client, path = window(staff), f"/vaults/{vault.pk}/"
    assert "Copy in Local B being made" in text_of(client.get(path))
    PairedCopy.objects.filter(pk=copy.pk).update(complete_as_of=timezone.now() - timedelta(minutes=5))
    assert "Copy in Local B complete as of 5 minutes ago" in text_of(client.get(path))
    PairedCopy.objects.filter(pk=copy.pk).update(trouble="Local B is full.")
    assert "Local B is full." in text_of(client.get(path))


@pytest.mark.parametrize(
    ("redundancy", "words"),
    [("geo", "Data is copied to Local B"), ("local", "Not available: Local A has no open paired")],
)
def test_a_closed_pair_is_no_choice_but_keeps_the_copies_it_has(
    redundancy: str, words: str, make_vault: Callable[..., Vault], regions: tuple[Region, Region], staff: User
) -> None:
    vault = make_vault(redundancy=redundancy)
    PairedCopy.objects.create(vault=vault, region=regions[1])
    Region.objects.filter(slug="local-b").update(enabled=False)
    assert f"Geo-redundant {words}" in text_of(window(staff).get(f"/vaults/{vault.pk}/configure/"))


def test_the_redundancy_is_changed_and_confirmed(vault: Vault, staff: User) -> None:
    client, path = window(staff), f"/vaults/{vault.pk}/configure/"
    assert client.post(path, {"redundancy": "geo"}).status_code == 302
    vault.refresh_from_db()
    assert (vault.redundancy, vault.redundancy_confirmed_at is None) == ("geo", False)
    assert "Confirmed" in text_of(client.get(path))
    assert client.post(path, {"redundancy": "local"}).status_code == 302
    vault.refresh_from_db()
    assert vault.redundancy == "local"
    assert Operation.objects.get().kind == "end-copy"


def test_configure_has_its_heading_once(vault: Vault, staff: User) -> None:
    page = window(staff).get(f"/vaults/{vault.pk}/configure/").content.decode()
    assert page.count("Storage redundancy") == 2  # the heading, and the legend for those who hear the page
    assert '<legend class="visually-hidden">Storage redundancy</legend>' in page


def test_a_locked_redundancy_says_why_since_when_and_by_which_machine(vault: Vault, staff: User) -> None:
    at = timezone.now() - timedelta(days=40)
    Vault.objects.update(redundancy_locked_at=at, redundancy_locked_by="hr-db-02")
    page = window(staff).get(f"/vaults/{vault.pk}/configure/")
    assert "Geo-redundant Locked" in text_of(page)
    assert f"Locked since hr-db-02 registered on {for_people(at)}" in text_of(page)
    assert b'name="redundancy"' not in page.content


def test_a_change_that_comes_after_the_lock_is_refused_with_the_page_of_now(
    vault: Vault, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = redundancy.change

    def locked_meanwhile(*args: Any, **values: Any) -> Vault:
        Vault.objects.update(redundancy_locked_at=timezone.now(), redundancy_locked_by="hr-db-02")
        return change(*args, **values)

    monkeypatch.setattr(redundancy, "change", locked_meanwhile)
    response = window(staff).post(f"/vaults/{vault.pk}/configure/", {"redundancy": "local"})
    vault.refresh_from_db()
    assert (response.status_code, vault.redundancy) == (409, "geo")
    assert text_of(response).count("hr-db-02 registered") == 2


@pytest.mark.parametrize("choice", ["", "triple", "geo\0"])
def test_no_other_redundancy_can_be_chosen(choice: str, vault: Vault, staff: User) -> None:
    response = window(staff).post(f"/vaults/{vault.pk}/configure/", {"redundancy": choice})
    assert response.status_code == 422


def test_a_region_without_a_pair_says_so_beside_the_choice(
    make_vault: Callable[..., Vault], staff: User, db: None
) -> None:
    alone = Region.objects.create(slug="alone", name="Alone")
    vault = make_vault(region=alone, redundancy="local")
    response: Any = window(staff).post(f"/vaults/{vault.pk}/configure/", {"redundancy": "geo"})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["redundancy"]


@pytest.mark.parametrize("content", [None, "not TOML"])
def test_without_a_good_regions_file_configure_says_so(
    content: str | None, vault: Vault, staff: User, settings: Any, tmp_path: Path
) -> None:
    settings.REGIONS_FILE = tmp_path / "regions.toml"
    if content is not None:
        settings.REGIONS_FILE.write_text(content)
    response = window(staff).get(f"/vaults/{vault.pk}/configure/")
    assert response.status_code == 503
    assert "regions file is missing or invalid" in text_of(response)
    assert str(tmp_path) not in response.content.decode()


def test_a_vault_that_is_not_active_offers_no_choice(make_vault: Callable[..., Vault], staff: User) -> None:
    vault = make_vault(state="Failed")
    client, path = window(staff), f"/vaults/{vault.pk}/configure/"
    assert b'type="radio"' not in client.get(path).content
    assert client.post(path, {"redundancy": "local"}).status_code == 409


def test_the_activity_ends_with_the_request(created: Vault, staff: User) -> None:
    response: Any = window(staff).get(f"/vaults/{created.pk}/activity/")
    actions = [event.action for event in response.context["events"]]
    assert actions[0] == "vault:create"
    assert actions[-1].startswith("vault-request:")
    assert len(actions) >= 3


def test_the_activity_is_of_this_vault_alone(
    make_vault: Callable[..., Vault], staff: User, subscription: Subscription
) -> None:
    ours, other = make_vault("Ours"), make_vault("Other")
    record(Action.VAULT_REDUNDANCY, actor=as_actor(staff), target=ours)
    record(Action.VAULT_REDUNDANCY, actor=SYSTEM, target=other)
    response: Any = window(staff).get(f"/vaults/{ours.pk}/activity/")
    assert [event.target_label for event in response.context["events"]] == ["Ours"]
    assert "192.0.2.7" not in text_of(response)


def test_the_activity_goes_on_over_pages(vault: Vault, staff: User, django_assert_num_queries: Any) -> None:
    for _ in range(60):
        record(Action.VAULT_REDUNDANCY, actor=SYSTEM, target=vault)
    client, path = window(staff), f"/vaults/{vault.pk}/activity/"
    first: Any = client.get(path)
    assert len(first.context["events"]) == 50
    rest: Any = client.get(path, {"after": first.context["page"].next})
    assert len(rest.context["events"]) == 10


def test_the_number_of_queries_of_the_dashboard(created: Vault, staff: User, django_assert_num_queries: Any) -> None:
    client = window(staff)
    # session, person, vault, work, days stored, approval
    with django_assert_num_queries(6):
        poll(client, f"/vaults/{created.pk}/", "vault-dashboard")
